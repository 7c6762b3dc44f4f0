/* Who runs handlers and when: the limit of threads, slow surprises, credit and what goes back. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <pthread.h>
#include <stdatomic.h>

#include "worker-lib/credit.h"

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
    atomic_int running;
    atomic_int most;
    atomic_int entered;
    pthread_t here;
    atomic_int elsewhere;
};

/* Sleeps as many milliseconds as the body says; 0 is quick. */
static void nap(struct busbar_request **request, void *context)
{
    struct state *state = context;
    int ms = atoi(busbar_request_data(*request));
    int running = ++state->running;
    int most = state->most;
    while (most < running && !atomic_compare_exchange_weak(&state->most, &most, running))
        ;
    state->entered++;
    state->elsewhere += !pthread_equal(state->here, pthread_self());
    if (ms > 0)
        usleep((unsigned)ms * 1000);
    state->running--;
    enum busbar_status status = busbar_request_reply(request, busbar_body_text("slept"));
    (void)status;
}

static const struct busbar_method METHODS[] = {{.name = "nap", .handler = nap}};

static void make(struct state *state, uint32_t threads, uint32_t credit)
{
    struct busbar_worker_options options = {
        .broker = state->fake->endpoint, .threads = threads, .credit = credit};
    struct busbar_service service = {
        .name = "svc", .methods = METHODS, .method_count = 1, .context = state};
    assert_int_equal(busbar_worker_new(&state->worker, &options), BUSBAR_OK);
    assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_OK);
}

static void start(struct state *state, uint32_t threads, uint32_t credit)
{
    make(state, threads, credit);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    state->fake = fake_new();
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    if (state->worker != NULL)
        fake_stop(state->fake, &state->worker);
    fake_destroy(&state->fake);
    free(state);
    return 0;
}

static void put(struct state *state, uint64_t id, const char *ms)
{
    static char digits[16];
    snprintf(digits, sizeof digits, "%s ", ms); /* atoi ends at the blank */
    fake_put_call(state->fake, id, "nap", bytes_of_text(digits));
}

static void await_replies(struct state *state, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fake_expect(state->fake, PACKET_REPLY);
}

/* Lets the worker learn that its handlers are quick, with as many calls at once as it asks for: where all
 * is slow it gives back what is beyond. */
static void warm_up(struct state *state)
{
    for (uint64_t id = 1000; id < 1400;) {
        uint64_t end = id + (state->fake->credit > 1 ? state->fake->credit : 1);
        size_t count = 0;
        for (; id < end && id < 1400; id++, count++)
            put(state, id, "0");
        fake_flush(state->fake);
        await_replies(state, count);
    }
    fake_serve(state->fake, 30);
}

static void handlers_run_side_by_side_up_to_the_limit(void **test)
{
    static const uint32_t CASES[] = {1, 2, 4};
    struct state *state = *test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        state->most = 0;
        start(state, CASES[i], 8);
        uint64_t before = clock_ms();
        for (uint64_t id = 1; id <= 8; id++)
            put(state, id, "15");
        fake_flush(state->fake);
        await_replies(state, 8);
        assert_in_range(state->most, CASES[i] > 2 ? 3 : CASES[i], CASES[i]);
        assert_true(clock_ms() - before < 15 * 8 / CASES[i] + 150);
        fake_stop(state->fake, &state->worker);
        fake_forget(state->fake);
    }
}

static void *broker_part(void *argument)
{
    struct state *state = argument;
    fake_ready(state->fake, state->worker);
    put(state, 1, "1");
    put(state, 2, "0");
    fake_flush(state->fake);
    await_replies(state, 2);
    put(state, 3, "0");
    fake_flush(state->fake);
    await_replies(state, 1);
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_BYE);
    return NULL;
}

static void inline_handlers_run_on_the_thread_of_run(void **test)
{
    struct state *state = *test;
    pthread_t thread;
    make(state, BUSBAR_INLINE, 0);
    state->here = pthread_self();
    pthread_create(&thread, NULL, broker_part, state);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_OK);
    pthread_join(thread, NULL);
    assert_int_equal(state->entered, 3);
    assert_int_equal(state->elsewhere, 0);
    busbar_worker_destroy(&state->worker);
}

static void a_slow_surprise_holds_back_no_earlier_reply(void **test)
{
    struct state *state = *test;
    start(state, 1, 0);
    warm_up(state);
    for (int round = 0; round < 3; round++) {
        uint64_t before = clock_ms();
        for (uint64_t id = 1; id <= 20; id++)
            put(state, id, "0");
        put(state, 21, "200");
        fake_flush(state->fake);
        for (uint64_t id = 1; id <= 20; id++)
            assert_true(fake_expect(state->fake, PACKET_REPLY)->at - before < 60);
        assert_true(fake_expect(state->fake, PACKET_REPLY)->at - before >= 200);
        warm_up(state);
    }
}

static void calls_behind_a_slow_surprise_go_back(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    start(state, 1, 0);
    warm_up(state);
    assert_true(state->fake->credit > 2);
    uint64_t before = clock_ms();
    put(state, 1, "300");
    for (uint64_t id = 2; id <= 16; id++)
        put(state, id, "0");
    fake_flush(state->fake);
    for (int i = 0; i < 14; i++)
        assert_true(fake_expect(state->fake, PACKET_RETURN)->at - before < 150);
    assert_int_equal(state->fake->credit, 2);
    await_replies(state, 2);
    fake_serve(state->fake, 20);
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.returned, 14);
    assert_int_equal(fake_count(state->fake, PACKET_RETURN), 14);
}

/* They may have been taken together with it. */
static void a_call_behind_a_slow_surprise_can_be_cancelled(void **test)
{
    struct state *state = *test;
    start(state, 1, 17);
    warm_up(state);
    int entered = state->entered;
    uint64_t before = clock_ms();
    put(state, 1, "0");
    put(state, 2, "300");
    for (uint64_t id = 3; id <= 8; id++)
        put(state, id, "0");
    fake_flush(state->fake);
    fake_expect_id(state->fake, PACKET_REPLY, 1);
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 5});
    assert_true(fake_expect_id(state->fake, PACKET_RETURN, 5)->at - before < 200);
    static const uint64_t IN_ORDER[] = {2, 3, 4, 6, 7, 8};
    for (size_t i = 0; i < ARRAY_SIZE(IN_ORDER); i++)
        assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.id, IN_ORDER[i]);
    assert_int_equal(state->entered - entered, 7);
}

static void a_second_thread_takes_over_from_a_slow_surprise(void **test)
{
    struct state *state = *test;
    start(state, 2, 0);
    warm_up(state);
    uint64_t before = clock_ms();
    put(state, 1, "300");
    for (uint64_t id = 2; id <= 16; id++)
        put(state, id, "0");
    fake_flush(state->fake);
    for (uint64_t id = 2; id <= 16; id++)
        assert_true(fake_expect_id(state->fake, PACKET_REPLY, id)->at - before < 150);
    fake_expect_id(state->fake, PACKET_REPLY, 1);
}

static void credit_grows_with_quick_handlers_and_shrinks_with_slow_ones(void **test)
{
    struct state *state = *test;
    start(state, 1, 0);
    fake_serve(state->fake, 30);
    assert_int_equal(state->fake->credit, 2);
    warm_up(state);
    assert_true(state->fake->credit > 4); /* by far, unless a sanitizer slows it down */
    for (uint64_t id = 1; id <= 10; id++)
        put(state, id, "5");
    fake_flush(state->fake);
    fake_serve(state->fake, 120);
    assert_int_equal(state->fake->credit, 2);
}

static void a_fixed_credit_stays(void **test)
{
    struct state *state = *test;
    start(state, 1, 17);
    warm_up(state);
    assert_int_equal(state->fake->credit, 17);
    assert_int_equal(fake_count(state->fake, PACKET_CREDIT), 1);
}

static void credit_follows_time_and_size(void **test)
{
    static const struct {
        uint32_t threads;
        uint64_t handler_ns;
        uint64_t body_size;
        uint32_t wanted;
    } CASES[] = {
        {1, 100, 64, 1024},  {1, 10000, 0, 49},   {1, 100000, 1024, 4},   {1, 10000000, 0, 2},
        {4, 1000000, 64, 5}, {4, 20000, 900, 99}, {1, 100, 1 << 20, 2},   {4, 100, 1 << 20, 5},
        {1, 100, 65536, 15}, {4, 100, 16384, 63}, {4, 20000, 1 << 18, 5},
    };
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct credit credit;
        credit_init(&credit, CASES[i].threads, 0);
        assert_int_equal(credit_wanted(&credit, 0), CASES[i].threads + 1);
        for (int sample = 0; sample < 10; sample++)
            credit_measure(&credit, CASES[i].handler_ns, CASES[i].body_size);
        for (int turn = 0; turn < 10; turn++)
            credit.in_force = credit_wanted(&credit, 0);
        assert_in_range(credit.in_force, CASES[i].wanted, CASES[i].wanted + 1);
        assert_false(credit_is_off(&credit, credit.in_force));
    }
}

static void credit_is_told_only_when_it_changes_by_a_quarter(void **test)
{
    struct credit credit;
    (void)test;
    credit_init(&credit, 1, 0);
    credit.in_force = 100;
    assert_false(credit_is_off(&credit, 125));
    assert_true(credit_is_off(&credit, 126));
    assert_false(credit_is_off(&credit, 75));
    assert_true(credit_is_off(&credit, 74));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(handlers_run_side_by_side_up_to_the_limit),
        TEST(inline_handlers_run_on_the_thread_of_run),
        TEST(a_slow_surprise_holds_back_no_earlier_reply),
        TEST(calls_behind_a_slow_surprise_go_back),
        TEST(a_call_behind_a_slow_surprise_can_be_cancelled),
        TEST(a_second_thread_takes_over_from_a_slow_surprise),
        TEST(credit_grows_with_quick_handlers_and_shrinks_with_slow_ones),
        TEST(a_fixed_credit_stays),
        cmocka_unit_test(credit_follows_time_and_size),
        cmocka_unit_test(credit_is_told_only_when_it_changes_by_a_quarter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
