/* From a value to MessagePack. */
#include <busbar/value.h>

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/value_tree.h"

/* A buffer that remembers a failed write, so that the packing calls need not be checked each. */
struct sink {
    msgpack_sbuffer buffer;
    bool failed;
};

static int sink_write(void *data, const char *bytes, size_t size)
{
    struct sink *sink = data;
    if (sink->failed || msgpack_sbuffer_write(&sink->buffer, bytes, size) != 0) {
        sink->failed = true;
        return -1;
    }
    return 0;
}

static void value_pack(msgpack_packer *packer, const struct busbar_value *value);

static void int64_pack(msgpack_packer *packer, int64_t number)
{
    if (number < 0) {
        msgpack_pack_int64(packer, number);
    } else {
        msgpack_pack_uint64(packer, (uint64_t)number);
    }
}

static void timestamp_pack(msgpack_packer *packer, const struct busbar_value *value)
{
    msgpack_timestamp timestamp = {
        .tv_sec = value->timestamp.seconds,
        .tv_nsec = value->timestamp.nanoseconds,
    };
    msgpack_pack_timestamp(packer, &timestamp);
}

static void list_pack(msgpack_packer *packer, const struct busbar_value *list)
{
    msgpack_pack_array(packer, list->list.count);
    for (uint32_t i = 0; i < list->list.count; i++) {
        value_pack(packer, &list->list.items[i]);
    }
}

static void map_pack(msgpack_packer *packer, const struct busbar_value *map)
{
    const char *class_name = map->map.class_name;
    msgpack_pack_map(packer, (size_t)map->map.count + (class_name == NULL ? 0 : 1));
    if (class_name != NULL) {
        msgpack_pack_str_with_body(packer, VALUE_CLASS_KEY, VALUE_CLASS_KEY_SIZE);
        msgpack_pack_str_with_body(packer, class_name, strlen(class_name));
    }
    for (uint32_t i = 0; i < map->map.count; i++) {
        value_pack(packer, &map->map.pairs[i].key);
        value_pack(packer, &map->map.pairs[i].value);
    }
}

static void value_pack(msgpack_packer *packer, const struct busbar_value *value)
{
    switch ((enum busbar_type)value->type) {
    case BUSBAR_NULL:
        msgpack_pack_nil(packer);
        break;
    case BUSBAR_BOOL:
        if (value->boolean) {
            msgpack_pack_true(packer);
        } else {
            msgpack_pack_false(packer);
        }
        break;
    case BUSBAR_INT64:
        int64_pack(packer, value->int64);
        break;
    case BUSBAR_UINT64:
        msgpack_pack_uint64(packer, value->uint64);
        break;
    case BUSBAR_DOUBLE:
        msgpack_pack_double(packer, value->number);
        break;
    case BUSBAR_STRING:
        msgpack_pack_str_with_body(packer, value->bytes.data, value->bytes.size);
        break;
    case BUSBAR_BYTES:
        msgpack_pack_bin_with_body(packer, value->bytes.data, value->bytes.size);
        break;
    case BUSBAR_TIMESTAMP:
        timestamp_pack(packer, value);
        break;
    case BUSBAR_LIST:
        list_pack(packer, value);
        break;
    case BUSBAR_MAP:
        map_pack(packer, value);
        break;
    case BUSBAR_EXT:
        msgpack_pack_ext_with_body(packer, value->bytes.data, value->bytes.size, value->ext_type);
        break;
    }
}

enum busbar_status busbar_value_encode(const struct busbar_value *value, void **ret_data,
                                       size_t *ret_size)
{
    if (value == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    struct sink sink = {.failed = false};
    msgpack_packer packer;
    msgpack_sbuffer_init(&sink.buffer);
    msgpack_packer_init(&packer, &sink, sink_write);
    value_pack(&packer, value);
    if (sink.failed) {
        msgpack_sbuffer_destroy(&sink.buffer);
        return BUSBAR_NO_MEMORY;
    }
    *ret_size = sink.buffer.size;
    void *data = msgpack_sbuffer_release(&sink.buffer);
    /* A queued body would otherwise hold the 8 KiB that the buffer starts with. */
    void *fitted = realloc(data, *ret_size);
    if (fitted != NULL) {
        data = fitted;
    }
    *ret_data = data;
    return BUSBAR_OK;
}
