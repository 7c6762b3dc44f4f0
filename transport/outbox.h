/*
 * What is due to one peer: packets are gathered into bundles and leave when the outbox is flushed.
 * How bundles are stored, and when libzmq gives their bytes back, stays in here.
 */
#ifndef TRANSPORT_OUTBOX_H
#define TRANSPORT_OUTBOX_H

#include "base/blob.h"
#include "protocol/packet.h"
#include "transport/account.h"
#include "transport/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outbox_result {
    OUTBOX_SENT,    /* nothing is left */
    OUTBOX_BLOCKED, /* the rest waits: libzmq's queue to this peer is full; flush again later */
    OUTBOX_GONE,    /* the peer is not connected; what is left cannot reach it */
};

struct bundle;
struct bundle_pool;

struct outbox {
    struct bundle_pool *pool;
    struct account *account; /* made with the first bundle that libzmq holds */
    struct bundle *first;
    struct bundle *last;
    size_t waiting; /* bytes in bundles not yet given to libzmq */
    /* Packets: the n-th that was put has been given to libzmq if n <= sent. What is dropped is
     * forgotten by both. */
    uint64_t put;
    uint64_t sent;
};

/* Buffers of finished bundles, used again; shared by the outboxes of one loop, freed by the last. */
struct bundle_pool *bundle_pool_new(void);
void bundle_pool_destroy(struct bundle_pool **pool);

void outbox_init(struct outbox *outbox, struct bundle_pool *pool);
void outbox_fini(struct outbox *outbox);

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->first == NULL;
}

/* Bytes that wait here or are held by libzmq for this peer. */
static inline size_t outbox_bytes(const struct outbox *outbox)
{
    size_t held = outbox->account == NULL ? 0 : atomic_load(&outbox->account->bytes);
    return outbox->waiting + held;
}

/*
 * Adds a packet; its bytes are copied unless `attached` is not NULL: then the packet must have
 * PACKET_ATTACHED set and the body is `attached`, of which a reference is taken.
 * False when out of memory; nothing was added then.
 */
bool outbox_put(struct outbox *outbox, const struct packet *packet, struct blob *attached);

/* Shows what has not been given to libzmq, oldest first: each bundle, and its attached body or NULL. */
typedef void outbox_show_fn(void *context, struct bytes frame, struct blob *attached);
void outbox_each_waiting(const struct outbox *outbox, outbox_show_fn *show, void *context);

/* Drops what waits, for instance when the session it belonged to is over. */
void outbox_clear(struct outbox *outbox);

/* Gives bundles to the socket without waiting: to `peer` of a ROUTER, or a DEALER if it is NULL. */
enum outbox_result outbox_flush(struct outbox *outbox, void *socket, const struct routing_id *peer);

#endif
