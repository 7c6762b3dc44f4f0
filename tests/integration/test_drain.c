/* Draining: workers of a service by `busbar drain`, and the broker by a signal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/calls.h"
#include "tests/kit/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    WAIT_MS = 20000, /* for anything to happen, on a machine that has other work */
};

static struct kit_process *start_worker(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

/* The number of the only worker that `describe` shows. */
static void only_worker(struct kit *kit, char number[32])
{
    struct kit_process *describe = kit_run(kit, "busbar", "describe", "--json", "test", NULL);
    const char *at = strstr(describe->out, "\"worker\": ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"worker\": %31[0-9]", number), 1);
}

/* busbar drain ---------------------------------------------------------------------------------- */

static void wrong_targets_end_with_2(void **state)
{
    static const char *const targets[] = {
        "", "/1", "test/", "test/0", "test/-1", "test/x", "test/1x", "test/99999999999999999999"};
    kit_broker(*state, NULL);
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct kit_process *drain = kit_run(*state, "busbar", "drain", targets[i], NULL);
        KIT_CODE(drain, 2);
        KIT_CONTAINS(drain->err, "must be SERVICE or SERVICE/WORKER");
        assert_string_equal(drain->out, "");
    }
    KIT_CODE(kit_run(*state, "busbar", "drain", NULL), 2);
}

static void what_is_not_there_is_named_and_ends_with_3(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *drain = kit_run(kit, "busbar", "drain", "nobody", NULL);
    KIT_CODE(drain, 3);
    KIT_CONTAINS(drain->err, "nobody exports the service 'nobody'");
    start_worker(kit);
    drain = kit_run(kit, "busbar", "drain", "test/12345", NULL);
    KIT_CODE(drain, 3);
    KIT_CONTAINS(drain->err, "the service 'test' has no worker of that number");
}

static void a_drained_service_takes_no_calls_until_that_is_undone(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit);
    struct kit_process *drain = kit_run(kit, "busbar", "drain", "test", NULL);
    KIT_CODE(drain, 0);
    assert_string_equal(drain->out, "test: 1 worker drained, 0 running\n");
    struct kit_process *call = kit_run(kit, "busbar", "call", "test", "pid", NULL);
    KIT_CODE(call, 4);
    KIT_CONTAINS(call->err, "DRAINING (not executed)");
    KIT_CONTAINS(kit_run(kit, "busbar", "describe", "--json", "test", NULL)->out,
                 "\"draining\": true");
    KIT_CONTAINS(kit_run(kit, "busbar", "describe", "test", NULL)->out, "  1 worker, 1 drained");
    drain = kit_run(kit, "busbar", "drain", "--undo", "test", NULL);
    KIT_CODE(drain, 0);
    assert_string_equal(drain->out, "test: 1 worker in service again, 0 running\n");
    KIT_CODE(kit_run(kit, "busbar", "call", "test", "pid", NULL), 0);
    assert_null(
        strstr(kit_run(kit, "busbar", "describe", "--json", "test", NULL)->out, "\"draining\""));
}

static void one_worker_is_drained_and_the_other_serves(void **state)
{
    struct kit *kit = *state;
    char number[32];
    char target[64];
    char other_pid[32];
    kit_broker(kit, NULL);
    start_worker(kit);
    only_worker(kit, number);
    struct kit_process *other = start_worker(kit);
    snprintf(target, sizeof target, "test/%s", number);
    snprintf(other_pid, sizeof other_pid, "%d", (int)other->pid);
    KIT_CODE(kit_run(kit, "busbar", "drain", target, NULL), 0);
    for (int i = 0; i < 4; i++) {
        struct kit_process *call = kit_run(kit, "busbar", "call", "test", "pid", NULL);
        KIT_CODE(call, 0);
        assert_string_equal(call->out, other_pid);
    }
}

static void the_command_waits_for_the_calls_that_run(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, 1);
    kit_calls_start_body(&calls, "sleep", "1500");
    kit_calls_wait_for_text(&calls, worker, "ran sleep");
    struct kit_process *drain = kit_run(kit, "busbar", "drain", "--no-wait", "test", NULL);
    KIT_CODE(drain, 0);
    assert_string_equal(drain->out, "test: 1 worker drained, 1 running\n");
    drain = kit_run(kit, "busbar", "drain", "--timeout", "50ms", "test", NULL);
    KIT_CODE(drain, 4);
    KIT_CONTAINS(drain->err, "busbar: test: still 1 call of drained workers after ");
    drain = kit_run(kit, "busbar", "drain", "test", NULL);
    KIT_CODE(drain, 0);
    assert_string_equal(drain->out, "test: 1 worker drained, 0 running\n");
    kit_wait_for_text(broker, "service_drain service=test worker=0 drain=1", WAIT_MS);
    assert_null(
        strstr(strstr(broker->err, "service_drain") + 1, "service_drain")); /* logged once */
    kit_calls_finish(&calls, 5000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_OK);
    kit_calls_fini(&calls);
}

/* A new version that is started meanwhile is not drained with the old one. */
static void workers_that_come_while_it_waits_are_left_alone(void **state)
{
    struct kit *kit = *state;
    struct kit_calls calls;
    kit_broker(kit, NULL);
    struct kit_process *worker = start_worker(kit);
    kit_calls_init(&calls, kit, 1);
    kit_calls_start_body(&calls, "sleep", "2500");
    kit_calls_wait_for_text(&calls, worker, "ran sleep");
    struct kit_process *drain = kit_start(kit, "busbar", "drain", "test", NULL);
    kit_wait_for_text(drain, "test: waiting for 1 call of 1 drained worker\n", WAIT_MS);
    start_worker(kit);
    KIT_CODE(kit_run(kit, "busbar", "call", "test", "pid", NULL), 0);
    assert_int_equal(kit_wait(drain, WAIT_MS), 0);
    KIT_CODE(kit_run(kit, "busbar", "call", "test", "pid", NULL), 0);
    kit_calls_finish(&calls, 5000);
    assert_int_equal(calls.outcomes[0].status, BUSBAR_OK);
    kit_calls_fini(&calls);
}

/* The broker ------------------------------------------------------------------------------------ */

/* A worker by hand that takes one call at a time of the service `hand`, method `m`. */
static struct kit_peer *hand_worker(struct kit *kit)
{
    static const char body[] = "\x81\xa7methods\x91\x81\xa4name\xa1m";
    struct packet packet = {.command = PACKET_REGISTER,
                            .id = 1,
                            .encoding = PACKET_MESSAGEPACK,
                            .service = bytes_of_text("hand"),
                            .body = {(const uint8_t *)body, sizeof body - 1}};
    struct kit_peer *worker = kit_peer(kit);
    kit_peer_join(worker);
    kit_peer_send_packets(worker, &packet, 1);
    kit_peer_expect(worker, PACKET_REGISTERED, &packet);
    return worker;
}

static void call(struct kit_peer *client, uint64_t id, uint8_t flags)
{
    const struct packet packet = {.command = PACKET_CALL,
                                  .flags = flags,
                                  .id = id,
                                  .timeout = 10000,
                                  .service = bytes_of_text("hand"),
                                  .method = bytes_of_text("m")};
    kit_peer_send_packets(client, &packet, 1);
}

static void reply(struct kit_peer *worker, uint64_t id)
{
    const struct packet packet = {.command = PACKET_REPLY, .id = id, .fate = BUSBAR_EXECUTED};
    kit_peer_send_packets(worker, &packet, 1);
}

/* Three calls and a worker that takes one at a time: one runs, one waits, one oneway call waits. */
static void a_broker_that_ends_finishes_what_runs_and_refuses_what_waits(void **state)
{
    struct kit *kit = *state;
    struct packet packet;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *worker = hand_worker(kit);
    struct kit_peer *client = kit_peer(kit);
    kit_peer_join(client);
    call(client, 1, 0);
    kit_peer_expect(worker, PACKET_CALL, &packet);
    uint64_t running = packet.id;
    call(client, 2, 0);
    call(client, 3, PACKET_ONEWAY);
    kit_peer_expect(client, PACKET_REPLY, &packet);
    assert_int_equal(packet.id, 3);
    assert_int_equal(packet.flags, PACKET_ONEWAY);
    kit_kill(broker, SIGTERM);
    broker->killed = false;
    kit_peer_expect(client, PACKET_GOAWAY, &packet);
    kit_peer_expect(client, PACKET_ERROR, &packet);
    assert_int_equal(packet.id, 2);
    assert_int_equal(packet.status, BUSBAR_DRAINING);
    assert_int_equal(packet.fate, BUSBAR_NOT_EXECUTED);
    call(client, 4, 0);
    kit_peer_expect(client, PACKET_ERROR, &packet);
    assert_int_equal(packet.id, 4);
    assert_int_equal(packet.status, BUSBAR_DRAINING);
    reply(worker, running);
    kit_peer_expect(client, PACKET_REPLY, &packet);
    assert_int_equal(packet.id, 1);
    kit_peer_expect(worker, PACKET_CALL, &packet); /* it was accepted: it is not given up */
    assert_int_equal(packet.flags, PACKET_ONEWAY);
    reply(worker, packet.id);
    kit_peer_expect(worker, PACKET_BYE, &packet);
    kit_wait(broker, WAIT_MS);
    KIT_CODE(broker, 0);
    KIT_CONTAINS(broker->err, " broker_draining calls=2 refused=1 sessions=2\n");
    KIT_CONTAINS(broker->err, " broker_drained calls=0 refused=0\n");
}

static void a_broker_that_ends_waits_no_longer_than_it_is_told(void **state)
{
    struct kit *kit = *state;
    struct packet packet;
    const char *path = kit_file(kit, "drain.yaml", "drain: 300ms\n");
    struct kit_process *broker = kit_broker(kit, "--config", path, NULL);
    struct kit_peer *worker = hand_worker(kit);
    struct kit_peer *client = kit_peer(kit);
    kit_peer_join(client);
    call(client, 1, 0);
    kit_peer_expect(worker, PACKET_CALL, &packet);
    uint64_t begin = kit_now_ms();
    kit_kill(broker, SIGTERM);
    broker->killed = false;
    kit_peer_expect(client, PACKET_BYE, &packet);
    assert_true(kit_now_ms() - begin >= 290);
    kit_wait(broker, WAIT_MS);
    KIT_CODE(broker, 0);
    KIT_CONTAINS(broker->err, " broker_drained calls=1 refused=0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(wrong_targets_end_with_2),
        KIT_TEST(what_is_not_there_is_named_and_ends_with_3),
        KIT_TEST(a_drained_service_takes_no_calls_until_that_is_undone),
        KIT_TEST(one_worker_is_drained_and_the_other_serves),
        KIT_TEST(the_command_waits_for_the_calls_that_run),
        KIT_TEST(workers_that_come_while_it_waits_are_left_alone),
        KIT_TEST(a_broker_that_ends_finishes_what_runs_and_refuses_what_waits),
        KIT_TEST(a_broker_that_ends_waits_no_longer_than_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
