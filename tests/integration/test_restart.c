/* A broker that dies and comes back under clients and workers that go on. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/calls.h"

enum {
    CALLS_MAX = 400000,
    AT_ONCE = 32,
    RESTARTS = 3,
    DOWN_MS = 300,
};

static struct kit_process *start_worker(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

/* Keeps calls under way for a time; the number of the first one that was OK, or SIZE_MAX. */
static size_t call_for(struct kit_calls *calls, unsigned ms, bool until_ok)
{
    uint64_t until = kit_now_ms() + ms;
    while (kit_now_ms() < until && calls->started + AT_ONCE < calls->capacity) {
        while (calls->started - calls->ended < AT_ONCE)
            kit_calls_start(calls, "echo", 2000);
        size_t ended = calls->ended;
        kit_calls_wait_one(calls, 10);
        /* Calls end roughly in their order: the ones around tell whether any was OK just now. */
        for (size_t i = ended > 2 * AT_ONCE ? ended - 2 * AT_ONCE : 0;
             until_ok && calls->ended > ended && i < calls->started; i++) {
            const struct kit_outcome *outcome = &calls->outcomes[i];
            if (outcome->count > 0 && outcome->status == BUSBAR_OK && outcome->at + ms >= until)
                return i;
        }
        if (calls->ended > ended && calls->outcomes[calls->ended - 1].status != BUSBAR_OK)
            kit_sleep_ms(1);
    }
    return SIZE_MAX;
}

static void every_call_through_restarts_has_one_outcome(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    char endpoint[128];
    struct kit_process *broker = kit_broker(kit, NULL);
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    start_worker(kit);
    start_worker(kit);
    kit_calls_init(&calls, kit, CALLS_MAX);
    for (int i = 0; i < RESTARTS; i++) {
        call_for(&calls, 150, false);
        kit_kill(broker, SIGKILL);
        call_for(&calls, DOWN_MS, false);
        broker = kit_broker_at(kit, endpoint);
        uint64_t listening = kit_now_ms();
        size_t first = call_for(&calls, kit_time(15000), true);
        assert_true(first != SIZE_MAX);
        uint64_t after = calls.outcomes[first].at - listening;
        if (after > kit_time(10000)) /* ten times the promise, which `make soak` checks */
            fail_msg("the first success came %llu ms after the broker", (unsigned long long)after);
    }
    kit_calls_finish(&calls, 5000);
    assert_true(kit_calls_count(&calls, BUSBAR_OK) > 0);
    for (size_t i = 0; i < calls.started; i++) {
        const struct kit_outcome *outcome = &calls.outcomes[i];
        if (outcome->status == BUSBAR_OK)
            assert_true(outcome->same);
        else if (outcome->status != BUSBAR_BROKER_LOST && outcome->status != BUSBAR_NO_SERVICE &&
                 outcome->status != BUSBAR_WORKER_LOST && outcome->status != BUSBAR_TIMEOUT)
            fail_msg("call %zu ended as %s", i, busbar_status_name(outcome->status));
    }
    kit_calls_fini(&calls);
}

static void calls_that_are_not_idempotent_run_at_most_once(void **state)
{
    enum { COUNT = 2000 };
    struct kit *kit = *state;
    struct kit_calls calls;
    char endpoint[128];
    struct kit_process *broker = kit_broker(kit, NULL);
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, COUNT);
    while (calls.started < COUNT) {
        kit_calls_start(&calls, "echo_once", 3000);
        if (calls.started - calls.ended >= AT_ONCE)
            kit_calls_wait_one(&calls, kit_time(5000));
        if (calls.started == COUNT / 2) {
            kit_kill(broker, SIGKILL);
            kit_wait(broker, 5000);
            kit_broker_at(kit, endpoint);
        }
    }
    kit_calls_finish(&calls, 8000);
    kit_calls_read_executions(&calls, worker, "echo_once");
    kit_calls_check_fates(&calls, false);
    assert_true(kit_calls_count(&calls, BUSBAR_OK) > COUNT / 4);
    kit_calls_fini(&calls);
}

static void a_handler_that_slept_through_the_restart_answers_into_the_void(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    char endpoint[128];
    struct kit_process *broker = kit_broker(kit, NULL);
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, 300);
    kit_calls_start_body(&calls, "sleep", "1500");
    kit_calls_wait_for_text(&calls, worker, "ran sleep");
    kit_kill(broker, SIGKILL);
    kit_wait(broker, 5000);
    kit_broker_at(kit, endpoint);
    /* New calls wait behind the sleeping handler, or run beside it; none may get its answer. */
    for (int i = 0; i < 200; i++) {
        kit_calls_start(&calls, "echo", 4000);
        kit_calls_wait_one(&calls, 10);
        kit_sleep_ms(10); /* a worker that is not back yet is NO_SERVICE at once */
    }
    kit_calls_finish(&calls, 8000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_BROKER_LOST);
    assert_int_equal(calls.outcomes[0].fate, BUSBAR_MAYBE_EXECUTED);
    for (size_t i = 1; i < calls.started; i++)
        assert_true(calls.outcomes[i].status != BUSBAR_OK || calls.outcomes[i].same);
    assert_int_equal(calls.outcomes[calls.started - 1].status, BUSBAR_OK);
    assert_int_equal(kit_counter(kit, "late_replies"), 0);
    kit_calls_fini(&calls);
}

static void a_worker_registers_again_once(void **state)
{
    struct kit *kit = *state;
    char endpoint[128];
    struct kit_process *broker = kit_broker(kit, NULL);
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    start_worker(kit);
    for (int i = 0; i < RESTARTS; i++) {
        kit_kill(broker, SIGKILL);
        kit_wait(broker, 5000);
        broker = kit_broker_at(kit, endpoint);
        KIT_EVENTUALLY(kit_counter(kit, "registrations") == 1, 1000);
        KIT_CONTAINS(kit_run(kit, "busbar", "services", NULL)->out, "test           1       15 ");
    }
    kit_sleep_ms(300);
    assert_int_equal(kit_counter(kit, "registrations"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(every_call_through_restarts_has_one_outcome),
        KIT_TEST(calls_that_are_not_idempotent_run_at_most_once),
        KIT_TEST(a_handler_that_slept_through_the_restart_answers_into_the_void),
        KIT_TEST(a_worker_registers_again_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
