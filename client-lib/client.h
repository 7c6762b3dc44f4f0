/* What a client is made of; shared by the files that start calls, end them, wait and poll. */
#ifndef CLIENT_LIB_CLIENT_H
#define CLIENT_LIB_CLIENT_H

#include <busbar/client.h>

#include "client-lib/broker_list.h"
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
    CLIENT_UPLINKS = 3,     /* one for new calls, the others until their calls have ended */
    CLIENT_FDS = CLIENT_UPLINKS * CONNECTION_FDS,
    CLIENT_SENDS_MAX = 3,    /* of one call that may be executed twice */
    CLIENT_WINDOW = 16,      /* parts, where a call names no number */
    CLIENT_ITEMS_MAX = 4000, /* bytes of a call's items, as they travel */
};

/* A connection to a broker, and the calls under way on it. */
struct uplink {
    struct busbar_client *client;
    struct connection connection;
    struct list put;      /* calls in the outbox or sent, in that order */
    uint64_t quiet_since; /* ms: what the silence of the broker is counted from */
    unsigned beats;       /* heartbeats without an answer */
    uint64_t bytes_in;    /* of the link, at the last of them */
    bool is_made;         /* the connection is prepared */
    bool is_blocked;      /* the last flush left something behind */
    bool is_leaving;      /* its broker takes no new calls in this session */
};

/* The descriptor for event loops: see client_loop.c. */
struct client_loop {
    int epoll; /* -1 until somebody asks for it; then all of this is kept up to date */
    int timer;
    int event;
    bool is_signalled;
    uint64_t due; /* ns the timer is set to; UINT64_MAX if it is not */
    struct {
        uint64_t sockets; /* connection->sockets whose descriptors are watched; 0 for none */
        int fds[CONNECTION_FDS];
    } watched[CLIENT_UPLINKS];
};

struct busbar_client {
    struct fork_mark mark;
    struct uplink *current; /* that new calls go by */
    struct call_table calls;
    struct wheel wheel;
    struct list waiting;  /* calls that wait for a session, oldest first */
    size_t waiting_bytes; /* of the calls in `waiting` */
    struct list granting; /* calls with parts to be granted */
    struct reply_pool *replies;
    struct reply_queue done;      /* outcomes and parts for busbar_client_wait */
    struct reply_queue callbacks; /* what a callback is to be told of */
    size_t parts;                 /* in both queues, that are no outcomes */
    size_t awaited;               /* calls with an `answer` that have none yet */
    uint32_t timeout_ms;
    uint32_t connect_timeout_ms;
    bool is_in_callback;
    bool is_closing;
    bool is_moving;    /* the current broker would be left although it is there */
    uint64_t now;      /* ms, at the beginning of the turn */
    uint64_t looked;   /* ms, for input */
    uint64_t move_at;  /* ms: when the next broker of the list is tried; UINT64_MAX for never */
    size_t broker;     /* index of the current one in the list */
    unsigned failures; /* brokers tried in a row without a session */
    struct broker_list brokers;
    struct uplink uplinks[CLIENT_UPLINKS];
    struct client_loop loop;
    enum busbar_status status;
    enum busbar_fate fate;
    char error[CLIENT_TEXT_SIZE];
    char unreachable[CLIENT_TEXT_SIZE]; /* why there is no session; "" if not known */
};

/* Connections that there may be: with one broker in the list there is never a second. */
static inline size_t client_uplinks(const struct busbar_client *client)
{
    return client->brokers.count > 1 ? CLIENT_UPLINKS : 1;
}

static inline struct connection *client_connection(const struct busbar_client *client)
{
    return &client->current->connection;
}

/* May new calls be put? */
static inline bool client_is_ready(const struct busbar_client *client)
{
    return connection_is_open(&client->current->connection) && !client->current->is_leaving &&
           !client->is_moving;
}

/* client.c: records a failure and returns it. */
enum busbar_status client_fail(struct busbar_client *client, enum busbar_status status,
                               const char *format, ...) __attribute__((format(printf, 3, 4)));
/* client.c: records FORKED, for client_check. */
enum busbar_status client_forked(struct busbar_client *client);

/* FORKED or BAD_ARGUMENT where a function may not be called at all. */
static inline enum busbar_status client_check(struct busbar_client *client)
{
    if (client == NULL)
        return BUSBAR_BAD_ARGUMENT;
    return fork_mark_is_forked(&client->mark) ? client_forked(client) : BUSBAR_OK;
}
/* client.c: the same, and within a callback. */
enum busbar_status client_check_outside(struct busbar_client *client);

/* client.c: gives back the body of a call that is not made, and returns the status. */
enum busbar_status client_decline(const struct busbar_call *call, enum busbar_status status);

/* client_start.c: takes the body. The outcome will be put into `*answer`, if that is not NULL; for a
 * refusal the text of the client says why. */
enum busbar_status client_start(struct busbar_client *client, const struct busbar_call *call,
                                struct busbar_reply **answer, uint64_t *ret_id);

/* client_metadata.c: what of a call travels as metadata. */
struct metadata_writer;
enum busbar_status client_write_metadata(struct busbar_client *client,
                                         const struct busbar_call *call,
                                         struct metadata_writer *writer);

/* client_calls.c: the life of a call between start and outcome. */
struct call_outcome {
    enum busbar_status status;
    enum busbar_fate fate;
};
void client_finish(struct busbar_client *client, struct call *call, struct call_outcome outcome,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* An empty reply for the call; room for it was made when the call was started. */
static inline struct busbar_reply *client_reply(struct busbar_client *client,
                                                const struct call *call)
{
    struct busbar_reply *reply = reply_new(client->replies);
    reply->id = call->id;
    reply->callback = call->callback;
    reply->context = call->context;
    return reply;
}
/* Ends the call with its filled reply: takes it out of everything it is in. */
static inline void client_deliver(struct busbar_client *client, struct call *call,
                                  struct busbar_reply *reply)
{
    wheel_stop(&client->wheel, &call->timer);
    list_remove(&call->link);
    if (call->grants > 0)
        list_remove(&call->granting);
    if (call->state == CALL_WAITING)
        client->waiting_bytes -= call_size(call);
    if (call->answer != NULL) {
        *call->answer = reply;
        client->awaited--;
    } else {
        reply_queue_push(reply->callback != NULL ? &client->callbacks : &client->done, reply);
    }
    call_table_give_back(&client->calls, call);
}
/* Puts a call into the outbox of the current broker, `left` ms before its deadline; false when out of
 * memory, and it is where it was. */
bool client_put(struct busbar_client *client, struct call *call, uint32_t left);
/* Lets a call wait for a session until its deadline. */
void client_queue(struct busbar_client *client, struct call *call, uint64_t now);
/* The call is known to be unexecuted, or may be executed twice: it goes again, unless nobody wants
 * it any more. */
void client_put_back(struct busbar_client *client, struct call *call);
/* Puts what waits, as far as there is a session. */
void client_put_waiting(struct busbar_client *client, uint64_t now);
void client_cancel_call(struct busbar_client *client, struct call *call);
void client_expire(struct busbar_client *client, uint64_t now);

/* client_input.c: what connections tell. */
extern const struct connection_handler client_handler;

/* client_stream.c: parts of results, and progress. */
void client_take_part(struct busbar_client *client, struct call *call, const struct packet *packet,
                      struct blob *attached);
void client_take_progress(struct busbar_client *client, struct call *call,
                          const struct packet *packet);
/* A part is done with, so that there is room for another one. */
void client_grant(struct busbar_client *client, uint64_t id);
void client_put_grants(struct busbar_client *client);
/* Outcomes, parts and progress whose callback is to run. */
void client_run_callbacks(struct busbar_client *client);
/* The oldest that is for busbar_client_wait, or NULL. */
struct busbar_reply *client_take_done(struct busbar_client *client);

/* client_brokers.c: which broker is the current one. */
enum busbar_status client_init_brokers(struct busbar_client *client, const char *brokers);
void client_fini_brokers(struct busbar_client *client, bool is_forked);
/* NO_MEMORY, FORKED, SYSTEM. Does nothing while the current connection is open. */
enum busbar_status client_open(struct busbar_client *client);
/* Goes on along the list where it is time to, and closes connections that nothing needs any more. */
void client_tend_brokers(struct busbar_client *client, uint64_t now);
/* The current broker cannot be reached, was lost, or grants no session. */
void client_miss_broker(struct busbar_client *client);
/* The current broker would rather be left. */
void client_leave_broker(struct busbar_client *client);
/* The current broker is connected. */
void client_reach_broker(struct busbar_client *client);
/* There is a session with the current broker. */
void client_keep_broker(struct busbar_client *client);
/* ms of the next attempt; UINT64_MAX for none. */
uint64_t client_move_due(const struct busbar_client *client);
/* Is a broker still there that takes nothing new? */
bool client_is_drained(const struct busbar_client *client);

/* client_turn.c: sending, receiving and waiting. */
enum {
    CLIENT_FOREVER = -1,
};
void client_send(struct busbar_client *client, uint64_t now);
void client_advance(struct busbar_client *client, uint64_t now);
/* Waits for something to do, at most until `until` ns, and does it; false if `until` has come. */
bool client_await(struct busbar_client *client, uint64_t until);
/* connection_is_still of all. */
bool client_is_idle(struct busbar_client *client);
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
