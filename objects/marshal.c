/* Arguments and results as a whole: counts, null, reasons; what one of a type is, is not said here. */
#include "objects/marshal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/marshal_type.h"

/* Long names are cut, so that what is wrong with their arguments is still said. */
#define METHOD_FORMAT "%.64s(%s)"

__attribute__((format(printf, 2, 3))) static enum busbar_status refuse(
    char reason[MARSHAL_REASON_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, MARSHAL_REASON_SIZE, format, arguments);
    va_end(arguments);
    return BUSBAR_BAD_REQUEST;
}

static enum busbar_status no_memory(char reason[MARSHAL_REASON_SIZE])
{
    snprintf(reason, MARSHAL_REASON_SIZE, "out of memory");
    return BUSBAR_NO_MEMORY;
}

static enum busbar_status refuse_result(char reason[MARSHAL_REASON_SIZE],
                                        const struct signature *signature, size_t index,
                                        const char *why)
{
    if (signature->result_count == 1)
        return refuse(reason, "the result %s", why);
    return refuse(reason, "result %zu %s", index + 1, why);
}

static bool is_null(const struct busbar_value *value)
{
    return busbar_value_type(value) == BUSBAR_NULL;
}

/* Arguments to C ------------------------------------------------------------------------------ */

static enum busbar_status check_list(const struct signature *signature, const char *method,
                                     const struct busbar_value *list, char *reason)
{
    char why[MARSHAL_WHY_SIZE];
    size_t count = busbar_value_count(list);
    if (list != NULL && busbar_value_type(list) != BUSBAR_LIST)
        return refuse(reason, "the arguments of " METHOD_FORMAT " must be a list, not %s", method,
                      signature->text, marshal_called(list, why));
    if (count != signature->argument_count)
        return refuse(reason, METHOD_FORMAT " takes %zu argument%s, not %zu", method,
                      signature->text, signature->argument_count,
                      signature->argument_count == 1 ? "" : "s", count);
    for (size_t i = 0; i < count; i++) {
        const struct signature_item *item = &signature->arguments[i];
        const struct busbar_value *value = busbar_value_at(list, i);
        if (item->nullable && is_null(value))
            continue;
        if (!marshal_type_of(item->type)->fits(value, why))
            return refuse(reason, "argument %zu of " METHOD_FORMAT " %s", i + 1, method,
                          signature->text, why);
    }
    return BUSBAR_OK;
}

enum busbar_status marshal_arguments(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                     const struct signature *signature, const char *method,
                                     const struct busbar_value *list,
                                     char reason[MARSHAL_REASON_SIZE])
{
    memset(items, 0, signature->argument_count * sizeof *items);
    enum busbar_status status = check_list(signature, method, list, reason);
    if (status != BUSBAR_OK)
        return status;
    for (size_t i = 0; i < signature->argument_count; i++) {
        const struct signature_item *item = &signature->arguments[i];
        const struct marshal_type *type = marshal_type_of(item->type);
        const struct busbar_value *value = busbar_value_at(list, i);
        if (type->pointer && is_null(value))
            continue;
        if (!(item->owned ? type->give : type->lend)(&items[i], value)) {
            marshal_arguments_fini(items, signature, true);
            return no_memory(reason);
        }
    }
    return BUSBAR_OK;
}

void marshal_arguments_fini(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                            const struct signature *signature, bool all)
{
    if (all)
        marshal_arguments_drop(items, signature);
    for (size_t i = 0; i < signature->argument_count; i++) {
        const struct signature_item *item = &signature->arguments[i];
        if (item->type == SIGNATURE_STRINGS && !item->owned)
            free(items[i].cell.pointer);
        if (marshal_type_of(item->type)->pointer)
            items[i].cell.pointer = NULL;
    }
}

static void drop_owned(const struct marshal_item *items, const struct signature_item *types,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (types[i].owned)
            marshal_type_of(types[i].type)->drop(&items[i]);
    }
}

void marshal_arguments_drop(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                            const struct signature *signature)
{
    drop_owned(items, signature->arguments, signature->argument_count);
}

/* Checks of what is C already ----------------------------------------------------------------- */

enum busbar_status marshal_check(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                 const struct signature *signature, const char *method,
                                 char reason[MARSHAL_REASON_SIZE])
{
    char why[MARSHAL_WHY_SIZE] = "must not be NULL";
    for (size_t i = 0; i < signature->argument_count; i++) {
        const struct signature_item *item = &signature->arguments[i];
        const struct marshal_type *type = marshal_type_of(item->type);
        bool null = type->pointer && items[i].cell.pointer == NULL;
        if (null ? !item->nullable : !type->check(&items[i], why))
            return refuse(reason, "argument %zu of " METHOD_FORMAT " %s", i + 1, method,
                          signature->text, why);
    }
    return BUSBAR_OK;
}

enum busbar_status marshal_check_results(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                         const struct signature *signature,
                                         char reason[MARSHAL_REASON_SIZE])
{
    char why[MARSHAL_WHY_SIZE];
    for (size_t i = 0; i < signature->result_count; i++) {
        const struct marshal_type *type = marshal_type_of(signature->results[i].type);
        bool null = type->pointer && items[i].cell.pointer == NULL;
        if (!null && !type->check(&items[i], why))
            return refuse_result(reason, signature, i, why);
    }
    return BUSBAR_OK;
}

/* To values ----------------------------------------------------------------------------------- */

static struct busbar_value *value_of(const struct marshal_item *item, enum signature_type type_of)
{
    const struct marshal_type *type = marshal_type_of(type_of);
    return type->pointer && item->cell.pointer == NULL ? busbar_value_null() : type->value(item);
}

/* A list of values; BAD_ARGUMENT if one has too many containers inside each other. */
static enum busbar_status list_of(struct busbar_value **ret, const struct marshal_item *items,
                                  const struct signature_item *types, size_t count)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    for (size_t i = 0; i < count; i++) {
        struct busbar_value *value = value_of(&items[i], types[i].type);
        enum busbar_status status = busbar_value_append(list, &value);
        if (status != BUSBAR_OK)
            return status;
    }
    *ret = STEAL(list);
    return *ret != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

enum busbar_status marshal_arguments_list(struct busbar_value **ret,
                                          const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                          const struct signature *signature, const char *method,
                                          char reason[MARSHAL_REASON_SIZE])
{
    *ret = NULL;
    enum busbar_status status = marshal_check(items, signature, method, reason);
    if (status == BUSBAR_OK) {
        status = list_of(ret, items, signature->arguments, signature->argument_count);
        if (status == BUSBAR_NO_MEMORY)
            status = no_memory(reason);
        else if (status != BUSBAR_OK)
            status = refuse(reason, "an argument of " METHOD_FORMAT " is nested too deeply", method,
                            signature->text);
    }
    marshal_arguments_drop(items, signature);
    return status;
}

void marshal_results_drop(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                          const struct signature *signature)
{
    drop_owned(items, signature->results, signature->result_count);
    if (signature->returns && signature->results[0].type == SIGNATURE_VALUE)
        marshal_type_of(SIGNATURE_VALUE)->drop(&items[0]);
}

static enum busbar_status results_value(struct busbar_value **ret, struct marshal_item *items,
                                        const struct signature *signature, char *reason)
{
    enum busbar_status status = marshal_check_results(items, signature, reason);
    if (status != BUSBAR_OK)
        return status;
    if (signature->result_count > 1)
        status = list_of(ret, items, signature->results, signature->result_count);
    else if (signature->result_count == 0)
        *ret = busbar_value_null();
    else if (signature->results[0].type == SIGNATURE_VALUE && items[0].cell.pointer != NULL)
        *ret = STEAL(items[0].cell.pointer);
    else
        *ret = value_of(&items[0], signature->results[0].type);
    if (status == BUSBAR_BAD_ARGUMENT)
        return refuse_result(reason, signature, 0, "is nested too deeply");
    return *ret != NULL ? BUSBAR_OK : no_memory(reason);
}

enum busbar_status marshal_results_value(struct busbar_value **ret,
                                         struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                         const struct signature *signature,
                                         char reason[MARSHAL_REASON_SIZE])
{
    *ret = NULL;
    enum busbar_status status = results_value(ret, items, signature, reason);
    marshal_results_drop(items, signature);
    return status;
}

/* Results to C -------------------------------------------------------------------------------- */

/* The value of one result; of several the value is the list. */
static const struct busbar_value *result_at(const struct signature *signature,
                                            const struct busbar_value *value, size_t index)
{
    return signature->result_count == 1 ? value : busbar_value_at(value, index);
}

static enum busbar_status check_value(const struct signature *signature,
                                      const struct busbar_value *value, char *reason)
{
    char why[MARSHAL_WHY_SIZE];
    size_t count = signature->result_count;
    if (count == 0 && !is_null(value))
        return refuse(reason, "there must be no result, not %s", marshal_called(value, why));
    if (count > 1 && busbar_value_type(value) != BUSBAR_LIST)
        return refuse(reason, "the result must be a list of %zu, not %s", count,
                      marshal_called(value, why));
    if (count > 1 && busbar_value_count(value) != count)
        return refuse(reason, "the result must be a list of %zu, not of %zu", count,
                      busbar_value_count(value));
    for (size_t i = 0; i < count; i++) {
        const struct busbar_value *result = result_at(signature, value, i);
        const struct marshal_type *type = marshal_type_of(signature->results[i].type);
        bool null = type->pointer && is_null(result);
        if (!null && !type->fits(result, why))
            return refuse_result(reason, signature, i, why);
    }
    return BUSBAR_OK;
}

static void results_fini(struct marshal_item *items, const struct signature *signature)
{
    marshal_results_drop(items, signature);
    for (size_t i = 0; i < signature->result_count; i++) {
        const struct signature_item *item = &signature->results[i];
        if (marshal_type_of(item->type)->pointer && !item->owned)
            free(items[i].cell.pointer);
        items[i] = (struct marshal_item){0};
    }
}

enum busbar_status marshal_results(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                   const struct signature *signature,
                                   const struct busbar_value *value,
                                   char reason[MARSHAL_REASON_SIZE])
{
    memset(items, 0, signature->result_count * sizeof *items);
    enum busbar_status status = check_value(signature, value, reason);
    if (status != BUSBAR_OK)
        return status;
    for (size_t i = 0; i < signature->result_count; i++) {
        const struct signature_item *item = &signature->results[i];
        const struct marshal_type *type = marshal_type_of(item->type);
        const struct busbar_value *result = result_at(signature, value, i);
        bool none = is_null(result) && (type->pointer || item->type == SIGNATURE_VALUE);
        if (!none && !(item->owned ? type->give : type->keep)(&items[i], result)) {
            results_fini(items, signature);
            return no_memory(reason);
        }
    }
    return BUSBAR_OK;
}
