/* Sessions: which connected peer is which, what is due to it, and when it was last heard of. */
#ifndef BROKER_SESSION_H
#define BROKER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "broker/dialect.h"
#include "broker/peer.h"
#include "protocol/session.h"
#include "transport/outbox.h"

struct broker;
struct broker_settings;
struct majordomo;
struct message;

/* What each message touches lies together, and the long id last. */
struct session {
    struct peer peer; /* what the router knows of it */
    const struct dialect *dialect;
    const char *doom;     /* why it is to end; NULL while it is well */
    uint64_t last_seen;   /* ms */
    size_t due;           /* bytes due to it when that was last looked at */
    struct list flush;    /* broker.touched or broker.blocked */
    struct outbox outbox; /* of the native dialect */
    int fd;        /* the connection's descriptor, to match the monitor's events; -1 for none */
    bool was_full; /* it was passed over: to be served once it has taken enough */

    struct majordomo *majordomo; /* of all other dialects */
    uint64_t taken_at; /* ms: when `due` last became less, or too much for further calls */
    uint64_t token;
    struct map_node by_token;
    struct list doomed; /* broker.doomed */
    struct list broken; /* broker.broken */

    struct map_node by_id;
    struct routing_id id;
};

/*
 * The bytes due to a worker from which on it is given no calls: half of what may be due, and room for
 * a body beyond it. So a backlog that meets a free worker does not cut it before it could have read a
 * byte.
 */
uint64_t session_full_mark(const struct broker_settings *settings);

struct sessions {
    struct siphash_key key;
    struct map by_id;
    struct map by_token;
    struct session **by_fd; /* only descriptors that the monitor can name */
    size_t by_fd_size;
};

bool sessions_init(struct sessions *sessions);
void sessions_fini(struct sessions *sessions);

struct session *session_find(const struct sessions *sessions, const struct routing_id *id);
struct session *session_find_token(const struct sessions *sessions, uint64_t token);
struct session *session_find_fd(const struct sessions *sessions, int fd);

/*
 * Opens a session for the sender of the broker's message, which has none, and notes it there; `hello` is
 * NULL in dialects without. NULL if the broker has as many as it may, without memory, or if the peer is
 * gone already: then no event would ever end it.
 */
struct session *session_open(struct broker *broker, const struct dialect *dialect,
                             const struct hello *hello);

bool sessions_are_full(const struct broker *broker);

/* Ends a session: its calls and exports with it. `reason` is for the log. */
void session_end(struct broker *broker, struct session *session, const char *reason);

/* Marks a session to be ended once the current message is done with. Static text. */
void session_doom(struct broker *broker, struct session *session, const char *reason);
void sessions_reap(struct broker *broker);

/* Its connection broke: it gets no more calls, and ends when what it had sent has been taken in. */
void session_break(struct broker *broker, struct session *session);
void sessions_end_broken(struct broker *broker);

/* A peer knew another run of the broker, whose workers may be on their way here: what nobody serves
 * waits for them, for a while after the start. */
void sessions_settle(struct broker *broker);

/* Gives the peer what is due to it at once. */
enum outbox_result session_push(struct broker *broker, struct session *session);

/* Adds a packet to what is due to the peer, and dooms the session if too much is due to it. */
void session_send(struct broker *broker, struct session *session, const struct packet *packet,
                  struct blob *attached);

/* Gives every peer that something was put for what is due to it, and those that were blocked before. */
void sessions_flush(struct broker *broker);

/* Looks through all sessions: ends silent workers, and finds peers that went unnoticed. */
void sessions_inspect(struct broker *broker);

static inline struct session *session_of_peer(struct peer *peer)
{
    return CONTAINER_OF(peer, struct session, peer);
}

#endif
