/*
 * One session with one broker over one DEALER: connecting, HELLO and WELCOME, RESET, BYE, bundles
 * out and validated packets in. Shared by client and worker; knows nothing of calls.
 */
#ifndef CLIENT_LIB_CONNECTION_H
#define CLIENT_LIB_CONNECTION_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/session.h"
#include "transport/monitor.h"
#include "transport/outbox.h"

struct connection;

/*
 * What its owner is told, always from within connection_process, on the thread that calls it.
 * A callback may put packets; it must not close the connection.
 */
struct connection_handler {
    /* The way is open: HELLO stands first in the outbox; put registrations and held calls after it.
     * Also after a RESET, with the same meaning. */
    void (*opened)(void *owner);
    /* WELCOME came: connection->welcome is in force. */
    void (*welcomed)(void *owner);
    /* The session is over; what had been sent in it may have arrived or not. What waits in the
     * outbox has been dropped: it was not sent. `reason` is for people and names the endpoint. */
    void (*lost)(void *owner, const char *reason);
    /* No broker can be reached at the endpoint (connection refused, no such host, …), told once per
     * attempt. */
    void (*unreachable)(void *owner, const char *reason);
    /* The broker did not execute the packet of this command and id, for want of a session. */
    void (*reset)(void *owner, uint8_t command, uint64_t id);
    /* Any other packet. Its runs point into `frame` (the bundle) or `attached` (its body, else
     * NULL), of which references may be taken to keep them. */
    void (*packet)(void *owner, const struct packet *packet, struct blob *frame,
                   struct blob *attached);
    /* `packet` copies what it keeps of a bundle: there is no blob made of it, and `frame` is NULL. */
    bool copies;
};

enum connection_state {
    CONNECTION_CLOSED,   /* no socket */
    CONNECTION_DOWN,     /* connecting, or waiting to try again */
    CONNECTION_GREETING, /* HELLO is under way; packets may be put after it */
    CONNECTION_UP,       /* WELCOME came */
};

enum {
    CONNECTION_FDS = 2,
    CONNECTION_WAIT_MS = 50, /* at most, in connection_wait */
};

struct connection {
    const struct connection_handler *handler;
    void *owner;
    char *endpoint;
    void *socket; /* DEALER */
    struct monitor monitor;
    struct bundle_pool *pool;
    struct outbox outbox;
    enum connection_state state;
    uint8_t instance[INSTANCE_SIZE];
    struct welcome welcome; /* of the session, or the last one while there is none */
    uint64_t sessions;      /* how many have been opened: names a session in this process */
    uint64_t last_received; /* ms */
    uint64_t malformed;     /* messages that were not understood */
    uint64_t sockets;       /* how many have been made: their descriptors change with each */
    int fds[CONNECTION_FDS];
    bool linked;    /* ZeroMQ's own handshake is done; a session may be opened */
    int link_fd;    /* libzmq's descriptor of the link, to be looked at alone; -1 if not known */
    bool dismissed; /* the broker said BYE on this link */
    bool explained; /* why the next attempt is made has been told already */
    /* Nothing was there at the last look, nor was anything done since by this side's functions: the
     * descriptor tells what comes. */
    bool socket_is_dry;
    bool monitor_is_dry;
    int patience;    /* ms: how long a receive that waits waits; 0 for not set */
    bool has_first;  /* connection_wait has received a frame, that is to be processed */
    zmq_msg_t first; /* that one */
};

/* Prepares a connection: nothing is opened yet. BAD_ARGUMENT for an endpoint that is not one. */
enum busbar_status connection_init(struct connection *connection, const char *endpoint,
                                   const struct connection_handler *handler, void *owner);

/* Makes the socket and begins to connect; does nothing when it is open. NO_MEMORY, FORKED, SYSTEM. */
enum busbar_status connection_open(struct connection *connection);

/* Where the next connection_open goes; only while it is closed. False when out of memory. */
bool connection_aim(struct connection *connection, const char *endpoint);

/* Says BYE if there is a session, waits at most `linger_ms` for what is under way, and closes. May
 * be opened again. The handler is not called. */
void connection_close(struct connection *connection, uint32_t linger_ms);
void connection_fini(struct connection *connection);

/* Ends the session as lost and connects anew: for a broker that is silent though connected. */
void connection_restart(struct connection *connection, const char *reason);

static inline bool connection_is_open(const struct connection *connection)
{
    return connection->state >= CONNECTION_GREETING;
}

/* Adds a packet to what leaves with the next flush; only while connection_is_open. A body over
 * PACKET_INLINE_BODY_MAX is given as a blob in `attached`, else that is NULL. */
static inline enum busbar_status __attribute__((warn_unused_result))
connection_put(struct connection *connection, const struct packet *packet, struct blob *attached)
{
    if (!connection_is_open(connection))
        return BUSBAR_BROKER_LOST;
    return outbox_put(&connection->outbox, packet, attached) ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

/* Takes in what has arrived, at most `limit` messages, and tells the handler. `now` in ms.
 * Returns true if more may be there. */
bool connection_process(struct connection *connection, uint64_t now, unsigned limit);

/* For connection_flush, where there is anything. */
enum outbox_result connection_flush_outbox(struct connection *connection);

/* Sends what was put. BLOCKED: flush again when a descriptor becomes readable, or after 1 ms. */
static inline enum outbox_result connection_flush(struct connection *connection)
{
    return outbox_is_empty(&connection->outbox) ? OUTBOX_SENT : connection_flush_outbox(connection);
}

/* Bytes that came over the link, whole messages or not; 0 where they cannot be told. */
uint64_t connection_bytes_in(const struct connection *connection);

/*
 * Waiting: libzmq's descriptors are edge-triggered, so poll them only after connection_is_idle
 * returned true and nothing was done with the connection since.
 */
bool connection_is_idle(struct connection *connection);

/* The same for an owner who uses the socket by these functions alone: libzmq is not asked once more
 * after a look that found nothing. What has come since then is the descriptors' to tell. */
bool connection_is_still(struct connection *connection);
void connection_fds(const struct connection *connection, int fds[CONNECTION_FDS]);

/*
 * Waits for a message in libzmq's own receive, which takes half the system calls of a wait for the
 * descriptors; for `wait_ms` at most, and never longer than CONNECTION_WAIT_MS, for what the link
 * tells is not heard meanwhile: who waits longer goes on with the descriptors. True if a message is
 * there to be processed. False if the time is up or a signal came, and at once where there is no
 * session or other work.
 */
bool connection_wait(struct connection *connection, uint64_t wait_ms);

#endif
