/* What connections tell: sessions that come and go, and the answers of brokers. */
#include "client-lib/client.h"

#include <stdio.h>
#include <string.h>

static const struct call_outcome unsent_loss = {BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED};
static const struct call_outcome sent_loss = {BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED};

static bool is_current(const struct uplink *uplink)
{
    return uplink == uplink->client->current;
}

/* The call was sent, and nothing is known of it. It goes again, under its id, if it may be executed
 * twice. */
static void call_lose(struct busbar_client *client, struct call *call, const char *reason)
{
    bool may_repeat = (call->flags & BUSBAR_IDEMPOTENT) && !call->has_part &&
                      call->sends < CLIENT_SENDS_MAX;
    call->is_doubtful = true;
    if (may_repeat)
        client_put_back(client, call);
    else
        client_finish(client, call, sent_loss, "%s", reason);
}

static void list_move(struct list *from, struct list *to)
{
    LIST_EACH(node, from) {
        list_remove(node);
        list_append(to, node);
    }
}

/* What the dropped outbox still held was not sent and goes to the next session, before the calls
 * that wait already. */
static void on_lost(void *owner, const char *reason)
{
    struct uplink *uplink = owner;
    struct busbar_client *client = uplink->client;
    struct list later;
    list_init(&later);
    snprintf(client->unreachable, sizeof client->unreachable, "%s", reason);
    uplink->is_leaving = false;
    if (is_current(uplink))
        client_miss_broker(client);
    list_move(&client->waiting, &later);
    LIST_EACH(node, &uplink->put) {
        struct call *call = CONTAINER_OF(node, struct call, link);
        if (call->position <= uplink->connection.outbox.sent) {
            call_lose(client, call, reason);
            continue;
        }
        call->sends--;
        client_put_back(client, call);
    }
    list_move(&later, &client->waiting);
}

/* The calls that wait are put before the next flush. */
static void on_opened(void *owner)
{
    struct uplink *uplink = owner;
    uplink->beats = 0;
    if (is_current(uplink))
        client_reach_broker(uplink->client);
}

/* Does another session tell that this very run of the broker takes nothing new? */
static bool is_left_already(const struct uplink *uplink)
{
    const struct busbar_client *client = uplink->client;
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        const struct uplink *other = &client->uplinks[i];
        if (other != uplink && other->is_leaving && connection_is_open(&other->connection) &&
            other->connection.welcome.epoch == uplink->connection.welcome.epoch)
            return true;
    }
    return false;
}

static void uplink_leave(struct uplink *uplink)
{
    uplink->is_leaving = true;
    if (is_current(uplink))
        client_leave_broker(uplink->client);
}

/* See connection_input.c: what an earlier session has not answered by now it never will. */
static void on_welcomed(void *owner)
{
    struct uplink *uplink = owner;
    struct busbar_client *client = uplink->client;
    char reason[CLIENT_TEXT_SIZE];
    snprintf(reason, sizeof reason, "%s: the broker has ended the session",
             uplink->connection.endpoint);
    LIST_EACH(node, &uplink->put) {
        struct call *call = CONTAINER_OF(node, struct call, link);
        if (call->session == uplink->connection.sessions)
            break; /* and so are all after it */
        call_lose(client, call, reason);
    }
    if (!is_current(uplink))
        return;
    client->unreachable[0] = '\0';
    if (is_left_already(uplink))
        uplink_leave(uplink);
    else
        client_keep_broker(client);
}

static void on_unreachable(void *owner, const char *reason)
{
    struct uplink *uplink = owner;
    struct busbar_client *client = uplink->client;
    if (!is_current(uplink))
        return;
    snprintf(client->unreachable, sizeof client->unreachable, "%s", reason);
    client_miss_broker(client);
}

static struct call *uplink_find(const struct uplink *uplink, uint64_t id)
{
    struct call *call = call_table_find(&uplink->client->calls, id);
    return call != NULL && call->state == CALL_PUT && call->uplink == uplink ? call : NULL;
}

static void on_reset(void *owner, uint8_t command, uint64_t id)
{
    struct uplink *uplink = owner;
    struct busbar_client *client = uplink->client;
    struct call *call = uplink_find(uplink, id);
    if (command != PACKET_CALL || call == NULL)
        return;
    if (call->has_part) { /* which this contradicts: it was executed, at least in part */
        client_finish(client, call, sent_loss, "%s: the broker has forgotten the call",
                      uplink->connection.endpoint);
        return;
    }
    if (call->resets >= client->brokers.count) {
        client_finish(client, call, unsent_loss, "%s: the broker grants no session",
                      uplink->connection.endpoint);
        return;
    }
    call->resets++;
    call->sends--;
    client_put_back(client, call);
}

static enum busbar_source source_of(const struct packet *packet)
{
    if (packet->flags & PACKET_BY_HANDLER)
        return BUSBAR_BY_HANDLER;
    return packet->flags & PACKET_BY_WORKER ? BUSBAR_BY_WORKER : BUSBAR_BY_BROKER;
}

static enum busbar_fate fate_of(const struct call *call, const struct packet *packet)
{
    enum busbar_fate fate = packet->fate <= BUSBAR_EXECUTED ? packet->fate : BUSBAR_MAYBE_EXECUTED;
    bool is_doubtful = fate == BUSBAR_NOT_EXECUTED && call->is_doubtful;
    return is_doubtful ? BUSBAR_MAYBE_EXECUTED : fate;
}

/* Statuses of a later version, and those that never travel, are told as what they are. So is the
 * loss of a broker: here it can only be that of a call which the worker made. */
static void reply_refer(struct busbar_reply *reply, const struct call *call,
                        const struct packet *packet)
{
    char text[64];
    struct bytes error = packet->body;
    bool is_known = packet->status != BUSBAR_OK && packet->status < BUSBAR_FORKED &&
                    strcmp(busbar_status_name(packet->status), "UNKNOWN") != 0;
    snprintf(text, sizeof text, "the broker answered with the unknown status %u", packet->status);
    if (!is_known)
        error = bytes_of_text(text);
    else if (packet->status == BUSBAR_BROKER_LOST && error.size == 0)
        error = bytes_of_text("the worker lost the broker of a call that it made");
    reply->retry_after = packet->timeout;
    reply->source = source_of(packet);
    (void)reply_take_metadata(reply, packet->metadata); /* without memory the rest has to do */
    reply_fail(reply, is_known ? packet->status : BUSBAR_UNSUPPORTED, fate_of(call, packet), error);
}

/* An accepted oneway call is the broker's, and what becomes of it nobody will be told. */
static void reply_accept(struct busbar_reply *reply, const struct call *call,
                         const struct packet *packet, struct blob *attached)
{
    reply_succeed(reply, packet, attached);
    if (reply->status != BUSBAR_OK || !(call->flags & BUSBAR_ONEWAY) ||
        !(packet->flags & PACKET_ONEWAY))
        return;
    reply->source = BUSBAR_BY_BROKER;
    reply->fate = BUSBAR_MAYBE_EXECUTED;
}

/* A broker that drains took the call no further: another may, or its successor. */
static bool is_for_others(const struct uplink *uplink, const struct call *call,
                          const struct packet *packet)
{
    size_t brokers = uplink->client->brokers.count;
    return packet->status == BUSBAR_DRAINING && packet->fate == BUSBAR_NOT_EXECUTED &&
           source_of(packet) == BUSBAR_BY_BROKER && (brokers > 1 || uplink->is_leaving) &&
           !call->is_cancelled && !call->has_part && call->refusals <= brokers;
}

static void call_move(struct uplink *uplink, struct call *call)
{
    call->refusals++;
    call->sends--;
    if (is_current(uplink))
        client_leave_broker(uplink->client);
    client_put_back(uplink->client, call);
}

static void on_outcome(struct uplink *uplink, struct call *call, const struct packet *packet,
                       struct blob *attached)
{
    struct busbar_client *client = uplink->client;
    if (packet->command == PACKET_ERROR && is_for_others(uplink, call, packet)) {
        call_move(uplink, call);
        return;
    }
    struct busbar_reply *reply = client_reply(client, call);
    if (packet->command == PACKET_REPLY)
        reply_accept(reply, call, packet, attached);
    else
        reply_refer(reply, call, packet);
    client_deliver(client, call, reply);
}

static void on_part(struct uplink *uplink, struct call *call, const struct packet *packet,
                    struct blob *attached)
{
    client_take_part(uplink->client, call, packet, attached);
}

static void on_progress(struct uplink *uplink, struct call *call, const struct packet *packet,
                        struct blob *attached)
{
    (void)attached;
    client_take_progress(uplink->client, call, packet);
}

/* An ERROR without a call while the session is not granted: this broker will not have us. */
static void uplink_hear(struct uplink *uplink, const struct packet *packet)
{
    struct busbar_client *client = uplink->client;
    bool is_denied = packet->command == PACKET_ERROR && packet->id == 0 &&
                     uplink->connection.state == CONNECTION_GREETING;
    if (packet->command == PACKET_GOAWAY)
        uplink_leave(uplink);
    if (!is_denied || !is_current(uplink))
        return;
    snprintf(client->unreachable, sizeof client->unreachable, "%s: %s: %.*s",
             uplink->connection.endpoint, busbar_status_name(packet->status),
             (int)(packet->body.size < 200 ? packet->body.size : 200),
             (const char *)packet->body.data);
    client_leave_broker(client);
}

static void on_packet(void *owner, const struct packet *packet, struct blob *frame,
                      struct blob *attached)
{
    static void (*const answers[256])(struct uplink *, struct call *, const struct packet *,
                                      struct blob *) = {
        [PACKET_REPLY] = on_outcome,
        [PACKET_ERROR] = on_outcome,
        [PACKET_PART] = on_part,
        [PACKET_PROGRESS] = on_progress,
    };
    struct uplink *uplink = owner;
    (void)frame;
    struct call *call = answers[packet->command] != NULL ? uplink_find(uplink, packet->id) : NULL;
    if (call != NULL)
        answers[packet->command](uplink, call, packet, attached);
    else
        uplink_hear(uplink, packet);
}

const struct connection_handler client_handler = {
    .opened = on_opened,
    .welcomed = on_welcomed,
    .lost = on_lost,
    .unreachable = on_unreachable,
    .reset = on_reset,
    .packet = on_packet,
    .copies = true,
};
