/*
 * The workers of one application's handle, one for each broker of its list: what they share, which
 * is how many handlers run at once over all of them. A worker of one broker is in none.
 */
#ifndef WORKER_LIB_CREW_H
#define WORKER_LIB_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker-lib/worker.h"

struct crew_seat {
    struct busbar_worker *worker; /* NULL once it is gone */
    bool waits;                   /* has requests, and is to be woken when a handler has ended */
};

struct crew {
    atomic_uint references;  /* one of each worker */
    pthread_mutex_t telling; /* held while the application is told something */
    pthread_mutex_t lock;    /* of all that follows; taken with that of a worker or alone */
    pthread_cond_t freed;    /* for handlers that come back from a call of their own */
    uint32_t limit;
    uint32_t running;
    uint32_t returning;
    size_t next; /* seat to be woken first */
    size_t count;
    struct crew_seat seats[];
};

/* NULL when out of memory. The first reference is the caller's. */
struct crew *crew_new(uint32_t limit, size_t count);
void crew_unref(struct crew **crew);

/* Gives a worker its seat, and takes it away when the worker is freed. */
void crew_join(struct crew *crew, struct busbar_worker *worker, size_t seat);
void crew_quit(struct busbar_worker *worker);

/* May another handler of this worker, which is in a crew, begin? If not, it is woken when it may. */
bool crew_take(struct busbar_worker *worker);
/* It has nothing to begin any more, after it was told to wait. */
void crew_withdraw(struct busbar_worker *worker);
/* A handler has ended, or waits for a call of its own. */
void crew_give(struct crew *crew);
/* Without a lock: waits until a handler that comes back may go on. */
void crew_take_back(struct crew *crew);

/* Tells all of them to stop. */
void crew_stop(struct crew *crew);

/* Of any worker, with its lock held. */
static inline bool crew_enter(struct busbar_worker *worker)
{
    return worker->crew == NULL || crew_take(worker);
}

static inline void crew_leave(struct busbar_worker *worker)
{
    if (worker->crew != NULL)
        crew_give(worker->crew);
}

#endif
