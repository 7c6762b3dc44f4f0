/* An intrusive hash table: entries embed a node, the caller gives hash and equality. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets;
    size_t mask; /* buckets - 1; buckets is a power of two */
    size_t count;
};

/* False when out of memory. */
bool map_init(struct map *map);

/* Frees the buckets, not the entries; the map must be empty. */
void map_fini(struct map *map);

/* Never fails: when it cannot grow, chains get longer. The key must not be in the map. */
void map_insert(struct map *map, struct map_node *node, uint64_t hash);

void map_remove(struct map *map, struct map_node *node);

/* The first node of a hash's chain; walk on with map_next until one's key is equal. */
static inline struct map_node *map_first(const struct map *map, uint64_t hash)
{
    struct map_node *node = map->buckets[hash & map->mask];
    while (node != NULL && node->hash != hash)
        node = node->next;
    return node;
}

static inline struct map_node *map_next(const struct map_node *node)
{
    uint64_t hash = node->hash;
    struct map_node *next = node->next;
    while (next != NULL && next->hash != hash)
        next = next->next;
    return next;
}

/* In two steps, with something else between them: fetches the first node of a hash into the caches. */
static inline void map_prefetch_bucket(const struct map *map, uint64_t hash)
{
    __builtin_prefetch(&map->buckets[hash & map->mask]);
}

static inline const struct map_node *map_prefetch_first(const struct map *map, uint64_t hash)
{
    const struct map_node *first = map->buckets[hash & map->mask];
    __builtin_prefetch(first);
    return first;
}

/* Walks all nodes, in no order: start with NULL; the map must not change meanwhile. */
struct map_node *map_walk(const struct map *map, const struct map_node *node);

#endif
