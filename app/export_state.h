/* What the files of the exports share: exports, groups and workers, and the lock of all that. */
#ifndef APP_EXPORT_STATE_H
#define APP_EXPORT_STATE_H

#include "app/exports.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "app/export_target.h"
#include "app/log.h"
#include "base/list.h"

/* One connection to one broker. */
struct export_worker {
    struct exports *exports;
    const char *endpoint; /* of the exports */
    struct busbar_worker *worker;
    bool started;
};

/* Exports that share their workers: `instances` for each broker, one after the other. */
struct export_group {
    struct list link; /* among the groups, or those that end */
    uint32_t instances;
    uint32_t threads;
    uint32_t credit;
    size_t members; /* exports that are registered */
    size_t worker_count;
    struct export_worker workers[];
};

/* One export. Without a target its methods are not known yet: it is in no group then. */
struct export_entry {
    struct list link;
    char *name;
    char *version;
    char **tags; /* name, value, …, NULL */
    uint32_t instances;
    uint32_t threads;
    uint32_t credit;
    uint64_t number; /* of this one alone, whatever the names */
    struct busbar_object *object;
    struct export_target *target;
    struct export_group *group;
    bool was_asked; /* in vain */
};

struct exports {
    struct app_log *log;
    pid_t pid; /* in the child of a fork the threads are gone */
    char **brokers;
    size_t broker_count;

    pthread_mutex_t lock; /* of all that follows; not held while something is awaited */
    pthread_cond_t changed;
    struct list entries;
    struct list groups;
    struct list ending; /* groups that were told to stop */
    uint64_t last_number;
    bool stopping;
    enum busbar_status refusal; /* the first; OK if there was none */
    char *refusal_text;
    enum busbar_status result; /* of exports_stop */
    void (*refused)(void *context);
    void *refused_context;
    pthread_t keeper; /* asks and buries */
    bool kept;        /* it runs */
    bool keeper_wanted;
    pthread_cond_t keeper_wakes;
};

/* export_group.c; all with the lock held, but for group_end ------------------------------------ */

/* Registers an entry that has its target, in a group that suits it or a new one. */
enum busbar_status group_join(struct exports *exports, struct export_entry *entry)
    __attribute__((warn_unused_result));

/* Deregisters; a group without members is told to stop and moved to those that end. */
void group_leave(struct exports *exports, struct export_entry *entry);

/* Tells its workers to stop, and moves it to those that end. */
void group_stop(struct exports *exports, struct export_group *group);

/* Have all its workers ended? */
bool group_has_ended(const struct export_group *group);

/* Without the lock, on a group that was told to stop and is in no list any more: waits for its
 * workers and frees it. */
enum busbar_status group_end(struct export_group **group);

/* Is everything of it registered with one broker at least? */
bool group_is_ready(const struct exports *exports, const struct export_group *group);

/* For one that is not: what the first of its workers that waits says. */
void group_say_why(const struct export_group *group, char *text, size_t size);

/* export_keeper.c ------------------------------------------------------------------------------ */

/* With the lock held: starts the thread if it does not run. False if it cannot be. */
bool keeper_wake(struct exports *exports);

/* Without the lock, after `stopping` was set: waits for its end. */
void keeper_end(struct exports *exports);

#endif
