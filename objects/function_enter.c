/* Calls through function pointers: straight into a C function, or by way of values. */
#include "objects/function.h"

#include <busbar/object.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/function_cells.h"
#include "objects/marshal.h"
#include "objects/object.h"
#include "objects/outcome.h"

/* The ends of calls that failed: before the method was entered, and after it. */
static void end_refused(const struct entry *entry, enum busbar_status status, const char *reason)
{
    entry_write_failure(entry);
    busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s", object_name(entry->function->object),
                reason);
}

static void end_executed(const struct entry *entry, enum busbar_status status, const char *reason)
{
    const struct function *function = entry->function;
    entry_write_failure(entry);
    busbar_fail(status, BUSBAR_EXECUTED, "%s: %s(%s): %s", object_name(function->object),
                function->method, function->signature.text, reason);
}

/* Are there places for all results? If not, what is the callee's is freed: it is not called. */
static bool check_places(const struct entry *entry, struct marshal_item items[SIGNATURE_ITEMS_MAX])
{
    const struct function *function = entry->function;
    size_t argument;
    if (entry_has_places(entry, &argument))
        return true;
    marshal_arguments_drop(items, &function->signature);
    entry_write_failure(entry);
    busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                "%s: the pointer for a result of %s(%s), C argument %zu, must not be NULL",
                object_name(function->object), function->method, function->signature.text,
                argument);
    return false;
}

/* Keeps the borrowed results for this thread's next call. False when out of memory: then all
 * results are freed. */
static bool keep(const struct function *function, struct marshal_item results[SIGNATURE_ITEMS_MAX])
{
    bool kept = true;
    for (size_t i = 0; i < function->signature.result_count; i++) {
        if (function->slots[i] != NULL &&
            !outcome_keep(function->slots[i], results[i].cell.pointer))
            kept = false;
    }
    if (!kept)
        marshal_results_drop(results, &function->signature);
    return kept;
}

/* By way of values ----------------------------------------------------------------------------- */

/* The value of the call to C results, of which the borrowed ones are kept. */
static void give_results(const struct entry *entry, const struct busbar_value *value)
{
    const struct function *function = entry->function;
    struct marshal_item results[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    enum busbar_status status = marshal_results(results, &function->signature, value, reason);
    if (status == BUSBAR_BAD_REQUEST)
        status = BUSBAR_APP_ERROR; /* of whoever answered */
    if (status == BUSBAR_OK && !keep(function, results)) {
        end_executed(entry, BUSBAR_NO_MEMORY, "out of memory");
        return;
    }
    if (status == BUSBAR_OK)
        entry_write(entry, results);
    else
        end_executed(entry, status, reason);
}

static void enter_by_values(const struct entry *entry)
{
    const struct function *function = entry->function;
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    entry_read(entry, items);
    if (!check_places(entry, items))
        return;
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    char reason[MARSHAL_REASON_SIZE];
    enum busbar_status status = marshal_arguments_list(&list, items, &function->signature,
                                                       function->method, reason);
    if (status != BUSBAR_OK) {
        end_refused(entry, status, reason);
        return;
    }
    struct busbar_object_call call = {.method = function->method, .arguments = list};
    if (busbar_object_call(function->object, &call, &value) != BUSBAR_OK)
        entry_write_failure(entry);
    else
        give_results(entry, value);
}

/* Straight ------------------------------------------------------------------------------------- */

static void *copy_bytes(const void *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, data, size);
        copy[size] = '\0';
    }
    return copy;
}

/* The array with the strings behind it. */
static void *copy_strings(const char *const *strings)
{
    size_t count = 0;
    size_t size = 0;
    while (strings[count] != NULL)
        size += strlen(strings[count++]) + 1;
    size += (count + 1) * sizeof(char *);
    char **copy = malloc(size);
    if (copy == NULL)
        return NULL;
    char *at = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = at;
        at = stpcpy(at, strings[i]) + 1;
    }
    copy[count] = NULL;
    return copy;
}

static void *copy_of(enum signature_type type, const struct marshal_item *item)
{
    const void *pointer = item->cell.pointer;
    if (type == SIGNATURE_STRINGS)
        return copy_strings(pointer);
    return copy_bytes(pointer, type == SIGNATURE_STRING ? strlen(pointer) : item->size);
}

/* What the callee keeps is copied, so that it lives as long as a result that came by values. False
 * when out of memory: then there are no copies. */
static bool copy_borrowed(const struct function *function,
                          struct marshal_item results[SIGNATURE_ITEMS_MAX])
{
    const struct signature *signature = &function->signature;
    void *copies[SIGNATURE_ITEMS_MAX] = {NULL};
    for (size_t i = 0; i < signature->result_count; i++) {
        if (function->slots[i] == NULL || results[i].cell.pointer == NULL)
            continue;
        copies[i] = copy_of(signature->results[i].type, &results[i]);
        if (copies[i] == NULL) {
            while (i-- > 0)
                free(copies[i]);
            return false;
        }
    }
    for (size_t i = 0; i < signature->result_count; i++) {
        if (function->slots[i] != NULL)
            results[i].cell.pointer = copies[i];
    }
    return true;
}

/* The results as the callee left them: where it wanted them written, and its own. */
static void take_results(const struct entry *entry)
{
    const struct function *function = entry->function;
    struct marshal_item results[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    entry_read_results(entry, results);
    if (marshal_check_results(results, &function->signature, reason) != BUSBAR_OK) {
        marshal_results_drop(results, &function->signature);
        end_executed(entry, BUSBAR_APP_ERROR, reason);
        return;
    }
    bool copied = copy_borrowed(function, results);
    if (!copied)
        marshal_results_drop(results, &function->signature);
    if (!copied || !keep(function, results)) {
        end_executed(entry, BUSBAR_NO_MEMORY, "out of memory");
        return;
    }
    entry_write(entry, results);
    outcome_ok();
}

static void enter_straight(const struct entry *entry)
{
    struct function *function = entry->function;
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    entry_read(entry, items);
    if (!check_places(entry, items))
        return;
    enum busbar_status status = marshal_check(items, &function->signature, function->method,
                                              reason);
    if (status != BUSBAR_OK) {
        marshal_arguments_drop(items, &function->signature);
        end_refused(entry, status, reason);
        return;
    }
    entry_clear(entry);
    ffi_call(&function->native.cif, FFI_FN(function->address), entry->result, entry->arguments);
    take_results(entry);
}

void function_enter(ffi_cif *cif, void *result, void **arguments, void *context)
{
    struct function *function = context;
    struct entry entry = {.function = function, .arguments = arguments, .result = result};
    if (function->plain) {
        ffi_call(cif, FFI_FN(function->address), result, arguments);
        outcome_ok();
    } else if (function->address != NULL) {
        enter_straight(&entry);
    } else {
        enter_by_values(&entry);
    }
}
