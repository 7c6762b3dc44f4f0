/*
 * The place of a handler among those that run at once: given up while it waits for a call of its
 * own, and taken again. Keeps the arithmetic of running, away and returning handlers together.
 */
#ifndef WORKER_LIB_PLACE_H
#define WORKER_LIB_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "client-lib/place.h"
#include "worker-lib/run.h"
#include "worker-lib/worker.h"

enum {
    PLACES_MAX = 64, /* handlers of a worker that wait for calls of their own */
};

/* Of one thread of the worker, for all the handlers that it runs one after the other. */
struct handler_place {
    struct place place;
    struct busbar_worker *worker;
    struct run run; /* what it is to handle next */
    bool is_inside; /* a handler runs */
    bool is_away;   /* and waits for a call of its own */
    uint64_t left_ns;
    uint64_t away_ns; /* how long the handler has waited so far */
};

void handler_place_init(struct handler_place *place, struct busbar_worker *worker);

/* Is this a thread of the worker's, in a handler that may wait? */
bool place_is_here(const struct busbar_worker *worker);

/* With the lock held: is there one for a request of the queue? Handlers that come back go first. */
static inline bool place_is_free(const struct busbar_worker *worker)
{
    return worker->running + worker->returning < worker->threads;
}

/* With the lock held, after `running` became less. */
static inline void place_freed(struct busbar_worker *worker)
{
    if (worker->returning > 0)
        pthread_cond_signal(&worker->places);
}

#endif
