/* The calls of a client that have no outcome yet, found by the id that travels. */
#ifndef CLIENT_LIB_CALL_TABLE_H
#define CLIENT_LIB_CALL_TABLE_H

#include <busbar/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/blob.h"
#include "base/list.h"
#include "base/wheel.h"
#include "protocol/packet.h"

enum {
    CALL_SPACE = 160,    /* bytes of names and body that need no allocation */
    CALL_SLOT_BITS = 24, /* of an id; the rest is the slot's generation */
    CALLS_MAX = (1 << CALL_SLOT_BITS) - 1,
    CALL_CHUNK_BITS = 7,
    CALL_CHUNK = 1 << CALL_CHUNK_BITS, /* calls whose room is made at once */
};

enum call_state {
    CALL_FREE,
    CALL_WAITING, /* for a session: not sent, nor in the outbox */
    CALL_PUT,     /* in the outbox, or sent */
};

struct uplink;

/*
 * The request is kept until the outcome, since it may turn out that it has to be sent again. What
 * each call needs comes first, what belongs to parts of results last.
 */
struct call {
    struct list link; /* by its state: in the client's list, or that of its uplink */
    struct wheel_timer timer;
    uint64_t id;
    uint64_t deadline; /* ms */
    union {
        struct uplink *uplink; /* while it is put */
        struct call *next;     /* while it is free */
    };
    uint64_t position; /* in the outbox, while it is put */
    uint64_t session;  /* connection->sessions when it was put */
    busbar_reply_fn *callback;
    void *context;
    struct busbar_reply **answer; /* where a function that waits wants the outcome, or NULL */
    struct blob *attached;
    uint8_t *heap; /* service, method, metadata and body, where `space` is too small */
    uint32_t timeout;
    uint32_t body_size; /* 0 if it is attached */
    uint16_t metadata_size;
    uint8_t service_size;
    uint8_t method_size;
    uint8_t encoding;
    uint8_t flags; /* BUSBAR_IDEMPOTENT and enum busbar_call_flags */
    uint8_t state; /* enum call_state */
    uint8_t sends;
    uint8_t resets;
    uint8_t refusals; /* by brokers that drain */
    bool is_cancelled;
    bool has_part;    /* part of the result was received: it is never sent again */
    bool is_doubtful; /* an earlier sending may have been executed */
    uint32_t room;    /* of a stream: parts that may come before more are granted */
    uint32_t grants;  /* parts that are done with, to be granted anew */
    uint8_t space[CALL_SPACE];
    struct list granting; /* in the client's list, while there are grants */
    busbar_part_fn *part; /* of a stream */
    busbar_progress_fn *progress;
};

struct call_table {
    struct call **chunks;
    struct call *free; /* the one to be taken next */
    uint32_t chunk_count;
    uint32_t used;
    uint64_t first_generation;
};

void call_table_init(struct call_table *table);

/* All calls must have been given back. */
void call_table_fini(struct call_table *table);

/* Makes free slots; false when out of memory or slots. */
bool call_table_grow(struct call_table *table);

/* A call with a fresh id that nothing has become of yet: who takes it says what it asks for. NULL
 * when out of memory or slots. */
static inline struct call *call_table_take(struct call_table *table)
{
    if (table->free == NULL && !call_table_grow(table))
        return NULL;
    struct call *call = table->free;
    table->free = call->next;
    table->used++;
    call->grants = 0;
    call->sends = 0;
    call->resets = 0;
    call->refusals = 0;
    call->is_cancelled = false;
    call->has_part = false;
    call->is_doubtful = false;
    return call;
}

/* What of the request is not in `space`. */
void call_free_request(struct call *call);

/* Its id names nothing from now on. Frees the request; the call is in no list any more. */
static inline void call_table_give_back(struct call_table *table, struct call *call)
{
    if (call->attached != NULL || call->heap != NULL)
        call_free_request(call);
    call->state = CALL_FREE;
    call->id += UINT64_C(1) << CALL_SLOT_BITS;
    call->next = table->free;
    table->free = call;
    table->used--;
}

static inline struct call *call_table_at(const struct call_table *table, uint32_t slot)
{
    return &table->chunks[slot >> CALL_CHUNK_BITS][slot & (CALL_CHUNK - 1)];
}

/* NULL for an id that is not, or no longer, in use. */
static inline struct call *call_table_find(const struct call_table *table, uint64_t id)
{
    uint32_t slot = id & CALLS_MAX;
    if (slot >> CALL_CHUNK_BITS >= table->chunk_count)
        return NULL;
    struct call *call = call_table_at(table, slot);
    return call->id == id && call->state != CALL_FREE ? call : NULL;
}

/* Room for the request's `size` bytes; NULL when out of memory. */
static inline uint8_t *call_reserve(struct call *call, size_t size)
{
    if (size <= CALL_SPACE)
        return call->space;
    call->heap = malloc(size);
    return call->heap;
}

static inline const uint8_t *call_bytes(const struct call *call)
{
    return call->heap != NULL ? call->heap : call->space;
}

/* Bytes that the request takes while it waits. */
size_t call_size(const struct call *call);

/* The CALL packet; its runs point into the call. */
static inline struct packet call_packet(const struct call *call)
{
    const unsigned sent = PACKET_IDEMPOTENT | PACKET_ONEWAY | PACKET_STREAM;
    const uint8_t *service = call_bytes(call);
    const uint8_t *method = service + call->service_size;
    const uint8_t *metadata = method + call->method_size;
    return (struct packet){
        .command = PACKET_CALL,
        .flags = (uint8_t)((call->flags & sent) | (call->attached == NULL ? 0 : PACKET_ATTACHED)),
        .encoding = call->encoding,
        .id = call->id,
        .service = {.data = service, .size = call->service_size},
        .method = {.data = method, .size = call->method_size},
        .metadata = {.data = metadata, .size = call->metadata_size},
        .body = {.data = metadata + call->metadata_size, .size = call->body_size},
    };
}

#endif
