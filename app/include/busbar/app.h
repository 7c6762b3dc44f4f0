/* Applications: objects, exports and brokers, wired by a file or by code. */
#ifndef BUSBAR_APP_H
#define BUSBAR_APP_H

#include <busbar/object.h>
#include <busbar/worker.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * An application holds objects by id, exports some of them under names on the bus, and knows the
 * brokers of both. It comes from a file (docs/configuration.md) or from the functions below, which
 * do the same: busbar_app_dump() prints both alike.
 *
 * Thread rules: busbar_app_object, _stop, _reload, _add, _export and _unexport may be called from
 * any thread, also while it runs; all else by one thread at a time. Errors are in
 * busbar_last_status() and busbar_last_error(), see <busbar/object.h>.
 */
struct busbar_app;

/*
 * Reads a file ("-" is stdin), creates its objects, starts the embedded broker if it has one, and
 * starts its exports. Then waits until they are registered, but for an absent broker not longer
 * than a second: the workers go on trying. BAD_CONFIG: busbar_last_error() has one line
 * `FILE:LINE:COLUMN: what` for each error, and nothing is left running.
 */
enum busbar_status busbar_app_load(struct busbar_app **ret, const char *path)
    __attribute__((warn_unused_result));

/* The same without starting anything: what busbar_app_start would start. */
enum busbar_status busbar_app_read(struct busbar_app **ret, const char *path)
    __attribute__((warn_unused_result));

/* An empty application, for code. */
enum busbar_status busbar_app_new(struct busbar_app **ret) __attribute__((warn_unused_result));

/* Stops it if it runs, then frees it and its references to objects. */
void busbar_app_destroy(struct busbar_app **app);

/* Wiring by code; before busbar_app_start, but for _add, _export and _unexport, which also work
 * while it runs. ------------------------------------------------------------------------------ */

/* The endpoints of proxies and exports that name none: proxies try them in order, exports are
 * registered with all. NULL-terminated; copied. */
enum busbar_status busbar_app_set_brokers(struct busbar_app *app, const char *const *endpoints)
    __attribute__((warn_unused_result));

/* A broker inside this process, on a thread of its own, for proxies and exports that name none.
 * Port `*` takes a free one. Opens libbusbar-broker unless the program is linked with it. */
enum busbar_status busbar_app_embed(struct busbar_app *app, const char *endpoint)
    __attribute__((warn_unused_result));

struct busbar_embed_options {
    const char *endpoint; /* needed */
    /* Must be true for an endpoint that other machines can reach, else that is BAD_ARGUMENT: there
     * is no encryption, and whoever can connect can call and export everything. */
    bool allow_plaintext;
    void *reserved[4];
};
/* The same with options; `reserved` must be 0. */
enum busbar_status busbar_app_embed_with(struct busbar_app *app,
                                         const struct busbar_embed_options *options)
    __attribute__((warn_unused_result));

/* Gives an object an id ([A-Za-z_][A-Za-z0-9_.-]{0,126}), and a proxy the brokers of the
 * application. Takes a reference of its own. CONFLICT if the id is in use. */
enum busbar_status busbar_app_add(struct busbar_app *app, const char *id,
                                  struct busbar_object *object) __attribute__((warn_unused_result));

struct busbar_export {
    const char *name;        /* on the bus; needed */
    const char *object;      /* an id; needed */
    const char *version;     /* NULL for none */
    const char *const *tags; /* name, value, …, NULL; NULL for none */
    uint32_t instances;      /* registrations, each with a connection of its own; default 1 */
    uint32_t threads;        /* calls handled at once by each instance; default 1 */
    uint32_t credit;         /* calls taken at once by each instance; default: adapted */
    uint32_t weight;         /* 1 to 10000, against other workers of the service; default 100 */
    const char *balance;     /* "least_loaded", "round_robin", "random" or "sticky": how its calls
                                are spread over its workers; NULL: not said here */
    uint32_t stall_ms;       /* a handler that gives no sign for so long counts as hanging, and its
                                call ends as TIMEOUT; default: its deadline alone ends it */
    void *reserved[4];
};
/*
 * Exports of one instance with the same threads and credit share one connection. A call that a
 * handler makes through a proxy does not count among `threads` while it waits, so that services of
 * one process may call each other; when 64 of them wait for each other the next is BUSY.
 */
enum busbar_status busbar_app_export(struct busbar_app *app, const struct busbar_export *export_)
    __attribute__((warn_unused_result));
/* Deregisters at once; calls already here are still answered. */
enum busbar_status busbar_app_unexport(struct busbar_app *app, const char *name)
    __attribute__((warn_unused_result));

/*
 * The log goes to stderr, one line per event: time, level, component, message. Components are
 * "config", "objects", "exports", "broker" and "pools"; NULL sets all. Levels are "error",
 * "warning", "info", "debug", "off". Default: warning. $BUSBAR_LOG, as in "debug" or
 * "info,objects=debug", comes before both file and code.
 */
enum busbar_status busbar_app_set_log(struct busbar_app *app, const char *component,
                                      const char *level) __attribute__((warn_unused_result));

/* Running -------------------------------------------------------------------------------------- */

/* Starts what was wired by code or by busbar_app_read; as busbar_app_load does. */
enum busbar_status busbar_app_start(struct busbar_app *app) __attribute__((warn_unused_result));

/*
 * Waits until busbar_app_stop, then ends the exports in order. Meanwhile it handles the signals
 * SIGINT and SIGTERM, which stop, and SIGHUP, which reloads an application that came from a file; a
 * second SIGINT or SIGTERM ends the process at once. No other function of the libraries of Busbar
 * touches signals, and this one puts the former handlers back. One application of a process at a time.
 * BAD_ARGUMENT if the application was not started. Returns what ended it: OK after a stop in which
 * all calls were answered, TIMEOUT, or the status of a refusal by the broker.
 */
enum busbar_status busbar_app_run(struct busbar_app *app) __attribute__((warn_unused_result));

/* Makes busbar_app_run return. Async-signal-safe. */
void busbar_app_stop(struct busbar_app *app);

/*
 * Reads the file again. Exports and pools become as it says: exports that are gone are
 * deregistered, new ones registered, unchanged ones not touched; pools get and lose members; new
 * objects are created. No call of an export that stays is lost: its new registration is up with
 * all brokers that had the old one before that is taken back, and where nothing but the object is
 * another one there is no new registration. An object that the file changed or dropped lives on for
 * those who have it from busbar_app_object. If the file has an error, is empty now, or names another
 * `broker`, or if a broker does not take a registration within 5 s, nothing is changed and
 * busbar_last_error() says why.
 */
enum busbar_status busbar_app_reload(struct busbar_app *app) __attribute__((warn_unused_result));

/* By id; borrowed from the application, until it is destroyed. NULL, with BAD_ARGUMENT and a text
 * that lists the ids, if there is none. */
struct busbar_object *busbar_app_object(struct busbar_app *app, const char *id);

/* The endpoint of the embedded broker or the first one, as it really is; borrowed. */
const char *busbar_app_broker(const struct busbar_app *app);

/* The configuration in effect, as a file that reads back the same. */
void busbar_app_dump(const struct busbar_app *app, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
