/* A whole bus in the test's own process: a broker on a thread, and workers whose methods answer from
 * a table of plain functions. */
#ifndef TESTS_UNIT_BUS_RIG_H
#define TESTS_UNIT_BUS_RIG_H

#include <busbar/object.h>
#include <busbar/worker.h>
#include <pthread.h>
#include <stdbool.h>

struct busbar_broker;

struct bus {
    struct busbar_broker *broker;
    pthread_t thread;
    char endpoint[128]; /* stays what it was when the broker is stopped */
};

/* At a free port, or, after bus_stop, at the same one as before. */
void bus_start(struct bus *bus);
void bus_stop(struct bus *bus);

/* An endpoint of the loopback at which nobody listens. */
void bus_nowhere(char endpoint[128]);

/* A worker that runs already; `threads` and `credit` as in its options. */
struct busbar_worker *bus_worker(const struct bus *bus, const struct busbar_service *services,
                                 size_t count, uint32_t threads);
/* The same of one service. */
struct busbar_worker *bus_serve(const struct bus *bus, const char *service,
                                const struct busbar_method *methods, void *context);

/* A proxy that knows nothing but the service and the broker. */
struct busbar_object *bus_proxy(const struct bus *bus, const char *service);

#define BUS_METHODS(...) ((const struct busbar_method[]){__VA_ARGS__, {.name = NULL}})

#endif
