/* The life of a call: it waits, is put into the outbox, put back, cancelled, expired, and ends. */
#include "client-lib/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    GRACE_MAX_MS = 50, /* the broker ends calls at their deadline; this side is the backstop */
    GRACE_PARTS = 10,
};

static const struct call_outcome unsent_timeout = {BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED};
static const struct call_outcome sent_timeout = {BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED};
static const struct call_outcome unsent_loss = {BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED};
static const struct call_outcome unsent_drained = {BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED};
static const struct call_outcome unsent_cancel = {BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED};

static void client_finish_with(struct busbar_client *client, struct call *call,
                               struct call_outcome outcome, const char *text)
{
    struct busbar_reply *reply = client_reply(client, call);
    if (call->is_doubtful && outcome.fate == BUSBAR_NOT_EXECUTED)
        outcome.fate = BUSBAR_MAYBE_EXECUTED;
    reply_fail(reply, outcome.status, outcome.fate, bytes_of_text(text));
    client_deliver(client, call, reply);
}

void client_finish(struct busbar_client *client, struct call *call, struct call_outcome outcome,
                   const char *format, ...)
{
    char what[CLIENT_TEXT_SIZE];
    char text[CLIENT_TEXT_SIZE + 2 * 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *service = (const char *)call_bytes(call);
    snprintf(text, sizeof text, "%.*s.%.*s: %s", call->service_size, service, call->method_size,
             service + call->service_size, what);
    client_finish_with(client, call, outcome, text);
}

static inline void client_set_timer(struct busbar_client *client, struct call *call, uint64_t due)
{
    wheel_skip(&client->wheel, client->now);
    wheel_set(&client->wheel, &call->timer, due);
}

/* No longer than a connection may take. */
void client_queue(struct busbar_client *client, struct call *call, uint64_t now)
{
    uint64_t patience = now + 1 + client->connect_timeout_ms; /* `now` has begun already */
    call->state = CALL_WAITING;
    wheel_stop(&client->wheel, &call->timer);
    list_remove(&call->link);
    list_append(&client->waiting, &call->link);
    client->waiting_bytes += call_size(call);
    client_set_timer(client, call, call->deadline < patience ? call->deadline : patience);
}

static uint64_t call_grace(const struct call *call)
{
    return call->timeout < GRACE_PARTS * GRACE_MAX_MS ? call->timeout / GRACE_PARTS : GRACE_MAX_MS;
}

static void client_unqueue(struct busbar_client *client, struct call *call)
{
    client->waiting_bytes -= call_size(call);
    wheel_stop(&client->wheel, &call->timer);
    list_remove(&call->link);
}

bool client_put(struct busbar_client *client, struct call *call, uint32_t left)
{
    struct uplink *uplink = client->current;
    struct packet packet = call_packet(call);
    packet.timeout = left;
    if (connection_put(&uplink->connection, &packet, call->attached) != BUSBAR_OK)
        return false;
    if (call->state == CALL_WAITING)
        client_unqueue(client, call);
    call->state = CALL_PUT;
    call->uplink = uplink;
    call->position = uplink->connection.outbox.put;
    call->session = uplink->connection.sessions;
    call->sends++;
    if (list_is_empty(&uplink->put)) {
        uplink->quiet_since = client->now;
        uplink->beats = 0;
    }
    list_append(&uplink->put, &call->link);
    client_set_timer(client, call, call->deadline + call_grace(call));
    return true;
}

/* Why there is no session. Without the endpoint that the text begins with, if that is named already. */
static const char *client_obstacle(const struct busbar_client *client)
{
    const char *endpoint = client_connection(client)->endpoint;
    size_t size = strlen(endpoint);
    if (client->unreachable[0] == '\0')
        return "no session in time";
    if (client->brokers.count > 1 || strncmp(client->unreachable, endpoint, size) != 0 ||
        strncmp(client->unreachable + size, ": ", 2) != 0)
        return client->unreachable;
    return client->unreachable + size + 2;
}

/* What was called does not matter, so the text does not name it. */
static void client_give_up(struct busbar_client *client, struct call *call, uint32_t waited_ms)
{
    char text[2 * CLIENT_TEXT_SIZE];
    const char *endpoint = client_connection(client)->endpoint;
    bool is_drained = client_is_drained(client);
    if (is_drained)
        snprintf(text, sizeof text, "%s takes no new calls, and no other broker was found (%u ms)",
                 endpoint, waited_ms);
    else if (client->brokers.count > 1)
        snprintf(text, sizeof text, "no broker answers at any of %zu endpoints (%s; waited %u ms)",
                 client->brokers.count, client_obstacle(client), waited_ms);
    else
        snprintf(text, sizeof text, "no broker answers at %s (%s; waited %u ms)", endpoint,
                 client_obstacle(client), waited_ms);
    client_finish_with(client, call, is_drained ? unsent_drained : unsent_loss, text);
}

static void client_time_out(struct busbar_client *client, struct call *call)
{
    if (call->state == CALL_PUT)
        client_finish(client, call, sent_timeout, "no answer from %s within %u ms",
                      call->uplink->connection.endpoint, call->timeout);
    else if (client_is_ready(client))
        client_finish(client, call, unsent_timeout, "%s was reached only after %u ms",
                      client_connection(client)->endpoint, call->timeout);
    else
        client_give_up(client, call, call->timeout);
}

/* What is left of its time includes the millisecond begun, which it was not told to have. */
static uint32_t time_left(const struct call *call, uint64_t now)
{
    uint64_t left = call->deadline - now;
    return left < call->timeout ? (uint32_t)left : call->timeout;
}

void client_put_waiting(struct busbar_client *client, uint64_t now)
{
    while (!list_is_empty(&client->waiting) && client_is_ready(client)) {
        struct call *call = LIST_FIRST(&client->waiting, struct call, link);
        if (now >= call->deadline)
            client_time_out(client, call);
        else if (!client_put(client, call, time_left(call, now)))
            return; /* out of memory: with the next turn, or its timer ends it */
    }
}

void client_expire(struct busbar_client *client, uint64_t now)
{
    struct wheel_timer *timer;
    while ((timer = wheel_expired(&client->wheel, now)) != NULL) {
        struct call *call = CONTAINER_OF(timer, struct call, timer);
        if (call->state == CALL_PUT || now >= call->deadline)
            client_time_out(client, call);
        else
            client_give_up(client, call, client->connect_timeout_ms);
    }
}

void client_cancel_call(struct busbar_client *client, struct call *call)
{
    const struct packet packet = {.command = PACKET_CANCEL, .id = call->id};
    call->is_cancelled = true;
    if (call->state == CALL_WAITING)
        client_finish(client, call, unsent_cancel, "cancelled before it was sent");
    else if (connection_put(&call->uplink->connection, &packet, NULL) != BUSBAR_OK)
        call->is_cancelled = false; /* may be asked for again */
}

void client_put_back(struct busbar_client *client, struct call *call)
{
    if (call->is_cancelled)
        client_finish(client, call, unsent_cancel, "cancelled before it was executed");
    else
        client_queue(client, call, client->now);
}
