/* The workers of exports: which exports share them, and what they tell. */
#include "app/export_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "worker-lib/look.h"

enum {
    ERROR_SIZE = 512,
};

/* What workers tell ---------------------------------------------------------------------------- */

static void told_refused(struct export_worker *worker)
{
    struct exports *exports = worker->exports;
    char error[ERROR_SIZE];
    char *text = NULL;
    enum busbar_status status = busbar_worker_wait_ready(worker->worker, 0);
    busbar_worker_error(worker->worker, error, sizeof error);
    pthread_mutex_lock(&exports->lock);
    bool first = exports->refusal == BUSBAR_OK;
    if (first) {
        if (asprintf(&text, "%s: %s", worker->endpoint, error) < 0)
            text = NULL;
        exports->refusal = status == BUSBAR_OK ? BUSBAR_DENIED : status;
        exports->refusal_text = text;
    }
    void (*refused)(void *) = first ? exports->refused : NULL;
    void *context = exports->refused_context;
    pthread_mutex_unlock(&exports->lock);
    if (refused != NULL)
        refused(context);
}

static void on_event(void *context, const char *level, const char *event, const char *fields)
{
    struct export_worker *worker = context;
    struct exports *exports = worker->exports;
    app_log(exports->log, app_level_of(level), APP_EXPORTS, "%s %s", event, fields);
    if (strcmp(event, "service_refused") == 0)
        told_refused(worker);
    pthread_mutex_lock(&exports->lock);
    pthread_cond_broadcast(&exports->changed);
    pthread_mutex_unlock(&exports->lock);
}

/* Groups --------------------------------------------------------------------------------------- */

static enum busbar_status worker_make(struct exports *exports, struct export_group *group,
                                      size_t index)
{
    struct export_worker *worker = &group->workers[index];
    worker->exports = exports;
    worker->endpoint = exports->brokers[index % exports->broker_count];
    const struct busbar_worker_options options = {
        .broker = worker->endpoint,
        .threads = group->threads,
        .credit = group->credit,
        .log = on_event,
        .log_context = worker,
    };
    enum busbar_status status = busbar_worker_new(&worker->worker, &options);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED,
                           "cannot make a worker for the broker %s with %u threads and a credit of "
                           "%u: %s",
                           worker->endpoint, (unsigned)group->threads, (unsigned)group->credit,
                           busbar_status_text(status));
    return BUSBAR_OK;
}

static enum busbar_status group_new(struct export_group **ret, struct exports *exports,
                                    const struct export_entry *entry)
{
    size_t count = entry->instances * exports->broker_count;
    struct export_group *group = calloc(1, sizeof *group + count * sizeof group->workers[0]);
    if (group == NULL) {
        busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
        return BUSBAR_NO_MEMORY;
    }
    list_init(&group->link);
    group->instances = entry->instances;
    group->threads = entry->threads;
    group->credit = entry->credit;
    group->worker_count = count;
    enum busbar_status status = BUSBAR_OK;
    for (size_t i = 0; i < count && status == BUSBAR_OK; i++)
        status = worker_make(exports, group, i);
    *ret = group;
    return status;
}

/* One that suits the entry and lives; NULL if there is none. */
static struct export_group *group_find(const struct exports *exports,
                                       const struct export_entry *entry,
                                       const struct export_group *except)
{
    if (entry->instances != 1)
        return NULL;
    LIST_EACH(node, &exports->groups) {
        struct export_group *group = CONTAINER_OF(node, struct export_group, link);
        if (group != except && group->instances == 1 && group->threads == entry->threads &&
            group->credit == entry->credit)
            return group;
    }
    return NULL;
}

static enum busbar_status worker_register(struct export_worker *worker,
                                          const struct export_entry *entry)
{
    char error[ERROR_SIZE];
    struct busbar_service service = export_target_service(entry->target, entry->name);
    CLEANUP(cleanup_free) void *made = (void *)(uintptr_t)service.methods;
    struct busbar_method *methods = made;
    if (methods == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    for (size_t i = 0; i < service.method_count; i++)
        methods[i].stall_ms = entry->stall_ms;
    service.version = entry->version;
    service.tags = (const char *const *)entry->tags;
    service.weight = entry->weight;
    service.balance = entry->balance;
    struct export_target *target = export_target_ref(entry->target);
    enum busbar_status status = busbar_worker_register(worker->worker, &service);
    if (status == BUSBAR_OK)
        return status;
    export_target_unref(&target);
    busbar_worker_error(worker->worker, error, sizeof error);
    return busbar_fail(status, BUSBAR_NOT_EXECUTED, "export \"%s\": %s", entry->name, error);
}

/* In all of its workers or in none. */
static enum busbar_status group_register(struct export_group *group,
                                         const struct export_entry *entry)
{
    for (size_t i = 0; i < group->worker_count; i++) {
        enum busbar_status status = worker_register(&group->workers[i], entry);
        if (status == BUSBAR_OK)
            continue;
        while (i-- > 0)
            busbar_worker_deregister(group->workers[i].worker, entry->name);
        return status;
    }
    return BUSBAR_OK;
}

static enum busbar_status group_start(struct exports *exports, struct export_group *group)
{
    for (size_t i = 0; i < group->worker_count; i++) {
        struct export_worker *worker = &group->workers[i];
        enum busbar_status status = busbar_worker_start(worker->worker);
        if (status != BUSBAR_OK)
            return busbar_fail(status, BUSBAR_NOT_EXECUTED,
                               "cannot start a worker for the broker %s: %s", worker->endpoint,
                               busbar_status_text(status));
        worker->started = true;
        app_log(exports->log, APP_DEBUG, APP_EXPORTS,
                "worker %zu of %zu for the broker %s is started, with %u handler thread(s)", i + 1,
                group->worker_count, worker->endpoint, (unsigned)group->threads);
    }
    return BUSBAR_OK;
}

enum busbar_status group_join(struct exports *exports, struct export_entry *entry,
                              const struct export_group *except)
{
    struct export_group *group = group_find(exports, entry, except);
    struct export_group *made = NULL;
    enum busbar_status status = BUSBAR_OK;
    if (group == NULL) {
        status = group_new(&made, exports, entry);
        if (made == NULL)
            return status;
        group = made;
    }
    if (status == BUSBAR_OK)
        status = group_register(group, entry);
    if (status == BUSBAR_OK && made != NULL)
        status = group_start(exports, made);
    if (made != NULL)
        list_append(&exports->groups, &made->link);
    if (status != BUSBAR_OK && made != NULL)
        group_stop(exports, made);
    if (status != BUSBAR_OK)
        return status;
    group->members++;
    group->was_quiet = false;
    entry->group = group;
    app_log(exports->log, APP_INFO, APP_EXPORTS,
            "export \"%s\" of %zu method(s), in %u instance(s)", entry->name,
            entry->target->method_count, (unsigned)entry->instances);
    return BUSBAR_OK;
}

void group_stop(struct exports *exports, struct export_group *group)
{
    for (size_t i = 0; i < group->worker_count; i++) {
        if (group->workers[i].started)
            busbar_worker_stop(group->workers[i].worker);
    }
    list_remove(&group->link);
    list_append(&exports->ending, &group->link);
    /* Without a keeper it is buried by exports_stop. */
    if (!exports->stopping)
        (void)keeper_wake(exports);
}

void group_leave(struct exports *exports, struct export_entry *entry)
{
    struct export_group *group = STEAL(entry->group);
    for (size_t i = 0; i < group->worker_count; i++)
        busbar_worker_deregister(group->workers[i].worker, entry->name);
    if (--group->members == 0 && !exports->stopping)
        (void)keeper_wake(exports);
}

bool group_is_quiet(const struct export_group *group)
{
    bool quiet = group->members == 0;
    for (size_t i = 0; quiet && i < group->worker_count; i++)
        quiet = worker_is_idle(group->workers[i].worker);
    return quiet;
}

bool group_has(const struct exports *exports, const struct export_group *group, const char *name,
               size_t broker, bool all)
{
    for (size_t i = broker; i < group->worker_count; i += exports->broker_count) {
        if (worker_has(group->workers[i].worker, name) != all)
            return !all;
    }
    return all;
}

bool group_has_ended(const struct export_group *group)
{
    for (size_t i = 0; i < group->worker_count; i++) {
        const struct export_worker *worker = &group->workers[i];
        if (worker->started && busbar_worker_wait(worker->worker, 0) == BUSBAR_NOTHING)
            return false;
    }
    return true;
}

/* The worse of two results: a refusal comes before calls that were left running. */
static enum busbar_status worse(enum busbar_status one, enum busbar_status other)
{
    return one == BUSBAR_OK || one == BUSBAR_TIMEOUT ? (other == BUSBAR_OK ? one : other) : one;
}

enum busbar_status group_end(struct export_group **group)
{
    struct export_group *gone = STEAL(*group);
    enum busbar_status result = BUSBAR_OK;
    if (gone == NULL)
        return result;
    for (size_t i = 0; i < gone->worker_count; i++) {
        struct export_worker *worker = &gone->workers[i];
        if (worker->started)
            result = worse(result, busbar_worker_wait(worker->worker, UINT32_MAX));
        busbar_worker_destroy(&worker->worker);
    }
    free(gone);
    return result;
}

void group_say_why(const struct export_group *group, char *text, size_t size)
{
    char error[ERROR_SIZE];
    for (size_t i = 0; i < group->worker_count; i++) {
        const struct export_worker *worker = &group->workers[i];
        if (busbar_worker_wait_ready(worker->worker, 0) == BUSBAR_OK)
            continue;
        busbar_worker_error(worker->worker, error, sizeof error);
        bool named = strncmp(error, worker->endpoint, strlen(worker->endpoint)) == 0;
        snprintf(text, size, "%s%s%s", named ? "" : worker->endpoint, named ? "" : ": ",
                 error[0] != '\0' ? error : "no answer yet");
        return;
    }
    snprintf(text, size, "it is now");
}

bool group_is_ready(const struct exports *exports, const struct export_group *group)
{
    for (size_t broker = 0; broker < exports->broker_count; broker++) {
        bool ready = true;
        for (size_t i = broker; ready && i < group->worker_count; i += exports->broker_count)
            ready = busbar_worker_wait_ready(group->workers[i].worker, 0) == BUSBAR_OK;
        if (ready)
            return true;
    }
    return false;
}
