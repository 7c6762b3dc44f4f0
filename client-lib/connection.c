/* The life of a session: opening, greeting, resetting, losing and closing; the socket's options. */
#include "client-lib/connection.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#include "base/random.h"
#include "client-lib/connection_internal.h"
#include "client-lib/context.h"
#include "client-lib/endpoint.h"

enum {
    MONITORED = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED,
    RECONNECT_MIN_MS = 50,
    RECONNECT_SPREAD_MS = 100,
    DISMISSED_MS =
        1000, /* after a BYE the broker closes the link; if it does not, this side does */
};

enum busbar_status connection_init(struct connection *connection, const char *endpoint,
                                   const struct connection_handler *handler, void *owner)
{
    *connection = (struct connection){
        .handler = handler, .owner = owner, .fds = {-1, -1}, .link_fd = -1};
    if (!endpoint_is_valid(endpoint))
        return BUSBAR_BAD_ARGUMENT;
    connection->endpoint = strdup(endpoint);
    connection->pool = bundle_pool_new();
    if (connection->endpoint == NULL || connection->pool == NULL) {
        connection_fini(connection);
        return BUSBAR_NO_MEMORY;
    }
    outbox_init(&connection->outbox, connection->pool);
    random_bytes(connection->instance, sizeof connection->instance);
    return BUSBAR_OK;
}

/*
 * IMMEDIATE: what is sent while no broker is there must not reach the next one without its HELLO.
 * CONNECT_TIMEOUT: an address that swallows packets is tried again long before the kernel gives up.
 * ZeroMQ's own heartbeats abort the process in some states and are never turned on.
 */
static bool socket_configure(void *socket)
{
    const struct {
        int option;
        int value;
    } options[] = {
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, 32},
        {ZMQ_RCVHWM, 1000},
        {ZMQ_RECONNECT_IVL, RECONNECT_MIN_MS + (int)(random_u64() % (RECONNECT_SPREAD_MS + 1))},
        {ZMQ_RECONNECT_IVL_MAX, 750},
        {ZMQ_CONNECT_TIMEOUT, 3000},
        {ZMQ_HANDSHAKE_IVL, 3000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 15},
        {ZMQ_TCP_KEEPALIVE_INTVL, 5},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_TCP_MAXRT, 15000},
    };
    const int64_t frame_max = INT64_C(1) << 30; /* the broker's own limit is not known yet */
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof(int)) != 0)
            return false;
    }
    return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0;
}

static bool socket_fd(void *socket, int *ret)
{
    size_t size = sizeof *ret;
    return zmq_getsockopt(socket, ZMQ_FD, ret, &size) == 0;
}

static bool connection_dial(struct connection *connection, void *context)
{
    connection->socket = zmq_socket(context, ZMQ_DEALER);
    if (connection->socket == NULL || !socket_configure(connection->socket) ||
        !monitor_open(&connection->monitor, context, connection->socket, MONITORED) ||
        !socket_fd(connection->socket, &connection->fds[0]) ||
        !socket_fd(connection->monitor.socket, &connection->fds[1]))
        return false;
    return zmq_connect(connection->socket, connection->endpoint) == 0;
}

static void connection_hang_up(struct connection *connection)
{
    if (connection->monitor.socket != NULL)
        monitor_close(&connection->monitor, connection->socket);
    if (connection->socket != NULL)
        zmq_close(connection->socket);
    if (connection->has_first)
        zmq_msg_close(&connection->first);
    connection->has_first = false;
    connection->socket = NULL;
    connection->link_fd = -1;
    connection->fds[0] = connection->fds[1] = -1;
    context_unref();
}

static enum busbar_status open_status(int reason)
{
    if (reason == ENOMEM)
        return BUSBAR_NO_MEMORY;
    return reason == EINVAL ? BUSBAR_BAD_ARGUMENT : BUSBAR_SYSTEM;
}

enum busbar_status connection_open(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSED)
        return BUSBAR_OK;
    void *context = context_ref();
    if (context == NULL)
        return context_is_forked() ? BUSBAR_FORKED : open_status(errno);
    if (!connection_dial(connection, context)) {
        int reason = errno;
        connection_hang_up(connection);
        return open_status(reason);
    }
    connection->state = CONNECTION_DOWN;
    connection->sockets++;
    connection->linked = endpoint_is_inproc(connection->endpoint); /* its monitor stays silent */
    connection->dismissed = false;
    connection->explained = false;
    connection->socket_is_dry = false;
    connection->monitor_is_dry = false;
    connection->patience = 0;
    return BUSBAR_OK;
}

bool connection_aim(struct connection *connection, const char *endpoint)
{
    char *copy = strdup(endpoint);
    if (copy == NULL)
        return false;
    free(connection->endpoint);
    connection->endpoint = copy;
    return true;
}

void connection_close(struct connection *connection, uint32_t linger_ms)
{
    int linger = (int)(linger_ms < INT32_MAX ? linger_ms : INT32_MAX);
    if (connection->socket != NULL && !context_is_forked()) {
        const struct packet bye = {.command = PACKET_BYE};
        if (connection_is_open(connection) && outbox_put(&connection->outbox, &bye, NULL))
            (void)connection_flush(connection);
        zmq_setsockopt(connection->socket, ZMQ_LINGER, &linger, sizeof linger);
        outbox_clear(&connection->outbox);
        connection_hang_up(connection);
    }
    connection->socket = NULL;
    connection->monitor.socket = NULL;
    connection->state = CONNECTION_CLOSED;
}

void connection_fini(struct connection *connection)
{
    bool is_forked = connection->socket != NULL && context_is_forked();
    connection_close(connection, 0);
    if (!is_forked) { /* else its lock may have been held when the process forked */
        outbox_fini(&connection->outbox);
        bundle_pool_destroy(&connection->pool);
    }
    free(connection->endpoint);
    connection->endpoint = NULL;
}

void connection_lose(struct connection *connection, const char *what)
{
    char reason[CONNECTION_REASON_SIZE];
    bool had_session = connection_is_open(connection);
    connection->state = CONNECTION_DOWN;
    outbox_clear(&connection->outbox);
    if (!had_session)
        return;
    snprintf(reason, sizeof reason, "%s: %s", connection->endpoint, what);
    connection->handler->lost(connection->owner, reason);
}

void connection_restart(struct connection *connection, const char *reason)
{
    if (connection->state == CONNECTION_CLOSED)
        return;
    connection_lose(connection, reason);
    connection_hang_up(connection);
    connection->state = CONNECTION_CLOSED;
    if (connection_open(connection) != BUSBAR_OK) {
        char text[CONNECTION_REASON_SIZE];
        snprintf(text, sizeof text, "%s: no socket can be made", connection->endpoint);
        connection->handler->unreachable(connection->owner, text);
    }
}

void connection_greet(struct connection *connection)
{
    uint8_t body[HELLO_SIZE];
    struct hello hello = {.last_epoch = connection->welcome.epoch};
    memcpy(hello.instance, connection->instance, INSTANCE_SIZE);
    hello_write(body, &hello);
    const struct packet packet = {
        .command = PACKET_HELLO,
        .body = {.data = body, .size = sizeof body},
    };
    if (!outbox_put(&connection->outbox, &packet, NULL))
        return; /* the next process tries again */
    connection->state = CONNECTION_GREETING;
    connection->sessions++;
    connection->handler->opened(connection->owner);
}

int connection_events(struct connection *connection)
{
    int events = 0;
    size_t size = sizeof events;
    bool is_known = zmq_getsockopt(connection->socket, ZMQ_EVENTS, &events, &size) == 0;
    connection->socket_is_dry = is_known && !(events & ZMQ_POLLIN);
    return is_known ? events : 0;
}

uint64_t connection_bytes_in(const struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (connection->link_fd < 0 ||
        getsockopt(connection->link_fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}

enum outbox_result connection_flush_outbox(struct connection *connection)
{
    if (!connection_is_open(connection))
        return OUTBOX_GONE;
    enum outbox_result result = outbox_flush(&connection->outbox, connection->socket, NULL);
    if (result == OUTBOX_BLOCKED && (connection_events(connection) & ZMQ_POLLOUT))
        result = outbox_flush(&connection->outbox, connection->socket, NULL);
    /* What was sent last, behind that look too, may have taken the signal of an answer. */
    connection->socket_is_dry = false;
    return result;
}

/* The monitor's PAIR is only read, and a look that finds nothing leaves its descriptor reliable. */
static bool has_work(const struct connection *connection)
{
    return connection->has_first || !connection->monitor_is_dry ||
           (connection->linked && !connection_is_open(connection) && !connection->dismissed);
}

bool connection_is_idle(struct connection *connection)
{
    if (connection->socket == NULL)
        return true;
    if (has_work(connection))
        return false;
    int events = connection_events(connection);
    return !(events & ZMQ_POLLIN) &&
           !((events & ZMQ_POLLOUT) && !outbox_is_empty(&connection->outbox));
}

bool connection_is_still(struct connection *connection)
{
    if (connection->socket_is_dry && outbox_is_empty(&connection->outbox) &&
        connection->socket != NULL)
        return !has_work(connection);
    return connection_is_idle(connection);
}

/* Sets how long a receive that waits waits; that is no system call. */
static bool be_patient(struct connection *connection, uint64_t wait_ms)
{
    int patience = wait_ms < CONNECTION_WAIT_MS ? (int)wait_ms : CONNECTION_WAIT_MS;
    if (connection->patience == patience)
        return true;
    if (zmq_setsockopt(connection->socket, ZMQ_RCVTIMEO, &patience, sizeof patience) != 0)
        return false;
    connection->patience = patience;
    return true;
}

bool connection_wait(struct connection *connection, uint64_t wait_ms)
{
    if (connection->state != CONNECTION_UP || has_work(connection) ||
        !outbox_is_empty(&connection->outbox) || !be_patient(connection, wait_ms))
        return false;
    zmq_msg_init(&connection->first);
    connection->has_first = zmq_msg_recv(&connection->first, connection->socket, 0) >= 0;
    connection->socket_is_dry = !connection->has_first && errno == EAGAIN;
    return connection->has_first;
}

void connection_fds(const struct connection *connection, int fds[CONNECTION_FDS])
{
    memcpy(fds, connection->fds, sizeof connection->fds);
}

void connection_check_dismissal(struct connection *connection, uint64_t now)
{
    if (connection->dismissed && now - connection->last_received >= DISMISSED_MS)
        connection_restart(connection, "the broker has ended the session");
}
