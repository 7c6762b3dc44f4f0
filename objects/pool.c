/* Several objects as one: the pool as an object, and the coming and going of its members. */
#include "objects/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "objects/outcome.h"
#include "objects/pool_internal.h"

static void pool_destroy(struct busbar_object *object);
static void pool_dump(const struct busbar_object *object, unsigned indent, FILE *out);

static const struct object_class pool_class = {
    .kind = "pool",
    .call = pool_call,
    .destroy = pool_destroy,
    .describe = pool_describe,
    .find = pool_find,
    .probe = pool_probe,
    .member = pool_member_at,
    .dump = pool_dump,
};

struct pool *pool_of(struct busbar_object *object)
{
    if (object == NULL || object->class != &pool_class)
        return NULL;
    return CONTAINER_OF(object, struct pool, object);
}

enum busbar_status pool_new(struct busbar_object **ret, struct pool_settings *settings)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL || !pool_members_init(pool)) {
        free(pool);
        settings_fini(&pool_table, settings);
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "pool: out of memory");
    }
    enum busbar_status status = object_init(&pool->object, &pool_class);
    pool->settings = *settings;
    *settings = (struct pool_settings){0};
    if (status != BUSBAR_OK) {
        pool_members_fini(pool);
        settings_fini(&pool_table, &pool->settings);
        free(pool);
        return status;
    }
    *ret = &pool->object;
    return outcome_ok();
}

static void pool_destroy(struct busbar_object *object)
{
    struct pool *pool = pool_of(object);
    pool_probe_stop(pool);
    pool_members_fini(pool);
    while (pool->methods != NULL) {
        struct pool_method *method = pool->methods;
        pool->methods = method->next;
        free(method);
    }
    settings_fini(&pool_table, &pool->settings);
    if (pool->hook.release != NULL)
        pool->hook.release(pool->hook.context);
    object_fini(object);
    free(pool);
}

/* Members -------------------------------------------------------------------------------------- */

static size_t find_member(const struct pool_members *members, const struct busbar_object *object)
{
    size_t i = 0;
    while (i < members->count && members->at[i]->object != object)
        i++;
    return i;
}

static struct pool_member *member_new(struct busbar_object *object)
{
    struct pool_member *member = calloc(1, sizeof *member);
    if (member == NULL)
        return NULL;
    atomic_init(&member->references, 2); /* the pool's, and of who adds it */
    member->object = busbar_object_ref(object);
    member->pending = true;
    return member;
}

/* With the lock held. The member before which the next call would have gone stays the next one. */
static bool replace_members(struct pool *pool, struct pool_member *added, size_t removed)
{
    struct pool_members *old = pool->members;
    struct pool_members *members = malloc(sizeof *members +
                                          (old->count + 1) * sizeof members->at[0]);
    if (members == NULL)
        return false;
    members->count = 0;
    for (size_t i = 0; i < old->count; i++) {
        if (i != removed)
            members->at[members->count++] = old->at[i];
    }
    if (added != NULL)
        members->at[members->count++] = added;
    if (pool->next > removed)
        pool->next--;
    pool->members = members;
    free(old);
    return true;
}

static enum busbar_status put_member(struct pool *pool, struct pool_member *member)
{
    enum busbar_status status = BUSBAR_OK;
    const char *name = object_name(&pool->object);
    pool_lock(pool);
    if (find_member(pool->members, member->object) < pool->members->count)
        status = BUSBAR_BAD_ARGUMENT;
    else if (!replace_members(pool, member, SIZE_MAX))
        status = BUSBAR_NO_MEMORY;
    pool_unlock(pool);
    if (status == BUSBAR_BAD_ARGUMENT)
        busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s is a member already", name,
                    object_name(member->object));
    else if (status != BUSBAR_OK)
        busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: out of memory", name);
    if (status != BUSBAR_OK)
        atomic_fetch_sub_explicit(&member->references, 1, memory_order_relaxed);
    return status;
}

/* The pool's reference goes over to `ret`. Calls that have the member go on. */
static enum busbar_status take_member(struct pool *pool, const struct busbar_object *object,
                                      struct pool_member **ret)
{
    enum busbar_status status = BUSBAR_OK;
    pool_lock(pool);
    size_t index = find_member(pool->members, object);
    struct pool_member *member = index < pool->members->count ? pool->members->at[index] : NULL;
    if (member == NULL) {
        status = BUSBAR_BAD_ARGUMENT;
    } else if (!replace_members(pool, NULL, index)) {
        status = BUSBAR_NO_MEMORY;
    } else {
        member->removed = true;
        *ret = member;
        pthread_cond_signal(&pool->changed);
    }
    pool_unlock(pool);
    return status;
}

/* Does `from` lead to `target`, or too far to tell? */
static bool leads_to(struct busbar_object *from, const struct busbar_object *target, unsigned depth,
                     unsigned *looked_at)
{
    bool found = from == target;
    struct busbar_object *member;
    if (from->class->member == NULL)
        return found;
    if (depth == 0 || ++*looked_at > POOL_WALK_MAX)
        return true;
    for (size_t i = 0; !found && (member = from->class->member(from, i)) != NULL; i++) {
        found = leads_to(member, target, depth - 1, looked_at);
        busbar_object_destroy(&member);
    }
    return found;
}

static enum busbar_status misuse(const struct busbar_object *pool,
                                 const struct busbar_object *member)
{
    return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                       pool == NULL     ? "no pool was given"
                       : member == NULL ? "%s: no member was given"
                                        : "%s is no pool",
                       pool == NULL ? "" : object_name(pool));
}

/* The member is there, but not called, before it is looked where it leads to: of two threads that
 * would close a circle together at least one then sees it. */
enum busbar_status busbar_pool_add(struct busbar_object *object, struct busbar_object *added)
{
    struct pool *pool = pool_of(object);
    unsigned looked_at = 0;
    if (pool == NULL || added == NULL)
        return misuse(object, added);
    struct pool_member *member = member_new(added);
    if (member == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "%s: out of memory",
                           object_name(object));
    enum busbar_status status = put_member(pool, member);
    if (status == BUSBAR_OK && leads_to(added, object, POOL_PATH_MAX, &looked_at)) {
        struct pool_member *gone = NULL;
        if (take_member(pool, added, &gone) == BUSBAR_OK)
            pool_member_unref(&gone);
        status = busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                             "%s: it would reach itself through %s", object_name(object),
                             object_name(added));
    } else if (status == BUSBAR_OK) {
        pool_lock(pool);
        member->pending = false;
        pool_unlock(pool);
        if (added->class->joined != NULL)
            added->class->joined(added);
        status = outcome_ok();
    }
    pool_member_unref(&member);
    return status;
}

enum busbar_status busbar_pool_remove(struct busbar_object *object, struct busbar_object *removed)
{
    struct pool *pool = pool_of(object);
    struct pool_member *member = NULL;
    if (pool == NULL || removed == NULL)
        return misuse(object, removed);
    enum busbar_status status = take_member(pool, removed, &member);
    if (status == BUSBAR_BAD_ARGUMENT)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: %s is no member", object_name(object),
                           object_name(removed));
    if (status != BUSBAR_OK)
        return busbar_fail(status, BUSBAR_NOT_EXECUTED, "%s: out of memory", object_name(object));
    pool_member_unref(&member);
    return outcome_ok();
}

/* For the application -------------------------------------------------------------------------- */

enum busbar_status busbar_pool_stats(struct busbar_object *object, struct busbar_pool_stats *ret)
{
    struct pool *pool = pool_of(object);
    if (pool == NULL)
        return misuse(object, object);
    if (ret == NULL)
        return busbar_fail(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                           "%s: its numbers need a place to go", object_name(object));
    *ret = (struct busbar_pool_stats){.moved = pool->moved, .probes = pool->probes};
    pool_lock(pool);
    ret->members = (uint32_t)pool->members->count;
    for (size_t i = 0; i < pool->members->count; i++)
        ret->aside += pool->members->at[i]->aside;
    pool_unlock(pool);
    return outcome_ok();
}

const struct text_settings *pool_ids(const struct busbar_object *object, size_t *ret_count)
{
    const struct pool *pool = CONTAINER_OF(object, const struct pool, object);
    *ret_count = pool->settings.member_count;
    return pool->settings.members;
}

void pool_set_hook(struct busbar_object *object, const struct pool_hook *hook)
{
    struct pool *pool = pool_of(object);
    pool_lock(pool);
    bool is_first = pool->hook.changed == NULL;
    if (is_first)
        pool->hook = *hook;
    pool_unlock(pool);
    if (!is_first && hook->release != NULL)
        hook->release(hook->context);
}

/* What settings say besides members; for free(). */
static char *settings_text(const struct busbar_object *object)
{
    char *text = NULL;
    size_t size = 0;
    struct pool_settings settings = CONTAINER_OF(object, const struct pool, object)->settings;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    settings.members = NULL;
    settings.member_count = 0;
    settings_dump_bare(&pool_table, &settings, 0, out);
    fclose(out);
    return text;
}

bool pool_same_but_members(const struct busbar_object *a, const struct busbar_object *b)
{
    CLEANUP(cleanup_free) char *one = settings_text(a);
    CLEANUP(cleanup_free) char *other = settings_text(b);
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

/* The members it has now, which need not be those of the file. */
static void pool_dump(const struct busbar_object *object, unsigned indent, FILE *out)
{
    struct pool *pool = CONTAINER_OF((struct busbar_object *)object, struct pool, object);
    size_t count = 0;
    struct pool_settings settings = pool->settings;
    pool_lock(pool);
    settings.member_count = pool->members->count;
    settings.members = calloc(settings.member_count + 1, sizeof *settings.members);
    for (; count < settings.member_count && settings.members != NULL; count++)
        settings.members[count].text = strdup(object_name(pool->members->at[count]->object));
    pool_unlock(pool);
    settings.member_count = count;
    settings_dump_bare(&pool_table, &settings, indent, out);
    for (size_t i = 0; i < count; i++)
        free(settings.members[i].text);
    free(settings.members);
}
