/* Waits for the end of an application, or for its reload: the one place that touches signals. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/cleanup.h"
#include "objects/outcome.h"

/* What the handlers of signals know; NULL while nothing runs. */
static _Atomic(struct busbar_app *) running;
static atomic_uint stops;

void app_wake(const struct busbar_app *app)
{
    uint64_t one = 1;
    (void)!write(app->wake, &one, sizeof one);
}

void busbar_app_stop(struct busbar_app *app)
{
    if (app == NULL)
        return;
    int error = errno;
    atomic_store(&app->stopping, true);
    app_wake(app);
    errno = error;
}

/* The second one ends the process as if it were not handled: it arrives when this returns. */
static void on_stop(int number)
{
    int error = errno;
    if (atomic_fetch_add(&stops, 1) > 0) {
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigaction(number, &standard, NULL);
        raise(number);
    } else {
        busbar_app_stop(atomic_load(&running));
    }
    errno = error;
}

static void on_reload(int number)
{
    (void)number;
    int error = errno;
    struct busbar_app *app = atomic_load(&running);
    if (app != NULL) {
        atomic_store(&app->reloading, true);
        app_wake(app);
    }
    errno = error;
}

static const struct {
    int number;
    void (*handler)(int number);
} handled[] = {{SIGINT, on_stop}, {SIGTERM, on_stop}, {SIGHUP, on_reload}};

/* Without a file there is nothing to reload, and the last of them is left alone. */
static size_t handled_count(const struct busbar_app *app)
{
    return ARRAY_SIZE(handled) - (app->path == NULL);
}

struct former {
    struct sigaction actions[ARRAY_SIZE(handled)];
    sigset_t mask;
};

/* Unblocked too: a program may block the signals until they are handled, so that none is lost. */
static void handlers_set(const struct busbar_app *app, struct former *former)
{
    sigset_t set;
    sigemptyset(&set);
    atomic_store(&stops, 0);
    for (size_t i = 0; i < handled_count(app); i++) {
        struct sigaction action = {.sa_handler = handled[i].handler, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        sigaction(handled[i].number, &action, &former->actions[i]);
        sigaddset(&set, handled[i].number);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, &former->mask);
}

static void handlers_restore(const struct busbar_app *app, const struct former *former)
{
    pthread_sigmask(SIG_SETMASK, &former->mask, NULL);
    for (size_t i = 0; i < handled_count(app); i++)
        sigaction(handled[i].number, &former->actions[i], NULL);
}

static void reload(struct busbar_app *app)
{
    app_log(&app->log->log, APP_INFO, APP_CONFIG, "SIGHUP: reading %s again", app->path);
    if (busbar_app_reload(app) == BUSBAR_OK)
        return;
    /* A log has lines, and so have the errors of a file. */
    const char *at = busbar_last_error();
    while (*at != '\0') {
        size_t length = strcspn(at, "\n");
        app_log(&app->log->log, APP_ERROR, APP_CONFIG, "nothing changed: %.*s", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

/* With poll, which signals interrupt whatever SA_RESTART says. */
static void sleep_until_woken(const struct busbar_app *app)
{
    uint64_t count;
    struct pollfd wake = {.fd = app->wake, .events = POLLIN};
    if (poll(&wake, 1, -1) > 0)
        (void)!read(app->wake, &count, sizeof count);
}

static void wait_for_end(struct busbar_app *app)
{
    while (!atomic_load(&app->stopping) && !atomic_load(&app->refused)) {
        if (atomic_exchange(&app->reloading, false))
            reload(app);
        else
            sleep_until_woken(app);
    }
}

/* What the broker said, for the outcome; NULL if it refused nothing. For free(). */
static char *refusal_text(const struct busbar_app *app)
{
    if (!atomic_load(&app->refused) || app->exports == NULL ||
        exports_wait_ready(app->exports, 0) == BUSBAR_OK)
        return NULL;
    return strdup(busbar_last_error());
}

static enum busbar_status end(struct busbar_app *app)
{
    pthread_mutex_lock(&app->change);
    CLEANUP(cleanup_free) char *refusal = refusal_text(app);
    app_log(&app->log->log, refusal != NULL ? APP_ERROR : APP_INFO, APP_CONFIG, "ending: %s",
            refusal != NULL ? refusal : "stopped");
    enum busbar_status status = app_end(app);
    app->state = APP_ENDED;
    pthread_mutex_unlock(&app->change);
    if (status == BUSBAR_OK)
        return outcome_ok();
    return outcome_fail_text(status,
                             status == BUSBAR_TIMEOUT ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED,
                             refusal != NULL ? refusal : "calls were left without an answer");
}

static void warn_of_nothing(struct busbar_app *app)
{
    pthread_mutex_lock(&app->change);
    bool nothing = app->wiring.export_count == 0 && app->embed == NULL;
    pthread_mutex_unlock(&app->change);
    if (nothing)
        app_log(&app->log->log, APP_WARNING, APP_EXPORTS, "nothing is exported");
}

enum busbar_status busbar_app_run(struct busbar_app *app)
{
    struct former former;
    struct busbar_app *none = NULL;
    if (app == NULL || app->state != APP_STARTED)
        return app_misuse("it was not started, or has ended: busbar_app_start() comes first, once");
    if (!atomic_compare_exchange_strong(&running, &none, app))
        return app_misuse("another application of this process is being run");
    handlers_set(app, &former);
    warn_of_nothing(app);
    wait_for_end(app);
    enum busbar_status status = end(app);
    handlers_restore(app, &former);
    atomic_store(&running, NULL);
    return status;
}
