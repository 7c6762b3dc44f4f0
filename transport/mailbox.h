/*
 * What is due to one peer of a ROUTER whose protocol knows no bundles: messages of several frames, in
 * their order. The counterpart of the outbox.
 */
#ifndef TRANSPORT_MAILBOX_H
#define TRANSPORT_MAILBOX_H

#include "transport/account.h"
#include "transport/outbox.h"

struct letter;

struct mailbox {
    struct account *account; /* made with the first bytes that are lent */
    struct letter *first;
    struct letter *last;
    size_t waiting; /* bytes of messages not yet given to libzmq, but for what is lent: many frames
                       without a byte take room too */
    uint64_t put;   /* messages: the n-th that was put has been given to libzmq if n <= sent */
    uint64_t sent;
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_fini(struct mailbox *mailbox);

static inline bool mailbox_is_empty(const struct mailbox *mailbox)
{
    return mailbox->first == NULL;
}

/* Bytes that wait here, and those lent to libzmq for this peer. */
size_t mailbox_bytes(const struct mailbox *mailbox);

/*
 * Adds a message. Its bytes are copied, but for large frames that lie in `owner` (NULL: none do): they
 * are lent, and the blob is held until libzmq is done with them. False when out of memory; nothing was
 * added then.
 */
bool mailbox_put(struct mailbox *mailbox, const struct bytes *frames, size_t count,
                 struct blob *owner);

/* Gives messages to the socket without waiting. */
enum outbox_result mailbox_flush(struct mailbox *mailbox, void *socket,
                                 const struct routing_id *peer);

#endif
