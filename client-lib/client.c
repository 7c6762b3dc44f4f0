/* The client's public functions, but for its replies and its descriptor. */
#include "client-lib/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "client-lib/body.h"

enum busbar_status client_fail(struct busbar_client *client, enum busbar_status status,
                               const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(client->error, sizeof client->error, format, arguments);
    va_end(arguments);
    client->status = status;
    client->fate = BUSBAR_NOT_EXECUTED;
    return status;
}

enum busbar_status client_check(struct busbar_client *client)
{
    if (client == NULL)
        return BUSBAR_BAD_ARGUMENT;
    if (fork_mark_is_forked(&client->mark))
        return client_fail(client, BUSBAR_FORKED, "%s", busbar_status_text(BUSBAR_FORKED));
    return BUSBAR_OK;
}

enum busbar_status client_check_outside(struct busbar_client *client)
{
    enum busbar_status status = client_check(client);
    if (status == BUSBAR_OK && client->is_in_callback)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "not allowed within a callback");
    return status;
}

static const char *choose_endpoint(const struct busbar_client_options *options)
{
    const char *named = getenv("BUSBAR_BROKER");
    if (options->broker != NULL)
        return options->broker;
    return named != NULL && named[0] != '\0' ? named : BUSBAR_DEFAULT_BROKER;
}

static bool options_are_sane(const struct busbar_client_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return false;
    }
    return options->timeout_ms != PACKET_TIMEOUT_NONE;
}

static void client_init(struct busbar_client *client, const struct busbar_client_options *options)
{
    fork_mark_init(&client->mark);
    call_table_init(&client->calls);
    wheel_init(&client->wheel, clock_ms());
    list_init(&client->waiting);
    list_init(&client->put);
    reply_queue_init(&client->done);
    reply_queue_init(&client->callbacks);
    client_loop_init(&client->loop);
    client->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : BUSBAR_DEFAULT_TIMEOUT_MS;
    client->connect_timeout_ms = options->connect_timeout_ms != 0 ? options->connect_timeout_ms
                                                                  : CLIENT_CONNECT_TIMEOUT_MS;
}

enum busbar_status busbar_client_new(struct busbar_client **ret,
                                     const struct busbar_client_options *options)
{
    static const struct busbar_client_options defaults = {0};
    if (ret == NULL)
        return BUSBAR_BAD_ARGUMENT;
    *ret = NULL;
    if (options == NULL)
        options = &defaults;
    if (!options_are_sane(options))
        return BUSBAR_BAD_ARGUMENT;
    CLEANUP(busbar_client_destroy) struct busbar_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return BUSBAR_NO_MEMORY;
    client_init(client, options);
    client->replies = reply_pool_new();
    if (client->replies == NULL)
        return BUSBAR_NO_MEMORY;
    enum busbar_status status = connection_init(&client->connection, choose_endpoint(options),
                                                &client_handler, client);
    if (status == BUSBAR_OK)
        *ret = STEAL(client);
    return status;
}

/* In the child of a fork the callbacks are the parent's to run. */
static void client_abandon_calls(struct busbar_client *client, bool is_forked)
{
    static const struct call_outcome unsent = {BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED};
    static const struct call_outcome sent = {BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED};
    struct busbar_reply *reply;
    LIST_EACH(node, &client->waiting)
        client_finish(client, CONTAINER_OF(node, struct call, link), unsent,
                      "the client was destroyed");
    LIST_EACH(node, &client->put)
        client_finish(client, CONTAINER_OF(node, struct call, link), sent,
                      "the client was destroyed");
    while ((reply = reply_queue_pop(&client->callbacks)) != NULL) {
        if (!is_forked)
            reply->callback(&reply, reply->context);
        busbar_reply_destroy(&reply);
    }
    while ((reply = reply_queue_pop(&client->done)) != NULL)
        busbar_reply_destroy(&reply);
    busbar_reply_destroy(&client->answer);
}

void busbar_client_destroy(struct busbar_client **client)
{
    if (client == NULL || *client == NULL)
        return;
    struct busbar_client *ended = *client;
    bool is_forked = fork_mark_is_forked(&ended->mark);
    if (ended->is_in_callback && !is_forked) {
        (void)client_fail(ended, BUSBAR_BAD_ARGUMENT, "not allowed within a callback");
        return;
    }
    *client = NULL;
    ended->is_closing = true;
    ended->is_in_callback = true;
    client_abandon_calls(ended, is_forked);
    if (!is_forked)
        connection_close(&ended->connection, CLIENT_LINGER_MS);
    connection_fini(&ended->connection);
    client_loop_fini(&ended->loop);
    call_table_fini(&ended->calls);
    reply_pool_unref(ended->replies);
    fork_mark_fini(&ended->mark);
    free(ended);
}

enum busbar_status busbar_client_start(struct busbar_client *client, const struct busbar_call *call,
                                       uint64_t *ret_id)
{
    struct call *started = NULL;
    enum busbar_status status = client_check(client);
    if (status == BUSBAR_OK && call == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "there is no call to start");
    if (status != BUSBAR_OK) {
        struct busbar_body body = call == NULL ? (struct busbar_body){0} : call->body;
        busbar_body_release(&body);
        return status;
    }
    status = client_start(client, call, &started);
    if (status != BUSBAR_OK)
        return status;
    if (ret_id != NULL)
        *ret_id = started->id;
    if (client->connection.outbox.waiting >= CLIENT_FLUSH_SIZE && !client->is_blocked)
        client->is_blocked = connection_flush(&client->connection) != OUTBOX_SENT;
    client_settle(client);
    return BUSBAR_OK;
}

/* A call that was refused before it became one still has an outcome to hand over. */
static enum busbar_status client_refused(struct busbar_client *client, enum busbar_status status,
                                         struct busbar_reply **ret)
{
    if (status == BUSBAR_BAD_ARGUMENT || status == BUSBAR_NO_MEMORY || status == BUSBAR_FORKED)
        return status;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = reply_new(client->replies);
    if (reply == NULL)
        return BUSBAR_NO_MEMORY;
    reply_fail(reply, status, BUSBAR_NOT_EXECUTED, bytes_of_text(client->error));
    if (ret != NULL)
        *ret = STEAL(reply);
    return status;
}

static enum busbar_status client_answered(struct busbar_client *client, struct busbar_reply **ret)
{
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = STEAL(client->answer);
    enum busbar_status status = reply->status;
    if (status != BUSBAR_OK) {
        (void)client_fail(client, status, "%s", reply->error);
        client->fate = reply->fate;
    }
    if (ret != NULL)
        *ret = STEAL(reply);
    return status;
}

enum busbar_status busbar_client_call(struct busbar_client *client, const struct busbar_call *call,
                                      struct busbar_reply **ret)
{
    struct call *started = NULL;
    if (ret != NULL)
        *ret = NULL;
    enum busbar_status status = client_check_outside(client);
    if (status == BUSBAR_OK && (call == NULL || call->callback != NULL))
        status = client_fail(client, BUSBAR_BAD_ARGUMENT, "a call that is waited for is needed");
    if (status != BUSBAR_OK) {
        struct busbar_body body = call == NULL ? (struct busbar_body){0} : call->body;
        busbar_body_release(&body);
        return status;
    }
    status = client_start(client, call, &started);
    if (status != BUSBAR_OK)
        return client_refused(client, status, ret);
    started->is_sync = true;
    while (client->answer == NULL)
        (void)client_await(client, UINT64_MAX);
    status = client_answered(client, ret);
    client_settle(client);
    return status;
}

enum busbar_status busbar_client_wait(struct busbar_client *client, uint32_t timeout_ms,
                                      struct busbar_reply **ret)
{
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return status;
    if (ret == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "there is no place for the reply");
    struct busbar_reply *reply = reply_queue_pop(&client->done);
    if (reply == NULL && client->calls.used > 0) {
        uint64_t until = timeout_ms == 0 ? 0 : clock_ns() + timeout_ms * UINT64_C(1000000);
        bool in_time = true;
        while (in_time && reply == NULL && client->calls.used > 0) {
            in_time = client_await(client, until);
            reply = reply_queue_pop(&client->done);
        }
    }
    client_settle(client);
    *ret = reply;
    return reply == NULL ? BUSBAR_NOTHING : BUSBAR_OK;
}

enum busbar_status busbar_client_flush(struct busbar_client *client)
{
    enum busbar_status status = client_check(client);
    if (status != BUSBAR_OK)
        return status;
    client_send(client, clock_ms());
    client_settle(client);
    return BUSBAR_OK;
}

enum busbar_status busbar_client_cancel(struct busbar_client *client, uint64_t id)
{
    enum busbar_status status = client_check(client);
    if (status != BUSBAR_OK)
        return status;
    struct call *call = call_table_find(&client->calls, id);
    if (call == NULL)
        return BUSBAR_NOTHING;
    if (!call->is_cancelled)
        client_cancel_call(client, call);
    client_settle(client);
    return BUSBAR_OK;
}

size_t busbar_client_outstanding(const struct busbar_client *client)
{
    return client == NULL ? 0 : client->calls.used + client->done.count + client->callbacks.count;
}

enum busbar_status busbar_client_process(struct busbar_client *client)
{
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return status;
    client_send(client, clock_ms());
    client_advance(client);
    client_send(client, clock_ms());
    client_settle(client);
    return BUSBAR_OK;
}

enum busbar_status busbar_client_status(const struct busbar_client *client)
{
    return client == NULL ? BUSBAR_BAD_ARGUMENT : client->status;
}

enum busbar_fate busbar_client_fate(const struct busbar_client *client)
{
    return client == NULL ? BUSBAR_NOT_EXECUTED : client->fate;
}

const char *busbar_client_error(const struct busbar_client *client)
{
    return client == NULL ? "" : client->error;
}

const char *busbar_client_broker(const struct busbar_client *client)
{
    return client == NULL ? "" : client->connection.endpoint;
}
