/* What a worker tells its application of broker and services, by the hook of its options. */
#ifndef WORKER_LIB_TELL_H
#define WORKER_LIB_TELL_H

#include "worker-lib/worker.h"

/* REGISTERED, DEREGISTERED or REFUSED came for a service; without the lock. */
void tell_answer(struct busbar_worker *worker, const char *service, const struct packet *packet);

/* The leader alone: the session is over; there is no connection, which is told once until there is
 * one again. */
void tell_lost(struct busbar_worker *worker, const char *reason);
void tell_unreachable(struct busbar_worker *worker, const char *reason);
void tell_reached(struct busbar_worker *worker);

#endif
