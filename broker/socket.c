/* The ROUTER: its options, its binds, messages in, and connections that come and go. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/quote.h"
#include "base/random.h"
#include "broker/core.h"
#include "protocol/endpoint.h"

enum {
    /* Messages libzmq may hold for one peer. A message is a bundle of up to 64 KiB, so the default
     * of 1000 would hold 64 MiB for each peer that does not read. */
    SEND_HIGH_WATER_MARK = 32,
    RECEIVE_HIGH_WATER_MARK = 64,
    HANDSHAKE_MS = 3000, /* silent and trickling newcomers are cut after this */
    LISTEN_BACKLOG = 4096,
    TCP_GIVE_UP_MS = 15000,
    TCP_IDLE_S = 10,
    TCP_INTERVAL_S = 5,
    TCP_PROBES = 3,
    RANDOM_STATE_SIZE = 64,
    BODY_FRAME_SLACK = 64 * 1024, /* so that a body just over the limit gets an answer, not a cut */
};

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool socket_set_options(const struct broker *broker, void *socket)
{
    static const struct {
        int option;
        int value;
    } OPTIONS[] = {
        {ZMQ_ROUTER_MANDATORY,
         1}, /* a send to a full or gone peer is an error, not a silent loss */
        {ZMQ_SNDHWM, SEND_HIGH_WATER_MARK},
        {ZMQ_RCVHWM, RECEIVE_HIGH_WATER_MARK},
        {ZMQ_RCVTIMEO, SOCKET_WAIT_MS},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_BACKLOG, LISTEN_BACKLOG},
        {ZMQ_LINGER, 0},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, TCP_IDLE_S},
        {ZMQ_TCP_KEEPALIVE_INTVL, TCP_INTERVAL_S},
        {ZMQ_TCP_KEEPALIVE_CNT, TCP_PROBES},
        {ZMQ_TCP_MAXRT, TCP_GIVE_UP_MS},
    };
    int64_t frame_max = (int64_t)broker->settings.body_limit + BODY_FRAME_SLACK;
    for (size_t i = 0; i < ARRAY_SIZE(OPTIONS); i++) {
        if (!set_int(socket, OPTIONS[i].option, OPTIONS[i].value))
            return false;
    }
    return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0;
}

static char *last_endpoint(void *socket)
{
    char endpoint[512];
    size_t size = sizeof endpoint;
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        return NULL;
    return strdup(endpoint);
}

/* The file of an ipc endpoint; NULL for any other, and for a name that is no file. */
static const char *endpoint_file(const char *endpoint)
{
    static const char scheme[] = "ipc://";
    const char *path = endpoint + sizeof scheme - 1;
    return strncmp(endpoint, scheme, sizeof scheme - 1) == 0 && path[0] != '@' ? path : NULL;
}

static uint64_t file_inode(const char *path)
{
    struct stat file;
    return path != NULL && stat(path, &file) == 0 ? file.st_ino : 0;
}

/* libzmq leaves the file behind; one that another broker has put there since is not ours. */
static void unlink_own(const struct bound *bound)
{
    const char *path = endpoint_file(bound->endpoint);
    if (bound->inode != 0 && file_inode(path) == bound->inode)
        (void)unlink(path);
}

/* libzmq would take the file of an ipc endpoint away from whoever listens there. */
static bool is_in_use(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answered = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return answered;
}

static bool bind_one(void *socket, const char *endpoint)
{
    if (is_in_use(endpoint_file(endpoint))) {
        errno = EADDRINUSE;
        return false;
    }
    CLEANUP(cleanup_free) char *real = endpoint_for_bind(endpoint);
    if (real == NULL || !set_int(socket, ZMQ_IPV6, endpoint_is_ipv6(endpoint)))
        return false;
    return zmq_bind(socket, real) == 0;
}

static enum busbar_status socket_bind(struct broker *broker, char *error, size_t error_size)
{
    broker->bound = calloc(broker->settings.bind_count, sizeof *broker->bound);
    if (broker->bound == NULL)
        return BUSBAR_NO_MEMORY;
    for (size_t i = 0; i < broker->settings.bind_count; i++) {
        const char *endpoint = broker->settings.binds[i].endpoint;
        struct bound *bound = &broker->bound[i];
        if (!bind_one(broker->socket, endpoint)) {
            snprintf(error, error_size, "%s: %s", endpoint, zmq_strerror(errno));
            return BUSBAR_SYSTEM;
        }
        bound->endpoint = last_endpoint(broker->socket);
        if (bound->endpoint == NULL)
            return BUSBAR_NO_MEMORY;
        bound->inode = file_inode(endpoint_file(bound->endpoint));
        broker->bound_count++;
    }
    return BUSBAR_OK;
}

/*
 * libzmq numbers peers from a number of rand() on, and ends the process when it comes to a number that a
 * peer has taken as its own routing id. So none may be guessed: it draws from a state of its own for a
 * moment, and the program's stays as it was.
 */
static void *router_new(void *context)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* or one would put back another's */
    char state[RANDOM_STATE_SIZE];
    unsigned seed;
    random_bytes(&seed, sizeof seed);
    pthread_mutex_lock(&lock);
    char *before = initstate(seed, state, sizeof state);
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    int reason = errno;
    (void)setstate(before);
    pthread_mutex_unlock(&lock);
    errno = reason;
    return socket;
}

static bool find_fd(void *socket, int *ret)
{
    size_t size = sizeof *ret;
    return zmq_getsockopt(socket, ZMQ_FD, ret, &size) == 0;
}

enum busbar_status socket_open(struct broker *broker, char *error, size_t error_size)
{
    broker->socket = router_new(broker->context);
    if (broker->socket == NULL || !socket_set_options(broker, broker->socket) ||
        !monitor_open(&broker->monitor, broker->context, broker->socket,
                      ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_ACCEPT_FAILED) ||
        !find_fd(broker->socket, &broker->fd) ||
        !find_fd(broker->monitor.socket, &broker->monitor_fd)) {
        snprintf(error, error_size, "cannot make the socket: %s", zmq_strerror(errno));
        return BUSBAR_SYSTEM;
    }
    return socket_bind(broker, error, error_size);
}

void socket_close(struct broker *broker)
{
    if (broker->socket == NULL)
        return;
    monitor_close(&broker->monitor, broker->socket);
    zmq_close(broker->socket);
    broker->socket = NULL;
    for (size_t i = 0; i < broker->bound_count; i++) {
        unlink_own(&broker->bound[i]);
        free(broker->bound[i].endpoint);
    }
    free(broker->bound);
}

static bool receive(void *socket, zmq_msg_t *frame)
{
    int rc;
    do
        rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

/* The rest of a message whose first frame is here. Frames past those a message may have are counted,
 * and not stored. */
static void receive_message(struct broker *broker, zmq_msg_t *first)
{
    struct message *message = &broker->message;
    size_t size = zmq_msg_size(first);
    message->from.size = (uint8_t)(size <= ROUTING_ID_MAX ? size : 0);
    memcpy(message->from.bytes, zmq_msg_data(first), message->from.size);
    bool more = zmq_msg_more(first);
    message->count = 0;
    message->bytes = 0;
    while (more) {
        bool stored = message->count < MESSAGE_FRAMES_MAX;
        zmq_msg_t *frame = stored ? &message->frames[message->count] : first;
        if (stored)
            zmq_msg_init(frame);
        if (!receive(broker->socket, frame))
            break;
        message->count++;
        message->bytes += intake_frame_bytes(zmq_msg_size(frame));
        more = zmq_msg_more(frame);
    }
    broker->packets += message->count / MESSAGE_FRAMES_PACKET;
}

bool socket_receive(struct broker *broker)
{
    zmq_msg_t first;
    zmq_msg_init(&first);
    bool is_there = receive(broker->socket, &first);
    if (is_there)
        receive_message(broker, &first);
    zmq_msg_close(&first);
    return is_there;
}

bool socket_wait(struct broker *broker)
{
    zmq_msg_t first;
    zmq_msg_init(&first);
    broker->has_message = zmq_msg_recv(&first, broker->socket, 0) >= 0;
    broker->socket_is_dry = !broker->has_message && errno == EAGAIN;
    if (broker->has_message)
        receive_message(broker, &first);
    zmq_msg_close(&first);
    return broker->has_message;
}

int message_fd(const struct message *message)
{
    return message->count == 0 ? -1 : zmq_msg_get(&message->frames[0], ZMQ_SRCFD);
}

void message_account(struct broker *broker, const struct message *message)
{
    struct session *session = message->session;
    broker->counters.messages++;
    intake_take(&broker->intake, session != NULL ? session->fd : message_fd(message),
                message->bytes);
    if (session != NULL)
        session->last_seen = broker->now;
}

/* A peer can name an address of its own where libzmq knows none. */
static const char *message_address(const struct message *message)
{
    const char *address = message->count == 0 ? NULL
                                              : zmq_msg_gets(&message->frames[0], "Peer-Address");
    return address != NULL ? address : "";
}

void message_malformed(struct broker *broker, const char *dialect, const char *reason)
{
    const struct message *message = &broker->message;
    const char *address = message_address(message);
    char from[80];
    broker->counters.malformed++;
    broker_log(broker, BROKER_LOG_WARNING, "malformed_message",
               "peer=%llu from=%s frames=%zu bytes=%zu dialect=%s reason=\"%s\"",
               message->session == NULL ? 0ULL : (unsigned long long)message->session->peer.number,
               quote(from, sizeof from, address, strlen(address)), message->count, message->bytes,
               dialect, reason);
}

/* It may be gone, and its descriptor another's; an empty message, then, to one that is not. */
static bool sender_is_there(struct broker *broker)
{
    zmq_msg_t empty;
    zmq_msg_init(&empty);
    broker->socket_is_dry = false;
    return routing_id_send(&broker->message.from, broker->socket) &&
           frame_send(&empty, broker->socket, 0);
}

bool message_refuse_flood(struct broker *broker)
{
    struct message *message = &broker->message;
    if (message->count <= MESSAGE_FRAMES_CUT)
        return false;
    message->session = session_find(&broker->sessions, &message->from);
    message_account(broker, message);
    message_malformed(broker, "none", "it has so many frames that its connection is cut");
    if (sender_is_there(broker) && intake_cut_pile(&broker->intake, message_fd(message)))
        broker->counters.connections_cut++;
    return true;
}

void message_close(struct message *message)
{
    for (size_t i = 0; i < message_stored(message); i++)
        zmq_msg_close(&message->frames[i]);
}

static void disconnected(struct broker *broker, int fd)
{
    struct session *session = session_find_fd(&broker->sessions, fd);
    intake_close(&broker->intake, fd);
    if (session == NULL)
        return;
    session_break(broker, session);
}

void socket_watch(struct broker *broker)
{
    struct monitor_event event;
    broker->monitor_is_dry = true; /* once the loop has ended */
    while (monitor_next(&broker->monitor, &event)) {
        switch (event.kind) {
        case ZMQ_EVENT_ACCEPTED:
            if (!intake_open(&broker->intake, event.value))
                broker->counters.connections_refused++;
            break;
        case ZMQ_EVENT_DISCONNECTED:
            disconnected(broker, event.value);
            break;
        case ZMQ_EVENT_ACCEPT_FAILED:
            broker_log(broker, BROKER_LOG_WARNING, "accept_failed", "reason=\"%s\"",
                       zmq_strerror(event.value));
            break;
        }
    }
}
