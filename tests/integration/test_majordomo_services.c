/* What is known of Majordomo services: mmi.service, requests that wait for them, rows of the commands. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/majordomo.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kit_process *start_broker(struct kit *kit, const char *text)
{
    return kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

/* 8/MMI ---------------------------------------------------------------------------------------- */

/* A client that asks mmi.service. */
static struct mdp_peer *start_asking(struct kit *kit)
{
    return mdp_peer(kit, MDP_01, "mmi.service");
}

static void check_mmi(struct mdp_peer *client, const char *service, const char *status)
{
    mdp_say(client, MDP_REQUEST, service);
    mdp_hear(client, MDP_REPLY, status);
}

/* Asks until the answer is this one; how many ms it took. */
static unsigned wait_for_mmi(struct mdp_peer *client, const char *service, const char *status)
{
    uint64_t begun = kit_now_ms(), until = begun + kit_time(5000);
    struct mdp_frames frames;
    for (;;) {
        mdp_say(client, MDP_REQUEST, service);
        assert_true(mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)));
        assert_int_equal(frames.count, 4);
        assert_int_equal(frames.at[3].size, 3);
        if (memcmp(frames.at[3].data, status, 3) == 0)
            return (unsigned)(kit_now_ms() - begun);
        if (kit_now_ms() > until)
            fail_msg("mmi.service says %.3s of %s, not %s", (const char *)frames.at[3].data,
                     service, status);
        kit_sleep_ms(1);
    }
}

static void mmi_service_tells_whether_a_live_worker_is_there(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *asking = start_asking(kit);
    check_mmi(asking, "coffee", "404");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    mdp_say(client, MDP_REQUEST, "waits");
    mdp_hear_nothing(client, 20);
    check_mmi(asking, "coffee", "404"); /* which a request makes no service of */
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "coffee");
    mdp_hear(worker, MDP_WORK, "waits");
    check_mmi(asking, "coffee", "200"); /* busy */
    mdp_say(worker, MDP_FINAL, "served");
    mdp_hear(client, MDP_REPLY, "served");
    check_mmi(asking, "coffee", "200"); /* idle */
    check_mmi(asking, "coffe", "404");
    check_mmi(asking, "coffee2", "404");
    mdp_say(worker, MDP_DISCONNECT, "");
    wait_for_mmi(asking, "coffee", "404");
    mdp_say(worker, MDP_READY, "");
    wait_for_mmi(asking, "coffee", "200");
}

static void a_killed_worker_is_404_within_milliseconds(void **state)
{
    enum { KILLS = 5 };
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *asking = start_asking(kit);
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    unsigned longest = 0;
    for (int i = 0; i < KILLS * 2; i++) { /* idle, and while it works */
        struct kit_process *worker = kit_start(kit, "tests/programs/majordomo_worker", "coffee",
                                               "60000", NULL);
        wait_for_mmi(asking, "coffee", "200");
        if (i % 2) {
            mdp_say(client, MDP_REQUEST, "long");
            kit_wait_for_text(worker, "ran", KIT_RUN_MS);
        }
        kit_kill(worker, SIGKILL);
        kit_wait(worker, 5000);
        kit_sleep_ms(10);
        unsigned took = 10 + wait_for_mmi(asking, "coffee", "404");
        longest = took > longest ? took : longest;
        mdp_end(kit, &client); /* its request is not for the next one */
        KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 0, 5000);
        client = mdp_peer(kit, MDP_01, "coffee");
    }
    print_message("a killed worker is 404 after %u ms at most\n", longest);
    assert_true(longest <= kit_time(100));
}

static void a_worker_that_is_connected_but_silent_is_404_in_the_end(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {heartbeat: {interval: 100ms, liveness: 3}, busy: 1s}\n");
    struct mdp_peer *asking = start_asking(kit);
    mdp_worker(kit, MDP_01, "coffee");
    wait_for_mmi(asking, "coffee", "200");
    unsigned took = wait_for_mmi(asking, "coffee", "404");
    if (took < 150 || took > kit_time(3000))
        fail_msg("it was 404 after %u ms of silence", took);
}

static void mmi_answers_in_each_dialect_and_knows_nothing_else(void **state)
{
    static const struct {
        const char *service;
        const char *body;
        const char *status;
    } cases[] = {
        {"mmi.service", "coffee", "200"},  {"mmi.service", "tea", "404"},
        {"mmi.service", "native", "200"},  {"mmi.service", "", "404"},
        {"mmi.service", "-", "404"},       {"mmi.service", "*1000", "404"},
        {"mmi.service", "x612062", "404"}, {"mmi.unknown", "coffee", "501"},
        {"mmi.unknown", "", "501"},        {"mmi.", "coffee", "501"},
        {"mmi.servic", "coffee", "501"},   {"mmi.services", "coffee", "501"},
        {"mmi.unknown", "a b c", "501"},
    };
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {compat: [d1, d4]}\n");
    struct kit_process *native = kit_start(kit, "tests/programs/test_worker", "native", NULL);
    kit_wait_for_text(native, "ready", KIT_RUN_MS);
    mdp_check_serves(kit, mdp_worker(kit, MDP_02, "coffee"));
    for (size_t i = 0; i < COUNT(cases) * MDP_DIALECTS; i++) {
        enum mdp_dialect dialect = (enum mdp_dialect)(i % MDP_DIALECTS);
        struct mdp_peer *client = mdp_peer(kit, dialect, cases[i / MDP_DIALECTS].service);
        kit->doing = cases[i / MDP_DIALECTS].body;
        mdp_say(client, MDP_REQUEST, cases[i / MDP_DIALECTS].body);
        mdp_hear(client, MDP_REPLY, cases[i / MDP_DIALECTS].status);
        mdp_end(kit, &client);
    }
    kit->doing = NULL;
}

static void a_drained_service_is_404_and_its_worker_is_given_nothing(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *asking = start_asking(kit);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "coffee");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    mdp_say(client, MDP_REQUEST, "before");
    mdp_hear(worker, MDP_WORK, "before");
    KIT_CODE(kit_run(kit, "busbar", "drain", "--no-wait", "coffee", NULL), 0);
    check_mmi(asking, "coffee", "404");
    mdp_say(worker, MDP_FINAL, "finished");
    mdp_hear(client, MDP_REPLY, "finished");
    mdp_say(client, MDP_REQUEST, "after");
    mdp_hear_nothing(worker, 50);
}

/* Its workers are there still, and finish what they have. */
static void a_broker_that_stops_serves_nothing(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = start_broker(kit, "majordomo: {errors: true}\n");
    struct mdp_peer *asking = start_asking(kit);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "coffee");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    mdp_say(client, MDP_REQUEST, "before");
    mdp_hear(worker, MDP_WORK, "before");
    check_mmi(asking, "coffee", "200");
    kit_kill(broker, SIGTERM);
    kit_wait_for_text(broker, "broker_draining", 5000);
    check_mmi(asking, "coffee", "404");
    mdp_say(worker, MDP_FINAL, "finished");
    mdp_hear(client, MDP_REPLY, "finished");
    assert_int_equal(kit_wait(broker, 5000), 0);
}

/* Waiting -------------------------------------------------------------------------------------- */

static void requests_wait_for_a_service_that_nobody_serves_yet(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *early = mdp_peer(kit, MDP_01, "later");
    struct mdp_peer *other = mdp_peer(kit, MDP_02, "later");
    mdp_say(early, MDP_REQUEST, "one");
    mdp_hear_nothing(early, 50);
    mdp_say(early, MDP_REQUEST, "two");
    mdp_say(other, MDP_REQUEST, "three");
    mdp_hear_nothing(other, 50);
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "later");
    for (int i = 0; i < 3; i++)
        mdp_echo(worker);
    mdp_hear(early, MDP_REPLY, "one");
    mdp_hear(early, MDP_REPLY, "two");
    mdp_hear(other, MDP_REPLY, "three");
}

static void a_request_that_waited_too_long_is_given_to_nobody(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {wait: 100ms}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "late");
    mdp_say(client, MDP_REQUEST, "expired");
    KIT_EVENTUALLY(kit_counter(kit, "outcome_no_service") == 1, 5000);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "late");
    mdp_say(client, MDP_REQUEST, "fresh");
    mdp_echo(worker);
    mdp_hear(client, MDP_REPLY, "fresh");
    mdp_hear_nothing(worker, 50);
    mdp_hear_nothing(client, 20);
}

/* Beyond the bound they fail at once, and those within it are not harmed. */
static void no_more_requests_wait_than_the_file_allows(void **state)
{
    enum { CALLS = 10, LIMIT = 4 };
    struct kit *kit = *state;
    start_broker(kit, "wait: {calls: 4}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "later");
    for (int i = 0; i < CALLS; i++)
        mdp_say(client, MDP_REQUEST, "waits");
    KIT_EVENTUALLY(kit_counter(kit, "outcome_busy") == CALLS - LIMIT, 5000);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "later");
    for (int i = 0; i < LIMIT; i++)
        mdp_echo(worker);
    for (int i = 0; i < LIMIT; i++)
        mdp_hear(client, MDP_REPLY, "waits");
    mdp_hear_nothing(worker, 50);
}

static void requests_of_a_client_that_closed_are_given_to_nobody(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "later");
    struct mdp_peer *busy = mdp_worker(kit, MDP_01, "busy");
    struct mdp_peer *stays = mdp_peer(kit, MDP_01, "busy");
    mdp_say(stays, MDP_REQUEST, "first");
    mdp_hear(busy, MDP_WORK, "first");
    for (int i = 0; i < 3; i++)
        mdp_say(client, MDP_REQUEST, "given up");
    snprintf(client->service, sizeof client->service, "busy");
    for (int i = 0; i < 3; i++)
        mdp_say(client, MDP_REQUEST, "given up");
    KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 7, 5000);
    mdp_end(kit, &client);
    KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 1, 5000);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "later");
    mdp_say(busy, MDP_FINAL, "first");
    mdp_hear(stays, MDP_REPLY, "first");
    mdp_check_serves(kit, worker);
    mdp_check_serves(kit, busy);
}

/* 7/MDP lets workers have one request at a time, whatever waits. */
static void a_worker_gets_one_request_at_a_time(void **state)
{
    enum { CALLS = 5 };
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "narrow");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "narrow");
    for (int i = 0; i < CALLS; i++)
        mdp_say(client, MDP_REQUEST, "one");
    for (int i = 0; i < CALLS; i++) {
        mdp_hear(worker, MDP_WORK, "one");
        mdp_hear_nothing(worker, 20);
        mdp_say(worker, MDP_FINAL, "one");
        mdp_hear(client, MDP_REPLY, "one");
    }
}

/* Commands ------------------------------------------------------------------------------------- */

static void the_commands_show_majordomo_workers_like_others(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *first = mdp_worker(kit, MDP_01, "coffee");
    mdp_check_serves(kit, first);
    mdp_worker(kit, MDP_02, "coffee");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    KIT_EVENTUALLY(kit_counter(kit, "registrations") == 2, 5000);
    for (int i = 0; i < 3; i++) /* two run, and one waits */
        mdp_say(client, MDP_REQUEST, "black");
    KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 3, 5000);
    static const struct {
        const char *command;
        const char *option;
        const char *row;
    } cases[] = {
        {"services", NULL, "coffee         2        0       1        2\n"},
        {"describe", "coffee",
         "coffee  1 worker of MDP/0.1\n  any method; the body is raw bytes (busbar call --body)\n"},
        {"describe", "coffee", "coffee  1 worker of MDP/0.2\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        KIT_CONTAINS(kit_run(kit, "busbar", cases[i].command, cases[i].option, NULL)->out,
                     cases[i].row);
    struct kit_process *json = kit_run(kit, "busbar", "describe", "--json", "coffee", NULL);
    KIT_CONTAINS(json->out, "\"dialect\": \"MDP/0.1\"");
    KIT_CONTAINS(json->out, "\"dialect\": \"MDP/0.2\"");
    KIT_CONTAINS(json->out, "\"running\": 1");
    assert_int_equal(kit_counter(kit, "outcome_ok"), 1);
    assert_int_equal(kit_counter(kit, "dispatched"), 3);
    assert_int_equal(kit_counter(kit, "services"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(mmi_service_tells_whether_a_live_worker_is_there),
        KIT_TEST(a_killed_worker_is_404_within_milliseconds),
        KIT_TEST(a_worker_that_is_connected_but_silent_is_404_in_the_end),
        KIT_TEST(mmi_answers_in_each_dialect_and_knows_nothing_else),
        KIT_TEST(a_drained_service_is_404_and_its_worker_is_given_nothing),
        KIT_TEST(a_broker_that_stops_serves_nothing),
        KIT_TEST(requests_wait_for_a_service_that_nobody_serves_yet),
        KIT_TEST(a_request_that_waited_too_long_is_given_to_nobody),
        KIT_TEST(no_more_requests_wait_than_the_file_allows),
        KIT_TEST(requests_of_a_client_that_closed_are_given_to_nobody),
        KIT_TEST(a_worker_gets_one_request_at_a_time),
        KIT_TEST(the_commands_show_majordomo_workers_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
