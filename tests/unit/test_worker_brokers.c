/* One worker, a list of brokers: registered with each, and as one for all else. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <stdatomic.h>

enum {
    BROKERS = 2,
    THREADS = 2,
};

struct state {
    struct fake *fakes[BROKERS];
    char endpoints[300];
    struct busbar_worker *worker;
    atomic_int running;
    atomic_int most;
    atomic_int entered;
    atomic_int freed;
    atomic_bool go;
};

static void count_running(struct state *state)
{
    int running = ++state->running;
    int most = state->most;
    while (running > most && !atomic_compare_exchange_weak(&state->most, &most, running))
        continue;
    state->entered++;
}

static void hold(struct busbar_request **request, void *context)
{
    struct state *state = context;
    count_running(state);
    while (!state->go)
        usleep(1000);
    state->running--;
    busbar_request_reply(request, busbar_body_text("done"));
}

static void nap(struct busbar_request **request, void *context)
{
    struct state *state = context;
    count_running(state);
    usleep(2000);
    state->running--;
    busbar_request_reply(request, busbar_body_text("done"));
}

static void note_freed(void *context)
{
    ((struct state *)context)->freed++;
}

static const struct busbar_method METHODS[] = {
    {.name = "hold", .handler = hold},
    {.name = "nap", .handler = nap},
};

static void make_worker(struct state *state, uint32_t threads)
{
    const struct busbar_worker_options options = {
        .broker = state->endpoints, .threads = threads, .credit = 64, .stop_timeout_ms = 3000};
    assert_int_equal(busbar_worker_new(&state->worker, &options), BUSBAR_OK);
}

static void start(struct state *state)
{
    const struct busbar_service service = {.name = "svc",
                                           .methods = METHODS,
                                           .method_count = ARRAY_SIZE(METHODS),
                                           .context = state,
                                           .context_free = note_freed};
    assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    for (int i = 0; i < BROKERS; i++)
        state->fakes[i] = fake_new();
    snprintf(state->endpoints, sizeof state->endpoints, "%s, %s", state->fakes[0]->endpoint,
             state->fakes[1]->endpoint);
    make_worker(state, THREADS);
    *test = state;
    return 0;
}

/* All brokers at work until the worker has ended. */
static enum busbar_status await_end(struct state *state)
{
    uint64_t until = clock_ms() + FAKE_PATIENCE_MS;
    enum busbar_status status;
    while ((status = busbar_worker_wait(state->worker, 0)) == BUSBAR_NOTHING) {
        assert_true(clock_ms() < until);
        for (int i = 0; i < BROKERS; i++) {
            if (state->fakes[i]->socket != NULL)
                fake_receive(state->fakes[i], 1);
        }
    }
    return status;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    state->go = true;
    if (state->worker != NULL) {
        busbar_worker_stop(state->worker);
        await_end(state);
        busbar_worker_destroy(&state->worker);
    }
    for (int i = 0; i < BROKERS; i++)
        fake_destroy(&state->fakes[i]);
    free(state);
    return 0;
}

static enum busbar_status await_ready(struct state *state, uint64_t patience_ms)
{
    uint64_t until = clock_ms() + patience_ms;
    enum busbar_status status;
    while ((status = busbar_worker_wait_ready(state->worker, 0)) == BUSBAR_TIMEOUT &&
           clock_ms() < until) {
        for (int i = 0; i < BROKERS; i++) {
            if (state->fakes[i]->socket != NULL)
                fake_receive(state->fakes[i], 1);
        }
    }
    return status;
}

static void call(struct state *state, int broker, uint64_t id, const char *method)
{
    fake_call(state->fakes[broker], id, method, "");
}

static void expect_reply(struct state *state, int broker, uint64_t id)
{
    fake_expect_id(state->fakes[broker], PACKET_REPLY, id);
}

/* Tests ---------------------------------------------------------------------------------------- */

static void a_service_is_registered_with_every_broker(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
    for (int i = 0; i < BROKERS; i++) {
        assert_int_equal(state->fakes[i]->registers, 1);
        call(state, i, 7, "nap");
        expect_reply(state, i, 7);
    }
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.replies, 2);
    assert_int_equal(stats.credit, 2 * 64);
    assert_int_equal(
        busbar_worker_register(state->worker, &(struct busbar_service){.name = "svc",
                                                                       .methods = METHODS,
                                                                       .method_count = 1,
                                                                       .context_free = note_freed}),
        BUSBAR_CONFLICT);
    assert_int_equal(state->freed, 0);
    assert_int_equal(busbar_worker_deregister(state->worker, "svc"), BUSBAR_OK);
    for (int i = 0; i < BROKERS; i++)
        fake_expect(state->fakes[i], PACKET_DEREGISTER);
    assert_int_equal(busbar_worker_deregister(state->worker, "svc"), BUSBAR_NO_SERVICE);
    busbar_worker_stop(state->worker);
    assert_int_equal(await_end(state), BUSBAR_OK);
    busbar_worker_destroy(&state->worker);
    assert_int_equal(state->freed, 1);
}

static void no_more_handlers_run_at_once_than_threads_say(void **test)
{
    struct state *state = *test;
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
    for (uint64_t id = 1; id <= 3; id++) {
        for (int i = 0; i < BROKERS; i++)
            call(state, i, id, "hold");
    }
    for (int i = 0; i < 100 && state->entered < THREADS; i++)
        usleep(10000);
    usleep(100000);
    assert_int_equal(state->entered, THREADS);
    state->go = true;
    for (uint64_t id = 1; id <= 3; id++) {
        for (int i = 0; i < BROKERS; i++)
            expect_reply(state, i, id);
    }
    assert_int_equal(state->most, THREADS);
}

/* More than either can have: each must have its share, and nobody is forgotten. */
static void the_calls_of_all_brokers_have_their_turn(void **test)
{
    enum { CALLS = 40 };
    struct state *state = *test;
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
    for (uint64_t id = 1; id <= CALLS; id++) {
        for (int i = 0; i < BROKERS; i++)
            call(state, i, id, "nap");
    }
    for (uint64_t id = 1; id <= CALLS; id++) {
        for (int i = 0; i < BROKERS; i++)
            expect_reply(state, i, id);
    }
    assert_in_range(state->most, 1, THREADS);
}

static void a_broker_that_is_not_there_holds_nobody_up_and_is_joined_later(void **test)
{
    struct state *state = *test;
    fake_down(state->fakes[1]);
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
    call(state, 0, 7, "nap");
    expect_reply(state, 0, 7);
    fake_restart(state->fakes[1]);
    fake_ready(state->fakes[1], state->worker);
    fake_expect(state->fakes[1], PACKET_REGISTER);
    call(state, 1, 8, "nap");
    expect_reply(state, 1, 8);
}

static void without_any_broker_it_is_not_ready_and_the_error_names_one(void **test)
{
    struct state *state = *test;
    char text[512];
    fake_down(state->fakes[0]);
    fake_down(state->fakes[1]);
    start(state);
    assert_int_equal(busbar_worker_wait_ready(state->worker, 300), BUSBAR_TIMEOUT);
    busbar_worker_error(state->worker, text, sizeof text);
    assert_true(strstr(text, state->fakes[0]->endpoint) != NULL ||
                strstr(text, state->fakes[1]->endpoint) != NULL);
}

static void the_refusal_of_one_broker_ends_all(void **test)
{
    struct state *state = *test;
    char text[512];
    state->fakes[1]->refuse = BUSBAR_DENIED;
    state->fakes[1]->refusals = 1;
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_DENIED);
    assert_int_equal(await_end(state), BUSBAR_DENIED);
    busbar_worker_error(state->worker, text, sizeof text);
    assert_non_null(strstr(text, state->fakes[1]->endpoint));
    assert_non_null(strstr(text, "because of the test"));
}

static void the_loss_of_one_broker_leaves_the_other_alone(void **test)
{
    struct state *state = *test;
    start(state);
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
    fake_down(state->fakes[1]);
    for (uint64_t id = 1; id <= 5; id++) {
        call(state, 0, id, "nap");
        expect_reply(state, 0, id);
    }
    assert_int_equal(await_ready(state, FAKE_PATIENCE_MS), BUSBAR_OK);
}

static void a_list_that_cannot_be_is_refused(void **test)
{
    (void)test;
    static const struct {
        const char *broker;
        uint32_t threads;
    } CASES[] = {
        {"", 1},
        {"tcp://127.0.0.1:7766,", 1},
        {"tcp://127.0.0.1:7766,nothing", 1},
        {"tcp://127.0.0.1:7766,tcp://127.0.0.1:7767", BUSBAR_INLINE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct busbar_worker *worker;
        const struct busbar_worker_options options = {.broker = CASES[i].broker,
                                                      .threads = CASES[i].threads};
        assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_BAD_ARGUMENT);
        assert_null(worker);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_is_registered_with_every_broker),
        TEST(no_more_handlers_run_at_once_than_threads_say),
        TEST(the_calls_of_all_brokers_have_their_turn),
        TEST(a_broker_that_is_not_there_holds_nobody_up_and_is_joined_later),
        TEST(without_any_broker_it_is_not_ready_and_the_error_names_one),
        TEST(the_refusal_of_one_broker_ends_all),
        TEST(the_loss_of_one_broker_leaves_the_other_alone),
        cmocka_unit_test(a_list_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
