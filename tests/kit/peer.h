/* A raw DEALER with no manners: sends what it is told, byte by byte, and reads answers. */
#ifndef TESTS_KIT_PEER_H
#define TESTS_KIT_PEER_H

#include "protocol/packet.h"
#include "tests/kit/kit.h"

struct kit_peer;

/* Connects to the broker started last. Ended by the kit, or before. */
struct kit_peer *kit_peer(struct kit *kit);
void kit_peer_end(struct kit *kit, struct kit_peer **peer);

/* One message of one frame, or of two if `second` is not NULL. */
void kit_peer_send(struct kit_peer *peer, const void *frame, size_t size);
void kit_peer_send_two(struct kit_peer *peer, struct bytes first, struct bytes second);

/* One frame that more will follow (`more`), or not. */
void kit_peer_send_frame(struct kit_peer *peer, struct bytes frame, bool more);

/* A bundle of packets, whatever their numbers are. */
void kit_peer_send_packets(struct kit_peer *peer, const struct packet *packets, size_t count);

/* HELLO with a random instance. */
void kit_peer_hello(struct kit_peer *peer);

/* HELLO, and waits for WELCOME; its epoch. */
uint64_t kit_peer_join(struct kit_peer *peer);

/*
 * The next packet; false if none came in time. It lives until the peer receives or ends. A bundle's
 * packets come one by one.
 */
bool kit_peer_receive(struct kit_peer *peer, struct packet *ret, unsigned timeout_ms);

/* Receives until a packet of that command comes; fails if it does not. */
void kit_peer_expect(struct kit_peer *peer, uint8_t command, struct packet *ret);

/* Fails if any packet of that command comes within the time. */
void kit_peer_expect_none(struct kit_peer *peer, uint8_t command, unsigned timeout_ms);

#endif
