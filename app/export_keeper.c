/* The thread of the exports: asks for methods that nobody knew, ends workers that nobody needs
 * any more, and buries those that ended. */
#include "app/export_state.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker-lib/thread.h"

enum {
    ROUND_MS = 1000,
};

/* The first without a target after the one of the number. */
static struct export_entry *find_unknown(const struct exports *exports, uint64_t after)
{
    LIST_EACH(node, &exports->entries) {
        struct export_entry *entry = CONTAINER_OF(node, struct export_entry, link);
        if (entry->target == NULL && entry->number > after)
            return entry;
    }
    return NULL;
}

/* With the lock held; the outcome of the thread says why nothing is known or registered. */
static void note_failure(struct exports *exports, struct export_entry *entry)
{
    app_log(exports->log, entry->was_asked ? APP_DEBUG : APP_WARNING, APP_EXPORTS,
            "export \"%s\" is not registered, and tried again each second: %s", entry->name,
            busbar_last_error());
    entry->was_asked = true;
}

/* With the lock held; takes the target if it could be registered. */
static void note_answer(struct exports *exports, struct export_entry *entry,
                        struct export_target **target)
{
    entry->target = *target;
    if (group_join(exports, entry, NULL) == BUSBAR_OK) {
        *target = NULL;
        return;
    }
    entry->target = NULL;
    note_failure(exports, entry);
}

/* With the lock held, but not while the object is asked: the entry may be gone then. */
static void ask(struct exports *exports, struct export_entry *entry)
{
    uint64_t number = entry->number;
    struct export_target *target = NULL;
    struct busbar_object *object = busbar_object_ref(entry->object);
    pthread_mutex_unlock(&exports->lock);
    enum busbar_status status = export_target_new(&target, object, EXPORT_ASK_MS);
    pthread_mutex_lock(&exports->lock);
    entry = exports->stopping ? NULL : export_find_number(exports, number);
    if (entry != NULL && status == BUSBAR_OK)
        note_answer(exports, entry, &target);
    else if (entry != NULL)
        note_failure(exports, entry);
    pthread_mutex_unlock(&exports->lock);
    export_target_unref(&target);
    busbar_object_destroy(&object);
    pthread_mutex_lock(&exports->lock);
}

/* With the lock held. What a broker sent before it heard that the last export is gone has come by
 * the second look. */
static bool end_quiet(struct exports *exports)
{
    bool some_left = false;
    LIST_EACH(node, &exports->groups) {
        struct export_group *group = CONTAINER_OF(node, struct export_group, link);
        bool quiet = group_is_quiet(group);
        if (quiet && group->was_quiet)
            group_stop(exports, group);
        else
            some_left = some_left || group->members == 0;
        group->was_quiet = quiet;
    }
    return some_left;
}

/* With the lock held, but not while a group ends. False if none was to be buried. */
static bool bury_one(struct exports *exports)
{
    LIST_EACH(node, &exports->ending) {
        struct export_group *group = CONTAINER_OF(node, struct export_group, link);
        if (!group_has_ended(group))
            continue;
        list_remove(&group->link);
        pthread_mutex_unlock(&exports->lock);
        (void)!group_end(&group);
        pthread_mutex_lock(&exports->lock);
        return true;
    }
    return false;
}

/* With the lock held: until somebody wakes it, or for a second if there is something to look at. */
static void rest(struct exports *exports, bool some_end)
{
    uint64_t due_ns = clock_ns() + (uint64_t)ROUND_MS * 1000000;
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                           .tv_nsec = (long)(due_ns % 1000000000)};
    bool busy = some_end || find_unknown(exports, 0) != NULL || !list_is_empty(&exports->ending);
    int waited = 0;
    while (!exports->stopping && !exports->keeper_wanted && waited != ETIMEDOUT)
        waited = busy ? pthread_cond_timedwait(&exports->keeper_wakes, &exports->lock, &due)
                      : pthread_cond_wait(&exports->keeper_wakes, &exports->lock);
    exports->keeper_wanted = false;
}

static void *keeper_run(void *argument)
{
    struct exports *exports = argument;
    pthread_mutex_lock(&exports->lock);
    while (!exports->stopping) {
        struct export_entry *entry = find_unknown(exports, 0);
        while (entry != NULL && !exports->stopping) {
            uint64_t number = entry->number;
            ask(exports, entry);
            entry = find_unknown(exports, number);
        }
        bool some_end = !exports->stopping && end_quiet(exports);
        while (!exports->stopping && bury_one(exports)) {
        }
        rest(exports, some_end);
    }
    pthread_mutex_unlock(&exports->lock);
    return NULL;
}

bool keeper_wake(struct exports *exports)
{
    exports->keeper_wanted = true;
    pthread_cond_broadcast(&exports->keeper_wakes);
    if (!exports->kept)
        exports->kept = thread_start(&exports->keeper, keeper_run, exports);
    return exports->kept;
}

void keeper_end(struct exports *exports)
{
    pthread_mutex_lock(&exports->lock);
    bool kept = exports->kept;
    exports->kept = false;
    pthread_cond_broadcast(&exports->keeper_wakes);
    pthread_mutex_unlock(&exports->lock);
    if (kept)
        pthread_join(exports->keeper, NULL);
}
