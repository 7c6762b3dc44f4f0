/* What strangers may send: the broker counts it, answers where it can, lives on and stays small. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <busbar/client.h>

#include "protocol/session.h"
#include "tests/kit/peer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *text_of(const struct packet *packet)
{
    static char text[256];
    snprintf(text, sizeof text, "%.*s", (int)packet->body.size, (const char *)packet->body.data);
    return text;
}

#define HEADER "BUSB\1\0\0\0"
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void messages_that_are_no_bundles_are_counted_and_answered(void **state)
{
    static const struct {
        const char *name;
        const char *frame;
        size_t size;
        enum busbar_status status;
    } cases[] = {
        {"empty", "", 0, BUSBAR_BAD_REQUEST},
        {"one byte", "B", 1, BUSBAR_BAD_REQUEST},
        {"text", "GET / HTTP/1.1\r\n\r\n", 18, BUSBAR_BAD_REQUEST},
        {"garbage", "\xff\xfe\x00\x80garbage\x7f\x01\x02", 14, BUSBAR_BAD_REQUEST},
        {"wrong version", "BUSB\2\0\0\0", 8, BUSBAR_UNSUPPORTED},
        {"version 0", "BUSB\0\0\0\0", 8, BUSBAR_UNSUPPORTED},
        {"reserved byte", "BUSB\1\0\0\1", 8, BUSBAR_BAD_REQUEST},
        {"truncated header", HEADER "\x18\0\0\0\1\0\0", 15, BUSBAR_BAD_REQUEST},
        {"size beyond the frame", HEADER "\xff\0\0\0\x20\0\0\0" ZEROS, 32, BUSBAR_BAD_REQUEST},
        {"huge size", HEADER "\xff\xff\xff\xff\x20\0\0\0" ZEROS, 32, BUSBAR_BAD_REQUEST},
        {"size below header", HEADER "\4\0\0\0\x20\0\0\0" ZEROS, 32, BUSBAR_BAD_REQUEST},
        {"size 0", HEADER "\0\0\0\0\x20\0\0\0" ZEROS, 32, BUSBAR_BAD_REQUEST},
        {"names beyond the packet",
         HEADER "\x18\0\0\0\x20\0\0\0"
                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x7f\x7f",
         32, BUSBAR_BAD_REQUEST},
        {"metadata beyond the packet",
         HEADER "\x18\0\0\0\x20\0\0\0"
                "\0\0\0\0\0\0\0\0\0\0\0\0\xff\x0f\0\0",
         32, BUSBAR_BAD_REQUEST},
        {"unknown critical flag", HEADER "\x18\0\0\0\x20\x80\0\0" ZEROS, 32, BUSBAR_UNSUPPORTED},
        {"attached without a frame", HEADER "\x18\0\0\0\x20\x10\0\0" ZEROS, 32, BUSBAR_BAD_REQUEST},
    };
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    for (int session = 0; session < 2; session++) {
        struct kit_peer *peer = kit_peer(kit);
        struct packet packet;
        if (session)
            kit_peer_join(peer);
        for (size_t i = 0; i < COUNT(cases); i++) {
            uint64_t before = kit_counter(kit, "malformed");
            kit_peer_send(peer, cases[i].frame, cases[i].size);
            if (!session && cases[i].size == 0) { /* of another protocol, for all we know */
                kit_peer_expect_none(peer, PACKET_ERROR, 50);
                continue;
            }
            kit_peer_expect(peer, PACKET_ERROR, &packet);
            if (packet.status != cases[i].status)
                fail_msg("%s: answered %s: %s", cases[i].name,
                         busbar_status_name((enum busbar_status)packet.status), text_of(&packet));
            assert_int_equal(packet.fate, BUSBAR_NOT_EXECUTED);
            assert_int_equal(kit_counter(kit, "malformed"), before + 1);
        }
        kit_peer_expect_none(peer, PACKET_ERROR, 50);
    }
    kit_expect_alive(kit, broker);
}

static void messages_with_a_wrong_number_of_frames_are_refused(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    struct packet packet;
    struct bytes header = {(const uint8_t *)HEADER, 8};
    struct bytes text = bytes_of_text("stray");
    kit_peer_join(peer);
    kit_peer_send_two(peer, header, text); /* a second frame without a packet */
    kit_peer_expect(peer, PACKET_ERROR, &packet);
    assert_int_equal(packet.status, BUSBAR_BAD_REQUEST);
    for (int i = 0; i < 9; i++)
        kit_peer_send_frame(peer, header, i < 8);
    kit_peer_expect(peer, PACKET_ERROR, &packet);
    assert_int_equal(packet.status, BUSBAR_BAD_REQUEST);
    kit_peer_expect_none(peer, PACKET_ERROR, 50);
    kit_expect_alive(kit, broker);
}

static void packets_without_a_session_get_a_reset_and_are_not_executed(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    static const uint8_t commands[] = {PACKET_CALL,   PACKET_REPLY,  PACKET_REGISTER, PACKET_CREDIT,
                                       PACKET_CANCEL, PACKET_RETURN, PACKET_WELCOME,  0x00,
                                       0x7f,          0xff};
    struct kit_peer *peer = kit_peer(kit);
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct packet packet = {.command = commands[i],
                                .id = 100 + i,
                                .timeout = 1000,
                                .service = bytes_of_text("bus"),
                                .method = bytes_of_text("stats")};
        struct reset reset;
        kit_peer_send_packets(peer, &packet, 1);
        kit_peer_expect(peer, PACKET_RESET, &packet);
        assert_true(reset_read(packet.body, &reset));
        assert_int_equal(packet.id, 100 + i);
        assert_int_equal(reset.command, commands[i]);
        assert_true(reset.epoch != 0);
    }
    kit_expect_alive(kit, broker);
}

static void commands_that_are_unknown_here_are_unsupported(void **state)
{
    static const uint8_t commands[] = {
        0x00, PACKET_WELCOME, PACKET_RESET, PACKET_REGISTERED, PACKET_REFUSED, 0x33,
        0x7f, 0x80,           0xff};
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    kit_peer_join(peer);
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct packet packet = {.command = commands[i], .id = 7};
        uint64_t before = kit_counter(kit, "unknown_commands");
        kit_peer_send_packets(peer, &packet, 1);
        kit_peer_expect(peer, PACKET_ERROR, &packet);
        assert_int_equal(packet.status, BUSBAR_UNSUPPORTED);
        assert_int_equal(packet.id, 7);
        assert_int_equal(kit_counter(kit, "unknown_commands"), before + 1);
    }
    kit_expect_alive(kit, broker);
}

static void replies_that_nobody_asked_for_reach_nobody(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    const char *argv[] = {"busbar", "call", "test", "sleep", "--body", "-", NULL};
    struct kit_process *call = kit_start_command(
        kit, &(struct kit_command){.argv = argv, .input = "300", .input_size = 3});
    kit_peer_join(peer);
    kit_wait_for_text(worker, "ran sleep", KIT_RUN_MS);
    uint64_t before = kit_counter(kit, "late_replies");
    for (uint64_t id = 0; id < 1000; id++) {
        const struct packet reply = {.command = id % 2 ? PACKET_REPLY : PACKET_ERROR,
                                     .id = id % 10 ? id : ~id,
                                     .fate = BUSBAR_EXECUTED,
                                     .status = id % 2 ? BUSBAR_OK : BUSBAR_APP_ERROR,
                                     .body = bytes_of_text("forged")};
        kit_peer_send_packets(peer, &reply, 1);
    }
    assert_int_equal(kit_wait(call, 5000), 0);
    assert_string_equal(call->out, "slept");
    KIT_EVENTUALLY(kit_counter(kit, "late_replies") == before + 1000, 3000);
    kit_expect_alive(kit, broker);
}

static void calls_with_bad_fields_get_one_answer_each(void **state)
{
    static const struct {
        const char *service;
        const char *method;
        uint32_t timeout;
        enum busbar_status status;
    } cases[] = {
        {"nobody", "x", 1000, BUSBAR_NO_SERVICE},
        {"", "x", 1000, BUSBAR_BAD_REQUEST},
        {"test", "", 1000, BUSBAR_BAD_REQUEST},
        {"no name", "x", 1000, BUSBAR_BAD_REQUEST},
        {"-x", "x", 1000, BUSBAR_BAD_REQUEST},
        {"test", "a.b", 1000, BUSBAR_BAD_REQUEST},
        {"test\n", "x", 1000, BUSBAR_BAD_REQUEST},
        {"bus", "nothing", 1000, BUSBAR_NO_METHOD},
        {"nobody", "x", PACKET_TIMEOUT_NONE, BUSBAR_BAD_REQUEST},
    };
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    kit_peer_join(peer);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct packet packet = {.command = PACKET_CALL,
                                .id = i,
                                .timeout = cases[i].timeout,
                                .service = bytes_of_text(cases[i].service),
                                .method = bytes_of_text(cases[i].method)};
        kit_peer_send_packets(peer, &packet, 1);
        kit_peer_expect(peer, PACKET_ERROR, &packet);
        if (packet.status != cases[i].status)
            fail_msg("case %zu: answered %s", i,
                     busbar_status_name((enum busbar_status)packet.status));
        assert_int_equal(packet.id, i);
        assert_int_equal(packet.fate, BUSBAR_NOT_EXECUTED);
    }
    kit_expect_alive(kit, broker);
}

/* Containers that claim ten million elements, and bodies that are no value at all. */
static const struct {
    const char *bytes;
    size_t size;
} liars[] = {
    {"\xdd\x00\x98\x96\x80", 5},
    {"\xdf\x00\x98\x96\x80", 5},
    {"\xdb\x7f\xff\xff\xff", 5},
    {"\x91\x91\x91\x91\xdd\xff\xff\xff\xff", 9},
    {"\xc1", 1},
    {"", 0},
    {"\xa3nul tail", 9},
    {"\xa2\xff\xff", 3},
};

static void bodies_that_claim_millions_of_elements_cost_nothing(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    struct packet packet;
    kit_peer_join(peer);
    size_t before = kit_rss_kib(broker->pid);
    for (size_t i = 0; i < COUNT(liars) * 100; i++) {
        struct bytes body = {(const uint8_t *)liars[i % COUNT(liars)].bytes,
                             liars[i % COUNT(liars)].size};
        const struct packet packets[] = {
            {.command = PACKET_CALL,
             .id = i,
             .timeout = 1000,
             .encoding = PACKET_MESSAGEPACK,
             .service = bytes_of_text("bus"),
             .method = bytes_of_text("describe"),
             .body = body},
            {.command = PACKET_REGISTER, .id = i, .service = bytes_of_text("liar"), .body = body},
        };
        kit_peer_send_packets(peer, packets, COUNT(packets));
        kit_peer_expect(peer, PACKET_ERROR, &packet);
        assert_int_equal(packet.status, BUSBAR_BAD_REQUEST);
        kit_peer_expect(peer, PACKET_REFUSED, &packet);
        assert_int_equal(packet.status, BUSBAR_BAD_REQUEST);
    }
    kit_expect_small(broker->pid, before);
    kit_expect_alive(kit, broker);
}

static void reserved_and_bad_names_cannot_be_registered(void **state)
{
    static const char *const names[] = {"bus", "bus.x", "mmi.service", "titanic.request", "_x", "",
                                        "a b", "a/b",   "-a"};
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    struct kit_peer *peer = kit_peer(kit);
    /* {"methods": [{"name": "m"}]} */
    static const char body[] = "\x81\xa7methods\x91\x81\xa4name\xa1m";
    kit_peer_join(peer);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct packet packet = {.command = PACKET_REGISTER,
                                .id = i,
                                .encoding = PACKET_MESSAGEPACK,
                                .service = bytes_of_text(names[i]),
                                .body = {(const uint8_t *)body, sizeof body - 1}};
        kit_peer_send_packets(peer, &packet, 1);
        kit_peer_expect(peer, PACKET_REFUSED, &packet);
        assert_int_equal(packet.id, i);
        assert_true(packet.status == BUSBAR_BAD_REQUEST || packet.status == BUSBAR_DENIED ||
                    packet.status == BUSBAR_CONFLICT);
        assert_true(packet.body.size > 0);
    }
    kit_expect_alive(kit, broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(messages_that_are_no_bundles_are_counted_and_answered),
        KIT_TEST(messages_with_a_wrong_number_of_frames_are_refused),
        KIT_TEST(packets_without_a_session_get_a_reset_and_are_not_executed),
        KIT_TEST(commands_that_are_unknown_here_are_unsupported),
        KIT_TEST(replies_that_nobody_asked_for_reach_nobody),
        KIT_TEST(calls_with_bad_fields_get_one_answer_each),
        KIT_TEST(bodies_that_claim_millions_of_elements_cost_nothing),
        KIT_TEST(reserved_and_bad_names_cannot_be_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
