/* The worker library: exporting services on the bus and answering their requests. */
#ifndef BUSBAR_WORKER_H
#define BUSBAR_WORKER_H

#include <busbar/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A worker holds one connection to a broker and any number of services on it. It registers them,
 * keeps them registered when the broker restarts, runs their handlers and answers for them.
 *
 * Thread rules: busbar_worker_register, _deregister and _stop may be called from any thread, also
 * while the worker runs; _stop also from a signal handler. A request may be answered from any
 * thread, by one thread at a time.
 * Handlers: at most `threads` run at once (default 1, so handlers need no locks among themselves);
 * which thread of the worker runs one is not promised. With BUSBAR_INLINE they run on the thread of
 * busbar_worker_run and only there. A handler that makes calls needs a client of its own thread: a
 * `_Thread_local` one, or one for the worker if no two handlers run at once. Proxies
 * (<busbar/object.h>) need nothing of the kind; who waits for the result of one does not count among
 * `threads` meanwhile, unless with BUSBAR_INLINE, so other handlers may run in between.
 */
struct busbar_worker;
struct busbar_request;

enum {
    BUSBAR_INLINE = UINT16_MAX, /* as `threads`: no handler threads */
};

/*
 * Told of what becomes of broker and services, never of a call; `level` is "error", "warning" or
 * "info", `fields` are `key=value …`. Runs on a thread of the worker, which does nothing else
 * meanwhile; it may not destroy the worker.
 */
typedef void busbar_worker_log_fn(void *context, const char *level, const char *event,
                                  const char *fields);

/* All members may be 0 for the default; `reserved` must be. */
struct busbar_worker_options {
    const char *broker;       /* endpoint, or several with commas between them: services are
                                 registered with every one of them (not with BUSBAR_INLINE);
                                 default: $BUSBAR_BROKER, else BUSBAR_DEFAULT_BROKER */
    uint32_t threads;         /* handlers that run at once, whatever broker their requests are from;
                                 default 1; BUSBAR_INLINE for none */
    uint32_t credit;          /* calls taken at once from each broker; default: adapted to the
                              measured handler time, so that about a millisecond of work waits here */
    uint32_t stop_timeout_ms; /* how long _stop waits for handlers that run; default 10000 */
    busbar_worker_log_fn *log;
    void *log_context;
    void *reserved[4];
};

enum busbar_status busbar_worker_new(struct busbar_worker **ret,
                                     const struct busbar_worker_options *options)
    __attribute__((warn_unused_result));

/* Stops the worker if it runs, then frees it. Requests still kept elsewhere stay valid to answer. */
void busbar_worker_destroy(struct busbar_worker **worker);

/*
 * A handler owns `*request` and ends its ownership in one of two ways, both of which leave NULL:
 * it answers (busbar_request_reply, _fail), or keeps it for later (busbar_request_keep). A request
 * it leaves behind is answered for it as APP_ERROR. So every request has exactly one answer.
 */
typedef void busbar_handler_fn(struct busbar_request **request, void *context);

/*
 * A signature names the arguments, then '>', then the result, as in "sd>s": b bool, i int32,
 * u uint32, l int64, d double, f float, s or S string, y or y4 bytes, as or AS list of strings,
 * v any value. It is for callers; the library checks no body against it. By convention a request
 * is one MessagePack list of the arguments and a reply one MessagePack value, while a lone `y` on a
 * side ("y>y") means that the body of that side is the raw bytes (BUSBAR_RAW). The command `busbar`
 * keeps to that: docs/busbar.md, "call".
 */
struct busbar_method {
    const char *name; /* [A-Za-z0-9_]{1,127} */
    busbar_handler_fn *handler;
    const char *signature; /* NULL if not told */
    const char *text;      /* one line for people; NULL for none */
    unsigned flags;        /* enum busbar_method_flags */
    uint32_t stall_ms;     /* a handler that gives no sign for so long (an answer, a part, progress)
                              counts as hanging, and its call ends as TIMEOUT; 0: its deadline alone
                              ends it */
};

/* What is said of a service. */
enum busbar_service_flags {
    BUSBAR_TELL_CALLER = 1, /* requests tell who calls: busbar_request_caller */
};

/* Copied by busbar_worker_register. */
struct busbar_service {
    const char *name; /* [A-Za-z0-9_][A-Za-z0-9_.:-]{0,126}, not reserved */
    const struct busbar_method *methods;
    size_t method_count;
    const char *version;     /* NULL for none */
    const char *const *tags; /* name, value, name, value, …, NULL; NULL for none */
    void *context;           /* for the handlers */
    /* Given the context of a service that was registered, when no request of it can come any more:
     * on a thread of the worker, or the one that destroys it or answers its last request. It must
     * not use the worker. NULL: nobody is told. */
    void (*context_free)(void *context);
    unsigned flags;      /* enum busbar_service_flags */
    uint32_t weight;     /* 1 to 10000, against other workers of the service; 0 is 100 */
    const char *balance; /* "least_loaded", "round_robin", "random" or "sticky"; what the broker's
                            own file says comes before it, and of several workers the one that was
                            first; NULL: least_loaded */
    void *reserved[4];
};

/*
 * Adds a service. Before the worker runs it is registered when it starts; while it runs, at once.
 * BAD_ARGUMENT for a name or table that cannot be; CONFLICT if this worker has the service already.
 * What the broker says to it later is told by busbar_worker_run, and by busbar_worker_error.
 */
enum busbar_status busbar_worker_register(struct busbar_worker *worker,
                                          const struct busbar_service *service)
    __attribute__((warn_unused_result));

/* Removes a service; requests already here are still handled. NO_SERVICE if it is not there. */
enum busbar_status busbar_worker_deregister(struct busbar_worker *worker, const char *service);

/*
 * Runs until busbar_worker_stop, reconnecting as often as needed. OK after a stop in which all that
 * was started was answered; TIMEOUT if handlers had to be left running; the status of a refusal
 * (DENIED, BAD_REQUEST, CONFLICT) if the broker refuses a service.
 */
enum busbar_status busbar_worker_run(struct busbar_worker *worker)
    __attribute__((warn_unused_result));

/* Runs on threads of the library; returns at once. End it with _stop and _destroy. */
enum busbar_status busbar_worker_start(struct busbar_worker *worker)
    __attribute__((warn_unused_result));

/* Waits for the end of a worker that was started: what busbar_worker_run would return, or NOTHING
 * if it has not ended in the time given. */
enum busbar_status busbar_worker_wait(struct busbar_worker *worker, uint32_t timeout_ms)
    __attribute__((warn_unused_result));

/* Waits until every service is registered with the broker; TIMEOUT, or the refusal's status. Of
 * several brokers those that cannot be reached, or take no services at present, are not waited for
 * once another one has them. */
enum busbar_status busbar_worker_wait_ready(struct busbar_worker *worker, uint32_t timeout_ms)
    __attribute__((warn_unused_result));

/*
 * Begins a graceful stop and returns at once: takes no more, returns what was not started, lets
 * running handlers finish and answer, says goodbye. Async-signal-safe. Before busbar_worker_run it
 * makes that return at once.
 */
void busbar_worker_stop(struct busbar_worker *worker);

/* The last thing that went wrong (refusal, lost broker), copied; "" if nothing did. */
void busbar_worker_error(const struct busbar_worker *worker, char *text, size_t size);

struct busbar_worker_stats {
    uint64_t requests;      /* received */
    uint64_t replies;       /* sent, errors included */
    uint64_t returned;      /* given back unstarted */
    uint64_t stale_replies; /* dropped: the session they belonged to is over */
    uint64_t reconnects;
    uint32_t credit; /* in force */
};
void busbar_worker_stats(const struct busbar_worker *worker, struct busbar_worker_stats *ret);

/* A request, while it is owned. All that is borrowed lives as long as the request. */
const char *busbar_request_service(const struct busbar_request *request);
const char *busbar_request_method(const struct busbar_request *request);
const void *busbar_request_data(const struct busbar_request *request);
size_t busbar_request_size(const struct busbar_request *request);
enum busbar_encoding busbar_request_encoding(const struct busbar_request *request);
/* The whole body in its borrowed form, for a reply or for a call to somebody else. */
struct busbar_body busbar_request_body(const struct busbar_request *request);
/* The body decoded; BAD_REQUEST if it is not one well-formed value of MessagePack. */
enum busbar_status busbar_request_value(const struct busbar_request *request,
                                        struct busbar_value **ret)
    __attribute__((warn_unused_result));
/* Milliseconds left until the deadline; 0 when it has passed: then a call made for the request is not
 * worth making, and 0 as its timeout would mean the default. */
uint32_t busbar_request_remaining(const struct busbar_request *request);
/* True once the caller has cancelled, the deadline has passed or the session is over. */
bool busbar_request_cancelled(const struct busbar_request *request);

/* The value that the caller, or the caller of its handler, put under this name; NULL for none. */
const char *busbar_request_metadata(const struct busbar_request *request, const char *name);
/* All of them, one after the other, from index 0; false when there is none any more. */
bool busbar_request_metadata_at(const struct busbar_request *request, size_t index,
                                const char **name, const char **value);
/* Handlers that this call came through before this one. */
unsigned busbar_request_hops(const struct busbar_request *request);
/* True if the caller waits for no result: what is replied goes nowhere. */
bool busbar_request_is_oneway(const struct busbar_request *request);

/* Who calls, as the broker knows it. */
struct busbar_caller {
    uint64_t session;     /* number of its session with this broker */
    uint8_t instance[16]; /* random, the same as long as the calling program lives */
    const char *name;     /* as authenticated; "" without authentication */
};
/* False without BUSBAR_TELL_CALLER. */
bool busbar_request_caller(const struct busbar_request *request, struct busbar_caller *ret);

/* Goes back with the answer, for busbar_reply_metadata; before it is given. TOO_LARGE over 4000
 * bytes in all, BAD_ARGUMENT without a name or for one of more than 255 bytes. */
enum busbar_status busbar_request_set(struct busbar_request *request, const char *name,
                                      const char *value);

/*
 * Tells the caller how far the handler has come (0 to 1000; -1 if it does not know), with a line for
 * people or NULL; it also shows that the handler does not hang. May get lost where the caller does
 * not read. CANCELLED if nobody waits any more.
 */
enum busbar_status busbar_request_progress(struct busbar_request *request, int permille,
                                           const char *text);

/*
 * Sends a part of the result; the body is taken, on failure too. The answer ends the parts, and
 * what it has is the last of the result. If the caller has not read enough of those before, this
 * waits: until there is room, or the caller, the deadline or the session is gone (CANCELLED); but
 * with BUSBAR_INLINE, or outside of a handler, it returns BUSY instead. UNSUPPORTED if the caller
 * takes no parts; RESULT_TOO_LARGE for one over the body limit.
 */
enum busbar_status busbar_request_part(struct busbar_request *request, struct busbar_body body)
    __attribute__((warn_unused_result));
/* How many parts may be sent without waiting; 0 also if the caller takes none. */
uint32_t busbar_request_window(const struct busbar_request *request);

/* Takes the request out of the handler's hands, to be answered later. */
struct busbar_request *busbar_request_keep(struct busbar_request **request);

/*
 * Answers; takes the request and the body, on failure too. RESULT_TOO_LARGE if the body is over the
 * broker's limit (the caller then gets just that status); BAD_ARGUMENT for bytes or an encoding that
 * cannot be sent, NO_MEMORY (it gets APP_ERROR); CANCELLED if nobody waits any more.
 */
enum busbar_status busbar_request_reply(struct busbar_request **request, struct busbar_body body);

/*
 * Answers with a failure; takes the request. The caller gets these statuses as they are:
 *   executed        APP_ERROR, the application's own errors; RESULT_TOO_LARGE
 *   not executed    BAD_REQUEST, NO_METHOD, EXPIRED: refused before anything was done. NO_SERVICE,
 *                   NO_MEMBERS, BUSY, DENIED, TOO_LARGE, DRAINING, LOOP: of the one call that the handler
 *                   made for this one, and the handler did nothing else
 *   maybe executed  TIMEOUT, CANCELLED, and WORKER_LOST, BROKER_LOST, POISONED of such a call
 * Any other status is sent as APP_ERROR, executed. The text is copied, at most 4096 bytes of it.
 */
enum busbar_status busbar_request_fail(struct busbar_request **request, enum busbar_status status,
                                       const char *text);

#ifdef __cplusplus
}
#endif

#endif
