/* The broker as a whole, for busbard and for embedding: made, run on one thread, stopped, freed. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <busbar/status.h>
#include <stddef.h>

struct broker;
struct broker_settings;

enum broker_log_level {
    BROKER_LOG_ERROR,
    BROKER_LOG_WARNING,
    BROKER_LOG_INFO,
    BROKER_LOG_DEBUG,
};

/* How the core tells its program what happens; it writes nothing itself. */
struct broker_hooks {
    void *context;
    /* One event, and its fields as `key=value …` with peers' strings quoted. Never per call. NULL:
     * nothing is told. Runs on the thread of broker_new, broker_run or broker_destroy. */
    void (*log)(void *context, enum broker_log_level level, const char *event, const char *fields);
    /* The ZeroMQ context to use, for inproc endpoints; NULL: one of its own. */
    void *zmq_context;
};

/*
 * Binds every endpoint of the settings, which are borrowed until broker_destroy. On failure `error`
 * receives a line that names the endpoint and the reason. `hooks` may be NULL.
 */
enum busbar_status broker_new(struct broker **ret, const struct broker_settings *settings,
                              const struct broker_hooks *hooks, char *error, size_t error_size)
    __attribute__((warn_unused_result));

/* The endpoints as they really are: `tcp://127.0.0.1:*` has become a port. Borrowed. */
size_t broker_endpoint_count(const struct broker *broker);
const char *broker_endpoint(const struct broker *broker, size_t index);

/*
 * Serves until broker_stop, then drains: new calls are refused as DRAINING, those that run may
 * finish within a bound, every peer is told BYE. Runs on one thread at a time.
 */
enum busbar_status broker_run(struct broker *broker) __attribute__((warn_unused_result));

/* Asks broker_run to end. From any thread; async-signal-safe. */
void broker_stop(struct broker *broker);

/* Frees a broker that does not run. */
void broker_destroy(struct broker **broker);

#endif
