/* The router under test, its peers with their outboxes, and the model that judges it. */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "broker/router.h"
#include "tests/simulation/model.h"

enum {
    STALE = 2048,          /* worker-side ids that are over, to be answered again */
    BODY_LIMIT = 600,      /* of the router; larger ones are refused */
    BODY_MOST = 700,       /* that a client or worker makes */
    DUE_MOST = 48,         /* packets a blocked peer may be due before it is cut */
    RUN_EVENTS = 150000,   /* at most, of one run of the broker */
    PROFILE_EVENTS = 4000, /* at most, until peers behave otherwise */
    WHEEL_OF_EVENTS = 256,
    METADATA_MOST = 256,
};

struct outbox_state {
    bool blocked; /* nothing leaves */
    bool cut;     /* more was due than may be: it dies at the end of the event */
    uint32_t due; /* packets that did not leave */
};

struct world {
    struct router router;
    struct counters counters;
    struct peer peers[PEERS];
    struct outbox_state outbox[PEERS];
    uint64_t next_id[PEERS]; /* of its next call */
    struct model model;
    uint64_t now;
    uint64_t random;
    struct service_rule rules[SERVICES];
    uint64_t blobs; /* bodies that the router may still refer to */
    uint64_t stale[STALE];
    uint32_t stale_count;
    uint64_t events;
    uint64_t run_until;             /* number of the event at which the broker restarts */
    uint64_t profile_until;         /* and at which the profile changes */
    uint8_t wheel[WHEEL_OF_EVENTS]; /* kinds of event, in proportion to their weight */
    uint8_t body[BODY_MOST];
    uint8_t loud; /* a client that makes nearly all calls; or NOBODY */
    uint32_t credit_most;
    uint32_t timeout_most;
    uint32_t step_most;     /* ms */
    struct counters totals; /* of all brokers so far */
    struct seen {
        uint64_t unnamed;    /* calls of methods that nobody offers, given to one who takes all */
        uint64_t blanked;    /* calls of methods whose worker was told none */
        uint64_t by_anybody; /* calls without a method, given to one who knows some alone */
    } seen;
    uint64_t restarts;
    uint64_t deaths;
    uint64_t cuts;
};

static inline uint64_t world_random(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static inline uint32_t pick(struct world *world, uint32_t count)
{
    return (uint32_t)(world_random(world) % count);
}

static inline bool one_in(struct world *world, uint32_t count)
{
    return pick(world, count) == 0;
}

/* A broker of random limits starts, and all peers have a session with it. */
void world_open(struct world *world);
/* All sessions end and the router is empty. */
void world_close(struct world *world);

/* One random event, judged. */
void world_step(struct world *world);

/* A session ends: what did not leave its outbox is given back as the broker does it. */
void world_kill(struct world *world, uint8_t peer);

/* Compares the tables of both, and what was counted. */
void world_check(struct world *world);

/* The request of a call: as its client sends it, or as a worker has it and gives it back. The bytes
 * are in `space`. */
struct space {
    uint8_t metadata[METADATA_MOST];
    uint8_t body[BODY_MOST];
};
struct packet world_asked(const struct model_call *call, struct space *space);
struct packet world_request(const struct model_call *call, struct space *space);
/* Mostly one whose name everybody may say. */
uint8_t pick_service(struct world *world);
struct bytes service_name(uint8_t service);
struct bytes method_name_of(uint8_t method);
/* Its number, or a failure. */
uint8_t service_of(struct bytes name);
uint8_t method_of(struct bytes name);
/* A body as a frame of its own. */
struct blob *world_blob(struct world *world, const uint8_t *bytes, size_t size);
void world_remember(struct world *world, uint64_t id);

/* Takes what the router sends. */
void world_sent(void *context, struct peer *to, const struct packet *packet, struct blob *attached);

#endif
