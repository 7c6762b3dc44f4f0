/* What travels with requests and answers besides their bodies: items, hops, caller, flags. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <stdatomic.h>

#include "client-lib/ambient.h"
#include "protocol/metadata.h"
#include "protocol/registration.h"

enum {
    TEXT_SIZE = 8192,
};

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
    uint8_t buffer[PACKET_METADATA_MAX];
    struct metadata_writer metadata;
    char told[TEXT_SIZE];
    struct ambient ambient; /* as the handler found it */
    bool has_ambient;
    atomic_int calls; /* of which all of this was written down */
    atomic_int status;
    atomic_bool go;
};

static void put_item(struct state *state, const char *name, const char *value)
{
    metadata_put_item(&state->metadata, bytes_of_text(name), bytes_of_text(value));
}

static void put_caller(struct state *state, const char *name)
{
    struct metadata_caller caller = {.session = 77, .name = bytes_of_text(name)};
    memset(caller.instance, 0xab, sizeof caller.instance);
    metadata_put_caller(&state->metadata, &caller);
}

/* Handlers ------------------------------------------------------------------------------------- */

/* Writes down all that the request tells. */
static void tell(struct busbar_request **request, void *context)
{
    struct state *state = context;
    struct busbar_caller caller;
    const char *name;
    const char *value;
    char *end = state->told;
    char *limit = state->told + sizeof state->told;
    for (size_t i = 0; busbar_request_metadata_at(*request, i, &name, &value); i++) {
        end += snprintf(end, (size_t)(limit - end), "%s=%s;", name, value);
        assert_string_equal(busbar_request_metadata(*request, name), value);
    }
    end += snprintf(end, (size_t)(limit - end), "hops=%u;", busbar_request_hops(*request));
    if (busbar_request_is_oneway(*request))
        end += snprintf(end, (size_t)(limit - end), "oneway;");
    if (busbar_request_caller(*request, &caller))
        snprintf(end, (size_t)(limit - end), "caller=%llu,%02x,%s;",
                 (unsigned long long)caller.session, caller.instance[15], caller.name);
    assert_null(busbar_request_metadata(*request, "no such name"));
    const struct ambient *ambient = ambient_current();
    state->has_ambient = ambient != NULL;
    state->ambient = ambient != NULL ? *ambient : (struct ambient){0};
    state->calls++;
    busbar_request_reply(request, busbar_body_text("told"));
}

static void set(struct busbar_request **request, void *context)
{
    char large[4000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    (void)context;
    assert_int_equal(busbar_request_set(*request, "colour", "blue"), BUSBAR_OK);
    assert_int_equal(busbar_request_set(*request, "size", "8"), BUSBAR_OK);
    assert_int_equal(busbar_request_set(*request, "colour", "red"), BUSBAR_OK);
    assert_int_equal(busbar_request_set(*request, "colour", large), BUSBAR_TOO_LARGE);
    assert_int_equal(busbar_request_set(*request, "", "x"), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_request_set(*request, NULL, "x"), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_request_set(*request, "x", NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_request_set(*request, "x", "\xff"), BUSBAR_BAD_ARGUMENT);
    large[300] = '\0';
    assert_int_equal(busbar_request_set(*request, large, "x"), BUSBAR_BAD_ARGUMENT);
    large[255] = '\0';
    assert_int_equal(busbar_request_set(*request, large, ""), BUSBAR_OK);
    if (busbar_request_is_oneway(*request) || busbar_request_size(*request) == 0)
        busbar_request_reply(request, busbar_body_text("set"));
    else
        busbar_request_fail(request, BUSBAR_APP_ERROR, "set, and failed");
}

static void nothing(struct busbar_request **request, void *context)
{
    (void)request;
    (void)context;
}

static void large(struct busbar_request **request, void *context)
{
    static const char zeros[PACKET_INLINE_BODY_MAX];
    struct state *state = context;
    state->status = (int)busbar_request_reply(request, busbar_body_copied(zeros, sizeof zeros));
}

static void dawdle(struct busbar_request **request, void *context)
{
    struct state *state = context;
    while (!state->go)
        usleep(1000);
    busbar_request_reply(request, busbar_body_text("late"));
}

static const struct busbar_method METHODS[] = {
    {.name = "tell", .handler = tell, .stall_ms = 1500},
    {.name = "set", .handler = set},
    {.name = "nothing", .handler = nothing},
    {.name = "large", .handler = large},
    {.name = "dawdle", .handler = dawdle},
};

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    state->fake = fake_new();
    state->worker = fake_worker(state->fake, 1);
    state->metadata = (struct metadata_writer){.data = state->buffer,
                                               .capacity = sizeof state->buffer};
    const struct busbar_service service = {
        .name = "svc",
        .methods = METHODS,
        .method_count = ARRAY_SIZE(METHODS),
        .context = state,
        .flags = BUSBAR_TELL_CALLER,
        .weight = 250,
        .balance = "sticky",
    };
    assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    state->go = true;
    if (state->worker != NULL)
        fake_stop(state->fake, &state->worker);
    fake_destroy(&state->fake);
    free(state);
    return 0;
}

/* Tests ---------------------------------------------------------------------------------------- */

static void a_registration_says_weight_balance_caller_and_stall(void **test)
{
    struct state *state = *test;
    struct registration registration = {0};
    const char *reason = NULL;
    const struct bytes body = fake_expect(state->fake, PACKET_REGISTER)->packet.body;
    assert_int_equal(registration_decode(&registration, body.data, body.size, &reason), BUSBAR_OK);
    assert_int_equal(registration.weight, 250);
    assert_int_equal(registration.balance, BALANCE_STICKY);
    assert_true(registration.caller);
    assert_int_equal(registration.methods[0].stall, 1500);
    assert_int_equal(registration.methods[1].stall, 0);
    registration_fini(&registration);
}

static void a_registration_that_says_nonsense_is_refused_here(void **test)
{
    struct state *state = *test;
    static const struct {
        struct busbar_service service;
        struct busbar_method method;
        const char *text;
    } CASES[] = {
        {{.weight = 10001}, {0}, "the weight of the service is over 10000"},
        {{.flags = 2}, {0}, "the service has a flag that is not known"},
        {{.balance = "fair"},
         {0},
         "the balance of the service is not least_loaded, round_robin, random or sticky"},
        {{0}, {.flags = 4}, "a method has a flag that is not known"},
        {{0}, {.stall_ms = 86400001}, "the stall time of a method is over a day"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char text[256];
        struct busbar_method method = CASES[i].method;
        struct busbar_service service = CASES[i].service;
        method.name = "m";
        method.handler = nothing;
        service.name = "other";
        service.methods = &method;
        service.method_count = 1;
        assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_BAD_ARGUMENT);
        busbar_worker_error(state->worker, text, sizeof text);
        assert_string_equal(text, CASES[i].text);
    }
}

static void a_plain_request_tells_nothing(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 1, "tell", "");
    fake_expect_id(state->fake, PACKET_REPLY, 1);
    assert_int_equal(state->calls, 1);
    assert_string_equal(state->told, "hops=0;");
    assert_true(state->has_ambient);
    assert_int_equal(state->ambient.items.size, 0);
    assert_int_equal(state->ambient.hops, 0);
    assert_in_range(state->ambient.deadline, clock_ms(), clock_ms() + 5000);
}

static void a_request_tells_its_items_hops_and_caller(void **test)
{
    struct state *state = *test;
    put_caller(state, "alice");
    put_item(state, "trace", "4711");
    put_item(state, "user", "");
    metadata_put_number(&state->metadata, METADATA_HOPS, 1, 3);
    put_item(state, "trace", "of a caller further up");
    fake_call_with(state->fake, 1, PACKET_ONEWAY, "tell", metadata_written(&state->metadata));
    struct heard *heard = fake_expect_id(state->fake, PACKET_REPLY, 1);
    assert_int_equal(state->calls, 1);
    assert_string_equal(state->told, "trace=4711;user=;hops=3;oneway;caller=77,ab,alice;");
    assert_true(heard_is(heard, ""));
    assert_int_equal(heard->packet.metadata.size, 0);
    assert_int_equal(state->ambient.hops, 3);
    assert_int_equal(state->ambient.items.size, state->metadata.size);
}

static void items_that_are_no_text_and_entries_that_are_cut_are_passed_over(void **test)
{
    struct state *state = *test;
    put_item(state, "bad", "\xff\xfe");
    metadata_put_item(&state->metadata, bytes_of_text("nul"),
                      (struct bytes){.data = (const uint8_t *)"a\0b", .size = 3});
    metadata_put(&state->metadata, METADATA_ITEM, bytes_of_text("\x09short"));
    metadata_put_number(&state->metadata, METADATA_HOPS, 4, 3);
    metadata_put(&state->metadata, METADATA_CALLER, bytes_of_text("too short"));
    put_item(state, "good", "1");
    put_item(state, "cut", "off");
    struct bytes cut = metadata_written(&state->metadata);
    cut.size--;
    fake_call_with(state->fake, 1, 0, "tell", cut);
    fake_expect_id(state->fake, PACKET_REPLY, 1);
    assert_int_equal(state->calls, 1);
    assert_string_equal(state->told, "good=1;hops=0;");
}

static void what_is_set_goes_with_replies_and_errors(void **test)
{
    struct state *state = *test;
    for (uint64_t id = 1; id <= 2; id++) {
        struct bytes value;
        fake_call(state->fake, id, "set", id == 1 ? "" : "fail");
        struct heard *heard = fake_expect_id(state->fake, id == 1 ? PACKET_REPLY : PACKET_ERROR,
                                             id);
        struct bytes metadata = heard->packet.metadata;
        assert_true(metadata_find_item(metadata, bytes_of_text("colour"), &value));
        assert_int_equal(value.size, 3);
        assert_memory_equal(value.data, "red", 3);
        assert_true(metadata_find_item(metadata, bytes_of_text("size"), &value));
        assert_int_equal(metadata.size, 4 + 1 + 9 + 4 + 1 + 5 + 4 + 1 + 255);
    }
}

static void a_oneway_request_is_answered_with_an_empty_reply(void **test)
{
    struct state *state = *test;
    fake_call_with(state->fake, 1, PACKET_ONEWAY, "set", (struct bytes){0});
    struct heard *heard = fake_expect_id(state->fake, PACKET_REPLY, 1);
    assert_int_equal(heard->packet.body.size, 0);
    assert_int_equal(heard->packet.metadata.size, 0);
    assert_int_equal(heard->packet.flags, 0);
}

static void an_error_says_whether_the_handler_made_it(void **test)
{
    struct state *state = *test;
    static const struct {
        const char *method;
        const char *body;
        uint8_t status;
        bool by_handler;
    } CASES[] = {
        {"nothing", "", BUSBAR_APP_ERROR, true},
        {"set", "fail", BUSBAR_APP_ERROR, true},
        {"none", "", BUSBAR_NO_METHOD, false},
        {"large", "", BUSBAR_RESULT_TOO_LARGE, false},
    };
    state->fake->welcome.body_limit = 1000;
    fake_succeed(state->fake, state->worker);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        fake_call(state->fake, i, CASES[i].method, CASES[i].body);
        struct heard *heard = fake_expect_id(state->fake, PACKET_ERROR, i);
        assert_int_equal(heard->packet.status, CASES[i].status);
        assert_int_equal(heard->packet.flags, CASES[i].by_handler ? PACKET_BY_HANDLER : 0);
    }
    for (int i = 0; i < 1000 && state->status == 0; i++) /* the handler may not be back yet */
        usleep(1000);
    assert_int_equal(state->status, BUSBAR_RESULT_TOO_LARGE);
}

static void what_goes_back_keeps_flags_and_metadata_but_not_its_caller(void **test)
{
    struct state *state = *test;
    uint8_t flags = PACKET_ONEWAY | PACKET_IDEMPOTENT;
    put_caller(state, "alice");
    size_t of_caller = state->metadata.size;
    put_item(state, "trace", "4711");
    struct bytes metadata = metadata_written(&state->metadata);
    fake_call(state->fake, 1, "dawdle", "");
    fake_call_with(state->fake, 2, flags, "tell", metadata);
    fake_serve(state->fake, 100);
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_GOAWAY);
    fake_call_with(state->fake, 3, flags, "tell", metadata);
    for (uint64_t id = 2; id <= 3; id++) {
        const struct packet *packet = &fake_expect_id(state->fake, PACKET_RETURN, id)->packet;
        assert_int_equal(packet->flags, flags);
        assert_int_equal(packet->metadata.size, metadata.size - of_caller);
        assert_memory_equal(packet->metadata.data, metadata.data + of_caller,
                            packet->metadata.size);
        assert_int_equal(packet->body.size, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_registration_says_weight_balance_caller_and_stall, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_registration_that_says_nonsense_is_refused_here, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_plain_request_tells_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_tells_its_items_hops_and_caller, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            items_that_are_no_text_and_entries_that_are_cut_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_set_goes_with_replies_and_errors, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_oneway_request_is_answered_with_an_empty_reply, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_error_says_whether_the_handler_made_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_goes_back_keeps_flags_and_metadata_but_not_its_caller,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
