/* The queue of those who wait for their turn. */
#include "objects/turns.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    ASK_MS = 10, /* between two questions to `cancelled` */
};

struct waiter {
    struct list link;
    pthread_cond_t called;
    bool given;
};

static void begin(struct turns *turns)
{
    pthread_mutex_init(&turns->lock, NULL);
    turns->free = turns->count;
    list_init(&turns->waiting);
    atomic_store(&turns->pid, getpid());
}

void turns_init(struct turns *turns, uint32_t count)
{
    turns->count = count > 0 ? count : UINT32_MAX;
    begin(turns);
}

/* Those who had turns in the parent are not there to give them back, nor to unlock the lock. */
static void begin_anew_after_fork(struct turns *turns)
{
    int here = getpid();
    int former = atomic_load(&turns->pid);
    if (former == here)
        return;
    if (former != 0 && atomic_compare_exchange_strong(&turns->pid, &former, 0))
        begin(turns);
    while (atomic_load(&turns->pid) != here)
        sched_yield();
}

void turns_fini(struct turns *turns)
{
    pthread_mutex_destroy(&turns->lock);
}

static void waiter_init(struct waiter *waiter)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->called, &attributes);
    pthread_condattr_destroy(&attributes);
    waiter->given = false;
}

/* Until it is called, or somebody should be asked; with the lock held. */
static void waiter_sleep(struct turns *turns, struct waiter *waiter, const struct turns_wait *wait)
{
    uint64_t until = wait->deadline_ms;
    if (wait->cancelled != NULL && clock_ms() + ASK_MS < until)
        until = clock_ms() + ASK_MS;
    if (until == UINT64_MAX) {
        pthread_cond_wait(&waiter->called, &turns->lock);
        return;
    }
    struct timespec end = {
        .tv_sec = (time_t)(until / 1000),
        .tv_nsec = (long)(until % 1000) * 1000000,
    };
    pthread_cond_timedwait(&waiter->called, &turns->lock, &end);
}

/* With the lock held, which the question to `cancelled` is asked without. */
static enum turns_outcome wait_for_turn(struct turns *turns, struct waiter *waiter,
                                        const struct turns_wait *wait)
{
    enum turns_outcome outcome = TURNS_TAKEN;
    while (!waiter->given && outcome == TURNS_TAKEN) {
        waiter_sleep(turns, waiter, wait);
        pthread_mutex_unlock(&turns->lock);
        if (wait->cancelled != NULL && wait->cancelled(wait->context))
            outcome = TURNS_CANCELLED;
        else if (clock_ms() >= wait->deadline_ms)
            outcome = TURNS_EXPIRED;
        pthread_mutex_lock(&turns->lock);
    }
    return waiter->given ? TURNS_TAKEN : outcome;
}

enum turns_outcome turns_take(struct turns *turns, const struct turns_wait *wait)
{
    enum turns_outcome outcome = TURNS_TAKEN;
    begin_anew_after_fork(turns);
    pthread_mutex_lock(&turns->lock);
    if (turns->free > 0) {
        turns->free--;
    } else {
        struct waiter waiter;
        waiter_init(&waiter);
        list_append(&turns->waiting, &waiter.link);
        outcome = wait_for_turn(turns, &waiter, wait);
        if (!waiter.given)
            list_remove(&waiter.link);
        pthread_cond_destroy(&waiter.called);
    }
    pthread_mutex_unlock(&turns->lock);
    return outcome;
}

void turns_give(struct turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    struct waiter *next = LIST_FIRST(&turns->waiting, struct waiter, link);
    if (next != NULL) {
        list_remove(&next->link);
        next->given = true;
        pthread_cond_signal(&next->called);
    } else {
        turns->free++;
    }
    pthread_mutex_unlock(&turns->lock);
}
