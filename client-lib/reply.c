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

static void reply_pool_end(struct reply_pool *pool)
{
    while (pool->idle != NULL) {
        struct busbar_reply *next = pool->idle->next;
        free(pool->idle);
        pool->idle = next;
    }
    free(pool);
}

void reply_pool_unref(struct reply_pool *pool)
{
    if (pool != NULL && --pool->references == 0)
        reply_pool_end(pool);
}

bool reply_pool_fill(struct reply_pool *pool, size_t count)
{
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

struct busbar_reply *reply_new_spare(struct reply_pool *pool)
{
    bool has_room = pool->idle_count > pool->reserved ||
                    reply_pool_fill(pool, pool->idle_count + 1);
    return has_room ? reply_new(pool) : NULL;
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
    if (ended->extras != NULL)
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

/* Room for `size` bytes; NULL when out of memory. */
static uint8_t *reply_reserve(struct busbar_reply *reply, size_t size)
{
    uint8_t *room = NULL;
    if (size <= REPLY_SPACE)
        return reply->space;
    reply->held = blob_new(size, &room);
    return room;
}

void reply_fail(struct busbar_reply *reply, enum busbar_status status, enum busbar_fate fate,
                struct bytes text)
{
    reply->status = status;
    reply->fate = fate;
    reply->error = busbar_status_text(status);
    if (text.size == 0)
        return;
    uint8_t *room = reply_reserve(reply, text.size + 1);
    if (room == NULL)
        return; /* the static text has to do */
    memcpy(room, text.data, text.size);
    room[text.size] = '\0';
    reply->error = (const char *)room;
}

/* The body, where it was found or copied; false when out of memory. */
static bool reply_take_body(struct busbar_reply *reply, struct bytes body, struct blob *attached)
{
    reply->size = body.size;
    if (attached != NULL) {
        reply->held = blob_ref(attached);
        reply->data = body.data;
        return true;
    }
    uint8_t *room = reply_reserve(reply, body.size);
    if (room == NULL)
        return false;
    if (body.size > 0)
        memcpy(room, body.data, body.size);
    reply->data = room;
    return true;
}

void reply_succeed_at_length(struct busbar_reply *reply, const struct packet *packet,
                             struct blob *attached)
{
    if ((packet->metadata.size > 0 && !reply_take_metadata(reply, packet->metadata)) ||
        !reply_take_body(reply, packet->body, attached)) {
        reply->size = 0;
        reply_fail(reply, BUSBAR_NO_MEMORY, BUSBAR_EXECUTED, (struct bytes){0});
        return;
    }
    reply->source = BUSBAR_BY_HANDLER;
    reply->status = BUSBAR_OK;
    reply->fate = BUSBAR_EXECUTED;
    reply->encoding = packet->encoding;
}

void reply_queue_init(struct reply_queue *queue)
{
    *queue = (struct reply_queue){.end = &queue->first};
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
