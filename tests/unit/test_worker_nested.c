/* Real calls through a real broker, whose handlers call on: what the next handler is told, how results
 * in parts and kinds of calls come through, and where circles end. */
#include <busbar/client.h>
#include <busbar/object.h>
#include <busbar/worker.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/bus_rig.h"

enum {
    PATIENCE_MS = 20000,
};

struct state {
    struct bus bus;
    struct busbar_worker *outer;
    struct busbar_worker *inner;
    struct busbar_object *proxy; /* of the inner service */
    struct busbar_client *client;
    atomic_int told;
    atomic_int parts;
};

/* Handlers ------------------------------------------------------------------------------------- */

/* Writes down what the request tells. */
static void tell(struct busbar_request **request, void *context)
{
    struct state *state = context;
    char text[256];
    const char *user = busbar_request_metadata(*request, "user");
    const char *trace = busbar_request_metadata(*request, "trace");
    snprintf(text, sizeof text, "%s %s %u %u", user == NULL ? "-" : user,
             trace == NULL ? "-" : trace, busbar_request_hops(*request),
             busbar_request_remaining(*request) > 5000);
    state->told++;
    assert_int_equal(busbar_request_set(*request, "by", "inner"), BUSBAR_OK);
    busbar_request_reply(request, busbar_body_text(text));
}

static void pass_reply(struct busbar_request **request, struct busbar_reply *reply)
{
    if (busbar_reply_status(reply) != BUSBAR_OK)
        busbar_request_fail(request, busbar_reply_status(reply), busbar_reply_error(reply));
    else
        busbar_request_reply(
            request, busbar_body_copied(busbar_reply_data(reply), busbar_reply_size(reply)));
}

/* Calls the inner service with a client of its own thread, as the method's name says. */
static void ask(struct busbar_request **request, void *context)
{
    struct state *state = context;
    static const char *const over[] = {"trace", "mine", NULL};
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_client_options options = {.broker = state->bus.endpoint};
    const char *how = busbar_request_method(*request);
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    const struct busbar_call call = {
        .service = "inner",
        .method = "tell",
        .timeout_ms = 60000,
        .metadata = strcmp(how, "ask_over") == 0 ? over : NULL,
        .flags = strcmp(how, "ask_detached") == 0 ? BUSBAR_DETACHED : 0,
    };
    enum busbar_status status = busbar_client_call(client, &call, &reply);
    (void)status;
    pass_reply(request, reply);
}

static void ask_proxy(struct busbar_request **request, void *context)
{
    struct state *state = context;
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    size_t size = 0;
    enum busbar_status status = busbar_call(state->proxy, "tell", &result, "");
    const char *data = status == BUSBAR_OK ? busbar_value_data(result, &size) : NULL;
    if (status != BUSBAR_OK)
        busbar_request_fail(request, status, busbar_last_error());
    else
        busbar_request_reply(request, busbar_body_copied(data, size));
}

/* Calls itself for ever. */
static void circle(struct busbar_request **request, void *context)
{
    struct state *state = context;
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_client_options options = {.broker = state->bus.endpoint};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    const struct busbar_call call = {
        .service = "outer", .method = "circle", .flags = BUSBAR_DETACHED};
    state->told++;
    enum busbar_status status = busbar_client_call(client, &call, &reply);
    (void)status;
    pass_reply(request, reply);
}

static void stream(struct busbar_request **request, void *context)
{
    struct state *state = context;
    int count = atoi(busbar_request_data(*request));
    for (int i = 1; i <= count; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        if (busbar_request_part(*request, busbar_body_text(text)) != BUSBAR_OK)
            break;
        state->parts++;
    }
    busbar_request_reply(request, busbar_body_text("end"));
}

static void who(struct busbar_request **request, void *context)
{
    struct busbar_caller caller;
    char text[64];
    (void)context;
    if (busbar_request_caller(*request, &caller)) {
        snprintf(text, sizeof text, "%d %02x%02x \"%s\"", caller.session != 0, caller.instance[0],
                 caller.instance[15], caller.name);
        busbar_request_reply(request, busbar_body_text(text));
    }
}

/* Scene ---------------------------------------------------------------------------------------- */

static struct busbar_worker *serve(const struct bus *bus, struct busbar_service service,
                                   uint32_t threads)
{
    return bus_worker(bus, &service, 1, threads);
}

static int set_up(void **test)
{
    static const struct busbar_method outer[] = {
        {.name = "ask", .handler = ask},          {.name = "ask_over", .handler = ask},
        {.name = "ask_detached", .handler = ask}, {.name = "ask_proxy", .handler = ask_proxy},
        {.name = "circle", .handler = circle},    {.name = "who", .handler = who},
    };
    static const struct busbar_method inner[] = {
        {.name = "tell", .handler = tell, .signature = ">y"},
        {.name = "stream", .handler = stream}};
    struct state *state = calloc(1, sizeof *state);
    bus_start(&state->bus);
    state->outer = serve(&state->bus,
                         (struct busbar_service){.name = "outer",
                                                 .methods = outer,
                                                 .method_count = ARRAY_SIZE(outer),
                                                 .context = state,
                                                 .flags = BUSBAR_TELL_CALLER},
                         40);
    state->inner = serve(
        &state->bus,
        (struct busbar_service){
            .name = "inner", .methods = inner, .method_count = ARRAY_SIZE(inner), .context = state},
        1);
    const char *brokers[] = {state->bus.endpoint, NULL};
    const struct busbar_function functions[] = {{.name = "tell", .signature = ">y"}};
    const struct busbar_proxy_options options = {
        .service = "inner", .brokers = brokers, .functions = functions, .function_count = 1};
    assert_int_equal(busbar_proxy_new(&state->proxy, &options), BUSBAR_OK);
    const struct busbar_client_options at = {.broker = state->bus.endpoint,
                                             .timeout_ms = PATIENCE_MS};
    assert_int_equal(busbar_client_new(&state->client, &at), BUSBAR_OK);
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    busbar_client_destroy(&state->client);
    busbar_worker_destroy(&state->outer);
    busbar_worker_destroy(&state->inner);
    busbar_object_destroy(&state->proxy);
    bus_stop(&state->bus);
    free(state);
    return 0;
}

static void assert_answer(struct state *state, const struct busbar_call *call, const char *expected)
{
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    enum busbar_status status = busbar_client_call(state->client, call, &reply);
    if (status != BUSBAR_OK)
        fail_msg("%s: %s", busbar_status_name(status), busbar_reply_error(reply));
    assert_int_equal(busbar_reply_size(reply), strlen(expected));
    assert_memory_equal(busbar_reply_data(reply), expected, strlen(expected));
}

/* Tests ---------------------------------------------------------------------------------------- */

static void calls_of_a_handler_take_over_from_its_request(void **test)
{
    static const char *const metadata[] = {"user", "alice", "trace", "4711", NULL};
    static const struct {
        const char *method;
        const char *expected; /* user, trace, hops, more than 5 s left */
    } CASES[] = {
        {"ask", "alice 4711 1 0"},
        {"ask_over", "alice mine 1 0"},
        {"ask_detached", "- - 1 1"},
        {"ask_proxy", "alice 4711 1 0"},
    };
    struct state *state = *test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_answer(state,
                      &(struct busbar_call){.service = "outer",
                                            .method = CASES[i].method,
                                            .metadata = metadata,
                                            .timeout_ms = 4900},
                      CASES[i].expected);
}

static void what_a_handler_sets_comes_back(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = "inner", .method = "tell"};
    assert_int_equal(busbar_client_call(state->client, &call, &reply), BUSBAR_OK);
    assert_string_equal(busbar_reply_metadata(reply, "by"), "inner");
    assert_null(busbar_reply_metadata(reply, "of"));
}

static void a_circle_of_calls_ends(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = "outer", .method = "circle"};
    assert_int_equal(busbar_client_call(state->client, &call, &reply), BUSBAR_LOOP);
    assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_HANDLER);
    assert_int_equal(state->told, 33); /* by the one that the client called and 32 from handlers */
}

static void a_oneway_call_is_handled_after_its_outcome(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = "inner", .method = "tell", .flags = BUSBAR_ONEWAY};
    assert_int_equal(busbar_client_call(state->client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_MAYBE_EXECUTED);
    for (int i = 0; i < PATIENCE_MS && state->told == 0; i++)
        usleep(1000);
    assert_int_equal(state->told, 1);
}

static void parts_come_through_and_a_caller_that_keeps_them_stops_the_handler(void **test)
{
    enum { PARTS = 100, WINDOW = 4 };
    struct state *state = *test;
    const struct busbar_call call = {.service = "inner",
                                     .method = "stream",
                                     .body = busbar_body_text("100"),
                                     .flags = BUSBAR_STREAM,
                                     .window = WINDOW};
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_start(state->client, &call, NULL), BUSBAR_OK);
    for (int i = 1; i <= PARTS; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%d", i);
        assert_int_equal(busbar_client_wait(state->client, PATIENCE_MS, &reply), BUSBAR_OK);
        assert_true(busbar_reply_is_part(reply));
        assert_int_equal(busbar_reply_size(reply), strlen(expected));
        assert_memory_equal(busbar_reply_data(reply), expected, strlen(expected));
        assert_true(state->parts < i + 3 * WINDOW); /* no farther ahead than there is room */
        busbar_reply_destroy(&reply);
    }
    assert_int_equal(busbar_client_wait(state->client, PATIENCE_MS, &reply), BUSBAR_OK);
    assert_false(busbar_reply_is_part(reply));
    assert_int_equal(busbar_reply_size(reply), 3);
    busbar_reply_destroy(&reply);
}

static void a_service_that_asks_is_told_who_calls(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = "outer", .method = "who"};
    assert_int_equal(busbar_client_call(state->client, &call, &reply), BUSBAR_OK);
    const char *text = busbar_reply_data(reply);
    assert_memory_equal(text, "1 ", 2);
    assert_memory_equal(text + 6, " \"\"", 3);
}

/* The one place of the worker is given up for the call, and taken by a request of the other broker. */
static void a_worker_of_two_brokers_may_call_itself_through_the_other(void **test)
{
    static const struct busbar_method methods[] = {{.name = "ask_proxy", .handler = ask_proxy},
                                                   {.name = "tell", .handler = tell}};
    struct state *state = *test;
    struct bus other = {.broker = NULL};
    char both[300];
    struct busbar_worker *worker = NULL;
    bus_start(&other);
    snprintf(both, sizeof both, "%s,%s", state->bus.endpoint, other.endpoint);
    const struct busbar_worker_options options = {.broker = both, .credit = 4};
    struct state inside = {.proxy = bus_proxy(&other, "self")};
    const struct busbar_service service = {
        .name = "self", .methods = methods, .method_count = 2, .context = &inside};
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    assert_int_equal(busbar_worker_register(worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait_ready(worker, PATIENCE_MS), BUSBAR_OK);
    const struct busbar_call call = {
        .service = "self", .method = "ask_proxy", .timeout_ms = PATIENCE_MS};
    for (int i = 0; i < 20; i++)
        assert_answer(state, &call, "- - 1 0");
    assert_int_equal(inside.told, 20);
    busbar_worker_destroy(&worker);
    busbar_object_destroy(&inside.proxy);
    bus_stop(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_of_a_handler_take_over_from_its_request),
        TEST(what_a_handler_sets_comes_back),
        TEST(a_circle_of_calls_ends),
        TEST(a_oneway_call_is_handled_after_its_outcome),
        TEST(parts_come_through_and_a_caller_that_keeps_them_stops_the_handler),
        TEST(a_service_that_asks_is_told_who_calls),
        TEST(a_worker_of_two_brokers_may_call_itself_through_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
