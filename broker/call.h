/* The in-flight table: every call without outcome, by slot and generation. */
#ifndef BROKER_CALL_H
#define BROKER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/wheel.h"
#include "protocol/packet.h"

struct blob;
struct export;
struct lane;
struct method;
struct peer;

enum {
    CALL_SLOT_BITS = 24,
    CALL_SLOTS_MAX = 1 << CALL_SLOT_BITS,
};

enum call_state {
    CALL_FREE,
    CALL_QUEUED,
    CALL_RUNNING,   /* a worker has it */
    CALL_ABANDONED, /* a worker has it, and nobody waits for it any more */
};

/* The bytes of a request while they must outlive the message they came in. */
struct kept {
    struct blob *attached; /* the body, if it came as a frame of its own */
    size_t metadata_size;
    size_t body_size; /* in `data`, after the metadata */
    uint8_t data[];
};

struct call {
    uint32_t slot;
    uint8_t state;
    uint8_t attempts; /* times given to a worker and not returned by it */
    uint8_t encoding;
    bool idempotent; /* as the worker that has it declared the method */
    uint64_t generation;
    uint64_t client_id;
    struct peer *client; /* NULL once abandoned */
    struct peer *worker; /* NULL while queued */
    struct method *method;
    struct kept *kept;        /* while queued, and while running if idempotent; else NULL */
    struct list of_client;    /* peer.calls */
    struct list place;        /* lane.calls or peer.running */
    struct lane *lane;        /* while queued */
    uint64_t sequence;        /* order of arrival, for the backlog */
    struct map_node by_id;    /* peer.by_id, if that is in use */
    struct wheel_timer timer; /* the deadline */
    struct call *next_free;
};

struct call_table {
    struct call **chunks;
    size_t chunk_count;
    struct call *free;
    size_t count; /* not free */
};

/* Generations start at a random value, so that ids of an earlier run of the broker match nothing. */
bool call_table_init(struct call_table *table);
void call_table_fini(struct call_table *table);

/* A slot in use, all members but slot, generation and timer cleared; NULL if none can be had. */
struct call *call_table_take(struct call_table *table);

/* Frees the slot; its id is never seen again. */
void call_table_put(struct call_table *table, struct call *call);

/* The id that travels to the worker: slot | generation << 24. */
static inline uint64_t call_id(const struct call *call)
{
    return call->slot | call->generation << CALL_SLOT_BITS;
}

/* The call a worker-side id names, or NULL if it is over or never was. */
struct call *call_table_find(const struct call_table *table, uint64_t id);

/* Copies what a request must be kept by; NULL when out of memory. */
struct kept *kept_new(const struct packet *packet, struct blob *attached);
void kept_destroy(struct kept **kept);
size_t kept_size(const struct kept *kept);

#endif
