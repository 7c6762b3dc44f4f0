/* What the files of the broker share: the broker itself, around its pure router. */
#ifndef BROKER_CORE_H
#define BROKER_CORE_H

#include <zmq.h>

#include "broker/broker.h"
#include "broker/dialect.h"
#include "broker/intake.h"
#include "broker/router.h"
#include "broker/session.h"
#include "broker/settings.h"
#include "protocol/frames.h"
#include "transport/monitor.h"
#include "transport/outbox.h"

struct bound {
    char *endpoint;
    uint64_t inode; /* of the socket's file; 0 if it has none */
};

enum {
    SOCKET_WAIT_MS = 2, /* monitor and broker_stop are not heard for so long at most */
    MESSAGE_FRAMES_MAX = FRAMES_MAX + 5,  /* the longest a dialect has: envelope, header, command,
                                            client address, delimiter, body */
    MESSAGE_FRAMES_CUT = 16 * FRAMES_MAX, /* a peer that sends so many is not heard any more */
    MESSAGE_FRAMES_PACKET = 16,           /* frames that cost a turn as much as a packet */
};

/* One received message, and who sent it; made once, and used for each. */
struct message {
    struct routing_id from;
    struct session *session; /* NULL while the peer has none */
    size_t count;            /* frames; of more than there is room for the rest is not stored */
    size_t bytes;            /* as they came: ZMTP's own headers included */
    zmq_msg_t frames[MESSAGE_FRAMES_MAX];
};

static inline size_t message_stored(const struct message *message)
{
    return message->count < MESSAGE_FRAMES_MAX ? message->count : MESSAGE_FRAMES_MAX;
}

/* A frame's bytes; empty for one that is not there. */
static inline struct bytes message_frame(struct message *message, size_t at)
{
    if (at >= message_stored(message))
        return (struct bytes){0};
    return (struct bytes){.data = zmq_msg_data(&message->frames[at]),
                          .size = zmq_msg_size(&message->frames[at])};
}

struct broker {
    struct broker_settings settings; /* its strings belong to whoever made the broker */
    struct broker_hooks hooks;
    void *context;
    void *own_context; /* the same if it is ours to end */
    void *socket;      /* the one ROUTER */
    struct monitor monitor;
    int fd; /* libzmq's descriptors of both, to be polled */
    int monitor_fd;
    /* "Dry": the last look found nothing and nothing was sent since, so that the descriptor will
     * tell. Each look that is not needed costs a system call or two of every call routed alone. */
    bool socket_is_dry;
    bool monitor_is_dry;
    bool is_calm;       /* messages come one at a time */
    unsigned since_dry; /* messages taken in since the socket was dry */
    int wake;           /* eventfd: written by broker_stop */
    bool stopping;
    bool ready;          /* router and sessions were made */
    struct bound *bound; /* the endpoints as they really are */
    size_t bound_count;
    uint64_t epoch;
    uint64_t now; /* ms, of this turn of the loop */
    uint64_t started;
    uint64_t packets;       /* received: bounds a turn */
    struct message message; /* the one that is being taken apart */
    bool has_message;       /* it was received while waiting, and is to be taken apart */
    uint64_t looked;        /* ms: when monitor and `wake` were looked at last */
    struct counters counters;
    struct router router;
    struct sessions sessions;
    struct intake intake;
    struct bundle_pool *pool;
    struct outbox stray;      /* answers to a peer that has no session; flushed per message */
    uint64_t full_mark;       /* bytes; a worker to which more is due is given no calls */
    struct list touched;      /* session.flush: something was put since the last flush */
    struct list blocked;      /* session.flush: libzmq's queue was full; tried again each turn */
    struct list broken;       /* session.broken: to be ended when the socket is empty */
    struct list doomed;       /* session.doomed: to be ended when the current message is done */
    uint64_t broken_since;    /* ms: when `broken` got its first */
    uint64_t next_inspection; /* ms: when the sessions are looked through */
    uint64_t last_inspection;
};

/* Tells the hook; the fields are formatted as by printf. */
void broker_log(struct broker *broker, enum broker_log_level level, const char *event,
                const char *fields, ...) __attribute__((format(printf, 4, 5)));

/* One turn of the loop: time, input, the monitor, output. True if more input may be there. */
bool broker_turn(struct broker *broker);

/* The built-in service: answers a call to `bus`. */
void builtin_call(struct broker *broker, struct session *session, const struct packet *packet);

/* broker/socket.c: the ROUTER and its monitor. */
enum busbar_status socket_open(struct broker *broker, char *error, size_t error_size);
void socket_close(struct broker *broker);
/* The next message becomes broker->message; false if there is none. */
bool socket_receive(struct broker *broker);
/* The same after waiting for it, SOCKET_WAIT_MS at most or until a signal: in libzmq's own receive, which
 * takes fewer system calls than a wait for its descriptor. The turn finds it by `has_message`. */
bool socket_wait(struct broker *broker);
/* The descriptor of the connection it came by; -1 if it has none. */
int message_fd(const struct message *message);
/* Notes that the peer was heard, and how much of what its connection sent has arrived. */
void message_account(struct broker *broker, const struct message *message);
/* Counts what was not understood, and logs it; the dialect's name and the reason are static texts. */
void message_malformed(struct broker *broker, const char *dialect, const char *reason);
/* Has the message more frames than any peer would send? Then it is refused, and its connection cut. */
bool message_refuse_flood(struct broker *broker);
void message_close(struct message *message);
/* Takes in what the monitor has seen: sessions of broken connections end. */
void socket_watch(struct broker *broker);

#endif
