/* Keeps the services of a worker registered with the broker: what is said for that, and heard. */
#ifndef WORKER_LIB_REGISTRAR_H
#define WORKER_LIB_REGISTRAR_H

#include "worker-lib/worker.h"

/* Says what is due, as the leader. Returns when there is more to say, in ms; UINT64_MAX: never. */
uint64_t registrar_step(struct busbar_worker *worker);

/* Takes in an answer; ignores packets that are none. As the leader. */
void registrar_hear(struct busbar_worker *worker, const struct packet *packet);

/* With the lock held, as the leader: the broker knows of no service any more. */
void registrar_reset(struct busbar_worker *worker);

/* With the lock held, as the leader: the worker stops, every service goes. */
void registrar_leave(struct busbar_worker *worker);

#endif
