/* Raw peers on czmq. */
#include "tests/kit/peer.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session.h"
#include "tests/kit/internal.h"

struct kit_peer {
    struct kit_peer *next;
    zsock_t *socket;
    zmsg_t *message; /* received last; its packets are being read */
    struct bundle_reader reader;
    bool reading;
};

struct kit_peer *kit_peer(struct kit *kit)
{
    assert_non_null(kit->endpoint);
    zsys_handler_set(NULL);
    struct kit_peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->socket = zsock_new_dealer(NULL);
    assert_non_null(peer->socket);
    zsock_set_linger(peer->socket, 0);
    zsock_set_sndhwm(peer->socket, 0);
    zsock_set_rcvhwm(peer->socket, 0);
    assert_int_equal(zsock_connect(peer->socket, "%s", kit->endpoint), 0);
    peer->next = kit->peers;
    kit->peers = peer;
    return peer;
}

static void peer_free(struct kit_peer *peer)
{
    zmsg_destroy(&peer->message);
    zsock_destroy(&peer->socket);
    free(peer);
}

void kit_peer_end(struct kit *kit, struct kit_peer **peer)
{
    struct kit_peer **place = &kit->peers;
    while (*place != *peer)
        place = &(*place)->next;
    *place = (*peer)->next;
    peer_free(*peer);
    *peer = NULL;
}

void kit_end_peers(struct kit *kit)
{
    while (kit->peers != NULL) {
        struct kit_peer *peer = kit->peers;
        kit_peer_end(kit, &peer);
    }
}

void kit_peer_send_frame(struct kit_peer *peer, struct bytes bytes, bool more)
{
    zframe_t *frame = zframe_new(bytes.data, bytes.size);
    assert_non_null(frame);
    assert_int_equal(zframe_send(&frame, peer->socket, more ? ZFRAME_MORE : 0), 0);
}

void kit_peer_send(struct kit_peer *peer, const void *frame, size_t size)
{
    kit_peer_send_frame(peer, (struct bytes){frame, size}, false);
}

void kit_peer_send_two(struct kit_peer *peer, struct bytes first, struct bytes second)
{
    kit_peer_send_frame(peer, first, true);
    kit_peer_send_frame(peer, second, false);
}

void kit_peer_send_packets(struct kit_peer *peer, const struct packet *packets, size_t count)
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
    kit_peer_send(peer, bundle, size);
    free(bundle);
}

void kit_peer_hello(struct kit_peer *peer)
{
    struct hello hello = {.capabilities = 0};
    for (size_t i = 0; i < sizeof hello.instance; i++)
        hello.instance[i] = (uint8_t)random();
    memcpy(hello.instance, &peer, sizeof peer); /* no two peers of a test are the same */
    uint8_t body[HELLO_SIZE];
    hello_write(body, &hello);
    const struct packet packet = {.command = PACKET_HELLO, .body = {body, sizeof body}};
    kit_peer_send_packets(peer, &packet, 1);
}

uint64_t kit_peer_join(struct kit_peer *peer)
{
    struct packet packet;
    struct welcome welcome;
    kit_peer_hello(peer);
    kit_peer_expect(peer, PACKET_WELCOME, &packet);
    assert_true(welcome_read(&packet, &welcome));
    return welcome.epoch;
}

static struct bytes frame_bytes(zframe_t *frame)
{
    return (struct bytes){zframe_data(frame), zframe_size(frame)};
}

/* Opens the next message that comes as a bundle. */
static bool next_message(struct kit_peer *peer, unsigned timeout_ms)
{
    zmsg_destroy(&peer->message);
    zsock_set_rcvtimeo(peer->socket, (int)timeout_ms);
    peer->message = zmsg_recv(peer->socket);
    if (peer->message == NULL)
        return false;
    zframe_t *first = zmsg_first(peer->message);
    zframe_t *second = zmsg_next(peer->message);
    struct bytes attachment;
    if (second != NULL)
        attachment = frame_bytes(second);
    enum packet_error error = bundle_open(&peer->reader, frame_bytes(first),
                                          second != NULL ? &attachment : NULL);
    if (error != PACKET_ERROR_NONE)
        fail_msg("the broker sent what is no bundle: %s", packet_error_text(error));
    return true;
}

bool kit_peer_receive(struct kit_peer *peer, struct packet *ret, unsigned timeout_ms)
{
    if (!peer->reading || bundle_is_done(&peer->reader)) {
        peer->reading = next_message(peer, kit_time(timeout_ms));
        if (!peer->reading || bundle_is_done(&peer->reader))
            return false;
    }
    enum packet_error error = bundle_read(&peer->reader, ret);
    if (error != PACKET_ERROR_NONE)
        fail_msg("the broker sent a bad packet: %s", packet_error_text(error));
    return true;
}

void kit_peer_expect(struct kit_peer *peer, uint8_t command, struct packet *ret)
{
    uint64_t until = kit_now_ms() + kit_time(5000);
    while (kit_now_ms() < until) {
        if (kit_peer_receive(peer, ret, 1000) && ret->command == command)
            return;
    }
    fail_msg("no %s came", packet_command_name(command));
}

void kit_peer_expect_none(struct kit_peer *peer, uint8_t command, unsigned timeout_ms)
{
    uint64_t until = kit_now_ms() + timeout_ms;
    struct packet packet;
    for (uint64_t now; (now = kit_now_ms()) < until;) {
        if (kit_peer_receive(peer, &packet, (unsigned)(until - now)) && packet.command == command)
            fail_msg("a %s came", packet_command_name(command));
    }
}
