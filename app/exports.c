/* Exports added, removed, awaited and ended. */
#include "app/exports.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/export_state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/quote.h"
#include "protocol/name.h"

enum {
    INSTANCES_MAX = 1024,
    NAME_QUOTE_SIZE = 160,
    WHY_SIZE = 700,
};

static enum busbar_status no_memory(void)
{
    (void)busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    return BUSBAR_NO_MEMORY;
}

/* Entries -------------------------------------------------------------------------------------- */

void export_destroy(struct export_entry **entry)
{
    struct export_entry *gone = STEAL(*entry);
    if (gone == NULL)
        return;
    for (char **tag = gone->tags; tag != NULL && *tag != NULL; tag++)
        free(*tag);
    free(gone->tags);
    free(gone->name);
    free(gone->version);
    free(gone->balance);
    export_target_unref(&gone->target);
    busbar_object_destroy(&gone->object);
    free(gone);
}

static bool copy_text(char **ret, const char *text)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

static bool copy_tags(struct export_entry *entry, const struct export_settings *settings)
{
    entry->tags = calloc(2 * settings->tag_count + 1, sizeof *entry->tags);
    for (size_t i = 0; entry->tags != NULL && i < settings->tag_count; i++) {
        if (!copy_text(&entry->tags[2 * i], settings->tags[i].name) ||
            !copy_text(&entry->tags[2 * i + 1], settings->tags[i].value))
            return false;
    }
    return entry->tags != NULL;
}

static enum busbar_status entry_new(struct export_entry **ret,
                                    const struct export_settings *settings,
                                    struct busbar_object *object)
{
    CLEANUP(export_destroy) struct export_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return no_memory();
    list_init(&entry->link);
    entry->instances = settings->instances == 0 ? 1 : settings->instances;
    entry->threads = settings->threads == 0 ? 1 : settings->threads;
    entry->credit = settings->credit;
    entry->weight = settings->weight;
    entry->stall_ms = settings->stall_ms;
    entry->object = busbar_object_ref(object);
    if (!copy_text(&entry->name, settings->name) ||
        !copy_text(&entry->version, settings->version) ||
        !copy_text(&entry->balance, settings->balance) || !copy_tags(entry, settings))
        return no_memory();
    *ret = STEAL(entry);
    return BUSBAR_OK;
}

enum busbar_status export_new(struct export_entry **ret, const struct export_settings *settings,
                              struct busbar_object *object, uint32_t ask_ms)
{
    CLEANUP(export_destroy) struct export_entry *entry = NULL;
    enum busbar_status status = entry_new(&entry, settings, object);
    if (status != BUSBAR_OK)
        return status;
    status = export_target_new(&entry->target, object, ask_ms);
    if (status == BUSBAR_NO_MEMORY)
        return status;
    if (status != BUSBAR_OK && !export_target_may_change(object))
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "export \"%s\": %s",
                           entry->name, busbar_last_error());
    *ret = STEAL(entry);
    return BUSBAR_OK;
}

struct export_entry *export_find(const struct exports *exports, const char *name)
{
    LIST_EACH(node, &exports->entries) {
        struct export_entry *entry = CONTAINER_OF(node, struct export_entry, link);
        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

struct export_entry *export_find_number(const struct exports *exports, uint64_t number)
{
    LIST_EACH(node, &exports->entries) {
        struct export_entry *entry = CONTAINER_OF(node, struct export_entry, link);
        if (entry->number == number)
            return entry;
    }
    return NULL;
}

void export_append(struct exports *exports, struct export_entry *entry)
{
    entry->number = ++exports->last_number;
    list_append(&exports->entries, &entry->link);
}

/* Made and freed ------------------------------------------------------------------------------- */

enum busbar_status exports_new(struct exports **ret, struct app_log *log)
{
    pthread_condattr_t monotonic;
    struct exports *exports = calloc(1, sizeof *exports);
    *ret = exports;
    if (exports == NULL)
        return no_memory();
    exports->log = log;
    exports->pid = getpid();
    list_init(&exports->entries);
    list_init(&exports->groups);
    list_init(&exports->ending);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&exports->lock, NULL);
    pthread_cond_init(&exports->changed, &monotonic);
    pthread_cond_init(&exports->keeper_wakes, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return BUSBAR_OK;
}

static void free_brokers(struct exports *exports)
{
    for (size_t i = 0; i < exports->broker_count; i++)
        free(exports->brokers[i]);
    free(exports->brokers);
    exports->brokers = NULL;
    exports->broker_count = 0;
}

enum busbar_status exports_set_brokers(struct exports *exports, const char *const *endpoints)
{
    size_t count = 0;
    while (endpoints[count] != NULL)
        count++;
    free_brokers(exports);
    exports->brokers = calloc(count + 1, sizeof *exports->brokers);
    while (exports->brokers != NULL && exports->broker_count < count) {
        char *copy = strdup(endpoints[exports->broker_count]);
        if (copy == NULL)
            break;
        exports->brokers[exports->broker_count++] = copy;
    }
    return exports->broker_count == count && exports->brokers != NULL ? BUSBAR_OK : no_memory();
}

void exports_destroy(struct exports **exports)
{
    struct exports *gone = STEAL(*exports);
    if (gone == NULL || gone->pid != getpid())
        return;
    exports_stop(gone);
    pthread_cond_destroy(&gone->keeper_wakes);
    pthread_cond_destroy(&gone->changed);
    pthread_mutex_destroy(&gone->lock);
    free_brokers(gone);
    free(gone->refusal_text);
    free(gone);
}

/* Adding and removing -------------------------------------------------------------------------- */

enum busbar_status export_check(const struct exports *exports,
                                const struct export_settings *settings)
{
    char quoted[NAME_QUOTE_SIZE];
    const char *name = settings->name == NULL ? "" : settings->name;
    quote(quoted, sizeof quoted, name, strlen(name));
    if (!name_is_service(name, strlen(name)))
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "export %s: this cannot be the name of a service", quoted);
    if (name_is_reserved(name, strlen(name)))
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "export %s: the name is reserved", quoted);
    if (settings->instances > INSTANCES_MAX)
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "export %s: %u instances are more than %u", quoted,
                           (unsigned)settings->instances, (unsigned)INSTANCES_MAX);
    if (exports->broker_count == 0)
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "export %s: there is no broker to export it with", quoted);
    return BUSBAR_OK;
}

/* With the lock held; takes the entry on success. */
static enum busbar_status add(struct exports *exports, struct export_entry **entry)
{
    struct export_entry *added = *entry;
    enum busbar_status status = BUSBAR_OK;
    assert(added != NULL);
    if (exports->stopping)
        return busbar_fail(BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED,
                           "export \"%s\": the exports are stopped", added->name);
    if (export_find(exports, added->name) != NULL)
        return busbar_fail(BUSBAR_CONFLICT, BUSBAR_NOT_EXECUTED,
                           "export \"%s\": there is one of that name already", added->name);
    if (added->target != NULL)
        status = group_join(exports, added, NULL);
    else if (!keeper_wake(exports))
        status = busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED,
                             "export \"%s\": no thread can be started", added->name);
    if (status != BUSBAR_OK)
        return status;
    export_append(exports, added);
    *entry = NULL;
    return BUSBAR_OK;
}

enum busbar_status exports_add(struct exports *exports, const struct export_settings *settings,
                               struct busbar_object *object)
{
    CLEANUP(export_destroy) struct export_entry *entry = NULL;
    enum busbar_status status = export_check(exports, settings);
    if (status == BUSBAR_OK)
        status = export_new(&entry, settings, object, EXPORT_ASK_AT_ONCE_MS);
    if (status != BUSBAR_OK)
        return status;
    pthread_mutex_lock(&exports->lock);
    status = add(exports, &entry);
    pthread_mutex_unlock(&exports->lock);
    return status;
}

enum busbar_status exports_remove(struct exports *exports, const char *name)
{
    pthread_mutex_lock(&exports->lock);
    struct export_entry *entry = export_find(exports, name);
    if (entry != NULL) {
        list_remove(&entry->link);
        if (entry->group != NULL)
            group_leave(exports, entry);
        app_log(exports->log, APP_INFO, APP_EXPORTS, "export \"%s\" is taken back", entry->name);
    }
    pthread_mutex_unlock(&exports->lock);
    if (entry == NULL)
        return busbar_fail(BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED, "there is no export \"%s\"",
                           name);
    export_destroy(&entry);
    return BUSBAR_OK;
}

/* Waiting -------------------------------------------------------------------------------------- */

/* With the lock held: NOTHING while something is to be awaited. */
static enum busbar_status readiness(const struct exports *exports)
{
    if (exports->refusal != BUSBAR_OK)
        return busbar_fail(exports->refusal, BUSBAR_NOT_EXECUTED, "%s",
                           exports->refusal_text == NULL ? busbar_status_text(exports->refusal)
                                                         : exports->refusal_text);
    LIST_EACH(node, &exports->groups) {
        const struct export_group *group = CONTAINER_OF(node, struct export_group, link);
        if (group->members > 0 && !group_is_ready(exports, group))
            return BUSBAR_NOTHING;
    }
    return BUSBAR_OK;
}

/* With the lock held: the outcome of a wait that was too short. */
static enum busbar_status too_late(const struct exports *exports)
{
    char why[WHY_SIZE];
    LIST_EACH(node, &exports->entries) {
        const struct export_entry *entry = CONTAINER_OF(node, struct export_entry, link);
        if (entry->group == NULL || group_is_ready(exports, entry->group))
            continue;
        group_say_why(entry->group, why, sizeof why);
        return busbar_fail(BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED,
                           "export \"%s\" is not registered yet: %s", entry->name, why);
    }
    return busbar_fail(BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED, "not every export is registered yet");
}

enum busbar_status exports_wait_ready(struct exports *exports, uint32_t timeout_ms)
{
    uint64_t due_ns = clock_ns() + (uint64_t)timeout_ms * 1000000;
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                           .tv_nsec = (long)(due_ns % 1000000000)};
    int waited = 0;
    pthread_mutex_lock(&exports->lock);
    enum busbar_status status = readiness(exports);
    while (status == BUSBAR_NOTHING && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&exports->changed, &exports->lock, &due);
        status = readiness(exports);
    }
    if (status == BUSBAR_NOTHING)
        status = too_late(exports);
    pthread_mutex_unlock(&exports->lock);
    return status;
}

void exports_on_refusal(struct exports *exports, void (*refused)(void *context), void *context)
{
    pthread_mutex_lock(&exports->lock);
    bool late = exports->refusal != BUSBAR_OK;
    exports->refused = refused;
    exports->refused_context = context;
    pthread_mutex_unlock(&exports->lock);
    if (late && refused != NULL)
        refused(context);
}

/* Ending --------------------------------------------------------------------------------------- */

/* With the lock held: everything is told to stop at once. */
static void stop_all(struct exports *exports)
{
    exports->stopping = true;
    LIST_EACH(node, &exports->groups)
        group_stop(exports, CONTAINER_OF(node, struct export_group, link));
}

/* The lists are nobody else's any more. */
static void end_all(struct exports *exports)
{
    LIST_EACH(node, &exports->ending) {
        struct export_group *group = CONTAINER_OF(node, struct export_group, link);
        list_remove(&group->link);
        enum busbar_status status = group_end(&group);
        if (exports->result == BUSBAR_OK)
            exports->result = status;
    }
    LIST_EACH(node, &exports->entries) {
        struct export_entry *entry = CONTAINER_OF(node, struct export_entry, link);
        list_remove(&entry->link);
        export_destroy(&entry);
    }
}

enum busbar_status exports_stop(struct exports *exports)
{
    pthread_mutex_lock(&exports->lock);
    stop_all(exports);
    pthread_mutex_unlock(&exports->lock);
    keeper_end(exports);
    end_all(exports);
    if (exports->refusal != BUSBAR_OK)
        return exports->refusal;
    return exports->result;
}
