/* Majordomo workers and brokers that die, fall silent, stop and come back: who notices, and when. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/majordomo.h"

static struct kit_process *start_broker(struct kit *kit, const char *text)
{
    return kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

static struct kit_process *start_worker(struct kit *kit, const char *work_ms)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/majordomo_worker", "work", work_ms,
                                           "100", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

static void kill_now(struct kit_process *process)
{
    kit_kill(process, SIGKILL);
    assert_int_equal(kit_wait(process, 5000), 128 + SIGKILL);
}

/* A client of the worker's service, whose request `long` the worker has. */
static struct mdp_peer *keep_busy(struct kit *kit, struct mdp_peer *worker,
                                  enum mdp_dialect dialect)
{
    struct mdp_peer *client = mdp_peer(kit, dialect, worker->service);
    mdp_say(client, MDP_REQUEST, "long");
    mdp_hear(worker, MDP_WORK, "long");
    return client;
}

/* Deaths --------------------------------------------------------------------------------------- */

/* The number that a reply of `work` has as its body. */
static unsigned long number_of_reply(struct mdp_peer *client)
{
    struct mdp_frames frames;
    char text[16] = "";
    if (!mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)))
        fail_msg("a request is not answered");
    assert_int_equal(frames.count, 4);
    assert_true(frames.at[3].size < sizeof text);
    memcpy(text, frames.at[3].data, frames.at[3].size);
    return strtoul(text, NULL, 10);
}

static void every_request_of_workers_killed_while_busy_is_answered(void **state)
{
    enum { REQUESTS = 200, WORKERS = 4, BETWEEN = 15 };
    struct kit *kit = *state;
    struct kit_process *workers[WORKERS];
    unsigned answers[REQUESTS] = {0};
    char text[16];
    start_broker(kit, "{}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "work");
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(kit, "20");
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(text, sizeof text, "%d", i);
        mdp_say(client, MDP_REQUEST, text);
    }
    for (int i = 0; i < REQUESTS; i++) {
        unsigned long number = number_of_reply(client);
        assert_true(number < REQUESTS);
        answers[number]++;
        if (i % BETWEEN == BETWEEN - 1) {
            kill_now(workers[i / BETWEEN % WORKERS]);
            workers[i / BETWEEN % WORKERS] = start_worker(kit, "20");
        }
    }
    mdp_hear_nothing(client, 100);
    for (int i = 0; i < REQUESTS; i++)
        assert_int_equal(answers[i], 1);
    assert_true(kit_counter(kit, "redispatched") > 0);
}

static void workers_come_back_to_a_broker_that_was_killed(void **state)
{
    enum { WORKERS = 4, RESTARTS = 2 };
    struct kit *kit = *state;
    struct kit_process *workers[WORKERS];
    char endpoint[128];
    struct kit_process *broker = start_broker(kit, "{}\n");
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(kit, "0");
    KIT_EVENTUALLY(kit_counter(kit, "registrations") == WORKERS, 5000);
    for (int restart = 0; restart < RESTARTS; restart++) {
        kill_now(broker);
        broker = kit_broker_at(kit, endpoint);
        struct mdp_peer *client = mdp_peer(kit, MDP_01, "work");
        mdp_say(client, MDP_REQUEST, "waits for them");
        mdp_hear(client, MDP_REPLY, "waits for them");
        KIT_EVENTUALLY(kit_counter(kit, "registrations") == WORKERS, 5000);
        mdp_end(kit, &client);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_true(kit_is_running(workers[i]));
        kit_read(workers[i]);
        KIT_CONTAINS(workers[i]->out, "disconnected");
    }
}

/* Its reply is for a request that this broker never had. */
static void a_worker_that_worked_through_the_restart_comes_back_too(void **state)
{
    struct kit *kit = *state;
    char endpoint[128];
    struct kit_process *broker = start_broker(kit, "{}\n");
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "work");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "work");
    mdp_say(client, MDP_REQUEST, "before");
    mdp_hear(worker, MDP_WORK, "before");
    kill_now(broker);
    kit_broker_at(kit, endpoint);
    mdp_say(worker, MDP_FINAL, "before");
    for (int i = 0; i < 3; i++)
        mdp_say(worker, MDP_HEARTBEAT, "");
    mdp_hear(worker, MDP_DISCONNECT, "");
    mdp_hear_nothing(worker, 50);
    mdp_say(worker, MDP_READY, "");
    mdp_say(client, MDP_REQUEST, "after");
    mdp_echo(worker);
    mdp_hear(client, MDP_REPLY, "after");
}

static void hear_no_service(struct mdp_peer *client)
{
    struct mdp_frames frames;
    assert_true(mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)));
    assert_int_equal(frames.count, 4);
    assert_memory_equal(frames.at[3].data, "404 NO_SERVICE", 14);
}

/* What only a registered worker says shows that there was an earlier run; a READY does not. */
static void a_worker_of_the_run_before_makes_calls_wait_for_the_others(void **state)
{
    static const enum mdp_message messages[] = {MDP_HEARTBEAT, MDP_PARTIAL, MDP_FINAL};
    struct kit *kit = *state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct kit_process *broker = start_broker(
            kit, "majordomo: {wait: 0, errors: true}\nwait: {settle: 20s}\n");
        struct mdp_peer *client = mdp_peer(kit, MDP_01, "work");
        struct mdp_peer *worker = mdp_worker(kit, MDP_02, "other");
        KIT_EVENTUALLY(kit_counter(kit, "registrations") == 1, 5000);
        mdp_say(client, MDP_REQUEST, "too early");
        hear_no_service(client);
        struct mdp_peer *stranger = mdp_peer(kit, MDP_02, "work");
        mdp_say(stranger, messages[i], messages[i] == MDP_HEARTBEAT ? "" : "done");
        mdp_hear(stranger, MDP_DISCONNECT, "");
        kit_wait_for_text(broker, " info broker_settling ms=", 5000);
        mdp_say(client, MDP_REQUEST, "waits");
        mdp_hear_nothing(client, 100);
        mdp_say(stranger, MDP_READY, "");
        mdp_echo(stranger);
        mdp_hear(client, MDP_REPLY, "waits");
        mdp_end(kit, &worker);
        kill_now(broker);
    }
}

/* It is given to three in all, who may be of any version. */
static void a_request_that_loses_its_workers_is_given_up_after_three(void **state)
{
    enum { WORKERS = 4, ATTEMPTS = 3 };
    struct kit *kit = *state;
    struct mdp_peer *workers[WORKERS];
    start_broker(kit, "majordomo: {errors: true}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "deadly");
    mdp_say(client, MDP_REQUEST, "poison");
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = mdp_worker(kit, i % 2 ? MDP_01 : MDP_02, "deadly");
        if (i == ATTEMPTS)
            break;
        mdp_hear(workers[i], MDP_WORK, "poison");
        if (i == 0)
            mdp_say(workers[i], MDP_DISCONNECT, "");
        else
            mdp_end(kit, &workers[i]);
    }
    struct mdp_frames frames;
    assert_true(mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)));
    assert_int_equal(frames.count, 4);
    assert_memory_equal(frames.at[3].data, "500 POISONED", 12);
    mdp_check_serves(kit, workers[ATTEMPTS]);
}

/* Heartbeats ----------------------------------------------------------------------------------- */

static void count_heartbeats(struct mdp_peer *worker)
{
    uint64_t begun = kit_now_ms(), now = begun;
    unsigned count = 0;
    for (; now < begun + 1000; now = kit_now_ms())
        count += mdp_is_told(worker, MDP_HEARTBEAT, "", (unsigned)(begun + 1000 - now));
    unsigned most = (unsigned)(now - begun) / 100 + 2;
    if (count < 2 || count > most)
        fail_msg("%u heartbeats, not about %u", count, most);
}

static void idle_and_busy_workers_get_a_heartbeat_each_interval(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {heartbeat: {interval: 100ms, liveness: 100}, compat: [d1]}\n");
    for (enum mdp_dialect dialect = MDP_01; dialect <= MDP_D1; dialect++) {
        struct mdp_peer *worker = mdp_worker(kit, dialect, mdp_name(dialect));
        struct mdp_peer *client = mdp_peer(kit, dialect, mdp_name(dialect));
        count_heartbeats(worker);
        mdp_say(client, MDP_REQUEST, "long");
        mdp_hear(worker, MDP_WORK, "long");
        count_heartbeats(worker);
        mdp_say(worker, MDP_FINAL, "long");
        mdp_hear(client, MDP_REPLY, "long");
    }
}

/* The broker looks twice in the shorter of both intervals, which is no part of the longer. */
static void heartbeats_keep_their_interval_between_looks(void **state)
{
    enum { INTERVAL = 110, SPAN = 30 * INTERVAL };
    struct kit *kit = *state;
    start_broker(kit, "heartbeat: {interval: 100ms}\n"
                      "majordomo: {heartbeat: {interval: 110ms, liveness: 100}}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "idle");
    uint64_t begun = kit_now_ms(), now = begun;
    unsigned count = 0;
    for (; now < begun + SPAN; now = kit_now_ms())
        count += mdp_is_told(worker, MDP_HEARTBEAT, "", (unsigned)(begun + SPAN - now));
    if (count < SPAN / INTERVAL * 5 / 6)
        fail_msg("%u heartbeats in %u intervals", count, SPAN / INTERVAL);
}

static const char lively[] =
    "majordomo: {heartbeat: {interval: 100ms, liveness: 3}, busy: 1500ms}\n";

/* Not before the time is over, and not long after it. */
static void expect_disconnect(struct mdp_peer *worker, uint64_t silent_since, unsigned after_ms)
{
    mdp_hear(worker, MDP_DISCONNECT, "");
    uint64_t silent = kit_now_ms() - silent_since;
    if (silent < after_ms || silent > kit_time(after_ms + 2000))
        fail_msg("DISCONNECT came after %llu ms, not %u", (unsigned long long)silent, after_ms);
}

static void a_worker_that_is_idle_and_silent_is_lost(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, lively);
    for (enum mdp_dialect dialect = MDP_01; dialect <= MDP_02; dialect++) {
        uint64_t begun = kit_now_ms();
        expect_disconnect(mdp_worker(kit, dialect, "idle"), begun, 300);
    }
    assert_int_equal(kit_counter(kit, "sessions_silent"), 2);
}

static void a_worker_that_shows_itself_is_not_lost(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, lively);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "idle");
    for (int i = 0; i < 40; i++) {
        mdp_say(worker, MDP_HEARTBEAT, "");
        mdp_hear_nothing(worker, 30);
    }
    mdp_check_serves(kit, worker);
}

static void a_busy_worker_may_be_silent_for_longer_and_then_another_has_its_request(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, lively);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "busy");
    struct mdp_peer *client = keep_busy(kit, worker, MDP_01);
    uint64_t since = kit_now_ms();
    expect_disconnect(worker, since, 1500 - 100);
    struct mdp_peer *other = mdp_worker(kit, MDP_01, "busy");
    mdp_hear(other, MDP_WORK, "long");
    mdp_say(other, MDP_FINAL, "at last");
    mdp_hear(client, MDP_REPLY, "at last");
    mdp_say(worker, MDP_FINAL, "too late");
    mdp_hear_nothing(worker, 50);
    mdp_hear_nothing(client, 50);
}

/* It says READY for each DISCONNECT, and by a second one it would lose what it has again. */
static void a_worker_that_replies_too_late_is_told_once_and_keeps_its_next_request(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, lively);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "busy");
    struct mdp_peer *client = keep_busy(kit, worker, MDP_01);
    mdp_hear(worker, MDP_DISCONNECT, "");
    mdp_say(worker, MDP_FINAL, "too late");
    mdp_say(worker, MDP_HEARTBEAT, "");
    mdp_say(worker, MDP_READY, "");
    mdp_hear(worker, MDP_WORK, "long");
    mdp_hear_nothing(worker, 50);
    mdp_say(worker, MDP_FINAL, "in time");
    mdp_hear(client, MDP_REPLY, "in time");
}

/* Each of its commands counts, a PARTIAL too, so that it may work for longer than `busy`. */
static void a_busy_worker_that_says_something_is_not_lost(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, lively);
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "busy");
    struct mdp_peer *client = keep_busy(kit, worker, MDP_02);
    for (int i = 0; i < 12; i++) {
        if (i % 2)
            mdp_say(worker, MDP_HEARTBEAT, "");
        else
            mdp_say(worker, MDP_PARTIAL, "part");
        mdp_hear_nothing(worker, 200);
    }
    mdp_say(worker, MDP_FINAL, "long");
    for (int i = 0; i < 6; i++)
        mdp_hear(client, MDP_PART, "part");
    mdp_hear(client, MDP_REPLY, "long");
}

/* Ends in order -------------------------------------------------------------------------------- */

static void a_broker_that_stops_says_so_to_workers_after_the_requests_under_way(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = start_broker(kit, "majordomo: {compat: [d4]}\n");
    struct mdp_peer *idle[MDP_DIALECTS];
    for (int i = 0; i < MDP_DIALECTS; i++) {
        idle[i] = mdp_worker(kit, i == MDP_D1 ? MDP_D4 : (enum mdp_dialect)i, i % 2 ? "1" : "2");
        KIT_EVENTUALLY(kit_counter(kit, "registrations") == 1 + (unsigned)i, 5000);
    }
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "busy");
    struct mdp_peer *client = keep_busy(kit, worker, MDP_02);
    kit_kill(broker, SIGTERM);
    kit_wait_for_text(broker, "broker_draining", 5000);
    mdp_hear_nothing(worker, 100);
    mdp_say(worker, MDP_FINAL, "finished");
    mdp_hear(client, MDP_REPLY, "finished");
    mdp_hear(worker, MDP_DISCONNECT, "");
    for (int i = 0; i < MDP_DIALECTS; i++)
        mdp_hear(idle[i], MDP_DISCONNECT, "");
    assert_int_equal(kit_wait(broker, 5000), 0);
}

static void a_worker_that_says_disconnect_gets_no_more_and_loses_what_it_has(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = start_broker(kit, "{}\n");
    struct mdp_peer *first = mdp_worker(kit, MDP_01, "work");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "work");
    mdp_say(client, MDP_REQUEST, "one");
    mdp_hear(first, MDP_WORK, "one");
    mdp_say(first, MDP_DISCONNECT, "");
    kit_wait_for_text(broker, "info worker_left service=work peer=", 5000);
    KIT_CONTAINS(broker->err, " running=1 reason=\"it said DISCONNECT\"\n");
    struct mdp_peer *second = mdp_worker(kit, MDP_01, "work");
    mdp_hear(second, MDP_WORK, "one");
    mdp_say(second, MDP_FINAL, "one");
    mdp_hear(client, MDP_REPLY, "one");
    mdp_say(client, MDP_REQUEST, "two");
    mdp_echo(second);
    mdp_hear(client, MDP_REPLY, "two");
    mdp_hear_nothing(first, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(every_request_of_workers_killed_while_busy_is_answered),
        KIT_TEST(a_worker_of_the_run_before_makes_calls_wait_for_the_others),
        KIT_TEST(a_request_that_loses_its_workers_is_given_up_after_three),
        KIT_TEST(workers_come_back_to_a_broker_that_was_killed),
        KIT_TEST(a_worker_that_worked_through_the_restart_comes_back_too),
        KIT_TEST(idle_and_busy_workers_get_a_heartbeat_each_interval),
        KIT_TEST(heartbeats_keep_their_interval_between_looks),
        KIT_TEST(a_worker_that_is_idle_and_silent_is_lost),
        KIT_TEST(a_worker_that_shows_itself_is_not_lost),
        KIT_TEST(a_busy_worker_may_be_silent_for_longer_and_then_another_has_its_request),
        KIT_TEST(a_worker_that_replies_too_late_is_told_once_and_keeps_its_next_request),
        KIT_TEST(a_busy_worker_that_says_something_is_not_lost),
        KIT_TEST(a_broker_that_stops_says_so_to_workers_after_the_requests_under_way),
        KIT_TEST(a_worker_that_says_disconnect_gets_no_more_and_loses_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
