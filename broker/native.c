/*
 * The native dialect: what a bundle of packets means to the broker. Bytes are checked here and
 * nowhere behind; a peer that sends nonsense is answered, counted and left alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/blob.h"
#include "broker/core.h"
#include "protocol/metadata.h"
#include "protocol/registration.h"
#include "transport/frame.h"

/* One packet, and who sent it. */
struct arrival {
    struct broker *broker;
    struct session *session; /* NULL while the peer has none; a handler may end it */
    const struct packet *packet;
    uint64_t names_hash; /* from router_foresee(), or 0 */
    struct blob *attached;
};

enum {
    BATCH_PACKETS = 16, /* enough for the memory to answer meanwhile */
};

/* Packets of a bundle that were read before the first of them is handled. */
struct batch {
    struct packet packets[BATCH_PACKETS];
    uint64_t names_hashes[BATCH_PACKETS];
    size_t count;
    enum packet_error error; /* of the packet behind them, of which at most the head was read */
};

/* Answers with what has a text: to the session, or to a peer that has none. */
static void answer(const struct arrival *arrival, const struct packet *packet)
{
    struct broker *broker = arrival->broker;
    if (arrival->session != NULL)
        session_send(broker, arrival->session, packet, NULL);
    else
        (void)outbox_put(&broker->stray, packet, NULL); /* without memory it goes unanswered */
}

static void answer_error(const struct arrival *arrival, uint64_t id, enum busbar_status status,
                         const char *text)
{
    answer(arrival, &(struct packet){.command = PACKET_ERROR,
                                     .id = id,
                                     .status = (uint8_t)status,
                                     .fate = BUSBAR_NOT_EXECUTED,
                                     .body = bytes_of_text(text)});
}

static void answer_reset(const struct arrival *arrival)
{
    uint8_t body[RESET_SIZE];
    reset_write(body, &(struct reset){.epoch = arrival->broker->epoch,
                                      .command = arrival->packet->command});
    arrival->broker->counters.resets++;
    answer(arrival, &(struct packet){.command = PACKET_RESET,
                                     .id = arrival->packet->id,
                                     .body = {.data = body, .size = sizeof body}});
}

static void answer_registry(const struct arrival *arrival, enum packet_command done,
                            enum busbar_status status, const char *reason)
{
    struct packet packet = {.command = (uint8_t)(status == BUSBAR_OK ? done : PACKET_REFUSED),
                            .id = arrival->packet->id,
                            .status = (uint8_t)status,
                            .fate = BUSBAR_NOT_EXECUTED};
    if (status != BUSBAR_OK)
        packet.body = bytes_of_text(reason);
    answer(arrival, &packet);
}

static void on_hello(struct arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct hello hello;
    if (!hello_read(arrival->packet->body, &hello)) {
        message_malformed(broker, native_dialect.name, "HELLO is too short");
        answer_error(arrival, arrival->packet->id, BUSBAR_BAD_REQUEST, "HELLO is too short");
        return;
    }
    if (arrival->session != NULL) {
        broker->counters.sessions_ended++;
        session_end(broker, arrival->session, "it began anew");
        arrival->session = NULL;
    }
    bool full = sessions_are_full(broker);
    arrival->session = session_open(broker, &native_dialect, &hello);
    if (arrival->session == NULL && full)
        answer_error(arrival, arrival->packet->id, BUSBAR_BUSY, "the broker has too many peers");
    else if (hello.last_epoch != 0 && hello.last_epoch != broker->epoch)
        sessions_settle(broker);
}

static void on_bye(struct arrival *arrival)
{
    arrival->broker->counters.sessions_ended++;
    session_end(arrival->broker, arrival->session, "it said goodbye");
    arrival->session = NULL;
}

static void on_goaway(struct arrival *arrival)
{
    router_leaving(&arrival->broker->router, &arrival->session->peer);
}

static void on_register(struct arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct session *session = arrival->session;
    struct bytes name = arrival->packet->service;
    struct registration registration = {0};
    const char *reason = "";
    enum busbar_status status = registration_decode(&registration, arrival->packet->body.data,
                                                    arrival->packet->body.size, &reason);
    if (status == BUSBAR_OK)
        status = router_register(&broker->router, &session->peer, name, &registration, &reason);
    answer_registry(arrival, PACKET_REGISTERED, status, reason);
    if (status != BUSBAR_OK) {
        broker_log(broker, BROKER_LOG_WARNING, "registration_refused", "peer=%llu reason=\"%s\"",
                   (unsigned long long)session->peer.number, reason);
        return;
    }
    broker_log(broker, BROKER_LOG_INFO, "worker_joined", "service=%.*s peer=%llu", (int)name.size,
               (const char *)name.data, (unsigned long long)session->peer.number);
    router_serve(&broker->router, &session->peer, broker->now);
}

static void on_deregister(struct arrival *arrival)
{
    const char *reason = "";
    enum busbar_status status = router_deregister(&arrival->broker->router, &arrival->session->peer,
                                                  arrival->packet->service, &reason);
    answer_registry(arrival, PACKET_DEREGISTERED, status, reason);
    if (status == BUSBAR_OK)
        broker_log(arrival->broker, BROKER_LOG_INFO, "worker_left",
                   "service=%.*s peer=%llu reason=\"it deregistered\"",
                   (int)arrival->packet->service.size, (const char *)arrival->packet->service.data,
                   (unsigned long long)arrival->session->peer.number);
}

static void on_credit(struct arrival *arrival)
{
    router_credit(&arrival->broker->router, &arrival->session->peer, arrival->packet->id,
                  arrival->broker->now);
}

static bool is_to_the_bus(const struct packet *packet)
{
    return packet->service.size == 3 && memcmp(packet->service.data, "bus", 3) == 0;
}

static void on_call(struct arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct bytes caller;
    if (metadata_find(arrival->packet->metadata, METADATA_CALLER, &caller)) {
        broker->counters.calls_received++;
        broker->counters.outcome_bad_request++;
        answer_error(arrival, arrival->packet->id, BUSBAR_BAD_REQUEST,
                     "who calls is for the broker to say");
    } else if (is_to_the_bus(arrival->packet))
        builtin_call(broker, arrival->session, arrival->packet);
    else
        router_call_foreseen(&broker->router, &arrival->session->peer, arrival->packet,
                             arrival->names_hash, arrival->attached, broker->now);
}

static void on_reply(struct arrival *arrival)
{
    router_reply(&arrival->broker->router, &arrival->session->peer, arrival->packet,
                 arrival->attached, arrival->broker->now);
}

static void on_part(struct arrival *arrival)
{
    router_part(&arrival->broker->router, &arrival->session->peer, arrival->packet,
                arrival->attached, arrival->broker->now);
}

static void on_progress(struct arrival *arrival)
{
    router_progress(&arrival->broker->router, &arrival->session->peer, arrival->packet,
                    arrival->broker->now);
}

static void on_grant(struct arrival *arrival)
{
    router_grant(&arrival->broker->router, &arrival->session->peer, arrival->packet->id,
                 arrival->packet->timeout, arrival->broker->now);
}

static void on_cancel(struct arrival *arrival)
{
    router_cancel(&arrival->broker->router, &arrival->session->peer, arrival->packet->id,
                  arrival->broker->now);
}

static void on_return(struct arrival *arrival)
{
    router_return(&arrival->broker->router, &arrival->session->peer, arrival->packet,
                  arrival->attached, arrival->broker->now);
}

/* Names any session by its token, so that a worker's second connection can speak for it. */
static void on_heartbeat(struct arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct session *named = session_find_token(&broker->sessions, arrival->packet->id);
    broker->counters.heartbeats++;
    if (named == NULL) {
        answer_reset(arrival);
        return;
    }
    named->last_seen = broker->now;
    answer(arrival, &(struct packet){.command = PACKET_HEARTBEAT, .id = arrival->packet->id});
}

/* What each command means, and whether it takes a session. */
static const struct {
    void (*handle)(struct arrival *arrival);
    bool without_session; /* handled for a peer that has none; BYE is then nothing at all */
} HANDLERS[256] = {
    [PACKET_HELLO] = {on_hello, true},        [PACKET_BYE] = {on_bye, false},
    [PACKET_GOAWAY] = {on_goaway, false},     [PACKET_HEARTBEAT] = {on_heartbeat, true},
    [PACKET_REGISTER] = {on_register, false}, [PACKET_DEREGISTER] = {on_deregister, false},
    [PACKET_CREDIT] = {on_credit, false},     [PACKET_CALL] = {on_call, false},
    [PACKET_REPLY] = {on_reply, false},       [PACKET_ERROR] = {on_reply, false},
    [PACKET_CANCEL] = {on_cancel, false},     [PACKET_RETURN] = {on_return, false},
    [PACKET_PART] = {on_part, false},         [PACKET_GRANT] = {on_grant, false},
    [PACKET_PROGRESS] = {on_progress, false},
};

static void packet_handle(struct arrival *arrival)
{
    struct broker *broker = arrival->broker;
    uint8_t command = arrival->packet->command;
    char text[64];
    if (arrival->session == NULL && !HANDLERS[command].without_session) {
        if (command != PACKET_BYE)
            answer_reset(arrival);
    } else if (HANDLERS[command].handle == NULL) {
        broker->counters.unknown_commands++;
        snprintf(text, sizeof text, "unknown command 0x%02x", command);
        answer_error(arrival, arrival->packet->id, BUSBAR_UNSUPPORTED, text);
    } else {
        HANDLERS[command].handle(arrival);
    }
}

static void message_refuse(const struct arrival *arrival, uint64_t id, enum packet_error error)
{
    bool unsupported = error == PACKET_ERROR_VERSION || error == PACKET_ERROR_CRITICAL;
    message_malformed(arrival->broker, native_dialect.name, packet_error_text(error));
    answer_error(arrival, id, unsupported ? BUSBAR_UNSUPPORTED : BUSBAR_BAD_REQUEST,
                 packet_error_text(error));
}

static void batch_read(struct batch *batch, struct bundle_reader *reader)
{
    batch->count = 0;
    batch->error = PACKET_ERROR_NONE;
    while (batch->count < BATCH_PACKETS && !bundle_is_done(reader)) {
        struct packet *packet = &batch->packets[batch->count];
        packet->id = 0;
        batch->error = bundle_read(reader, packet);
        if (batch->error != PACKET_ERROR_NONE)
            return;
        batch->names_hashes[batch->count++] = 0;
    }
}

static void batch_foresee(struct batch *batch, const struct router *router)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->names_hashes[i] = router_foresee(router, &batch->packets[i]);
    for (size_t i = 0; i < batch->count; i++)
        router_prefetch(router, &batch->packets[i], batch->names_hashes[i]);
}

/* False if the session is being cut: the rest of what it sent is not taken in. */
static bool batch_handle(const struct batch *batch, struct arrival *arrival)
{
    for (size_t i = 0; i < batch->count; i++) {
        arrival->packet = &batch->packets[i];
        arrival->names_hash = batch->names_hashes[i];
        arrival->broker->packets++;
        packet_handle(arrival);
        if (arrival->session != NULL && arrival->session->doom != NULL)
            return false;
    }
    return true;
}

static void bundle_handle(struct arrival *arrival, struct batch *batch,
                          struct bundle_reader *reader)
{
    const struct router *router = &arrival->broker->router;
    while (!bundle_is_done(reader)) {
        batch_read(batch, reader);
        if (batch->count > 1 && router_is_crowded(router))
            batch_foresee(batch, router);
        if (!batch_handle(batch, arrival))
            return;
        if (batch->error != PACKET_ERROR_NONE)
            message_refuse(arrival, batch->packets[batch->count].id, batch->error);
    }
}

/* The second frame as the body of the only packet; false without memory. */
static bool native_attach(struct arrival *arrival, struct bytes *body)
{
    arrival->attached = frame_blob(&arrival->broker->message.frames[1]);
    if (arrival->attached == NULL)
        return false;
    *body = (struct bytes){.data = arrival->attached->data, .size = arrival->attached->size};
    return true;
}

void native_receive(struct broker *broker, const struct dialect *dialect)
{
    (void)dialect;
    struct message *message = &broker->message;
    struct arrival arrival = {.broker = broker, .session = message->session};
    struct bundle_reader reader;
    struct batch batch;
    struct bytes body;
    message_account(broker, message);
    if (message->count == 2 && !native_attach(&arrival, &body))
        return;
    enum packet_error error = message->count > 2 ? PACKET_ERROR_FRAMES : PACKET_ERROR_NONE;
    if (error == PACKET_ERROR_NONE)
        error = bundle_open(&reader, message_frame(message, 0), message->count == 2 ? &body : NULL);
    if (error != PACKET_ERROR_NONE)
        message_refuse(&arrival, 0, error);
    else
        bundle_handle(&arrival, &batch, &reader);
    blob_unref(&arrival.attached);
    if (!outbox_is_empty(&broker->stray)) {
        broker->socket_is_dry = false;
        (void)outbox_flush(&broker->stray, broker->socket, &message->from);
        outbox_clear(&broker->stray);
    }
}
