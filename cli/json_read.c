/* From JSON text to a value: jansson parses, this file gives the "$" objects their meaning. */
#include "cli/json.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/rfc3339.h"

/* Where the reason goes if the text is refused. */
struct reading {
    char *reason;
    size_t reason_size;
};

static enum busbar_status value_read(struct reading *reading, struct busbar_value **ret,
                                     const json_t *json);

static enum busbar_status refuse(struct reading *reading, const char *reason)
{
    if (reading->reason_size > 0) {
        snprintf(reading->reason, reading->reason_size, "%s", reason);
    }
    return BUSBAR_BAD_REQUEST;
}

static enum busbar_status made(struct busbar_value **ret, struct busbar_value *value)
{
    *ret = value;
    return value == NULL ? BUSBAR_NO_MEMORY : BUSBAR_OK;
}

/* Keys have been checked, so a container refuses an element only if it is too deep. */
static enum busbar_status added(struct reading *reading, enum busbar_status status)
{
    return status == BUSBAR_BAD_ARGUMENT
               ? refuse(reading, "lists and objects lie too deep within each other")
               : status;
}

/* A string without a NUL inside, or NULL. */
static const char *json_plain_text(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

static enum busbar_status bytes_read(struct reading *reading, struct busbar_value **ret,
                                     const json_t *json)
{
    const char *text = json_string_value(json);
    if (text == NULL || !base64_is_valid(text, json_string_length(json))) {
        return refuse(reading, "\"$bytes\" takes a string of base64");
    }
    size_t size = 0;
    void *data = base64_decode(text, json_string_length(json), &size);
    enum busbar_status status = made(ret, data == NULL ? NULL : busbar_value_bytes(data, size));
    free(data);
    return status;
}

static enum busbar_status time_read(struct reading *reading, struct busbar_value **ret,
                                    const json_t *json)
{
    const char *text = json_plain_text(json);
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
    if (text != NULL && rfc3339_read(text, &seconds, &nanoseconds)) {
        return made(ret, busbar_value_timestamp(seconds, nanoseconds));
    }
    const json_t *first = json_array_get(json, 0);
    const json_t *second = json_array_get(json, 1);
    if (json_array_size(json) == 2 && json_is_integer(first) && json_is_integer(second) &&
        json_integer_value(second) >= 0 && json_integer_value(second) <= 999999999) {
        return made(ret, busbar_value_timestamp(json_integer_value(first),
                                                (uint32_t)json_integer_value(second)));
    }
    return refuse(reading, "\"$time\" takes a time of RFC 3339 or [seconds, nanoseconds]");
}

static enum busbar_status float_read(struct reading *reading, struct busbar_value **ret,
                                     const json_t *json)
{
    static const struct {
        const char *text;
        double number;
    } floats[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    const char *text = json_plain_text(json);
    for (size_t i = 0; text != NULL && i < sizeof(floats) / sizeof(floats[0]); i++) {
        if (strcmp(text, floats[i].text) == 0) {
            return made(ret, busbar_value_double(floats[i].number));
        }
    }
    return refuse(reading, "\"$float\" takes \"nan\", \"inf\" or \"-inf\"");
}

static enum busbar_status ext_read(struct reading *reading, struct busbar_value **ret,
                                   const json_t *json)
{
    const json_t *type = json_array_get(json, 0);
    const json_t *body = json_array_get(json, 1);
    const char *text = json_string_value(body);
    json_int_t number = json_integer_value(type);
    if (json_array_size(json) != 2 || !json_is_integer(type) || number < INT8_MIN ||
        number > INT8_MAX || number == -1 || text == NULL ||
        !base64_is_valid(text, json_string_length(body))) {
        return refuse(reading, "\"$ext\" takes [type, base64], the type -128 to 127 but not -1");
    }
    size_t size = 0;
    void *data = base64_decode(text, json_string_length(body), &size);
    enum busbar_status status = made(
        ret, data == NULL ? NULL : busbar_value_ext((int8_t)number, data, size));
    free(data);
    return status;
}

static enum busbar_status uint64_read(struct reading *reading, struct busbar_value **ret,
                                      const json_t *json)
{
    const char *text = json_plain_text(json);
    if (text != NULL && *text != '\0' && strspn(text, "0123456789") == strlen(text)) {
        errno = 0;
        unsigned long long number = strtoull(text, NULL, 10);
        if (errno == 0) {
            return made(ret, busbar_value_uint64(number));
        }
    }
    return refuse(reading, "\"$uint64\" takes a string of digits, at most 2^64-1");
}

static enum busbar_status pair_read(struct reading *reading, struct busbar_value *map,
                                    const json_t *json)
{
    struct busbar_value *key = NULL;
    struct busbar_value *value = NULL;
    if (json_array_size(json) != 2) {
        return refuse(reading, "\"$map\" takes a list of [key, value]");
    }
    enum busbar_status status = value_read(reading, &key, json_array_get(json, 0));
    if (status == BUSBAR_OK) {
        enum busbar_type type = busbar_value_type(key);
        const char *text = busbar_value_as_text(key);
        if (type == BUSBAR_LIST || type == BUSBAR_MAP) {
            status = refuse(reading, "a key of \"$map\" is a list or a map");
        } else if (text != NULL && strcmp(text, "$class") == 0) {
            status = refuse(reading, "\"$class\" stands next to \"$map\", not in it");
        }
    }
    if (status == BUSBAR_OK) {
        status = value_read(reading, &value, json_array_get(json, 1));
    }
    if (status == BUSBAR_OK) {
        return added(reading, busbar_value_put(map, &key, &value));
    }
    busbar_value_destroy(&key);
    return status;
}

static enum busbar_status pairs_read(struct reading *reading, struct busbar_value **ret,
                                     const json_t *json)
{
    if (!json_is_array(json)) {
        return refuse(reading, "\"$map\" takes a list of [key, value]");
    }
    enum busbar_status status = made(ret, busbar_value_map());
    for (size_t i = 0; status == BUSBAR_OK && i < json_array_size(json); i++) {
        status = pair_read(reading, *ret, json_array_get(json, i));
    }
    return status;
}

static enum busbar_status list_read(struct reading *reading, struct busbar_value **ret,
                                    const json_t *json)
{
    enum busbar_status status = made(ret, busbar_value_list());
    for (size_t i = 0; status == BUSBAR_OK && i < json_array_size(json); i++) {
        struct busbar_value *element = NULL;
        status = value_read(reading, &element, json_array_get(json, i));
        if (status == BUSBAR_OK) {
            status = added(reading, busbar_value_append(*ret, &element));
        }
    }
    return status;
}

static enum busbar_status class_read(struct reading *reading, struct busbar_value *map,
                                     const json_t *json)
{
    const char *name = json_plain_text(json);
    return name == NULL ? refuse(reading, "\"$class\" takes a string without NUL")
                        : busbar_value_set_class(map, name);
}

static enum busbar_status object_read(struct reading *reading, struct busbar_value **ret,
                                      const json_t *json)
{
    enum busbar_status status = made(ret, busbar_value_map());
    const char *key = NULL;
    json_t *element = NULL;
    json_object_foreach((json_t *)json, key, element)
    {
        struct busbar_value *value = NULL;
        if (status == BUSBAR_OK && strcmp(key, "$class") == 0) {
            status = class_read(reading, *ret, element);
        } else if (status == BUSBAR_OK) {
            status = value_read(reading, &value, element);
            if (status == BUSBAR_OK) {
                status = added(reading, busbar_value_set(*ret, key, &value));
            }
        }
    }
    return status;
}

/* The word that gives an object a meaning of its own: its one key, or the one next to "$class". */
static enum busbar_status special_or_object_read(struct reading *reading, struct busbar_value **ret,
                                                 const json_t *json)
{
    static const struct {
        const char *key;
        enum busbar_status (*read)(struct reading *reading, struct busbar_value **ret,
                                   const json_t *json);
    } words[] = {
        {"$bytes", bytes_read}, {"$time", time_read},     {"$float", float_read},
        {"$ext", ext_read},     {"$uint64", uint64_read}, {"$map", pairs_read},
    };
    if (json_object_size(json) == 1) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            const json_t *found = json_object_get(json, words[i].key);
            if (found != NULL) {
                return words[i].read(reading, ret, found);
            }
        }
    }
    const json_t *class_name = json_object_get(json, "$class");
    const json_t *pairs = json_object_get(json, "$map");
    if (json_object_size(json) == 2 && class_name != NULL && pairs != NULL) {
        enum busbar_status status = pairs_read(reading, ret, pairs);
        return status == BUSBAR_OK ? class_read(reading, *ret, class_name) : status;
    }
    return object_read(reading, ret, json);
}

static enum busbar_status any_read(struct reading *reading, struct busbar_value **ret,
                                   const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return special_or_object_read(reading, ret, json);
    case JSON_ARRAY:
        return list_read(reading, ret, json);
    case JSON_STRING:
        return made(ret, busbar_value_string(json_string_value(json), json_string_length(json)));
    case JSON_INTEGER:
        return made(ret, busbar_value_int64(json_integer_value(json)));
    case JSON_REAL:
        return made(ret, busbar_value_double(json_real_value(json)));
    case JSON_TRUE:
    case JSON_FALSE:
        return made(ret, busbar_value_bool(json_is_true(json)));
    case JSON_NULL:
        return made(ret, busbar_value_null());
    }
    return BUSBAR_BAD_REQUEST;
}

/* The readers above may leave a half-built value behind; nothing of it comes out of here. */
static enum busbar_status value_read(struct reading *reading, struct busbar_value **ret,
                                     const json_t *json)
{
    struct busbar_value *value = NULL;
    enum busbar_status status = any_read(reading, &value, json);
    if (status == BUSBAR_OK) {
        *ret = value;
    } else {
        busbar_value_destroy(&value);
    }
    return status;
}

enum busbar_status json_to_value(struct busbar_value **ret, const char *text, char *reason,
                                 size_t reason_size)
{
    struct reading reading = {.reason = reason, .reason_size = reason_size};
    json_error_t error;
    size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *json = json_loadb(text, strlen(text), flags, &error);
    if (json == NULL) {
        if (json_error_code(&error) == json_error_out_of_memory) {
            return BUSBAR_NO_MEMORY;
        }
        if (reason_size > 0) {
            snprintf(reason, reason_size, "%d:%d: %s", error.line, error.column, error.text);
        }
        return BUSBAR_BAD_REQUEST;
    }
    enum busbar_status status = value_read(&reading, ret, json);
    json_decref(json);
    return status;
}
