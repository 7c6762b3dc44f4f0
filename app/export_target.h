/* What an export calls: an object, and what is known of each of its methods. */
#ifndef APP_EXPORT_TARGET_H
#define APP_EXPORT_TARGET_H

#include <busbar/worker.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "objects/object.h"

struct export_method {
    char *name;
    char *signature; /* "" if not known */
    char *text;
    bool idempotent;
    /* Read from the signature, so that no call has to. */
    bool is_typed;   /* there is one, and it is understood */
    bool gives_raw;  /* its result travels as raw bytes */
    bool takes_none; /* it has no arguments */
    bool takes_text; /* it has one argument, a string */
};

/* Counted: by its export and by each registration, so until its last request is over. */
struct export_target {
    atomic_uint references;
    pthread_mutex_t lock; /* of `object` */
    struct busbar_object *object;
    struct export_method *methods;
    size_t method_count;
};

/* Can what the object offers be unknown today and known tomorrow? So it is with what lies on the
 * bus. */
bool export_target_may_change(const struct busbar_object *object);

/* Asks the object for its methods, at most `timeout_ms`; NOTHING if it has none. References the
 * object. Failures are the outcome of the thread. */
enum busbar_status export_target_new(struct export_target **ret, struct busbar_object *object,
                                     uint32_t timeout_ms) __attribute__((warn_unused_result));
struct export_target *export_target_ref(struct export_target *target);
void export_target_unref(struct export_target **target);

/* A reference to the object that is called now. */
struct busbar_object *export_target_object(struct export_target *target);
/* Calls another one from now on, which has the same methods; requests that run keep theirs. */
void export_target_swap(struct export_target *target, struct busbar_object *object);
/* Are the methods of both the same, whatever their order: names, signatures, texts, flags? */
bool export_target_same_methods(const struct export_target *a, const struct export_target *b);

/* A service of all its methods, as busbar_worker_register takes it; the array, for free(), is
 * `methods` of it. NULL there when out of memory. */
struct busbar_service export_target_service(struct export_target *target, const char *name);

/* The handler of all methods; its context is the target. export_handler.c */
void export_handle(struct busbar_request **request, void *context);

#endif
