/* Handlers that leave their place and take it again; what the other threads and the broker are told
 * of it. */
#include "worker-lib/place.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker-lib/crew.h"
#include "worker-lib/threads.h"
#include "worker-lib/wake.h"

/*
 * With the lock held. One thread more than handlers run or wait is always there, so that one can
 * lead; for another handler to run in the place that becomes free there must be two. A worker that
 * stops begins none.
 */
static bool has_thread(struct busbar_worker *worker)
{
    uint32_t needed = worker->threads + 1 + worker->away + 1;
    if (worker->thread_count >= needed || worker->phase != WORKER_RUNNING)
        return true;
    return threads_add(worker);
}

/* With the lock held: somebody leads, runs what waits here, and tells the broker of the credit. */
static void tell_others(struct busbar_worker *worker)
{
    place_freed(worker);
    if (worker->waiting > 0 && (!worker->led || worker->queue.count > 0))
        pthread_cond_signal(&worker->followers);
    if (worker->led && worker->away > worker->credit.extra)
        wake_signal(worker->wake_fd);
}

static bool leave(struct place *place)
{
    struct handler_place *left = CONTAINER_OF(place, struct handler_place, place);
    struct busbar_worker *worker = left->worker;
    if (!left->is_inside)
        return true; /* a thread of the worker, but not in a handler: it has no place to leave */
    worker_lock(worker);
    bool may_leave = worker->away < PLACES_MAX && has_thread(worker);
    if (may_leave) {
        run_recall(worker);
        worker->running--;
        crew_leave(worker);
        worker->away++;
        tell_others(worker);
    }
    worker_unlock(worker);
    left->is_away = may_leave;
    left->left_ns = clock_ns();
    return may_leave;
}

static void take(struct place *place)
{
    struct handler_place *taken = CONTAINER_OF(place, struct handler_place, place);
    struct busbar_worker *worker = taken->worker;
    if (!taken->is_away)
        return;
    if (worker->crew != NULL)
        crew_take_back(worker->crew); /* then there is a place here, too */
    worker_lock(worker);
    worker->returning++;
    while (worker->running >= worker->threads)
        pthread_cond_wait(&worker->places, &worker->lock);
    worker->returning--;
    worker->away--;
    worker->running++;
    uint64_t now_ns = clock_ns();
    worker->started_ns = now_ns;
    worker_unlock(worker);
    taken->is_away = false;
    taken->away_ns += now_ns - taken->left_ns;
}

bool place_is_here(const struct busbar_worker *worker)
{
    struct place *place = place_current();
    if (place == NULL || place->leave != leave)
        return false;
    const struct handler_place *here = CONTAINER_OF(place, struct handler_place, place);
    return here->worker == worker && here->is_inside;
}

void handler_place_init(struct handler_place *place, struct busbar_worker *worker)
{
    *place = (struct handler_place){.place = {.leave = leave, .take = take}, .worker = worker};
}
