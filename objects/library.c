/* Objects whose methods are functions of a shared library, called on the thread of the caller. */
#include "objects/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/outcome.h"

struct library {
    struct busbar_object object;
    struct library_parts parts;
    struct library_function **by_name;
};

static struct library *library_of(const struct busbar_object *object)
{
    return CONTAINER_OF(object, struct library, object);
}

void library_parts_fini(struct library_parts *parts)
{
    if (parts->handle != NULL)
        dlclose(parts->handle);
    free(parts->functions);
    settings_fini(&library_table, &parts->settings);
    *parts = (struct library_parts){.handle = NULL};
}

/* Finding a method ---------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    const struct library_function *const *left = a;
    const struct library_function *const *right = b;
    return strcmp((*left)->settings->name, (*right)->settings->name);
}

static int compare_name(const void *name, const void *function)
{
    const struct library_function *const *right = function;
    return strcmp(name, (*right)->settings->name);
}

static struct library_function *find_function(const struct library *library, const char *name)
{
    struct library_function **found = bsearch(name, library->by_name, library->parts.function_count,
                                              sizeof(struct library_function *), compare_name);
    return found != NULL ? *found : NULL;
}

/* Calling ------------------------------------------------------------------------------------- */

/* The arguments go last: a result may point into them. */
static enum busbar_status call_function(const struct busbar_object *object,
                                        struct library_function *function,
                                        const struct busbar_value *list, struct busbar_value **ret)
{
    struct marshal_item arguments[SIGNATURE_ITEMS_MAX];
    struct marshal_item results[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE];
    const struct signature *signature = &function->signature;
    const char *name = function->settings->name;
    enum busbar_status status = marshal_arguments(arguments, signature, name, list, reason);
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s", object_name(object), reason);
    native_call(&function->native, signature, function->address, arguments, results);
    status = marshal_results_value(ret, results, signature, reason);
    marshal_arguments_fini(arguments, signature, false);
    if (status == BUSBAR_OK)
        return BUSBAR_OK;
    return busbar_fail(status == BUSBAR_BAD_REQUEST ? BUSBAR_APP_ERROR : status, BUSBAR_EXECUTED,
                       "%s: %s(%s): %s", object_name(object), name, signature->text, reason);
}

static enum busbar_status library_call(struct busbar_object *object,
                                       const struct busbar_object_call *call,
                                       struct busbar_value **ret)
{
    struct library_function *function = find_function(library_of(object), call->method);
    if (function == NULL)
        return busbar_fail(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "%s: there is no method %s",
                           object_name(object), call->method);
    return call_function(object, function, call->arguments, ret);
}

static void *library_address(struct busbar_object *object, const char *method,
                             const struct signature **signature)
{
    const struct library_function *function = find_function(library_of(object), method);
    if (function == NULL)
        return NULL;
    *signature = &function->signature;
    return function->address;
}

/* What it says of itself ---------------------------------------------------------------------- */

static struct object_method method_told(const struct library_function *function)
{
    const struct function_settings *settings = function->settings;
    return (struct object_method){
        .name = settings->name,
        .signature = function->signature.text,
        .text = settings->text != NULL ? settings->text : "",
        .idempotent = settings->idempotent,
    };
}

static bool library_find(struct busbar_object *object, const char *method,
                         struct object_method *ret)
{
    const struct library_function *function = find_function(library_of(object), method);
    if (function == NULL)
        return false;
    *ret = method_told(function);
    return true;
}

static enum busbar_status library_describe(struct busbar_object *object, uint32_t timeout_ms,
                                           object_method_fn *each, void *context)
{
    (void)timeout_ms;
    const struct library_parts *parts = &library_of(object)->parts;
    for (size_t i = 0; i < parts->function_count; i++) {
        const struct object_method told = method_told(&parts->functions[i]);
        if (!each(context, &told))
            break;
    }
    return BUSBAR_OK;
}

static void library_dump(const struct busbar_object *object, unsigned indent, FILE *out)
{
    settings_dump_bare(&library_table, &library_of(object)->parts.settings, indent, out);
}

/* Making and ending --------------------------------------------------------------------------- */

static void library_free(struct library *library)
{
    library_parts_fini(&library->parts);
    free(library->by_name);
    free(library);
}

static void library_destroy(struct busbar_object *object)
{
    object_fini(object);
    library_free(library_of(object));
}

static const struct object_class library_class = {
    .kind = "library",
    .call = library_call,
    .destroy = library_destroy,
    .describe = library_describe,
    .find = library_find,
    .address = library_address,
    .dump = library_dump,
};

static bool sort_functions(struct library *library)
{
    const struct library_parts *parts = &library->parts;
    library->by_name = calloc(parts->function_count + 1, sizeof(struct library_function *));
    if (library->by_name == NULL)
        return false;
    for (size_t i = 0; i < parts->function_count; i++)
        library->by_name[i] = &parts->functions[i];
    qsort(library->by_name, parts->function_count, sizeof(struct library_function *),
          compare_names);
    return true;
}

enum busbar_status library_new(struct busbar_object **ret, struct library_parts *parts)
{
    struct library *library = calloc(1, sizeof *library);
    if (library == NULL) {
        library_parts_fini(parts);
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "library: out of memory");
    }
    library->parts = *parts;
    *parts = (struct library_parts){.handle = NULL};
    if (!sort_functions(library)) {
        library_free(library);
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "library: out of memory");
    }
    enum busbar_status status = object_init(&library->object, &library_class);
    if (status != BUSBAR_OK) {
        library_free(library);
        return status;
    }
    *ret = &library->object;
    return outcome_ok();
}
