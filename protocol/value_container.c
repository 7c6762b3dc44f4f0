/* Lists and maps: their elements, their growth, their class names. */
#include <busbar/value.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "protocol/value_tree.h"

enum {
    CAPACITY_FIRST = 4,
};

/* The array with room for one more element of `size` bytes; NULL, and unchanged, if it cannot be. */
static void *array_grow(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    if (count > UINT32_MAX / 2) {
        return NULL;
    }
    uint32_t wanted = count == 0 ? CAPACITY_FIRST : count * 2;
    void *grown = realloc(array, wanted * size);
    if (grown != NULL) {
        *capacity = wanted;
    }
    return grown;
}

/* Moves a value on the heap into its place and frees the empty shell. */
static void value_move(struct busbar_value *to, struct busbar_value **from)
{
    *to = **from;
    free(STEAL(*from));
}

/* What every call that adds `element` to `container` checks first. */
static enum busbar_status element_check(const struct busbar_value *container, enum busbar_type type,
                                        const struct busbar_value *element)
{
    if (container == NULL || element == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    if (busbar_value_type(container) != type || container == element ||
        element->height >= BUSBAR_VALUE_DEPTH_MAX) {
        return BUSBAR_BAD_ARGUMENT;
    }
    return BUSBAR_OK;
}

size_t busbar_value_count(const struct busbar_value *value)
{
    if (busbar_value_type(value) == BUSBAR_LIST) {
        return value->list.count;
    }
    return busbar_value_type(value) == BUSBAR_MAP ? value->map.count : 0;
}

const struct busbar_value *busbar_value_at(const struct busbar_value *list, size_t index)
{
    if (busbar_value_type(list) != BUSBAR_LIST || index >= list->list.count) {
        return NULL;
    }
    return &list->list.items[index];
}

static struct value_pair *map_pair_at(const struct busbar_value *map, size_t index)
{
    if (busbar_value_type(map) != BUSBAR_MAP || index >= map->map.count) {
        return NULL;
    }
    return &map->map.pairs[index];
}

const struct busbar_value *busbar_value_key_at(const struct busbar_value *map, size_t index)
{
    const struct value_pair *pair = map_pair_at(map, index);
    return pair == NULL ? NULL : &pair->key;
}

const struct busbar_value *busbar_value_value_at(const struct busbar_value *map, size_t index)
{
    const struct value_pair *pair = map_pair_at(map, index);
    return pair == NULL ? NULL : &pair->value;
}

const struct busbar_value *busbar_value_get(const struct busbar_value *map, const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < busbar_value_count(map); i++) {
        const struct value_pair *pair = map_pair_at(map, i);
        if (pair != NULL && value_is_string(&pair->key, key, size)) {
            return &pair->value;
        }
    }
    return NULL;
}

enum busbar_status busbar_value_append(struct busbar_value *list, struct busbar_value **element)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *taken = STEAL(*element);
    enum busbar_status status = element_check(list, BUSBAR_LIST, taken);
    if (status != BUSBAR_OK) {
        return status;
    }
    struct busbar_value *items = array_grow(list->list.items, list->list.count,
                                            &list->list.capacity, sizeof(*items));
    if (items == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    list->list.items = items;
    value_cover(list, taken);
    value_move(&items[list->list.count++], &taken);
    return BUSBAR_OK;
}

static struct value_pair *map_find(const struct busbar_value *map, const struct busbar_value *key)
{
    for (uint32_t i = 0; i < map->map.count; i++) {
        if (busbar_value_equal(&map->map.pairs[i].key, key)) {
            return &map->map.pairs[i];
        }
    }
    return NULL;
}

/* A replaced value may have been the highest one, so the height is found anew. */
static void map_replace(struct busbar_value *map, struct value_pair *pair,
                        struct busbar_value **value)
{
    value_fini(&pair->value);
    value_move(&pair->value, value);
    map->height = 1;
    for (uint32_t i = 0; i < map->map.count; i++) {
        value_cover(map, &map->map.pairs[i].value);
    }
}

static enum busbar_status pair_append(struct busbar_value *map, struct busbar_value **key,
                                      struct busbar_value **value)
{
    struct value_pair *pairs = array_grow(map->map.pairs, map->map.count, &map->map.capacity,
                                          sizeof(*pairs));
    if (pairs == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    map->map.pairs = pairs;
    value_cover(map, *value);
    struct value_pair *pair = &pairs[map->map.count++];
    value_move(&pair->key, key);
    value_move(&pair->value, value);
    return BUSBAR_OK;
}

enum busbar_status busbar_value_put(struct busbar_value *map, struct busbar_value **key,
                                    struct busbar_value **value)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *taken_key = STEAL(*key);
    CLEANUP(busbar_value_destroy) struct busbar_value *taken = STEAL(*value);
    enum busbar_status status = element_check(map, BUSBAR_MAP, taken);
    if (status == BUSBAR_OK) {
        status = element_check(map, BUSBAR_MAP, taken_key);
    }
    if (status != BUSBAR_OK) {
        return status;
    }
    if (value_is_container(taken_key) ||
        value_is_string(taken_key, VALUE_CLASS_KEY, VALUE_CLASS_KEY_SIZE)) {
        return BUSBAR_BAD_ARGUMENT;
    }
    struct value_pair *pair = map_find(map, taken_key);
    if (pair != NULL) {
        map_replace(map, pair, &taken);
        return BUSBAR_OK;
    }
    return pair_append(map, &taken_key, &taken);
}

enum busbar_status busbar_value_set(struct busbar_value *map, const char *key,
                                    struct busbar_value **value)
{
    if (key == NULL || !utf8_is_valid(key, strlen(key))) {
        busbar_value_destroy(value);
        return BUSBAR_BAD_ARGUMENT;
    }
    struct busbar_value *key_value = busbar_value_text(key);
    return busbar_value_put(map, &key_value, value);
}

const char *busbar_value_class(const struct busbar_value *map)
{
    return busbar_value_type(map) == BUSBAR_MAP ? map->map.class_name : NULL;
}

enum busbar_status busbar_value_set_class(struct busbar_value *map, const char *name)
{
    if (map == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    if (busbar_value_type(map) != BUSBAR_MAP ||
        (name != NULL && !utf8_is_valid(name, strlen(name)))) {
        return BUSBAR_BAD_ARGUMENT;
    }
    char *copy = name == NULL ? NULL : strdup(name);
    if (name != NULL && copy == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    free(map->map.class_name);
    map->map.class_name = copy;
    return BUSBAR_OK;
}
