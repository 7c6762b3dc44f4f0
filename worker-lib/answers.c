/* Answers on their way: put by any thread, sent by the leader, dropped with their session. */
#include "worker-lib/answers.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "client-lib/body.h"
#include "worker-lib/wake.h"

enum {
    FAILURE_TEXT_MAX = 4096,
    PROGRESS_TEXT_MAX = 1024,
    PROGRESS_WAITING_MAX = 1 << 20, /* bytes that wait: beyond them progress is not worth more */
};

bool answers_init(struct answers *answers, int wake_fd)
{
    *answers = (struct answers){.wake_fd = wake_fd, .pool = bundle_pool_new()};
    pthread_mutex_init(&answers->lock, NULL);
    outbox_init(&answers->outboxes[0], answers->pool);
    outbox_init(&answers->outboxes[1], answers->pool);
    answers->filling = &answers->outboxes[0];
    answers->sending = &answers->outboxes[1];
    return answers->pool != NULL;
}

void answers_fini(struct answers *answers)
{
    outbox_fini(&answers->outboxes[0]);
    outbox_fini(&answers->outboxes[1]);
    bundle_pool_destroy(&answers->pool);
    pthread_mutex_destroy(&answers->lock);
}

static bool is_answer(const struct packet *packet)
{
    return packet->command == PACKET_REPLY || packet->command == PACKET_ERROR;
}

/* With the lock held. */
static enum busbar_status put_locked(struct answers *answers, uint64_t session,
                                     const struct packet *packet, struct blob *attached)
{
    bool counts = is_answer(packet);
    if (session != answers->session) {
        answers->stale += counts;
        return BUSBAR_CANCELLED;
    }
    if (!outbox_put(answers->filling, packet, attached))
        return BUSBAR_NO_MEMORY;
    answers->filled += counts;
    answers->replies += counts;
    atomic_store_explicit(&answers->is_due, true, memory_order_relaxed);
    return BUSBAR_OK;
}

static enum busbar_status put(struct answers *answers, uint64_t session,
                              const struct packet *packet, struct blob *attached)
{
    pthread_mutex_lock(&answers->lock);
    enum busbar_status status = put_locked(answers, session, packet, attached);
    pthread_mutex_unlock(&answers->lock);
    if (status == BUSBAR_OK && answers->asleep && atomic_exchange(&answers->asleep, false))
        wake_signal(answers->wake_fd);
    return status;
}

/* The length of a text that is cut, between two characters, where it is too long. */
static size_t text_size(const char *text, size_t most)
{
    size_t size = strnlen(text, most + 1);
    if (size <= most)
        return size;
    size = most;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

enum busbar_status answers_fail(struct answers *answers, struct answer_to to,
                                const struct failure *failure)
{
    struct packet packet = {
        .command = PACKET_ERROR,
        .flags = failure->by_handler ? PACKET_BY_HANDLER : 0,
        .status = (uint8_t)failure->status,
        .fate = (uint8_t)failure->fate,
        .id = to.id,
        .metadata = failure->metadata,
        .body = {.data = (const uint8_t *)failure->text,
                 .size = text_size(failure->text, FAILURE_TEXT_MAX)},
    };
    return put(answers, to.session, &packet, NULL);
}

static enum busbar_status too_large(struct answers *answers, struct answer_to to,
                                    const struct packet *reply)
{
    char text[128];
    snprintf(text, sizeof text, "the result has %zu bytes, the broker's limit is %llu",
             reply->body.size, (unsigned long long)answers->body_limit);
    const struct failure failure = {
        .status = BUSBAR_RESULT_TOO_LARGE,
        .fate = BUSBAR_EXECUTED,
        .text = text,
        .metadata = reply->metadata,
    };
    enum busbar_status status = answers_fail(answers, to, &failure);
    return status == BUSBAR_OK ? BUSBAR_RESULT_TOO_LARGE : status;
}

/* A call whose reply cannot be sent has an answer all the same: its place in the credit is free only
 * then. */
static void tell_unsent(struct answers *answers, struct answer_to to, struct bytes metadata,
                        enum busbar_status reason)
{
    const struct failure failure = {
        .status = BUSBAR_APP_ERROR,
        .fate = BUSBAR_EXECUTED,
        .text = reason == BUSBAR_NO_MEMORY ? "the worker is out of memory for the result"
                                           : "the handler's result is none that can be sent",
        .metadata = metadata,
    };
    (void)answers_fail(answers, to, &failure);
}

/* Puts a packet with this body, in the packet or behind it. */
static enum busbar_status put_body(struct answers *answers, uint64_t session, struct packet *packet,
                                   struct busbar_body *body)
{
    packet->encoding = (uint8_t)body->encoding;
    packet->body = (struct bytes){.data = body->data, .size = body->size};
    if (body->size <= PACKET_INLINE_BODY_MAX)
        return put(answers, session, packet, NULL);
    packet->flags |= PACKET_ATTACHED;
    CLEANUP(blob_unref) struct blob *attached = body_blob(body);
    *body = (struct busbar_body){0};
    if (attached == NULL)
        return BUSBAR_NO_MEMORY;
    return put(answers, session, packet, attached);
}

enum busbar_status answers_reply(struct answers *answers, struct answer_to to,
                                 struct bytes metadata, struct busbar_body *body)
{
    struct packet packet = {
        .command = PACKET_REPLY,
        .fate = BUSBAR_EXECUTED,
        .id = to.id,
        .metadata = metadata,
        .body = {.data = body->data, .size = body->size},
    };
    enum busbar_status status = BUSBAR_BAD_ARGUMENT;
    if (!body_is_sane(body))
        status = BUSBAR_BAD_ARGUMENT;
    else if (body->size > answers->body_limit && to.session == answers->session)
        status = too_large(answers, to, &packet);
    else
        status = put_body(answers, to.session, &packet, body);
    if (status == BUSBAR_BAD_ARGUMENT || status == BUSBAR_NO_MEMORY)
        tell_unsent(answers, to, metadata, status);
    if (body->free != NULL)
        busbar_body_release(body);
    return status;
}

enum busbar_status answers_part(struct answers *answers, struct answer_to to,
                                struct busbar_body body)
{
    struct packet packet = {.command = PACKET_PART, .id = to.id};
    enum busbar_status status = BUSBAR_RESULT_TOO_LARGE;
    if (body.size <= answers->body_limit)
        status = put_body(answers, to.session, &packet, &body);
    busbar_body_release(&body);
    return status;
}

enum busbar_status answers_progress(struct answers *answers, struct answer_to to, uint32_t permille,
                                    const char *text)
{
    const struct packet packet = {
        .command = PACKET_PROGRESS,
        .id = to.id,
        .timeout = permille,
        .body = {.data = (const uint8_t *)text, .size = text_size(text, PROGRESS_TEXT_MAX)},
    };
    pthread_mutex_lock(&answers->lock);
    bool crowded = answers->filling->waiting > PROGRESS_WAITING_MAX;
    pthread_mutex_unlock(&answers->lock);
    return crowded ? BUSBAR_OK : put(answers, to.session, &packet, NULL);
}

void answers_session(struct answers *answers, uint64_t session)
{
    pthread_mutex_lock(&answers->lock);
    uint64_t dropped = answers->filled + answers->under_way;
    answers->stale += dropped;
    answers->replies -= dropped;
    answers->filled = 0;
    atomic_store_explicit(&answers->is_due, false, memory_order_relaxed);
    outbox_clear(answers->filling);
    answers->session = session;
    pthread_mutex_unlock(&answers->lock);
    outbox_clear(answers->sending);
    answers->under_way = 0;
}

static void take_filled(struct answers *answers)
{
    pthread_mutex_lock(&answers->lock);
    struct outbox *empty = answers->sending;
    answers->sending = answers->filling;
    answers->filling = empty;
    answers->under_way = answers->filled;
    answers->filled = 0;
    atomic_store_explicit(&answers->is_due, false, memory_order_relaxed);
    pthread_mutex_unlock(&answers->lock);
}

/* What another thread puts at this moment may be left to the next flush: the leader does not sleep
 * before that. */
enum outbox_result answers_flush(struct answers *answers, void *socket)
{
    if (outbox_is_empty(answers->sending)) {
        if (!atomic_load_explicit(&answers->is_due, memory_order_relaxed))
            return OUTBOX_SENT;
        take_filled(answers);
    }
    enum outbox_result result = outbox_flush(answers->sending, socket, NULL);
    if (result == OUTBOX_SENT)
        answers->under_way = 0;
    return result;
}

bool answers_sleep(struct answers *answers)
{
    if (!outbox_is_empty(answers->sending))
        return false;
    pthread_mutex_lock(&answers->lock);
    bool empty = outbox_is_empty(answers->filling);
    answers->asleep = empty;
    pthread_mutex_unlock(&answers->lock);
    return empty;
}

void answers_awake(struct answers *answers)
{
    answers->asleep = false;
}
