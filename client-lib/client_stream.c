/* Results in parts, progress, and the callbacks that are told of these and of outcomes. */
#include "client-lib/client.h"

enum {
    PROGRESS_KEPT_MAX = 1024, /* callbacks that wait to run; beyond them progress is dropped */
    PROGRESS_TEXT_MAX = 1024, /* bytes; no broker passes on more */
};

static const struct call_outcome broken = {BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED};
static const struct call_outcome no_memory = {BUSBAR_NO_MEMORY, BUSBAR_MAYBE_EXECUTED};

/* Nobody will read what comes of it. */
static void client_break(struct busbar_client *client, struct call *call,
                         struct call_outcome outcome, const char *what)
{
    const struct packet cancel = {.command = PACKET_CANCEL, .id = call->id};
    if (connection_put(&call->uplink->connection, &cancel, NULL) != BUSBAR_OK)
        call->is_cancelled = true; /* out of memory: its deadline ends it at the worker */
    client_finish(client, call, outcome, "%s", what);
}

static void client_push(struct busbar_client *client, struct reply_queue *queue,
                        struct busbar_reply *reply)
{
    client->parts++;
    reply_queue_push(queue, reply);
}

void client_take_part(struct busbar_client *client, struct call *call, const struct packet *packet,
                      struct blob *attached)
{
    if (!(call->flags & BUSBAR_STREAM))
        return; /* no broker sends one */
    if (call->room == 0) {
        client_break(client, call, broken, "more parts came than were granted");
        return;
    }
    struct busbar_reply *part = reply_new_spare(client->replies);
    if (part != NULL)
        reply_succeed(part, packet, attached);
    if (part == NULL || part->status != BUSBAR_OK) {
        busbar_reply_destroy(&part);
        client_break(client, call, no_memory, "out of memory for a part of the result");
        return;
    }
    call->room--;
    call->has_part = true;
    part->kind = REPLY_PART;
    part->fate = BUSBAR_MAYBE_EXECUTED;
    part->id = call->id;
    part->callback = call->part;
    part->context = call->context;
    client_push(client, call->part != NULL ? &client->callbacks : &client->done, part);
}

void client_take_progress(struct busbar_client *client, struct call *call,
                          const struct packet *packet)
{
    struct bytes text = packet->body;
    if (call->progress == NULL || client->callbacks.count >= PROGRESS_KEPT_MAX)
        return;
    struct busbar_reply *note = reply_new_spare(client->replies);
    if (note == NULL)
        return;
    if (text.size > PROGRESS_TEXT_MAX)
        text.size = PROGRESS_TEXT_MAX;
    reply_fail(note, BUSBAR_OK, BUSBAR_MAYBE_EXECUTED, text);
    if (text.size == 0)
        note->error = "";
    note->kind = REPLY_PROGRESS;
    note->size = packet->timeout;
    note->id = call->id;
    note->progress = call->progress;
    note->context = call->context;
    client_push(client, &client->callbacks, note);
}

void client_grant(struct busbar_client *client, uint64_t id)
{
    if (fork_mark_is_forked(&client->mark))
        return;
    struct call *call = call_table_find(&client->calls, id);
    if (call == NULL || call->state != CALL_PUT)
        return;
    if (call->grants++ == 0)
        list_append(&client->granting, &call->granting);
    client_settle(client);
}

/* All that were done with since the last turn, in one packet for each call. */
void client_put_grants(struct busbar_client *client)
{
    LIST_EACH(node, &client->granting) {
        struct call *call = CONTAINER_OF(node, struct call, granting);
        const struct packet grant = {
            .command = PACKET_GRANT, .id = call->id, .timeout = call->grants};
        if (connection_put(&call->uplink->connection, &grant, NULL) != BUSBAR_OK)
            return; /* out of memory: with the next turn */
        call->room += call->grants;
        call->grants = 0;
        list_remove(node);
    }
}

static void reply_tell(struct busbar_reply **reply)
{
    const struct busbar_reply *note = *reply;
    if (note->kind != REPLY_PROGRESS) {
        note->callback(reply, note->context);
        return;
    }
    const struct busbar_progress progress = {
        .id = note->id, .permille = note->size <= 1000 ? (int)note->size : -1, .text = note->error};
    note->progress(&progress, note->context);
}

void client_run_callbacks(struct busbar_client *client)
{
    struct busbar_reply *reply;
    while ((reply = reply_queue_pop(&client->callbacks)) != NULL) {
        if (reply->kind != REPLY_OUTCOME)
            client->parts--;
        client->is_in_callback = true;
        reply_tell(&reply);
        if (reply != NULL) /* else the callback has ended or kept it */
            busbar_reply_destroy(&reply);
        client->is_in_callback = false;
    }
}

struct busbar_reply *client_take_done(struct busbar_client *client)
{
    struct busbar_reply *reply = reply_queue_pop(&client->done);
    if (reply != NULL && reply->kind != REPLY_OUTCOME)
        client->parts--;
    return reply;
}
