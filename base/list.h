/* An intrusive doubly linked ring: O(1) insertion and removal, no allocation. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/cleanup.h"

#include <stdbool.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
    node->next = list;
    node->previous = list->previous;
    list->previous->next = node;
    list->previous = node;
}

/* Leaves the node a ring of its own, so that a second removal is harmless. */
static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->next;
}

#define LIST_FIRST(list, type, member)                                                             \
    (list_is_empty(list) ? NULL : CONTAINER_OF((list)->next, type, member))

/* Walks the ring; the current node may be removed in the body. */
#define LIST_EACH(node, ring)                                                                      \
    for (struct list *node = (ring)->next, *node##_after = node->next; node != (ring);             \
         node = node##_after, node##_after = node->next)

#endif
