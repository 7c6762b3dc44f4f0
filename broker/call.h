/* The in-flight table: every call without outcome, by slot and generation. */
#ifndef BROKER_CALL_H
#define BROKER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/list.h"
#include "base/map.h"
#include "base/wheel.h"
#include "protocol/metadata.h"
#include "protocol/packet.h"

struct export;
struct lane;
struct method;
struct peer;

enum {
    CALL_SLOT_BITS = 24,
    CALL_SLOTS_MAX = 1 << CALL_SLOT_BITS,
    CALL_CHUNK_BITS = 10,
    CALL_CHUNK_SLOTS = 1 << CALL_CHUNK_BITS,
    CALL_ATTEMPTS_TOLD = 4, /* that an error lists; of more, the last of these is the last one */
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

/* Who made a call whose client it does not refer to. */
struct caller {
    uint64_t session;
    uint8_t instance[METADATA_INSTANCE_SIZE];
    size_t name_size;
    char name[];
};

/* What every call touches comes first. Moments are in ms. */
struct call {
    uint32_t slot;
    uint8_t state;
    uint8_t attempts; /* times given to a worker and not returned by it */
    uint8_t encoding;
    bool idempotent; /* by its client's word, or that of the worker that has it */
    bool idempotent_by_client;
    bool is_oneway;   /* its client has its outcome already */
    bool is_stream;   /* its client takes parts */
    bool is_streamed; /* and has been sent one: nobody else may begin anew */
    bool is_waiting;  /* counted in router.waiting */
    bool is_given;    /* it was with a worker before, returned by it or not */
    uint32_t window;  /* parts that its worker may still send */
    uint32_t stall;   /* how long its worker may give no sign of working on it; 0: for ever */
    uint64_t generation;
    uint64_t client_id;
    struct peer *client; /* NULL once abandoned */
    struct peer *worker; /* NULL while queued */
    struct method *method;
    struct kept *kept;        /* while queued, and while running if call_is_kept(); else NULL */
    struct lane *lane;        /* while queued */
    struct list of_client;    /* peer.calls */
    struct list place;        /* lane.calls or peer.running */
    struct wheel_timer timer; /* the next of its moments: router_time.c */
    uint64_t deadline;
    uint64_t dispatched_at; /* when its worker was given it */
    uint64_t wait_until;    /* how long it waits for somebody to serve it; 0: not at all */
    uint32_t wait; /* ms: so long anew, each time the last that served it goes; 0: not anew */
    struct call *next_free;
    struct metadata_attempt *tried; /* those that were lost; NULL if none was, or without memory */

    uint64_t sequence;     /* order of arrival, for the backlog */
    uint64_t queued_at;    /* when it began to wait in the backlog */
    uint64_t sign_at;      /* with `stall`: when its worker gave the last sign */
    struct map_node by_id; /* peer.by_id, if that is in use */
    struct caller *caller; /* of a oneway call; else undefined */
    uint32_t granted;      /* of a stream: in all, what its client granted after the CALL */
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

/* One more chunk of free slots. */
bool call_table_grow(struct call_table *table);

/* A slot in use, all members but slot, generation and timer cleared; NULL if none can be had. */
static inline struct call *call_table_take(struct call_table *table)
{
    if (table->free == NULL && !call_table_grow(table))
        return NULL;
    struct call *call = table->free;
    table->free = call->next_free;
    table->count++;
    call->next_free = NULL;
    return call;
}

/* Frees the slot; its id is never seen again. */
void call_table_put(struct call_table *table, struct call *call);

/* The id that travels to the worker: slot | generation << 24. */
static inline uint64_t call_id(const struct call *call)
{
    return call->slot | call->generation << CALL_SLOT_BITS;
}

/* Its id is never seen again: it has another from now on. For a call that leaves a worker, so that
 * nothing which that worker still says of it counts when it is given the call once more. */
void call_renew_id(struct call *call);

/* The slot of an id, whichever call has it now; NULL if there is none. */
static inline struct call *call_table_slot(const struct call_table *table, uint64_t id)
{
    uint64_t slot = id & (CALL_SLOTS_MAX - 1);
    if (slot >> CALL_CHUNK_BITS >= table->chunk_count)
        return NULL;
    return &table->chunks[slot >> CALL_CHUNK_BITS][slot & (CALL_CHUNK_SLOTS - 1)];
}

/* The call a worker-side id names, or NULL if it is over or never was. */
struct call *call_table_find(const struct call_table *table, uint64_t id);

/* All slots, free ones too, for what has to look at every call. */
uint32_t call_table_slots(const struct call_table *table);
struct call *call_table_at(const struct call_table *table, uint32_t slot);

/* Notes who a client is; NULL when out of memory. */
struct caller *caller_new(const struct peer *client);

/* Copies what a request must be kept by; NULL when out of memory. */
struct kept *kept_new(const struct packet *packet, struct blob *attached);
void kept_destroy(struct kept **kept);

static inline size_t kept_size(const struct kept *kept)
{
    size_t attached = kept->attached == NULL ? 0 : kept->attached->size;
    return sizeof *kept + kept->metadata_size + kept->body_size + attached;
}

#endif
