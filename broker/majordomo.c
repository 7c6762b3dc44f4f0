/* What clients and workers of Majordomo have in common: their frames, their sessions. */
#include "broker/majordomo.h"

#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "transport/frame.h"

/* Frames -------------------------------------------------------------------------------------- */

bool mdp_take(struct mdp_arrival *arrival, struct bytes *frame)
{
    struct message *message = &arrival->broker->message;
    if (arrival->at >= message_stored(message))
        return false;
    *frame = message_frame(message, arrival->at++);
    return true;
}

bool mdp_take_number(struct mdp_arrival *arrival, uint8_t *number)
{
    struct bytes frame = message_frame(&arrival->broker->message, arrival->at);
    if (frame.size != 1)
        return false;
    *number = frame.data[0];
    arrival->at++;
    return true;
}

void mdp_refuse(struct mdp_arrival *arrival, const char *reason)
{
    message_malformed(arrival->broker, arrival->form->dialect.name, reason);
}

/* A large frame leaves the message without being copied. */
static bool body_of_frame(zmq_msg_t *frame, struct mdp_body *body)
{
    body->bytes = (struct bytes){.data = zmq_msg_data(frame), .size = zmq_msg_size(frame)};
    if (body->bytes.size <= PACKET_INLINE_BODY_MAX)
        return true;
    body->own = frame_blob(frame);
    if (body->own == NULL)
        return false;
    body->bytes.data = body->own->data;
    body->attached = body->own;
    return true;
}

static bool body_of_frames(struct message *message, size_t first, struct mdp_body *body)
{
    struct bytes frames[FRAMES_MAX];
    size_t count = message->count - first;
    uint8_t *data;
    for (size_t i = 0; i < count; i++)
        frames[i] = message_frame(message, first + i);
    body->own = blob_new(frames_list_size(frames, count), &data);
    if (body->own == NULL)
        return false;
    frames_list_write(data, frames, count);
    body->bytes = (struct bytes){.data = data, .size = body->own->size};
    body->encoding = PACKET_MESSAGEPACK;
    if (body->bytes.size > PACKET_INLINE_BODY_MAX)
        body->attached = body->own;
    return true;
}

/* None is one that is empty. More than FRAMES_MAX were refused before. */
bool mdp_body_take(struct mdp_arrival *arrival, struct mdp_body *body)
{
    struct message *message = &arrival->broker->message;
    size_t count = message->count - arrival->at;
    *body = (struct mdp_body){0};
    if (count == 0)
        return true;
    if (count == 1)
        return body_of_frame(&message->frames[arrival->at], body);
    return body_of_frames(message, arrival->at, body);
}

void mdp_body_fini(struct mdp_body *body)
{
    blob_unref(&body->own);
    blob_unref(&body->rest);
}

bool mdp_is_reserved(struct bytes name)
{
    static const char *const PREFIXES[] = {"bus.", "mmi."};
    for (size_t i = 0; i < ARRAY_SIZE(PREFIXES); i++) {
        if (name.size >= strlen(PREFIXES[i]) &&
            memcmp(name.data, PREFIXES[i], strlen(PREFIXES[i])) == 0)
            return true;
    }
    return name.size == 3 && memcmp(name.data, "bus", 3) == 0;
}

/* Sessions ------------------------------------------------------------------------------------ */

/* What a message begins with; an empty frame for what begins with something else. */
static struct bytes take_header(struct mdp_arrival *arrival)
{
    struct bytes header = {0};
    if (arrival->form->enveloped && (!mdp_take(arrival, &header) || header.size != 0))
        return (struct bytes){0};
    (void)mdp_take(arrival, &header);
    return header;
}

void majordomo_receive(struct broker *broker, const struct dialect *dialect)
{
    struct mdp_arrival arrival = {.broker = broker,
                                  .form = CONTAINER_OF(dialect, const struct mdp_form, dialect),
                                  .session = broker->message.session};
    struct bytes header = take_header(&arrival);
    message_account(broker, &broker->message);
    broker->packets++;
    if (mdp_is_header(header, arrival.form->client))
        mdp_client_receive(&arrival);
    else if (mdp_is_header(header, arrival.form->worker))
        mdp_worker_receive(&arrival);
    else
        mdp_refuse(&arrival, "it has no header of its dialect");
}

bool majordomo_begin(struct broker *broker, struct session *session, const struct hello *hello)
{
    (void)broker;
    (void)hello;
    struct majordomo *majordomo = calloc(1, sizeof *majordomo);
    if (majordomo == NULL)
        return false;
    mailbox_init(&majordomo->mailbox);
    list_init(&majordomo->requests);
    list_init(&majordomo->parts);
    session->majordomo = majordomo;
    session->peer.calls_whole = true;
    return true;
}

bool majordomo_put(struct broker *broker, struct session *session, const struct packet *packet,
                   struct blob *attached)
{
    switch ((enum packet_command)packet->command) {
    case PACKET_REPLY:
    case PACKET_ERROR:
    case PACKET_PART:
        return mdp_client_put(broker, session, packet, attached);
    case PACKET_CALL:
    case PACKET_CANCEL:
    case PACKET_GRANT:
    case PACKET_HEARTBEAT:
        return mdp_worker_put(broker, session, packet, attached);
    case PACKET_BYE:
        return mdp_client_bye(broker, session) && mdp_worker_put(broker, session, packet, attached);
    case PACKET_HELLO:
    case PACKET_WELCOME:
    case PACKET_RESET:
    case PACKET_GOAWAY:
    case PACKET_REGISTER:
    case PACKET_REGISTERED:
    case PACKET_DEREGISTER:
    case PACKET_DEREGISTERED:
    case PACKET_REFUSED:
    case PACKET_CREDIT:
    case PACKET_RETURN:
    case PACKET_PROGRESS:
        return true; /* what this protocol has no word for */
    }
    return true;
}

size_t majordomo_due(const struct session *session)
{
    return mailbox_bytes(&session->majordomo->mailbox); /* parts that wait are due to others */
}

enum outbox_result majordomo_flush(struct broker *broker, struct session *session)
{
    mdp_parts_resume(broker, session);
    return mailbox_flush(&session->majordomo->mailbox, broker->socket, &session->id);
}

/* Silent for too long: one that works may be so for longer. */
static bool is_lost(const struct broker *broker, const struct session *session)
{
    const struct majordomo_settings *settings = &broker->settings.majordomo;
    const struct majordomo *majordomo = session->majordomo;
    uint64_t since = session->last_seen;
    if (!majordomo->busy || majordomo->is_answered)
        return broker->now - since >
               (uint64_t)settings->heartbeat_interval * settings->heartbeat_liveness;
    if (majordomo->busy_at > since)
        since = majordomo->busy_at;
    return broker->now - since > settings->busy;
}

void majordomo_inspect(struct broker *broker, struct session *session)
{
    struct majordomo *majordomo = session->majordomo;
    if (!peer_is_worker(&session->peer)) {
        if (session->peer.call_count == 0 && mailbox_is_empty(&majordomo->mailbox) &&
            broker->now - session->last_seen > broker->settings.majordomo.idle)
            session_doom(broker, session, "a client that has not asked for anything lately");
        return;
    }
    if (is_lost(broker, session)) {
        broker->counters.sessions_silent++;
        mdp_dismiss(broker, session, "no heartbeat");
    } else if (broker->now >= majordomo->beat_at) {
        uint32_t interval = broker->settings.majordomo.heartbeat_interval;
        majordomo->beat_at += interval; /* not from now: the looks would draw it out */
        if (majordomo->beat_at <= broker->now)
            majordomo->beat_at = broker->now + interval;
        session_send(broker, session, &(struct packet){.command = PACKET_HEARTBEAT}, NULL);
    }
}

/* Its one request, if libzmq was not given it. */
void majordomo_give_back(struct broker *broker, struct session *session)
{
    struct majordomo *majordomo = session->majordomo;
    if (majordomo == NULL || !majordomo->busy || majordomo->letter <= majordomo->mailbox.sent)
        return;
    majordomo->busy = false;
    router_return(&broker->router, &session->peer,
                  &(struct packet){.command = PACKET_RETURN, .id = majordomo->call}, NULL,
                  broker->now);
}

void majordomo_end(struct session *session)
{
    struct majordomo *majordomo = session->majordomo;
    if (majordomo == NULL)
        return;
    mdp_requests_drop(majordomo);
    mdp_parts_drop(majordomo);
    mailbox_fini(&majordomo->mailbox);
    free(majordomo);
}
