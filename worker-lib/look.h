/* What a worker is found to be at, for rooms above that exchange one for another. */
#ifndef WORKER_LIB_LOOK_H
#define WORKER_LIB_LOOK_H

#include <busbar/worker.h>

/* Is the service registered with the broker at present? */
bool worker_has(struct busbar_worker *worker, const char *service);

/* Is there no request in it that has not been answered? */
bool worker_is_idle(struct busbar_worker *worker);

#endif
