/*
 * The name registry: which services exist, which methods they have, and which workers offer them.
 * A method is found by one look-up of the service and method names as they stand in a packet.
 */
#ifndef BROKER_REGISTRY_H
#define BROKER_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "protocol/packet.h"
#include "protocol/registration.h"

struct peer;

/* A worker that offers a method. */
struct provider {
    struct export *export;
    bool idempotent;
};

/* Lives while a worker offers it or a call refers to it. */
struct method {
    struct map_node by_name;
    struct service *service;
    size_t index; /* among the methods of its service; for export.offers */
    size_t references;
    struct provider *providers;
    size_t provider_count;
    size_t
        next; /* where the search for the least loaded worker starts, so that equals take turns */
    uint8_t service_size;
    uint8_t method_size;
    char names[]; /* service, method, without NUL */
};

/* Lives while it has methods. */
struct service {
    struct map_node by_name;
    struct list exports; /* export.of_service */
    size_t export_count; /* length of exports */
    struct method **methods;
    size_t method_slots; /* length of methods, holes included */
    struct list flows;   /* flow.of_service: the backlog, in the order of its round robin */
    size_t queued;       /* calls in the backlog */
    size_t queued_bytes;
    size_t running;
    size_t name_size;
    char name[]; /* NUL-terminated */
};

/* One service as one worker registered it. */
struct export
{
    struct list of_worker;
    struct list of_service;
    struct peer *worker;
    struct service *service;
    struct registration registration;
    size_t bytes;            /* memory it takes, roughly */
    struct method **methods; /* in the order of the registration */
    uint64_t *offers;        /* a bit per method.index */
    size_t offer_words;
};

struct registry {
    struct siphash_key key;
    struct map services;
    struct map methods;
    struct method *recent; /* found last: calls of one method come in runs */
};

bool registry_init(struct registry *registry);
void registry_fini(struct registry *registry);

/* NULL if no call can be routed: no worker offers the method (now). */
struct method *registry_find_method(struct registry *registry, struct bytes service,
                                    struct bytes method);

struct service *registry_find_service(const struct registry *registry, struct bytes name);

/*
 * Adds what a worker registers; takes the registration, on failure too. `name` was checked.
 * NULL when out of memory.
 */
struct export *registry_add(struct registry *registry, struct peer *worker, struct bytes name,
                            struct registration *registration);

/* Takes an export out: it offers nothing any more. Its methods stay, for calls that refer to them. */
void registry_withdraw(struct export *export);

/* Frees a withdrawn export, and what nobody refers to any more. */
void export_destroy(struct registry *registry, struct export **export);

/* The worker's export of a service, or NULL. */
struct export *registry_find_export(const struct peer *worker, const struct service *service);

static inline void method_ref(struct method *method)
{
    method->references++;
}

void method_unref(struct registry *registry, struct method *method);

static inline bool export_offers(const struct export *export, const struct method *method)
{
    return method->index / 64 < export->offer_words &&
           (export->offers[method->index / 64] >> (method->index % 64) & 1);
}

static inline struct bytes method_service(const struct method *method)
{
    return (struct bytes){.data = (const uint8_t *)method->names, .size = method->service_size};
}

static inline struct bytes method_name(const struct method *method)
{
    return (struct bytes){.data = (const uint8_t *)method->names + method->service_size,
                          .size = method->method_size};
}

#endif
