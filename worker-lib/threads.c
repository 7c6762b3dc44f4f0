/* Threads of a worker, their start and their end. */
#include "worker-lib/threads.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker-lib/loop.h"
#include "worker-lib/place.h"
#include "worker-lib/thread.h"

enum {
    GRACE_MS = 500, /* for handlers that outlived the stop and ask whether they are wanted */
};

bool threads_init(struct busbar_worker *worker)
{
    size_t most = worker->is_inline ? 1 : worker->threads + 1 + PLACES_MAX;
    worker->all_threads = calloc(most, sizeof *worker->all_threads);
    return worker->all_threads != NULL;
}

static void *thread_run(void *argument)
{
    struct worker_thread *thread = argument;
    struct busbar_worker *worker = thread->worker;
    worker_loop(worker);
    worker_lock(worker);
    thread->finished = true;
    pthread_cond_broadcast(&worker->changed);
    worker_unlock(worker);
    worker_unref(worker);
    return NULL;
}

bool threads_add(struct busbar_worker *worker)
{
    struct worker_thread *thread = &worker->all_threads[worker->thread_count];
    thread->worker = worker;
    atomic_fetch_add(&worker->references, 1);
    thread->started = thread_start(&thread->id, thread_run, thread);
    if (thread->started)
        worker->thread_count++;
    else
        atomic_fetch_sub(&worker->references, 1);
    return thread->started;
}

bool threads_start(struct busbar_worker *worker)
{
    uint32_t wanted = worker->is_inline ? 1 : worker->threads + 1;
    while (worker->thread_count < wanted) {
        if (!threads_add(worker))
            return false;
    }
    return true;
}

/* With the lock held. */
static size_t unfinished(const struct busbar_worker *worker)
{
    size_t count = 0;
    for (uint32_t i = 0; i < worker->thread_count; i++)
        count += worker->all_threads[i].started && !worker->all_threads[i].finished;
    return count;
}

/* With the lock held. Who asks finds the session over, and may end what must not be left behind. */
static void wait_for_last(struct busbar_worker *worker)
{
    uint64_t due_ns = clock_ns() + GRACE_MS * UINT64_C(1000000);
    const struct timespec due = {
        .tv_sec = (time_t)(due_ns / 1000000000),
        .tv_nsec = (long)(due_ns % 1000000000),
    };
    int waited = 0;
    while (unfinished(worker) > 0 && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&worker->changed, &worker->lock, &due);
}

void threads_end(struct busbar_worker *worker)
{
    worker_lock(worker);
    while (worker->phase == WORKER_RUNNING || worker->phase == WORKER_DRAINING ||
           unfinished(worker) > worker->running + worker->away)
        pthread_cond_wait(&worker->changed, &worker->lock);
    wait_for_last(worker);
    for (uint32_t i = 0; i < worker->thread_count; i++) {
        struct worker_thread *thread = &worker->all_threads[i];
        if (thread->started && !thread->finished) {
            pthread_detach(thread->id);
            thread->started = false;
        }
    }
    worker_unlock(worker);
    for (uint32_t i = 0; i < worker->thread_count; i++) {
        if (worker->all_threads[i].started)
            pthread_join(worker->all_threads[i].id, NULL);
    }
}
