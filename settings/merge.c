/* Lays one tree over another; which files they come from is not known here. */
#include "settings/layers.h"

#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* A child of the lower map, while it is out of it. */
struct slot {
    struct settings_node *node; /* NULL once taken away */
    const char *key;            /* of what was there first */
    size_t index;               /* in the order of the map */
    struct settings_node *replaced;
};

struct settings_node *settings_node_pop(struct settings_node *parent)
{
    struct settings_node *node = parent->first;
    if (node == NULL)
        return NULL;
    parent->first = node->next;
    if (parent->first == NULL)
        parent->last = NULL;
    parent->count--;
    node->next = NULL;
    node->parent = NULL;
    return node;
}

static int compare_keys(const void *left, const void *right)
{
    return strcmp(((const struct slot *)left)->key, ((const struct slot *)right)->key);
}

static int compare_indexes(const void *left, const void *right)
{
    size_t a = ((const struct slot *)left)->index;
    size_t b = ((const struct slot *)right)->index;
    return a < b ? -1 : a > b;
}

/* A map that is new, or replaces something else, has no keys that a null could take away. */
static void drop_nulls(struct settings_node *node)
{
    if (node->kind != SETTINGS_MAPPING)
        return;
    struct settings_node old = *node;
    node->first = node->last = NULL;
    node->count = 0;
    struct settings_node *child;
    while ((child = settings_node_pop(&old)) != NULL) {
        drop_nulls(child);
        if (settings_node_is_null(child))
            settings_node_destroy(&child);
        else
            settings_node_append(node, &child);
    }
}

/* Takes the child. */
static bool lay_over(struct slot *slot, struct settings_node *child)
{
    if (slot->node != NULL && slot->node->kind == SETTINGS_MAPPING &&
        child->kind == SETTINGS_MAPPING && !child->broken) {
        bool done = settings_node_merge(slot->node, child);
        settings_node_destroy(&child);
        return done;
    }
    /* The key of the first is what the slots are sorted by. */
    if (slot->replaced == NULL)
        slot->replaced = STEAL(slot->node);
    settings_node_destroy(&slot->node);
    if (settings_node_is_null(child)) {
        settings_node_destroy(&child);
    } else {
        drop_nulls(child);
        slot->node = child;
    }
    return true;
}

static void put_back(struct settings_node *base, struct slot *slots, size_t count)
{
    qsort(slots, count, sizeof *slots, compare_indexes);
    for (size_t i = 0; i < count; i++) {
        settings_node_destroy(&slots[i].replaced);
        if (slots[i].node != NULL)
            settings_node_append(base, &slots[i].node);
    }
}

/* The keys of a layer are all different, or broken. */
bool settings_node_merge(struct settings_node *base, struct settings_node *layer)
{
    size_t count = base->count;
    CLEANUP(cleanup_free) struct slot *slots = calloc(count + 1, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct settings_node *node = settings_node_pop(base);
        slots[i] = (struct slot){.node = node, .key = node->key, .index = i};
    }
    qsort(slots, count, sizeof *slots, compare_keys);
    struct settings_node added = {.kind = SETTINGS_MAPPING};
    struct settings_node *child;
    bool done = true;
    while ((child = settings_node_pop(layer)) != NULL) {
        struct slot wanted = {.key = child->key};
        struct slot *slot = bsearch(&wanted, slots, count, sizeof *slots, compare_keys);
        if (slot != NULL) {
            done = lay_over(slot, child) && done;
        } else if (settings_node_is_null(child)) {
            settings_node_destroy(&child);
        } else {
            drop_nulls(child);
            settings_node_append(&added, &child);
        }
    }
    put_back(base, slots, count);
    while ((child = settings_node_pop(&added)) != NULL)
        settings_node_append(base, &child);
    return done;
}
