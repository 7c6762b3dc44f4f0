/* Workers that die: what becomes of their calls, and how soon anybody knows. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/calls.h"
#include "tests/kit/scene.h"

static struct kit_process *start_worker(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

static void kill_now(struct kit_process *worker)
{
    kit_kill(worker, SIGKILL);
    assert_int_equal(kit_wait(worker, 5000), 128 + SIGKILL);
}

static void the_next_call_after_the_only_workers_death_says_no_service(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, 2);
    kit_calls_start(&calls, "echo_once", 5000);
    kit_calls_finish(&calls, 5000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_OK);
    kill_now(worker);
    kit_sleep_ms(20);
    uint64_t started = kit_now_ms();
    kit_calls_start(&calls, "echo_once", 5000);
    kit_calls_finish(&calls, 5000);
    assert_int_equal(calls.outcomes[1].status, BUSBAR_NO_SERVICE);
    assert_int_equal(calls.outcomes[1].fate, BUSBAR_NOT_EXECUTED);
    assert_true(calls.outcomes[1].at - started <= kit_time(100));
    kit_calls_fini(&calls);
}

static void a_call_that_runs_is_lost_with_its_worker_at_once(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, 1);
    kit_calls_start_body(&calls, "sleep", "4000");
    kit_calls_wait_for_text(&calls, worker, "ran sleep");
    kill_now(worker);
    uint64_t killed = kit_now_ms();
    kit_calls_finish(&calls, 5000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_WORKER_LOST);
    assert_int_equal(calls.outcomes[0].fate, BUSBAR_MAYBE_EXECUTED);
    assert_true(calls.outcomes[0].at - killed <= kit_time(100));
    kit_calls_fini(&calls);
}

enum {
    CALLS = 4000,
    AT_ONCE = 64,
};

/* Calls through two workers, one of which is killed when a third of the calls are over. */
static void call_through_a_death(struct kit_calls *calls, const char *method,
                                 struct kit_process *victim)
{
    while (calls->ended < CALLS) {
        while (calls->started < CALLS && calls->started - calls->ended < AT_ONCE)
            kit_calls_start(calls, method, 10000);
        if (!kit_calls_wait_one(calls, kit_time(15000)))
            break;
        if (calls->ended == CALLS / 3)
            kit_kill(victim, SIGKILL);
    }
    kit_calls_finish(calls, 1000);
    kit_wait(victim, 5000);
}

static void idempotent_calls_move_to_the_other_worker(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *victim = start_worker(kit);
    struct kit_process *other = start_worker(kit);
    kit_calls_init(&calls, kit, CALLS);
    call_through_a_death(&calls, "again", victim);
    kit_calls_read_executions(&calls, victim, "again");
    kit_calls_read_executions(&calls, other, "again");
    kit_calls_check_fates(&calls, true);
    kit_calls_check_all_ok(&calls);
    kit_calls_fini(&calls);
}

static void other_calls_are_never_executed_twice(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *victim = start_worker(kit);
    struct kit_process *other = start_worker(kit);
    kit_calls_init(&calls, kit, CALLS);
    call_through_a_death(&calls, "echo_once", victim);
    kit_calls_read_executions(&calls, victim, "echo_once");
    kit_calls_read_executions(&calls, other, "echo_once");
    kit_calls_check_fates(&calls, false);
    assert_int_equal(
        kit_calls_count(&calls, BUSBAR_OK) + kit_calls_count(&calls, BUSBAR_WORKER_LOST), CALLS);
    kit_calls_fini(&calls);
}

static void a_call_that_kills_its_workers_is_given_up_after_three(void **state)
{
    enum { WORKERS = 4 };
    struct kit *kit = *state;
    struct kit_calls calls;
    struct kit_process *workers[WORKERS];
    int left = 0;
    kit_broker(kit, NULL);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(kit);
    kit_calls_init(&calls, kit, 1);
    kit_calls_start(&calls, "die_again", 10000);
    kit_calls_finish(&calls, 10000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_POISONED);
    assert_int_equal(calls.outcomes[0].fate, BUSBAR_MAYBE_EXECUTED);
    KIT_EVENTUALLY(kit_counter(kit, "outcome_poisoned") == 1, 2000);
    for (int i = 0; i < WORKERS; i++)
        left += kit_is_running(workers[i]);
    assert_int_equal(left, 1);
    kit_calls_fini(&calls);
}

static void a_worker_that_comes_back_is_called_again(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    kit_calls_init(&calls, kit, 8);
    for (size_t i = 0; i < 3; i++) {
        struct kit_process *worker = start_worker(kit);
        size_t number = kit_calls_start(&calls, "echo_once", 5000);
        kit_calls_finish(&calls, 5000);
        assert_int_equal(calls.outcomes[number].status, BUSBAR_OK);
        kill_now(worker);
    }
    kit_calls_fini(&calls);
}

static void a_worker_that_stops_in_order_loses_no_call(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *leaver = start_worker(kit);
    start_worker(kit);
    kit_calls_init(&calls, kit, CALLS);
    while (calls.ended < CALLS) {
        while (calls.started < CALLS && calls.started - calls.ended < AT_ONCE)
            kit_calls_start(&calls, "echo_once", 10000);
        if (!kit_calls_wait_one(&calls, kit_time(15000)))
            break;
        if (calls.ended == CALLS / 3)
            kit_kill(leaver, SIGTERM);
    }
    kit_calls_finish(&calls, 1000);
    kit_calls_check_all_ok(&calls);
    assert_int_equal(kit_wait(leaver, 10000), 0);
    kit_calls_fini(&calls);
}

/* The reply and the goodbye are the last things on a connection that closes right after them. */
static void a_worker_that_stops_in_order_answers_what_it_runs(void **state)
{
    enum { STOPS = 40 };
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    kit_calls_init(&calls, kit, STOPS);
    for (int i = 0; i < STOPS; i++) {
        struct kit_process *worker = start_worker(kit);
        kit_calls_start_body(&calls, "sleep", "30");
        kit_calls_wait_for_text(&calls, worker, "ran sleep");
        kit_kill(worker, SIGTERM);
        assert_true(kit_calls_wait_one(&calls, kit_time(5000)));
        assert_int_equal(kit_wait(worker, 10000), 0);
    }
    kit_calls_finish(&calls, 1000);
    assert_int_equal(kit_calls_count(&calls, BUSBAR_OK), STOPS);
    kit_calls_fini(&calls);
}

enum {
    LONE = 3, /* workers that are lost at once */
    KEPT = 9, /* calls that the one which stays has meanwhile */
};

static void say_credit(struct kit_peer *worker)
{
    kit_peer_send_packets(worker, &(struct packet){.command = PACKET_CREDIT, .id = 100}, 1);
}

/* All but the last fall silent with a call each. What one of them had is for the last one: the others
 * are as dead. It is not to be counted as tried by workers that never saw it. */
static void calls_of_workers_that_are_lost_together_go_to_one_that_lives(void **state)
{
    struct kit *kit = *state;
    struct kit_peer *workers[LONE + 1];
    struct packet packet;
    kit_broker(kit, "--config",
               kit_file(kit, "brisk.yaml", "heartbeat: {interval: 200ms, liveness: 3}\n"), NULL);
    struct kit_peer *client = kit_peer(kit);
    kit_peer_join(client);
    for (int i = LONE; i >= 0; i--) {
        workers[i] = kit_peer(kit);
        kit_peer_join(workers[i]);
        scene_register(workers[i], scene_plain);
        for (int call = 0; call < (i == LONE ? KEPT : 0); call++) {
            packet = scene_packet(100, 0, (struct bytes){0});
            kit_peer_send_packets(client, &packet, 1);
            kit_peer_expect(workers[i], PACKET_CALL, &packet);
        }
    }
    for (uint64_t i = 0; i < LONE; i++) {
        packet = scene_packet(i, PACKET_IDEMPOTENT, (struct bytes){0});
        kit_peer_send_packets(client, &packet, 1);
    }
    for (int i = 0; i < LONE; i++)
        kit_peer_expect(workers[i], PACKET_CALL, &packet);
    for (int i = 0; i < LONE; i++)
        say_credit(workers[i]); /* their last signs of life, at one time */
    uint64_t until = kit_now_ms() + kit_time(10000);
    while (kit_counter(kit, "sessions_silent") < LONE && kit_now_ms() < until) {
        say_credit(workers[LONE]);
        kit_sleep_ms(50);
    }
    for (int i = 0; i < LONE; i++) {
        kit_peer_expect(workers[LONE], PACKET_CALL, &packet);
        assert_true(packet.flags & PACKET_IDEMPOTENT);
    }
    assert_int_equal(kit_counter(kit, "redispatched"), LONE);
    assert_int_equal(kit_counter(kit, "outcome_poisoned"), 0);
}

/* The broker stands still while the client grants, and the worker answers and goes. So the send of the
 * GRANT finds the worker gone, and its answer has not been read: mostly in that order, if not always. */
static void an_answer_counts_though_a_send_finds_its_worker_gone_first(void **state)
{
    enum { ROUNDS = 20 };
    struct kit *kit = *state;
    struct scene scene;
    struct packet packet;
    scene_init(&scene, kit, scene_plain);
    for (int i = 0; i < ROUNDS; i++) {
        scene_call(&scene, PACKET_STREAM, (struct bytes){0});
        kill(scene.broker->pid, SIGSTOP);
        scene_say(scene.client, PACKET_GRANT, SCENE_CALL_ID, 5);
        kit_sleep_ms(20);
        scene_say(scene.worker, PACKET_REPLY, scene.id, 0);
        scene_say(scene.worker, PACKET_BYE, 0, 0);
        kit_sleep_ms(30); /* until all of it is in the kernel */
        kit_peer_end(kit, &scene.worker);
        kit_sleep_ms(20);
        kill(scene.broker->pid, SIGCONT);
        while (kit_peer_receive(scene.client, &packet, 5000) && packet.command != PACKET_REPLY)
            assert_int_not_equal(packet.command, PACKET_ERROR);
        assert_int_equal(packet.command, PACKET_REPLY);
        scene.worker = kit_peer(kit);
        kit_peer_join(scene.worker);
        scene_register(scene.worker, scene_plain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(an_answer_counts_though_a_send_finds_its_worker_gone_first),
        KIT_TEST(calls_of_workers_that_are_lost_together_go_to_one_that_lives),
        KIT_TEST(the_next_call_after_the_only_workers_death_says_no_service),
        KIT_TEST(a_call_that_runs_is_lost_with_its_worker_at_once),
        KIT_TEST(idempotent_calls_move_to_the_other_worker),
        KIT_TEST(other_calls_are_never_executed_twice),
        KIT_TEST(a_call_that_kills_its_workers_is_given_up_after_three),
        KIT_TEST(a_worker_that_comes_back_is_called_again),
        KIT_TEST(a_worker_that_stops_in_order_loses_no_call),
        KIT_TEST(a_worker_that_stops_in_order_answers_what_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
