/*
 * What the threads of a worker do: one leads, that is, reads and writes the connection; at most
 * `threads` run handlers; the others follow, that is, wait.
 *
 * While handlers are short the leader runs what it received itself, several under one lock (run.h),
 * so that a call costs no switch of threads, and nobody leads meanwhile; a follower looks every few
 * milliseconds whether such a handler got stuck, and leads then. While handlers are long a follower
 * is woken to lead before one is run.
 */
#ifndef WORKER_LIB_LOOP_H
#define WORKER_LIB_LOOP_H

#include "worker-lib/place.h"
#include "worker-lib/worker.h"

/* Returns when the worker has ended. */
void worker_loop(struct busbar_worker *worker);

/*
 * What a thread does next: runs handlers, follows, or takes the leader's turn. With the lock held,
 * which is released meanwhile. `*now_ns` is the time, or 0 where the thread does not know it.
 */
void worker_step(struct handler_place *place, uint64_t *now_ns);

#endif
