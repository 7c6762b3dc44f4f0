/* Services on the bus as objects: their life, and what is known of them without asking. */
#include "objects/proxy.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/idempotent.h"
#include "objects/outcome.h"
#include "objects/proxy_parts.h"

static struct proxy *proxy_of(struct busbar_object *object)
{
    return CONTAINER_OF(object, struct proxy, object);
}

enum busbar_status proxy_check(const struct proxy *proxy)
{
    if (!fork_mark_is_forked(&proxy->mark))
        return BUSBAR_OK;
    return busbar_fail(BUSBAR_FORKED, BUSBAR_NOT_EXECUTED, "%s: %s", proxy->settings.target.service,
                       busbar_status_text(BUSBAR_FORKED));
}

uint32_t proxy_left(uint64_t deadline)
{
    uint64_t now = clock_ms();
    return now < deadline ? (uint32_t)(deadline - now) : 0;
}

enum busbar_status proxy_link(struct proxy *proxy, struct link **ret)
{
    enum busbar_status status = BUSBAR_OK;
    *ret = atomic_load_explicit(&proxy->link, memory_order_acquire);
    if (*ret != NULL)
        return BUSBAR_OK;
    pthread_mutex_lock(&proxy->lock);
    *ret = atomic_load_explicit(&proxy->link, memory_order_acquire);
    if (*ret == NULL)
        status = links_get(proxy->links, proxy->endpoints, ret);
    atomic_store_explicit(&proxy->link, *ret, memory_order_release);
    pthread_mutex_unlock(&proxy->lock);
    return status;
}

/* Outcomes ------------------------------------------------------------------------------------- */

/* The endpoints, or "" if it was not even tried to find them. */
static const char *endpoints_of(struct proxy *proxy)
{
    const struct link *link = atomic_load_explicit(&proxy->link, memory_order_acquire);
    return link != NULL ? link_name(link) : "";
}

/* A text that is complete needs nothing before it: the client names all, the broker and workers do
 * not know the endpoint. */
static bool names_all(const struct proxy *proxy, const char *method, const char *text)
{
    return strstr(text, "://") != NULL && strstr(text, proxy->settings.target.service) != NULL &&
           (method == NULL || strstr(text, method) != NULL);
}

enum busbar_status proxy_failed(struct proxy *proxy, const char *method, enum busbar_status status,
                                const struct busbar_reply *reply)
{
    const char *service = proxy->settings.target.service;
    const char *id = object_name(&proxy->object);
    if (reply != NULL)
        busbar_fail(status, busbar_reply_fate(reply), "%s",
                    busbar_reply_error(reply)[0] != '\0' ? busbar_reply_error(reply)
                                                         : busbar_status_text(status));
    if (!names_all(proxy, method, busbar_last_error())) {
        const char *endpoints = endpoints_of(proxy);
        outcome_prefix("%s%s%s%s%s: ", service, method != NULL ? "." : "",
                       method != NULL ? method : "", endpoints[0] != '\0' ? " at " : "", endpoints);
    }
    if (strcmp(id, service) != 0)
        outcome_prefix("%s: ", id);
    return status;
}

/* Knowledge ------------------------------------------------------------------------------------ */

static bool is_listed_idempotent(const struct proxy *proxy, const char *method)
{
    const struct proxy_target_settings *target = &proxy->settings.target;
    return idempotent_has(target->idempotent, target->idempotent_count, method);
}

static const struct function_settings *find_function(const struct proxy *proxy, const char *method,
                                                     struct proxy_method *ret)
{
    for (size_t i = 0; i < proxy->settings.function_count; i++) {
        const struct function_settings *function = &proxy->settings.functions[i];
        if (strcmp(function->name, method) != 0)
            continue;
        *ret = (struct proxy_method){
            .signature = function->signature,
            .text = function->text,
            .is_known = function->signature != NULL,
            .is_declared = function->signature != NULL,
            .idempotent = function->idempotent,
            .takes_raw = function->signature != NULL && signature_takes_raw(&proxy->signatures[i]),
        };
        return function;
    }
    return NULL;
}

/* The settings come before what was learned. */
static void add_known(struct proxy_method *ret, const struct known_method *known)
{
    ret->is_known = true;
    ret->signature = known->signature;
    ret->takes_raw = known->takes_raw;
    ret->idempotent = ret->idempotent || known->idempotent;
    if (ret->text == NULL)
        ret->text = known->text;
}

struct proxy_method proxy_known(struct proxy *proxy, const char *method)
{
    struct proxy_method ret = {0};
    find_function(proxy, method, &ret);
    const struct known_method *known = ret.is_known ? NULL : known_find(&proxy->known, method);
    if (known != NULL)
        add_known(&ret, known);
    ret.idempotent = ret.idempotent || is_listed_idempotent(proxy, method);
    return ret;
}

bool proxy_declares(const struct proxy *proxy, const char *method)
{
    struct proxy_method ret;
    return find_function(proxy, method, &ret) != NULL;
}

static const char *text_or_none(const char *text)
{
    return text != NULL ? text : "";
}

static bool proxy_find(struct busbar_object *object, const char *method, struct object_method *ret)
{
    struct proxy *proxy = proxy_of(object);
    struct proxy_method known = {0};
    if (fork_mark_is_forked(&proxy->mark))
        find_function(proxy, method, &known);
    else
        known = proxy_known(proxy, method);
    *ret = (struct object_method){
        .name = method,
        .signature = text_or_none(known.signature),
        .text = text_or_none(known.text),
        .idempotent = known.idempotent,
    };
    return known.is_known || known.idempotent;
}

/* Wiring --------------------------------------------------------------------------------------- */

/* Whoever has called before keeps the connections that it has. */
static void proxy_attach(struct busbar_object *object, struct links *links)
{
    struct proxy *proxy = proxy_of(object);
    if (fork_mark_is_forked(&proxy->mark))
        return;
    pthread_mutex_lock(&proxy->lock);
    struct links *before = proxy->links;
    proxy->links = links_ref(links);
    pthread_mutex_unlock(&proxy->lock);
    links_unref(&before);
}

static void proxy_dump(const struct busbar_object *object, unsigned indent, FILE *out)
{
    const struct proxy *proxy = CONTAINER_OF((struct busbar_object *)(uintptr_t)object,
                                             struct proxy, object);
    settings_dump_bare(&proxy_table, &proxy->settings, indent, out);
}

static void proxy_free(struct proxy *proxy)
{
    struct link *link = atomic_load(&proxy->link);
    link_unref(&link);
    links_unref(&proxy->links);
    known_fini(&proxy->known);
    pthread_mutex_destroy(&proxy->lock);
    free(proxy->endpoints);
    free(proxy->signatures);
    settings_fini(&proxy_table, &proxy->settings);
    fork_mark_fini(&proxy->mark);
    free(proxy);
}

static void proxy_destroy(struct busbar_object *object)
{
    object_fini(object);
    proxy_free(proxy_of(object));
}

static const char *proxy_name(const struct busbar_object *object)
{
    return CONTAINER_OF((struct busbar_object *)(uintptr_t)object, struct proxy, object)
        ->settings.target.service;
}

static void proxy_joined(struct busbar_object *object)
{
    atomic_store_explicit(&proxy_of(object)->has_others, true, memory_order_relaxed);
}

static const struct object_class proxy_class = {
    .kind = "proxy",
    .call = proxy_call,
    .destroy = proxy_destroy,
    .describe = proxy_describe,
    .find = proxy_find,
    .probe = proxy_probe,
    .attach = proxy_attach,
    .joined = proxy_joined,
    .name = proxy_name,
    .dump = proxy_dump,
};

static bool list_endpoints(struct proxy *proxy)
{
    const struct proxy_target_settings *target = &proxy->settings.target;
    if (target->broker_count == 0)
        return true;
    proxy->endpoints = calloc(target->broker_count + 1, sizeof *proxy->endpoints);
    for (size_t i = 0; proxy->endpoints != NULL && i < target->broker_count; i++)
        proxy->endpoints[i] = target->brokers[i].text;
    return proxy->endpoints != NULL;
}

static enum busbar_status proxy_init(struct proxy *proxy)
{
    if (!list_endpoints(proxy))
        return BUSBAR_NO_MEMORY;
    enum busbar_status status = links_new(&proxy->links);
    if (status == BUSBAR_OK)
        status = object_init(&proxy->object, &proxy_class);
    return status;
}

enum busbar_status proxy_make(struct busbar_object **ret, struct proxy_settings *settings,
                              struct signature **signatures)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        free(STEAL(*signatures));
        settings_fini(&proxy_table, settings);
        return BUSBAR_NO_MEMORY;
    }
    proxy->settings = *settings;
    *settings = (struct proxy_settings){0};
    proxy->signatures = STEAL(*signatures);
    fork_mark_init(&proxy->mark);
    known_init(&proxy->known);
    atomic_init(&proxy->has_others, false);
    pthread_mutex_init(&proxy->lock, NULL);
    enum busbar_status status = proxy_init(proxy);
    if (status == BUSBAR_OK)
        *ret = &proxy->object;
    else
        proxy_free(proxy);
    return status;
}

/* For others ----------------------------------------------------------------------------------- */

static const struct proxy *cast(const struct busbar_object *object)
{
    if (object == NULL || object->class != &proxy_class)
        return NULL;
    return CONTAINER_OF((struct busbar_object *)(uintptr_t)object, struct proxy, object);
}

const char *proxy_service(const struct busbar_object *object)
{
    const struct proxy *proxy = cast(object);
    return proxy != NULL ? proxy->settings.target.service : NULL;
}

bool proxy_uses_default(const struct busbar_object *object)
{
    const struct proxy *proxy = cast(object);
    return proxy != NULL && proxy->endpoints == NULL;
}

const char *const *proxy_brokers(const struct busbar_object *object)
{
    const struct proxy *proxy = cast(object);
    return proxy != NULL ? (const char *const *)proxy->endpoints : NULL;
}
