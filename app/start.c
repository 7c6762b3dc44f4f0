/* Starts what was wired: the embedded broker, the connections, the exports; and ends it. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/read.h"
#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/outcome.h"

enum {
    QUOTED_SIZE = 160,
};

static enum busbar_status no_memory(void)
{
    return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
}

/* The outcome of a failure, kept over the clearing up, which has outcomes of its own. */
struct failure {
    enum busbar_status status;
    enum busbar_fate fate;
    char *text;
};

static struct failure failure_keep(enum busbar_status status)
{
    const char *text = busbar_last_status() == status ? busbar_last_error() : "";
    if (text[0] == '\0')
        text = busbar_status_text(status);
    return (struct failure){status, busbar_last_fate(), strdup(text)};
}

static enum busbar_status failure_tell(struct failure *failure)
{
    outcome_fail_text(failure->status, failure->fate,
                      failure->text != NULL ? failure->text : "out of memory");
    free(failure->text);
    return failure->status;
}

/* Exports ------------------------------------------------------------------------------------- */

static void on_refusal(void *context)
{
    struct busbar_app *app = context;
    atomic_store(&app->refused, true);
    app_wake(app);
}

enum busbar_status app_exports(struct busbar_app *app)
{
    CLEANUP(exports_destroy) struct exports *exports = NULL;
    if (app->exports != NULL)
        return BUSBAR_OK;
    CLEANUP(cleanup_free) const char **endpoints = app_endpoints(app);
    if (endpoints == NULL)
        return no_memory();
    enum busbar_status status = exports_new(&exports, &app->log->log);
    if (status == BUSBAR_OK)
        status = exports_set_brokers(exports, endpoints);
    if (status != BUSBAR_OK)
        return status;
    exports_on_refusal(exports, on_refusal, app);
    app->exports = STEAL(exports);
    return BUSBAR_OK;
}

enum busbar_status app_wait_ready(struct busbar_app *app)
{
    enum busbar_status status = exports_wait_ready(app->exports, APP_READY_MS);
    if (status == BUSBAR_OK)
        app_log(&app->log->log, APP_DEBUG, APP_EXPORTS, "all are registered");
    if (status != BUSBAR_TIMEOUT)
        return status;
    const char *why = busbar_last_status() == status ? busbar_last_error() : "";
    app_log(&app->log->log, APP_WARNING, APP_EXPORTS,
            "not all are registered within %d ms; trying on%s%s", APP_READY_MS,
            why[0] != '\0' ? ": " : "", why);
    return BUSBAR_OK;
}

enum busbar_status app_end(struct busbar_app *app)
{
    if (app->exports == NULL)
        return BUSBAR_OK;
    enum busbar_status status = exports_stop(app->exports);
    exports_destroy(&app->exports);
    return status;
}

static enum busbar_status start_exports(struct busbar_app *app)
{
    const struct wiring *wiring = &app->wiring;
    if (wiring->export_count == 0)
        return BUSBAR_OK;
    enum busbar_status status = app_exports(app);
    for (size_t i = 0; i < wiring->export_count && status == BUSBAR_OK; i++)
        status = exports_add(app->exports, &wiring->exports[i].settings, wiring->exports[i].object);
    return status == BUSBAR_OK ? app_wait_ready(app) : status;
}

/* Start --------------------------------------------------------------------------------------- */

/* Of the environment alone: what a file or code says was checked there. */
static enum busbar_status check_brokers(const struct app_settings *settings)
{
    char quoted[QUOTED_SIZE];
    for (size_t i = 0; i < settings->broker_count; i++) {
        const char *endpoint = settings->brokers[i].endpoint;
        const char *expected = endpoint != NULL ? broker_expected(endpoint) : NULL;
        if (expected != NULL)
            return busbar_fail(BUSBAR_BAD_CONFIG, BUSBAR_NOT_EXECUTED,
                               "$BUSBAR_BROKER must be %s, not %s", expected,
                               quote(quoted, sizeof quoted, endpoint, strlen(endpoint)));
    }
    return BUSBAR_OK;
}

static enum busbar_status start_broker(struct busbar_app *app)
{
    const struct broker_settings *own = app_settings_embed(&app->wiring.settings);
    enum busbar_status status = check_brokers(&app->wiring.settings);
    if (status == BUSBAR_OK && own != NULL)
        status = embed_start(&app->embed, &(struct embed_place){own->embed, own->allow_plaintext},
                             &app->log->log);
    if (status != BUSBAR_OK)
        return status;
    CLEANUP(cleanup_free) const char **endpoints = app_endpoints(app);
    if (endpoints == NULL)
        return no_memory();
    for (size_t i = 0; endpoints[i] != NULL; i++)
        app_log(&app->log->log, APP_DEBUG, APP_BROKER, "%s %s",
                app->embed != NULL ? "embedded, at" : "to connect to:", endpoints[i]);
    return links_set_default(app->links, endpoints);
}

static enum busbar_status start(struct busbar_app *app)
{
    if (app->state != APP_WIRED)
        return app_misuse("the application was started already");
    enum busbar_status status = start_broker(app);
    if (status == BUSBAR_OK)
        status = start_exports(app);
    if (status != BUSBAR_OK) {
        struct failure failure = failure_keep(status);
        (void)!app_end(app);
        embed_stop(&app->embed);
        return failure_tell(&failure);
    }
    app->state = APP_STARTED;
    app_log(&app->log->log, APP_INFO, APP_CONFIG, "started: %zu objects, %zu exports",
            app->wiring.object_count, app->wiring.export_count);
    return outcome_ok();
}

enum busbar_status busbar_app_start(struct busbar_app *app)
{
    if (app == NULL)
        return app_misuse("start needs an application");
    pthread_mutex_lock(&app->change);
    enum busbar_status status = start(app);
    pthread_mutex_unlock(&app->change);
    return status;
}

/* From a file --------------------------------------------------------------------------------- */

static enum busbar_status read_file(struct busbar_app *app, const char *path)
{
    const struct wiring_source source = {path, &app->log->log, true, false};
    app_settings_fini(&app->wiring.settings);
    enum busbar_status status = wiring_read(&app->wiring, &source);
    if (status != BUSBAR_OK)
        return status;
    app->path = strdup(path);
    app->broker_text = wiring_broker_text(&app->wiring);
    if (app->path == NULL || app->broker_text == NULL)
        return no_memory();
    if (app_settings_embed(&app->wiring.settings) == NULL) {
        CLEANUP(cleanup_free) const char **endpoints = app_endpoints(app);
        status = endpoints != NULL ? links_set_default(app->links, endpoints) : no_memory();
    }
    for (size_t i = 0; i < app->wiring.object_count; i++)
        app_adopt(app, app->wiring.objects[i].object);
    return status;
}

enum busbar_status busbar_app_read(struct busbar_app **ret, const char *path)
{
    if (ret == NULL || path == NULL)
        return app_misuse("an application needs a file and a place to be put");
    *ret = NULL;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    enum busbar_status status = busbar_app_new(&app);
    if (status == BUSBAR_OK)
        status = read_file(app, path);
    if (status != BUSBAR_OK) {
        struct failure failure = failure_keep(status);
        busbar_app_destroy(&app);
        return failure_tell(&failure);
    }
    *ret = STEAL(app);
    return outcome_ok();
}

enum busbar_status busbar_app_load(struct busbar_app **ret, const char *path)
{
    enum busbar_status status = busbar_app_read(ret, path);
    if (status == BUSBAR_OK)
        status = busbar_app_start(*ret);
    if (status != BUSBAR_OK && ret != NULL && *ret != NULL) {
        struct failure failure = failure_keep(status);
        busbar_app_destroy(ret);
        return failure_tell(&failure);
    }
    return status;
}
