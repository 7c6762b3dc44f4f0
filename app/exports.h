/*
 * Exports: objects under names on the bus. Groups them into workers, registers them with every
 * broker, and answers requests by calling the object. Knows no file.
 */
#ifndef APP_EXPORTS_H
#define APP_EXPORTS_H

#include <busbar/object.h>
#include <stdint.h>

struct app_log;

struct export_tag {
    char *name;
    char *value;
};

/* An export as a file or code defines it; settings.c has its table. */
struct export_settings {
    char *name;
    char *object; /* an id */
    char *version;
    struct export_tag *tags;
    size_t tag_count;
    uint32_t instances;
    uint32_t threads;
    uint32_t credit;   /* 0: adapted */
    uint32_t weight;   /* 0: the default */
    char *balance;     /* NULL: not said */
    uint32_t stall_ms; /* of all methods; 0: never */
};

/* Exports of one group share their workers, one for each broker, so one connection each. */
struct exports;

enum busbar_status exports_new(struct exports **ret, struct app_log *log)
    __attribute__((warn_unused_result));

/* The endpoints every export is registered with; NULL-terminated, copied. Before the first add. */
enum busbar_status exports_set_brokers(struct exports *exports, const char *const *endpoints)
    __attribute__((warn_unused_result));

/*
 * Starts an export at once; both are copied or referenced. The methods are what the object says it
 * has; those of a proxy or a pool that nothing is known of are asked for in the background until
 * they are known, and then registered. Failures are the outcome of the thread.
 */
enum busbar_status exports_add(struct exports *exports, const struct export_settings *settings,
                               struct busbar_object *object) __attribute__((warn_unused_result));

/* NO_SERVICE if there is none of the name. */
enum busbar_status exports_remove(struct exports *exports, const char *name)
    __attribute__((warn_unused_result));

/*
 * Several exports changed at once, so that none of their calls fails: where only the object is
 * another one with the same methods, requests go to it from then on; else the new registrations are
 * up with all brokers that had the old ones before those are taken back. Calls that run are
 * answered.
 */
struct exports_exchange;

enum busbar_status exports_exchange_new(struct exports_exchange **ret, struct exports *exports)
    __attribute__((warn_unused_result));
/* An export as it is to be, whether there is one of its name or not. Once for each name. */
enum busbar_status exports_exchange_put(struct exports_exchange *exchange,
                                        const struct export_settings *settings,
                                        struct busbar_object *object)
    __attribute__((warn_unused_result));
/* One that is to be no more; NO_SERVICE if there is none. */
enum busbar_status exports_exchange_remove(struct exports_exchange *exchange, const char *name)
    __attribute__((warn_unused_result));
/* Waits for the new registrations, then makes them all count. On failure, which is that of a broker
 * that does not take one within seconds, all stays as it was. Once, as the last thing. */
enum busbar_status exports_exchange_commit(struct exports_exchange *exchange)
    __attribute__((warn_unused_result));
/* What was not committed has not happened. */
void exports_exchange_destroy(struct exports_exchange **exchange);

/* Waits until each is registered with at least one broker. TIMEOUT, or the status of a refusal. */
enum busbar_status exports_wait_ready(struct exports *exports, uint32_t timeout_ms)
    __attribute__((warn_unused_result));

/* Tells once, from any thread, when a broker refuses an export for good. */
void exports_on_refusal(struct exports *exports, void (*refused)(void *context), void *context);

/* Ends all workers in order, waits for running calls; OK, TIMEOUT, or the status of a refusal. */
enum busbar_status exports_stop(struct exports *exports);

void exports_destroy(struct exports **exports);

#endif
