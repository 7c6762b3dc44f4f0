/* Proxies while things change and fail: brokers and services that go and come back, threads, forks,
 * and what is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/object.h"
#include "tests/unit/bus_rig.h"
#include "tests/unit/fake_broker.h"

struct state {
    struct bus bus;
    struct busbar_worker *worker;
    struct busbar_object *proxy;
    atomic_uint calls;
};

static void raw_echo(struct busbar_request **request, void *context)
{
    (void)context;
    if (busbar_request_encoding(*request) != BUSBAR_RAW)
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "raw bytes are needed");
    if (*request == NULL)
        return;
    enum busbar_status status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
}

static void value_echo(struct busbar_request **request, void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
    if (busbar_request_encoding(*request) != BUSBAR_MESSAGEPACK)
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "a value is needed");
    if (*request == NULL)
        return;
    enum busbar_status status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
}

/* Fails twice with the status that the argument is, then not. */
static void fail_twice(struct busbar_request **request, void *context)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    enum busbar_status status = busbar_request_value(*request, &value);
    int64_t number = busbar_value_as_int64(busbar_value_at(value, 0));
    if (atomic_fetch_add((atomic_uint *)context, 1) % 3 < 2)
        busbar_request_fail(request, (enum busbar_status)number, "lost");
    else
        status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
}

/* Is lost first, which may be after it was executed, then refused. */
static void lose_then_refuse(struct busbar_request **request, void *context)
{
    bool first = atomic_fetch_add((atomic_uint *)context, 1) == 0;
    busbar_request_fail(request, first ? BUSBAR_WORKER_LOST : BUSBAR_DENIED, "not now");
}

static const struct busbar_method METHODS[] = {
    {.name = "run", .handler = value_echo, .signature = "v>v"},
    {.name = "once", .handler = fail_twice, .signature = "l>v"},
    {.name = "often", .handler = fail_twice, .signature = "l>v", .flags = BUSBAR_IDEMPOTENT},
    {.name = "lose", .handler = lose_then_refuse, .signature = ">v", .flags = BUSBAR_IDEMPOTENT},
    {.name = NULL},
};
static const struct busbar_method RAW_METHODS[] = {
    {.name = "run", .handler = raw_echo, .signature = "y>y"},
    {.name = "more", .handler = raw_echo, .signature = "y>y"},
    {.name = NULL},
};

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    bus_start(&state->bus);
    state->worker = bus_serve(&state->bus, "svc", METHODS, &state->calls);
    state->proxy = bus_proxy(&state->bus, "svc");
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    busbar_object_destroy(&state->proxy);
    busbar_worker_destroy(&state->worker);
    bus_stop(&state->bus);
    free(state);
    return 0;
}

static enum busbar_status call(struct busbar_object *object, const char *method)
{
    return busbar_call(object, method, NULL, "y", "abc", (size_t)3);
}

static void the_wrong_port_or_name_is_told_within_a_second(void **test)
{
    struct state *state = *test;
    char nowhere[128];
    bus_nowhere(nowhere);
    const struct {
        const char *endpoint;
        const char *service;
        enum busbar_status status;
    } cases[] = {
        {nowhere, "svc", BUSBAR_BROKER_LOST},
        {state->bus.endpoint, "nobody", BUSBAR_NO_SERVICE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
        const char *brokers[] = {cases[i].endpoint, NULL};
        const struct busbar_proxy_options options = {.service = cases[i].service,
                                                     .brokers = brokers};
        assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
        uint64_t before = clock_ms();
        assert_int_equal(call(proxy, "run"), cases[i].status);
        assert_in_range(clock_ms() - before, 0, 1000);
        assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
        assert_non_null(strstr(busbar_last_error(), cases[i].endpoint));
        assert_non_null(strstr(busbar_last_error(), cases[i].service));
    }
}

static void the_client_may_start_first(void **test)
{
    struct state *state = *test;
    busbar_worker_destroy(&state->worker);
    bus_stop(&state->bus);
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = bus_proxy(&state->bus, "svc");
    assert_int_equal(call(proxy, "run"), BUSBAR_BROKER_LOST);
    bus_start(&state->bus);
    state->worker = bus_serve(&state->bus, "svc", METHODS, &state->calls);
    assert_int_equal(call(proxy, "run"), BUSBAR_OK);
}

static void a_service_may_move_away_and_come_back_as_another(void **test)
{
    struct state *state = *test;
    static const struct busbar_method *const TURNS[] = {RAW_METHODS, METHODS, RAW_METHODS};
    assert_int_equal(call(state->proxy, "run"), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(TURNS); i++) {
        busbar_worker_destroy(&state->worker);
        if (i == 1) /* else the proxy does not notice before the new one answers */
            assert_int_equal(call(state->proxy, "run"), BUSBAR_NO_SERVICE);
        state->worker = bus_serve(&state->bus, "svc", TURNS[i], &state->calls);
        assert_int_equal(call(state->proxy, "run"), BUSBAR_OK);
        assert_int_equal(call(state->proxy, "more"),
                         TURNS[i] == RAW_METHODS ? BUSBAR_OK : BUSBAR_NO_METHOD);
    }
}

static void a_broker_may_be_restarted(void **test)
{
    struct state *state = *test;
    for (int i = 0; i < 3; i++) {
        enum busbar_status status = BUSBAR_SYSTEM;
        uint64_t until = clock_ms() + 10000;
        assert_int_equal(call(state->proxy, "run"), BUSBAR_OK);
        bus_stop(&state->bus);
        usleep(50000);
        bus_start(&state->bus);
        for (bool late = false; status != BUSBAR_OK && !late; late = clock_ms() > until)
            status = call(state->proxy, "run");
        assert_int_equal(status, BUSBAR_OK);
    }
}

static void only_what_may_be_executed_twice_is_repeated(void **test)
{
    struct state *state = *test;
    static const char *const LISTED[] = {"nothing", "once", NULL};
    static const char *const ALL[] = {"*", NULL};
    static const struct {
        const char *method;
        const char *const *idempotent;
        uint32_t retries;
        enum busbar_status status; /* of a failure */
        unsigned calls;            /* 3: with success */
    } CASES[] = {
        {"once", NULL, 2, BUSBAR_WORKER_LOST, 1},  {"once", NULL, 2, BUSBAR_BROKER_LOST, 1},
        {"once", NULL, 2, BUSBAR_DRAINING, 3},     {"once", LISTED, 2, BUSBAR_WORKER_LOST, 3},
        {"once", ALL, 2, BUSBAR_BROKER_LOST, 3},   {"often", NULL, 2, BUSBAR_WORKER_LOST, 3},
        {"often", NULL, 1, BUSBAR_WORKER_LOST, 2}, {"often", NULL, 0, BUSBAR_WORKER_LOST, 1},
        {"often", NULL, 2, BUSBAR_APP_ERROR, 1},   {"often", NULL, 2, BUSBAR_POISONED, 1},
        {"often", NULL, 2, BUSBAR_TIMEOUT, 1},     {"once", NULL, 2, BUSBAR_BUSY, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
        const char *brokers[] = {state->bus.endpoint, NULL};
        const struct busbar_proxy_options options = {.service = "svc",
                                                     .brokers = brokers,
                                                     .retries = CASES[i].retries,
                                                     .idempotent = CASES[i].idempotent};
        state->calls = 0;
        assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
        enum busbar_status status = busbar_call(proxy, CASES[i].method, NULL, "l",
                                                (int64_t)CASES[i].status);
        assert_int_equal(state->calls, CASES[i].calls);
        assert_int_equal(status, CASES[i].calls == 3 ? BUSBAR_OK : CASES[i].status);
    }
}

static void what_an_attempt_may_have_executed_stays_in_the_fate(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    const char *brokers[] = {state->bus.endpoint, NULL};
    const struct busbar_proxy_options options = {
        .service = "svc", .brokers = brokers, .retries = 2};
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    assert_int_equal(busbar_call(proxy, "lose", NULL, ""), BUSBAR_DENIED);
    assert_int_equal(state->calls, 2);
    assert_int_equal(busbar_last_fate(), BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(busbar_call(proxy, "lose", NULL, ""), BUSBAR_DENIED);
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
}

static void repetitions_stay_within_the_deadline(void **test)
{
    struct state *state = *test;
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    char nowhere[128];
    const char *brokers[] = {nowhere, NULL};
    const struct busbar_proxy_options options = {
        .service = "svc", .brokers = brokers, .retries = 1000, .timeout_ms = 1500};
    (void)state;
    bus_nowhere(nowhere);
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    uint64_t before = clock_ms();
    assert_int_equal(call(proxy, "run"), BUSBAR_BROKER_LOST);
    assert_in_range(clock_ms() - before, 900, 1600);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void a_cancelled_call_does_not_wait_for_a_broker_that_hangs(void **test)
{
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    static const struct busbar_function FUNCTION = {.name = "run", .signature = ">v"};
    struct fake_broker broker;
    (void)test;
    fake_broker_open(&broker, NULL);
    fake_broker_start(&broker);
    const char *brokers[] = {broker.endpoint, NULL};
    const struct busbar_proxy_options options = {
        .service = "echo", .brokers = brokers, .functions = &FUNCTION, .function_count = 1};
    const struct busbar_object_call cancelled = {.method = "run", .cancelled = at_once};
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    assert_int_equal(busbar_call(proxy, "run", NULL, ""), BUSBAR_OK);
    fake_broker_stop(&broker);
    uint64_t before = clock_ms();
    assert_int_equal(busbar_object_call(proxy, &cancelled, NULL), BUSBAR_CANCELLED);
    assert_in_range(clock_ms() - before, 0, 2000);
    assert_int_equal(busbar_last_fate(), BUSBAR_MAYBE_EXECUTED);
    assert_non_null(strstr(busbar_last_error(), broker.endpoint));
    fake_broker_close(&broker);
}

static void *call_often(void *argument)
{
    struct state *state = argument;
    for (int i = 0; i < 200; i++) {
        CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
        if (busbar_call(state->proxy, "run", &result, "l", (int64_t)i) != BUSBAR_OK ||
            busbar_value_as_int64(busbar_value_at(result, 0)) != i)
            return (void *)(uintptr_t) "failed";
    }
    return NULL;
}

static void many_threads_call_by_one_proxy(void **test)
{
    struct state *state = *test;
    pthread_t threads[8];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_create(&threads[i], NULL, call_often, state);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(state->calls, 8 * 200);
}

static void a_child_of_a_fork_is_told_so(void **test)
{
    struct state *state = *test;
    int outcome = 0;
    CLEANUP(busbar_object_destroy) struct busbar_object *unused = bus_proxy(&state->bus, "svc");
    assert_int_equal(call(state->proxy, "run"), BUSBAR_OK);
    pid_t child = fork();
    if (child == 0) {
        struct object_method found;
        struct busbar_value *list = NULL;
        bool good = call(state->proxy, "run") == BUSBAR_FORKED &&
                    call(unused, "run") == BUSBAR_FORKED &&
                    busbar_object_describe(state->proxy, &list) == BUSBAR_FORKED &&
                    object_probe(state->proxy, 100) == BUSBAR_FORKED &&
                    !state->proxy->class->find(state->proxy, "run", &found);
        busbar_object_destroy(&state->proxy);
        busbar_object_destroy(&unused);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
    assert_int_equal(call(state->proxy, "run"), BUSBAR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_wrong_port_or_name_is_told_within_a_second),
        TEST(the_client_may_start_first),
        TEST(a_service_may_move_away_and_come_back_as_another),
        TEST(a_broker_may_be_restarted),
        TEST(only_what_may_be_executed_twice_is_repeated),
        TEST(what_an_attempt_may_have_executed_stays_in_the_fate),
        TEST(repetitions_stay_within_the_deadline),
        TEST(a_cancelled_call_does_not_wait_for_a_broker_that_hangs),
        TEST(many_threads_call_by_one_proxy),
        TEST(a_child_of_a_fork_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
