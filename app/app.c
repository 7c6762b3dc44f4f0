/* Applications wired by code; and what both ways of wiring end in. */
#include "app/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/outcome.h"
#include "objects/pool.h"
#include "protocol/endpoint.h"

enum {
    MESSAGE_SIZE = 1024,
    QUOTED_SIZE = 160,
};

enum busbar_status app_misuse(const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "%s", text);
}

static enum busbar_status no_memory(void)
{
    return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
}

static struct shared_log *log_new(void)
{
    struct shared_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        return NULL;
    app_log_init(&log->log);
    atomic_init(&log->references, 1);
    return log;
}

static void log_unref(void *context)
{
    struct shared_log *log = context;
    if (log != NULL && atomic_fetch_sub(&log->references, 1) == 1)
        free(log);
}

/* Life ---------------------------------------------------------------------------------------- */

enum busbar_status busbar_app_new(struct busbar_app **ret)
{
    if (ret == NULL)
        return app_misuse("an application needs a place to be put");
    *ret = NULL;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = calloc(1, sizeof *app);
    if (app == NULL)
        return no_memory();
    app->wake = -1;
    pthread_mutex_init(&app->change, NULL);
    pthread_mutex_init(&app->lookup, NULL);
    app->log = log_new();
    if (app->log == NULL)
        return no_memory();
    for (int i = 0; i < APP_COMPONENTS; i++)
        app->code_levels[i] = -1;
    enum busbar_status status = links_new(&app->links);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s", busbar_status_text(status));
    if (!app_settings_set_default_brokers(&app->wiring.settings))
        return no_memory();
    app->wake = eventfd(0, EFD_CLOEXEC);
    if (app->wake < 0)
        return busbar_fail(BUSBAR_SYSTEM, BUSBAR_NOT_EXECUTED, "cannot make an eventfd: %m");
    *ret = STEAL(app);
    return outcome_ok();
}

void busbar_app_destroy(struct busbar_app **app)
{
    if (app == NULL || *app == NULL)
        return;
    struct busbar_app *gone = STEAL(*app);
    (void)!app_end(gone);
    wiring_fini(&gone->wiring);
    for (size_t i = 0; i < gone->retired_count; i++)
        busbar_object_destroy(&gone->retired[i]);
    free(gone->retired);
    embed_stop(&gone->embed);
    links_unref(&gone->links);
    if (gone->wake >= 0)
        close(gone->wake);
    pthread_mutex_destroy(&gone->change);
    pthread_mutex_destroy(&gone->lookup);
    log_unref(gone->log);
    free(gone->path);
    free(gone->broker_text);
    free(gone);
}

/* Brokers ------------------------------------------------------------------------------------- */

const char **app_endpoints(const struct busbar_app *app)
{
    const struct app_settings *settings = &app->wiring.settings;
    const char **endpoints = calloc(settings->broker_count + 2, sizeof *endpoints);
    if (endpoints == NULL)
        return NULL;
    if (app->embed != NULL)
        endpoints[0] = embed_endpoint(app->embed);
    for (size_t i = 0; i < settings->broker_count && app->embed == NULL; i++)
        endpoints[i] = settings->brokers[i].endpoint;
    return endpoints;
}

static enum busbar_status set_brokers(struct busbar_app *app, const char *const *endpoints)
{
    char quoted[QUOTED_SIZE];
    if (app->state != APP_WIRED)
        return app_misuse("brokers must be set before the application is started");
    for (size_t i = 0; endpoints[i] != NULL; i++) {
        const char *expected = broker_expected(endpoints[i]);
        if (expected != NULL)
            return app_misuse("a broker must be %s, not %s", expected,
                              quote(quoted, sizeof quoted, endpoints[i], strlen(endpoints[i])));
    }
    if (!app_settings_set_brokers(&app->wiring.settings, endpoints))
        return no_memory();
    enum busbar_status status = links_set_default(app->links, endpoints);
    return status == BUSBAR_OK ? outcome_ok() : status;
}

enum busbar_status busbar_app_set_brokers(struct busbar_app *app, const char *const *endpoints)
{
    if (app == NULL || endpoints == NULL || endpoints[0] == NULL)
        return app_misuse("set_brokers needs an application and at least one endpoint");
    pthread_mutex_lock(&app->change);
    enum busbar_status status = set_brokers(app, endpoints);
    pthread_mutex_unlock(&app->change);
    return status;
}

static enum busbar_status set_embed(struct busbar_app *app,
                                    const struct busbar_embed_options *options)
{
    char quoted[QUOTED_SIZE];
    const char *endpoint = options->endpoint;
    const char *expected = embed_check(endpoint);
    quote(quoted, sizeof quoted, endpoint, strlen(endpoint));
    if (app->state != APP_WIRED)
        return app_misuse("a broker must be embedded before the application is started");
    if (expected != NULL)
        return app_misuse("an embedded broker must be at %s, not %s", expected, quoted);
    if (endpoint_is_open(endpoint) && !options->allow_plaintext)
        return app_misuse(EMBED_OPEN_FORMAT, quoted);
    if (!app_settings_set_broker(&app->wiring.settings, endpoint, true))
        return no_memory();
    app->wiring.settings.brokers[0].allow_plaintext = options->allow_plaintext;
    return outcome_ok();
}

enum busbar_status busbar_app_embed_with(struct busbar_app *app,
                                         const struct busbar_embed_options *options)
{
    if (app == NULL || options == NULL || options->endpoint == NULL)
        return app_misuse("embed needs an application and an endpoint");
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return app_misuse("the reserved members of the options must be NULL");
    }
    pthread_mutex_lock(&app->change);
    enum busbar_status status = set_embed(app, options);
    pthread_mutex_unlock(&app->change);
    return status;
}

enum busbar_status busbar_app_embed(struct busbar_app *app, const char *endpoint)
{
    return busbar_app_embed_with(app, &(struct busbar_embed_options){.endpoint = endpoint});
}

const char *busbar_app_broker(const struct busbar_app *app)
{
    if (app == NULL)
        return "";
    const struct app_settings *settings = &app->wiring.settings;
    if (app->embed != NULL)
        return embed_endpoint(app->embed);
    const struct broker_settings *own = app_settings_embed(settings);
    return own != NULL ? own->embed : settings->brokers[0].endpoint;
}

/* Objects ------------------------------------------------------------------------------------- */

static void on_member(void *context, const char *pool, const char *member, bool aside,
                      const char *error)
{
    struct shared_log *log = context;
    if (aside)
        app_log(&log->log, APP_WARNING, APP_POOLS, "%s: %s is set aside: %s", pool, member, error);
    else
        app_log(&log->log, APP_INFO, APP_POOLS, "%s: %s is back", pool, member);
}

void app_adopt(struct busbar_app *app, struct busbar_object *object)
{
    const struct pool_hook hook = {on_member, app->log, log_unref};
    if (object->class->attach != NULL)
        object->class->attach(object, app->links);
    if (object->class->member != NULL) {
        atomic_fetch_add(&app->log->references, 1);
        pool_set_hook(object, &hook);
    }
}

static enum busbar_status add_object(struct busbar_app *app, const char *id,
                                     struct busbar_object *object)
{
    char quoted[QUOTED_SIZE];
    const char *expected = object_id_expected(id);
    quote(quoted, sizeof quoted, id, strlen(id));
    if (expected != NULL)
        return app_misuse("the id of an object must be %s, not %s", expected, quoted);
    if (wiring_find(&app->wiring, id) != NULL)
        return busbar_fail(BUSBAR_CONFLICT, BUSBAR_NOT_EXECUTED,
                           "there is an object with the id %s already", quoted);
    if (!object_set_id(object, id))
        return app_misuse("the object has an id already, \"%s\"", object_name(object));
    app_adopt(app, object);
    const struct wiring_object entry = {.id = (char *)id, .object = object, .by_code = true};
    pthread_mutex_lock(&app->lookup);
    bool added = wiring_add(&app->wiring, &entry);
    pthread_mutex_unlock(&app->lookup);
    if (!added)
        return no_memory();
    busbar_object_ref(object);
    app_log(&app->log->log, APP_DEBUG, APP_OBJECTS, "%s added: %s", id, object->class->kind);
    return outcome_ok();
}

enum busbar_status busbar_app_add(struct busbar_app *app, const char *id,
                                  struct busbar_object *object)
{
    if (app == NULL || id == NULL || object == NULL)
        return app_misuse("add needs an application, an id and an object");
    pthread_mutex_lock(&app->change);
    enum busbar_status status = add_object(app, id, object);
    pthread_mutex_unlock(&app->change);
    return status;
}

static struct busbar_object *find_object(struct busbar_app *app, const char *id)
{
    char quoted[QUOTED_SIZE];
    struct wiring_object *entry = wiring_find(&app->wiring, id);
    if (entry != NULL) {
        entry->given = true;
        outcome_ok();
        return entry->object;
    }
    CLEANUP(cleanup_free) char *ids = wiring_ids(&app->wiring);
    (void)!app_misuse("no object has the id %s; known are %s",
                      quote(quoted, sizeof quoted, id, strlen(id)), ids != NULL ? ids : "?");
    return NULL;
}

struct busbar_object *busbar_app_object(struct busbar_app *app, const char *id)
{
    if (app == NULL || id == NULL) {
        (void)!app_misuse("an object is found by an application and an id");
        return NULL;
    }
    pthread_mutex_lock(&app->lookup);
    struct busbar_object *object = find_object(app, id);
    pthread_mutex_unlock(&app->lookup);
    return object;
}
