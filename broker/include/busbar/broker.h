/* The broker as a library: the same as the program busbard, on a thread of another program. */
#ifndef BUSBAR_BROKER_H
#define BUSBAR_BROKER_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Thread rules: one thread at a time, but for busbar_broker_stop. Nothing here touches signals or
 * writes anything.
 */
struct busbar_broker;

/* All members but `endpoint` may be 0 for the default; `reserved` must be. */
struct busbar_broker_options {
    const char *endpoint; /* tcp://HOST:PORT, port * for a free one, or ipc://PATH */
    /* Told of each event, never of a call; `level` is "error", "warning", "info" or "debug",
     * `fields` are `key=value …`. Runs on the thread that calls the functions below. */
    void (*log)(void *context, const char *level, const char *event, const char *fields);
    void *context;
    /* Must be true for an endpoint that other machines can reach: there is no encryption, and
     * whoever can connect can call and export everything. */
    bool allow_plaintext;
    void *reserved[4];
};

/* Binds; when it returns OK clients may connect. Else `error` says why, naming the endpoint. */
enum busbar_status busbar_broker_new(struct busbar_broker **ret,
                                     const struct busbar_broker_options *options, char *error,
                                     size_t error_size) __attribute__((warn_unused_result));

/* The endpoint as it really is; borrowed. */
const char *busbar_broker_endpoint(const struct busbar_broker *broker);

/* Serves until busbar_broker_stop, then drains for at most a bounded time. */
enum busbar_status busbar_broker_run(struct busbar_broker *broker)
    __attribute__((warn_unused_result));

/* Makes busbar_broker_run return; also before it runs. From any thread; async-signal-safe. */
void busbar_broker_stop(struct busbar_broker *broker);

/* Frees a broker that does not run. */
void busbar_broker_destroy(struct busbar_broker **broker);

#ifdef __cplusplus
}
#endif

#endif
