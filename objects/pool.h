/* What the wiring of an application needs of a pool besides <busbar/object.h>. */
#ifndef OBJECTS_POOL_H
#define OBJECTS_POOL_H

#include "objects/object.h"

/* The ids that a file gave as members, in its order; NULL and 0 for a pool made by code. */
const struct text_settings *pool_ids(const struct busbar_object *pool, size_t *ret_count);

/* Where the id at `index` stands in the map of the file that describes the pool. */
const struct settings_node *pool_id_node(const struct settings_node *node, size_t index);

/* Do two pools say the same, but for their members? A reload keeps such a pool. */
bool pool_same_but_members(const struct busbar_object *a, const struct busbar_object *b);

/* Told when a member is set aside or comes back; `error` is why, or "". On the thread of a call or
 * of a probe. The first one that is set stays. */
struct pool_hook {
    void (*changed)(void *context, const char *pool, const char *member, bool aside,
                    const char *error);
    void *context;
    void (*release)(void *context); /* when the pool goes, since it may outlive who set it; or NULL.
                                       At once if another hook is set already */
};
void pool_set_hook(struct busbar_object *pool, const struct pool_hook *hook);

#endif
