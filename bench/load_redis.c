/*
 * Redis, which has no requests: a list of requests and one of replies for each client; hiredis.
 * A request is two elements pushed together, the name of its list of replies and the body.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"

struct redis_client {
    redisContext *requests;
    redisContext *replies; /* of its own: waiting there stops what comes after it */
    struct load_place place;
    char list[32];
    size_t sent; /* whose answers on `requests` were not read yet */
};

static redisContext *open_connection(const char *endpoint)
{
    char host[LOAD_ENDPOINT_SIZE];
    memcpy(host, endpoint, sizeof host);
    char *colon = strrchr(host, ':');
    if (colon != NULL)
        *colon = '\0';
    redisContext *context = colon != NULL ? redisConnect(host, (int)strtol(colon + 1, NULL, 10))
                                          : redisConnectUnix(endpoint);
    if (context == NULL || context->err != 0)
        load_die("redis", context != NULL ? context->errstr : "no memory");
    context->reader->maxbuf = 0; /* keeps a large buffer for the next body */
    return context;
}

static redisReply *read_reply(redisContext *context)
{
    void *reply = NULL;
    if (redisGetReply(context, &reply) != REDIS_OK)
        load_die("redis", context->errstr);
    redisReply *read = reply;
    if (read->type == REDIS_REPLY_ERROR)
        load_die("redis", read->str);
    return read;
}

static void push(redisContext *context, const char *const words[], const size_t sizes[], int count)
{
    if (redisAppendCommandArgv(context, count, (const char **)(uintptr_t)words, sizes) != REDIS_OK)
        load_die("redis", context->errstr);
}

/* Waits for elements of a list, at most `most` of them; they are element[1] of the reply. */
static redisReply *pop(redisContext *context, const char *list, unsigned long long most)
{
    if (redisAppendCommand(context, "BLMPOP %d 1 %s LEFT COUNT %llu", LOAD_REPLY_MS / 1000, list,
                           most) != REDIS_OK)
        load_die("redis", context->errstr);
    return read_reply(context);
}

static void *client_open(const struct load_place *place)
{
    struct redis_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        load_die("redis", "no memory");
    client->place = *place;
    client->requests = open_connection(place->endpoint);
    client->replies = open_connection(place->endpoint);
    snprintf(client->list, sizeof client->list, "r.%d.%u", (int)getpid(), place->index);
    return client;
}

static void client_send(void *owner, const void *body)
{
    struct redis_client *client = owner;
    const char *const words[] = {"RPUSH", client->place.service, client->list, body};
    const size_t sizes[] = {5, strlen(words[1]), strlen(words[2]), client->place.size};
    push(client->requests, words, sizes, 4);
    client->sent++;
}

static size_t client_receive(void *owner)
{
    struct redis_client *client = owner;
    for (; client->sent > 0; client->sent--)
        freeReplyObject(read_reply(client->requests));
    redisReply *reply = pop(client->replies, client->list, client->place.outstanding);
    if (reply->type != REDIS_REPLY_ARRAY)
        load_die("redis", "no reply in time");
    const redisReply *bodies = reply->element[1];
    size_t count = bodies->elements;
    for (size_t i = 0; i < count; i++)
        load_check_size(&client->place, bodies->element[i]->len);
    freeReplyObject(reply);
    return count;
}

static void answer(redisContext *context, const redisReply *elements)
{
    for (size_t i = 0; i + 1 < elements->elements; i += 2) {
        const redisReply *list = elements->element[i], *body = elements->element[i + 1];
        const char *const words[] = {"RPUSH", list->str, body->str};
        const size_t sizes[] = {5, list->len, body->len};
        push(context, words, sizes, 3);
    }
    for (size_t i = 0; i + 1 < elements->elements; i += 2)
        freeReplyObject(read_reply(context));
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    enum { TAKEN = 64 }; /* requests at once */
    redisContext *context = open_connection(place->back);
    ready();
    for (;;) {
        redisReply *reply = pop(context, place->service, UINT64_C(2) * TAKEN);
        if (reply->type == REDIS_REPLY_ARRAY)
            answer(context, reply->element[1]);
        freeReplyObject(reply);
    }
}

const struct load load_redis = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .serve = serve,
};
