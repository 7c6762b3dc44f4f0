/* The threads of a worker: all alike, started with it and ended with it. */
#ifndef WORKER_LIB_THREADS_H
#define WORKER_LIB_THREADS_H

#include "worker-lib/worker.h"

/* Room for all that there can be; false when out of memory. */
bool threads_init(struct busbar_worker *worker);

/* With the lock held, so that no thread sees less than all. False if one cannot be started; those
 * that were are there. */
bool threads_start(struct busbar_worker *worker);

/* With the lock held: one more, for as long as the worker runs. */
bool threads_add(struct busbar_worker *worker);

/* Waits for the end of the worker and of its threads. Those whose handlers do not return even half a
 * second later are left to themselves: they hold what they need. */
void threads_end(struct busbar_worker *worker);

#endif
