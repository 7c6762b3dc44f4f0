/* Calls of a proxy: values to a body and back, and the attempts that one call may have. */
#include "objects/proxy_parts.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/random.h"
#include "objects/outcome.h"

enum {
    PAUSE_MS = 20, /* before the first repetition, doubled for each further one … */
    PAUSE_MAX_MS = 100,
    PAUSE_LOOK_MS = 10, /* how long a cancellation may go unseen */
};

static const uint8_t NO_ARGUMENTS[] = {0x90}; /* an empty list in MessagePack */

/* This thread's outcome, with the names before the text. */
static enum busbar_status named(const struct proxy_call *run, enum busbar_status status)
{
    return proxy_failed(run->proxy, run->call->method, status, NULL);
}
#define fail(run, status, ...) named((run), busbar_fail((status), BUSBAR_NOT_EXECUTED, __VA_ARGS__))

/* Bodies --------------------------------------------------------------------------------------- */

static bool is_bytes(const struct busbar_value *value)
{
    enum busbar_type type = busbar_value_type(value);
    return type == BUSBAR_BYTES || type == BUSBAR_STRING;
}

static enum busbar_status raw_body(const struct proxy_call *run, const char *signature,
                                   struct busbar_body *ret)
{
    const struct busbar_value *arguments = run->call->arguments;
    size_t count = busbar_value_count(arguments);
    const struct busbar_value *bytes = busbar_value_at(arguments, 0);
    size_t size;
    if (count != 1)
        return fail(run, BUSBAR_BAD_REQUEST, "%s(%s) takes 1 argument, not %zu", run->call->method,
                    signature, count);
    if (!is_bytes(bytes))
        return fail(run, BUSBAR_BAD_REQUEST, "argument 1 of %s(%s) must be bytes, not a %s",
                    run->call->method, signature, busbar_type_name(busbar_value_type(bytes)));
    const char *data = busbar_value_data(bytes, &size);
    *ret = busbar_body_copied(data, size);
    return BUSBAR_OK;
}

static enum busbar_status call_body(const struct proxy_call *run, const struct proxy_method *method,
                                    struct busbar_body *ret)
{
    if (method->takes_raw)
        return raw_body(run, method->signature, ret);
    if (run->call->arguments == NULL) {
        *ret = busbar_body_copied(NO_ARGUMENTS, sizeof NO_ARGUMENTS);
        ret->encoding = BUSBAR_MESSAGEPACK;
        return BUSBAR_OK;
    }
    enum busbar_status status = busbar_body_value(ret, run->call->arguments);
    if (status != BUSBAR_OK)
        return fail(run, status, "the arguments cannot be encoded: %s", busbar_status_text(status));
    return BUSBAR_OK;
}

static enum busbar_status result_value(const struct proxy_call *run,
                                       const struct busbar_reply *reply, struct busbar_value **ret)
{
    enum busbar_status status = BUSBAR_OK;
    if (busbar_reply_encoding(reply) == BUSBAR_RAW) {
        const void *data = busbar_reply_data(reply);
        *ret = busbar_value_bytes(data != NULL ? data : "", busbar_reply_size(reply));
        status = *ret != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
    } else {
        status = busbar_reply_value(reply, ret);
    }
    if (status == BUSBAR_OK)
        return BUSBAR_OK;
    if (status == BUSBAR_BAD_REQUEST)
        status = BUSBAR_APP_ERROR; /* of whoever answered */
    busbar_fail(status, BUSBAR_EXECUTED, "the result %s",
                status == BUSBAR_NO_MEMORY ? "has no room in memory"
                                           : "is not one well-formed value");
    return named(run, status);
}

/* Attempts ------------------------------------------------------------------------------------- */

static enum busbar_status send_call(const struct proxy_call *run, const struct proxy_method *method,
                                    struct link_reply *ret)
{
    struct link *link;
    enum busbar_status status = proxy_link(run->proxy, &link);
    struct link_call call = {
        .call = {.service = run->proxy->settings.target.service,
                 .method = run->call->method,
                 .timeout_ms = proxy_left(run->deadline),
                 .flags = method->idempotent ? BUSBAR_IDEMPOTENT : 0},
        .cancelled = run->call->cancelled,
        .context = run->call->context,
        .has_others = atomic_load_explicit(&run->proxy->has_others, memory_order_relaxed),
    };
    if (status != BUSBAR_OK)
        return named(run, status);
    if (call.call.timeout_ms == 0)
        return fail(run, BUSBAR_TIMEOUT, "the time was over before the call could be sent");
    status = call_body(run, method, &call.call.body);
    if (status != BUSBAR_OK)
        return status;
    status = link_call(link, &call, ret);
    if (status != BUSBAR_OK)
        return proxy_failed(run->proxy, run->call->method, status, ret->reply);
    return BUSBAR_OK;
}

/* Has the service changed, so that the same arguments now go as another body? Asks, and leaves the
 * outcome of the thread as it is. */
static bool has_changed(const struct proxy_call *run, struct proxy_method *method)
{
    bool took_raw = method->takes_raw;
    if (busbar_last_fate() != BUSBAR_NOT_EXECUTED || proxy_left(run->deadline) == 0)
        return false;
    CLEANUP(cleanup_free) char *text = strdup(busbar_last_error());
    enum busbar_status status = busbar_last_status();
    bool asked = proxy_ask(run->proxy, run) == BUSBAR_OK;
    outcome_fail_text(status, BUSBAR_NOT_EXECUTED, text != NULL ? text : "");
    *method = proxy_known(run->proxy, run->call->method);
    return asked && method->is_known && method->takes_raw != took_raw;
}

/* One attempt: asks for the description first where nothing is known of the method. */
static enum busbar_status attempt(const struct proxy_call *run, struct proxy_method *method,
                                  struct link_reply *ret)
{
    if (!method->is_known) {
        enum busbar_status status = proxy_ask(run->proxy, run);
        if (status != BUSBAR_OK)
            return status;
        *method = proxy_known(run->proxy, run->call->method);
    }
    enum busbar_status status = send_call(run, method, ret);
    if (ret->reply == NULL || method->is_declared ||
        (status != BUSBAR_NO_METHOD && status != BUSBAR_BAD_REQUEST))
        return status;
    known_doubt(&run->proxy->known);
    link_reply_fini(ret);
    if (status != BUSBAR_BAD_REQUEST || !has_changed(run, method))
        return status;
    return send_call(run, method, ret);
}

/* Was broker or worker lost, and does a repetition do no harm? */
static bool may_repeat(enum busbar_status status, const struct proxy_method *method)
{
    if (status != BUSBAR_BROKER_LOST && status != BUSBAR_WORKER_LOST && status != BUSBAR_DRAINING)
        return false;
    return busbar_last_fate() == BUSBAR_NOT_EXECUTED || method->idempotent;
}

static bool is_cancelled(const struct proxy_call *run)
{
    return run->call->cancelled != NULL && run->call->cancelled(run->call->context);
}

/* Between half and all of a time that grows. False if there is no time for it, or for what follows,
 * or the result is not wanted any more. */
static bool pause_before(const struct proxy_call *run, uint32_t repetition)
{
    uint32_t most = repetition < 3 ? (uint32_t)PAUSE_MS << repetition : PAUSE_MAX_MS;
    uint32_t pause_ms = most / 2 + (uint32_t)(random_u64() % (most / 2 + 1));
    struct place *place;
    if (proxy_left(run->deadline) <= pause_ms || !link_leave(&place))
        return false;
    uint64_t until = clock_ms() + pause_ms;
    bool cancelled = false;
    for (uint32_t left; !cancelled && (left = proxy_left(until)) > 0;) {
        struct timespec slice = {.tv_nsec = (left < PAUSE_LOOK_MS ? left : PAUSE_LOOK_MS) *
                                            1000000L};
        nanosleep(&slice, NULL);
        cancelled = is_cancelled(run);
    }
    link_return(&place);
    return !cancelled;
}

enum busbar_status proxy_call(struct busbar_object *object, const struct busbar_object_call *call,
                              struct busbar_value **ret)
{
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    struct proxy *proxy = CONTAINER_OF(object, struct proxy, object);
    enum busbar_status status = proxy_check(proxy);
    if (status != BUSBAR_OK)
        return status;
    uint32_t timeout_ms = call->timeout_ms != 0 ? call->timeout_ms
                                                : proxy->settings.target.timeout_ms;
    struct proxy_call run = {.proxy = proxy, .call = call, .deadline = clock_ms() + timeout_ms};
    struct proxy_method method = proxy_known(proxy, call->method);
    status = attempt(&run, &method, &reply);
    bool maybe_executed = false;
    for (uint32_t i = 0; i < proxy->settings.target.retries && may_repeat(status, &method); i++) {
        maybe_executed = maybe_executed || busbar_last_fate() != BUSBAR_NOT_EXECUTED;
        link_reply_fini(&reply);
        if (!pause_before(&run, i))
            break;
        status = attempt(&run, &method, &reply);
    }
    if (status == BUSBAR_OK)
        return result_value(&run, reply.reply, ret);
    if (maybe_executed)
        outcome_doubt();
    return status;
}
