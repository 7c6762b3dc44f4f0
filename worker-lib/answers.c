/* Answers on their way: put by any thread, sent by the leader, dropped with their session. */
#include "worker-lib/answers.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "client-lib/body.h"
#include "worker-lib/wake.h"

enum {
    FAILURE_TEXT_MAX = 4096,
};

bool answers_init(struct answers *answers, int wake_fd)
{
    *answers = (struct answers){.wake_fd = wake_fd, .pool = bundle_pool_new()};
    pthread_mutex_init(&answers->lock, NULL);
    outbox_init(&answers->filling, answers->pool);
    outbox_init(&answers->sending, answers->pool);
    return answers->pool != NULL;
}

void answers_fini(struct answers *answers)
{
    outbox_fini(&answers->filling);
    outbox_fini(&answers->sending);
    bundle_pool_destroy(&answers->pool);
    pthread_mutex_destroy(&answers->lock);
}

/* With the lock held. */
static enum busbar_status put_locked(struct answers *answers, uint64_t session,
                                     const struct packet *packet, struct blob *attached)
{
    if (session != answers->session) {
        answers->stale++;
        return BUSBAR_CANCELLED;
    }
    if (!outbox_put(&answers->filling, packet, attached))
        return BUSBAR_NO_MEMORY;
    answers->filled++;
    answers->replies++;
    return BUSBAR_OK;
}

static enum busbar_status put(struct answers *answers, uint64_t session,
                              const struct packet *packet, struct blob *attached)
{
    pthread_mutex_lock(&answers->lock);
    enum busbar_status status = put_locked(answers, session, packet, attached);
    bool asleep = status == BUSBAR_OK && answers->asleep;
    if (asleep)
        answers->asleep = false;
    pthread_mutex_unlock(&answers->lock);
    if (asleep)
        wake_signal(answers->wake_fd);
    return status;
}

/* The length of a text that is cut, between two characters, where it is too long. */
static size_t text_size(const char *text)
{
    size_t size = strnlen(text, FAILURE_TEXT_MAX + 1);
    if (size <= FAILURE_TEXT_MAX)
        return size;
    size = FAILURE_TEXT_MAX;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

enum busbar_status answers_fail(struct answers *answers, struct answer_to to,
                                const struct failure *failure)
{
    struct packet packet = {
        .command = PACKET_ERROR,
        .status = (uint8_t)failure->status,
        .fate = (uint8_t)failure->fate,
        .id = to.id,
        .body = {.data = (const uint8_t *)failure->text, .size = text_size(failure->text)},
    };
    return put(answers, to.session, &packet, NULL);
}

static enum busbar_status too_large(struct answers *answers, struct answer_to to, size_t size)
{
    char text[128];
    snprintf(text, sizeof text, "the result has %zu bytes, the broker's limit is %llu", size,
             (unsigned long long)answers->body_limit);
    struct failure failure = {BUSBAR_RESULT_TOO_LARGE, BUSBAR_EXECUTED, text};
    enum busbar_status status = answers_fail(answers, to, &failure);
    return status == BUSBAR_OK ? BUSBAR_RESULT_TOO_LARGE : status;
}

static enum busbar_status reply(struct answers *answers, struct answer_to to,
                                struct busbar_body *body)
{
    if (to.session != answers->session)
        return put(answers, to.session, NULL, NULL);
    if (body->size > answers->body_limit)
        return too_large(answers, to, body->size);
    struct packet packet = {
        .command = PACKET_REPLY,
        .fate = BUSBAR_EXECUTED,
        .encoding = (uint8_t)body->encoding,
        .id = to.id,
        .body = {.data = body->data, .size = body->size},
    };
    if (body->size <= PACKET_INLINE_BODY_MAX)
        return put(answers, to.session, &packet, NULL);
    packet.flags = PACKET_ATTACHED;
    CLEANUP(blob_unref) struct blob *attached = body_blob(body);
    *body = (struct busbar_body){0};
    if (attached == NULL)
        return BUSBAR_NO_MEMORY;
    return put(answers, to.session, &packet, attached);
}

enum busbar_status answers_reply(struct answers *answers, struct answer_to to,
                                 struct busbar_body body)
{
    enum busbar_status status = BUSBAR_BAD_ARGUMENT;
    if (body_is_sane(&body))
        status = reply(answers, to, &body);
    busbar_body_release(&body);
    return status;
}

void answers_session(struct answers *answers, uint64_t session)
{
    pthread_mutex_lock(&answers->lock);
    uint64_t dropped = answers->filled + answers->under_way;
    answers->stale += dropped;
    answers->replies -= dropped;
    answers->filled = 0;
    outbox_clear(&answers->filling);
    answers->session = session;
    pthread_mutex_unlock(&answers->lock);
    outbox_clear(&answers->sending);
    answers->under_way = 0;
}

static void take_filled(struct answers *answers)
{
    pthread_mutex_lock(&answers->lock);
    struct outbox empty = answers->sending;
    answers->sending = answers->filling;
    answers->filling = empty;
    answers->under_way = answers->filled;
    answers->filled = 0;
    pthread_mutex_unlock(&answers->lock);
}

enum outbox_result answers_flush(struct answers *answers, void *socket)
{
    if (outbox_is_empty(&answers->sending))
        take_filled(answers);
    if (outbox_is_empty(&answers->sending))
        return OUTBOX_SENT;
    enum outbox_result result = outbox_flush(&answers->sending, socket, NULL);
    if (result == OUTBOX_SENT)
        answers->under_way = 0;
    return result;
}

bool answers_sleep(struct answers *answers)
{
    if (!outbox_is_empty(&answers->sending))
        return false;
    pthread_mutex_lock(&answers->lock);
    bool empty = outbox_is_empty(&answers->filling);
    answers->asleep = empty;
    pthread_mutex_unlock(&answers->lock);
    return empty;
}

void answers_awake(struct answers *answers)
{
    pthread_mutex_lock(&answers->lock);
    answers->asleep = false;
    pthread_mutex_unlock(&answers->lock);
}
