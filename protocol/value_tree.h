/* How a value lies in memory: shared by the files that build, read and encode it, by no other. */
#ifndef PROTOCOL_VALUE_TREE_H
#define PROTOCOL_VALUE_TREE_H

#include <busbar/value.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key of a map's first pair that stands for its class name in the encoding. */
#define VALUE_CLASS_KEY "$class"

enum {
    VALUE_CLASS_KEY_SIZE = sizeof(VALUE_CLASS_KEY) - 1,
    VALUE_NANOSECONDS_MAX = 999999999,
    VALUE_EXT_TIMESTAMP = -1,
};

struct value_pair;

/*
 * Elements lie in their container's array, not behind pointers: a list of small values costs 32
 * bytes each, and no allocation of its own for each. `height` bounds every recursion over a tree:
 * a container that would be higher than BUSBAR_VALUE_DEPTH_MAX is never built.
 */
struct busbar_value {
    uint8_t type;   /* enum busbar_type */
    uint8_t height; /* containers on the longest way down, itself included; 0 for a scalar */
    int8_t ext_type;
    union {
        bool boolean;
        int64_t int64;
        uint64_t uint64;
        double number;
        struct {
            char *data; /* followed by a NUL */
            size_t size;
        } bytes; /* STRING, BYTES, EXT */
        struct {
            int64_t seconds;
            uint32_t nanoseconds;
        } timestamp;
        struct {
            struct busbar_value *items;
            uint32_t count;
            uint32_t capacity;
        } list;
        struct {
            struct value_pair *pairs;
            char *class_name;
            uint32_t count;
            uint32_t capacity;
        } map;
    };
};

struct value_pair {
    struct busbar_value key;
    struct busbar_value value;
};

/* Frees what a value holds and leaves it null; the memory of the value itself stays. */
void value_fini(struct busbar_value *value);

/* Fills an unused value with copied bytes of type STRING, BYTES or EXT; false: out of memory. */
bool value_init_bytes(struct busbar_value *value, enum busbar_type type, const void *data,
                      size_t size);

static inline bool value_is_container(const struct busbar_value *value)
{
    return value->type == BUSBAR_LIST || value->type == BUSBAR_MAP;
}

/* Makes a container at least as high as holding `element` needs. */
static inline void value_cover(struct busbar_value *container, const struct busbar_value *element)
{
    if (element->height >= container->height) {
        container->height = (uint8_t)(element->height + 1);
    }
}

/* Is it the string `text` of `size` bytes? */
bool value_is_string(const struct busbar_value *value, const char *text, size_t size);

#endif
