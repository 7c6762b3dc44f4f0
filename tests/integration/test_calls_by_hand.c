/* Oneway calls, metadata, calls of the bus and of a broker that settles, packet by packet. */
#include <string.h>

#include "protocol/metadata.h"
#include "protocol/session.h"
#include "tests/kit/scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    WAIT_MS = 20000,  /* for anything to happen, on a machine that has other work */
    NOTHING_MS = 100, /* how long nothing must come */
};

/* Metadata -------------------------------------------------------------------------------------- */

static void metadata_decide_of_a_call_at_the_door(void **state)
{
    static const struct {
        const char *service;
        struct bytes metadata;
        enum busbar_status status; /* OK: it reaches the worker */
    } cases[] = {
        {"hand", SCENE_BYTES("\6\0\0\0"), BUSBAR_BAD_REQUEST}, /* CALLER, even if it is none */
        {"hand", SCENE_BYTES("\0\x80\0\0\6\0\2\0ab"), BUSBAR_BAD_REQUEST},
        {"bus", SCENE_BYTES("\6\0\0\0"), BUSBAR_BAD_REQUEST},
        {"hand", SCENE_BYTES("\2\0\1\0\x20"), BUSBAR_OK}, /* HOPS 32 */
        {"hand", SCENE_BYTES("\2\0\1\0\x21"), BUSBAR_LOOP},
        {"hand", SCENE_BYTES("\2\0\1\0\xff"), BUSBAR_LOOP},
        {"hand", SCENE_BYTES("\2\0\1\0\1\2\0\1\0\xff"), BUSBAR_OK}, /* the first counts */
        {"hand", SCENE_BYTES("\2\0\2\0\xff\xff"), BUSBAR_OK},       /* of a wrong size */
        {"hand", SCENE_BYTES("\2\0\1"), BUSBAR_OK},                 /* no entry */
        {"hand", SCENE_BYTES("\1\0\0\0\3\0\0\0"), BUSBAR_OK},       /* ITEM and KEY of nothing */
        {"nobody", SCENE_BYTES("\4\0\4\0\0\0\0\0"), BUSBAR_NO_SERVICE},   /* WAIT 0 */
        {"nobody", SCENE_BYTES("\4\0\4\0\x32\0\0\0"), BUSBAR_NO_SERVICE}, /* WAIT 50 ms */
        {"nobody", SCENE_BYTES("\4\0\2\0\xff\xff"), BUSBAR_NO_SERVICE},
    };
    struct scene scene;
    scene_init(&scene, *state, scene_plain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct packet packet = scene_packet(SCENE_CALL_ID, 0, cases[i].metadata);
        packet.service = bytes_of_text(cases[i].service);
        kit_peer_send_packets(scene.client, &packet, 1);
        if (cases[i].status != BUSBAR_OK) {
            scene_expect_error(scene.client, SCENE_CALL_ID, cases[i].status, BUSBAR_NOT_EXECUTED);
            continue;
        }
        kit_peer_expect(scene.worker, PACKET_CALL, &packet);
        assert_int_equal(packet.metadata.size, cases[i].metadata.size);
        assert_memory_equal(packet.metadata.data, cases[i].metadata.data, packet.metadata.size);
        scene.id = packet.id;
        scene_finish(&scene);
    }
}

static void a_worker_that_asks_is_told_who_calls(void **state)
{
    static const uint8_t flags[] = {0, 0, PACKET_ONEWAY};
    static const struct bytes items[] = {SCENE_BYTES(""), SCENE_BYTES("\1\0\3\0\1ab"),
                                         SCENE_BYTES("\0\x80\0\0")};
    struct metadata_caller first = {0};
    struct scene scene;
    scene_init(&scene, *state, scene_curious);
    for (size_t i = 0; i < COUNT(flags); i++) {
        struct metadata_caller caller;
        struct packet packet = scene_packet(SCENE_CALL_ID, flags[i], items[i]);
        kit_peer_send_packets(scene.client, &packet, 1);
        kit_peer_expect(scene.worker, PACKET_CALL, &packet);
        assert_true(metadata_find_caller(packet.metadata, &caller));
        assert_int_equal(caller.name.size, 0);
        if (i == 0)
            first = caller;
        assert_true(caller.session > 0 && caller.session == first.session);
        assert_memory_equal(caller.instance, first.instance, sizeof caller.instance);
        size_t added = METADATA_ENTRY_HEADER + METADATA_CALLER_SIZE;
        assert_int_equal(packet.metadata.size, added + items[i].size);
        assert_memory_equal(packet.metadata.data + added, items[i].data, items[i].size);
        scene_say(scene.worker, PACKET_REPLY, packet.id, 0);
    }
    assert_true(kit_is_running(scene.broker));
}

/* Oneway ---------------------------------------------------------------------------------------- */

static void a_oneway_call_is_answered_once_and_outlives_its_client(void **state)
{
    struct scene scene;
    struct packet packet;
    scene_init(&scene, *state, scene_plain);
    scene_call(&scene, PACKET_ONEWAY, SCENE_BYTES(""));
    kit_peer_expect(scene.client, PACKET_REPLY, &packet);
    assert_int_equal(packet.id, SCENE_CALL_ID);
    assert_int_equal(packet.flags, PACKET_ONEWAY);
    assert_int_equal(packet.fate, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(packet.body.size, 0);
    scene_say(scene.client, PACKET_CANCEL, SCENE_CALL_ID, 0);
    kit_peer_expect_none(scene.worker, PACKET_CANCEL, NOTHING_MS);
    kit_peer_send_packets(scene.client, &(struct packet){.command = PACKET_BYE}, 1);
    kit_peer_expect_none(scene.worker, PACKET_CANCEL, NOTHING_MS);
    scene_say(scene.worker, PACKET_REPLY, scene.id, 0);
    KIT_EVENTUALLY(kit_counter(scene.kit, "oneway_done") == 1, WAIT_MS);
}

static void a_oneway_call_of_the_bus_is_answered_as_any_other(void **state)
{
    struct scene scene;
    struct packet packet = scene_packet(SCENE_CALL_ID, PACKET_ONEWAY, SCENE_BYTES(""));
    scene_init(&scene, *state, scene_plain);
    packet.service = bytes_of_text("bus");
    packet.method = bytes_of_text("stats");
    kit_peer_send_packets(scene.client, &packet, 1);
    kit_peer_expect(scene.client, PACKET_REPLY, &packet);
    assert_int_equal(packet.flags, PACKET_ONEWAY);
    assert_int_equal(packet.fate, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(packet.body.size, 0);
    packet = scene_packet(SCENE_CALL_ID, PACKET_ONEWAY, SCENE_BYTES(""));
    packet.service = bytes_of_text("nobody");
    kit_peer_send_packets(scene.client, &packet, 1);
    scene_expect_error(scene.client, SCENE_CALL_ID, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
}

/* The bus --------------------------------------------------------------------------------------- */

static void drain_takes_three_arguments_of_its_types(void **state)
{
    static const struct {
        struct bytes body;
        enum packet_encoding encoding;
        enum busbar_status status;
    } cases[] = {
        {SCENE_BYTES(""), PACKET_RAW, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("hand"), PACKET_RAW, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES(""), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\xa4hand"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x90"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x91\xa4hand"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x92\xa4hand\0"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x94\xa4hand\0\xc3\xc3"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa4hand\xff\xc3"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa4hand\xa1\x31\xc3"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa4hand\0\1"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa4hand\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc3"), PACKET_MESSAGEPACK,
         BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\0\0\xc3"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa3no \0\xc3"), PACKET_MESSAGEPACK, BUSBAR_BAD_REQUEST},
        {SCENE_BYTES("\x93\xa6nobody\0\xc3"), PACKET_MESSAGEPACK, BUSBAR_NO_SERVICE},
        {SCENE_BYTES("\x93\xa3"
                     "bus\0\xc3"),
         PACKET_MESSAGEPACK, BUSBAR_NO_SERVICE},
        {SCENE_BYTES("\x93\xa4hand\xcd\xff\xff\xc3"), PACKET_MESSAGEPACK, BUSBAR_NO_SERVICE},
    };
    struct scene scene;
    struct packet packet;
    scene_init(&scene, *state, scene_plain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        packet = scene_packet(i, 0, SCENE_BYTES(""));
        packet.service = bytes_of_text("bus");
        packet.method = bytes_of_text("drain");
        packet.encoding = cases[i].encoding;
        packet.body = cases[i].body;
        kit_peer_send_packets(scene.client, &packet, 1);
        scene_expect_error(scene.client, i, cases[i].status, BUSBAR_NOT_EXECUTED);
    }
    scene_call(&scene, 0, SCENE_BYTES("")); /* nothing was drained */
    scene_finish(&scene);
}

/* Settling -------------------------------------------------------------------------------------- */

static void hello_again(struct kit_peer *peer, uint64_t last_epoch)
{
    uint8_t body[HELLO_SIZE];
    struct hello hello = {.instance = "again", .last_epoch = last_epoch};
    struct packet packet = {.command = PACKET_HELLO, .body = {body, sizeof body}};
    hello_write(body, &hello);
    kit_peer_send_packets(peer, &packet, 1);
    kit_peer_expect(peer, PACKET_WELCOME, &packet);
}

/* One who knew the broker's last run shows that its workers may be on their way. */
static void after_a_restart_calls_wait_for_the_workers_of_the_run_before(void **state)
{
    struct kit *kit = *state;
    struct packet packet = scene_packet(SCENE_CALL_ID, 0, SCENE_BYTES(""));
    const char *path = kit_file(kit, "settle.yaml", "wait: {settle: 20s}\n");
    struct kit_process *broker = kit_broker(kit, "--config", path, NULL);
    struct kit_peer *client = kit_peer(kit);
    struct kit_peer *worker = kit_peer(kit);
    kit_peer_join(client);
    kit_peer_send_packets(client, &packet, 1);
    scene_expect_error(client, SCENE_CALL_ID, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    for (int i = 0; i < 3; i++)
        hello_again(client, 12345);
    kit_wait_for_text(broker, " info broker_settling ms=", WAIT_MS);
    packet = scene_packet(SCENE_CALL_ID, 0, SCENE_BYTES(""));
    kit_peer_send_packets(client, &packet, 1);
    kit_peer_expect_none(client, PACKET_ERROR, NOTHING_MS);
    kit_peer_join(worker);
    scene_register(worker, scene_plain);
    kit_peer_expect(worker, PACKET_CALL, &packet);
    scene_say(worker, PACKET_REPLY, packet.id, 0);
    kit_peer_expect(client, PACKET_REPLY, &packet);
    kit_read(broker);
    const char *first = strstr(broker->err, "broker_settling");
    assert_null(strstr(first + 1, "broker_settling")); /* told once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(metadata_decide_of_a_call_at_the_door),
        KIT_TEST(a_worker_that_asks_is_told_who_calls),
        KIT_TEST(a_oneway_call_is_answered_once_and_outlives_its_client),
        KIT_TEST(a_oneway_call_of_the_bus_is_answered_as_any_other),
        KIT_TEST(drain_takes_three_arguments_of_its_types),
        KIT_TEST(after_a_restart_calls_wait_for_the_workers_of_the_run_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
