#include "tests/unit/function_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "objects/marshal.h"
#include "objects/native.h"
#include "objects/object.h"

enum {
    FUNCTIONS_MAX = 64,
};

struct rig {
    struct busbar_object object;
    const struct rig_function *functions;
    struct signature signatures[FUNCTIONS_MAX];
    size_t count;
};

atomic_uint rig_questions;

static size_t rig_index(const struct rig *rig, const char *method)
{
    size_t i = 0;
    while (i < rig->count && strcmp(rig->functions[i].name, method) != 0)
        i++;
    return i;
}

static struct rig *rig_of(struct busbar_object *object)
{
    return CONTAINER_OF(object, struct rig, object);
}

static void *rig_address(struct busbar_object *object, const char *method,
                         const struct signature **signature)
{
    struct rig *rig = rig_of(object);
    size_t i = rig_index(rig, method);
    if (i == rig->count)
        return NULL;
    *signature = &rig->signatures[i];
    return rig->functions[i].address;
}

static bool rig_find(struct busbar_object *object, const char *method, struct object_method *ret)
{
    struct rig *rig = rig_of(object);
    size_t i = rig_index(rig, method);
    if (i == rig->count)
        return false;
    *ret = (struct object_method){.name = method, .signature = rig->signatures[i].text, .text = ""};
    return true;
}

static enum busbar_status rig_describe(struct busbar_object *object, uint32_t timeout_ms,
                                       object_method_fn *each, void *context)
{
    (void)timeout_ms;
    struct rig *rig = rig_of(object);
    atomic_fetch_add(&rig_questions, 1);
    for (size_t i = 0; i < rig->count; i++) {
        struct object_method method = {
            .name = rig->functions[i].name, .signature = rig->signatures[i].text, .text = ""};
        if (!each(context, &method))
            break;
    }
    return BUSBAR_OK;
}

static enum busbar_status rig_call(struct busbar_object *object,
                                   const struct busbar_object_call *call, struct busbar_value **ret)
{
    struct rig *rig = rig_of(object);
    size_t i = rig_index(rig, call->method);
    if (i == rig->count)
        return busbar_fail(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "rig: no %s", call->method);
    const struct signature *signature = &rig->signatures[i];
    struct marshal_item arguments[SIGNATURE_ITEMS_MAX];
    struct marshal_item results[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    enum busbar_status status = marshal_arguments(arguments, signature, call->method,
                                                  call->arguments, reason);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "rig: %s", reason);
    struct native native;
    assert_true(native_prepare(&native, signature));
    native_call(&native, signature, rig->functions[i].address, arguments, results);
    status = marshal_results_value(ret, results, signature, reason);
    marshal_arguments_fini(arguments, signature, false);
    if (status == BUSBAR_OK)
        return BUSBAR_OK;
    return busbar_fail(status == BUSBAR_BAD_REQUEST ? BUSBAR_APP_ERROR : status, BUSBAR_EXECUTED,
                       "rig: %s", reason);
}

static void rig_destroy(struct busbar_object *object)
{
    object_fini(object);
    free(rig_of(object));
}

static const struct object_class classes[] = {
    [RIG_STRAIGHT] = {.kind = "rig",
                      .call = rig_call,
                      .destroy = rig_destroy,
                      .describe = rig_describe,
                      .find = rig_find,
                      .address = rig_address},
    [RIG_BY_VALUES] = {.kind = "rig",
                       .call = rig_call,
                       .destroy = rig_destroy,
                       .describe = rig_describe,
                       .find = rig_find},
    [RIG_ASKED] = {.kind = "rig",
                   .call = rig_call,
                   .destroy = rig_destroy,
                   .describe = rig_describe},
};

struct busbar_object *rig_new(enum rig_kind kind, const struct rig_function *functions)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    rig->functions = functions;
    for (; functions[rig->count].name != NULL; rig->count++) {
        char reason[SIGNATURE_REASON_SIZE] = "";
        assert_true(rig->count < FUNCTIONS_MAX);
        assert_true(
            signature_parse(&rig->signatures[rig->count], functions[rig->count].signature, reason));
    }
    assert_int_equal(object_init(&rig->object, &classes[kind]), BUSBAR_OK);
    return &rig->object;
}

void rig_each(const struct rig_function *functions, void (*test)(struct busbar_object *object))
{
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        struct busbar_object *object = rig_new(kind, functions);
        test(object);
        busbar_object_destroy(&object);
    }
}

void *rig_get(struct busbar_object *object, const char *method)
{
    void *function = busbar_function(object, method);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
    assert_non_null(function);
    return function;
}

void rig_assert_outcome(enum busbar_status status, enum busbar_fate fate, const char *text)
{
    assert_string_equal(busbar_status_name(busbar_last_status()), busbar_status_name(status));
    assert_int_equal(busbar_last_fate(), fate);
    if (status == BUSBAR_OK)
        assert_string_equal(busbar_last_error(), "");
    if (text != NULL && strstr(busbar_last_error(), text) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", busbar_last_error(), text);
}
