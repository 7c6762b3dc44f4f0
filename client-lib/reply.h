/* Replies and parts of them: room is made for one reply with each call; filled once, used again. */
#ifndef CLIENT_LIB_REPLY_H
#define CLIENT_LIB_REPLY_H

#include <assert.h>
#include <busbar/client.h>
#include <string.h>

#include "base/blob.h"
#include "protocol/packet.h"

enum {
    REPLY_SPACE = 256, /* bytes of a body or an error text that need no allocation */
};

/* Unused replies. Outlives its client as long as the user holds a reply. */
struct reply_pool {
    size_t references;            /* the client, and every reply in use */
    struct busbar_client *client; /* told of parts that are done with; NULL once it is gone */
    struct busbar_reply *idle;
    size_t idle_count;
    size_t reserved; /* so many are kept idle at least */
};

enum reply_kind {
    REPLY_OUTCOME,
    REPLY_PART,
    REPLY_PROGRESS, /* a text, on its way to the callback that is told of it */
};

/* What came with a reply besides its body: copied, since it is seldom there. */
struct reply_extras {
    size_t attempt_count;
    size_t items_size;
    char *items; /* name, NUL, value, NUL, … */
    struct busbar_attempt attempts[];
};

struct busbar_reply {
    struct busbar_reply *next; /* in a queue, or among the idle */
    struct reply_pool *pool;
    struct blob *held;           /* the body or the text, where `space` is too small; or NULL */
    struct reply_extras *extras; /* NULL for none */
    const uint8_t *data;         /* in `space` or `held`; NULL unless OK */
    size_t size;
    uint8_t status;   /* enum busbar_status */
    uint8_t fate;     /* enum busbar_fate */
    uint8_t source;   /* enum busbar_source */
    uint8_t encoding; /* enum busbar_encoding */
    uint8_t kind;     /* enum reply_kind */
    uint32_t retry_after;
    const char *error; /* in `space` or `held`, or static; "" if OK */
    union {
        busbar_reply_fn *callback;    /* of an outcome or a part */
        busbar_progress_fn *progress; /* of progress, whose thousandths are in `size` */
    };
    void *context;
    uint64_t id;
    uint8_t space[REPLY_SPACE];
};

struct reply_queue {
    struct busbar_reply *first;
    struct busbar_reply **end;
    size_t count;
};

struct reply_pool *reply_pool_new(void);
void reply_pool_unref(struct reply_pool *pool);

/* Makes idle replies until there are `count`; false when out of memory. */
bool reply_pool_fill(struct reply_pool *pool, size_t count);

/* Makes sure that `count` replies can be made without memory; false when there is none. */
static inline bool reply_pool_reserve(struct reply_pool *pool, size_t count)
{
    pool->reserved = count;
    return pool->idle_count >= count || reply_pool_fill(pool, count);
}

/* An empty reply, for which room was made. End it with busbar_reply_destroy. */
static inline struct busbar_reply *reply_new(struct reply_pool *pool)
{
    struct busbar_reply *reply = pool->idle;
    assert(reply != NULL);
    pool->idle = reply->next;
    pool->idle_count--;
    pool->references++;
    reply->pool = pool;
    reply->held = NULL;
    reply->extras = NULL;
    reply->data = NULL;
    reply->size = 0;
    reply->status = BUSBAR_OK;
    reply->fate = BUSBAR_NOT_EXECUTED;
    reply->source = BUSBAR_BY_CLIENT;
    reply->encoding = BUSBAR_RAW;
    reply->kind = REPLY_OUTCOME;
    reply->retry_after = 0;
    reply->error = "";
    reply->callback = NULL;
    reply->context = NULL;
    reply->id = 0;
    return reply;
}

/* The same for what no room was made for: it leaves alone what is kept for outcomes, and is NULL
 * when out of memory. */
struct busbar_reply *reply_new_spare(struct reply_pool *pool);

/* reply_metadata.c: takes over the attempts and items of a packet; false when out of memory. */
bool reply_take_metadata(struct busbar_reply *reply, struct bytes metadata);

/* For reply_succeed, where there is more than a short body. */
void reply_succeed_at_length(struct busbar_reply *reply, const struct packet *packet,
                             struct blob *attached);

/* A body that was received: kept by reference where it is a frame of its own, else copied. */
static inline void reply_succeed(struct busbar_reply *reply, const struct packet *packet,
                                 struct blob *attached)
{
    if (packet->metadata.size > 0 || attached != NULL || packet->body.size > REPLY_SPACE) {
        reply_succeed_at_length(reply, packet, attached);
        return;
    }
    memcpy(reply->space, packet->body.data, packet->body.size);
    reply->data = reply->space;
    reply->size = packet->body.size;
    reply->status = BUSBAR_OK;
    reply->fate = BUSBAR_EXECUTED;
    reply->source = BUSBAR_BY_HANDLER;
    reply->encoding = packet->encoding;
}

/* A failure, of this side unless `source` is set as well; the text is copied, and cut at its first
 * NUL. */
void reply_fail(struct busbar_reply *reply, enum busbar_status status, enum busbar_fate fate,
                struct bytes text);

void reply_queue_init(struct reply_queue *queue);
static inline void reply_queue_push(struct reply_queue *queue, struct busbar_reply *reply)
{
    reply->next = NULL;
    *queue->end = reply;
    queue->end = &reply->next;
    queue->count++;
}

/* The oldest, or NULL. */
static inline struct busbar_reply *reply_queue_pop(struct reply_queue *queue)
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

#endif
