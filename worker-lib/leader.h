/* One turn of the leader: what is due to the broker goes out, what has come in is queued. */
#ifndef WORKER_LIB_LEADER_H
#define WORKER_LIB_LEADER_H

#include "worker-lib/worker.h"

/* Becomes the leader, waits for something to do unless there are requests to run, and gives
 * leadership up. With the lock held, which is released meanwhile. */
void leader_turn(struct busbar_worker *worker);

/* Sends what was put meanwhile; for the thread of an inline worker, in a handler. */
void leader_flush(struct busbar_worker *worker);

#endif
