/* Chains in buckets that double when there are as many nodes. */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

enum {
    MAP_BUCKETS_MIN = 16,
};

bool map_init(struct map *map)
{
    *map = (struct map){.mask = MAP_BUCKETS_MIN - 1};
    map->buckets = calloc(MAP_BUCKETS_MIN, sizeof *map->buckets);
    return map->buckets != NULL;
}

void map_fini(struct map *map)
{
    assert(map->count == 0);
    free(map->buckets);
    *map = (struct map){0};
}

static void map_grow(struct map *map)
{
    size_t mask = map->mask * 2 + 1;
    struct map_node **buckets = calloc(mask + 1, sizeof *buckets);
    if (buckets == NULL)
        return;
    for (size_t i = 0; i <= map->mask; i++) {
        struct map_node *next;
        for (struct map_node *node = map->buckets[i]; node != NULL; node = next) {
            next = node->next;
            node->next = buckets[node->hash & mask];
            buckets[node->hash & mask] = node;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->mask = mask;
}

void map_insert(struct map *map, struct map_node *node, uint64_t hash)
{
    if (map->count > map->mask)
        map_grow(map);
    node->hash = hash;
    node->next = map->buckets[hash & map->mask];
    map->buckets[hash & map->mask] = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **link = &map->buckets[node->hash & map->mask];
    while (*link != node) {
        assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    map->count--;
}

struct map_node *map_walk(const struct map *map, const struct map_node *node)
{
    size_t bucket = 0;
    if (node != NULL) {
        if (node->next != NULL)
            return node->next;
        bucket = (node->hash & map->mask) + 1;
    }
    for (; bucket <= map->mask; bucket++) {
        if (map->buckets[bucket] != NULL)
            return map->buckets[bucket];
    }
    return NULL;
}
