/* Exports exchanged for others while they are called. */
#include "app/export_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    PATIENCE_MS = 5000, /* until a broker has taken the new registrations */
    LOOK_MS = 50,
};

/* One export of an exchange. */
struct turn {
    struct list link;
    struct export_entry *next; /* in no list of the exports yet; NULL: the export goes */
    uint64_t former;           /* the number of the one that goes; 0: there is none */
    bool swaps;                /* the former stays, but has the object of `next` then */
};

struct exports_exchange {
    struct exports *exports;
    struct list turns;
};

static enum busbar_status no_memory(void)
{
    return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
}

enum busbar_status exports_exchange_new(struct exports_exchange **ret, struct exports *exports)
{
    struct exports_exchange *exchange = calloc(1, sizeof *exchange);
    *ret = exchange;
    if (exchange == NULL)
        return no_memory();
    exchange->exports = exports;
    list_init(&exchange->turns);
    return BUSBAR_OK;
}

/* What was registered for it is taken back; after exports_stop the groups are gone already. */
static void turn_destroy(struct exports *exports, struct turn *turn)
{
    pthread_mutex_lock(&exports->lock);
    list_remove(&turn->link);
    if (turn->next != NULL && turn->next->group != NULL && !exports->stopping)
        group_leave(exports, turn->next);
    pthread_mutex_unlock(&exports->lock);
    export_destroy(&turn->next);
    free(turn);
}

void exports_exchange_destroy(struct exports_exchange **exchange)
{
    struct exports_exchange *gone = STEAL(*exchange);
    if (gone == NULL)
        return;
    LIST_EACH(node, &gone->turns)
        turn_destroy(gone->exports, CONTAINER_OF(node, struct turn, link));
    free(gone);
}

/* Planning ------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Would they be registered alike, but for their methods? */
static bool is_alike(const struct export_entry *a, const struct export_entry *b)
{
    bool alike = same_text(a->version, b->version) && a->instances == b->instances &&
                 a->threads == b->threads && a->credit == b->credit && a->weight == b->weight &&
                 a->stall_ms == b->stall_ms && same_text(a->balance, b->balance);
    for (size_t i = 0; alike && (a->tags[i] != NULL || b->tags[i] != NULL); i++) {
        alike = same_text(a->tags[i], b->tags[i]);
    }
    return alike;
}

/* With the lock held. Nothing changes, too, if what is called cannot be asked at the moment. */
static bool is_unchanged(const struct export_entry *former, const struct export_entry *next)
{
    if (former == NULL || former->object != next->object || !is_alike(former, next))
        return false;
    return next->target == NULL ||
           (former->target != NULL && export_target_same_methods(former->target, next->target));
}

static bool may_swap(const struct export_entry *former, const struct export_entry *next)
{
    return former != NULL && former->target != NULL && next->target != NULL &&
           is_alike(former, next) && export_target_same_methods(former->target, next->target);
}

/* With the lock held: registers it beside the former, which has a worker of its own. */
static enum busbar_status prepare(struct exports *exports, struct turn *turn,
                                  const struct export_entry *former)
{
    if (exports->stopping)
        return busbar_fail(BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED,
                           "export \"%s\": the exports are stopped", turn->next->name);
    turn->former = former != NULL ? former->number : 0;
    turn->swaps = may_swap(former, turn->next);
    if (turn->swaps)
        return BUSBAR_OK;
    if (turn->next->target != NULL)
        return group_join(exports, turn->next, former != NULL ? former->group : NULL);
    if (keeper_wake(exports))
        return BUSBAR_OK;
    return busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED,
                       "export \"%s\": no thread can be started", turn->next->name);
}

static enum busbar_status plan(struct exports_exchange *exchange, struct turn *turn)
{
    struct exports *exports = exchange->exports;
    const char *name = turn->next->name;
    pthread_mutex_lock(&exports->lock);
    const struct export_entry *former = export_find(exports, name);
    bool unchanged = is_unchanged(former, turn->next);
    enum busbar_status status = unchanged ? BUSBAR_OK : prepare(exports, turn, former);
    pthread_mutex_unlock(&exports->lock);
    if (unchanged)
        app_log(exports->log, APP_DEBUG, APP_EXPORTS, "%s is unchanged", name);
    else if (status != BUSBAR_OK)
        app_log(exports->log, APP_ERROR, APP_EXPORTS, "%s cannot be %s", name,
                former != NULL ? "changed" : "added");
    if (unchanged || status != BUSBAR_OK)
        turn_destroy(exports, turn);
    return status;
}

static struct turn *turn_new(struct exports_exchange *exchange)
{
    struct turn *turn = calloc(1, sizeof *turn);
    if (turn != NULL)
        list_append(&exchange->turns, &turn->link);
    return turn;
}

static bool is_exported(struct exports *exports, const char *name)
{
    pthread_mutex_lock(&exports->lock);
    bool found = export_find(exports, name) != NULL;
    pthread_mutex_unlock(&exports->lock);
    return found;
}

enum busbar_status exports_exchange_put(struct exports_exchange *exchange,
                                        const struct export_settings *settings,
                                        struct busbar_object *object)
{
    CLEANUP(export_destroy) struct export_entry *next = NULL;
    struct exports *exports = exchange->exports;
    enum busbar_status status = export_check(exports, settings);
    if (status != BUSBAR_OK)
        return status;
    /* The former is called while the bus is asked. */
    bool replaces = is_exported(exports, settings->name);
    status = export_new(&next, settings, object, replaces ? EXPORT_ASK_MS : EXPORT_ASK_AT_ONCE_MS);
    if (status != BUSBAR_OK)
        return status;
    struct turn *turn = turn_new(exchange);
    if (turn == NULL)
        return no_memory();
    turn->next = STEAL(next);
    return plan(exchange, turn);
}

enum busbar_status exports_exchange_remove(struct exports_exchange *exchange, const char *name)
{
    struct exports *exports = exchange->exports;
    pthread_mutex_lock(&exports->lock);
    const struct export_entry *former = export_find(exports, name);
    uint64_t number = former != NULL ? former->number : 0;
    pthread_mutex_unlock(&exports->lock);
    if (number == 0)
        return busbar_fail(BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED, "there is no export \"%s\"",
                           name);
    struct turn *turn = turn_new(exchange);
    if (turn == NULL)
        return no_memory();
    turn->former = number;
    return BUSBAR_OK;
}

/* Waiting -------------------------------------------------------------------------------------- */

/* With the lock held: an endpoint at which the former is called, but the next cannot be yet. */
static const char *find_missing(const struct exports *exports, const struct turn *turn)
{
    const struct export_entry *former = export_find_number(exports, turn->former);
    const struct export_entry *next = turn->next;
    if (next == NULL || next->group == NULL || former == NULL || former->group == NULL)
        return NULL;
    for (size_t broker = 0; broker < exports->broker_count; broker++) {
        if (!group_has(exports, next->group, next->name, broker, true) &&
            group_has(exports, former->group, former->name, broker, false))
            return exports->brokers[broker];
    }
    return NULL;
}

/* The outcome of this thread is that of the last turn that waits; with the lock held. */
static enum busbar_status progress(const struct exports_exchange *exchange)
{
    const struct exports *exports = exchange->exports;
    if (exports->stopping)
        return busbar_fail(BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED, "the exports are stopped");
    if (exports->refusal != BUSBAR_OK)
        return busbar_fail(exports->refusal, BUSBAR_NOT_EXECUTED, "%s",
                           exports->refusal_text == NULL ? busbar_status_text(exports->refusal)
                                                         : exports->refusal_text);
    LIST_EACH(node, (struct list *)(uintptr_t)&exchange->turns) {
        const struct turn *turn = CONTAINER_OF(node, struct turn, link);
        const char *missing = find_missing(exports, turn);
        if (missing == NULL)
            continue;
        busbar_fail(BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED,
                    "export \"%s\": %s has not taken the changed registration within %d ms",
                    turn->next->name, missing, PATIENCE_MS);
        return BUSBAR_NOTHING;
    }
    return BUSBAR_OK;
}

/* With the lock held, but not while it waits. */
static enum busbar_status wait_for_all(const struct exports_exchange *exchange)
{
    struct exports *exports = exchange->exports;
    uint64_t until = clock_ms() + PATIENCE_MS;
    enum busbar_status status;
    while ((status = progress(exchange)) == BUSBAR_NOTHING && clock_ms() < until) {
        uint64_t due_ns = clock_ns() + (uint64_t)LOOK_MS * 1000000;
        struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                               .tv_nsec = (long)(due_ns % 1000000000)};
        pthread_cond_timedwait(&exports->changed, &exports->lock, &due);
    }
    return status == BUSBAR_NOTHING ? BUSBAR_TIMEOUT : status;
}

/* Making it count ------------------------------------------------------------------------------ */

static void swap_objects(struct export_entry *former, struct export_entry *next)
{
    struct busbar_object *object = former->object;
    export_target_swap(former->target, next->object);
    former->object = next->object;
    next->object = object;
}

/* With the lock held. What is left in the turn is to be destroyed. */
static void settle(struct exports *exports, struct turn *turn)
{
    struct export_entry *former = export_find_number(exports, turn->former);
    struct export_entry *next = turn->next;
    const char *name = next != NULL ? next->name : former != NULL ? former->name : "";
    app_log(exports->log, APP_INFO, APP_EXPORTS, "%s %s", name,
            next == NULL     ? "removed"
            : former != NULL ? "changed"
                             : "added");
    if (turn->swaps) {
        if (former != NULL && next != NULL)
            swap_objects(former, next);
        return;
    }
    turn->next = NULL;
    if (next != NULL)
        export_append(exports, next);
    if (next != NULL && next->target == NULL)
        (void)keeper_wake(exports);
    if (former == NULL)
        return;
    list_remove(&former->link);
    if (former->group != NULL)
        group_leave(exports, former);
    turn->next = former;
}

enum busbar_status exports_exchange_commit(struct exports_exchange *exchange)
{
    struct exports *exports = exchange->exports;
    pthread_mutex_lock(&exports->lock);
    enum busbar_status status = wait_for_all(exchange);
    if (status == BUSBAR_OK) {
        LIST_EACH(node, &exchange->turns)
            settle(exports, CONTAINER_OF(node, struct turn, link));
    }
    pthread_mutex_unlock(&exports->lock);
    return status;
}
