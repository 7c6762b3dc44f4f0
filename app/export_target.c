#include "app/export_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/signature.h"

enum {
    METHODS_AT_ONCE = 16,
};

/* Receives the methods of a description. */
struct collection {
    struct export_target *target;
    bool failed; /* out of memory */
};

bool export_target_may_change(const struct busbar_object *object)
{
    return object->class->probe != NULL;
}

static void read_signature(struct export_method *method)
{
    struct signature signature;
    char reason[SIGNATURE_REASON_SIZE];
    method->is_typed = method->signature[0] != '\0' &&
                       signature_parse(&signature, method->signature, reason);
    if (!method->is_typed)
        return;
    method->gives_raw = signature_gives_raw(&signature);
    method->takes_none = signature.argument_count == 0;
    method->takes_text = signature.argument_count == 1 &&
                         signature.arguments[0].type == SIGNATURE_STRING;
}

static char *copy_of(const char *text)
{
    return strdup(text == NULL ? "" : text);
}

static bool collect(void *context, const struct object_method *method)
{
    struct collection *collection = context;
    struct export_target *target = collection->target;
    collection->failed = true;
    if (target->method_count % METHODS_AT_ONCE == 0) {
        struct export_method *grown = realloc(
            target->methods, (target->method_count + METHODS_AT_ONCE) * sizeof *target->methods);
        if (grown == NULL)
            return false;
        target->methods = grown;
    }
    struct export_method *added = &target->methods[target->method_count++];
    *added = (struct export_method){
        .name = copy_of(method->name),
        .signature = copy_of(method->signature),
        .text = copy_of(method->text),
        .idempotent = method->idempotent,
    };
    if (added->name == NULL || added->signature == NULL || added->text == NULL)
        return false;
    read_signature(added);
    collection->failed = false;
    return true;
}

enum busbar_status export_target_new(struct export_target **ret, struct busbar_object *object,
                                     uint32_t timeout_ms)
{
    CLEANUP(export_target_unref) struct export_target *target = calloc(1, sizeof *target);
    struct collection collection = {.target = target};
    if (target == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    atomic_init(&target->references, 1);
    pthread_mutex_init(&target->lock, NULL);
    target->object = busbar_object_ref(object);
    enum busbar_status status = object_describe(object, timeout_ms, collect, &collection);
    if (collection.failed)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    if (status == BUSBAR_OK && target->method_count == 0)
        status = busbar_fail(BUSBAR_NOTHING, BUSBAR_NOT_EXECUTED,
                             "%s: it is not known to have a method", object_name(object));
    if (status == BUSBAR_OK)
        *ret = STEAL(target);
    return status;
}

struct export_target *export_target_ref(struct export_target *target)
{
    atomic_fetch_add_explicit(&target->references, 1, memory_order_relaxed);
    return target;
}

void export_target_unref(struct export_target **target)
{
    struct export_target *gone = STEAL(*target);
    if (gone == NULL || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < gone->method_count; i++) {
        free(gone->methods[i].name);
        free(gone->methods[i].signature);
        free(gone->methods[i].text);
    }
    free(gone->methods);
    busbar_object_destroy(&gone->object);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

struct busbar_object *export_target_object(struct export_target *target)
{
    pthread_mutex_lock(&target->lock);
    struct busbar_object *object = busbar_object_ref(target->object);
    pthread_mutex_unlock(&target->lock);
    return object;
}

void export_target_swap(struct export_target *target, struct busbar_object *object)
{
    busbar_object_ref(object);
    pthread_mutex_lock(&target->lock);
    struct busbar_object *former = target->object;
    target->object = object;
    pthread_mutex_unlock(&target->lock);
    busbar_object_destroy(&former);
}

static bool has_method(const struct export_target *target, const struct export_method *method)
{
    for (size_t i = 0; i < target->method_count; i++) {
        const struct export_method *own = &target->methods[i];
        if (strcmp(own->name, method->name) == 0)
            return strcmp(own->signature, method->signature) == 0 &&
                   strcmp(own->text, method->text) == 0 && own->idempotent == method->idempotent;
    }
    return false;
}

bool export_target_same_methods(const struct export_target *a, const struct export_target *b)
{
    bool same = a->method_count == b->method_count;
    for (size_t i = 0; same && i < a->method_count; i++)
        same = has_method(b, &a->methods[i]);
    return same;
}

static void registration_over(void *context)
{
    struct export_target *target = context;
    export_target_unref(&target);
}

struct busbar_service export_target_service(struct export_target *target, const char *name)
{
    struct busbar_method *methods = calloc(target->method_count, sizeof *methods);
    struct busbar_service service = {
        .name = name,
        .methods = methods,
        .method_count = target->method_count,
        .context = target,
        .context_free = registration_over,
    };
    for (size_t i = 0; methods != NULL && i < target->method_count; i++) {
        const struct export_method *method = &target->methods[i];
        methods[i] = (struct busbar_method){
            .name = method->name,
            .handler = export_handle,
            .signature = method->signature,
            .text = method->text,
            .flags = method->idempotent ? BUSBAR_IDEMPOTENT : 0,
        };
    }
    return service;
}
