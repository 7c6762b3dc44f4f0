/* Who leads, who runs a handler, who waits; and who is woken for what. */
#include "worker-lib/loop.h"

#include <errno.h>

#include "base/clock.h"
#include "worker-lib/crew.h"
#include "worker-lib/leader.h"
#include "worker-lib/place.h"
#include "worker-lib/request.h"

enum {
    LONG_HANDLER_NS = 50 * 1000,      /* from here on waking a thread costs little beside it */
    PARALLEL_HANDLER_NS = 5 * 1000,   /* from here on a backlog is worth a second thread … */
    PARALLEL_BACKLOG_NS = 200 * 1000, /* … if it is this long */
    TURN_REQUESTS = 256,              /* after so many the leader looks at the connection again */
    TURN_NS = 200 * 1000,             /* or after so long */
    WATCH_NS = 10 * 1000 * 1000,      /* how often a follower looks for a stuck handler */
    STUCK_NS = 5 * 1000 * 1000,
    QUIET_NS = 1000 * 1000 * 1000, /* without requests for so long nobody looks */
};

static bool may_run(const struct busbar_worker *worker)
{
    return worker->queue.count > 0 && place_is_free(worker) && worker->phase == WORKER_RUNNING;
}

/* Has the connection been left alone for too long, with nobody to look after it? */
static bool turn_is_due(const struct busbar_worker *worker, uint64_t now_ns)
{
    return !worker->led && (worker->since_turn >= TURN_REQUESTS ||
                            (now_ns != 0 && now_ns - worker->turn_ns > TURN_NS));
}

/* Is another thread worth waking, now that this one is going to run a handler? */
static bool help_is_wanted(const struct busbar_worker *worker)
{
    uint64_t handler_ns = worker->credit.handler_ns;
    bool parallel = worker->queue.count > 0 && place_is_free(worker);
    if (worker->waiting == 0)
        return false;
    if (handler_ns >= LONG_HANDLER_NS)
        return !worker->led || parallel;
    if (!worker->led && !worker->watched)
        return true;
    return parallel && handler_ns >= PARALLEL_HANDLER_NS &&
           worker->queue.count * handler_ns >= PARALLEL_BACKLOG_NS;
}

/* Without the lock. Returns how many were run; those that were kept are taken out of the run. */
static unsigned handle(struct handler_place *place, uint64_t now_ms)
{
    struct run *run = &place->run;
    struct busbar_request *request;
    unsigned done = 0;
    place->is_inside = true;
    place->away_ns = 0;
    while ((request = run_claim(run)) != NULL) {
        request_run(request, now_ms);
        if (!request_unref(request))
            run->requests[done] = NULL;
        done++;
    }
    place->is_inside = false;
    return done;
}

/* Handlers that ran together count as having taken the same time each. */
static void end_run(struct handler_place *place, unsigned done, uint64_t took_ns)
{
    struct busbar_worker *worker = place->worker;
    worker->running--;
    if (worker->run == &place->run)
        worker->run = NULL;
    crew_leave(worker);
    place_freed(worker);
    for (unsigned i = 0; i < done; i++) {
        credit_measure(&worker->credit, took_ns / done, place->run.body_size / place->run.count);
        if (place->run.requests[i] != NULL)
            request_recycle(place->run.requests[i]);
    }
}

/* Runs what comes first in the queue. `*now_ns` is the time if it is known, and 0 otherwise. */
static void run_some(struct handler_place *place, uint64_t *now_ns)
{
    struct busbar_worker *worker = place->worker;
    uint64_t started_ns = *now_ns != 0 ? *now_ns : clock_ns();
    run_take(&place->run, worker, started_ns / 1000000);
    worker->running++;
    worker->since_turn += place->run.count;
    worker->started_ns = started_ns;
    if (help_is_wanted(worker))
        pthread_cond_signal(&worker->followers);
    worker_unlock(worker);

    unsigned done = handle(place, started_ns / 1000000);
    *now_ns = clock_ns();

    worker_lock(worker);
    end_run(place, done, *now_ns - started_ns - place->away_ns);
}

/* A worker that is quiet wakes nobody: neither requests nor a handler that nobody leads beside. */
static bool is_quiet(const struct busbar_worker *worker, uint64_t now_ns)
{
    return (worker->led || worker->running == 0) && now_ns - worker->traffic_ns > QUIET_NS;
}

static bool is_stuck(const struct busbar_worker *worker, uint64_t now_ns)
{
    return !worker->led && worker->running > 0 && now_ns > worker->started_ns + STUCK_NS;
}

static int wait_until(struct busbar_worker *worker, uint64_t due_ns)
{
    struct timespec due = {
        .tv_sec = (time_t)(due_ns / 1000000000u),
        .tv_nsec = (long)(due_ns % 1000000000u),
    };
    return pthread_cond_timedwait(&worker->followers, &worker->lock, &due);
}

/* Waits as the one that looks for stuck handlers; until woken, or there is one. */
static void watch(struct busbar_worker *worker)
{
    worker->watched = true;
    for (;;) {
        uint64_t now_ns = clock_ns();
        if (is_stuck(worker, now_ns) || is_quiet(worker, now_ns))
            break;
        if (wait_until(worker, now_ns + WATCH_NS) != ETIMEDOUT)
            break;
    }
    worker->watched = false;
}

static void follow(struct busbar_worker *worker)
{
    worker->waiting++;
    if (worker->watched || is_quiet(worker, clock_ns()))
        pthread_cond_wait(&worker->followers, &worker->lock);
    else
        watch(worker);
    worker->waiting--;
}

void worker_step(struct handler_place *place, uint64_t *now_ns)
{
    struct busbar_worker *worker = place->worker;
    if (may_run(worker) && !turn_is_due(worker, *now_ns) && crew_enter(worker)) {
        run_some(place, now_ns);
    } else if (worker->led) {
        follow(worker);
        *now_ns = 0;
    } else {
        leader_turn(worker);
        *now_ns = worker->turn_ns;
    }
}

static void loop(struct handler_place *place)
{
    struct busbar_worker *worker = place->worker;
    uint64_t now_ns = 0;
    worker_lock(worker);
    while (worker->phase != WORKER_ENDED)
        worker_step(place, &now_ns);
    worker_unlock(worker);
}

/* An inline worker has no other thread that could run handlers meanwhile: its handlers keep their
 * place. */
void worker_loop(struct busbar_worker *worker)
{
    struct handler_place place;
    handler_place_init(&place, worker);
    if (worker->is_inline) {
        worker->inline_thread = pthread_self();
        loop(&place);
        return;
    }
    struct place *before = place_set(&place.place);
    loop(&place);
    place_set(before);
}
