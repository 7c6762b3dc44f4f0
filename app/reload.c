/* Reads the file of an application again and makes of the running one what it says, or nothing. */
#include "app/reload.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/read.h"
#include "base/cleanup.h"
#include "objects/outcome.h"
#include "objects/pool.h"

struct exchange {
    struct busbar_app *app;
    struct wiring next;           /* as the file says, with the present objects where they stay */
    struct busbar_object **fresh; /* the objects of `next` as they were read, by their index */
    struct pool_change *wanted;   /* of all pools of the file */
    struct pool_change *present;  /* of the same, before anything was changed */
    size_t pool_count;
    size_t kept;
};

static void exchange_fini(struct exchange *exchange)
{
    for (size_t i = 0; exchange->fresh != NULL && i < exchange->next.object_count; i++)
        busbar_object_destroy(&exchange->fresh[i]);
    for (size_t i = 0; i < exchange->pool_count; i++) {
        pool_change_fini(&exchange->wanted[i]);
        pool_change_fini(&exchange->present[i]);
    }
    free(exchange->fresh);
    free(exchange->wanted);
    free(exchange->present);
    wiring_fini(&exchange->next);
}

static enum busbar_status no_memory(void)
{
    return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
}

#define REFUSE(app, format, ...)                                                                   \
    busbar_fail(BUSBAR_BAD_CONFIG, BUSBAR_NOT_EXECUTED, "%s: " format, (app)->path, __VA_ARGS__)

/* What code added ------------------------------------------------------------------------------ */

static enum busbar_status take_objects(struct exchange *exchange)
{
    const struct wiring *old = &exchange->app->wiring;
    for (size_t i = 0; i < old->object_count; i++) {
        const struct wiring_object *entry = &old->objects[i];
        if (!entry->by_code)
            continue;
        if (wiring_find(&exchange->next, entry->id) != NULL)
            return REFUSE(exchange->app, "objects.%s: code has added an object with this id",
                          entry->id);
        if (!wiring_add(&exchange->next, entry))
            return no_memory();
        busbar_object_ref(entry->object);
    }
    return BUSBAR_OK;
}

static enum busbar_status take_exports(struct exchange *exchange)
{
    const struct wiring *old = &exchange->app->wiring;
    for (size_t i = 0; i < old->export_count; i++) {
        const struct wiring_export *export_ = &old->exports[i];
        const struct export_settings *settings = &export_->settings;
        if (!export_->by_code)
            continue;
        if (wiring_find_export(&exchange->next, settings->name) != NULL)
            return REFUSE(exchange->app, "code has exported %s already", settings->name);
        if (wiring_find(&exchange->next, settings->object) == NULL)
            return REFUSE(exchange->app, "code has exported %s, which the file no longer has",
                          settings->object);
        if (!wiring_add_export(&exchange->next, export_))
            return no_memory();
        busbar_object_ref(export_->object);
    }
    return BUSBAR_OK;
}

/* Comparing ----------------------------------------------------------------------------------- */

/* Objects are the same if a file would say the same of them. */
static bool is_unchanged(const struct busbar_object *old, const struct busbar_object *new)
{
    if (old->class != new->class)
        return false;
    if (old->class->member != NULL)
        return pool_same_but_members(old, new);
    CLEANUP(cleanup_free) char *before = wiring_object_text(old);
    CLEANUP(cleanup_free) char *after = wiring_object_text(new);
    return before != NULL && after != NULL && strcmp(before, after) == 0;
}

/* The present object of an entry's id, if it goes on; else NULL. */
static struct busbar_object *kept_object(const struct wiring_object *old,
                                         const struct wiring_object *entry)
{
    if (old == NULL || (!entry->by_code && !is_unchanged(old->object, entry->object)))
        return NULL;
    return old->object;
}

/* Keeps the present objects where they are unchanged. */
static enum busbar_status keep_objects(struct exchange *exchange)
{
    struct wiring *next = &exchange->next;
    struct app_log *log = &exchange->app->log->log;
    exchange->fresh = calloc(next->object_count + 1, sizeof(struct busbar_object *));
    if (exchange->fresh == NULL)
        return no_memory();
    for (size_t i = 0; i < next->object_count; i++) {
        struct wiring_object *entry = &next->objects[i];
        const struct wiring_object *old = wiring_find(&exchange->app->wiring, entry->id);
        struct busbar_object *kept = kept_object(old, entry);
        exchange->fresh[i] = STEAL(entry->object);
        entry->object = busbar_object_ref(kept != NULL ? kept : exchange->fresh[i]);
        exchange->kept += kept != NULL;
        app_log(log, APP_DEBUG, APP_OBJECTS, "%s is %s", entry->id,
                kept != NULL  ? "unchanged"
                : old != NULL ? "replaced"
                              : "new");
    }
    for (size_t i = 0; i < next->export_count; i++) {
        struct wiring_export *export_ = &next->exports[i];
        const struct wiring_object *entry = wiring_find(next, export_->settings.object);
        busbar_object_destroy(&export_->object);
        export_->object = busbar_object_ref(entry->object);
    }
    return BUSBAR_OK;
}

/* From an object as it was read to the one that stays. */
static struct busbar_object *stays_of(const struct exchange *exchange, struct busbar_object *fresh)
{
    for (size_t i = 0; i < exchange->next.object_count; i++) {
        if (exchange->fresh[i] == fresh)
            return exchange->next.objects[i].object;
    }
    return fresh;
}

static bool plan_pool(struct exchange *exchange, size_t index)
{
    struct pool_change *wanted = &exchange->wanted[exchange->pool_count];
    struct pool_change *present = &exchange->present[exchange->pool_count++];
    struct busbar_object *pool = exchange->next.objects[index].object;
    if (!pool_change_init(wanted, exchange->fresh[index]) || !pool_change_init(present, pool))
        return false;
    for (size_t i = 0; i < wanted->count; i++) {
        struct busbar_object *fresh = wanted->members[i];
        wanted->members[i] = busbar_object_ref(stays_of(exchange, fresh));
        busbar_object_destroy(&fresh);
    }
    busbar_object_destroy(&wanted->pool);
    wanted->pool = busbar_object_ref(pool);
    return true;
}

static enum busbar_status plan_pools(struct exchange *exchange)
{
    const struct wiring *next = &exchange->next;
    exchange->wanted = calloc(next->object_count + 1, sizeof *exchange->wanted);
    exchange->present = calloc(next->object_count + 1, sizeof *exchange->present);
    if (exchange->wanted == NULL || exchange->present == NULL)
        return no_memory();
    for (size_t i = 0; i < next->object_count; i++) {
        if (!next->objects[i].by_code && next->objects[i].object->class->member != NULL &&
            !plan_pool(exchange, i))
            return no_memory();
    }
    return BUSBAR_OK;
}

/* Changing ------------------------------------------------------------------------------------ */

/* Room for all that may be replaced, so that nothing can fail once something is. */
static bool reserve_retired(struct busbar_app *app)
{
    size_t most = app->retired_count + app->wiring.object_count + 1;
    void *more = reallocarray(app->retired, most, sizeof(struct busbar_object *));
    if (more == NULL)
        return false;
    app->retired = more;
    return true;
}

static bool have_pools_changed(const struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->pool_count; i++) {
        if (!pool_change_same(&exchange->wanted[i], &exchange->present[i]))
            return true;
    }
    return false;
}

static enum busbar_status change_exports(struct exchange *exchange)
{
    struct busbar_app *app = exchange->app;
    if (app->state != APP_STARTED || (app->exports == NULL && exchange->next.export_count == 0))
        return BUSBAR_OK;
    enum busbar_status status = app_exports(app);
    const struct exports_change change = {
        .exports = app->exports,
        .from = &app->wiring,
        .to = &exchange->next,
        .log = &app->log->log,
        .pools_changed = have_pools_changed(exchange),
    };
    return status == BUSBAR_OK ? exports_become(&change) : status;
}

/* All that can fail. */
static enum busbar_status apply(struct exchange *exchange)
{
    const struct wiring *next = &exchange->next;
    if (!reserve_retired(exchange->app))
        return no_memory();
    for (size_t i = 0; i < next->object_count; i++) {
        if (!next->objects[i].by_code && next->objects[i].object == exchange->fresh[i])
            app_adopt(exchange->app, next->objects[i].object);
    }
    enum busbar_status status = pools_become(exchange->wanted, exchange->pool_count);
    if (status == BUSBAR_OK)
        status = change_exports(exchange);
    if (status == BUSBAR_OK)
        return status;
    CLEANUP(cleanup_free) char *text = strdup(busbar_last_error());
    (void)!pools_become(exchange->present, exchange->pool_count);
    return outcome_fail_text(status, BUSBAR_NOT_EXECUTED, text != NULL ? text : "out of memory");
}

/* Whoever has an object may go on calling it, whether it stays or not. */
static void keep_given(struct busbar_app *app, const struct wiring *next)
{
    for (size_t i = 0; i < app->wiring.object_count; i++) {
        struct wiring_object *old = &app->wiring.objects[i];
        struct wiring_object *entry = wiring_find(next, old->id);
        if (entry != NULL && entry->object == old->object)
            entry->given = old->given;
        else if (old->given)
            app->retired[app->retired_count++] = STEAL(old->object);
    }
}

/* The new wiring becomes the one of the application. */
static void commit(struct exchange *exchange)
{
    struct busbar_app *app = exchange->app;
    pthread_mutex_lock(&app->lookup);
    struct wiring old = app->wiring;
    keep_given(app, &exchange->next);
    app->wiring = exchange->next;
    app->wiring.settings = old.settings;
    old.settings = exchange->next.settings;
    pthread_mutex_unlock(&app->lookup);
    levels_apply(&app->log->log, &old.settings.log);
    app_apply_code_levels(app);
    for (size_t i = 0; i < old.object_count; i++) {
        if (wiring_find(&app->wiring, old.objects[i].id) == NULL)
            app_log(&app->log->log, APP_DEBUG, APP_OBJECTS, "%s is gone", old.objects[i].id);
    }
    for (size_t i = 0; i < app->wiring.object_count; i++)
        busbar_object_destroy(&exchange->fresh[i]);
    exchange->next = (struct wiring){0};
    wiring_fini(&old);
}

static enum busbar_status prepare(struct exchange *exchange)
{
    enum busbar_status status = take_objects(exchange);
    if (status == BUSBAR_OK)
        status = take_exports(exchange);
    if (status == BUSBAR_OK)
        status = keep_objects(exchange);
    return status == BUSBAR_OK ? plan_pools(exchange) : status;
}

static enum busbar_status exchange_all(struct exchange *exchange)
{
    struct busbar_app *app = exchange->app;
    CLEANUP(cleanup_free) char *broker = wiring_broker_text(&exchange->next);
    if (broker == NULL)
        return no_memory();
    if (strcmp(broker, app->broker_text) != 0)
        return REFUSE(app, "%s", "broker was changed; for that the application must be restarted");
    enum busbar_status status = prepare(exchange);
    if (status == BUSBAR_OK)
        status = apply(exchange);
    if (status != BUSBAR_OK)
        return status;
    size_t kept = exchange->kept;
    commit(exchange);
    app_log(&app->log->log, APP_INFO, APP_CONFIG,
            "%s reloaded: %zu objects, of which %zu are unchanged, %zu exports", app->path,
            app->wiring.object_count, kept, app->wiring.export_count);
    return app->exports != NULL ? app_wait_ready(app) : BUSBAR_OK;
}

/* Of the file. */
static bool had_objects(const struct busbar_app *app)
{
    for (size_t i = 0; i < app->wiring.object_count; i++) {
        if (!app->wiring.objects[i].by_code)
            return true;
    }
    return false;
}

static enum busbar_status reload(struct busbar_app *app)
{
    if (app->path == NULL || strcmp(app->path, "-") == 0)
        return app_misuse("an application that is not from a file cannot be reloaded");
    if (app->state == APP_ENDED)
        return app_misuse("the application has ended");
    CLEANUP(exchange_fini) struct exchange exchange = {.app = app};
    const struct wiring_source source = {
        .path = app->path,
        .log = &app->log->log,
        .refuse_empty = had_objects(app),
    };
    enum busbar_status status = wiring_read(&exchange.next, &source);
    if (status == BUSBAR_OK)
        status = exchange_all(&exchange);
    return status;
}

enum busbar_status busbar_app_reload(struct busbar_app *app)
{
    if (app == NULL)
        return app_misuse("reload needs an application");
    pthread_mutex_lock(&app->change);
    enum busbar_status status = reload(app);
    pthread_mutex_unlock(&app->change);
    return status == BUSBAR_OK ? outcome_ok() : status;
}
