/* Changes pools and exports that are in use to what a file says now. */
#include "app/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Pools --------------------------------------------------------------------------------------- */

bool pool_change_init(struct pool_change *ret, struct busbar_object *pool)
{
    *ret = (struct pool_change){.pool = busbar_object_ref(pool)};
    struct busbar_object *member;
    while ((member = pool->class->member(pool, ret->count)) != NULL) {
        void *more = reallocarray(ret->members, ret->count + 1, sizeof(struct busbar_object *));
        if (more == NULL) {
            busbar_object_destroy(&member);
            return false;
        }
        ret->members = more;
        ret->members[ret->count++] = member;
    }
    return true;
}

void pool_change_fini(struct pool_change *change)
{
    for (size_t i = 0; i < change->count; i++)
        busbar_object_destroy(&change->members[i]);
    free(change->members);
    busbar_object_destroy(&change->pool);
    *change = (struct pool_change){0};
}

static bool holds(const struct pool_change *list, const struct busbar_object *member)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->members[i] == member)
            return true;
    }
    return false;
}

bool pool_change_same(const struct pool_change *a, const struct pool_change *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->members[i] == b->members[i];
    return same;
}

/* One of the steps from the present members of a pool to those it is to have. */
typedef enum busbar_status change_step(const struct pool_change *change,
                                       const struct pool_change *present);

static enum busbar_status add_new(const struct pool_change *change,
                                  const struct pool_change *present)
{
    enum busbar_status status = BUSBAR_OK;
    for (size_t i = 0; i < change->count; i++) {
        if (!holds(present, change->members[i]) &&
            busbar_pool_add(change->pool, change->members[i]) != BUSBAR_OK)
            status = busbar_last_status();
    }
    return status;
}

static enum busbar_status remove_old(const struct pool_change *change,
                                     const struct pool_change *present)
{
    for (size_t i = 0; i < present->count; i++) {
        if (!holds(change, present->members[i]))
            (void)!busbar_pool_remove(change->pool, present->members[i]);
    }
    return BUSBAR_OK;
}

/* One by one to the end, so that all others are there meanwhile. */
static enum busbar_status sort_members(const struct pool_change *change,
                                       const struct pool_change *present)
{
    enum busbar_status status = BUSBAR_OK;
    if (pool_change_same(change, present))
        return BUSBAR_OK;
    for (size_t i = 0; i < change->count && status == BUSBAR_OK; i++) {
        (void)!busbar_pool_remove(change->pool, change->members[i]);
        status = busbar_pool_add(change->pool, change->members[i]);
    }
    return status;
}

static enum busbar_status step_all(const struct pool_change *changes, size_t count,
                                   change_step *step)
{
    enum busbar_status status = BUSBAR_OK;
    for (size_t i = 0; i < count; i++) {
        struct pool_change present;
        enum busbar_status one = BUSBAR_NO_MEMORY;
        if (pool_change_init(&present, changes[i].pool))
            one = step(&changes[i], &present);
        if (one != BUSBAR_OK)
            status = one;
        pool_change_fini(&present);
    }
    return status;
}

/* A member can be refused as long as another pool has one that goes: then it is added after that. */
enum busbar_status pools_become(const struct pool_change *changes, size_t count)
{
    (void)!step_all(changes, count, add_new);
    (void)!step_all(changes, count, remove_old);
    enum busbar_status status = step_all(changes, count, add_new);
    return status == BUSBAR_OK ? step_all(changes, count, sort_members) : status;
}

/* Exports ------------------------------------------------------------------------------------- */

static bool same_export(const struct wiring_export *a, const struct wiring_export *b)
{
    return a->object == b->object && export_settings_equal(&a->settings, &b->settings);
}

/* A pool offers what its members do, and theirs in turn, so any may have changed with one. */
static bool is_unchanged(const struct exports_change *change, const struct wiring_export *new)
{
    const struct wiring_export *old = wiring_find_export(change->from, new->settings.name);
    bool may_differ = change->pools_changed && new->object->class->member != NULL;
    return old != NULL && same_export(old, new) && !may_differ;
}

static enum busbar_status put(const struct exports_change *change,
                              struct exports_exchange *exchange, const struct wiring_export *new)
{
    if (!is_unchanged(change, new))
        return exports_exchange_put(exchange, &new->settings, new->object);
    app_log(change->log, APP_DEBUG, APP_EXPORTS, "%s is unchanged", new->settings.name);
    return BUSBAR_OK;
}

enum busbar_status exports_become(const struct exports_change *change)
{
    CLEANUP(exports_exchange_destroy) struct exports_exchange *exchange = NULL;
    enum busbar_status status = exports_exchange_new(&exchange, change->exports);
    for (size_t i = 0; i < change->to->export_count && status == BUSBAR_OK; i++)
        status = put(change, exchange, &change->to->exports[i]);
    for (size_t i = 0; i < change->from->export_count && status == BUSBAR_OK; i++) {
        const char *name = change->from->exports[i].settings.name;
        if (wiring_find_export(change->to, name) == NULL)
            status = exports_exchange_remove(exchange, name);
    }
    return status == BUSBAR_OK ? exports_exchange_commit(exchange) : status;
}
