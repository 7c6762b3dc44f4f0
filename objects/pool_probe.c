/* The thread that asks members that are set aside whether they can be reached again. There is one
 * only while there are such members. */
#include "objects/pool_internal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"

/* Not all clients of a broker that comes back are to ask it at the same moment. */
uint64_t pool_probe_at(const struct pool *pool, unsigned failures, uint64_t now_ms)
{
    unsigned doublings = failures - 1;
    if (doublings > POOL_BACKOFF_MAX)
        doublings = POOL_BACKOFF_MAX;
    uint64_t interval = (uint64_t)pool->settings.probe_ms << doublings;
    return now_ms + interval - random_u64() % (interval / 4 + 1);
}

/* Waits with the lock, until then or until something changes. */
static void wait_until(struct pool *pool, uint64_t due_ms)
{
    struct timespec due = {.tv_sec = (time_t)(due_ms / 1000),
                           .tv_nsec = (long)(due_ms % 1000) * 1000000};
    pthread_cond_timedwait(&pool->changed, &pool->lock, &due);
}

/* The member to be probed next; `due_ms` is when. NULL: none is aside. */
static struct pool_member *find_next(const struct pool *pool, uint64_t *due_ms)
{
    struct pool_member *next = NULL;
    for (size_t i = 0; i < pool->members->count; i++) {
        struct pool_member *member = pool->members->at[i];
        if (!member->aside)
            continue;
        /* One that a call is trying is looked at again when that may have ended. */
        uint64_t due = member->taken ? clock_ms() + pool->settings.probe_ms : member->probe_at;
        if (next == NULL || due < *due_ms) {
            next = member;
            *due_ms = due;
        }
    }
    return next;
}

/* Called with the lock held, and gives it up meanwhile. */
static void probe_member(struct pool *pool, struct pool_member *member)
{
    char reason[POOL_REASON_SIZE];
    struct pool_pick pick = {.member = member, .epoch = member->epoch, .aside = true};
    member->taken = true;
    atomic_fetch_add_explicit(&member->references, 1, memory_order_relaxed);
    pool_unlock(pool);
    bool reached = object_probe(member->object, POOL_PROBE_TIMEOUT_MS) == BUSBAR_OK;
    atomic_fetch_add_explicit(&pool->probes, 1, memory_order_relaxed);
    pool_settle_probe(pool, &pick, reached ? NULL : pool_reason(reason, member));
    pool_member_unref(&member);
    pool_lock(pool);
}

static void *prober_run(void *argument)
{
    struct pool *pool = argument;
    struct pool_member *member;
    uint64_t due = 0;
    pool_lock(pool);
    while (!pool->stopping && (member = find_next(pool, &due)) != NULL) {
        if (clock_ms() < due)
            wait_until(pool, due);
        else
            probe_member(pool, member);
    }
    pool->prober = PROBER_ENDED;
    pool_unlock(pool);
    return NULL;
}

/* It takes no signals, which are the application's. */
static bool start_without_signals(pthread_t *ret, struct pool *pool)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(ret, NULL, prober_run, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

void pool_probe_start(struct pool *pool)
{
    if (pool->prober == PROBER_RUNS) {
        pthread_cond_signal(&pool->changed);
        return;
    }
    if (pool->prober == PROBER_ENDED)
        pthread_join(pool->thread, NULL); /* it has given up the lock that is held here */
    /* Without a thread calls find out for themselves, see pool_pick. */
    pool->prober = start_without_signals(&pool->thread, pool) ? PROBER_RUNS : PROBER_NONE;
}

void pool_probe_stop(struct pool *pool)
{
    pool_lock(pool);
    pool->stopping = true;
    enum pool_prober prober = pool->prober;
    pool->prober = PROBER_NONE;
    pthread_cond_signal(&pool->changed);
    pool_unlock(pool);
    if (prober != PROBER_NONE)
        pthread_join(pool->thread, NULL);
}

enum busbar_status pool_probe(struct busbar_object *object, uint32_t timeout_ms)
{
    struct pool *pool = pool_of(object);
    size_t count;
    bool reached = false;
    struct busbar_object **objects = NULL;
    struct busbar_pool_stats stats = {0};
    if (busbar_pool_stats(object, &stats) == BUSBAR_OK && stats.aside < stats.members)
        return BUSBAR_OK;
    uint64_t deadline = clock_ms() + (timeout_ms != 0 ? timeout_ms : POOL_PROBE_TIMEOUT_MS);
    objects = pool_objects(pool, &count);
    for (size_t i = 0; i < count && objects != NULL && !reached; i++) {
        uint64_t now = clock_ms();
        reached = now < deadline &&
                  object_probe(objects[i], (uint32_t)(deadline - now)) == BUSBAR_OK;
    }
    pool_objects_free(&objects, count);
    return reached ? BUSBAR_OK : pool_fail_no_members(pool, BUSBAR_NOT_EXECUTED);
}
