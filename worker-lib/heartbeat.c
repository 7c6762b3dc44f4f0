/* The thread that beats: one small socket for each session, and what its silence means. */
#include "worker-lib/heartbeat.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "client-lib/context.h"
#include "protocol/packet.h"
#include "worker-lib/thread.h"
#include "worker-lib/wake.h"

enum {
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 1000,
    QUEUE_MAX = 4,
    INTERVAL_MIN_MS = 10, /* whatever the broker says */
};

/* What the thread alone knows. */
struct beating {
    struct heartbeat *heartbeat;
    struct heartbeat_session session;
    uint64_t orders;
    void *socket; /* NULL while there is no session */
    uint64_t due; /* of the next heartbeat, ms */
    uint64_t answered;
};

void heartbeat_init(struct heartbeat *heartbeat, heartbeat_fn *verdict, void *owner)
{
    *heartbeat = (struct heartbeat){.verdict = verdict, .owner = owner, .wake_fd = -1};
    pthread_mutex_init(&heartbeat->lock, NULL);
}

static bool socket_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static void *socket_open(const struct heartbeat *heartbeat)
{
    void *socket = zmq_socket(heartbeat->context, ZMQ_DEALER);
    if (socket != NULL && socket_set(socket, ZMQ_LINGER, 0) &&
        socket_set(socket, ZMQ_IMMEDIATE, 1) && socket_set(socket, ZMQ_SNDHWM, QUEUE_MAX) &&
        socket_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
        socket_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
        zmq_connect(socket, heartbeat->endpoint) == 0)
        return socket;
    if (socket != NULL)
        zmq_close(socket);
    return NULL;
}

static void beating_end(struct beating *beating)
{
    if (beating->socket != NULL)
        zmq_close(beating->socket);
    beating->socket = NULL;
}

/* A new session gets a new socket, so that nothing said about an older one is heard. */
static void beating_begin(struct beating *beating, uint64_t now)
{
    beating_end(beating);
    beating->due = now;
    beating->answered = now;
    if (beating->session.number != 0 && beating->session.interval != 0)
        beating->socket = socket_open(beating->heartbeat);
}

/* False when the thread is to end. */
static bool beating_update(struct beating *beating)
{
    struct heartbeat *heartbeat = beating->heartbeat;
    pthread_mutex_lock(&heartbeat->lock);
    struct heartbeat_session wanted = heartbeat->wanted;
    bool ended = heartbeat->ended;
    bool told = heartbeat->orders != beating->orders;
    beating->orders = heartbeat->orders;
    pthread_mutex_unlock(&heartbeat->lock);
    if (!ended && told) {
        beating->session = wanted;
        if (wanted.interval != 0 && wanted.interval < INTERVAL_MIN_MS)
            beating->session.interval = INTERVAL_MIN_MS;
        beating_begin(beating, clock_ms());
    }
    return !ended;
}

static void beating_verdict(struct beating *beating, enum heartbeat_verdict verdict)
{
    beating_end(beating);
    beating->heartbeat->verdict(beating->heartbeat->owner, beating->session.number, verdict);
}

/* False while libzmq cannot take it: not connected yet, or not any more. */
static bool beat(const struct beating *beating)
{
    uint8_t bundle[BUNDLE_HEADER_SIZE + PACKET_HEADER_SIZE];
    struct packet packet = {.command = PACKET_HEARTBEAT, .id = beating->session.token};
    bundle_write_header(bundle);
    packet_write(bundle + BUNDLE_HEADER_SIZE, &packet);
    return zmq_send(beating->socket, bundle, sizeof bundle, ZMQ_DONTWAIT) >= 0;
}

static bool message_read(zmq_msg_t *message, struct packet *packet)
{
    struct bundle_reader reader;
    struct bytes frame = {.data = zmq_msg_data(message), .size = zmq_msg_size(message)};
    return bundle_open(&reader, frame, NULL) == PACKET_ERROR_NONE && !bundle_is_done(&reader) &&
           bundle_read(&reader, packet) == PACKET_ERROR_NONE;
}

/* Takes in all that has come; returns true if the session was said to be unknown. */
static bool receive(struct beating *beating, uint64_t now)
{
    bool unknown = false;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, beating->socket, ZMQ_DONTWAIT) >= 0) {
        struct packet packet = {0};
        if (!message_read(&message, &packet) || packet.id != beating->session.token)
            continue;
        if (packet.command == PACKET_HEARTBEAT)
            beating->answered = now;
        if (packet.command == PACKET_RESET)
            unknown = true;
    }
    zmq_msg_close(&message);
    return unknown;
}

/* Returns how long to wait, in ms. */
static long beating_step(struct beating *beating)
{
    const struct heartbeat_session *session = &beating->session;
    uint64_t now = clock_ms();
    uint64_t patience = (uint64_t)session->interval * session->liveness;
    if (beating->socket == NULL)
        return -1;
    if (receive(beating, now)) {
        beating_verdict(beating, HEARTBEAT_UNKNOWN);
        return -1;
    }
    if (session->liveness != 0 && now > beating->answered + patience) {
        beating_verdict(beating, HEARTBEAT_SILENT);
        return -1;
    }
    if (now >= beating->due && beat(beating))
        beating->due = now + session->interval;
    return now >= beating->due ? (long)session->interval : (long)(beating->due - now);
}

static void beating_wait(const struct beating *beating, long wait_ms)
{
    bool blocked = beating->socket != NULL && clock_ms() >= beating->due;
    zmq_pollitem_t items[] = {
        {.fd = beating->heartbeat->wake_fd, .events = ZMQ_POLLIN},
        {.socket = beating->socket, .events = (short)(ZMQ_POLLIN | (blocked ? ZMQ_POLLOUT : 0))},
    };
    zmq_poll(items, beating->socket != NULL ? 2 : 1, wait_ms);
    if (items[0].revents != 0)
        wake_clear(beating->heartbeat->wake_fd);
}

static void *heartbeat_run(void *argument)
{
    struct beating beating = {.heartbeat = argument};
    while (beating_update(&beating))
        beating_wait(&beating, beating_step(&beating));
    beating_end(&beating);
    return NULL;
}

enum busbar_status heartbeat_start(struct heartbeat *heartbeat, const char *endpoint)
{
    heartbeat->endpoint = endpoint;
    heartbeat->wake_fd = wake_open();
    if (heartbeat->wake_fd < 0)
        return BUSBAR_SYSTEM;
    heartbeat->context = context_ref();
    if (heartbeat->context == NULL)
        return BUSBAR_NO_MEMORY;
    heartbeat->started = thread_start(&heartbeat->thread, heartbeat_run, heartbeat);
    return heartbeat->started ? BUSBAR_OK : BUSBAR_SYSTEM;
}

void heartbeat_fini(struct heartbeat *heartbeat)
{
    if (heartbeat->started) {
        pthread_mutex_lock(&heartbeat->lock);
        heartbeat->ended = true;
        pthread_mutex_unlock(&heartbeat->lock);
        wake_signal(heartbeat->wake_fd);
        pthread_join(heartbeat->thread, NULL);
        heartbeat->started = false;
    }
    if (heartbeat->context != NULL)
        context_unref();
    heartbeat->context = NULL;
    if (heartbeat->wake_fd >= 0)
        close(heartbeat->wake_fd);
    heartbeat->wake_fd = -1;
    pthread_mutex_destroy(&heartbeat->lock);
}

void heartbeat_set(struct heartbeat *heartbeat, const struct heartbeat_session *session)
{
    pthread_mutex_lock(&heartbeat->lock);
    heartbeat->wanted = *session;
    heartbeat->orders++;
    pthread_mutex_unlock(&heartbeat->lock);
    if (heartbeat->wake_fd >= 0)
        wake_signal(heartbeat->wake_fd);
}
