/*
 * Bundles: the memory that packets are gathered in, used again once libzmq is done with it. Of the
 * outbox, and for nobody else.
 */
#ifndef TRANSPORT_BUNDLE_H
#define TRANSPORT_BUNDLE_H

#include "base/blob.h"
#include "protocol/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

struct account;
struct bundle_pool;

enum {
    BUNDLE_SMALL = 1024, /* bytes a bundle has room for in itself */
};

/* The bytes of a bundle that has outgrown its own. */
union buffer {
    union buffer *next; /* while it is idle */
    uint8_t data[BUNDLE_SIZE_MAX];
};

/* Open while packets are added, then sealed: turned into the messages that are sent. */
struct bundle {
    struct bundle *next;
    struct bundle_pool *pool;
    struct account *account; /* set while the bytes are lent to libzmq */
    struct blob *attached;
    size_t size;
    size_t room; /* for packets more, as it is; 0 once nothing may be added */
    size_t packets;
    uint8_t *data;        /* `small`, or that of `buffer` */
    union buffer *buffer; /* NULL while it needs none */
    bool sealed;
    bool lent; /* `frame` shows `data`: closing it, sent or not, frees the bundle */
    zmq_msg_t frame;
    zmq_msg_t body; /* if there is an attached one */
    uint8_t small[BUNDLE_SMALL];
};

/* Empty and open, with its header; NULL when out of memory. */
struct bundle *bundle_new(struct bundle_pool *pool);

/* Moves what is in an open bundle into a buffer; false when out of memory. */
bool bundle_grow(struct bundle *bundle);

/* False when out of memory; that it may have so many bytes was seen to. */
static inline bool bundle_reserve(struct bundle *bundle, size_t size)
{
    return size <= bundle->room || bundle_grow(bundle);
}

/* Gives the bundle back, on any thread; its messages are gone. */
void bundle_recycle(struct bundle *bundle);

/* For every bundle that libzmq holds: the pool outlives them all. */
void bundle_pool_ref(struct bundle_pool *pool);
void bundle_pool_unref(struct bundle_pool *pool);

#endif
