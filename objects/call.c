/* Calls from C values that are told by letters. */
#include <busbar/object.h>

#include <stdarg.h>

#include "base/cleanup.h"
#include "objects/marshal.h"
#include "objects/object.h"
#include "objects/outcome.h"

/* What follows a letter, in the form in which it comes through an ellipsis. */
static struct marshal_item next(enum signature_type type, va_list *arguments)
{
    struct marshal_item item = {0};
    switch (type) {
    case SIGNATURE_BOOL:
        item.cell.boolean = va_arg(*arguments, int) != 0;
        return item;
    case SIGNATURE_INT32:
        item.cell.int32 = va_arg(*arguments, int32_t);
        return item;
    case SIGNATURE_UINT32:
        item.cell.uint32 = va_arg(*arguments, uint32_t);
        return item;
    case SIGNATURE_INT64:
        item.cell.int64 = va_arg(*arguments, int64_t);
        return item;
    case SIGNATURE_DOUBLE:
        item.cell.real = va_arg(*arguments, double);
        return item;
    case SIGNATURE_FLOAT:
        item.cell.single = (float)va_arg(*arguments, double);
        return item;
    case SIGNATURE_BYTES:
        item.cell.pointer = va_arg(*arguments, void *);
        item.size = va_arg(*arguments, size_t);
        return item;
    case SIGNATURE_BYTES32:
        item.cell.pointer = va_arg(*arguments, void *);
        item.size32 = va_arg(*arguments, uint32_t);
        item.size = item.size32;
        return item;
    case SIGNATURE_STRING:
    case SIGNATURE_STRINGS:
    case SIGNATURE_VALUE:
        break;
    }
    item.cell.pointer = va_arg(*arguments, void *);
    return item;
}

static enum busbar_status refuse(const struct busbar_object *object, enum busbar_status status,
                                 const char *reason)
{
    return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s%s%s",
                       object != NULL ? object_name(object) : "", object != NULL ? ": " : "",
                       reason);
}

/* False: the outcome is set. */
static bool parse(const struct busbar_object *object, const char *types, struct signature *ret)
{
    char reason[SIGNATURE_REASON_SIZE];
    if (types != NULL && signature_parse_arguments(ret, types, reason))
        return true;
    if (types == NULL)
        refuse(object, BUSBAR_BAD_ARGUMENT, "a call needs the letters of its arguments");
    else
        refuse(object, BUSBAR_BAD_REQUEST, reason);
    return false;
}

enum busbar_status busbar_call(struct busbar_object *object, const char *method,
                               struct busbar_value **ret, const char *types, ...)
{
    if (ret != NULL)
        *ret = NULL;
    struct signature signature;
    if (!parse(object, types, &signature))
        return busbar_last_status();
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    va_list arguments;
    va_start(arguments, types);
    for (size_t i = 0; i < signature.argument_count; i++)
        items[i] = next(signature.arguments[i].type, &arguments);
    va_end(arguments);
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    enum busbar_status status = marshal_arguments_list(&list, items, &signature,
                                                       method != NULL ? method : "", reason);
    if (status != BUSBAR_OK)
        return refuse(object, status, reason);
    struct busbar_object_call call = {.method = method, .arguments = list};
    return busbar_object_call(object, &call, ret);
}
