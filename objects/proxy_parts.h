/* What a proxy is made of, for its files alone: settings, life, questions to the bus, calls. */
#ifndef OBJECTS_PROXY_PARTS_H
#define OBJECTS_PROXY_PARTS_H

#include "objects/proxy.h"

#include <stdatomic.h>

#include "client-lib/fork_mark.h"
#include "objects/known.h"
#include "objects/link.h"
#include "objects/object.h"

struct proxy_target_settings {
    char *service;
    struct text_settings *brokers;
    size_t broker_count;
    uint32_t timeout_ms;
    uint32_t retries;
    struct text_settings *idempotent;
    size_t idempotent_count;
};

struct proxy_settings {
    struct proxy_target_settings target;
    struct function_settings *functions;
    size_t function_count;
};

extern const struct settings_table proxy_table; /* proxy_settings.c */

struct proxy {
    struct busbar_object object;
    struct fork_mark mark;
    struct proxy_settings settings;
    struct signature *signatures; /* of settings.functions */
    const char **endpoints;       /* of settings.target.brokers, NULL-terminated; NULL for none */
    struct known known;
    atomic_uint_fast64_t quiet_til; /* ms: the bus had no use for questions, and is not asked */
    atomic_bool has_others;         /* a member of a pool */
    pthread_mutex_t lock;           /* of `links`, and the making of `link` */
    struct links *links;
    _Atomic(struct link *) link; /* from the first call on */
};

/* proxy_settings.c: takes the settings and the signatures, on failure too. */
enum busbar_status proxy_make(struct busbar_object **ret, struct proxy_settings *settings,
                              struct signature **signatures);

/* A call on its way. */
struct proxy_call {
    struct proxy *proxy;
    const struct busbar_object_call *call;
    uint64_t deadline; /* ms */
};

/* What is said of a method, by the settings or by the bus; NULL and false where nothing is. */
struct proxy_method {
    const char *signature;
    const char *text;
    bool is_known;
    bool is_declared; /* by the settings: the bus is not asked */
    bool idempotent;
    bool takes_raw;
};

/* proxy.c ---------------------------------------------------------------------------------- */

/* The link, made if there is none. */
enum busbar_status proxy_link(struct proxy *proxy, struct link **ret);

/* What is left of the time; 0 if nothing is. */
uint32_t proxy_left(uint64_t deadline);

/* FORKED in the child of a fork, else OK. */
enum busbar_status proxy_check(const struct proxy *proxy);

/* What is known without asking. */
struct proxy_method proxy_known(struct proxy *proxy, const char *method);

/* Do the settings name the method? */
bool proxy_declares(const struct proxy *proxy, const char *method);

/* Makes the reply of a failure, or its absence, this thread's outcome: names service, method (NULL
 * for none) and endpoint. Returns the status. */
enum busbar_status proxy_failed(struct proxy *proxy, const char *method, enum busbar_status status,
                                const struct busbar_reply *reply);

/* proxy_ask.c ---------------------------------------------------------------------------------- */

/* Has the bus describe the service, and learns it. A failure is this thread's outcome; the method
 * that is to be called was not executed. */
enum busbar_status proxy_ask(struct proxy *proxy, const struct proxy_call *run);

/* The functions of the class that ask. */
enum busbar_status proxy_describe(struct busbar_object *object, uint32_t timeout_ms,
                                  object_method_fn *each, void *context);
enum busbar_status proxy_probe(struct busbar_object *object, uint32_t timeout_ms);

/* proxy_call.c --------------------------------------------------------------------------------- */

enum busbar_status proxy_call(struct busbar_object *object, const struct busbar_object_call *call,
                              struct busbar_value **ret);

#endif
