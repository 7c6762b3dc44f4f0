/*
 * The services a worker exports, their methods, and how far each is registered with the broker.
 * Knows no connection: what is to be said to the broker is for session.c.
 */
#ifndef WORKER_LIB_SERVICE_H
#define WORKER_LIB_SERVICE_H

#include <busbar/worker.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/blob.h"
#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "protocol/packet.h"

enum service_state {
    SERVICE_NEW,        /* REGISTER is to be sent, at `due` */
    SERVICE_ASKED,      /* REGISTER was sent */
    SERVICE_REGISTERED, /* and accepted */
    SERVICE_REFUSED,    /* for good */
    SERVICE_LEAVING,    /* DEREGISTER is to be sent */
    SERVICE_LEFT,       /* DEREGISTER was sent */
};

struct service;

/* What the application's context is to be given back with, when the last service that has it, of as
 * many workers as a handle has, is gone. */
struct context_owner {
    atomic_uint references;
    void *context;
    void (*free)(void *context); /* NULL: it stays with the application */
};

struct method {
    struct map_node node;
    struct service *service;
    const char *called; /* as a CALL names it: the service and, right behind it, the method */
    size_t called_size; /* of both */
    const char *name;   /* the second of them */
    busbar_handler_fn *handler;
};

/* Lives as long as the table or a request refers to it. What each request touches is behind the rest,
 * beside the methods and their names: with thousands of services it is in no cache. */
struct service {
    struct list link;
    char *name;
    struct context_owner *owner; /* NULL, or once the worker has taken the service */
    struct blob *registration;   /* the body of REGISTER */
    enum service_state state;
    bool indexed;     /* its methods are in the table's map */
    uint64_t id;      /* of the REGISTER or DEREGISTER sent last */
    uint64_t due;     /* ms */
    uint32_t backoff; /* ms */
    atomic_uint references;
    size_t method_count;
    void *context;
    struct method methods[]; /* and then what they are called */
};

/* `services` and the states are for the worker's lock; `methods` is the leader's alone. */
struct service_table {
    struct list services;
    struct map methods;
    struct method *recent; /* found last: calls of one method come in runs */
    struct siphash_key key;
    uint64_t last_id;
};

bool service_table_init(struct service_table *table);
void service_table_fini(struct service_table *table);

/* A service from what the application says. BAD_ARGUMENT with a static text in `reason`. */
enum busbar_status service_new(struct service **ret, const struct busbar_service *from,
                               const char **reason) __attribute__((warn_unused_result));

/* NULL when out of memory. */
struct context_owner *context_owner_new(const struct busbar_service *from);
struct context_owner *context_owner_ref(struct context_owner *owner);
void context_owner_unref(struct context_owner **owner);

static inline struct service *service_ref(struct service *service)
{
    atomic_fetch_add_explicit(&service->references, 1, memory_order_relaxed);
    return service;
}

void service_free(struct service *service);

static inline void service_unref(struct service **service)
{
    struct service *dropped = *service;
    *service = NULL;
    if (dropped != NULL &&
        atomic_fetch_sub_explicit(&dropped->references, 1, memory_order_acq_rel) == 1)
        service_free(dropped);
}

/* One that is not leaving; NULL if there is none. Borrowed. */
struct service *service_find(const struct service_table *table, const char *name);

/* The one whose last packet had this id. */
struct service *service_find_id(const struct service_table *table, uint64_t id);

/* Makes the methods findable; the leader calls it. */
void service_index(struct service_table *table, struct service *service);

/* Takes the service out of the table and drops the table's reference; the leader calls it. */
void service_remove(struct service_table *table, struct service *service);

/* The method a CALL names; NULL if there is none. The leader calls it. */
struct method *service_method(struct service_table *table, const struct packet *call);

#endif
