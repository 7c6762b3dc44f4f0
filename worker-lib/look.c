/* Looks at a worker from outside, with its lock. */
#include "worker-lib/look.h"

#include "worker-lib/worker.h"

bool worker_has(struct busbar_worker *worker, const char *service)
{
    worker_lock(worker);
    const struct service *found = service_find(&worker->services, service);
    bool has = found != NULL && found->state == SERVICE_REGISTERED;
    worker_unlock(worker);
    return has;
}

bool worker_is_idle(struct busbar_worker *worker)
{
    worker_lock(worker);
    bool idle = worker->active.count == 0 && worker->queue.count == 0;
    worker_unlock(worker);
    return idle;
}
