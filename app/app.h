/* An application: its wiring, and what was started of it. */
#ifndef APP_APP_H
#define APP_APP_H

#include <busbar/app.h>

#include <pthread.h>
#include <stdatomic.h>

#include "app/embed.h"
#include "app/exports.h"
#include "app/log.h"
#include "app/wiring.h"
#include "objects/link.h"

enum app_state {
    APP_WIRED,
    APP_STARTED,
    APP_ENDED, /* by busbar_app_run; its objects can still be called */
};

enum {
    APP_READY_MS = 1000, /* how long exports are waited for, when they start */
};

/* A log with a count of references, since pools may outlive their application. */
struct shared_log {
    struct app_log log;
    atomic_uint references;
};

struct busbar_app {
    pthread_mutex_t change; /* one change at a time: of the wiring, of the state */
    pthread_mutex_t lookup; /* while objects are found or exchanged: shortly, inside `change` */
    enum app_state state;
    char *path;        /* the file; NULL: made by code */
    char *broker_text; /* what the file says of brokers, for reloads */
    struct shared_log *log;
    int code_levels[APP_COMPONENTS]; /* set by busbar_app_set_log; -1: not */
    struct wiring wiring;
    struct busbar_object **retired; /* given to somebody, and replaced by a reload since */
    size_t retired_count;
    struct links *links;
    struct embed *embed;
    struct exports *exports; /* NULL until something is exported */
    int wake;                /* an eventfd: something below was set */
    atomic_bool stopping;
    atomic_bool reloading;
    atomic_bool refused; /* by a broker */
};

/* The outcome BAD_ARGUMENT with a text. */
enum busbar_status app_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Gives an object the connections of the application, and its log. */
void app_adopt(struct busbar_app *app, struct busbar_object *object);

/* What is told to links and exports: NULL-terminated, for free(), the texts are borrowed. */
const char **app_endpoints(const struct busbar_app *app);

/* Makes busbar_app_run look at the flags; async-signal-safe. */
void app_wake(const struct busbar_app *app);

/* start.c: the exports of an application that is started, made if there are none yet. */
enum busbar_status app_exports(struct busbar_app *app) __attribute__((warn_unused_result));
/* Waits a second for what was exported; only a refusal is an error. */
enum busbar_status app_wait_ready(struct busbar_app *app) __attribute__((warn_unused_result));
/* Ends exports; OK, TIMEOUT, or the status of a refusal. */
enum busbar_status app_end(struct busbar_app *app);

/* The levels that code set, over those of the file. */
void app_apply_code_levels(struct busbar_app *app);

#endif
