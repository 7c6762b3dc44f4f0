/* What a client is made of; shared by the files that start calls, end them, wait and poll. */
#ifndef CLIENT_LIB_CLIENT_H
#define CLIENT_LIB_CLIENT_H

#include <busbar/client.h>

#include "client-lib/call_table.h"
#include "client-lib/connection.h"
#include "client-lib/fork_mark.h"
#include "client-lib/reply.h"

enum {
    CLIENT_TEXT_SIZE = 640,        /* of an error text made here */
    CLIENT_BODY_LIMIT = 16 << 20,  /* until a WELCOME tells another */
    CLIENT_BACKLOG_MAX = 64 << 20, /* bytes that wait to leave */
    CLIENT_FLUSH_SIZE = 32 * 1024, /* bytes of started calls that do not wait for a flush */
    CLIENT_CONNECT_TIMEOUT_MS = 800,
    CLIENT_LINGER_MS = 100, /* for the goodbye */
};

/* The descriptor for event loops: see client_loop.c. */
struct client_loop {
    int epoll; /* -1 until somebody asks for it; then all of this is kept up to date */
    int timer;
    int event;
    bool is_signalled;
    uint64_t due;     /* ns the timer is set to; UINT64_MAX if it is not */
    uint64_t sockets; /* connection->sockets whose descriptors are watched */
    int fds[CONNECTION_FDS];
};

struct busbar_client {
    struct fork_mark mark;
    struct connection connection;
    struct call_table calls;
    struct wheel wheel;
    struct list waiting;  /* calls that wait for a session, oldest first */
    struct list put;      /* calls in the outbox or sent, in that order */
    size_t waiting_bytes; /* of the calls in `waiting` */
    struct reply_pool *replies;
    struct reply_queue done;      /* outcomes for busbar_client_wait */
    struct reply_queue callbacks; /* outcomes whose callback is to run */
    struct busbar_reply *answer;  /* the outcome busbar_client_call waits for */
    uint32_t timeout_ms;
    uint32_t connect_timeout_ms;
    bool is_in_callback;
    bool is_closing;
    bool is_blocked;      /* the last flush left something behind */
    uint64_t now;         /* ms, at the beginning of the turn */
    uint64_t looked;      /* ms, for input */
    uint64_t quiet_since; /* ms: what the silence of the broker is counted from */
    unsigned beats;       /* heartbeats without an answer */
    struct client_loop loop;
    enum busbar_status status;
    enum busbar_fate fate;
    char error[CLIENT_TEXT_SIZE];
    char unreachable[CLIENT_TEXT_SIZE]; /* why there is no session; "" if not known */
};

/* client.c: records a failure and returns it. */
enum busbar_status client_fail(struct busbar_client *client, enum busbar_status status,
                               const char *format, ...) __attribute__((format(printf, 3, 4)));
/* client.c: FORKED or BAD_ARGUMENT where a function may not be called at all. */
enum busbar_status client_check(struct busbar_client *client);
enum busbar_status client_check_outside(struct busbar_client *client);

/* client_start.c: takes the body. `ret` is the call, not yet sent; for a refusal the text of the
 * client says why. */
enum busbar_status client_start(struct busbar_client *client, const struct busbar_call *call,
                                struct call **ret);

/* client_calls.c: the life of a call between start and outcome. */
extern const struct connection_handler client_handler;
struct call_outcome {
    enum busbar_status status;
    enum busbar_fate fate;
};
void client_finish(struct busbar_client *client, struct call *call, struct call_outcome outcome,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts a new call into the outbox if there is a session, else lets it wait for one. */
void client_submit(struct busbar_client *client, struct call *call);
/* Puts what waits, as far as there is a session. */
void client_pump(struct busbar_client *client, uint64_t now);
void client_cancel_call(struct busbar_client *client, struct call *call);
void client_expire(struct busbar_client *client, uint64_t now);

/* client_turn.c: sending, receiving and waiting. */
enum {
    CLIENT_FOREVER = -1,
};
void client_send(struct busbar_client *client, uint64_t now);
void client_advance(struct busbar_client *client);
/* Waits for something to do, at most until `until` ns, and does it; false if `until` has come. */
bool client_await(struct busbar_client *client, uint64_t until);
/* ns of the next thing to do without input; UINT64_MAX for none. */
uint64_t client_due(const struct busbar_client *client, uint64_t now);

/* client_loop.c */
void client_loop_init(struct client_loop *loop);
void client_loop_fini(struct client_loop *loop);
/* Before returning from any function that may have changed what there is to do. */
void client_settle_loop(struct busbar_client *client);
static inline void client_settle(struct busbar_client *client)
{
    if (client->loop.epoll >= 0 && !client->is_in_callback) /* what runs callbacks settles after */
        client_settle_loop(client);
}

#endif
