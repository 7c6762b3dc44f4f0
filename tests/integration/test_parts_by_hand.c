/* Parts, grants and progress packet by packet, and those that make no sense. */
#include <string.h>

#include "protocol/session.h"
#include "tests/kit/scene.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    NOTHING_MS = 100, /* how long nothing must come */
};

static void parts_arrive_in_order_within_what_was_granted(void **state)
{
    struct scene scene;
    struct packet packet;
    scene_init(&scene, *state, scene_plain);
    scene_call(&scene, PACKET_STREAM, SCENE_BYTES("\5\0\4\0\2\0\0\0")); /* WINDOW 2 */
    for (uint32_t i = 0; i < 2; i++) {
        scene_say(scene.worker, PACKET_PART, scene.id, 0);
        kit_peer_expect(scene.client, PACKET_PART, &packet);
        assert_int_equal(packet.id, SCENE_CALL_ID);
    }
    scene_say(scene.client, PACKET_GRANT, SCENE_CALL_ID, 3);
    kit_peer_expect(scene.worker, PACKET_GRANT, &packet);
    assert_true(packet.id == scene.id);
    assert_int_equal(packet.timeout, 3);
    scene_say(scene.worker, PACKET_PART, scene.id, 0);
    kit_peer_expect(scene.client, PACKET_PART, &packet);
    scene_say(scene.worker, PACKET_PROGRESS, scene.id, 500);
    kit_peer_expect(scene.client, PACKET_PROGRESS, &packet);
    assert_int_equal(packet.id, SCENE_CALL_ID);
    assert_int_equal(packet.timeout, 500);
    scene_finish(&scene);
}

static void a_part_that_was_not_granted_ends_the_call(void **state)
{
    static const struct {
        uint8_t flags;
        struct bytes metadata;
        unsigned granted;
    } cases[] = {
        {0, SCENE_BYTES(""), 0},                             /* it takes none */
        {PACKET_STREAM, SCENE_BYTES("\5\0\4\0\0\0\0\0"), 0}, /* WINDOW 0 */
        {PACKET_STREAM, SCENE_BYTES("\5\0\4\0\3\0\0\0"), 3}, /* WINDOW 3 */
        {PACKET_STREAM, SCENE_BYTES(""), 16},                /* no WINDOW */
        {PACKET_STREAM, SCENE_BYTES("\5\0\2\0\3\0"), 16},    /* WINDOW of a wrong size */
        {PACKET_STREAM, SCENE_BYTES("\5\0\4\0\3\0"), 16},    /* WINDOW that does not fit */
    };
    struct scene scene;
    struct packet packet;
    scene_init(&scene, *state, scene_plain);
    for (size_t i = 0; i < COUNT(cases); i++) {
        scene_call(&scene, cases[i].flags, cases[i].metadata);
        for (unsigned part = 0; part < cases[i].granted; part++) {
            scene_say(scene.worker, PACKET_PART, scene.id, 0);
            kit_peer_expect(scene.client, PACKET_PART, &packet);
        }
        scene_say(scene.worker, PACKET_PART, scene.id, 0);
        scene_expect_error(scene.client, SCENE_CALL_ID, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED);
        kit_peer_expect(scene.worker, PACKET_CANCEL, &packet);
        assert_true(packet.id == scene.id);
        scene_say(scene.worker, PACKET_PART, scene.id, 0); /* the call is over: it goes nowhere */
        scene_say(scene.worker, PACKET_REPLY, scene.id, 0);
        kit_peer_expect_none(scene.client, PACKET_PART, NOTHING_MS);
    }
    scene_call(&scene, 0, SCENE_BYTES(""));
    scene_finish(&scene);
}

static void what_is_said_of_calls_of_others_does_nothing(void **state)
{
    static const uint8_t commands[] = {PACKET_PART, PACKET_PROGRESS, PACKET_GRANT, PACKET_REPLY,
                                       PACKET_CANCEL};
    struct scene scene;
    scene_init(&scene, *state, scene_plain);
    struct kit_peer *stranger = kit_peer(scene.kit);
    kit_peer_join(stranger);
    scene_register(stranger, scene_plain); /* a worker, of the same service even */
    kit_peer_send_packets(stranger, &(struct packet){.command = PACKET_CREDIT, .id = 0}, 1);
    scene_call(&scene, PACKET_STREAM, SCENE_BYTES(""));
    for (size_t i = 0; i < COUNT(commands); i++) {
        scene_say(stranger, commands[i], scene.id, 5);
        scene_say(stranger, commands[i], SCENE_CALL_ID, 5);
        scene_say(scene.worker, commands[i], ~scene.id, 5);
        scene_say(scene.client, commands[i], SCENE_CALL_ID + 1, 5);
    }
    kit_peer_expect_none(scene.worker, PACKET_GRANT, NOTHING_MS);
    kit_peer_expect_none(scene.client, PACKET_PART, NOTHING_MS);
    kit_peer_expect_none(scene.worker, PACKET_CANCEL, NOTHING_MS);
    kit_peer_expect_none(scene.client, PACKET_PROGRESS, NOTHING_MS);
    scene_finish(&scene);
}

static void a_grant_of_more_than_can_be_counted_is_no_harm(void **state)
{
    struct scene scene;
    struct packet packet;
    scene_init(&scene, *state, scene_plain);
    scene_call(&scene, PACKET_STREAM, SCENE_BYTES("\5\0\4\0\xff\xff\xff\xff"));
    for (int i = 0; i < 3; i++)
        scene_say(scene.client, PACKET_GRANT, SCENE_CALL_ID, UINT32_MAX);
    scene_say(scene.client, PACKET_GRANT, SCENE_CALL_ID, 0);
    for (int i = 0; i < 20; i++) {
        scene_say(scene.worker, PACKET_PART, scene.id, 0);
        kit_peer_expect(scene.client, PACKET_PART, &packet);
    }
    scene_finish(&scene);
}

static void the_new_commands_need_a_session(void **state)
{
    static const uint8_t commands[] = {PACKET_PART, PACKET_GRANT, PACKET_PROGRESS};
    struct kit_process *broker = kit_broker(*state, NULL);
    struct kit_peer *peer = kit_peer(*state);
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct packet packet;
        struct reset reset;
        scene_say(peer, commands[i], 100 + i, 1);
        kit_peer_expect(peer, PACKET_RESET, &packet);
        assert_true(reset_read(packet.body, &reset));
        assert_int_equal(packet.id, 100 + i);
        assert_int_equal(reset.command, commands[i]);
    }
    assert_true(kit_is_running(broker));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(parts_arrive_in_order_within_what_was_granted),
        KIT_TEST(a_part_that_was_not_granted_ends_the_call),
        KIT_TEST(what_is_said_of_calls_of_others_does_nothing),
        KIT_TEST(a_grant_of_more_than_can_be_counted_is_no_harm),
        KIT_TEST(the_new_commands_need_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
