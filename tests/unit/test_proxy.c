/* Services on the bus as objects: values there and back, and what is asked of the bus for it. */
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
#include "objects/object.h"
#include "objects/proxy.h"
#include "tests/unit/bus_rig.h"

struct state {
    struct bus bus;
    struct busbar_worker *worker;
    struct busbar_object *proxy;
    struct busbar_object *stats; /* the service `bus` */
    atomic_uint calls;
};

static void reply_value(struct busbar_request **request, const struct busbar_value *value)
{
    struct busbar_body body;
    enum busbar_status status = busbar_body_value(&body, value);
    assert_int_equal(status, BUSBAR_OK);
    status = busbar_request_reply(request, body);
    (void)status;
}

/* The arguments come back as the result. */
static void arguments(struct busbar_request **request, void *context)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    atomic_fetch_add((atomic_uint *)context, 1);
    if (busbar_request_value(*request, &value) != BUSBAR_OK)
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "no value");
    else
        reply_value(request, value);
}

static void bytes(struct busbar_request **request, void *context)
{
    (void)context;
    if (busbar_request_encoding(*request) != BUSBAR_RAW) {
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "no raw body");
        return;
    }
    enum busbar_status status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
}

static void broken(struct busbar_request **request, void *context)
{
    struct busbar_body body = busbar_body_copied("\xdd\xff\xff\xff\xff", 5);
    (void)context;
    body.encoding = BUSBAR_MESSAGEPACK;
    enum busbar_status status = busbar_request_reply(request, body);
    (void)status;
}

static void refuse(struct busbar_request **request, void *context)
{
    (void)context;
    busbar_request_fail(request, BUSBAR_APP_ERROR, "out of cheese");
}

static void nap(struct busbar_request **request, void *context)
{
    (void)context;
    for (int i = 0; i < 400 && !busbar_request_cancelled(*request); i++)
        usleep(5000);
    busbar_request_fail(request, BUSBAR_APP_ERROR, "slept enough");
}

static const struct busbar_method METHODS[] = {
    {.name = "arguments", .handler = arguments, .signature = "vv>v", .flags = BUSBAR_IDEMPOTENT},
    {.name = "bytes", .handler = bytes, .signature = "y>y", .text = "the same bytes"},
    {.name = "broken", .handler = broken},
    {.name = "refuse", .handler = refuse},
    {.name = "nap", .handler = nap},
    {.name = NULL},
};

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    bus_start(&state->bus);
    state->worker = bus_serve(&state->bus, "svc", METHODS, &state->calls);
    state->proxy = bus_proxy(&state->bus, "svc");
    state->stats = bus_proxy(&state->bus, "bus");
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    busbar_object_destroy(&state->proxy);
    busbar_object_destroy(&state->stats);
    busbar_worker_destroy(&state->worker);
    bus_stop(&state->bus);
    free(state);
    return 0;
}

static struct busbar_value *list_of(struct busbar_value *a, struct busbar_value *b)
{
    struct busbar_value *list = busbar_value_list();
    assert_int_equal(busbar_value_append(list, &a), BUSBAR_OK);
    if (b != NULL)
        assert_int_equal(busbar_value_append(list, &b), BUSBAR_OK);
    return list;
}

static struct busbar_value *map_of(const char *key, struct busbar_value *value)
{
    struct busbar_value *map = busbar_value_map();
    assert_int_equal(busbar_value_set(map, key, &value), BUSBAR_OK);
    return map;
}

static enum busbar_status call(struct busbar_object *object, const char *method,
                               const struct busbar_value *values, struct busbar_value **ret)
{
    const struct busbar_object_call called = {.method = method, .arguments = values};
    return busbar_object_call(object, &called, ret);
}

/* How many questions the broker has answered, this one included. */
static uint64_t questions(struct state *state)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *map = NULL;
    assert_int_equal(call(state->stats, "stats", NULL, &map), BUSBAR_OK);
    return busbar_value_as_uint64(busbar_value_get(map, "bus_calls"));
}

static void lists_and_maps_cross_in_both_directions(void **test)
{
    struct state *state = *test;
    struct busbar_value *inner = list_of(busbar_value_int64(INT64_MIN), busbar_value_list());
    CLEANUP(busbar_value_destroy)
    struct busbar_value *values = list_of(map_of("\xc3\xa4", inner),
                                          busbar_value_bytes("\0\xff", 2));
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    assert_int_equal(call(state->proxy, "arguments", values, &result), BUSBAR_OK);
    assert_true(busbar_value_equal(values, result));
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    assert_string_equal(busbar_last_error(), "");
    assert_int_equal(call(state->proxy, "arguments", values, NULL), BUSBAR_OK);
}

static void no_arguments_are_an_empty_list(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    assert_int_equal(call(state->proxy, "arguments", NULL, &result), BUSBAR_OK);
    assert_int_equal(busbar_value_type(result), BUSBAR_LIST);
    assert_int_equal(busbar_value_count(result), 0);
}

static void bytes_alone_travel_as_they_are(void **test)
{
    struct state *state = *test;
    struct busbar_value *const forms[] = {
        busbar_value_bytes("a\0b", 3), busbar_value_string("a\0b", 3), busbar_value_bytes("", 0)};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
        size_t size = 99;
        CLEANUP(busbar_value_destroy) struct busbar_value *values = list_of(forms[i], NULL);
        assert_int_equal(call(state->proxy, "bytes", values, &result), BUSBAR_OK);
        assert_int_equal(busbar_value_type(result), BUSBAR_BYTES);
        assert_memory_equal(busbar_value_data(result, &size), "a\0b", i < 2 ? 3 : 0);
        assert_int_equal(size, i < 2 ? 3 : 0);
    }
}

static void what_is_not_bytes_alone_is_refused_here(void **test)
{
    struct state *state = *test;
    struct busbar_value *const lists[] = {
        busbar_value_list(),
        list_of(busbar_value_bytes("a", 1), busbar_value_bytes("b", 1)),
        list_of(busbar_value_int64(1), NULL),
        list_of(busbar_value_null(), NULL),
    };
    static const char *const REASONS[] = {"takes 1 argument, not 0", "takes 1 argument, not 2",
                                          "argument 1 of bytes(y>y) must be bytes, not a",
                                          "argument 1 of bytes(y>y) must be bytes, not a"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct busbar_value *values = lists[i];
        assert_int_equal(call(state->proxy, "bytes", values, NULL), BUSBAR_BAD_REQUEST);
        assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
        assert_non_null(strstr(busbar_last_error(), REASONS[i]));
        assert_non_null(strstr(busbar_last_error(), "svc"));
        busbar_value_destroy(&values);
    }
}

static void the_bus_is_asked_once(void **test)
{
    struct state *state = *test;
    uint64_t before = questions(state);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call(state->proxy, "arguments", NULL, NULL), BUSBAR_OK);
    assert_int_equal(questions(state) - before, 2);
}

static void declared_functions_need_no_question(void **test)
{
    struct state *state = *test;
    static const struct busbar_function FUNCTIONS[] = {{.name = "arguments", .signature = "vv>v"},
                                                       {.name = "bytes", .signature = "y>y"}};
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    const char *brokers[] = {state->bus.endpoint, NULL};
    const struct busbar_proxy_options options = {
        .service = "svc", .brokers = brokers, .functions = FUNCTIONS, .function_count = 2};
    CLEANUP(busbar_value_destroy)
    struct busbar_value *values = list_of(busbar_value_bytes("a", 1), NULL);
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    uint64_t before = questions(state);
    assert_int_equal(call(proxy, "arguments", NULL, NULL), BUSBAR_OK);
    assert_int_equal(call(proxy, "bytes", values, NULL), BUSBAR_OK);
    assert_int_equal(questions(state) - before, 1);
}

static void failures_name_service_method_and_endpoint(void **test)
{
    struct state *state = *test;
    static const struct {
        const char *method;
        enum busbar_status status;
        enum busbar_fate fate;
        const char *text;
    } CASES[] = {
        {"refuse", BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "out of cheese"},
        {"nothing", BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "nothing"},
        {"broken", BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "well-formed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char called[64];
        struct busbar_value *result = NULL;
        snprintf(called, sizeof called, "svc.%s at ", CASES[i].method);
        assert_int_equal(call(state->proxy, CASES[i].method, NULL, &result), CASES[i].status);
        assert_null(result);
        assert_int_equal(busbar_last_status(), CASES[i].status);
        assert_int_equal(busbar_last_fate(), CASES[i].fate);
        assert_non_null(strstr(busbar_last_error(), CASES[i].text));
        assert_non_null(strstr(busbar_last_error(), called));
        assert_non_null(strstr(busbar_last_error(), state->bus.endpoint));
    }
    assert_true(object_set_id(state->proxy, "mouse"));
    assert_int_equal(call(state->proxy, "refuse", NULL, NULL), BUSBAR_APP_ERROR);
    assert_int_equal(strncmp(busbar_last_error(), "mouse: svc.refuse at ", 21), 0);
}

static bool after_a_while(void *context)
{
    uint64_t *since = context;
    return clock_ms() - *since > 60;
}

static void a_call_can_be_cancelled_or_be_late(void **test)
{
    struct state *state = *test;
    uint64_t before = clock_ms();
    const struct busbar_object_call calls[] = {
        {.method = "nap", .cancelled = after_a_while, .context = &before},
        {.method = "nap", .timeout_ms = 60},
    };
    assert_int_equal(busbar_object_call(state->proxy, &calls[0], NULL), BUSBAR_CANCELLED);
    assert_in_range(clock_ms() - before, 60, 1000);
    before = clock_ms();
    assert_int_equal(busbar_object_call(state->proxy, &calls[1], NULL), BUSBAR_TIMEOUT);
    assert_in_range(clock_ms() - before, 55, 1000);
    assert_int_equal(busbar_last_fate(), BUSBAR_MAYBE_EXECUTED);
}

static void what_is_known_is_found_without_asking(void **test)
{
    struct state *state = *test;
    struct object_method found;
    const struct object_class *class = state->proxy->class;
    assert_false(class->find(state->proxy, "bytes", &found));
    assert_int_equal(call(state->proxy, "arguments", NULL, NULL), BUSBAR_OK);
    assert_true(class->find(state->proxy, "bytes", &found));
    assert_string_equal(found.signature, "y>y");
    assert_string_equal(found.text, "the same bytes");
    assert_false(found.idempotent);
    assert_true(class->find(state->proxy, "arguments", &found));
    assert_true(found.idempotent);
    assert_false(class->find(state->proxy, "nothing", &found));
}

static void a_proxy_describes_its_service(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    CLEANUP(busbar_object_destroy) struct busbar_object *nobody = bus_proxy(&state->bus, "nobody");
    assert_int_equal(busbar_object_describe(state->proxy, &list), BUSBAR_OK);
    assert_int_equal(busbar_value_count(list), 5);
    const struct busbar_value *first = busbar_value_at(list, 0);
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "name")), "arguments");
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "signature")), "vv>v");
    assert_true(busbar_value_as_bool(busbar_value_get(first, "idempotent")));
    busbar_value_destroy(&list);
    assert_int_equal(busbar_object_describe(nobody, &list), BUSBAR_NO_SERVICE);
    assert_null(list);
    assert_non_null(strstr(busbar_last_error(), "nobody"));
}

static void a_probe_tells_whether_it_can_be_reached(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_object_destroy) struct busbar_object *nobody = bus_proxy(&state->bus, "nobody");
    assert_int_equal(object_probe(state->proxy, 1000), BUSBAR_OK);
    assert_int_equal(object_probe(state->stats, 1000), BUSBAR_OK);
    assert_int_equal(object_probe(nobody, 1000), BUSBAR_NO_SERVICE);
    bus_stop(&state->bus);
    usleep(50000);
    assert_int_equal(object_probe(state->proxy, 200), BUSBAR_BROKER_LOST);
}

static void typed_pointers_call_over_the_bus(void **test)
{
    struct state *state = *test;
    const void *(*same)(const void *, size_t, size_t *) = NULL;
    size_t size = 0;
    void *address = busbar_function(state->proxy, "bytes");
    assert_non_null(address);
    memcpy(&same, &address, sizeof same);
    const void *result = same("xyz", 3, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(result, "xyz", 3);
    void *wrong = busbar_function_as(state->proxy, "arguments", "vv>l");
    assert_null(wrong);
    assert_int_equal(strncmp(busbar_last_error(), "svc: ", 5), 0);
}

static void others_can_tell_what_a_proxy_stands_for(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_object_destroy) struct busbar_object *plain = NULL;
    const struct busbar_proxy_options options = {.service = "plain"};
    assert_int_equal(busbar_proxy_new(&plain, &options), BUSBAR_OK);
    assert_string_equal(busbar_object_kind(plain), "proxy");
    assert_string_equal(proxy_service(plain), "plain");
    assert_true(proxy_uses_default(plain));
    assert_false(proxy_uses_default(state->proxy));
    assert_null(proxy_service(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_and_maps_cross_in_both_directions),
        TEST(no_arguments_are_an_empty_list),
        TEST(bytes_alone_travel_as_they_are),
        TEST(what_is_not_bytes_alone_is_refused_here),
        TEST(the_bus_is_asked_once),
        TEST(declared_functions_need_no_question),
        TEST(failures_name_service_method_and_endpoint),
        TEST(a_call_can_be_cancelled_or_be_late),
        TEST(what_is_known_is_found_without_asking),
        TEST(a_proxy_describes_its_service),
        TEST(a_probe_tells_whether_it_can_be_reached),
        TEST(typed_pointers_call_over_the_bus),
        TEST(others_can_tell_what_a_proxy_stands_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
