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

enum {
    EXPORT_ASK_AT_ONCE_MS = 1, /* for what is known without asking the bus */
    EXPORT_ASK_MS = 1000,      /* for one question */
};

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
    size_t members; /* exports that are registered; without any it ends when its requests have */
    bool was_quiet; /* at the last look it had neither members nor requests */
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
    uint32_t weight;
    char *balance;
    uint32_t stall_ms;
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

/* exports.c; with the lock held, but for the first three ---------------------------------------- */

enum busbar_status export_check(const struct exports *exports,
                                const struct export_settings *settings)
    __attribute__((warn_unused_result));

/* Makes an entry that is in no list; asks for its methods for this long. Without a target they are
 * not known, but may be one day. */
enum busbar_status export_new(struct export_entry **ret, const struct export_settings *settings,
                              struct busbar_object *object, uint32_t ask_ms)
    __attribute__((warn_unused_result));
void export_destroy(struct export_entry **entry);

struct export_entry *export_find(const struct exports *exports, const char *name);
struct export_entry *export_find_number(const struct exports *exports, uint64_t number);
/* Gives it a number, and appends it to the entries. */
void export_append(struct exports *exports, struct export_entry *entry);

/* export_group.c; all with the lock held, but for group_end ------------------------------------ */

/* Registers an entry that has its target, in a group that suits it or a new one; not in `except`,
 * where the name is taken. */
enum busbar_status group_join(struct exports *exports, struct export_entry *entry,
                              const struct export_group *except)
    __attribute__((warn_unused_result));

/* Deregisters. A group without members goes on until its requests are answered, however long they
 * take: then the keeper ends it. */
void group_leave(struct exports *exports, struct export_entry *entry);

/* Tells its workers to stop, and moves it to those that end. */
void group_stop(struct exports *exports, struct export_group *group);

/* Have all its workers ended? */
bool group_has_ended(const struct export_group *group);

/* Without the lock, on a group that was told to stop and is in no list any more: waits for its
 * workers and frees it. */
enum busbar_status group_end(struct export_group **group);

/* Has it neither members nor requests? */
bool group_is_quiet(const struct export_group *group);

/* Is a service registered with a broker, by all of its workers or by any? */
bool group_has(const struct exports *exports, const struct export_group *group, const char *name,
               size_t broker, bool all);

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
