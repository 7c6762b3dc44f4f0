/* Replies: the one outcome of each call, with its body or its error text. */
#include "client-lib/reply.h"

#include <stdlib.h>
#include <string.h>

#include "client-lib/client.h"

enum {
    IDLE_MAX = 4096,
};

struct reply_pool *reply_pool_new(void)
{
    struct reply_pool *pool = calloc(1, sizeof *pool);
    if (pool != NULL)
        pool->references = 1;
    return pool;
}

void reply_pool_unref(struct reply_pool *pool)
{
    if (pool == NULL || --pool->references > 0)
        return;
    while (pool->idle != NULL) {
        struct busbar_reply *next = pool->idle->next;
        free(pool->idle);
        pool->idle = next;
    }
    free(pool);
}

bool reply_pool_reserve(struct reply_pool *pool, size_t count)
{
    pool->reserved = count;
    while (pool->idle_count < count) {
        struct busbar_reply *reply = malloc(sizeof *reply);
        if (reply == NULL)
            return false;
        reply->next = pool->idle;
        pool->idle = reply;
        pool->idle_count++;
    }
    return true;
}

static struct busbar_reply *reply_take(struct reply_pool *pool, size_t kept)
{
    struct busbar_reply *reply = NULL;
    if (pool->idle_count > kept) {
        reply = pool->idle;
        pool->idle = reply->next;
        pool->idle_count--;
    } else {
        reply = malloc(sizeof *reply);
        if (reply == NULL)
            return NULL;
    }
    memset(reply, 0, offsetof(struct busbar_reply, space));
    reply->error = "";
    reply->pool = pool;
    pool->references++;
    return reply;
}

struct busbar_reply *reply_new(struct reply_pool *pool)
{
    return reply_take(pool, 0);
}

struct busbar_reply *reply_new_spare(struct reply_pool *pool)
{
    return reply_take(pool, pool->reserved);
}

void busbar_reply_destroy(struct busbar_reply **reply)
{
    if (reply == NULL || *reply == NULL)
        return;
    struct busbar_reply *ended = *reply;
    struct reply_pool *pool = ended->pool;
    *reply = NULL;
    if (ended->held != NULL)
        blob_unref(&ended->held);
    free(ended->heap);
    free(ended->extras);
    if (ended->kind == REPLY_PART && pool->client != NULL)
        client_grant(pool->client, ended->id);
    if (pool->idle_count < IDLE_MAX || pool->idle_count < pool->reserved) {
        ended->next = pool->idle;
        pool->idle = ended;
        pool->idle_count++;
    } else {
        free(ended);
    }
    reply_pool_unref(pool);
}

/* Room for `size` bytes; false when out of memory. */
static bool reply_reserve(struct busbar_reply *reply, size_t size, void **ret)
{
    *ret = reply->space;
    if (size > REPLY_SPACE)
        *ret = reply->heap = malloc(size);
    return *ret != NULL;
}

void reply_fail(struct busbar_reply *reply, enum busbar_status status, enum busbar_fate fate,
                struct bytes text)
{
    reply->status = status;
    reply->fate = fate;
    reply->error = busbar_status_text(status);
    if (text.size == 0)
        return;
    void *room;
    if (!reply_reserve(reply, text.size + 1, &room))
        return; /* the static text has to do */
    memcpy(room, text.data, text.size);
    ((char *)room)[text.size] = '\0';
    reply->error = room;
}

void reply_succeed(struct busbar_reply *reply, const struct packet *packet, struct blob *attached)
{
    void *room;
    if (packet->metadata.size > 0 && !reply_take_metadata(reply, packet->metadata)) {
        reply_fail(reply, BUSBAR_NO_MEMORY, BUSBAR_EXECUTED, (struct bytes){0});
        return;
    }
    if (attached != NULL) {
        reply->held = blob_ref(attached);
        reply->data = packet->body.data;
    } else {
        if (!reply_reserve(reply, packet->body.size, &room)) {
            reply_fail(reply, BUSBAR_NO_MEMORY, BUSBAR_EXECUTED, (struct bytes){0});
            return;
        }
        if (packet->body.size > 0)
            memcpy(room, packet->body.data, packet->body.size);
        reply->data = room;
    }
    reply->size = packet->body.size;
    reply->source = BUSBAR_BY_HANDLER;
    reply->status = BUSBAR_OK;
    reply->fate = BUSBAR_EXECUTED;
    reply->encoding = (enum busbar_encoding)packet->encoding;
}

void reply_queue_init(struct reply_queue *queue)
{
    *queue = (struct reply_queue){.end = &queue->first};
}

void reply_queue_push(struct reply_queue *queue, struct busbar_reply *reply)
{
    reply->next = NULL;
    *queue->end = reply;
    queue->end = &reply->next;
    queue->count++;
}

struct busbar_reply *reply_queue_pop(struct reply_queue *queue)
{
    struct busbar_reply *reply = queue->first;
    if (reply == NULL)
        return NULL;
    queue->first = reply->next;
    if (queue->first == NULL)
        queue->end = &queue->first;
    queue->count--;
    return reply;
}

enum busbar_status busbar_reply_status(const struct busbar_reply *reply)
{
    return reply == NULL ? BUSBAR_BAD_ARGUMENT : reply->status;
}

enum busbar_fate busbar_reply_fate(const struct busbar_reply *reply)
{
    return reply == NULL ? BUSBAR_NOT_EXECUTED : reply->fate;
}

enum busbar_source busbar_reply_source(const struct busbar_reply *reply)
{
    return reply == NULL ? BUSBAR_BY_CLIENT : reply->source;
}

const char *busbar_reply_error(const struct busbar_reply *reply)
{
    return reply == NULL ? "" : reply->error;
}

uint32_t busbar_reply_retry_after(const struct busbar_reply *reply)
{
    return reply == NULL ? 0 : reply->retry_after;
}

const void *busbar_reply_data(const struct busbar_reply *reply)
{
    return reply == NULL ? NULL : reply->data;
}

size_t busbar_reply_size(const struct busbar_reply *reply)
{
    return reply == NULL ? 0 : reply->size;
}

enum busbar_encoding busbar_reply_encoding(const struct busbar_reply *reply)
{
    return reply == NULL ? BUSBAR_RAW : reply->encoding;
}

enum busbar_status busbar_reply_value(const struct busbar_reply *reply, struct busbar_value **ret)
{
    if (ret == NULL)
        return BUSBAR_BAD_ARGUMENT;
    *ret = NULL;
    if (reply == NULL)
        return BUSBAR_BAD_ARGUMENT;
    if (reply->status != BUSBAR_OK || reply->encoding != BUSBAR_MESSAGEPACK)
        return BUSBAR_BAD_REQUEST;
    return busbar_value_decode(ret, reply->data, reply->size, NULL);
}

void *busbar_reply_context(const struct busbar_reply *reply)
{
    return reply == NULL ? NULL : reply->context;
}

bool busbar_reply_is_part(const struct busbar_reply *reply)
{
    return reply != NULL && reply->kind == REPLY_PART;
}

uint64_t busbar_reply_id(const struct busbar_reply *reply)
{
    return reply == NULL ? 0 : reply->id;
}
