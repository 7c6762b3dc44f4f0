/* What reaches a connection: messages of the broker, and events of the link below the session. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "base/cleanup.h"
#include "client-lib/connection_internal.h"
#include "transport/frame.h"

enum {
    LAST_WORDS_MAX = 4096, /* messages that are read from a link that is gone */
};

/* One message; further frames than these two are read and dropped. */
struct message {
    zmq_msg_t first;       /* unless it was made a blob */
    struct blob *frame;    /* NULL for an owner who copies */
    struct blob *attached; /* NULL if there is no second frame */
    struct bytes bundle;   /* the first frame; without bytes if the message is no good */
};

static struct bytes blob_bytes(const struct blob *blob)
{
    return (struct bytes){.data = blob->data, .size = blob->size};
}

static bool receive_frame(void *socket, zmq_msg_t *frame)
{
    int size;
    zmq_msg_init(frame);
    do
        size = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        zmq_msg_close(frame);
    return size >= 0;
}

/* The frame as a blob; NULL when out of memory, the frame is then lost. */
static struct blob *keep_frame(zmq_msg_t *frame)
{
    struct blob *blob = frame_blob(frame);
    zmq_msg_close(frame);
    return blob;
}

/* The frames after the first; false if the message is not one that can be read. */
static bool receive_rest(void *socket, struct message *message)
{
    zmq_msg_t frame;
    bool good = receive_frame(socket, &frame);
    bool more = good && zmq_msg_more(&frame);
    if (good)
        message->attached = keep_frame(&frame);
    good = message->attached != NULL && !more;
    while (more && receive_frame(socket, &frame)) {
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    return good;
}

/* The first frame, which connection_wait may have received already; false if nothing is there. */
static bool receive_first(struct connection *connection, zmq_msg_t *frame)
{
    if (!connection->has_first)
        return receive_frame(connection->socket, frame);
    connection->has_first = false;
    zmq_msg_init(frame);
    zmq_msg_move(frame, &connection->first);
    return true;
}

/* False if nothing is there. */
static bool message_receive(struct connection *connection, struct message *message)
{
    bool good = true;
    if (!receive_first(connection, &message->first))
        return false;
    message->frame = NULL;
    message->attached = NULL;
    message->bundle = (struct bytes){zmq_msg_data(&message->first), zmq_msg_size(&message->first)};
    bool more = zmq_msg_more(&message->first);
    if (!connection->handler->copies) {
        message->frame = frame_blob(&message->first);
        good = message->frame != NULL;
    }
    if (more)
        good = receive_rest(connection->socket, message) && good;
    if (message->frame != NULL)
        message->bundle = blob_bytes(message->frame);
    if (!good)
        message->bundle = (struct bytes){0};
    return true;
}

static void message_end(struct message *message)
{
    blob_unref(&message->frame);
    blob_unref(&message->attached);
    zmq_msg_close(&message->first);
}

static void on_welcome(struct connection *connection, const struct packet *packet)
{
    struct welcome welcome;
    if (!welcome_read(packet, &welcome)) {
        connection->malformed++;
        return;
    }
    connection->welcome = welcome;
    connection->state = CONNECTION_UP;
    connection->handler->welcomed(connection->owner);
}

static bool connection_follow_link(struct connection *connection);

/*
 * A RESET proves one thing: the packet it names was not executed. Messages keep their order both
 * ways, and that decides the rest:
 *
 *   HELLO is under way: what was sent before the HELLO (over a link that ZeroMQ renewed silently,
 *     or in a session that is over) is refused packet by packet, before the WELCOME. Each RESET
 *     names its packet; none says anything about the session that is being opened.
 *   the session was up: the broker has ended it. First the link is looked at: if it was renewed,
 *     the old session is lost and the new one greeted already. Else HELLO is said here. What was
 *     sent since the named packet, and what still waits in the outbox before the HELLO, will be
 *     named by RESETs of its own. What was sent before the named packet and is unanswered when the
 *     WELCOME comes was taken by the old session and will never be answered: its owner gives it up
 *     in `welcomed`, as maybe executed.
 */
static void on_reset(struct connection *connection, const struct packet *packet)
{
    struct reset reset;
    if (!reset_read(packet->body, &reset)) {
        connection->malformed++;
        return;
    }
    bool was_up = connection->state == CONNECTION_UP;
    connection->handler->reset(connection->owner, reset.command, packet->id);
    if (!was_up || !connection->linked)
        return;
    (void)connection_follow_link(connection);
    if (connection->state == CONNECTION_UP)
        connection_greet(connection);
}

static void on_bye(struct connection *connection, const struct packet *packet)
{
    (void)packet;
    connection->dismissed = true;
    connection_lose(connection, "the broker has ended the session");
}

static void connection_packet(struct connection *connection, const struct packet *packet,
                              const struct message *message)
{
    static void (*const own[256])(struct connection *, const struct packet *) = {
        [PACKET_WELCOME] = on_welcome,
        [PACKET_RESET] = on_reset,
        [PACKET_BYE] = on_bye,
    };
    if (own[packet->command] != NULL)
        own[packet->command](connection, packet);
    else
        connection->handler->packet(connection->owner, packet, message->frame, message->attached);
}

/* Packets that come while there is no session belong to one that is over. */
static void connection_message(struct connection *connection, const struct message *message)
{
    struct bundle_reader reader;
    struct packet packet;
    struct bytes attached = {0};
    if (message->bundle.data == NULL) {
        connection->malformed++;
        return;
    }
    if (message->attached != NULL)
        attached = blob_bytes(message->attached);
    enum packet_error error = bundle_open(&reader, message->bundle,
                                          message->attached == NULL ? NULL : &attached);
    while (error == PACKET_ERROR_NONE && !bundle_is_done(&reader) &&
           connection_is_open(connection)) {
        error = bundle_read(&reader, &packet);
        if (error == PACKET_ERROR_NONE)
            connection_packet(connection, &packet, message);
    }
    if (error != PACKET_ERROR_NONE)
        connection->malformed++;
}

static bool connection_receive(struct connection *connection, uint64_t now)
{
    struct message message;
    bool any = message_receive(connection, &message);
    connection->socket_is_dry = !any;
    if (!any)
        return false;
    connection->last_received = now;
    connection_message(connection, &message);
    message_end(&message);
    return true;
}

static void connection_unreachable(struct connection *connection, const char *what)
{
    char reason[CONNECTION_REASON_SIZE];
    snprintf(reason, sizeof reason, "%s: %s", connection->endpoint, what);
    connection->explained = true;
    connection->handler->unreachable(connection->owner, reason);
}

/* The link is gone. What libzmq still has of it counts before the loss is told; with IMMEDIATE it
 * drops, with the link, what nobody had begun to read. */
static void on_disconnected(struct connection *connection)
{
    bool had_session = connection_is_open(connection);
    bool dismissed = connection->dismissed;
    connection->linked = false;
    connection->link_fd = -1;
    for (unsigned i = 0; i < LAST_WORDS_MAX && connection_is_open(connection); i++) {
        if (!connection_receive(connection, connection->last_received))
            break;
    }
    connection->dismissed = false;
    if (had_session)
        connection_lose(connection, "the connection to the broker is lost");
    else if (!connection->explained && !dismissed)
        connection_unreachable(connection, "the connection was closed before a session began");
    connection->explained = true;
}

/* On this machine an attempt is answered at once, so that a closed one was refused. */
static const char *closed_attempt(const char *endpoint)
{
    static const char *const here[] = {"tcp://127.", "tcp://localhost:", "tcp://[::1]:", "ipc://"};
    for (size_t i = 0; i < ARRAY_SIZE(here); i++) {
        if (strncmp(endpoint, here[i], strlen(here[i])) == 0)
            return "connection refused";
    }
    return "connection refused, or no answer in time";
}

/*
 * libzmq tells no errno of a failed attempt, but the pattern of events tells the cases apart: a
 * refused one is closed, a handshake that failed has events of its own, and an attempt that had no
 * address to go to is only put off.
 */
static void on_link_event(struct connection *connection, const struct monitor_event *event)
{
    switch (event->kind) {
    case ZMQ_EVENT_CONNECTED:
        connection->link_fd = event->value;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        connection->linked = true;
        connection->dismissed = false;
        connection->explained = false;
        connection_lose(connection, "the connection to the broker was renewed");
        (void)connection_events(connection);
        connection_greet(connection);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        on_disconnected(connection);
        break;
    case ZMQ_EVENT_CLOSED:
        if (!connection_is_open(connection))
            connection_unreachable(connection, closed_attempt(connection->endpoint));
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        connection_unreachable(connection, "what answers there is not a broker, or does not "
                                           "answer in time");
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        if (!connection->explained)
            connection_unreachable(connection, "the address cannot be resolved or used");
        connection->explained = false;
        break;
    }
}

/* Takes in what the monitor has; true if there was anything. */
static bool connection_follow_link(struct connection *connection)
{
    struct monitor_event event;
    bool any = false;
    connection->monitor_is_dry = false;
    while (monitor_next(&connection->monitor, &event)) {
        any = true;
        on_link_event(connection, &event);
    }
    connection->monitor_is_dry = true;
    return any;
}

/* The link is looked at only when no message was there: each look costs a system call, and a
 * descriptor that stays readable brings the caller back here. */
bool connection_process(struct connection *connection, uint64_t now, unsigned limit)
{
    unsigned received = 0;
    if (connection->socket == NULL)
        return false;
    while (received < limit && connection_receive(connection, now))
        received++;
    if (received == limit)
        return true;
    if (received > 0 && connection->monitor_is_dry)
        return false;
    bool any = connection_follow_link(connection);
    if (connection->linked && !connection->dismissed && !connection_is_open(connection))
        connection_greet(connection);
    connection_check_dismissal(connection, now);
    return any;
}
