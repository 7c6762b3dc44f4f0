/* The native dialect: what a session of it is from WELCOME to its end, and what is due to it. */
#include <string.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "broker/core.h"
#include "protocol/frames.h"
#include "protocol/name.h"

enum {
    PROBE_AFTER_MS = 30000, /* a session that said nothing for so long is sent a HEARTBEAT */
};

/* It exists only if libzmq takes the WELCOME: a peer that is gone already gets none. */
static bool native_begin(struct broker *broker, struct session *session, const struct hello *hello)
{
    uint8_t body[WELCOME_SIZE];
    welcome_write(body, &(struct welcome){
                            .epoch = broker->epoch,
                            .body_limit = broker->settings.body_limit,
                            .heartbeat_interval = broker->settings.heartbeat_interval,
                            .heartbeat_liveness = broker->settings.heartbeat_liveness,
                        });
    struct packet packet = {.command = PACKET_WELCOME,
                            .id = session->token,
                            .body = {.data = body, .size = sizeof body}};
    memcpy(session->peer.instance, hello->instance, INSTANCE_SIZE);
    outbox_init(&session->outbox, broker->pool);
    return outbox_put(&session->outbox, &packet, NULL) &&
           session_push(broker, session) == OUTBOX_SENT;
}

/*
 * A call of the service as a whole, given to a worker that knows methods: the first frame of its body
 * names one. A name that is none is for the worker to refuse.
 */
__attribute__((cold)) static bool native_put_named(struct session *session, struct packet packet)
{
    CLEANUP(blob_unref) struct blob *attached = NULL;
    CLEANUP(blob_unref) struct blob *space = NULL;
    uint8_t *bytes;
    space = blob_new(packet.body.size, &bytes);
    if (space == NULL)
        return false;
    packet.method = frames_take_first(&packet.body, &packet.encoding, bytes);
    if (!name_is_method((const char *)packet.method.data, packet.method.size))
        packet.method.size = 0;
    packet.flags &= (uint8_t)~PACKET_ATTACHED;
    if (packet.body.size > PACKET_INLINE_BODY_MAX) {
        attached = blob_copy(packet.body.data, packet.body.size);
        if (attached == NULL)
            return false;
        packet.flags |= PACKET_ATTACHED;
    }
    return outbox_put(&session->outbox, &packet, attached);
}

static bool native_put(struct broker *broker, struct session *session, const struct packet *packet,
                       struct blob *attached)
{
    (void)broker;
    if (packet->command == PACKET_CALL && packet->method.size == 0)
        return native_put_named(session, *packet);
    return outbox_put(&session->outbox, packet, attached);
}

static size_t native_due(const struct session *session)
{
    return outbox_bytes(&session->outbox);
}

static enum outbox_result native_flush(struct broker *broker, struct session *session)
{
    return outbox_flush(&session->outbox, broker->socket, &session->id);
}

static void native_inspect(struct broker *broker, struct session *session)
{
    const struct broker_settings *settings = &broker->settings;
    uint64_t silent = broker->now - session->last_seen;
    uint64_t bound = (uint64_t)settings->heartbeat_interval * settings->heartbeat_liveness;
    if (peer_is_worker(&session->peer) && silent > bound) {
        broker->counters.sessions_silent++;
        session_doom(broker, session, "no heartbeat");
    } else if (silent >
               PROBE_AFTER_MS) { /* one whose end no event told is found by sending to it */
        session->last_seen = broker->now;
        session_send(broker, session,
                     &(struct packet){.command = PACKET_HEARTBEAT, .id = session->token}, NULL);
    }
}

/* What a session leaves behind in its outbox. */
struct leftover {
    struct broker *broker;
    struct session *session;
};

/* A call that stands in the outbox never left: it moves on as if the worker had returned it. */
static void leftover_return(void *context, struct bytes frame, struct blob *attached)
{
    const struct leftover *leftover = context;
    struct bundle_reader reader;
    struct packet packet;
    struct bytes body = {0};
    if (attached != NULL)
        body = (struct bytes){.data = attached->data, .size = attached->size};
    if (bundle_open(&reader, frame, attached == NULL ? NULL : &body) != PACKET_ERROR_NONE)
        return;
    while (!bundle_is_done(&reader) && bundle_read(&reader, &packet) == PACKET_ERROR_NONE) {
        if (packet.command == PACKET_CALL)
            router_return(&leftover->broker->router, &leftover->session->peer, &packet, attached,
                          leftover->broker->now);
    }
}

static void native_give_back(struct broker *broker, struct session *session)
{
    struct leftover leftover = {broker, session};
    outbox_each_waiting(&session->outbox, leftover_return, &leftover);
}

static void native_end(struct session *session)
{
    outbox_fini(&session->outbox);
}

const struct dialect native_dialect = {
    .name = "native",
    .receive = native_receive,
    .begin = native_begin,
    .put = native_put,
    .due = native_due,
    .flush = native_flush,
    .inspect = native_inspect,
    .give_back = native_give_back,
    .end = native_end,
};
