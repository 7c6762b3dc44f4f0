/* The client library: calls to services by name, over one connection to a broker. */
#ifndef BUSBAR_CLIENT_H
#define BUSBAR_CLIENT_H

#include <busbar/status.h>
#include <busbar/value.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A client holds one connection to one broker and any number of outstanding calls on it.
 *
 * Thread rules: a client and its replies belong to one thread at a time; there is no lock inside.
 * Use one client per thread. No function here may be called from a signal handler.
 * Ownership: `T **ret` is yours afterwards; `T **x` is taken and set to NULL, on failure too;
 * `const T *` is borrowed until its owner changes or goes.
 * Errors: every function that can fail returns a status. Status, fate and text of the last failure
 * on a client are kept on it: busbar_client_error() names endpoint, service and limit.
 * After a fork the child may only destroy what it inherited; everything else returns FORKED, new
 * clients too if the parent had one when it forked. So fork first, or exec afterwards.
 * The library keeps no global but a ZeroMQ context made with the first connection and ended with
 * the last. It never logs, and touches neither signals nor the random seed. With the context, glibc
 * comes to keep up to 8 MiB of freed memory in each of its heaps, unless the program has set what it
 * keeps: mallopt(3), M_TRIM_THRESHOLD.
 */
struct busbar_client;
struct busbar_reply;

#define BUSBAR_VERSION "0.1.0"

/* Where a broker listens when nothing else is said. */
#define BUSBAR_DEFAULT_BROKER "tcp://127.0.0.1:7766"

enum {
    BUSBAR_DEFAULT_TIMEOUT_MS = 5000,
};

/* The encoding of a body. */
enum busbar_encoding {
    BUSBAR_RAW = 0,         /* bytes whose meaning is the application's */
    BUSBAR_MESSAGEPACK = 1, /* one value, see <busbar/value.h> */
};

/* What is said of a method, by whoever exports or calls it. */
enum busbar_method_flags {
    BUSBAR_IDEMPOTENT =
        1, /* may be executed twice: given to another worker if one is lost with it */
};

/* What is said of one call: BUSBAR_IDEMPOTENT, for that call alone, or any of these. */
enum busbar_call_flags {
    BUSBAR_ONEWAY = 2,   /* no result is wanted: the outcome is OK, maybe executed, as soon as the
                            broker has the call, which then outlives this client */
    BUSBAR_STREAM = 4,   /* the reply may come in parts */
    BUSBAR_DETACHED = 8, /* within a handler: takes over nothing of the request that is handled */
};

typedef void busbar_free_fn(void *data, void *hint);

/*
 * The body of a call or a reply, in one of three forms; make it with a function below.
 *   copied    the bytes are read before the function that is given the body returns
 *   borrowed  the bytes of a received request (busbar_request_body), passed on without a copy; the
 *             request may end before they have left
 *   taken     the library owns the bytes from now on, on failure too, and gives them back with
 *             `free`, once, possibly from another thread and possibly much later
 * The encoding is BUSBAR_RAW unless the function says otherwise; set the member for anything else.
 * The body of a reply is passed on copied: a reply belongs to the thread of its client.
 */
struct busbar_body {
    const void *data;
    size_t size;
    enum busbar_encoding encoding;
    busbar_free_fn *free; /* taken */
    void *hint;           /* taken: for `free` */
    void *owner;          /* borrowed: what the bytes belong to; the library's own */
};

static inline struct busbar_body busbar_body_copied(const void *data, size_t size)
{
    struct busbar_body body = {data, size, BUSBAR_RAW, NULL, NULL, NULL};
    return body;
}

static inline struct busbar_body busbar_body_taken(void *data, size_t size,
                                                   busbar_free_fn *give_back, void *hint)
{
    struct busbar_body body = {data, size, BUSBAR_RAW, give_back, hint, NULL};
    return body;
}

/* A C string as raw bytes, without its NUL; copied. */
struct busbar_body busbar_body_text(const char *text);

/* Encodes a value into a taken body. NO_MEMORY when that fails; the value stays the caller's. */
enum busbar_status busbar_body_value(struct busbar_body *ret, const struct busbar_value *value)
    __attribute__((warn_unused_result));

/* Gives back a body that no function has been given. Copied and borrowed bodies need none. */
void busbar_body_release(struct busbar_body *body);

/* All members may be 0 for the default; `reserved` must be. */
struct busbar_client_options {
    const char *broker;          /* endpoint, or several with commas between them: the first that
                                    can be reached is used, and the next when it is lost or drains;
                                    default: $BUSBAR_BROKER, else BUSBAR_DEFAULT_BROKER */
    uint32_t timeout_ms;         /* deadline of calls that name none; default 5000 */
    uint32_t connect_timeout_ms; /* how long calls wait for a broker that cannot be reached before
                                    they end as BROKER_LOST, not executed; default 800 */
    void *reserved[4];
};

/*
 * Makes a client. Nothing is connected before the first call, so that it succeeds while the broker
 * is down. NULL options mean all defaults. BAD_ARGUMENT for an endpoint that is not one.
 */
enum busbar_status busbar_client_new(struct busbar_client **ret,
                                     const struct busbar_client_options *options)
    __attribute__((warn_unused_result));

/* Ends the session in order. Outstanding calls are cancelled; their callbacks run with CANCELLED. */
void busbar_client_destroy(struct busbar_client **client);

/*
 * The outcome of a call. The callback owns the reply; what it leaves in `*reply` is destroyed for
 * it. It may start, cancel and flush calls on its client; waiting on it, processing it and
 * destroying it (which then does nothing) are refused with BAD_ARGUMENT until the callback returns.
 */
typedef void busbar_reply_fn(struct busbar_reply **reply, void *context);

/*
 * A part of a reply that comes in parts: busbar_reply_data, _size, _encoding, _value, _id and
 * _context read it. The callback owns it; what it leaves in `*part` is destroyed for it. A part that
 * is destroyed makes room for another one, so who keeps parts stops their sender, and nobody else.
 */
typedef void busbar_part_fn(struct busbar_reply **part, void *context);

/* How far a running call has come, as its handler tells. Borrowed until the callback returns. */
struct busbar_progress {
    uint64_t id;      /* of busbar_client_start */
    int permille;     /* 0 to 1000; -1 if the handler does not know */
    const char *text; /* "" for none */
};
typedef void busbar_progress_fn(const struct busbar_progress *progress, void *context);

/*
 * One call. `service` and `method` are needed, all else may be 0; `reserved` must be.
 * Within a handler of a worker a call takes over from the request that is handled: its deadline, if
 * that is earlier; its metadata, under what `metadata` says; its count of handlers passed, which
 * ends circles as LOOP. BUSBAR_DETACHED takes over nothing but that count.
 */
struct busbar_call {
    const char *service;
    const char *method;
    struct busbar_body body;
    uint32_t timeout_ms;         /* from now; 0: the client's default, so what is left of another
                                    deadline must not be passed on when nothing is left of it */
    unsigned flags;              /* BUSBAR_IDEMPOTENT and enum busbar_call_flags */
    uint32_t wait_ms;            /* how long to wait for a service or method that nobody serves; 0:
                                    the call ends at once as NO_SERVICE or NO_METHOD */
    const char *key;             /* of a service balanced as `sticky`: calls of one key go to one
                                    worker as long as it is there and has room; 1 to 255 bytes; NULL
                                    for none: to the least loaded */
    const char *const *metadata; /* name, value, name, value, …, NULL: for the handler, and for
                                    handlers it calls; at most 4000 bytes in all; NULL for none */
    busbar_part_fn *part;        /* with BUSBAR_STREAM: is given the parts, where the callback of an
                                    outcome would run; NULL: busbar_client_wait hands them over,
                                    so only for busbar_client_start */
    uint32_t window; /* with BUSBAR_STREAM: parts that may be under way or kept; 0: 16 */
    busbar_progress_fn *progress;
    busbar_reply_fn *callback; /* start only: runs inside busbar_client_process, _wait or _call */
    void *context;             /* for the callbacks, and readable from the reply */
    void *reserved[4];
};

/*
 * Calls and waits for the outcome, at most until the deadline plus min(50 ms, 10 %). Callbacks of
 * other calls may run meanwhile. The body is taken as its form says, on failure too.
 * `*ret` receives the reply on success and on failure alike, if `ret` is not NULL; it is NULL only
 * when the call could not be made (BAD_ARGUMENT, NO_MEMORY, FORKED).
 * Returns the status of the reply.
 */
enum busbar_status busbar_client_call(struct busbar_client *client, const struct busbar_call *call,
                                      struct busbar_reply **ret)
    __attribute__((warn_unused_result));

/*
 * Makes `count` calls together, in as few messages as hold them, and waits for all outcomes; each
 * has its own. `replies` has room for as many and receives them in the order of `calls`, NULL where
 * a call could not be made. Returns OK if all are, else the status of the first that is not.
 */
enum busbar_status busbar_client_call_many(struct busbar_client *client,
                                           const struct busbar_call *calls, size_t count,
                                           struct busbar_reply **replies)
    __attribute__((warn_unused_result));

/*
 * Starts a call and returns at once. Its outcome comes to the call's callback, which owns the
 * reply, or, without one, from busbar_client_wait. `ret_id`, if not NULL, receives a number for
 * busbar_client_cancel. Anything but OK means that no outcome will come: BAD_ARGUMENT,
 * BAD_REQUEST (a name outside the grammar), TOO_LARGE, BUSY (64 MiB wait to be sent already),
 * NO_MEMORY, SYSTEM, FORKED.
 * What was started leaves with the next process, wait, call or flush, so that calls started
 * together travel together.
 */
enum busbar_status busbar_client_start(struct busbar_client *client, const struct busbar_call *call,
                                       uint64_t *ret_id) __attribute__((warn_unused_result));

/*
 * Waits up to `timeout_ms` (0: not at all) for the outcome of any started call without callback, or
 * for a part of its reply (busbar_reply_is_part), and hands it over. NOTHING if none came in time, or none is outstanding. Returns OK when there is
 * a reply, whatever its own status is.
 */
enum busbar_status busbar_client_wait(struct busbar_client *client, uint32_t timeout_ms,
                                      struct busbar_reply **ret)
    __attribute__((warn_unused_result));

/* Sends what was started, as far as it goes without waiting. */
enum busbar_status busbar_client_flush(struct busbar_client *client);

/* Asks for a call to be cancelled; its one outcome still comes, CANCELLED or what was under way.
 * NOTHING if the id names no outstanding call, for instance one that has its outcome already. */
enum busbar_status busbar_client_cancel(struct busbar_client *client, uint64_t id);

/* Calls started and without outcome, and outcomes not yet taken by busbar_client_wait. */
size_t busbar_client_outstanding(const struct busbar_client *client);

/*
 * For event loops: a descriptor that is readable (level-triggered) whenever busbar_client_process
 * has work: input, calls and cancellations not yet sent, outcomes not yet taken, deadlines,
 * reconnects. It belongs to the client: watch
 * it, never read or close it. -1 with busbar_client_error() set when it cannot be made.
 */
int busbar_client_fd(struct busbar_client *client);

/* Does what there is to do without waiting: receives, sends, expires deadlines, runs callbacks. */
enum busbar_status busbar_client_process(struct busbar_client *client);

/* The last failure on this client. The text is borrowed until the next call on the client. */
enum busbar_status busbar_client_status(const struct busbar_client *client);
enum busbar_fate busbar_client_fate(const struct busbar_client *client);
const char *busbar_client_error(const struct busbar_client *client);

/* The endpoint in use, or tried; one of the list. Borrowed until it changes. */
const char *busbar_client_broker(const struct busbar_client *client);

/* A reply: the one outcome of a call, or a part of its result. It may outlive its client. */
enum busbar_status busbar_reply_status(const struct busbar_reply *reply);
enum busbar_fate busbar_reply_fate(const struct busbar_reply *reply);
/* Who reported the outcome. */
enum busbar_source {
    BUSBAR_BY_CLIENT =
        0, /* this library. BROKER_LOST is then the loss of the client's own broker */
    BUSBAR_BY_BROKER = 1,  /* the broker itself */
    BUSBAR_BY_WORKER = 2,  /* the worker, but not the handler of the method */
    BUSBAR_BY_HANDLER = 3, /* the handler; BROKER_LOST and the like are of a call that it made */
};
enum busbar_source busbar_reply_source(const struct busbar_reply *reply);
/* What went wrong, for people; "" for OK. Borrowed. */
const char *busbar_reply_error(const struct busbar_reply *reply);
/* When to try again, in ms; 0 for no advice. */
uint32_t busbar_reply_retry_after(const struct busbar_reply *reply);
/*
 * The workers that were given the call and lost with it, or had it when it ended; of an error only.
 * They are numbered as `busbar describe --json` shows them.
 */
struct busbar_attempt {
    uint64_t worker;
    uint32_t ms; /* how long it had the call */
};
/* How many there are; the first `limit` of them are copied to `attempts`. */
size_t busbar_reply_attempts(const struct busbar_reply *reply, struct busbar_attempt *attempts,
                             size_t limit);
/* The value of what the handler set under this name (busbar_request_set); NULL for nothing. */
const char *busbar_reply_metadata(const struct busbar_reply *reply, const char *name);
/* Is it a part, after which more follows, and not the outcome? */
bool busbar_reply_is_part(const struct busbar_reply *reply);
/* The body, borrowed; NULL and 0 unless the status is OK. */
const void *busbar_reply_data(const struct busbar_reply *reply);
size_t busbar_reply_size(const struct busbar_reply *reply);
enum busbar_encoding busbar_reply_encoding(const struct busbar_reply *reply);
/* The body decoded; BAD_REQUEST if it is not one well-formed value of MessagePack. */
enum busbar_status busbar_reply_value(const struct busbar_reply *reply, struct busbar_value **ret)
    __attribute__((warn_unused_result));
/* The `context` of the call and the number busbar_client_start gave it. */
void *busbar_reply_context(const struct busbar_reply *reply);
uint64_t busbar_reply_id(const struct busbar_reply *reply);
void busbar_reply_destroy(struct busbar_reply **reply);

#ifdef __cplusplus
}
#endif

#endif
