/* Objects of a class that the application wrote itself. */
#include <busbar/object.h>

#include <stdlib.h>

#include "base/cleanup.h"
#include "objects/object.h"
#include "objects/outcome.h"

struct own {
    struct busbar_object object;
    struct object_class class; /* of this object alone, since each class has a kind of its own */
    const struct busbar_object_class *given;
    void *context;
};

static struct own *own_of(struct busbar_object *object)
{
    return CONTAINER_OF(object, struct own, object);
}

static enum busbar_status own_call(struct busbar_object *object,
                                   const struct busbar_object_call *call, struct busbar_value **ret)
{
    struct own *own = own_of(object);
    return own->given->call(own->context, call, ret);
}

/* Text of a method's map; "" for what is none. */
static const char *text_of(const struct busbar_value *map, const char *key)
{
    const char *text = busbar_value_as_text(busbar_value_get(map, key));
    return text != NULL ? text : "";
}

static enum busbar_status own_each(struct busbar_object *object, const struct busbar_value *list,
                                   object_method_fn *each, void *context)
{
    for (size_t i = 0; i < busbar_value_count(list); i++) {
        const struct busbar_value *map = busbar_value_at(list, i);
        struct object_method method = {
            .name = text_of(map, "name"),
            .signature = text_of(map, "signature"),
            .text = text_of(map, "text"),
            .idempotent = busbar_value_as_bool(busbar_value_get(map, "idempotent")),
        };
        if (method.name[0] == '\0')
            return busbar_fail(BUSBAR_APP_ERROR, BUSBAR_EXECUTED,
                               "%s: method %zu of its description has no name", object_name(object),
                               i + 1);
        if (!each(context, &method))
            break;
    }
    return BUSBAR_OK;
}

/* Without a description nothing is known, unless the class said that it failed. */
static enum busbar_status own_describe(struct busbar_object *object, uint32_t timeout_ms,
                                       object_method_fn *each, void *context)
{
    (void)timeout_ms;
    struct own *own = own_of(object);
    CLEANUP(busbar_value_destroy) struct busbar_value *list = own->given->describe(own->context);
    if (list == NULL)
        return busbar_last_status();
    if (busbar_value_type(list) != BUSBAR_LIST)
        return busbar_fail(BUSBAR_APP_ERROR, BUSBAR_EXECUTED,
                           "%s: its description is no list but a %s", object_name(object),
                           busbar_type_name(busbar_value_type(list)));
    return own_each(object, list, each, context);
}

static void own_destroy(struct busbar_object *object)
{
    struct own *own = own_of(object);
    if (own->given->destroy != NULL)
        own->given->destroy(own->context);
    object_fini(object);
    free(own);
}

static enum busbar_status own_new(struct busbar_object **ret,
                                  const struct busbar_object_class *given, void *context)
{
    struct own *own = calloc(1, sizeof *own);
    if (own == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: out of memory", given->kind);
    own->given = given;
    own->context = context;
    own->class = (struct object_class){
        .kind = given->kind,
        .call = own_call,
        .describe = given->describe != NULL ? own_describe : NULL,
        .destroy = own_destroy,
    };
    enum busbar_status status = object_init(&own->object, &own->class);
    if (status != BUSBAR_OK) {
        free(own);
        return status;
    }
    *ret = &own->object;
    return outcome_ok();
}

enum busbar_status busbar_object_new(struct busbar_object **ret,
                                     const struct busbar_object_class *class_of, void *context)
{
    if (ret != NULL)
        *ret = NULL;
    enum busbar_status status;
    if (ret == NULL || class_of == NULL || class_of->kind == NULL || class_of->call == NULL)
        status = outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                                   "a class needs a kind and a function that calls");
    else
        status = own_new(ret, class_of, context);
    if (status != BUSBAR_OK && class_of != NULL && class_of->destroy != NULL)
        class_of->destroy(context);
    return status;
}
