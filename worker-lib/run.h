/*
 * Requests that a thread takes out of the queue together, while handlers are short: one lock and
 * two looks at the clock do for all of them. Whoever comes to lead meanwhile, because one of them
 * takes long after all, recalls those that were not begun; each is claimed by one side.
 */
#ifndef WORKER_LIB_RUN_H
#define WORKER_LIB_RUN_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct busbar_request;
struct busbar_worker;

enum {
    RUN_MAX = 16, /* requests */
};

/* Of one thread; filled and recalled with the worker's lock held. */
struct run {
    struct busbar_request *requests[RUN_MAX];
    unsigned count;
    size_t body_size; /* of all of them */
    atomic_uint next; /* the first that nobody has claimed */
};

/* Moves the first request of the queue to the active ones, and others behind it if that is safe. */
void run_take(struct run *run, struct busbar_worker *worker, uint64_t now_ms);

/* Puts what nobody has claimed of the worker's run, if there is one, back into the queue. */
void run_recall(struct busbar_worker *worker);

/* Without the lock, for the thread that took the run: what it is to run now, or NULL. */
static inline struct busbar_request *run_claim(struct run *run)
{
    unsigned index = atomic_fetch_add_explicit(&run->next, 1, memory_order_acq_rel);
    return index < run->count ? run->requests[index] : NULL;
}

#endif
