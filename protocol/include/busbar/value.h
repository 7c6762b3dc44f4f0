/* Values: what bodies of encoding MessagePack hold, as a tree that the caller owns. */
#ifndef BUSBAR_VALUE_H
#define BUSBAR_VALUE_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A value is one of the types below. Integers are INT64 where they fit and UINT64 only above
 * INT64_MAX, so that equal numbers have one form. Strings are UTF-8 and may hold NUL bytes.
 *
 * Thread rules: a value may be read by many threads at once, or changed by one.
 * Ownership: a container owns its elements; a function that takes `struct busbar_value **x` takes
 * the value and sets the pointer to NULL, on failure too. A NULL value passed in (for instance the
 * result of a constructor out of memory) makes the call fail with BUSBAR_NO_MEMORY, so a tree can
 * be built without checking each step.
 * Source of the encoding: the MessagePack specification; timestamp is its ext type -1.
 */
struct busbar_value;

enum busbar_type {
    BUSBAR_NULL,
    BUSBAR_BOOL,
    BUSBAR_INT64,
    BUSBAR_UINT64, /* only above INT64_MAX */
    BUSBAR_DOUBLE,
    BUSBAR_STRING,
    BUSBAR_BYTES,
    BUSBAR_TIMESTAMP, /* nanoseconds since 1970-01-01T00:00:00Z */
    BUSBAR_LIST,
    BUSBAR_MAP, /* any scalar key, order kept, an optional class name */
    BUSBAR_EXT, /* an application's ext type, passed through */
};

/* Bounds of the checking pass that every received body goes through before it is built. */
enum {
    BUSBAR_VALUE_DEPTH_MAX = 32, /* containers within containers */
};

/*
 * Constructors; NULL when out of memory, and for what no value can be: a string that is not UTF-8,
 * a timestamp of more than 999,999,999 nanoseconds, an ext of type -1, more than 2^32-1 bytes.
 */
struct busbar_value *busbar_value_null(void);
struct busbar_value *busbar_value_bool(bool value);
struct busbar_value *busbar_value_int64(int64_t value);
struct busbar_value *busbar_value_uint64(uint64_t value); /* becomes INT64 where it fits */
struct busbar_value *busbar_value_double(double value);
struct busbar_value *busbar_value_text(const char *text); /* NUL-terminated UTF-8 */
struct busbar_value *busbar_value_string(const char *data, size_t size);
struct busbar_value *busbar_value_bytes(const void *data, size_t size);
struct busbar_value *busbar_value_timestamp(int64_t seconds, uint32_t nanoseconds);
struct busbar_value *busbar_value_ext(int8_t type, const void *data, size_t size);
struct busbar_value *busbar_value_list(void);
struct busbar_value *busbar_value_map(void);
struct busbar_value *busbar_value_copy(const struct busbar_value *value);

/* Frees the whole tree and sets the pointer to NULL; accepts NULL and a pointer to NULL. */
void busbar_value_destroy(struct busbar_value **value);

/*
 * Readers. The type must match: each returns the zero of its type for a value of another one. A
 * NULL pointer reads as a value of type BUSBAR_NULL.
 */
enum busbar_type busbar_value_type(const struct busbar_value *value);
const char *busbar_type_name(enum busbar_type type);
bool busbar_value_as_bool(const struct busbar_value *value);
int64_t busbar_value_as_int64(const struct busbar_value *value);
uint64_t busbar_value_as_uint64(const struct busbar_value *value); /* also a non-negative INT64 */
double busbar_value_as_double(const struct busbar_value *value);   /* also integers */
/* Bytes of a STRING, BYTES or EXT, borrowed; always followed by a NUL that size does not count. */
const char *busbar_value_data(const struct busbar_value *value, size_t *size);
/* A STRING without NUL bytes inside as C text, borrowed; NULL for anything else. */
const char *busbar_value_as_text(const struct busbar_value *value);
void busbar_value_as_timestamp(const struct busbar_value *value, int64_t *seconds,
                               uint32_t *nanoseconds);
int8_t busbar_value_ext_type(const struct busbar_value *value);

/*
 * Lists and maps. Elements are borrowed until their container changes; out of range reads as NULL.
 * A container deeper than BUSBAR_VALUE_DEPTH_MAX cannot be built: BAD_ARGUMENT. Keys of a received
 * map may occur twice: all pairs are kept in their order, and `get` returns the first.
 */
size_t busbar_value_count(const struct busbar_value *value); /* elements, or pairs of a map */
const struct busbar_value *busbar_value_at(const struct busbar_value *list, size_t index);
const struct busbar_value *busbar_value_key_at(const struct busbar_value *map, size_t index);
const struct busbar_value *busbar_value_value_at(const struct busbar_value *map, size_t index);
const struct busbar_value *busbar_value_get(const struct busbar_value *map, const char *key);
enum busbar_status busbar_value_append(struct busbar_value *list, struct busbar_value **element)
    __attribute__((warn_unused_result));
/*
 * Adds a pair, or replaces the value of the first equal key. BAD_ARGUMENT for a key that is a list
 * or a map, and for the key "$class": a class name has its own call, below.
 */
enum busbar_status busbar_value_put(struct busbar_value *map, struct busbar_value **key,
                                    struct busbar_value **value)
    __attribute__((warn_unused_result));
enum busbar_status busbar_value_set(struct busbar_value *map, const char *key,
                                    struct busbar_value **value)
    __attribute__((warn_unused_result));
/*
 * The class name of a map, or NULL; setting NULL removes it. The name is copied. In the encoding it
 * is the map's first pair, of the string key "$class" and a string; it is no pair to `count`.
 */
const char *busbar_value_class(const struct busbar_value *map);
enum busbar_status busbar_value_set_class(struct busbar_value *map, const char *name)
    __attribute__((warn_unused_result));

/*
 * Deep equality: types, order, class names. All NaNs are equal and 0.0 is not -0.0, so that a round
 * trip can be tested.
 */
bool busbar_value_equal(const struct busbar_value *a, const struct busbar_value *b);

/*
 * MessagePack. `busbar_value_encode` returns a buffer for free(). `busbar_value_decode` first
 * checks the bytes in one pass without allocating (depth, element counts against the bytes that
 * remain, one value and nothing after it, UTF-8, scalar keys) and returns BAD_REQUEST for anything
 * else; `reason`, if not NULL, then receives a static text that says what was wrong.
 */
enum busbar_status busbar_value_encode(const struct busbar_value *value, void **ret_data,
                                       size_t *ret_size) __attribute__((warn_unused_result));
enum busbar_status busbar_value_decode(struct busbar_value **ret, const void *data, size_t size,
                                       const char **reason) __attribute__((warn_unused_result));

#ifdef __cplusplus
}
#endif

#endif
