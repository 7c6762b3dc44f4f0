/* The handler of every export: a request becomes a call of the object, its outcome the answer. */
#include "app/export_target.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "worker-lib/request.h"

enum {
    REASON_SIZE = 160,
};

/* The methods of a service are in the order of the target's. */
static const struct export_method *method_of(const struct export_target *target,
                                             const struct busbar_request *request)
{
    return &target->methods[request->method - request->method->service->methods];
}

/* Arguments ------------------------------------------------------------------------------------ */

static enum busbar_status refuse(const char *reason)
{
    return busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "%s", reason);
}

/* A body that is no value is the one argument: text if that is what the method takes. */
static enum busbar_status read_raw(struct busbar_value **ret, const struct busbar_request *request,
                                   const struct export_method *method)
{
    const void *data = busbar_request_data(request);
    size_t size = busbar_request_size(request);
    struct busbar_value *list = busbar_value_list();
    enum busbar_status status = BUSBAR_OK;
    if (size > 0 || !method->takes_none) {
        struct busbar_value *argument = method->takes_text && utf8_is_valid(data, size)
                                            ? busbar_value_string(data, size)
                                            : busbar_value_bytes(data, size);
        status = busbar_value_append(list, &argument);
    }
    if (list == NULL || status != BUSBAR_OK) {
        busbar_value_destroy(&list);
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    }
    *ret = list;
    return BUSBAR_OK;
}

static enum busbar_status read_values(struct busbar_value **ret,
                                      const struct busbar_request *request)
{
    char text[REASON_SIZE];
    const char *reason = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    enum busbar_status status = busbar_value_decode(&list, busbar_request_data(request),
                                                    busbar_request_size(request), &reason);
    if (status == BUSBAR_NO_MEMORY)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    if (status != BUSBAR_OK) {
        snprintf(text, sizeof text, "the body is not one value of MessagePack: %s",
                 reason == NULL ? busbar_status_text(status) : reason);
        return refuse(text);
    }
    if (busbar_value_type(list) != BUSBAR_LIST) {
        snprintf(text, sizeof text, "the arguments must be a list, not a %s",
                 busbar_type_name(busbar_value_type(list)));
        return refuse(text);
    }
    *ret = STEAL(list);
    return BUSBAR_OK;
}

static enum busbar_status read_arguments(struct busbar_value **ret,
                                         const struct busbar_request *request,
                                         const struct export_method *method)
{
    switch (busbar_request_encoding(request)) {
    case BUSBAR_RAW:
        return read_raw(ret, request, method);
    case BUSBAR_MESSAGEPACK:
        return read_values(ret, request);
    }
    return refuse("the encoding of the body is not known here");
}

/* Answers -------------------------------------------------------------------------------------- */

/* The object is the handler; what does not even reach it, this library has refused. */
static void fail(struct busbar_request **request, enum busbar_status status, bool by_object)
{
    const struct failure failure = {
        .status = status,
        .fate = busbar_last_fate(),
        .text = busbar_last_error(),
        .by_handler = by_object,
    };
    request_fail(request, &failure);
}

static void value_give_back(void *data, void *hint)
{
    struct busbar_value *value = hint;
    (void)data;
    busbar_value_destroy(&value);
}

/* Bytes travel as they are where the signature says so, and where there is none. */
static bool is_raw(const struct busbar_value *result, const struct export_method *method)
{
    return busbar_value_type(result) == BUSBAR_BYTES && (method->gives_raw || !method->is_typed);
}

/* Takes the result. */
static void answer(struct busbar_request **request, const struct export_method *method,
                   struct busbar_value **result)
{
    struct busbar_body body;
    if (*result == NULL)
        *result = busbar_value_null();
    if (is_raw(*result, method)) {
        size_t size = 0;
        const char *data = busbar_value_data(*result, &size);
        body = busbar_body_taken((void *)(uintptr_t)data, size, value_give_back, *result);
        *result = NULL;
    } else if (busbar_body_value(&body, *result) != BUSBAR_OK) {
        busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_EXECUTED, "no memory for the result");
        fail(request, BUSBAR_NO_MEMORY, false);
        return;
    }
    /* Over the limit the caller is told just that; if nobody waits any more, nobody is told. */
    (void)busbar_request_reply(request, body);
}

/* The call ------------------------------------------------------------------------------------- */

static bool is_cancelled(void *context)
{
    return busbar_request_cancelled(context);
}

static bool send_part(void *context, const void *data, size_t size)
{
    return busbar_request_part(context, busbar_body_copied(data, size)) == BUSBAR_OK;
}

/* The object may be exchanged for another one meanwhile. */
static enum busbar_status call_object(struct export_target *target,
                                      const struct busbar_object_call *call,
                                      struct busbar_value **ret)
{
    struct busbar_object *object = export_target_object(target);
    enum busbar_status status = busbar_object_call(object, call, ret);
    busbar_object_destroy(&object);
    return status;
}

void export_handle(struct busbar_request **request, void *context)
{
    struct export_target *target = context;
    const struct export_method *method = method_of(target, *request);
    CLEANUP(busbar_value_destroy) struct busbar_value *arguments = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    struct busbar_object_call call = {
        .method = method->name,
        .timeout_ms = busbar_request_remaining(*request),
        .cancelled = is_cancelled,
        .part = busbar_request_window(*request) > 0 ? send_part : NULL,
        .context = *request,
    };
    enum busbar_status status = BUSBAR_OK;
    if (call.timeout_ms == 0) /* which would stand for the object's own */
        status = busbar_fail(BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED,
                             "the deadline passed before the call began");
    if (status == BUSBAR_OK)
        status = read_arguments(&arguments, *request, method);
    call.arguments = arguments;
    bool reached = status == BUSBAR_OK;
    if (reached)
        status = call_object(target, &call, &result);
    if (status == BUSBAR_OK)
        answer(request, method, &result);
    else
        fail(request, status, reached);
}
