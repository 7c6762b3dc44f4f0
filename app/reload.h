/* What a reload changes of pools and exports, each as a whole: done, or undone. */
#ifndef APP_RELOAD_H
#define APP_RELOAD_H

#include "app/exports.h"
#include "app/log.h"
#include "app/wiring.h"

/* A pool, and the members it is to have, in this order; a reference to each. */
struct pool_change {
    struct busbar_object *pool;
    struct busbar_object **members;
    size_t count;
};

/* Copies the present members of a pool; false when out of memory. */
bool pool_change_init(struct pool_change *ret, struct busbar_object *pool);
void pool_change_fini(struct pool_change *change);
/* The same members in the same order? */
bool pool_change_same(const struct pool_change *a, const struct pool_change *b);

/* Gives pools their members, as far as they have not got them. No pool is empty meanwhile that was
 * not and will not be. On failure some have got them and some have not. */
enum busbar_status pools_become(const struct pool_change *changes, size_t count)
    __attribute__((warn_unused_result));

/* Adds, removes and replaces exports, so that those of `from` become those of `to` without a call
 * of them lost. On failure they are those of `from`. */
struct exports_change {
    struct exports *exports;
    const struct wiring *from;
    const struct wiring *to;
    struct app_log *log;
    bool pools_changed; /* a pool has got or lost members: its exports may have other methods */
};
enum busbar_status exports_become(const struct exports_change *change)
    __attribute__((warn_unused_result));

#endif
