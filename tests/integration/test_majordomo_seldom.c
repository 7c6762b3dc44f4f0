/* What Majordomo peers meet seldom: workers gone for a moment, slow readers, odd words, descriptors. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/kit/asker.h"
#include "tests/kit/scene.h"
#include "tests/kit/stranger.h"

static struct kit_process *start_broker(struct kit *kit, const char *text)
{
    return kit_broker(kit, "--config", kit_file(kit, "broker.yaml", text), NULL);
}

/* The only worker goes and another comes at once: what it had and what waited is older than `wait`. */
static void old_requests_survive_the_moment_in_which_nobody_serves_them(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {wait: 2s}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "single");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "single");
    mdp_say(client, MDP_REQUEST, "running");
    mdp_hear(worker, MDP_WORK, "running");
    mdp_say(client, MDP_REQUEST, "waiting");
    kit_sleep_ms(2500);
    mdp_say(worker, MDP_DISCONNECT, "");
    mdp_say(worker, MDP_READY, "");
    for (int i = 0; i < 2; i++)
        mdp_echo(worker);
    mdp_hear(client, MDP_REPLY, "running");
    mdp_hear(client, MDP_REPLY, "waiting");
}

/* The first frame named the method for a native worker, and belongs to the body all the same. */
static void a_request_is_whole_when_a_worker_of_the_other_kind_is_given_it(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct kit_peer *native = kit_peer(kit);
    kit_peer_join(native);
    scene_register(native, scene_plain);
    scene_say(native, PACKET_CREDIT, 0, 0);
    KIT_EVENTUALLY(kit_counter(kit, "registrations") == 1, 5000);
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "hand");
    mdp_say(client, MDP_REQUEST, "m body");
    KIT_EVENTUALLY(kit_counter(kit, "queued") == 1, 5000);
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "hand");
    KIT_EVENTUALLY(kit_counter(kit, "registrations") == 2, 5000);
    kit_peer_end(kit, &native);
    mdp_hear(worker, MDP_WORK, "m body");
}

static const char narrow[] = "body_limit: 1 MiB\noutbox_bytes: 1088 KiB\n"
                             "heartbeat: {interval: 100ms, liveness: 3}\n"
                             "majordomo: {heartbeat: {interval: 500ms, liveness: 100}}\n";

/* The parts are the client's to take, and the worker is well. */
static void a_worker_is_not_cut_for_parts_that_its_client_does_not_take(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, narrow);
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "parts");
    mdp_say(client, MDP_REQUEST, "count");
    mdp_hear(worker, MDP_WORK, "count");
    mdp_say(worker, MDP_PARTIAL, "*100000");
    for (int i = 0; i < 40; i++) {
        mdp_say(worker, MDP_HEARTBEAT, "");
        kit_sleep_ms(50);
    }
    mdp_say(worker, MDP_FINAL, "end");
    mdp_hear(client, MDP_REPLY, "*100000 end");
}

/* Whether the peer has said something that was understood before, or not. */
static void a_client_is_never_told_what_is_for_workers(void **state)
{
    static const char *const words[] = {"- MDPC03 serve x", "- MDPC02 serve x", "- MDPCXX x04",
                                        "- -", "hello"};
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "serve");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        kit->doing = words[i];
        struct mdp_peer *client = mdp_peer(kit, MDP_01, "serve");
        mdp_say(client, MDP_REQUEST, "first");
        mdp_echo(worker);
        mdp_hear(client, MDP_REPLY, "first");
        mdp_say(client, MDP_RAW, words[i]);
        mdp_hear_nothing(client, 100);
        mdp_end(kit, &client);
    }
    kit->doing = NULL;
}

/* A header that is none, or an envelope that is none, is not a worker's result. */
static void words_without_their_header_are_no_result(void **state)
{
    static const char *const words[] = {"- NOTMDP x03 @ - forged", "x ANYTHING x03 @ - forged"};
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    for (size_t i = 0; i < 2; i++) {
        kit->doing = words[i];
        struct mdp_peer *worker = mdp_worker(kit, MDP_01, "serve");
        struct mdp_peer *client = mdp_peer(kit, MDP_01, "serve");
        mdp_say(client, MDP_REQUEST, "first");
        mdp_hear(worker, MDP_WORK, "first");
        mdp_say(worker, MDP_RAW, words[i]);
        mdp_hear_nothing(client, 100);
        mdp_end(kit, &client);
        mdp_end(kit, &worker);
    }
    kit->doing = NULL;
}

/* With both dialects allowed too. */
static void a_client_of_0_1_that_becomes_a_worker_of_d1_is_one(void **state)
{
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {compat: [d1, d4]}\n");
    struct mdp_peer *helper = mdp_worker(kit, MDP_01, "other");
    struct mdp_peer *peer = mdp_peer(kit, MDP_01, "other");
    mdp_say(peer, MDP_REQUEST, "first");
    mdp_echo(helper);
    mdp_hear(peer, MDP_REPLY, "first");
    peer->dialect = MDP_D1;
    snprintf(peer->service, sizeof peer->service, "changed");
    mdp_say(peer, MDP_READY, "");
    mdp_say(peer, MDP_HEARTBEAT, "");
    mdp_check_serves(kit, peer);
}

/* It asked, closed, and the broker had no time to look; the next connection has its descriptor. */
static void a_newcomer_is_served_under_the_descriptor_of_a_client_that_is_gone(void **state)
{
    enum { ATTEMPTS = 30, BUSY = 5000 };
    static const char *const request[] = {"", "MDPC01", "nobody", "x"};
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *flood = mdp_peer(kit, MDP_01, "mmi.x");
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd = stranger_connect(kit);
        stranger_shake_hands(fd);
        for (int i = 0; i < BUSY; i++)
            mdp_say(flood, MDP_REQUEST, "x");
        for (int i = 0; i < 4; i++)
            assert_true(
                stranger_send_frame(fd, i < 3 ? STRANGER_MORE : 0, request[i], strlen(request[i])));
        close(fd);
        for (int i = 0; i < BUSY; i++)
            mdp_hear(flood, MDP_REPLY, "501");
        struct mdp_peer *newcomer = mdp_peer(kit, MDP_01, "mmi.x");
        mdp_say(newcomer, MDP_REQUEST, "x");
        mdp_hear(newcomer, MDP_REPLY, "501");
    }
}

/* Nothing is dropped of what it has not read, however long it takes. */
static void replies_wait_for_a_client_that_reads_slowly(void **state)
{
    enum { REQUESTS = 300, IDLE_MS = 500, PAUSE_MS = 6 * IDLE_MS };
    static const char *const request[] = {"", "MDPC01", "large", "x"};
    struct kit *kit = *state;
    start_broker(kit, "majordomo: {idle: 500ms}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_01, "large");
    int fd = stranger_connect(kit);
    stranger_shake_hands(fd);
    for (int n = 0; n < REQUESTS; n++) {
        for (int i = 0; i < 4; i++)
            assert_true(
                stranger_send_frame(fd, i < 3 ? STRANGER_MORE : 0, request[i], strlen(request[i])));
        mdp_hear(worker, MDP_WORK, "x");
        mdp_say(worker, MDP_FINAL, "*100000");
    }
    size_t total = 0;
    char data[65536];
    ssize_t size;
    uint64_t until = kit_now_ms() + PAUSE_MS;
    while (kit_now_ms() < until) {
        mdp_say(worker, MDP_HEARTBEAT, "");
        kit_sleep_ms(500);
        if ((size = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0)
            total += (size_t)size;
    }
    struct timeval wait = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    while ((size = recv(fd, data, sizeof data, 0)) > 0)
        total += (size_t)size;
    close(fd);
    if (total < (size_t)REQUESTS * 100000)
        fail_msg("%zu bytes of %zu", total, (size_t)REQUESTS * 100000);
}

/* More parts than are ever granted to a client that grants none. */
static void parts_without_number_do_not_hold_their_worker(void **state)
{
    enum { PARTS = (1 << 20) + 5 };
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    struct mdp_peer *worker = mdp_worker(kit, MDP_02, "parts");
    struct mdp_peer *client = mdp_peer(kit, MDP_02, "parts");
    mdp_say(client, MDP_REQUEST, "count");
    mdp_hear(worker, MDP_WORK, "count");
    int heard = 0;
    for (int i = 0; i < PARTS; i++) {
        mdp_say(worker, MDP_PARTIAL, "p");
        for (; i % 500 == 499 && heard <= i && heard < 1 << 20; heard++)
            mdp_hear(client, MDP_PART, "p");
    }
    mdp_say(worker, MDP_FINAL, "end");
    mdp_check_serves(kit, worker);
}

/* They came before the worker did, and are no worse off than those that came after it. */
static void early_requests_wait_their_turn_at_a_native_worker(void **state)
{
    enum { REQUESTS = 3 };
    struct kit *kit = *state;
    struct packet packet = {.command = PACKET_REGISTER,
                            .id = 1,
                            .encoding = PACKET_MESSAGEPACK,
                            .service = bytes_of_text("hand"),
                            .body = scene_plain};
    start_broker(kit, "majordomo: {wait: 1s, errors: true}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "hand");
    for (int i = 0; i < REQUESTS; i++)
        mdp_say(client, MDP_REQUEST, "m body");
    KIT_EVENTUALLY(kit_counter(kit, "queued") == REQUESTS, 5000);
    struct kit_peer *native = kit_peer(kit);
    kit_peer_join(native);
    kit_peer_send_packets(native, &packet, 1);
    for (int i = 0; i < REQUESTS; i++) {
        kit_peer_expect(native, PACKET_CALL, &packet);
        kit_sleep_ms(800);
        scene_say(native, PACKET_REPLY, packet.id, 0);
        mdp_hear(client, MDP_REPLY, "x");
    }
}

/* The text of the only answer, and just one line in the log for each request. */
static void requests_of_workers_that_hang_are_answered_when_the_broker_stops(void **state)
{
    static const char lost[] = "503 BROKER_LOST the broker stops";
    enum { WORKERS = 2 };
    struct kit *kit = *state;
    struct mdp_frames frames;
    struct mdp_peer *clients[WORKERS];
    const char *file = kit_file(kit, "broker.yaml", "drain: 200ms\nmajordomo: {errors: true}\n");
    struct kit_process *broker = kit_broker(kit, "--config", file, "--log-level", "debug", NULL);
    for (int i = 0; i < WORKERS; i++) {
        struct mdp_peer *worker = mdp_worker(kit, i == 0 ? MDP_01 : MDP_02, i == 0 ? "a" : "b");
        clients[i] = mdp_peer(kit, worker->dialect, worker->service);
        mdp_say(clients[i], MDP_REQUEST, "hangs");
        mdp_hear(worker, MDP_WORK, "hangs");
        if (worker->dialect == MDP_02)
            mdp_say(worker, MDP_PARTIAL, "begun");
    }
    mdp_hear(clients[1], MDP_PART, "begun");
    kit_kill(broker, SIGTERM);
    for (int i = 0; i < WORKERS; i++) {
        assert_true(mdp_receive(clients[i], &frames, kit_time(MDP_WAIT_MS)));
        assert_int_equal(frames.count, 4);
        assert_int_equal(frames.at[3].size, strlen(lost));
        assert_memory_equal(frames.at[3].data, lost, strlen(lost));
        mdp_hear_nothing(clients[i], 20);
    }
    assert_int_equal(kit_wait(broker, 5000), 0);
    kit_read(broker);
    const char *at = broker->err;
    for (int i = 0; i < WORKERS; i++) {
        at = strstr(at, " debug request_failed service=");
        assert_non_null(at);
        at = strchr(at, '\n');
        KIT_CONTAINS(broker->err, " status=BROKER_LOST text=\"the broker stops\"\n");
    }
    assert_null(strstr(at, "request_failed"));
}

/* An early request without the name of a method: whoever serves it then cannot know one. */
static void an_early_request_that_names_no_method_is_told_so(void **state)
{
    static const char none[] = "404 NO_METHOD the call of later names no method";
    static const char *const requests[] = {"- body", ""};
    struct kit *kit = *state;
    struct mdp_frames frames;
    start_broker(kit, "majordomo: {errors: true}\n");
    struct mdp_peer *client = mdp_peer(kit, MDP_01, "later");
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        mdp_say(client, MDP_REQUEST, requests[i]);
    KIT_EVENTUALLY(kit_counter(kit, "queued") == sizeof requests / sizeof requests[0], 5000);
    kit_start(kit, "tests/programs/test_worker", "later", NULL);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        assert_true(mdp_receive(client, &frames, kit_time(MDP_WAIT_MS)));
        assert_int_equal(frames.count, 4);
        assert_int_equal(frames.at[3].size, strlen(none));
        assert_memory_equal(frames.at[3].data, none, strlen(none));
    }
}

static void services_of_any_name_can_be_described_and_drained(void **state)
{
    static const char *const names[] = {"coffee+black", "_hidden", "a(b)", "a/b", "a/1", "/", "/x"};
    struct kit *kit = *state;
    start_broker(kit, "{}\n");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        kit->doing = names[i];
        mdp_check_serves(kit, mdp_worker(kit, MDP_01, names[i]));
        KIT_CODE(kit_run(kit, "busbar", "describe", names[i], NULL), 0);
        KIT_CODE(kit_run(kit, "busbar", "drain", names[i], NULL), 0);
    }
    kit->doing = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(old_requests_survive_the_moment_in_which_nobody_serves_them),
        KIT_TEST(a_request_is_whole_when_a_worker_of_the_other_kind_is_given_it),
        KIT_TEST(a_worker_is_not_cut_for_parts_that_its_client_does_not_take),
        KIT_TEST(a_client_is_never_told_what_is_for_workers),
        KIT_TEST(words_without_their_header_are_no_result),
        KIT_TEST(a_client_of_0_1_that_becomes_a_worker_of_d1_is_one),
        KIT_TEST(a_newcomer_is_served_under_the_descriptor_of_a_client_that_is_gone),
        KIT_TEST(early_requests_wait_their_turn_at_a_native_worker),
        KIT_TEST(requests_of_workers_that_hang_are_answered_when_the_broker_stops),
        KIT_TEST(an_early_request_that_names_no_method_is_told_so),
        KIT_TEST(services_of_any_name_can_be_described_and_drained),
        KIT_TEST(parts_without_number_do_not_hold_their_worker),
        KIT_TEST(replies_wait_for_a_client_that_reads_slowly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
