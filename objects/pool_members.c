/* The members of a pool: whose turn it is, who is set aside and comes back; keeps the lock from the
 * rest, which never holds it while a member is called. */
#include "objects/pool_internal.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

static bool lock_init(struct pool *pool)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&pool->lock, NULL) != 0)
        return false;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool done = pthread_cond_init(&pool->changed, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    if (!done)
        pthread_mutex_destroy(&pool->lock);
    return done;
}

bool pool_members_init(struct pool *pool)
{
    pool->members = calloc(1, sizeof *pool->members);
    if (pool->members == NULL || !lock_init(pool)) {
        free(STEAL(pool->members));
        return false;
    }
    fork_mark_init(&pool->mark);
    pool->process = getpid();
    return true;
}

void pool_members_fini(struct pool *pool)
{
    if (pool->members == NULL)
        return;
    for (size_t i = 0; i < pool->members->count; i++)
        pool_member_unref(&pool->members->at[i]);
    free(STEAL(pool->members));
    if (pool_is_at_home(pool)) {
        pthread_cond_destroy(&pool->changed);
        pthread_mutex_destroy(&pool->lock);
    }
    fork_mark_fini(&pool->mark);
}

bool pool_is_at_home(struct pool *pool)
{
    return !fork_mark_is_forked(&pool->mark) || atomic_load(&pool->process) == getpid();
}

/* The lock may have been held by a thread that this process does not have. */
static void pool_take_over(struct pool *pool)
{
    pid_t self = getpid();
    pid_t owner = atomic_load(&pool->process);
    while (owner != self) {
        if (owner == -self || !atomic_compare_exchange_strong(&pool->process, &owner, -self)) {
            sched_yield();
            owner = atomic_load(&pool->process);
            continue;
        }
        (void)lock_init(pool);
        pool->prober = PROBER_NONE;
        for (size_t i = 0; i < pool->members->count; i++)
            pool->members->at[i]->taken = false;
        atomic_store(&pool->process, self);
        return;
    }
}

void pool_lock(struct pool *pool)
{
    if (fork_mark_is_forked(&pool->mark))
        pool_take_over(pool);
    pthread_mutex_lock(&pool->lock);
}

void pool_unlock(struct pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
}

void pool_member_unref(struct pool_member **member)
{
    struct pool_member *gone = STEAL(*member);
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    busbar_object_destroy(&gone->object);
    free(gone);
}

static struct pool_member *member_ref(struct pool_member *member)
{
    atomic_fetch_add_explicit(&member->references, 1, memory_order_relaxed);
    return member;
}

/* Picking -------------------------------------------------------------------------------------- */

void pool_tried_init(struct pool_tried *tried)
{
    tried->all = tried->few;
    tried->count = 0;
    tried->capacity = ARRAY_SIZE(tried->few);
    tried->aside = false;
}

void pool_tried_fini(struct pool_tried *tried)
{
    for (size_t i = 0; i < tried->count; i++)
        pool_member_unref(&tried->all[i]);
    if (tried->all != tried->few)
        free(tried->all);
}

static bool tried_reserve(struct pool_tried *tried)
{
    if (tried->count < tried->capacity)
        return true;
    size_t size = tried->capacity * sizeof(struct pool_member *);
    struct pool_member **more = malloc(2 * size);
    if (more == NULL)
        return false;
    memcpy(more, tried->all, size);
    if (tried->all != tried->few)
        free(tried->all);
    tried->all = more;
    tried->capacity *= 2;
    return true;
}

/* By their objects: one may have been removed and added again meanwhile. */
static bool tried_has(const struct pool_tried *tried, const struct pool_member *member)
{
    for (size_t i = 0; i < tried->count; i++) {
        if (tried->all[i]->object == member->object)
            return true;
    }
    return false;
}

/* The next in turn of those that are not aside. */
static struct pool_member *pick_in_turn(struct pool *pool, const struct pool_tried *tried)
{
    const struct pool_members *members = pool->members;
    for (size_t i = 0; i < members->count; i++) {
        size_t index = (pool->next + i) % members->count;
        struct pool_member *member = members->at[index];
        if (member->aside || member->pending || tried_has(tried, member))
            continue;
        pool->next = index + 1; /* past the end, a member that is added there comes next */
        return member;
    }
    return NULL;
}

/* When all are aside: the one whose last failure is longest ago, unless that is too recent, too. */
static struct pool_member *pick_aside(struct pool *pool, struct pool_tried *tried)
{
    struct pool_member *best = NULL;
    if (tried->aside)
        return NULL;
    for (size_t i = 0; i < pool->members->count; i++) {
        struct pool_member *member = pool->members->at[i];
        if (member->aside && !member->taken && !member->pending && !tried_has(tried, member) &&
            (best == NULL || member->failed_at < best->failed_at))
            best = member;
    }
    if (best == NULL || clock_ms() < best->failed_at + pool->settings.probe_ms)
        return NULL;
    best->taken = true;
    tried->aside = true;
    return best;
}

bool pool_pick(struct pool *pool, struct pool_tried *tried, struct pool_pick *ret)
{
    if (!tried_reserve(tried))
        return false;
    pool_lock(pool);
    struct pool_member *member = pick_in_turn(pool, tried);
    if (member == NULL)
        member = pick_aside(pool, tried);
    if (member != NULL) {
        tried->all[tried->count++] = member_ref(member);
        *ret = (struct pool_pick){member, member->epoch, member->failures > 0, member->aside};
    }
    pool_unlock(pool);
    return member != NULL;
}

/* Aside and back ------------------------------------------------------------------------------- */

/* Without the lock, under which the hook was read. */
static void tell(struct pool *pool, const struct pool_hook *hook, const struct pool_pick *pick,
                 const char *error)
{
    if (hook->changed != NULL)
        hook->changed(hook->context, object_name(&pool->object), object_name(pick->member->object),
                      error != NULL, error != NULL ? error : "");
}

/* With the lock held. */
static void member_fail(struct pool *pool, struct pool_member *member, const char *reason)
{
    uint64_t now = clock_ms();
    member->failures++;
    member->failed_at = now;
    member->probe_at = pool_probe_at(pool, member->failures, now);
    snprintf(member->reason, sizeof member->reason, "%s", reason);
}

void pool_settle(struct pool *pool, const struct pool_pick *pick, bool executed, const char *reason)
{
    struct pool_member *member = pick->member;
    bool went = false;
    bool came = false;
    if (reason == NULL && !pick->doubtful && !pick->aside)
        return;
    pool_lock(pool);
    if (pick->epoch == member->epoch) {
        came = executed && member->aside;
        went = reason != NULL && !member->aside && !member->removed;
        if (pick->aside)
            member->taken = false;
        if (executed) {
            member->failures = 0;
            member->aside = false;
        } else if (reason != NULL) {
            member_fail(pool, member, reason);
        }
        if (went) {
            member->aside = true;
            member->epoch++;
            pool_probe_start(pool);
        }
    }
    const struct pool_hook hook = pool->hook;
    pool_unlock(pool);
    if (went || came)
        tell(pool, &hook, pick, went ? reason : NULL);
}

void pool_settle_probe(struct pool *pool, const struct pool_pick *pick, const char *reason)
{
    struct pool_member *member = pick->member;
    pool_lock(pool);
    bool came = reason == NULL && member->aside && !member->removed;
    member->taken = false;
    if (reason != NULL)
        member_fail(pool, member, reason);
    else
        member->aside = false;
    const struct pool_hook hook = pool->hook;
    pool_unlock(pool);
    if (came)
        tell(pool, &hook, pick, NULL);
}

/* Who is there --------------------------------------------------------------------------------- */

struct busbar_object *pool_member_at(struct busbar_object *object, size_t index)
{
    struct pool *pool = pool_of(object);
    struct busbar_object *found = NULL;
    pool_lock(pool);
    if (index < pool->members->count)
        found = busbar_object_ref(pool->members->at[index]->object);
    pool_unlock(pool);
    return found;
}

struct busbar_object **pool_objects(struct pool *pool, size_t *ret_count)
{
    size_t count = 0;
    pool_lock(pool);
    const struct pool_members *members = pool->members;
    struct busbar_object **objects = malloc((members->count + 1) * sizeof *objects);
    for (int aside = 0; aside < 2 && objects != NULL; aside++) {
        for (size_t i = 0; i < members->count; i++) {
            if (members->at[i]->aside == (aside == 1))
                objects[count++] = busbar_object_ref(members->at[i]->object);
        }
    }
    pool_unlock(pool);
    *ret_count = count;
    return objects;
}

void pool_objects_free(struct busbar_object ***objects, size_t count)
{
    for (size_t i = 0; i < count && *objects != NULL; i++)
        busbar_object_destroy(&(*objects)[i]);
    free(STEAL(*objects));
}
