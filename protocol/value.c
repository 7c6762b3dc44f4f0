/* Making and reading single values; containers and the encoding have their own files. */
#include <busbar/value.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "protocol/value_tree.h"

static struct busbar_value *value_new(enum busbar_type type)
{
    struct busbar_value *value = calloc(1, sizeof(*value));
    if (value != NULL) {
        value->type = (uint8_t)type;
    }
    return value;
}

bool value_init_bytes(struct busbar_value *value, enum busbar_type type, const void *data,
                      size_t size)
{
    if (size > UINT32_MAX) { /* the most that MessagePack can say */
        return false;
    }
    char *copy = malloc(size + 1);
    if (copy == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    copy[size] = '\0';
    *value = (struct busbar_value){.type = (uint8_t)type, .bytes.data = copy, .bytes.size = size};
    return true;
}

static struct busbar_value *value_new_bytes(enum busbar_type type, const void *data, size_t size)
{
    struct busbar_value *value = value_new(type);
    if (value != NULL && !value_init_bytes(value, type, data, size)) {
        free(value);
        return NULL;
    }
    return value;
}

struct busbar_value *busbar_value_null(void)
{
    return value_new(BUSBAR_NULL);
}

struct busbar_value *busbar_value_bool(bool value)
{
    struct busbar_value *made = value_new(BUSBAR_BOOL);
    if (made != NULL) {
        made->boolean = value;
    }
    return made;
}

struct busbar_value *busbar_value_int64(int64_t value)
{
    struct busbar_value *made = value_new(BUSBAR_INT64);
    if (made != NULL) {
        made->int64 = value;
    }
    return made;
}

struct busbar_value *busbar_value_uint64(uint64_t value)
{
    if (value <= INT64_MAX) {
        return busbar_value_int64((int64_t)value);
    }
    struct busbar_value *made = value_new(BUSBAR_UINT64);
    if (made != NULL) {
        made->uint64 = value;
    }
    return made;
}

struct busbar_value *busbar_value_double(double value)
{
    struct busbar_value *made = value_new(BUSBAR_DOUBLE);
    if (made != NULL) {
        made->number = value;
    }
    return made;
}

struct busbar_value *busbar_value_text(const char *text)
{
    return text == NULL ? NULL : busbar_value_string(text, strlen(text));
}

struct busbar_value *busbar_value_string(const char *data, size_t size)
{
    return utf8_is_valid(data, size) ? value_new_bytes(BUSBAR_STRING, data, size) : NULL;
}

struct busbar_value *busbar_value_bytes(const void *data, size_t size)
{
    return value_new_bytes(BUSBAR_BYTES, data, size);
}

struct busbar_value *busbar_value_timestamp(int64_t seconds, uint32_t nanoseconds)
{
    if (nanoseconds > VALUE_NANOSECONDS_MAX) {
        return NULL;
    }
    struct busbar_value *made = value_new(BUSBAR_TIMESTAMP);
    if (made != NULL) {
        made->timestamp.seconds = seconds;
        made->timestamp.nanoseconds = nanoseconds;
    }
    return made;
}

struct busbar_value *busbar_value_ext(int8_t type, const void *data, size_t size)
{
    if (type == VALUE_EXT_TIMESTAMP) {
        return NULL;
    }
    struct busbar_value *made = value_new_bytes(BUSBAR_EXT, data, size);
    if (made != NULL) {
        made->ext_type = type;
    }
    return made;
}

struct busbar_value *busbar_value_list(void)
{
    struct busbar_value *made = value_new(BUSBAR_LIST);
    if (made != NULL) {
        made->height = 1;
    }
    return made;
}

struct busbar_value *busbar_value_map(void)
{
    struct busbar_value *made = value_new(BUSBAR_MAP);
    if (made != NULL) {
        made->height = 1;
    }
    return made;
}

void busbar_value_destroy(struct busbar_value **value)
{
    if (value != NULL && *value != NULL) {
        value_fini(*value);
        free(STEAL(*value));
    }
}

enum busbar_type busbar_value_type(const struct busbar_value *value)
{
    return value == NULL ? BUSBAR_NULL : (enum busbar_type)value->type;
}

const char *busbar_type_name(enum busbar_type type)
{
    static const char *const names[] = {
        [BUSBAR_NULL] = "null",     [BUSBAR_BOOL] = "bool",     [BUSBAR_INT64] = "int64",
        [BUSBAR_UINT64] = "uint64", [BUSBAR_DOUBLE] = "double", [BUSBAR_STRING] = "string",
        [BUSBAR_BYTES] = "bytes",   [BUSBAR_LIST] = "list",     [BUSBAR_TIMESTAMP] = "timestamp",
        [BUSBAR_MAP] = "map",       [BUSBAR_EXT] = "ext",
    };
    return (size_t)type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

bool busbar_value_as_bool(const struct busbar_value *value)
{
    return busbar_value_type(value) == BUSBAR_BOOL && value->boolean;
}

int64_t busbar_value_as_int64(const struct busbar_value *value)
{
    return busbar_value_type(value) == BUSBAR_INT64 ? value->int64 : 0;
}

uint64_t busbar_value_as_uint64(const struct busbar_value *value)
{
    if (busbar_value_type(value) == BUSBAR_UINT64) {
        return value->uint64;
    }
    int64_t number = busbar_value_as_int64(value);
    return number > 0 ? (uint64_t)number : 0;
}

double busbar_value_as_double(const struct busbar_value *value)
{
    switch (busbar_value_type(value)) {
    case BUSBAR_DOUBLE:
        return value->number;
    case BUSBAR_INT64:
        return (double)value->int64;
    case BUSBAR_UINT64:
        return (double)value->uint64;
    case BUSBAR_NULL:
    case BUSBAR_BOOL:
    case BUSBAR_STRING:
    case BUSBAR_BYTES:
    case BUSBAR_TIMESTAMP:
    case BUSBAR_LIST:
    case BUSBAR_MAP:
    case BUSBAR_EXT:
        break;
    }
    return 0.0;
}

const char *busbar_value_data(const struct busbar_value *value, size_t *size)
{
    enum busbar_type type = busbar_value_type(value);
    bool has_bytes = type == BUSBAR_STRING || type == BUSBAR_BYTES || type == BUSBAR_EXT;
    if (size != NULL) {
        *size = has_bytes ? value->bytes.size : 0;
    }
    return has_bytes ? value->bytes.data : NULL;
}

const char *busbar_value_as_text(const struct busbar_value *value)
{
    if (busbar_value_type(value) != BUSBAR_STRING) {
        return NULL;
    }
    bool has_nul = strlen(value->bytes.data) != value->bytes.size;
    return has_nul ? NULL : value->bytes.data;
}

void busbar_value_as_timestamp(const struct busbar_value *value, int64_t *seconds,
                               uint32_t *nanoseconds)
{
    bool is_timestamp = busbar_value_type(value) == BUSBAR_TIMESTAMP;
    *seconds = is_timestamp ? value->timestamp.seconds : 0;
    *nanoseconds = is_timestamp ? value->timestamp.nanoseconds : 0;
}

int8_t busbar_value_ext_type(const struct busbar_value *value)
{
    return busbar_value_type(value) == BUSBAR_EXT ? value->ext_type : 0;
}

bool value_is_string(const struct busbar_value *value, const char *text, size_t size)
{
    return value->type == BUSBAR_STRING && value->bytes.size == size &&
           memcmp(value->bytes.data, text, size) == 0;
}
