/* Exports and log levels by code, and the printing of all that is in effect. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/references.h"
#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/outcome.h"
#include "protocol/registration.h"

enum {
    QUOTED_SIZE = 160,
};

/* The same bounds as the table of a file has. */
static enum busbar_status check_numbers(const struct export_settings *settings)
{
    const struct {
        const char *name;
        uint32_t value;
        uint32_t max;
    } numbers[] = {
        {"instances", settings->instances, APP_INSTANCES_MAX},
        {"threads", settings->threads, APP_THREADS_MAX},
        {"credit", settings->credit, APP_CREDIT_MAX},
        {"weight", settings->weight, REGISTRATION_WEIGHT_MAX},
        {"stall", settings->stall_ms, REGISTRATION_STALL_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i].value > numbers[i].max)
            return app_misuse("%s of an export must be at most %u, not %u", numbers[i].name,
                              numbers[i].max, numbers[i].value);
    }
    return BUSBAR_OK;
}

static bool stands_before(const struct export_tag *tags, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(tags[i].name, tags[index].name) == 0)
            return true;
    }
    return false;
}

static enum busbar_status check_texts(const struct export_settings *settings)
{
    char quoted[QUOTED_SIZE];
    if (settings->version != NULL && strlen(settings->version) > REGISTRATION_TEXT_MAX)
        return app_misuse("the version of an export must be at most 4096 bytes");
    enum balance balance;
    if (settings->balance != NULL && !balance_of_name(&balance, settings->balance))
        return app_misuse(
            "balance of an export must be least_loaded, round_robin, random or "
            "sticky, not %s",
            quote(quoted, sizeof quoted, settings->balance, strlen(settings->balance)));
    if (settings->tag_count > REGISTRATION_TAGS_MAX)
        return app_misuse("an export may have 64 tags, not %zu", settings->tag_count);
    for (size_t i = 0; i < settings->tag_count; i++) {
        const struct export_tag *tag = &settings->tags[i];
        quote(quoted, sizeof quoted, tag->name, strlen(tag->name));
        if (tag_expected(tag->name) != NULL || strlen(tag->value) > REGISTRATION_TEXT_MAX)
            return app_misuse("name and value of the tag %s must be 1 to 4096 and at most 4096 "
                              "bytes",
                              quoted);
        if (stands_before(settings->tags, i))
            return app_misuse("the tag %s is there twice", quoted);
    }
    return BUSBAR_OK;
}

static enum busbar_status check_export(const struct busbar_app *app,
                                       const struct export_settings *settings)
{
    char quoted[QUOTED_SIZE];
    const char *expected = service_expected(settings->name);
    quote(quoted, sizeof quoted, settings->name, strlen(settings->name));
    if (expected != NULL)
        return app_misuse("the name of an export must be %s, not %s", expected, quoted);
    if (wiring_find_export(&app->wiring, settings->name) != NULL)
        return busbar_fail(BUSBAR_CONFLICT, BUSBAR_NOT_EXECUTED, "%s is exported already", quoted);
    enum busbar_status status = check_numbers(settings);
    return status == BUSBAR_OK ? check_texts(settings) : status;
}

/* A circle that the new export closes is refused as it is in a file. */
static enum busbar_status check_circles(const struct wiring *wiring)
{
    struct settings_errors errors;
    enum busbar_status status = BUSBAR_OK;
    settings_errors_init(&errors);
    references_check_circles(wiring, NULL, &errors);
    if (errors.count > 0)
        status = app_misuse("%s", settings_errors_line(&errors, 0));
    settings_errors_fini(&errors);
    return status;
}

/* Adds it to the wiring and, if that runs already, to the bus. */
static enum busbar_status add_export(struct busbar_app *app, const struct export_settings *settings)
{
    const struct wiring_object *entry = wiring_find(&app->wiring, settings->object);
    if (entry == NULL)
        return busbar_app_object(app, settings->object) == NULL ? BUSBAR_BAD_ARGUMENT : BUSBAR_OK;
    const struct wiring_export export_ = {*settings, entry->object, true};
    if (!wiring_add_export(&app->wiring, &export_))
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    struct wiring_export *added = &app->wiring.exports[app->wiring.export_count - 1];
    busbar_object_ref(added->object);
    enum busbar_status status = check_circles(&app->wiring);
    if (status == BUSBAR_OK && app->state == APP_STARTED)
        status = app_exports(app);
    if (status == BUSBAR_OK && app->state == APP_STARTED)
        status = exports_add(app->exports, &added->settings, added->object);
    if (status != BUSBAR_OK) {
        wiring_remove_export(&app->wiring, added);
        return status;
    }
    app_log(&app->log->log, APP_DEBUG, APP_EXPORTS, "%s added: object %s", settings->name,
            settings->object);
    return outcome_ok();
}

/* Names and values as pairs; borrowed, but for the array. False for a name without a value. */
static bool read_tags(struct export_settings *settings, const char *const *tags)
{
    size_t count = 0;
    while (tags != NULL && tags[count] != NULL)
        count++;
    settings->tags = calloc(count / 2 + 1, sizeof *settings->tags);
    if (settings->tags == NULL || count % 2 != 0)
        return false;
    settings->tag_count = count / 2;
    for (size_t i = 0; i < count / 2; i++)
        settings->tags[i] = (struct export_tag){(char *)tags[2 * i], (char *)tags[2 * i + 1]};
    return true;
}

static bool reserved_is_null(void *const *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (reserved[i] != NULL)
            return false;
    }
    return true;
}

enum busbar_status busbar_app_export(struct busbar_app *app, const struct busbar_export *export_)
{
    if (app == NULL || export_ == NULL || export_->name == NULL || export_->object == NULL)
        return app_misuse("an export needs an application, a name and the id of an object");
    if (!reserved_is_null(export_->reserved, ARRAY_SIZE(export_->reserved)))
        return app_misuse("the reserved members of an export must be NULL");
    struct export_settings settings = {
        .name = (char *)export_->name,
        .object = (char *)export_->object,
        .version = (char *)export_->version,
        .instances = export_->instances == 0 ? 1 : export_->instances,
        .threads = export_->threads == 0 ? 1 : export_->threads,
        .credit = export_->credit,
        .weight = export_->weight == 0 ? REGISTRATION_WEIGHT : export_->weight,
        .balance = (char *)export_->balance,
        .stall_ms = export_->stall_ms,
    };
    enum busbar_status status = BUSBAR_OK;
    pthread_mutex_lock(&app->change);
    if (!read_tags(&settings, export_->tags))
        status = app_misuse("the tags of an export must be pairs of a name and a value");
    else if (app->state == APP_ENDED)
        status = app_misuse("the application has ended");
    else
        status = check_export(app, &settings);
    if (status == BUSBAR_OK)
        status = add_export(app, &settings);
    pthread_mutex_unlock(&app->change);
    free(settings.tags);
    return status;
}

static enum busbar_status remove_export(struct busbar_app *app, const char *name)
{
    char quoted[QUOTED_SIZE];
    struct wiring_export *export_ = wiring_find_export(&app->wiring, name);
    if (export_ == NULL)
        return busbar_fail(BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED, "%s is not exported",
                           quote(quoted, sizeof quoted, name, strlen(name)));
    enum busbar_status status = BUSBAR_OK;
    if (app->exports != NULL)
        status = exports_remove(app->exports, name);
    wiring_remove_export(&app->wiring, export_);
    app_log(&app->log->log, APP_DEBUG, APP_EXPORTS, "%s removed", name);
    return status == BUSBAR_OK ? outcome_ok() : status;
}

enum busbar_status busbar_app_unexport(struct busbar_app *app, const char *name)
{
    if (app == NULL || name == NULL)
        return app_misuse("unexport needs an application and a name");
    pthread_mutex_lock(&app->change);
    enum busbar_status status = remove_export(app, name);
    pthread_mutex_unlock(&app->change);
    return status;
}

/* Log ----------------------------------------------------------------------------------------- */

/* The index of a component; APP_COMPONENTS for NULL, -1 for a word that is none. */
static int find_component(const char *word)
{
    if (word == NULL)
        return APP_COMPONENTS;
    for (int i = 0; i < APP_COMPONENTS; i++) {
        if (strcmp(app_component_name((enum app_component)i), word) == 0)
            return i;
    }
    return -1;
}

void app_apply_code_levels(struct busbar_app *app)
{
    for (int i = 0; i < APP_COMPONENTS; i++) {
        if (app->code_levels[i] >= 0)
            (void)!app_log_set(&app->log->log, app_component_name((enum app_component)i),
                               app_level_name((enum app_level)app->code_levels[i]));
    }
}

enum busbar_status busbar_app_set_log(struct busbar_app *app, const char *component,
                                      const char *level)
{
    char quoted[QUOTED_SIZE];
    if (app == NULL || level == NULL)
        return app_misuse("set_log needs an application and a level");
    enum app_level value = app_level_of(level);
    int index = find_component(component);
    if (strcmp(app_level_name(value), level) != 0)
        return app_misuse("a level must be off, error, warning, info or debug, not %s",
                          quote(quoted, sizeof quoted, level, strlen(level)));
    if (index < 0)
        return app_misuse("a component must be config, objects, exports, broker or pools, not %s",
                          quote(quoted, sizeof quoted, component, strlen(component)));
    pthread_mutex_lock(&app->change);
    for (int i = 0; i < APP_COMPONENTS; i++) {
        if (i == index || index == APP_COMPONENTS)
            app->code_levels[i] = (int)value;
    }
    app_apply_code_levels(app);
    pthread_mutex_unlock(&app->change);
    return outcome_ok();
}

/* Dump ---------------------------------------------------------------------------------------- */

/* The levels in effect: one for all, where they are the same. */
static void levels_of(struct app_log *log, struct log_settings *ret)
{
    bool same = true;
    int first = atomic_load(&log->levels[0]);
    *ret = (struct log_settings){0};
    for (int i = 0; i < APP_COMPONENTS; i++)
        same = same && atomic_load(&log->levels[i]) == first;
    for (int i = 0; i < APP_COMPONENTS && !same; i++)
        ret->components[i] = (char *)app_level_name((enum app_level)atomic_load(&log->levels[i]));
    if (same)
        ret->level = (char *)app_level_name((enum app_level)first);
}

void busbar_app_dump(const struct busbar_app *app, FILE *out)
{
    if (app == NULL || out == NULL)
        return;
    struct busbar_app *locked = (struct busbar_app *)app;
    struct log_settings levels;
    pthread_mutex_lock(&locked->change);
    levels_of(&locked->log->log, &levels);
    wiring_dump(&app->wiring, &levels, out);
    pthread_mutex_unlock(&locked->change);
}
