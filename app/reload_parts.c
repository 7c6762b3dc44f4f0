/* Changes pools and exports that are in use to what a file says now. */
#include "app/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/outcome.h"

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

static bool same_members(const struct pool_change *a, const struct pool_change *b)
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
    if (same_members(change, present))
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

static void withdraw(const struct exports_change *change, const struct wiring_export *export_)
{
    (void)!exports_remove(change->exports, export_->settings.name);
}

static enum busbar_status put(const struct exports_change *change,
                              const struct wiring_export *export_)
{
    return exports_add(change->exports, &export_->settings, export_->object);
}

/* Takes back what was done for the first `count` exports of the new list. */
static void undo(const struct exports_change *change, size_t count)
{
    while (count-- > 0) {
        const struct wiring_export *new = &change->to->exports[count];
        const struct wiring_export *old = wiring_find_export(change->from, new->settings.name);
        if (old != NULL && same_export(old, new))
            continue;
        withdraw(change, new);
        if (old != NULL)
            (void)!put(change, old);
    }
}

static enum busbar_status become(const struct exports_change *change,
                                 const struct wiring_export *new)
{
    const char *name = new->settings.name;
    const struct wiring_export *old = wiring_find_export(change->from, name);
    if (old != NULL && same_export(old, new)) {
        app_log(change->log, APP_DEBUG, APP_EXPORTS, "%s is unchanged", name);
        return BUSBAR_OK;
    }
    if (old != NULL)
        withdraw(change, old);
    enum busbar_status status = put(change, new);
    if (status != BUSBAR_OK && old != NULL)
        (void)!put(change, old);
    app_log(change->log, status == BUSBAR_OK ? APP_INFO : APP_ERROR, APP_EXPORTS, "%s %s%s", name,
            status == BUSBAR_OK ? "" : "cannot be ", old != NULL ? "changed" : "added");
    return status;
}

/* The outcome of the first failure, over what undoing it says. */
static enum busbar_status fail_after_undo(const struct exports_change *change, size_t done,
                                          enum busbar_status status)
{
    CLEANUP(cleanup_free) char *text = strdup(busbar_last_error());
    enum busbar_fate fate = busbar_last_fate();
    undo(change, done);
    return outcome_fail_text(status, fate, text != NULL ? text : "out of memory");
}

enum busbar_status exports_become(const struct exports_change *change)
{
    for (size_t i = 0; i < change->to->export_count; i++) {
        enum busbar_status status = become(change, &change->to->exports[i]);
        if (status != BUSBAR_OK)
            return fail_after_undo(change, i, status);
    }
    for (size_t i = 0; i < change->from->export_count; i++) {
        const struct wiring_export *old = &change->from->exports[i];
        if (wiring_find_export(change->to, old->settings.name) != NULL)
            continue;
        withdraw(change, old);
        app_log(change->log, APP_INFO, APP_EXPORTS, "%s removed", old->settings.name);
    }
    return BUSBAR_OK;
}
