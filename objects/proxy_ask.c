/* What a proxy asks the broker's own service `bus` about the service that it stands for. */
#include "objects/proxy_parts.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/outcome.h"

enum {
    QUIET_MS = 1000, /* how long a bus that does not describe is not asked */
};

static bool is_bus(const struct proxy *proxy)
{
    return strcmp(proxy->settings.target.service, "bus") == 0;
}

/* The name of the service, the only element of a list. */
static enum busbar_status question_body(const struct proxy *proxy, struct busbar_body *ret)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    struct busbar_value *name = busbar_value_text(proxy->settings.target.service);
    enum busbar_status status = busbar_value_append(list, &name);
    if (status == BUSBAR_OK)
        status = busbar_body_value(ret, list);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s", busbar_status_text(status));
    return BUSBAR_OK;
}

/* Without a reply the outcome of the thread is set. */
static enum busbar_status question(const struct proxy_call *run, const char *method,
                                   struct link_reply *ret)
{
    struct link *link;
    enum busbar_status status = proxy_link(run->proxy, &link);
    if (status != BUSBAR_OK)
        return status;
    struct link_call call = {
        .call = {.service = "bus", .method = method, .timeout_ms = proxy_left(run->deadline)},
        .has_others = atomic_load_explicit(&run->proxy->has_others, memory_order_relaxed),
    };
    if (call.call.timeout_ms == 0)
        return busbar_fail(BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED, "no time is left");
    if (run->call != NULL) {
        call.cancelled = run->call->cancelled;
        call.context = run->call->context;
    }
    status = question_body(run->proxy, &call.call.body);
    if (status != BUSBAR_OK)
        return status;
    return link_call(link, &call, ret);
}

/* Would the method itself fare no better than this question? */
static bool is_final(enum busbar_status status)
{
    static const enum busbar_status OTHER_FOR_A_CALL[] = {
        BUSBAR_OK,          BUSBAR_APP_ERROR,        BUSBAR_BAD_REQUEST, BUSBAR_NO_SERVICE,
        BUSBAR_NO_METHOD,   BUSBAR_DENIED,           BUSBAR_UNSUPPORTED, BUSBAR_TOO_LARGE,
        BUSBAR_WORKER_LOST, BUSBAR_RESULT_TOO_LARGE,
    };
    for (size_t i = 0; i < ARRAY_SIZE(OTHER_FOR_A_CALL); i++) {
        if (status == OTHER_FOR_A_CALL[i])
            return false;
    }
    return true;
}

/* False for an answer that tells nothing. */
static bool learn(struct proxy *proxy, const struct busbar_reply *reply)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *description = NULL;
    return busbar_reply_value(reply, &description) == BUSBAR_OK &&
           known_learn(&proxy->known, description);
}

enum busbar_status proxy_ask(struct proxy *proxy, const struct proxy_call *run)
{
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    if (is_bus(proxy) || clock_ms() < atomic_load(&proxy->quiet_til))
        return BUSBAR_OK;
    enum busbar_status status = question(run, "describe", &reply);
    if (is_final(status)) {
        proxy_failed(proxy, run->call->method, status, reply.reply);
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s", busbar_last_error());
    }
    bool is_of_use = status == BUSBAR_OK && learn(proxy, reply.reply);
    if (!is_of_use && status != BUSBAR_NO_SERVICE)
        atomic_store(&proxy->quiet_til, clock_ms() + QUIET_MS);
    return BUSBAR_OK;
}

static struct proxy_call run_of(struct busbar_object *object, uint32_t timeout_ms)
{
    struct proxy *proxy = CONTAINER_OF(object, struct proxy, object);
    if (timeout_ms == 0)
        timeout_ms = proxy->settings.target.timeout_ms;
    return (struct proxy_call){.proxy = proxy, .deadline = clock_ms() + timeout_ms};
}

/* Are there methods in the settings, with all their signatures? Then they are all that is told. */
static bool is_declared(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->settings.function_count; i++) {
        if (proxy->settings.functions[i].signature == NULL)
            return false;
    }
    return proxy->settings.function_count > 0;
}

static bool tell(struct proxy *proxy, const char *name, object_method_fn *each, void *context)
{
    struct proxy_method known = proxy_known(proxy, name);
    struct object_method method = {
        .name = name,
        .signature = known.signature != NULL ? known.signature : "",
        .text = known.text != NULL ? known.text : "",
        .idempotent = known.idempotent,
    };
    return each(context, &method);
}

static void tell_all(struct proxy *proxy, object_method_fn *each, void *context)
{
    const struct known_method *known;
    bool more = true;
    for (size_t i = 0; more && i < proxy->settings.function_count; i++)
        more = tell(proxy, proxy->settings.functions[i].name, each, context);
    for (size_t i = 0; more && (known = known_at(&proxy->known, i)) != NULL; i++) {
        if (!proxy_declares(proxy, known->name))
            more = tell(proxy, known->name, each, context);
    }
}

static enum busbar_status learn_all(const struct proxy_call *run)
{
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    enum busbar_status status = question(run, "describe", &reply);
    if (status != BUSBAR_OK)
        return proxy_failed(run->proxy, NULL, status, reply.reply);
    if (learn(run->proxy, reply.reply))
        return BUSBAR_OK;
    busbar_fail(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "the broker's answer is no description");
    return proxy_failed(run->proxy, NULL, BUSBAR_APP_ERROR, NULL);
}

enum busbar_status proxy_describe(struct busbar_object *object, uint32_t timeout_ms,
                                  object_method_fn *each, void *context)
{
    struct proxy_call run = run_of(object, timeout_ms);
    enum busbar_status status = proxy_check(run.proxy);
    if (status == BUSBAR_OK && !is_declared(run.proxy) && !is_bus(run.proxy))
        status = learn_all(&run);
    if (status == BUSBAR_OK)
        tell_all(run.proxy, each, context);
    return status;
}

enum busbar_status proxy_probe(struct busbar_object *object, uint32_t timeout_ms)
{
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    struct proxy_call run = run_of(object, timeout_ms);
    enum busbar_status status = proxy_check(run.proxy);
    if (status != BUSBAR_OK)
        return status;
    status = question(&run, is_bus(run.proxy) ? "stats" : "lookup", &reply);
    if (status == BUSBAR_OK || status == BUSBAR_NO_METHOD) /* there is a broker, of another make */
        return BUSBAR_OK;
    return proxy_failed(run.proxy, NULL, status, reply.reply);
}
