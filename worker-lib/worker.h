/* A worker from the inside: what its threads share, and under which lock. */
#ifndef WORKER_LIB_WORKER_H
#define WORKER_LIB_WORKER_H

#include <busbar/worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/list.h"
#include "client-lib/connection.h"
#include "client-lib/fork_mark.h"
#include "worker-lib/answers.h"
#include "worker-lib/credit.h"
#include "worker-lib/heartbeat.h"
#include "worker-lib/service.h"

enum {
    WORKER_ERROR_SIZE = 512,
    WORKER_QUEUE_MAX = 65536, /* requests that wait here, whatever the credit */
    WORKER_SPARE_MAX = 1024,  /* request objects kept for reuse */
};

enum worker_phase {
    WORKER_NEW,
    WORKER_RUNNING,
    WORKER_DRAINING, /* takes no more; what was started is awaited */
    WORKER_ENDED,
};

/* Request objects, by their links. */
struct request_list {
    struct list list;
    size_t count;
};

/* One of the symmetric threads. */
struct worker_thread {
    struct busbar_worker *worker;
    pthread_t id;
    bool started;
    bool finished; /* it will not touch the worker again but to drop its reference */
};

/*
 * The leader is the one thread that reads from and writes to the connection; leadership is handed
 * over under the lock, which is also what makes the connection safe to use from another thread.
 */
struct leader {
    struct connection connection;
    struct request_list arrived; /* not yet in the queue */
    struct request_list spare;
    uint64_t returned; /* on arrival, and not yet counted */
    uint64_t now;      /* ms */
    uint64_t sessions; /* opened so far: the number of the current one */
    bool in_session;
    uint64_t greeting_since;
    bool draining;         /* what arrives goes back */
    size_t room;           /* for requests that arrive in this turn */
    bool unreachable_told; /* and not reached since */
    bool blocked;          /* libzmq takes nothing at present */
};

struct crew;
struct run;

/* One connection to one broker. What an application holds is the first of as many as its list has
 * brokers; the first owns the others: brokers.c. */
struct busbar_worker {
    /* Set when the worker is made. */
    struct crew *crew; /* NULL for a worker of one broker */
    size_t seat;       /* in the crew */
    struct busbar_worker **others;
    size_t other_count;
    struct fork_mark fork_mark;
    uint32_t threads; /* handlers at once */
    bool is_inline;
    pthread_t inline_thread; /* once it runs */
    uint32_t stop_timeout;
    int wake_fd; /* ends the leader's poll */
    busbar_worker_log_fn *log;
    void *log_context;

    atomic_uint references; /* the handle, each thread, each request kept by the application */
    atomic_bool stop_wanted;
    struct answers answers;
    struct heartbeat heartbeat;
    struct leader leader;

    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t followers;
    pthread_cond_t changed; /* phase, thread or service states */
    pthread_cond_t places;  /* handlers that come back from a call of their own */
    pthread_cond_t granted; /* handlers that wait for room for a part */
    enum worker_phase phase;
    enum busbar_status result;  /* of busbar_worker_run */
    enum busbar_status refusal; /* a final one ends the worker */
    uint64_t stop_at;           /* ms: when what still runs is left behind */
    uint64_t goodbye_at;        /* ms: when the broker's answer to the farewell is given up */
    char error[WORKER_ERROR_SIZE];
    uint64_t error_ns;   /* when that was said */
    bool is_unreachable; /* the broker is not there, as far as is known */

    struct request_list queue;
    struct request_list active; /* running, or about to, or kept by the application */
    struct request_list spare;
    struct run *run; /* of more than one request, from which requests may be recalled; or NULL */
    struct credit credit;
    uint32_t running;     /* handlers that have a place */
    uint32_t away;        /* handlers that wait for a call of their own; see place.h */
    uint32_t returning;   /* of those: their call has ended, they wait for a place */
    uint64_t started_ns;  /* when the last handler began */
    uint64_t denied_ns;   /* since when the crew lets no handler begin; 0 if it does */
    uint64_t extra_until; /* ms: how long credit.extra stays at least */
    uint64_t traffic_ns;  /* when requests came in last */
    uint64_t turn_ns;     /* when the leader's last turn ended */
    unsigned since_turn;  /* requests run since then */
    bool led;             /* there is a leader */
    unsigned waiting;     /* followers */
    bool watched;         /* one of them wakes by itself, to take over from a slow handler */

    struct service_table services;
    uint64_t services_at; /* ms: when something is to be said to the broker about them */
    struct {
        uint64_t session; /* 0: nothing was lost */
        enum heartbeat_verdict verdict;
    } heartbeat_lost;

    uint64_t requests;
    uint64_t returned;
    uint64_t sessions;

    uint32_t thread_count; /* that were started */
    struct worker_thread *all_threads;
};

static inline void worker_lock(struct busbar_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
}

static inline void worker_unlock(struct busbar_worker *worker)
{
    pthread_mutex_unlock(&worker->lock);
}

static inline void request_list_init(struct request_list *list)
{
    list_init(&list->list);
    list->count = 0;
}

/* worker.c: the life of one worker; the public functions are for all of a handle. */
enum busbar_status worker_new(struct busbar_worker **ret,
                              const struct busbar_worker_options *options, const char *endpoint)
    __attribute__((warn_unused_result));
void worker_destroy(struct busbar_worker **worker);
void worker_unref(struct busbar_worker *worker);
/* From new to running; `began` is false if it was not new, which is no failure. */
enum busbar_status worker_start(struct busbar_worker *worker, bool with_threads, bool *began)
    __attribute__((warn_unused_result));
/* Its result, or NOTHING if it has not ended by then; NULL waits for ever. */
enum busbar_status worker_wait(struct busbar_worker *worker, const struct timespec *due)
    __attribute__((warn_unused_result));
/* Async-signal-safe. */
void worker_stop(struct busbar_worker *worker);

enum worker_readiness {
    WORKER_WAITS,   /* for the answer of a broker that is there */
    WORKER_PUT_OFF, /* the broker is not there, or takes no services at present */
    WORKER_READY,
    WORKER_OVER,
};

/* How far it is with its services; `refusal` is what the broker has refused one with, or OK. */
enum worker_readiness worker_readiness(struct busbar_worker *worker, enum busbar_status *refusal);
/* Waits while that is the same. */
void worker_wait_change(struct busbar_worker *worker, enum worker_readiness readiness,
                        uint64_t due_ns);
void worker_add_stats(struct busbar_worker *worker, struct busbar_worker_stats *stats);

/* Keeps a text for busbar_worker_error; takes the lock. */
__attribute__((format(printf, 2, 3))) void worker_say(struct busbar_worker *worker,
                                                      const char *format, ...);

#endif
