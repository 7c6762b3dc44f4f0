/* A worker from the inside: what its threads share, and under which lock. */
#ifndef WORKER_LIB_WORKER_H
#define WORKER_LIB_WORKER_H

#include <busbar/worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

struct busbar_worker {
    /* Set when the worker is made. */
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

    struct request_list queue;
    struct request_list active; /* running, or kept by the application */
    struct request_list spare;
    struct credit credit;
    uint32_t running;     /* handlers that have a place */
    uint32_t away;        /* handlers that wait for a call of their own; see place.h */
    uint32_t returning;   /* of those: their call has ended, they wait for a place */
    uint64_t started_ns;  /* when the last handler began */
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

void worker_unref(struct busbar_worker *worker);

/* Keeps a text for busbar_worker_error; takes the lock. */
__attribute__((format(printf, 2, 3))) void worker_say(struct busbar_worker *worker,
                                                      const char *format, ...);

#endif
