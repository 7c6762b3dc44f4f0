/* Results in parts from workers of 0.2, for clients that take them and such that do not; and errors. */
#include <stdio.h>
#include <string.h>

#include "tests/kit/asker.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kit_process *start_broker(struct kit *kit, const char *text)
{
    return kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

/* What the worker says: parts of one frame, of several and of an empty one, then the last. */
static const char *const parts[] = {"one", "two three", "-", "*100000"};
static const char last[] = "four five";
static const char all[] = "one two three - *100000 four five";

static void reply_in_parts(struct mdp_peer *worker)
{
    mdp_hear(worker, MDP_WORK, "count");
    for (size_t i = 0; i < COUNT(parts); i++)
        mdp_say(worker, MDP_PARTIAL, parts[i]);
    mdp_say(worker, MDP_FINAL, last);
}

static void a_client_of_0_2_gets_the_parts_as_they_are(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {compat: [d4]}\n");
    static const enum mdp_dialect dialects[] = {MDP_02, MDP_D4};
    for (size_t i = 0; i < COUNT(dialects) * COUNT(dialects); i++) {
        char service[16];
        snprintf(service, sizeof service, "pair-%zu", i);
        struct mdp_peer *worker = mdp_worker(kit, dialects[i / 2], service);
        struct mdp_peer *client = mdp_peer(kit, dialects[i % 2], service);
        mdp_say(client, MDP_REQUEST, "count");
        reply_in_parts(worker);
        for (size_t at = 0; at < COUNT(parts); at++)
            mdp_hear(client, MDP_PART, parts[at]);
        mdp_hear(client, MDP_REPLY, last);
        mdp_say(client, MDP_REQUEST, "again");
        mdp_echo(worker);
        mdp_hear(client, MDP_REPLY, "again");
    }
}

static void a_part_reaches_its_client_before_the_next_one_is_sent(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "parts");
    mdp_say(client, MDP_REQUEST, "count");
    mdp_hear(worker, MDP_WORK, "count");
    for (int i = 0; i < 100; i++) {
        mdp_say(worker, MDP_PARTIAL, "part");
        mdp_hear(client, MDP_PART, "part");
    }
    mdp_hear_nothing(client, 20);
    mdp_say(worker, MDP_FINAL, "-");
    mdp_hear(client, MDP_REPLY, "-");
}

static void a_client_of_0_1_gets_them_as_one_reply(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {compat: [d1]}\n");
    static const enum mdp_dialect dialects[] = {MDP_01, MDP_D1};
    for (size_t i = 0; i < COUNT(dialects); i++) {
        struct mdp_peer *worker = mdp_worker(kit, MDP_02, mdp_name(dialects[i]));
        struct mdp_peer *client = mdp_peer(kit, dialects[i], mdp_name(dialects[i]));
        mdp_say(client, MDP_REQUEST, "count");
        reply_in_parts(worker);
        mdp_hear(client, MDP_REPLY, all);
        mdp_say(client, MDP_REQUEST, "again");
        mdp_echo(worker);
        mdp_hear(client, MDP_REPLY, "again");
    }
}

static void a_native_client_that_takes_no_parts_gets_them_as_one_reply(void **state)
{
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    asker_init(&asker, kit, "parts");
    asker_call(&asker, "m", "count", NULL);
    reply_in_parts(worker);
    asker_hear(&asker, all);
    asker_fini(&asker);
}

static void a_native_stream_takes_them_as_its_parts(void **state)
{
    const struct busbar_call more = {.flags = BUSBAR_STREAM};
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    asker_init(&asker, kit, "parts");
    asker_call(&asker, "m", "count", &more);
    reply_in_parts(worker);
    for (size_t i = 0; i < COUNT(parts); i++)
        asker_hear_part(&asker, parts[i]);
    asker_hear(&asker, last);
    asker_fini(&asker);
}

/* The worker is not held back; the broker keeps what there is no room for. */
static void parts_beyond_the_window_of_a_native_stream_wait_at_the_broker(void **state)
{
    enum { PARTS = 300 };
    const struct busbar_call more = {.flags = BUSBAR_STREAM, .window = 2};
    struct kit *kit = *state;
    struct asker asker;
    char text[16];
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    asker_init(&asker, kit, "parts");
    asker_call(&asker, "m", "count", &more);
    mdp_hear(worker, MDP_WORK, "count");
    for (int i = 0; i < PARTS; i++) {
        snprintf(text, sizeof text, "part-%d", i);
        mdp_say(worker, MDP_PARTIAL, text);
    }
    mdp_say(worker, MDP_FINAL, "end");
    kit_sleep_ms(50);
    for (int i = 0; i < PARTS; i++) {
        snprintf(text, sizeof text, "part-%d", i);
        asker_hear_part(&asker, text);
    }
    asker_hear(&asker, "end");
    mdp_check_serves(kit, worker);
    asker_fini(&asker);
}

static void parts_that_are_too_much_together_fail(void **state)
{
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "body_limit: 64 KiB\nmajordomo: {errors: true}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "parts");
    struct mdp_frames frames;
    asker_init(&asker, kit, "parts");
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            mdp_say(client, MDP_REQUEST, "count");
        else
            asker_call(&asker, "m", "count", NULL);
        mdp_hear(worker, MDP_WORK, "count");
        for (int part = 0; part < 10; part++)
            mdp_say(worker, MDP_PARTIAL, "*20000");
        mdp_say(worker, MDP_FINAL, "end");
        if (i == 0) {
            assert_true(mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)));
            assert_int_equal(frames.count, 4);
            assert_memory_equal(frames.at[3].data, "413 RESULT_TOO_LARGE", 20);
        } else {
            asker_hear_status(&asker, BUSBAR_RESULT_TOO_LARGE);
        }
        mdp_check_serves(kit, worker);
    }
    asker_fini(&asker);
}

/* What waits at the broker for a native stream is bounded too; parts take room though there be nothing
 * in them. */
static void parts_that_wait_and_are_too_many_fail(void **state)
{
    static const struct {
        unsigned count;
        const char *body;
    } cases[] = {{10, "*20000"}, {2000, "-"}};
    const struct busbar_call more = {.flags = BUSBAR_STREAM, .window = 1};
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "body_limit: 64 KiB\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    asker_init(&asker, kit, "parts");
    for (size_t i = 0; i < COUNT(cases); i++) {
        asker_call(&asker, "m", "count", &more);
        mdp_hear(worker, MDP_WORK, "count");
        for (unsigned part = 0; part < cases[i].count; part++)
            mdp_say(worker, MDP_PARTIAL, cases[i].body);
        mdp_say(worker, MDP_FINAL, "end");
        mdp_check_serves(kit, worker); /* before the client takes any */
        asker_hear_part(&asker, cases[i].body);
        asker_hear_status(&asker, BUSBAR_RESULT_TOO_LARGE);
    }
    asker_fini(&asker);
}

/* Nobody else may begin anew what has begun to answer. */
static void a_worker_that_is_lost_after_a_part_has_lost_its_call(void **state)
{
    const struct busbar_call more = {.flags = BUSBAR_STREAM};
    struct kit *kit = *state;
    struct asker asker;
    start_broker(kit, "{}\n");
    asker_init(&asker, kit, "parts");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "parts");
    struct mdp_peer *first = mdp_worker(kit, MDP_02, "parts");
    mdp_say(client, MDP_REQUEST, "count");
    mdp_hear(first, MDP_WORK, "count");
    mdp_say(first, MDP_PARTIAL, "one");
    mdp_hear(client, MDP_PART, "one");
    struct mdp_peer *second = mdp_worker(kit, MDP_02, "parts");
    asker_call(&asker, "m", "count", &more);
    mdp_hear(second, MDP_WORK, "count");
    mdp_say(second, MDP_PARTIAL, "one");
    asker_hear_part(&asker, "one");
    struct mdp_peer *third = mdp_worker(kit, MDP_02, "parts");
    mdp_end(kit, &first);
    mdp_say(second, MDP_DISCONNECT, "");
    asker_hear_status(&asker, BUSBAR_WORKER_LOST);
    mdp_hear_nothing(client, 50);
    mdp_check_serves(kit, third);
    asker_fini(&asker);
}

/* Errors ---------------------------------------------------------------------------------------- */

/* The one frame that the client is answered with begins with this. */
static void hear_error(struct mdp_peer *client, const char *text)
{
    struct mdp_words head;
    struct mdp_frames frames;
    mdp_words_read(&head, client, mdp_head(client, MDP_REPLY));
    if (!mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)))
        fail_msg("no error came");
    assert_int_equal(frames.count, head.frames.count + 1);
    struct bytes came = frames.at[frames.count - 1];
    if (came.size < strlen(text) || memcmp(came.data, text, strlen(text)) != 0)
        fail_msg("\"%.*s\" came, not \"%s\"", (int)came.size, (const char *)came.data, text);
    mdp_words_end(&head);
}

static const char told[] = "body_limit: 64 KiB\n"
                           "services:\n"
                           "  coffee: {queue: {calls: 1}}\n"
                           "  natural: {majordomo: {method: fail}}\n"
                           "  wrong: {majordomo: {method: nothing}}\n"
                           "majordomo: {wait: 100ms, timeout: 400ms, errors: true}\n";

static void failures_are_told_where_the_file_wants_it(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, told);
    for (enum mdp_dialect dialect = MDP_01; dialect <= MDP_02; dialect++) {
        struct mdp_peer *client = mdp_peer(kit, dialect, "coffee");
        uint64_t begun = kit_now_ms();
        mdp_say(client, MDP_REQUEST, "black");
        hear_error(client, "404 NO_SERVICE coffee: nobody came");
        assert_true(kit_now_ms() - begun >= 90);
        struct mdp_peer *worker = mdp_worker(kit, dialect, "coffee");
        mdp_check_serves(kit, worker);
        begun = kit_now_ms();
        mdp_say(client, MDP_REQUEST, "slow");
        mdp_hear(worker, MDP_WORK, "slow");
        hear_error(client, "504 ");
        assert_true(kit_now_ms() - begun >= 390);
        mdp_say(client, MDP_REQUEST, "*40000 *40000");
        hear_error(client, "413 TOO_LARGE");
        mdp_say(worker, MDP_DISCONNECT, "");
    }
}

/* Whoever looks for a request that nobody answered finds it here. */
static void a_failure_that_nobody_is_told_is_in_the_log(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = start_broker(
        kit, "majordomo: {wait: 0}\nwait: {settle: 0}\nlog: {level: debug}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    mdp_say(client, MDP_REQUEST, "black");
    kit_wait_for_text(broker, "debug request_failed service=coffee peer=", 5000);
    KIT_CONTAINS(broker->err, " status=NO_SERVICE text=\"nobody exports the service 'coffee'\"\n");
    mdp_hear_nothing(client, 50);
}

static void a_request_that_may_not_wait_fails_at_once(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {wait: 0, errors: true}\nwait: {settle: 0}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    mdp_say(client, MDP_REQUEST, "black");
    hear_error(client, "404 NO_SERVICE nobody exports the service 'coffee'");
}

static void failures_of_native_workers_are_told_too(void **state)
{
    static const struct {
        const char *service;
        const char *body;
        const char *error;
    } cases[] = {
        {"natural", "broken", "500 APP_ERROR broken"},
        {"wrong", "body", "404 NO_METHOD"},
        {"unnamed", "nothing body", "404 NO_METHOD"},
        {"unnamed", "x2f body", "400 BAD_REQUEST"},
        {"unnamed", "refuse", "400 BAD_REQUEST refused by the handler"},
    };
    struct kit *kit = *state;
    start_broker(kit, told);
    for (size_t i = 0; i < COUNT(cases); i++) {
        kit->doing = cases[i].service;
        struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", cases[i].service,
                                               NULL);
        kit_wait_for_text(worker, "ready", KIT_RUN_MS);
        struct mdp_peer *client = mdp_peer(kit, i % 2 ? MDP_02 : MDP_01, cases[i].service);
        mdp_say(client, MDP_REQUEST, cases[i].body);
        hear_error(client, cases[i].error);
    }
    kit->doing = NULL;
}

static void failures_are_silent_unless_the_file_says_otherwise(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {wait: 50ms, timeout: 100ms}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "coffee");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "coffee");
    struct mdp_peer *other = mdp_peer(kit, MDP_02, "tea");
    mdp_say(client, MDP_REQUEST, "slow");
    mdp_say(other, MDP_REQUEST, "green");
    mdp_hear(worker, MDP_WORK, "slow");
    mdp_hear_nothing(other, kit_time(200));
    mdp_hear_nothing(client, kit_time(100));
    mdp_say(worker, MDP_FINAL, "too late");
    mdp_hear_nothing(client, 50);
    mdp_check_serves(kit, worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_client_of_0_2_gets_the_parts_as_they_are),
        KIT_TEST(a_part_reaches_its_client_before_the_next_one_is_sent),
        KIT_TEST(a_client_of_0_1_gets_them_as_one_reply),
        KIT_TEST(a_native_client_that_takes_no_parts_gets_them_as_one_reply),
        KIT_TEST(a_native_stream_takes_them_as_its_parts),
        KIT_TEST(parts_beyond_the_window_of_a_native_stream_wait_at_the_broker),
        KIT_TEST(parts_that_are_too_much_together_fail),
        KIT_TEST(parts_that_wait_and_are_too_many_fail),
        KIT_TEST(a_worker_that_is_lost_after_a_part_has_lost_its_call),
        KIT_TEST(failures_are_told_where_the_file_wants_it),
        KIT_TEST(a_failure_that_nobody_is_told_is_in_the_log),
        KIT_TEST(a_request_that_may_not_wait_fails_at_once),
        KIT_TEST(failures_of_native_workers_are_told_too),
        KIT_TEST(failures_are_silent_unless_the_file_says_otherwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
