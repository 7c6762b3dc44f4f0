/* From received MessagePack to a value: the check first, then libmsgpack, then our own tree. */
#include <busbar/value.h>

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/value_check.h"
#include "protocol/value_tree.h"

static bool value_build(struct busbar_value *to, const msgpack_object *from);

/* On failure the elements built so far stay in `to`, which the caller finishes as a whole. */
static bool list_build(struct busbar_value *to, const msgpack_object_array *from)
{
    *to = (struct busbar_value){.type = BUSBAR_LIST, .height = 1};
    if (from->size == 0) {
        return true;
    }
    to->list.items = calloc(from->size, sizeof(*to->list.items));
    if (to->list.items == NULL) {
        return false;
    }
    to->list.capacity = from->size;
    to->list.count = from->size;
    for (uint32_t i = 0; i < from->size; i++) {
        if (!value_build(&to->list.items[i], &from->ptr[i])) {
            return false;
        }
        value_cover(to, &to->list.items[i]);
    }
    return true;
}

static bool object_is_class_key(const msgpack_object *key)
{
    return key->type == MSGPACK_OBJECT_STR && key->via.str.size == VALUE_CLASS_KEY_SIZE &&
           memcmp(key->via.str.ptr, VALUE_CLASS_KEY, VALUE_CLASS_KEY_SIZE) == 0;
}

/* A class name is C text in the API, so one with a NUL inside stays an ordinary pair. */
static bool pair_is_class(const msgpack_object_kv *pair)
{
    return object_is_class_key(&pair->key) && pair->val.type == MSGPACK_OBJECT_STR &&
           (pair->val.via.str.size == 0 ||
            memchr(pair->val.via.str.ptr, '\0', pair->val.via.str.size) == NULL);
}

static bool pairs_build(struct busbar_value *to, const msgpack_object_kv *from, uint32_t count)
{
    if (count == 0) {
        return true;
    }
    to->map.pairs = calloc(count, sizeof(*to->map.pairs));
    if (to->map.pairs == NULL) {
        return false;
    }
    to->map.capacity = count;
    to->map.count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct value_pair *pair = &to->map.pairs[i];
        if (!value_build(&pair->key, &from[i].key) || !value_build(&pair->value, &from[i].val)) {
            return false;
        }
        value_cover(to, &pair->value);
    }
    return true;
}

static bool map_build(struct busbar_value *to, const msgpack_object_map *from)
{
    *to = (struct busbar_value){.type = BUSBAR_MAP, .height = 1};
    const msgpack_object_kv *pairs = from->ptr;
    uint32_t count = from->size;
    if (count > 0 && pair_is_class(pairs)) {
        to->map.class_name = strndup(pairs->val.via.str.ptr, pairs->val.via.str.size);
        if (to->map.class_name == NULL) {
            return false;
        }
        pairs++;
        count--;
    }
    return pairs_build(to, pairs, count);
}

static bool ext_build(struct busbar_value *to, const msgpack_object *from)
{
    msgpack_timestamp timestamp = {0};
    if (msgpack_object_to_timestamp(from, &timestamp)) {
        *to = (struct busbar_value){
            .type = BUSBAR_TIMESTAMP,
            .timestamp.seconds = timestamp.tv_sec,
            .timestamp.nanoseconds = timestamp.tv_nsec,
        };
        return true;
    }
    if (!value_init_bytes(to, BUSBAR_EXT, from->via.ext.ptr, from->via.ext.size)) {
        return false;
    }
    to->ext_type = from->via.ext.type;
    return true;
}

static void unsigned_build(struct busbar_value *to, uint64_t number)
{
    if (number <= INT64_MAX) {
        *to = (struct busbar_value){.type = BUSBAR_INT64, .int64 = (int64_t)number};
    } else {
        *to = (struct busbar_value){.type = BUSBAR_UINT64, .uint64 = number};
    }
}

static bool value_build(struct busbar_value *to, const msgpack_object *from)
{
    switch (from->type) {
    case MSGPACK_OBJECT_NIL:
        *to = (struct busbar_value){.type = BUSBAR_NULL};
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        *to = (struct busbar_value){.type = BUSBAR_BOOL, .boolean = from->via.boolean};
        return true;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        unsigned_build(to, from->via.u64);
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *to = (struct busbar_value){.type = BUSBAR_INT64, .int64 = from->via.i64};
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *to = (struct busbar_value){.type = BUSBAR_DOUBLE, .number = from->via.f64};
        return true;
    case MSGPACK_OBJECT_STR:
        return value_init_bytes(to, BUSBAR_STRING, from->via.str.ptr, from->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return value_init_bytes(to, BUSBAR_BYTES, from->via.bin.ptr, from->via.bin.size);
    case MSGPACK_OBJECT_EXT:
        return ext_build(to, from);
    case MSGPACK_OBJECT_ARRAY:
        return list_build(to, &from->via.array);
    case MSGPACK_OBJECT_MAP:
        return map_build(to, &from->via.map);
    }
    return false;
}

static void zone_destroy(msgpack_zone **zone)
{
    if (*zone != NULL) {
        msgpack_zone_free(*zone);
    }
}

/* `data` has passed the check, so whatever fails from here on fails for want of memory. */
static enum busbar_status value_unpack(struct busbar_value *to, const void *data, size_t size)
{
    CLEANUP(zone_destroy) msgpack_zone *zone = msgpack_zone_new(MSGPACK_ZONE_CHUNK_SIZE);
    if (zone == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    msgpack_object object;
    size_t offset = 0;
    if (msgpack_unpack(data, size, &offset, zone, &object) != MSGPACK_UNPACK_SUCCESS) {
        return BUSBAR_NO_MEMORY;
    }
    return value_build(to, &object) ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

enum busbar_status busbar_value_decode(struct busbar_value **ret, const void *data, size_t size,
                                       const char **reason)
{
    const char *wrong = value_check(data, size);
    if (wrong != NULL) {
        if (reason != NULL) {
            *reason = wrong;
        }
        return BUSBAR_BAD_REQUEST;
    }
    CLEANUP(busbar_value_destroy) struct busbar_value *value = busbar_value_null();
    if (value == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    enum busbar_status status = value_unpack(value, data, size);
    if (status == BUSBAR_OK) {
        *ret = STEAL(value);
    }
    return status;
}
