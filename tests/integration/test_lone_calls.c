/*
 * Calls one at a time: client, worker and broker sleep for each, and whoever misses what should wake
 * it sleeps for long. Option: how many calls to make.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <busbar/client.h>

#include "tests/kit/kit.h"

enum {
    THREADS = 4,
    SHORT_CALLS = 20000,
    BODY_SIZE = 70000, /* travels behind the packet */
    TIMEOUT_MS = 20000,
    LATE_MS = 500, /* no call may take so much longer than its handler */
    BREAKS = 5,
    NEAR_ROUNDS = 10,
};

static unsigned all_calls = SHORT_CALLS;

struct caller {
    const char *broker;
    unsigned calls;
    unsigned seed;
    bool breaks; /* the broker goes and comes back all along: calls may fail, but not be late */
    atomic_bool *stop;
    uint64_t worst_ms;
    unsigned failed;
    unsigned done;
    pthread_t thread;
};

/* Mostly none; else up to a bit more than anybody waits without hearing everything. */
static void pause_a_while(struct caller *caller)
{
    unsigned chance = (unsigned)rand_r(&caller->seed) % 200;
    if (chance == 0)
        kit_sleep_ms((unsigned)rand_r(&caller->seed) % 60);
    else if (chance < 10)
        kit_sleep_ms((unsigned)rand_r(&caller->seed) % 3);
}

static void make_call(struct caller *caller, struct busbar_client *client)
{
    static const char large[BODY_SIZE];
    struct busbar_reply *reply = NULL;
    size_t size = rand_r(&caller->seed) % 50 == 0 ? BODY_SIZE : 64;
    const struct busbar_call call = {
        .service = "plain", .method = "echo", .body = busbar_body_copied(large, size)};
    uint64_t begun = kit_now_ms();
    enum busbar_status status = busbar_client_call(client, &call, &reply);
    uint64_t took = kit_now_ms() - begun;
    if (took > caller->worst_ms)
        caller->worst_ms = took;
    if (status != BUSBAR_OK || busbar_reply_size(reply) != size)
        caller->failed++;
    if (status != BUSBAR_OK && !caller->breaks)
        fprintf(stderr, "%s\n", busbar_client_error(client));
    busbar_reply_destroy(&reply);
    caller->done++;
}

static void *caller_run(void *argument)
{
    struct caller *caller = argument;
    struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = caller->broker,
                                                  .timeout_ms = TIMEOUT_MS};
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        abort();
    while (caller->done < caller->calls && !atomic_load(caller->stop)) {
        make_call(caller, client);
        pause_a_while(caller);
    }
    busbar_client_destroy(&client);
    return NULL;
}

static void callers_start(struct caller callers[THREADS], const struct caller *like)
{
    for (unsigned i = 0; i < THREADS; i++) {
        callers[i] = *like;
        callers[i].seed = i;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_run, &callers[i]), 0);
    }
}

static void callers_join(struct caller callers[THREADS])
{
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
}

static void start_worker(struct kit *kit)
{
    kit_start(kit, "tests/programs/plain_worker", kit->endpoint, NULL);
    KIT_EVENTUALLY(kit_counter(kit, "services") == 1, KIT_RUN_MS);
}

static void no_call_of_many_is_late(void **state)
{
    struct kit *kit = *state;
    struct caller callers[THREADS];
    atomic_bool stop = false;
    kit_broker(kit, NULL);
    start_worker(kit);
    callers_start(
        callers,
        &(struct caller){.broker = kit->endpoint, .calls = all_calls / THREADS, .stop = &stop});
    callers_join(callers);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].failed, 0);
        assert_in_range(callers[i].worst_ms, 0, kit_time(LATE_MS));
    }
}

/* Whoever waits learns that the link is gone, also from a wait that does not hear of it at once. */
static void no_call_outlives_its_broker_for_long(void **state)
{
    struct kit *kit = *state;
    struct caller callers[THREADS];
    atomic_bool stop = false;
    struct kit_process *broker = kit_broker(kit, NULL);
    start_worker(kit);
    callers_start(callers,
                  &(struct caller){
                      .broker = kit->endpoint, .calls = UINT32_MAX, .breaks = true, .stop = &stop});
    for (unsigned i = 0; i < BREAKS; i++) {
        char endpoint[64];
        kit_sleep_ms(200 + i * 37);
        snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
        kit_kill(broker, SIGKILL);
        (void)kit_wait(broker, KIT_RUN_MS);
        broker = kit_broker_at(kit, endpoint);
    }
    kit_sleep_ms(1000);
    atomic_store(&stop, true);
    callers_join(callers);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_true(callers[i].done > callers[i].failed);
        assert_in_range(callers[i].worst_ms, 0, kit_time(5000));
    }
}

static void call_that_sleeps(struct busbar_client *client, unsigned ms)
{
    char text[16];
    snprintf(text, sizeof text, "%u", ms);
    const struct busbar_call call = {
        .service = "test", .method = "sleep", .body = busbar_body_text(text)};
    uint64_t begun = kit_now_ms();
    assert_int_equal(busbar_client_call(client, &call, NULL), BUSBAR_OK);
    assert_in_range(kit_now_ms() - begun, ms, ms + kit_time(LATE_MS));
}

/* An answer that comes while one way of waiting ends and another begins. */
static void an_answer_at_the_end_of_a_wait_is_not_late(void **state)
{
    static const unsigned times[] = {9, 10, 11, 47, 48, 49, 50, 51};
    struct kit *kit = *state;
    struct busbar_client *client = NULL;
    kit_broker(kit, NULL);
    kit_wait_for_text(kit_start(kit, "tests/programs/test_worker", "test", NULL), "ready",
                      KIT_RUN_MS);
    const struct busbar_client_options options = {.broker = kit->endpoint};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    for (unsigned round = 0; round < NEAR_ROUNDS; round++) {
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
            call_that_sleeps(client, times[i]);
    }
    busbar_client_destroy(&client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(no_call_of_many_is_late),
        KIT_TEST(no_call_outlives_its_broker_for_long),
        KIT_TEST(an_answer_at_the_end_of_a_wait_is_not_late),
    };
    if (argc > 1)
        all_calls = (unsigned)strtoul(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
