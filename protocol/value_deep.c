/* What walks a whole tree: freeing, copying, comparing. A tree's height bounds the recursion. */
#include <busbar/value.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/value_tree.h"

static void list_fini(struct busbar_value *list)
{
    for (uint32_t i = 0; i < list->list.count; i++) {
        value_fini(&list->list.items[i]);
    }
    free(list->list.items);
}

static void map_fini(struct busbar_value *map)
{
    for (uint32_t i = 0; i < map->map.count; i++) {
        value_fini(&map->map.pairs[i].key);
        value_fini(&map->map.pairs[i].value);
    }
    free(map->map.pairs);
    free(map->map.class_name);
}

void value_fini(struct busbar_value *value)
{
    switch ((enum busbar_type)value->type) {
    case BUSBAR_STRING:
    case BUSBAR_BYTES:
    case BUSBAR_EXT:
        free(value->bytes.data);
        break;
    case BUSBAR_LIST:
        list_fini(value);
        break;
    case BUSBAR_MAP:
        map_fini(value);
        break;
    case BUSBAR_NULL:
    case BUSBAR_BOOL:
    case BUSBAR_INT64:
    case BUSBAR_UINT64:
    case BUSBAR_DOUBLE:
    case BUSBAR_TIMESTAMP:
        break;
    }
    *value = (struct busbar_value){.type = BUSBAR_NULL};
}

static bool value_copy_into(struct busbar_value *to, const struct busbar_value *from);

/* On failure the copies made so far stay in `to`, which the caller finishes as a whole. */
static bool list_copy_into(struct busbar_value *to, const struct busbar_value *from)
{
    *to = (struct busbar_value){.type = BUSBAR_LIST, .height = from->height};
    if (from->list.count == 0) {
        return true;
    }
    to->list.items = calloc(from->list.count, sizeof(*to->list.items));
    if (to->list.items == NULL) {
        return false;
    }
    to->list.capacity = from->list.count;
    to->list.count = from->list.count;
    for (uint32_t i = 0; i < from->list.count; i++) {
        if (!value_copy_into(&to->list.items[i], &from->list.items[i])) {
            return false;
        }
    }
    return true;
}

static bool map_copy_into(struct busbar_value *to, const struct busbar_value *from)
{
    *to = (struct busbar_value){.type = BUSBAR_MAP, .height = from->height};
    if (from->map.class_name != NULL) {
        to->map.class_name = strdup(from->map.class_name);
        if (to->map.class_name == NULL) {
            return false;
        }
    }
    if (from->map.count == 0) {
        return true;
    }
    to->map.pairs = calloc(from->map.count, sizeof(*to->map.pairs));
    if (to->map.pairs == NULL) {
        return false;
    }
    to->map.capacity = from->map.count;
    to->map.count = from->map.count;
    for (uint32_t i = 0; i < from->map.count; i++) {
        if (!value_copy_into(&to->map.pairs[i].key, &from->map.pairs[i].key) ||
            !value_copy_into(&to->map.pairs[i].value, &from->map.pairs[i].value)) {
            return false;
        }
    }
    return true;
}

static bool bytes_copy_into(struct busbar_value *to, const struct busbar_value *from)
{
    if (!value_init_bytes(to, (enum busbar_type)from->type, from->bytes.data, from->bytes.size)) {
        return false;
    }
    to->ext_type = from->ext_type;
    return true;
}

static bool value_copy_into(struct busbar_value *to, const struct busbar_value *from)
{
    switch ((enum busbar_type)from->type) {
    case BUSBAR_STRING:
    case BUSBAR_BYTES:
    case BUSBAR_EXT:
        return bytes_copy_into(to, from);
    case BUSBAR_LIST:
        return list_copy_into(to, from);
    case BUSBAR_MAP:
        return map_copy_into(to, from);
    case BUSBAR_NULL:
    case BUSBAR_BOOL:
    case BUSBAR_INT64:
    case BUSBAR_UINT64:
    case BUSBAR_DOUBLE:
    case BUSBAR_TIMESTAMP:
        break;
    }
    *to = *from;
    return true;
}

struct busbar_value *busbar_value_copy(const struct busbar_value *value)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *copy = busbar_value_null();
    if (copy == NULL || value == NULL) {
        return STEAL(copy);
    }
    return value_copy_into(copy, value) ? STEAL(copy) : NULL;
}

/* By bits, so that 0.0 and -0.0 differ; all NaNs are one. */
static bool number_equal(double a, double b)
{
    uint64_t bits_a = 0;
    uint64_t bits_b = 0;
    memcpy(&bits_a, &a, sizeof(a));
    memcpy(&bits_b, &b, sizeof(b));
    return bits_a == bits_b || (isnan(a) && isnan(b));
}

static bool bytes_equal(const struct busbar_value *a, const struct busbar_value *b)
{
    return a->ext_type == b->ext_type && a->bytes.size == b->bytes.size &&
           memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0;
}

static bool list_equal(const struct busbar_value *a, const struct busbar_value *b)
{
    if (a->list.count != b->list.count) {
        return false;
    }
    for (uint32_t i = 0; i < a->list.count; i++) {
        if (!busbar_value_equal(&a->list.items[i], &b->list.items[i])) {
            return false;
        }
    }
    return true;
}

static bool class_equal(const struct busbar_value *a, const struct busbar_value *b)
{
    const char *first = a->map.class_name;
    const char *second = b->map.class_name;
    if (first == NULL || second == NULL) {
        return first == second;
    }
    return strcmp(first, second) == 0;
}

static bool map_equal(const struct busbar_value *a, const struct busbar_value *b)
{
    if (a->map.count != b->map.count || !class_equal(a, b)) {
        return false;
    }
    for (uint32_t i = 0; i < a->map.count; i++) {
        if (!busbar_value_equal(&a->map.pairs[i].key, &b->map.pairs[i].key) ||
            !busbar_value_equal(&a->map.pairs[i].value, &b->map.pairs[i].value)) {
            return false;
        }
    }
    return true;
}

bool busbar_value_equal(const struct busbar_value *a, const struct busbar_value *b)
{
    enum busbar_type type = busbar_value_type(a);
    if (type != busbar_value_type(b)) {
        return false;
    }
    switch (type) {
    case BUSBAR_NULL:
        return true;
    case BUSBAR_BOOL:
        return a->boolean == b->boolean;
    case BUSBAR_INT64:
        return a->int64 == b->int64;
    case BUSBAR_UINT64:
        return a->uint64 == b->uint64;
    case BUSBAR_DOUBLE:
        return number_equal(a->number, b->number);
    case BUSBAR_STRING:
    case BUSBAR_BYTES:
    case BUSBAR_EXT:
        return bytes_equal(a, b);
    case BUSBAR_TIMESTAMP:
        return a->timestamp.seconds == b->timestamp.seconds &&
               a->timestamp.nanoseconds == b->timestamp.nanoseconds;
    case BUSBAR_LIST:
        return list_equal(a, b);
    case BUSBAR_MAP:
        return map_equal(a, b);
    }
    return false;
}
