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

enum busbar_status client_forked(struct busbar_client *client)
{
    return client_fail(client, BUSBAR_FORKED, "%s", busbar_status_text(BUSBAR_FORKED));
}

enum busbar_status client_check_outside(struct busbar_client *client)
{
    enum busbar_status status = client_check(client);
    if (status == BUSBAR_OK && client->is_in_callback)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "not allowed within a callback");
    return status;
}

static const char *choose_brokers(const struct busbar_client_options *options)
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
    list_init(&client->granting);
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
    enum busbar_status status = client_init_brokers(client, choose_brokers(options));
    if (status != BUSBAR_OK)
        return status;
    client->replies = reply_pool_new();
    if (client->replies == NULL)
        return BUSBAR_NO_MEMORY;
    client->replies->client = client;
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
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        LIST_EACH(node, &client->uplinks[i].put)
            client_finish(client, CONTAINER_OF(node, struct call, link), sent,
                          "the client was destroyed");
    }
    if (!is_forked)
        client_run_callbacks(client);
    while ((reply = reply_queue_pop(&client->callbacks)) != NULL)
        busbar_reply_destroy(&reply);
    while ((reply = reply_queue_pop(&client->done)) != NULL)
        busbar_reply_destroy(&reply);
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
    if (ended->replies != NULL) { /* else it was never whole */
        ended->replies->client = NULL;
        client_abandon_calls(ended, is_forked);
    }
    client_fini_brokers(ended, is_forked);
    client_loop_fini(&ended->loop);
    call_table_fini(&ended->calls);
    reply_pool_unref(ended->replies);
    fork_mark_fini(&ended->mark);
    free(ended);
}

/* What is left of a call that cannot even be looked at. */
enum busbar_status client_decline(const struct busbar_call *call, enum busbar_status status)
{
    struct busbar_body body = call == NULL ? (struct busbar_body){0} : call->body;
    busbar_body_release(&body);
    return status;
}

enum busbar_status busbar_client_start(struct busbar_client *client, const struct busbar_call *call,
                                       uint64_t *ret_id)
{
    enum busbar_status status = client_check(client);
    if (status == BUSBAR_OK && call == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "there is no call to start");
    if (status != BUSBAR_OK)
        return client_decline(call, status);
    status = client_start(client, call, NULL, ret_id);
    if (status != BUSBAR_OK)
        return status;
    struct uplink *current = client->current;
    if (current->connection.outbox.waiting >= CLIENT_FLUSH_SIZE && !current->is_blocked)
        current->is_blocked = connection_flush(&current->connection) != OUTBOX_SENT;
    if (!client->loop.is_signalled) /* else the turn that the event brings settles the rest */
        client_settle(client);
    return BUSBAR_OK;
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
    return client == NULL
               ? 0
               : client->calls.used + client->done.count + client->callbacks.count - client->parts;
}

enum busbar_status busbar_client_process(struct busbar_client *client)
{
    enum busbar_status status = client_check_outside(client);
    if (status != BUSBAR_OK)
        return status;
    uint64_t now = clock_ms();
    client_send(client, now);
    client_advance(client, now);
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
    return client == NULL ? "" : client_connection(client)->endpoint;
}
