/* The scene of tests with a worker and a client by hand. */
#include "tests/kit/scene.h"

/* {"methods": [{"name": "m"}]}, and with "caller": true. */
const struct bytes scene_plain = SCENE_BYTES("\x81\xa7methods\x91\x81\xa4name\xa1m");
const struct bytes scene_curious = SCENE_BYTES("\x82\xa6"
                                               "caller\xc3\xa7methods\x91\x81\xa4name\xa1m");

void scene_register(struct kit_peer *worker, struct bytes body)
{
    struct packet packet = {.command = PACKET_REGISTER,
                            .id = 1,
                            .encoding = PACKET_MESSAGEPACK,
                            .service = bytes_of_text("hand"),
                            .body = body};
    kit_peer_send_packets(worker, &packet, 1);
    kit_peer_expect(worker, PACKET_REGISTERED, &packet);
    kit_peer_send_packets(worker, &(struct packet){.command = PACKET_CREDIT, .id = 10}, 1);
}

void scene_init(struct scene *scene, struct kit *kit, struct bytes registration)
{
    *scene = (struct scene){.kit = kit, .broker = kit_broker(kit, NULL)};
    scene->worker = kit_peer(kit);
    scene->client = kit_peer(kit);
    kit_peer_join(scene->worker);
    kit_peer_join(scene->client);
    scene_register(scene->worker, registration);
}

struct packet scene_packet(uint64_t id, uint8_t flags, struct bytes metadata)
{
    return (struct packet){.command = PACKET_CALL,
                           .flags = flags,
                           .id = id,
                           .timeout = 20000,
                           .service = bytes_of_text("hand"),
                           .method = bytes_of_text("m"),
                           .metadata = metadata};
}

void scene_say(struct kit_peer *peer, uint8_t command, uint64_t id, uint32_t timeout)
{
    const struct packet packet = {
        .command = command, .id = id, .timeout = timeout, .body = bytes_of_text("x")};
    kit_peer_send_packets(peer, &packet, 1);
}

void scene_call(struct scene *scene, uint8_t flags, struct bytes metadata)
{
    struct packet packet = scene_packet(SCENE_CALL_ID, flags, metadata);
    kit_peer_send_packets(scene->client, &packet, 1);
    kit_peer_expect(scene->worker, PACKET_CALL, &packet);
    assert_int_equal(packet.flags, flags);
    scene->id = packet.id;
}

void scene_expect_error(struct kit_peer *peer, uint64_t id, enum busbar_status status,
                        enum busbar_fate fate)
{
    struct packet packet;
    kit_peer_expect(peer, PACKET_ERROR, &packet);
    if (packet.status != status || packet.fate != fate || packet.id != id)
        fail_msg("%s, fate %u, id %llu: %.*s",
                 busbar_status_name((enum busbar_status)packet.status), packet.fate,
                 (unsigned long long)packet.id, (int)packet.body.size,
                 (const char *)packet.body.data);
}

void scene_finish(struct scene *scene)
{
    struct packet packet;
    scene_say(scene->worker, PACKET_REPLY, scene->id, 0);
    kit_peer_expect(scene->client, PACKET_REPLY, &packet);
    assert_int_equal(packet.id, SCENE_CALL_ID);
    assert_int_equal(packet.flags, 0);
    assert_int_equal(packet.fate, BUSBAR_EXECUTED);
    assert_true(kit_is_running(scene->broker));
}
