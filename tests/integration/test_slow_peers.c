/* Peers that do not read: cut when too much is due to them, and nobody else is touched. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/session.h"
#include "tests/kit/calls.h"
#include "tests/kit/stranger.h"

enum {
    WAIT_MS = 20000,    /* for anything to happen, on a machine that has other work */
    CALLS = 2000,       /* of 60000 bytes: many times what sockets and the outbox hold */
    AT_ONCE = 500,      /* fit a bundle */
    GROWTH_KIB = 65536, /* of the broker, far below what is due */
    BODY_SIZE = 60000,
};

/* Little may be due, so that it does not take long to be too much. */
static struct kit_process *start_broker(struct kit *kit, const char *outbox_bytes)
{
    char text[128];
    snprintf(text, sizeof text,
             "body_limit: 64 KiB\noutbox_bytes: %s\n"
             "heartbeat: {interval: 500ms, liveness: 3}\n",
             outbox_bytes);
    const char *path = kit_file(kit, "slow.yaml", text);
    return kit_broker(kit, "--config", path, NULL);
}

static struct kit_process *start_worker(struct kit *kit, const char *service)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", service, NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

/* False if the broker has cut it. */
static bool say(int fd, const struct packet *packets, size_t count)
{
    size_t size = BUNDLE_HEADER_SIZE;
    for (size_t i = 0; i < count; i++)
        size += packet_size(&packets[i]);
    uint8_t *bundle = calloc(1, size);
    assert_non_null(bundle);
    bundle_write_header(bundle);
    uint8_t *next = bundle + BUNDLE_HEADER_SIZE;
    for (size_t i = 0; i < count; i++) {
        packet_write(next, &packets[i]);
        next += packet_size(&packets[i]);
    }
    bool done = stranger_send_frame(fd, STRANGER_LONG, bundle, size);
    free(bundle);
    return done;
}

/* A session of a peer that never reads again. */
static int join(struct kit *kit)
{
    uint8_t body[HELLO_SIZE];
    struct hello hello = {.instance = "slow"};
    hello_write(body, &hello);
    int fd = stranger_connect(kit);
    stranger_shake_hands(fd);
    assert_true(say(fd, &(struct packet){.command = PACKET_HELLO, .body = {body, sizeof body}}, 1));
    return fd;
}

static void call_large(int fd)
{
    static struct packet packets[AT_ONCE];
    for (uint64_t id = 0; id < CALLS; id += AT_ONCE) {
        for (size_t i = 0; i < AT_ONCE; i++)
            packets[i] = (struct packet){.command = PACKET_CALL,
                                         .id = id + i,
                                         .timeout = 60000,
                                         .service = bytes_of_text("test"),
                                         .method = bytes_of_text("large"),
                                         .body = bytes_of_text("60000")};
        if (!say(fd, packets, AT_ONCE))
            return; /* it is cut already */
    }
}

static void a_client_that_does_not_read_is_cut_and_others_are_served(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    struct kit_process *broker = start_broker(kit, "2 MiB");
    start_worker(kit, "test");
    kit_calls_init(&calls, kit, CALLS);
    size_t before = kit_rss_kib(broker->pid);
    size_t most = before;
    int fd = join(kit);
    call_large(fd);
    uint64_t until = kit_now_ms() + kit_time(WAIT_MS);
    do {
        if (calls.started < CALLS)
            kit_calls_start(&calls, "echo", 10000);
        kit_calls_wait_one(&calls, kit_time(10000));
        size_t now = kit_rss_kib(broker->pid);
        most = now > most ? now : most;
    } while (kit_counter(kit, "sessions_cut") == 0 && kit_now_ms() < until);
    assert_int_equal(kit_counter(kit, "sessions_cut"), 1);
    assert_true(stranger_is_cut(fd, kit_time(WAIT_MS)));
    kit_calls_finish(&calls, 10000);
    kit_calls_check_all_ok(&calls);
    if (!kit_is_sanitized())
        assert_in_range(most - before, 0, GROWTH_KIB);
    KIT_EVENTUALLY(kit_counter(kit, "calls_in_flight") == 0, WAIT_MS);
    kit_calls_fini(&calls);
    close(fd);
}

/* {"weight": 10000, "methods": [{"name": "pid"}]}: it is to have most of the calls. */
static void serve(int fd)
{
    static const char body[] = "\x82\xa6weight\xcd\x27\x10\xa7methods\x91\x81\xa4name\xa3pid";
    const struct packet packets[] = {
        {.command = PACKET_REGISTER,
         .id = 1,
         .encoding = PACKET_MESSAGEPACK,
         .service = bytes_of_text("slow"),
         .body = {(const uint8_t *)body, sizeof body - 1}},
        {.command = PACKET_CREDIT, .id = 10000},
    };
    assert_true(say(fd, packets, sizeof packets / sizeof packets[0]));
}

/* It shows that it is alive, and does no more, as long as it is let. */
static void live(int fd)
{
    (void)say(fd, &(struct packet){.command = PACKET_CREDIT, .id = 10000}, 1);
}

/*
 * What had left for it may have been executed. What had not goes to the other worker: much more than
 * may be due to that, which is given no more than it takes.
 */
static void a_worker_that_does_not_read_is_cut_and_what_had_not_left_moves_on(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    static char body[BODY_SIZE + 1];
    memset(body, 'x', BODY_SIZE);
    start_broker(kit, "8 MiB"); /* several times what libzmq holds for a peer */
    start_worker(kit, "slow");
    int fd = join(kit);
    serve(fd);
    KIT_EVENTUALLY(kit_counter(kit, "registrations") == 2, WAIT_MS);
    kit_calls_init(&calls, kit, CALLS);
    calls.service = "slow";
    uint64_t until = kit_now_ms() + kit_time(WAIT_MS);
    while (kit_counter(kit, "sessions_cut") == 0 && kit_now_ms() < until) {
        while (calls.started < CALLS && calls.started - calls.ended < AT_ONCE)
            kit_calls_start_body(&calls, "pid", body);
        kit_calls_wait_one(&calls, 10);
        live(fd);
    }
    assert_true(stranger_is_cut(fd, kit_time(WAIT_MS)));
    kit_calls_finish(&calls, 20000);
    size_t done = kit_calls_count(&calls, BUSBAR_OK);
    size_t lost = kit_calls_count(&calls, BUSBAR_WORKER_LOST);
    for (size_t i = 0; i < calls.started && done + lost != calls.started; i++) {
        const struct kit_outcome *outcome = &calls.outcomes[i];
        if (outcome->status != BUSBAR_OK && outcome->status != BUSBAR_WORKER_LOST)
            fail_msg("call %zu: %s: %s", i, busbar_status_name(outcome->status), outcome->error);
    }
    assert_true(lost > 0); /* they stood in the buffers of its socket */
    assert_int_equal(kit_counter(kit, "sessions_cut"), 1);
    assert_true(kit_counter(kit, "returned") > 0);
    kit_calls_fini(&calls);
    close(fd);
}

/* One body is more than a worker may have due and be given more: it has taken it at once, and
 * nothing but that would tell the broker. */
static void a_worker_that_has_taken_what_was_due_to_it_is_given_more(void **state)
{
    enum { ROUNDS = 3, LARGE = 1024 * 1024 };
    struct kit *kit = *state;
    struct kit_calls calls;
    char *body = malloc(LARGE + 1);
    assert_non_null(body);
    memset(body, 'x', LARGE);
    body[LARGE] = '\0';
    kit_broker(kit, "--config",
               kit_file(kit, "narrow.yaml", "body_limit: 1 MiB\noutbox_bytes: 1100 KiB\n"), NULL);
    start_worker(kit, "test");
    kit_calls_init(&calls, kit, ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        kit_calls_start_body(&calls, "pid", body);
        kit_calls_finish(&calls, WAIT_MS);
    }
    assert_int_equal(kit_calls_count(&calls, BUSBAR_OK), ROUNDS);
    assert_int_equal(kit_counter(kit, "sessions_cut"), 0);
    kit_calls_fini(&calls);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_worker_that_has_taken_what_was_due_to_it_is_given_more),
        KIT_TEST(a_client_that_does_not_read_is_cut_and_others_are_served),
        KIT_TEST(a_worker_that_does_not_read_is_cut_and_what_had_not_left_moves_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
