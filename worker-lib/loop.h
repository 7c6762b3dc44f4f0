/*
 * What the threads of a worker do: one leads, that is, reads and writes the connection; at most
 * `threads` run handlers; the others follow, that is, wait.
 *
 * While handlers are short the leader runs what it received itself, so that a call costs no switch
 * of threads, and nobody leads meanwhile; a follower looks every few milliseconds whether such a
 * handler got stuck, and leads then. While handlers are long a follower is woken to lead before one
 * is run.
 */
#ifndef WORKER_LIB_LOOP_H
#define WORKER_LIB_LOOP_H

#include "worker-lib/worker.h"

/* Returns when the worker has ended. */
void worker_loop(struct busbar_worker *worker);

#endif
