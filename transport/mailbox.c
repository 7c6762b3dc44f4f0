/* Letters: messages made whole before their first frame is sent. */
#include "transport/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "transport/frame.h"

enum {
    LEND_MIN = 8 * 1024, /* shorter frames are cheaper to copy than to keep track of */
};

struct letter {
    struct letter *next;
    size_t size; /* bytes that are ours: its own, those of its frames, and what was copied */
    size_t count;
    zmq_msg_t frames[];
};

void mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){0};
}

static void letter_destroy(struct letter *letter)
{
    for (size_t i = 0; i < letter->count; i++)
        zmq_msg_close(&letter->frames[i]);
    free(letter);
}

void mailbox_fini(struct mailbox *mailbox)
{
    while (mailbox->first != NULL) {
        struct letter *next = mailbox->first->next;
        letter_destroy(mailbox->first);
        mailbox->first = next;
    }
    if (mailbox->account != NULL)
        account_unref(mailbox->account);
    *mailbox = (struct mailbox){0};
}

size_t mailbox_bytes(const struct mailbox *mailbox)
{
    size_t held = mailbox->account == NULL ? 0 : atomic_load(&mailbox->account->bytes);
    return mailbox->waiting + held;
}

static bool lies_in(const struct blob *blob, struct bytes run)
{
    return blob != NULL && run.size >= LEND_MIN && run.data >= blob->data &&
           run.data + run.size <= blob->data + blob->size;
}

static bool frame_lend(struct mailbox *mailbox, zmq_msg_t *frame, struct bytes run,
                       struct blob *owner)
{
    if (mailbox->account == NULL)
        mailbox->account = account_new();
    if (mailbox->account == NULL)
        return false;
    CLEANUP(blob_unref) struct blob *held = account_hold(mailbox->account, owner, run);
    return held != NULL && frame_of_blob(frame, held);
}

static bool frame_copy(zmq_msg_t *frame, struct bytes run)
{
    if (zmq_msg_init_size(frame, run.size) != 0)
        return false;
    if (run.size > 0)
        memcpy(zmq_msg_data(frame), run.data, run.size);
    return true;
}

static bool letter_add(struct mailbox *mailbox, struct letter *letter, struct bytes run,
                       struct blob *owner)
{
    zmq_msg_t *frame = &letter->frames[letter->count];
    bool lent = lies_in(owner, run);
    if (lent ? !frame_lend(mailbox, frame, run, owner) : !frame_copy(frame, run))
        return false;
    letter->size += lent ? 0 : run.size;
    letter->count++;
    return true;
}

bool mailbox_put(struct mailbox *mailbox, const struct bytes *frames, size_t count,
                 struct blob *owner)
{
    size_t size = sizeof(struct letter) + count * sizeof(zmq_msg_t);
    struct letter *letter = malloc(size);
    if (letter == NULL)
        return false;
    *letter = (struct letter){.size = size};
    for (size_t i = 0; i < count; i++) {
        if (!letter_add(mailbox, letter, frames[i], owner)) {
            letter_destroy(letter);
            return false;
        }
    }
    if (mailbox->first == NULL)
        mailbox->first = letter;
    else
        mailbox->last->next = letter;
    mailbox->last = letter;
    mailbox->waiting += letter->size;
    mailbox->put++;
    return true;
}

/* A ROUTER refuses on the routing id; what follows it goes through, or nowhere. */
static enum outbox_result letter_send(struct letter *letter, void *socket,
                                      const struct routing_id *peer)
{
    if (!routing_id_send(peer, socket))
        return errno == EAGAIN ? OUTBOX_BLOCKED : OUTBOX_GONE;
    for (size_t i = 0; i < letter->count; i++) {
        if (!frame_send(&letter->frames[i], socket, i + 1 < letter->count ? ZMQ_SNDMORE : 0))
            return OUTBOX_GONE;
    }
    return OUTBOX_SENT;
}

enum outbox_result mailbox_flush(struct mailbox *mailbox, void *socket,
                                 const struct routing_id *peer)
{
    while (mailbox->first != NULL) {
        struct letter *letter = mailbox->first;
        enum outbox_result result = letter_send(letter, socket, peer);
        if (result != OUTBOX_SENT)
            return result;
        mailbox->first = letter->next;
        mailbox->waiting -= letter->size;
        mailbox->sent++;
        free(letter); /* libzmq has its frames: those that were sent need no zmq_msg_close */
    }
    return OUTBOX_SENT;
}
