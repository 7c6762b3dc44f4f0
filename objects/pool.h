/* What the wiring of an application needs of a pool besides <busbar/object.h>. */
#ifndef OBJECTS_POOL_H
#define OBJECTS_POOL_H

#include "objects/object.h"

/* The ids that a file gave as members, in its order; NULL and 0 for a pool made by code. */
const struct text_settings *pool_ids(const struct busbar_object *pool, size_t *ret_count);

/* Where the id at `index` stands in the map of the file that describes the pool. */
const struct settings_node *pool_id_node(const struct settings_node *node, size_t index);

/* Told when a member is set aside or comes back; `error` is why, or "". On the thread of a call or
 * of a probe. One function for a pool, set before its first call. */
struct pool_hook {
    void (*changed)(void *context, const char *pool, const char *member, bool aside,
                    const char *error);
    void *context;
};
void pool_set_hook(struct busbar_object *pool, const struct pool_hook *hook);

#endif
