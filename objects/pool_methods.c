/* What a pool says of its methods: all that its members say. */
#include "objects/pool_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/idempotent.h"
#include "objects/outcome.h"

/* What members know without asking anybody; idempotent if one of them says so. The texts are those
 * of a member, to which `holder` is a reference. */
static bool find_in_members(struct pool *pool, const char *method, struct object_method *ret,
                            struct busbar_object **holder)
{
    struct object_method said;
    struct busbar_object *member;
    for (size_t i = 0; (member = pool_member_at(&pool->object, i)) != NULL; i++) {
        if (member->class->find != NULL && member->class->find(member, method, &said)) {
            if (*holder == NULL) {
                *ret = said;
                *holder = busbar_object_ref(member);
            }
            ret->idempotent = ret->idempotent || said.idempotent;
        }
        busbar_object_destroy(&member);
    }
    return *holder != NULL;
}

bool pool_is_idempotent(struct pool *pool, const char *method)
{
    struct object_method found = {.name = NULL};
    CLEANUP(busbar_object_destroy) struct busbar_object *holder = NULL;
    if (idempotent_has(pool->settings.idempotent, pool->settings.idempotent_count, method))
        return true;
    return find_in_members(pool, method, &found, &holder) && found.idempotent;
}

static bool method_is_same(const struct object_method *a, const struct object_method *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->signature, b->signature) == 0 &&
           strcmp(a->text, b->text) == 0 && a->idempotent == b->idempotent;
}

static const char *put_text(char **room, const char *text)
{
    char *put = *room;
    *room = stpcpy(put, text) + 1;
    return put;
}

static struct pool_method *method_new(const struct object_method *method)
{
    size_t size = strlen(method->name) + strlen(method->signature) + strlen(method->text) + 3;
    struct pool_method *kept = malloc(sizeof *kept + size);
    if (kept == NULL)
        return NULL;
    char *room = kept->text;
    kept->method.name = put_text(&room, method->name);
    kept->method.signature = put_text(&room, method->signature);
    kept->method.text = put_text(&room, method->text);
    kept->method.idempotent = method->idempotent;
    return kept;
}

/* The member that said it may be removed, but what is found stays while the pool does. */
static bool pool_keep(struct pool *pool, struct object_method *method)
{
    pool_lock(pool);
    struct pool_method *kept = pool->methods;
    while (kept != NULL && !method_is_same(&kept->method, method))
        kept = kept->next;
    if (kept == NULL && (kept = method_new(method)) != NULL) {
        kept->next = pool->methods;
        pool->methods = kept;
    }
    if (kept != NULL)
        *method = kept->method;
    pool_unlock(pool);
    return kept != NULL;
}

bool pool_find(struct busbar_object *object, const char *method, struct object_method *ret)
{
    struct pool *pool = pool_of(object);
    CLEANUP(busbar_object_destroy) struct busbar_object *holder = NULL;
    bool declared = idempotent_has(pool->settings.idempotent, pool->settings.idempotent_count,
                                   method);
    struct object_method found = {.name = method, .signature = "", .text = ""};
    if (!find_in_members(pool, method, &found, &holder) && !declared)
        return false;
    found.idempotent = found.idempotent || declared;
    /* Where nothing else is known there is nothing to keep: any name may be asked for. */
    if (found.signature[0] == '\0' && found.text[0] == '\0')
        found = (struct object_method){method, "", "", found.idempotent};
    else if (!pool_keep(pool, &found))
        return false;
    *ret = found;
    return true;
}

/* Describing ----------------------------------------------------------------------------------- */

struct description {
    struct pool *pool;
    object_method_fn *each;
    void *context;
    char **names; /* told already */
    size_t count;
    bool ended; /* nobody wants to hear more */
    bool no_memory;
};

static bool description_has(const struct description *description, const char *name)
{
    for (size_t i = 0; i < description->count; i++) {
        if (strcmp(description->names[i], name) == 0)
            return true;
    }
    return false;
}

static bool description_put(struct description *description, const char *name)
{
    char **names = realloc(description->names, (description->count + 1) * sizeof *names);
    if (names == NULL)
        return false;
    description->names = names;
    names[description->count] = strdup(name);
    if (names[description->count] == NULL)
        return false;
    description->count++;
    return true;
}

static bool describe_each(void *context, const struct object_method *method)
{
    struct description *description = context;
    struct object_method told = *method;
    if (description_has(description, method->name))
        return true;
    if (!description_put(description, method->name)) {
        description->no_memory = true;
        return false;
    }
    told.idempotent = told.idempotent || pool_is_idempotent(description->pool, method->name);
    description->ended = !description->each(description->context, &told);
    return !description->ended;
}

/* The count of members that answered. */
static size_t describe_members(struct description *description, struct busbar_object **members,
                               size_t count, uint64_t deadline)
{
    size_t answered = 0;
    for (size_t i = 0; i < count && !description->ended && !description->no_memory; i++) {
        uint64_t now = clock_ms();
        if (now >= deadline)
            break;
        answered += object_describe(members[i], (uint32_t)(deadline - now), describe_each,
                                    description) == BUSBAR_OK;
    }
    return answered;
}

enum busbar_status pool_describe(struct busbar_object *object, uint32_t timeout_ms,
                                 object_method_fn *each, void *context)
{
    struct pool *pool = pool_of(object);
    struct description description = {.pool = pool, .each = each, .context = context};
    size_t count = 0;
    struct busbar_object **members = pool_objects(pool, &count);
    uint64_t deadline = clock_ms() + (timeout_ms != 0 ? timeout_ms : POOL_DESCRIBE_TIMEOUT_MS);
    size_t answered = describe_members(&description, members, count, deadline);
    for (size_t i = 0; i < description.count; i++)
        free(description.names[i]);
    free(description.names);
    bool no_memory = members == NULL || description.no_memory;
    pool_objects_free(&members, count);
    if (no_memory)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: out of memory",
                           object_name(object));
    if (answered > 0 || description.ended)
        return outcome_ok();
    if (count == 0)
        return pool_fail_no_members(pool, BUSBAR_NOT_EXECUTED);
    if (busbar_last_status() == BUSBAR_OK)
        return busbar_fail(BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED,
                           "%s: no member told of its methods in time", object_name(object));
    return outcome_prefix("%s: no member tells of its methods; ", object_name(object));
}
