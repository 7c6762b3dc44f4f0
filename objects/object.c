#include "objects/object.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/function.h"
#include "objects/outcome.h"
#include "protocol/name.h"

enum {
    METHOD_QUOTE_SIZE = 160,
};

/* The id of objects that have none yet; compared by its address, never written. */
static const char no_id[1] = "";

enum busbar_status object_init(struct busbar_object *object, const struct object_class *class)
{
    object->class = class;
    atomic_init(&object->references, 1);
    atomic_init(&object->id, (char *)no_id);
    object->functions = NULL;
    if (!fork_lock_init(&object->functions_lock))
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: out of memory", class->kind);
    return BUSBAR_OK;
}

void object_fini(struct busbar_object *object)
{
    functions_destroy(&object->functions);
    fork_lock_fini(&object->functions_lock);
    char *id = atomic_load(&object->id);
    if (id != no_id)
        free(id);
    atomic_store(&object->id, (char *)no_id);
}

const char *object_name(const struct busbar_object *object)
{
    const char *id = atomic_load_explicit(&object->id, memory_order_acquire);
    if (id[0] != '\0')
        return id;
    return object->class->name != NULL ? object->class->name(object) : object->class->kind;
}

bool object_set_id(struct busbar_object *object, const char *id)
{
    char *none = (char *)no_id;
    char *copy = strdup(id);
    if (copy == NULL)
        return false;
    if (atomic_compare_exchange_strong(&object->id, &none, copy))
        return true;
    free(copy);
    return false;
}

struct busbar_object *busbar_object_ref(struct busbar_object *object)
{
    if (object != NULL)
        atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
    return object;
}

void busbar_object_destroy(struct busbar_object **object)
{
    if (object == NULL || *object == NULL)
        return;
    struct busbar_object *gone = STEAL(*object);
    if (atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) == 1)
        gone->class->destroy(gone);
}

const char *busbar_object_kind(const struct busbar_object *object)
{
    return object != NULL ? object->class->kind : "";
}

/* A wrong argument of a function of the public header. */
static enum busbar_status misuse(const char *text)
{
    return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, text);
}

static enum busbar_status check_call(const struct busbar_object *object,
                                     const struct busbar_object_call *call)
{
    if (object == NULL || call == NULL || call->method == NULL)
        return misuse(object == NULL ? "a call needs an object" : "a call needs a method");
    size_t size = strlen(call->method);
    if (!name_is_method(call->method, size)) {
        char quoted[METHOD_QUOTE_SIZE];
        return busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                           "%s: %s cannot be the name of a method", object_name(object),
                           quote(quoted, sizeof quoted, call->method, size));
    }
    if (call->arguments != NULL && busbar_value_type(call->arguments) != BUSBAR_LIST)
        return busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                           "%s: the arguments of %s must be a list, not a %s", object_name(object),
                           call->method, busbar_type_name(busbar_value_type(call->arguments)));
    return BUSBAR_OK;
}

/* What a status alone tells of the execution; docs/protocol.md, section 13, has the table. */
static enum busbar_fate fate_of(enum busbar_status status)
{
    switch (status) {
    case BUSBAR_OK:
    case BUSBAR_APP_ERROR:
    case BUSBAR_RESULT_TOO_LARGE:
        return BUSBAR_EXECUTED;
    case BUSBAR_BUSY:
    case BUSBAR_TIMEOUT:
    case BUSBAR_CANCELLED:
    case BUSBAR_WORKER_LOST:
    case BUSBAR_POISONED:
    case BUSBAR_BROKER_LOST:
    case BUSBAR_NO_MEMORY:
    case BUSBAR_SYSTEM:
        return BUSBAR_MAYBE_EXECUTED;
    case BUSBAR_BAD_REQUEST:
    case BUSBAR_NO_SERVICE:
    case BUSBAR_NO_METHOD:
    case BUSBAR_NO_MEMBERS:
    case BUSBAR_EXPIRED:
    case BUSBAR_DENIED:
    case BUSBAR_TOO_LARGE:
    case BUSBAR_DRAINING:
    case BUSBAR_UNSUPPORTED:
    case BUSBAR_CONFLICT:
    case BUSBAR_LOOP:
    case BUSBAR_FORKED:
    case BUSBAR_BAD_ARGUMENT:
    case BUSBAR_BAD_CONFIG:
    case BUSBAR_NOTHING:
        return BUSBAR_NOT_EXECUTED;
    }
    return BUSBAR_MAYBE_EXECUTED;
}

/* The outcome of a function of a class; one that returned a failure without a word gets words. */
static enum busbar_status told(const struct busbar_object *object, const char *what,
                               enum busbar_status status)
{
    if (status == BUSBAR_OK)
        return outcome_ok();
    if (busbar_last_status() == status)
        return status;
    return busbar_fail(status, fate_of(status), "%s: %s: %s", object_name(object), what,
                       busbar_status_text(status));
}

enum busbar_status busbar_object_call(struct busbar_object *object,
                                      const struct busbar_object_call *call,
                                      struct busbar_value **ret)
{
    if (ret != NULL)
        *ret = NULL;
    enum busbar_status status = check_call(object, call);
    if (status != BUSBAR_OK)
        return status;
    struct busbar_value *value = NULL;
    outcome_ok();
    status = told(object, call->method, object->class->call(object, call, &value));
    if (status == BUSBAR_OK && ret != NULL)
        *ret = STEAL(value);
    busbar_value_destroy(&value);
    return status;
}

enum busbar_status object_probe(struct busbar_object *object, uint32_t timeout_ms)
{
    outcome_ok();
    if (object->class->probe == NULL)
        return BUSBAR_OK;
    return told(object, "probe", object->class->probe(object, timeout_ms));
}

enum busbar_status object_describe(struct busbar_object *object, uint32_t timeout_ms,
                                   object_method_fn *each, void *context)
{
    outcome_ok();
    if (object->class->describe == NULL)
        return BUSBAR_OK;
    return told(object, "describe", object->class->describe(object, timeout_ms, each, context));
}

struct description {
    struct busbar_value *list;
    bool failed;
};

static bool put_text(struct busbar_value *map, const char *key, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return true;
    struct busbar_value *value = busbar_value_text(text);
    return busbar_value_set(map, key, &value) == BUSBAR_OK;
}

static bool describe_method(void *context, const struct object_method *method)
{
    struct description *description = context;
    struct busbar_value *map = busbar_value_map();
    bool ok = map != NULL && put_text(map, "name", method->name) &&
              put_text(map, "signature", method->signature);
    if (ok && method->idempotent) {
        struct busbar_value *yes = busbar_value_bool(true);
        ok = busbar_value_set(map, "idempotent", &yes) == BUSBAR_OK;
    }
    ok = ok && put_text(map, "text", method->text) &&
         busbar_value_append(description->list, &map) == BUSBAR_OK;
    busbar_value_destroy(&map);
    description->failed = !ok;
    return ok;
}

enum busbar_status busbar_object_describe(struct busbar_object *object, struct busbar_value **ret)
{
    if (ret == NULL)
        return misuse("a description needs room for its result");
    *ret = NULL;
    if (object == NULL)
        return misuse("a description needs an object");
    struct description description = {.list = busbar_value_list()};
    enum busbar_status status = BUSBAR_OK;
    description.failed = description.list == NULL;
    if (!description.failed)
        status = object_describe(object, 0, describe_method, &description);
    if (status == BUSBAR_OK && description.failed)
        status = busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: out of memory",
                             object_name(object));
    if (status == BUSBAR_OK)
        *ret = STEAL(description.list);
    busbar_value_destroy(&description.list);
    return status;
}
