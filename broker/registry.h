/*
 * The name registry: which services exist, which methods they have, and which workers offer them.
 * A method is found by one look-up of the service and method names as they stand in a packet.
 */
#ifndef BROKER_REGISTRY_H
#define BROKER_REGISTRY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "broker/rules.h"
#include "broker/tempo.h"
#include "protocol/packet.h"
#include "protocol/registration.h"

struct peer;

/* A worker that offers a method, and what is asked of it at each call. */
struct provider {
    struct peer *worker;
    struct export *export;
    int64_t turn;   /* of the weighted round robin */
    uint32_t stall; /* ms; 0 for never */
    uint16_t weight;
    bool idempotent : 1;
    bool caller : 1;   /* is told who calls */
    bool draining : 1; /* gets no calls */
};

/*
 * Lives while a worker offers it or a call refers to it. Where thousands of methods are called in turn
 * each call finds its own in no cache, so what it touches lies together, in two cache lines if the
 * names are short: the provider too, where it is the only one. A reply touches the first alone.
 */
struct method {
    struct map_node by_name;
    struct service *service;
    struct tempo tempo;
    uint32_t references;
    uint32_t index; /* in service.offered, for export.offers; UINT32_MAX before it was offered */
    uint32_t provider_count;
    uint32_t draining_count; /* of those */
    uint8_t service_size;
    uint8_t method_size;
    union {
        struct provider only;
        struct {
            struct provider *several; /* if there are more than one */
            uint32_t next; /* where the search for the least loaded starts: equals take turns */
        };
    };
    char names[]; /* service, method, without NUL */
};

/* Lives while it has methods. One without exports is there for calls that wait for some. */
struct service {
    struct map_node by_name;
    struct list exports;     /* export.of_service */
    size_t export_count;     /* length of exports */
    size_t method_count;     /* that live; clients may think up any number of them */
    struct method **offered; /* those that somebody offers or offered, by method.index */
    size_t offered_slots;    /* length of offered, holes included */
    size_t offered_from;     /* no hole is below */
    struct method *whole;    /* the one of the empty name, while there is one */
    struct list flows;       /* flow.of_service: the backlog, in the order of its round robin */
    struct list waiting;     /* backlog.waiting, while calls are in it */
    size_t queued;           /* calls in the backlog */
    size_t queued_bytes;
    uint32_t running; /* calls that workers have */
    uint32_t budget;  /* hundredths of repetitions that may be made after losses of workers */
    const struct service_rule *rule; /* what the configuration says of it; NULL for nothing */
    enum balance balance;
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
    uint64_t identity; /* of the worker, the same at each of its sessions: for sticky calls */
    bool draining;     /* gets no calls, as its entry in each of its methods says too */
};

struct registry {
    struct siphash_key key;
    struct map services;
    struct map methods;
    struct method *recent; /* found last: calls of one method come in runs */
    const struct service_rule *rules;
    size_t rule_count;
    uint32_t budget; /* of a new service */
};

bool registry_init(struct registry *registry);
void registry_fini(struct registry *registry);

/* Is it the method of these names? Such as stand in a row, as in a packet, are compared at once. */
static inline bool method_is(const struct method *method, struct bytes service, struct bytes name)
{
    if (method->service_size != service.size || method->method_size != name.size)
        return false;
    if (service.data + service.size == name.data)
        return memcmp(method->names, service.data, service.size + name.size) == 0;
    return memcmp(method->names, service.data, service.size) == 0 &&
           (name.size == 0 || memcmp(method->names + service.size, name.data, name.size) == 0);
}

/* By the hash of its names, made here if it is 0; NULL if no worker offers the method (now). */
struct method *registry_look_up(struct registry *registry, struct bytes service,
                                struct bytes method, uint64_t names_hash);

/* The same, but first whether it is the one that was found last. */
static inline struct method *registry_find_method(struct registry *registry, struct bytes service,
                                                  struct bytes method, uint64_t names_hash)
{
    struct method *recent = registry->recent;
    if (recent != NULL && recent->provider_count > 0 && method_is(recent, service, method))
        return recent;
    return registry_look_up(registry, service, method, names_hash);
}

/* For a look-up that comes soon: the hash of the names, whose place is fetched into the caches; 0 for
 * the method that was found last. Then, a little later, the method is fetched. */
uint64_t registry_foresee(const struct registry *registry, struct bytes service,
                          struct bytes method);
void registry_prefetch(const struct registry *registry, uint64_t names_hash);

/* The method, made if need be, although nobody offers it: for a call that waits for it and refers to
 * it from now on. The names were checked. NULL when out of memory. */
struct method *registry_await_method(struct registry *registry, struct bytes service,
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

/* Lets an export get no calls, or get them again. */
void export_drain(struct export *export, bool drain);

/* The worker's export of a service, or NULL. */
struct export *registry_find_export(const struct peer *worker, const struct service *service);

static inline void method_ref(struct method *method)
{
    method->references++;
}

void method_end(struct registry *registry, struct method *method);

/* The last reference takes the method with it, and a service of which nothing is left. */
static inline void method_unref(struct registry *registry, struct method *method)
{
    assert(method->references > 0);
    if (--method->references == 0)
        method_end(registry, method);
}

/* The method whose providers take its calls: its own, or those that take whatever nobody offers. */
static inline struct method *method_source(struct method *method)
{
    if (method->provider_count > 0)
        return method;
    struct method *whole = method->service->whole;
    return whole == NULL ? method : whole;
}

/* Does anybody take its calls? */
static inline bool method_is_served(struct method *method)
{
    return method_source(method)->provider_count > 0;
}

/* Who is not draining? */
static inline bool method_is_open(struct method *method)
{
    const struct method *source = method_source(method);
    return source->provider_count > source->draining_count;
}

static inline struct provider *method_providers(struct method *method)
{
    return method->provider_count > 1 ? method->several : &method->only;
}

/* The entry of an export among a method's providers; NULL if it does not offer the method. */
struct provider *method_provider(struct method *method, const struct export *export);

/* As `told` in the export's registration; false when out of memory. */
bool method_add_provider(struct method *method, struct export *export,
                         const struct registration_method *told);
void method_remove_provider(struct method *method, const struct export *export);

static inline bool export_offers(const struct export *export, const struct method *method)
{
    return method->index / 64 < export->offer_words &&
           (export->offers[method->index / 64] >> (method->index % 64) & 1);
}

/* May the export be given calls that wait for the method? Those that nobody offers by name may go to
 * one that takes the whole service, and those without a name to one that finds it in their bodies. */
static inline bool export_takes(const struct export *export, const struct method *method)
{
    return export_offers(export, method) ||
           (method->provider_count == 0 &&
            (export->registration.whole || method->method_size == 0));
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
