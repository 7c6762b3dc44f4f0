/* Handlers that wait for calls of their own: they give up their place, so that services of one
 * worker can call each other, and take it again. */
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

struct state {
    struct bus bus;
    struct busbar_worker *worker;
    struct busbar_object *even;
    struct busbar_object *odd;
    unsigned inside; /* handlers that run; no atomic, since only one may */
    unsigned counted;
    atomic_uint waiting;
    atomic_bool go_on;
};

static void answer(struct busbar_request **request, int64_t number)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = busbar_value_int64(number);
    struct busbar_body body;
    assert_int_equal(busbar_body_value(&body, value), BUSBAR_OK);
    enum busbar_status status = busbar_request_reply(request, body);
    (void)status;
}

static int64_t argument(const struct busbar_request *request)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    enum busbar_status status = busbar_request_value(request, &value);
    return status == BUSBAR_OK ? busbar_value_as_int64(busbar_value_at(value, 0)) : -1;
}

static void enter(struct state *state)
{
    state->counted++;
    if (state->inside++ != 0)
        abort();
}

static void leave(struct state *state)
{
    if (--state->inside != 0)
        abort();
}

/* 0 is 0, n is one more than n - 1, which the other service knows. */
static void count_down(struct busbar_request **request, void *context)
{
    struct state *state = context;
    enter(state);
    int64_t number = argument(*request);
    enum busbar_status status = BUSBAR_OK;
    int64_t sum = 0;
    if (number > 0) {
        CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
        struct busbar_object *next = number % 2 == 0 ? state->odd : state->even;
        leave(state);
        status = busbar_call(next, "count", &result, "l", number - 1);
        enter(state);
        sum = busbar_value_as_int64(result) + 1;
    }
    leave(state);
    if (status == BUSBAR_OK)
        answer(request, sum);
    else
        busbar_request_fail(request, status, busbar_last_error());
}

static void nap(struct busbar_request **request, void *context)
{
    struct state *state = context;
    enter(state);
    usleep((unsigned)argument(*request) * 1000);
    leave(state);
    answer(request, 0);
}

static const struct busbar_method METHODS[] = {
    {.name = "count", .handler = count_down, .signature = "l>l"},
    {.name = "nap", .handler = nap, .signature = "l>l"},
};

static struct busbar_object *proxy_to(const struct state *state, const char *service)
{
    static const struct busbar_function FUNCTIONS[] = {{.name = "count", .signature = "l>l"},
                                                       {.name = "nap", .signature = "l>l"}};
    struct busbar_object *proxy = NULL;
    const char *brokers[] = {state->bus.endpoint, NULL};
    const struct busbar_proxy_options options = {
        .service = service,
        .brokers = brokers,
        .timeout_ms = 20000,
        .functions = FUNCTIONS,
        .function_count = ARRAY_SIZE(FUNCTIONS),
    };
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    return proxy;
}

static void serve(struct state *state, uint32_t threads, uint32_t credit)
{
    struct busbar_service services[] = {
        {.name = "even", .methods = METHODS, .method_count = 2, .context = state},
        {.name = "odd", .methods = METHODS, .method_count = 2, .context = state},
    };
    const struct busbar_worker_options options = {.broker = state->bus.endpoint,
                                                  .threads = threads,
                                                  .credit = credit,
                                                  .stop_timeout_ms = 3000};
    assert_int_equal(busbar_worker_new(&state->worker, &options), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        assert_int_equal(busbar_worker_register(state->worker, &services[i]), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait_ready(state->worker, 20000), BUSBAR_OK);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    bus_start(&state->bus);
    state->even = proxy_to(state, "even");
    state->odd = proxy_to(state, "odd");
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    busbar_worker_destroy(&state->worker);
    busbar_object_destroy(&state->even);
    busbar_object_destroy(&state->odd);
    bus_stop(&state->bus);
    free(state);
    return 0;
}

static int64_t count(struct state *state, int64_t depth)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    struct busbar_object *first = depth % 2 == 0 ? state->even : state->odd;
    if (busbar_call(first, "count", &result, "l", depth) != BUSBAR_OK)
        return -1;
    return busbar_value_as_int64(result);
}

static void services_of_one_thread_call_each_other(void **test)
{
    struct state *state = *test;
    serve(state, 1, 0);
    for (int64_t depth = 0; depth <= 30; depth += 6)
        assert_int_equal(count(state, depth), depth);
}

static void a_fixed_credit_of_one_is_enough(void **test)
{
    struct state *state = *test;
    serve(state, 1, 1);
    assert_int_equal(count(state, 30), 30);
}

/* By the broker, before the worker runs out of handlers that may wait. */
static void the_chain_that_is_too_long_ends_at_once(void **test)
{
    struct state *state = *test;
    serve(state, 1, 0);
    uint64_t before = clock_ms();
    assert_int_equal(count(state, 32), 32);
    assert_int_equal(count(state, 33), -1);
    assert_int_equal(busbar_last_status(), BUSBAR_LOOP);
    assert_int_equal(count(state, 100), -1);
    assert_true(clock_ms() - before < 10000);
    assert_int_equal(count(state, 32), 32);
}

static void hold(struct busbar_request **request, void *context)
{
    struct state *state = context;
    while (!state->go_on && !busbar_request_cancelled(*request))
        usleep(1000);
    answer(request, 0);
}

static void ask_holder(struct busbar_request **request, void *context)
{
    struct busbar_object *holder = context;
    if (busbar_call(holder, "hold", NULL, "") == BUSBAR_OK)
        busbar_request_reply(request, busbar_body_text("held"));
    else
        busbar_request_fail(request, busbar_last_status(), busbar_last_error());
}

static struct busbar_client *start_asking(struct state *state, int calls)
{
    struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = state->bus.endpoint,
                                                  .timeout_ms = 20000};
    const struct busbar_call call = {.service = "asker", .method = "ask"};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    for (int i = 0; i < calls; i++)
        assert_int_equal(busbar_client_start(client, &call, NULL), BUSBAR_OK);
    return client;
}

static void the_handlers_that_wait_are_counted(void **test)
{
    enum { MOST = 64, MORE = 2 };
    struct state *state = *test;
    const struct busbar_method holding = {.name = "hold", .handler = hold, .signature = ">"};
    const struct busbar_method asking = {.name = "ask", .handler = ask_holder};
    const struct busbar_service holder = {
        .name = "holder", .methods = &holding, .method_count = 1, .context = state};
    struct busbar_worker *held = bus_worker(&state->bus, &holder, 1, MOST);
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = bus_proxy(&state->bus, "holder");
    const struct busbar_service asker = {
        .name = "asker", .methods = &asking, .method_count = 1, .context = proxy};
    struct busbar_worker *asked = bus_worker(&state->bus, &asker, 1, 1);
    struct busbar_client *client = start_asking(state, MOST + MORE);
    for (int i = 0; i < MOST + MORE; i++) {
        CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
        assert_int_equal(busbar_client_wait(client, 20000, &reply), BUSBAR_OK);
        bool is_busy = i < MORE;
        assert_int_equal(busbar_reply_status(reply), is_busy ? BUSBAR_BUSY : BUSBAR_OK);
        assert_true(!is_busy || strstr(busbar_reply_error(reply), "64 handlers") != NULL);
        state->go_on = i >= MORE - 1;
    }
    busbar_client_destroy(&client);
    busbar_worker_destroy(&asked);
    busbar_worker_destroy(&held);
}

static void *count_often(void *argument)
{
    struct state *state = argument;
    for (int i = 0; i < 20; i++) {
        if (count(state, 7) != 7)
            return (void *)(uintptr_t) "failed";
    }
    return NULL;
}

/* The counters of the handlers are no atomics: a second one beside them would be seen. */
static void no_two_handlers_run_beside_each_other(void **test)
{
    struct state *state = *test;
    pthread_t threads[4];
    serve(state, 1, 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_create(&threads[i], NULL, count_often, state);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    busbar_worker_destroy(&state->worker);
    assert_int_equal(state->inside, 0);
    assert_in_range(state->counted, 4 * 20 * 8, 2 * 4 * 20 * 8);
}

static void credit_rises_for_those_who_wait_and_goes_back(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    serve(state, 1, 3);
    for (int i = 0; i < 20; i++) { /* it goes back while this thread sleeps, should it do so now */
        assert_int_equal(count(state, 20), 20);
        busbar_worker_stats(state->worker, &stats);
        if (stats.credit >= 20)
            break;
    }
    assert_in_range(stats.credit, 20, 23);
    for (int i = 0; i < 200 && stats.credit != 3; i++) {
        usleep(10000);
        busbar_worker_stats(state->worker, &stats);
    }
    assert_int_equal(stats.credit, 3);
}

static void *count_into_the_stop(void *argument)
{
    struct state *state = argument;
    while (!state->go_on)
        count(state, 40);
    return NULL;
}

static void a_stop_amid_calls_of_handlers_ends(void **test)
{
    struct state *state = *test;
    pthread_t threads[3];
    for (int round = 0; round < 3; round++) {
        state->go_on = false;
        serve(state, 1, 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
            pthread_create(&threads[i], NULL, count_into_the_stop, state);
        usleep(30000);
        uint64_t before = clock_ms();
        busbar_worker_destroy(&state->worker);
        assert_true(clock_ms() - before < 3000 + 5000);
        state->go_on = true;
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
            pthread_join(threads[i], NULL);
    }
}

/* Waits for a service of another worker, which takes its time. */
static void ask_sleeper(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->waiting++;
    enum busbar_status status = busbar_call(state->even, "nap", NULL, "l", (int64_t)800);
    busbar_request_fail(request, BUSBAR_APP_ERROR, busbar_status_name(status));
    state->go_on = true;
}

static void *ask(void *argument)
{
    struct state *state = argument;
    CLEANUP(busbar_object_destroy) struct busbar_object *asker = bus_proxy(&state->bus, "asker");
    enum busbar_status status = busbar_call(asker, "ask", NULL, "");
    return (void *)(uintptr_t)status;
}

static void a_handler_that_waits_too_long_is_left_behind(void **test)
{
    struct state *state = *test;
    const struct busbar_method method = {.name = "ask", .handler = ask_sleeper};
    const struct busbar_service service = {
        .name = "asker", .methods = &method, .method_count = 1, .context = state};
    const struct busbar_worker_options options = {.broker = state->bus.endpoint,
                                                  .stop_timeout_ms = 100};
    struct busbar_worker *worker = NULL;
    pthread_t thread;
    serve(state, 1, 0);
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    assert_int_equal(busbar_worker_register(worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait_ready(worker, 20000), BUSBAR_OK);
    pthread_create(&thread, NULL, ask, state);
    for (int i = 0; i < 1000 && state->waiting == 0; i++)
        usleep(5000);
    uint64_t before = clock_ms();
    busbar_worker_destroy(&worker);
    assert_true(clock_ms() - before < 700);
    pthread_join(thread, NULL);
    for (int i = 0; i < 1000 && !state->go_on; i++)
        usleep(5000);
    assert_true(state->go_on);
    usleep(50000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(services_of_one_thread_call_each_other),
        TEST(a_fixed_credit_of_one_is_enough),
        TEST(the_chain_that_is_too_long_ends_at_once),
        TEST(the_handlers_that_wait_are_counted),
        TEST(no_two_handlers_run_beside_each_other),
        TEST(credit_rises_for_those_who_wait_and_goes_back),
        TEST(a_stop_amid_calls_of_handlers_ends),
        TEST(a_handler_that_waits_too_long_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
