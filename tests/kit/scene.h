/* A broker, a worker and a client that say what a test tells them, packet by packet. */
#ifndef TESTS_KIT_SCENE_H
#define TESTS_KIT_SCENE_H

#include <busbar/status.h>

#include "tests/kit/kit.h"
#include "tests/kit/peer.h"

#define SCENE_BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

enum {
    SCENE_CALL_ID = 7,
};

struct scene {
    struct kit *kit;
    struct kit_process *broker;
    struct kit_peer *worker;
    struct kit_peer *client;
    uint64_t id; /* under which the worker has the client's call */
};

/* Registrations of the method `m`; the second asks who calls. */
extern const struct bytes scene_plain;
extern const struct bytes scene_curious;

/* Starts a broker, and a worker of the service `hand` with a credit of 10. */
void scene_init(struct scene *scene, struct kit *kit, struct bytes registration);

/* Another worker of `hand`. */
void scene_register(struct kit_peer *worker, struct bytes body);

/* A CALL of `hand` `m`, not sent yet. */
struct packet scene_packet(uint64_t id, uint8_t flags, struct bytes metadata);

/* A packet of a few fields and a body of one byte. */
void scene_say(struct kit_peer *peer, uint8_t command, uint64_t id, uint32_t timeout);

/* The client calls and the worker has it. */
void scene_call(struct scene *scene, uint8_t flags, struct bytes metadata);

/* The next ERROR must be this one. */
void scene_expect_error(struct kit_peer *peer, uint64_t id, enum busbar_status status,
                        enum busbar_fate fate);

/* The broker still serves: the call under way is answered. */
void scene_finish(struct scene *scene);

#endif
