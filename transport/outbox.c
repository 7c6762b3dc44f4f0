/* Bundles are filled, sealed into messages, sent, and given back by libzmq. */
#include "transport/outbox.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "base/cleanup.h"
#include "transport/account.h"
#include "transport/bundle.h"
#include "transport/frame.h"

enum {
    /* Up to here a bundle is copied into a message of its own size: cheaper than lending out a
     * whole buffer, and the buffer stays warm for the next bundle. */
    BUNDLE_COPY_MAX = 8 * 1024,
};

/* Frees a bundle whose messages have not been sent. */
static void bundle_drop(struct bundle *bundle)
{
    bool lent = bundle->sealed && bundle->lent;
    if (bundle->sealed && bundle->attached != NULL)
        zmq_msg_close(&bundle->body);
    if (bundle->sealed) { /* a lent bundle is gone before zmq_msg_close is done with the message */
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        zmq_msg_move(&frame, &bundle->frame);
        zmq_msg_close(&frame);
    }
    if (!lent)
        bundle_recycle(bundle);
}

void outbox_init(struct outbox *outbox, struct bundle_pool *pool)
{
    *outbox = (struct outbox){.pool = pool};
}

/* What a bundle adds to `waiting` while it is open. */
static size_t bundle_waiting(const struct bundle *bundle)
{
    return bundle->size + (bundle->attached == NULL ? 0 : bundle->attached->size);
}

void outbox_clear(struct outbox *outbox)
{
    while (outbox->first != NULL) {
        struct bundle *next = outbox->first->next;
        bundle_drop(outbox->first);
        outbox->first = next;
    }
    outbox->last = NULL;
    outbox->waiting = 0;
    outbox->put = outbox->sent;
}

void outbox_fini(struct outbox *outbox)
{
    if (outbox->pool == NULL)
        return;
    outbox_clear(outbox);
    if (outbox->account != NULL)
        account_unref(outbox->account);
    *outbox = (struct outbox){0};
}

/* A bundle with room for `size` bytes more: the last, grown if need be, or a new one. */
static struct bundle *outbox_bundle(struct outbox *outbox, size_t size, bool alone)
{
    struct bundle *last = outbox->last;
    if (last != NULL && !alone && !last->sealed && last->attached == NULL &&
        last->size + size <= BUNDLE_SIZE_MAX)
        return bundle_reserve(last, size) ? last : NULL;
    if (size > BUNDLE_SIZE_MAX - BUNDLE_HEADER_SIZE)
        return NULL;
    struct bundle *bundle = bundle_new(outbox->pool);
    if (bundle == NULL)
        return NULL;
    if (!bundle_reserve(bundle, size)) {
        bundle_recycle(bundle);
        return NULL;
    }
    if (last == NULL)
        outbox->first = bundle;
    else
        last->next = bundle;
    outbox->last = bundle;
    outbox->waiting += bundle->size;
    return bundle;
}

/* There is room for it. */
static inline void bundle_add(struct outbox *outbox, struct bundle *bundle,
                              const struct packet *packet, size_t size)
{
    uint8_t *to = bundle->data + bundle->size;
    bundle->size += size;
    bundle->room -= size;
    bundle->packets++;
    outbox->put++;
    outbox->waiting += size;
    packet_write(to, packet);
}

/* Apart, so that what most packets of a bundle need stays short. */
__attribute__((noinline)) static bool outbox_put_beyond(struct outbox *outbox,
                                                        const struct packet *packet, size_t size,
                                                        struct blob *attached)
{
    struct bundle *bundle = outbox_bundle(outbox, size, attached != NULL);
    if (bundle == NULL)
        return false;
    bundle_add(outbox, bundle, packet, size);
    if (attached != NULL) {
        bundle->attached = blob_ref(attached);
        bundle->room = 0;
        outbox->waiting += attached->size;
    }
    return true;
}

bool outbox_put(struct outbox *outbox, const struct packet *packet, struct blob *attached)
{
    size_t size = packet_size(packet);
    struct bundle *last = outbox->last;
    if (last == NULL || size > last->room || attached != NULL)
        return outbox_put_beyond(outbox, packet, size, attached);
    bundle_add(outbox, last, packet, size);
    return true;
}

void outbox_each_waiting(const struct outbox *outbox, outbox_show_fn *show, void *context)
{
    for (const struct bundle *bundle = outbox->first; bundle != NULL; bundle = bundle->next)
        show(context, (struct bytes){.data = bundle->data, .size = bundle->size}, bundle->attached);
}

/* Runs on whichever thread of libzmq is done with the bytes. */
static void bundle_release(void *data, void *hint)
{
    struct bundle *bundle = hint;
    struct bundle_pool *pool = bundle->pool;
    struct account *account = bundle->account;
    (void)data;
    account_drop(account, bundle->size);
    bundle_recycle(bundle);
    bundle_pool_unref(pool);
}

static bool seal_body(struct bundle *bundle, struct account *account)
{
    CLEANUP(blob_unref)
    struct blob *held = account_hold(
        account, bundle->attached,
        (struct bytes){.data = bundle->attached->data, .size = bundle->attached->size});
    return held != NULL && frame_of_blob(&bundle->body, held);
}

/* A lent frame has no body behind it: what stands beside an attached body is always copied. */
_Static_assert(BUNDLE_HEADER_SIZE + PACKET_HEADER_SIZE + 2 * UINT8_MAX + PACKET_METADATA_MAX +
                       PACKET_ALIGNMENT <=
                   BUNDLE_COPY_MAX,
               "a packet whose body is attached may be lent");

static bool seal_frame(struct bundle *bundle, struct account *account)
{
    if (bundle->size <= BUNDLE_COPY_MAX) {
        if (zmq_msg_init_size(&bundle->frame, bundle->size) != 0)
            return false;
        memcpy(zmq_msg_data(&bundle->frame), bundle->data, bundle->size);
        return true;
    }
    if (zmq_msg_init_data(&bundle->frame, bundle->data, bundle->size, bundle_release, bundle) != 0)
        return false;
    bundle->lent = true;
    bundle->account = account;
    account_add(account, bundle->size);
    bundle_pool_ref(bundle->pool);
    return true;
}

/* Makes all messages before the first is sent, so that no message is left half sent. */
static bool bundle_seal(struct outbox *outbox, struct bundle *bundle)
{
    if (bundle->sealed)
        return true;
    if (outbox->account == NULL) {
        outbox->account = account_new();
        if (outbox->account == NULL)
            return false;
    }
    if (bundle->attached != NULL && !seal_body(bundle, outbox->account))
        return false;
    if (!seal_frame(bundle, outbox->account)) {
        if (bundle->attached != NULL)
            zmq_msg_close(&bundle->body);
        return false;
    }
    bundle->sealed = true;
    bundle->room = 0;
    outbox->waiting -= bundle_waiting(bundle);
    return true;
}

/* Orders what was done with a lent bundle before its release on libzmq's I/O thread, for those too who
 * cannot see the order that libzmq's own queues give: the release counts on the same counter. */
static void bundle_hand_over(struct bundle *bundle)
{
    atomic_fetch_add(&bundle->account->references, 0);
}

/* A ROUTER refuses on the routing id, a DEALER on the first frame; all else then goes through. */
static enum outbox_result bundle_send(struct bundle *bundle, void *socket,
                                      const struct routing_id *peer)
{
    bool lent = bundle->lent;
    bool has_body = bundle->attached != NULL;
    zmq_msg_t moved;
    zmq_msg_t *frame = &bundle->frame;
    if (peer != NULL && !routing_id_send(peer, socket))
        return errno == EAGAIN ? OUTBOX_BLOCKED : OUTBOX_GONE;
    if (lent) { /* libzmq clears the frame after its I/O thread may have freed the bundle */
        zmq_msg_init(&moved);
        zmq_msg_move(&moved, &bundle->frame);
        frame = &moved;
        bundle_hand_over(bundle);
    }
    if (!frame_send(frame, socket, has_body ? ZMQ_SNDMORE : 0)) {
        enum outbox_result result = errno == EAGAIN ? OUTBOX_BLOCKED : OUTBOX_GONE;
        if (lent)
            zmq_msg_move(&bundle->frame, &moved);
        return result;
    }
    if (lent)
        return OUTBOX_SENT;
    if (has_body && !frame_send(&bundle->body, socket, 0))
        zmq_msg_close(&bundle->body);
    bundle_recycle(bundle);
    return OUTBOX_SENT;
}

enum outbox_result outbox_flush(struct outbox *outbox, void *socket, const struct routing_id *peer)
{
    while (outbox->first != NULL) {
        struct bundle *bundle = outbox->first;
        struct bundle *next = bundle->next;
        size_t packets = bundle->packets;
        if (!bundle_seal(outbox, bundle))
            return OUTBOX_BLOCKED;
        enum outbox_result result = bundle_send(bundle, socket, peer);
        if (result != OUTBOX_SENT)
            return result;
        outbox->sent += packets;
        outbox->first = next;
        if (next == NULL)
            outbox->last = NULL;
    }
    return OUTBOX_SENT;
}
