/* The count of handlers of several workers, and who is woken when one has ended. */
#include "worker-lib/crew.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker-lib/wake.h"

struct crew *crew_new(uint32_t limit, size_t count)
{
    struct crew *crew = calloc(1, sizeof *crew + count * sizeof crew->seats[0]);
    if (crew == NULL)
        return NULL;
    crew->references = 1;
    crew->limit = limit;
    crew->count = count;
    pthread_mutex_init(&crew->telling, NULL);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->freed, NULL);
    return crew;
}

void crew_unref(struct crew **crew)
{
    struct crew *left = STEAL(*crew);
    if (left == NULL || atomic_fetch_sub_explicit(&left->references, 1, memory_order_acq_rel) != 1)
        return;
    pthread_cond_destroy(&left->freed);
    pthread_mutex_destroy(&left->lock);
    pthread_mutex_destroy(&left->telling);
    free(left);
}

void crew_join(struct crew *crew, struct busbar_worker *worker, size_t seat)
{
    atomic_fetch_add_explicit(&crew->references, 1, memory_order_relaxed);
    worker->crew = crew;
    worker->seat = seat;
    pthread_mutex_lock(&crew->lock);
    crew->seats[seat].worker = worker;
    pthread_mutex_unlock(&crew->lock);
}

void crew_quit(struct busbar_worker *worker)
{
    struct crew *crew = worker->crew;
    if (crew == NULL)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->seats[worker->seat] = (struct crew_seat){0};
    pthread_mutex_unlock(&crew->lock);
    crew_unref(&worker->crew);
}

bool crew_take(struct busbar_worker *worker)
{
    struct crew *crew = worker->crew;
    pthread_mutex_lock(&crew->lock);
    bool taken = crew->running + crew->returning < crew->limit;
    crew->running += taken;
    crew->seats[worker->seat].waits = !taken;
    pthread_mutex_unlock(&crew->lock);
    if (taken)
        worker->denied_ns = 0;
    else if (worker->denied_ns == 0)
        worker->denied_ns = clock_ns();
    return taken;
}

/* With the lock held: the workers take turns. */
static void wake_next(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++) {
        size_t index = (crew->next + i) % crew->count;
        struct crew_seat *seat = &crew->seats[index];
        if (!seat->waits || seat->worker == NULL)
            continue;
        seat->waits = false;
        crew->next = index + 1;
        wake_signal(seat->worker->wake_fd);
        return;
    }
}

/* If it has been woken already, that is for another one. */
void crew_withdraw(struct busbar_worker *worker)
{
    struct crew *crew = worker->crew;
    pthread_mutex_lock(&crew->lock);
    if (!crew->seats[worker->seat].waits)
        wake_next(crew);
    crew->seats[worker->seat].waits = false;
    pthread_mutex_unlock(&crew->lock);
    worker->denied_ns = 0;
}

void crew_give(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->running--;
    if (crew->returning > 0)
        pthread_cond_signal(&crew->freed);
    else
        wake_next(crew);
    pthread_mutex_unlock(&crew->lock);
}

void crew_take_back(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->returning++;
    while (crew->running >= crew->limit)
        pthread_cond_wait(&crew->freed, &crew->lock);
    crew->returning--;
    crew->running++;
    pthread_mutex_unlock(&crew->lock);
}

void crew_stop(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    for (size_t i = 0; i < crew->count; i++) {
        struct busbar_worker *worker = crew->seats[i].worker;
        if (worker == NULL)
            continue;
        worker->stop_wanted = true;
        wake_signal(worker->wake_fd);
    }
    pthread_mutex_unlock(&crew->lock);
}
