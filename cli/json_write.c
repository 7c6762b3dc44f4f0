/* From a value to JSON text, by hand: jansson has no form for doubles that is short and exact. */
#include "cli/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/base64.h"
#include "cli/rfc3339.h"

/* Growing text that remembers a failure, so that the writing calls need not be checked each. */
struct writer {
    char *data;
    size_t size;
    size_t capacity;
    unsigned flags;
    int level;
    bool failed;
};

static void value_write(struct writer *writer, const struct busbar_value *value);

static void data_write(struct writer *writer, const char *data, size_t size)
{
    if (!writer->failed && writer->capacity - writer->size <= size) {
        size_t capacity = writer->capacity * 2 + size + 64;
        char *grown = realloc(writer->data, capacity);
        if (grown == NULL) {
            writer->failed = true;
        } else {
            writer->data = grown;
            writer->capacity = capacity;
        }
    }
    if (!writer->failed) {
        memcpy(writer->data + writer->size, data, size);
        writer->size += size;
        writer->data[writer->size] = '\0';
    }
}

static void text_write(struct writer *writer, const char *text)
{
    data_write(writer, text, strlen(text));
}

static void newline_write(struct writer *writer)
{
    text_write(writer, "\n");
    for (int i = 0; i < writer->level; i++) {
        text_write(writer, "  ");
    }
}

static void container_open(struct writer *writer, const char *bracket)
{
    text_write(writer, bracket);
    writer->level++;
}

/* What comes before the element of this index: a comma, a new line. */
static void element_start(struct writer *writer, size_t index)
{
    bool is_indented = (writer->flags & JSON_TEXT_INDENT) != 0;
    if (index > 0) {
        text_write(writer, is_indented ? "," : ", ");
    }
    if (is_indented) {
        newline_write(writer);
    }
}

static void container_close(struct writer *writer, const char *bracket, size_t count)
{
    writer->level--;
    if (count > 0 && (writer->flags & JSON_TEXT_INDENT) != 0) {
        newline_write(writer);
    }
    text_write(writer, bracket);
}

/*
 * Bytes of the character at `at` that is written as \uXXXX, or 0: the C0 and C1 controls and DEL,
 * since results are shown on terminals.
 */
static size_t control_size(const char *at, size_t left)
{
    uint8_t first = (uint8_t)at[0];
    if (first < 0x20 || first == 0x7f) {
        return 1;
    }
    return first == 0xc2 && left > 1 && (uint8_t)at[1] < 0xa0 ? 2 : 0;
}

static const char *short_escape(char character)
{
    static const char *const escapes[128] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t",
    };
    return (uint8_t)character < 128 ? escapes[(uint8_t)character] : NULL;
}

static void string_write(struct writer *writer, const char *data, size_t size)
{
    text_write(writer, "\"");
    size_t done = 0;
    for (size_t i = 0; i < size;) {
        const char *escape = short_escape(data[i]);
        size_t control = escape != NULL ? 1 : control_size(data + i, size - i);
        if (control == 0) {
            i++;
            continue;
        }
        char code[8];
        snprintf(code, sizeof(code), "\\u%04x", (unsigned)(uint8_t)data[i + control - 1]);
        data_write(writer, data + done, i - done);
        text_write(writer, escape != NULL ? escape : code);
        i += control;
        done = i;
    }
    data_write(writer, data + done, size - done);
    text_write(writer, "\"");
}

static void plain_string_write(struct writer *writer, const char *text)
{
    string_write(writer, text, strlen(text));
}

static void base64_write(struct writer *writer, const struct busbar_value *value)
{
    size_t size = 0;
    const char *data = busbar_value_data(value, &size);
    char *text = base64_encode(data, size);
    if (text == NULL) {
        writer->failed = true;
    } else {
        plain_string_write(writer, text);
    }
    free(text);
}

/* Every decimal of up to 15 digits is the text of its double; only subnormal ones need fewer. */
static void finite_write(struct writer *writer, double number)
{
    char text[40];
    int precision = number == 0.0 || isnormal(number) ? 15 : 1;
    do {
        snprintf(text, sizeof(text), "%.*g", precision++, number);
    } while (precision <= 17 && strtod(text, NULL) != number);
    text_write(writer, text);
    if (strpbrk(text, ".e") == NULL) {
        text_write(writer, ".0");
    }
}

static void double_write(struct writer *writer, double number)
{
    if (isnan(number)) {
        text_write(writer, "{\"$float\": \"nan\"}");
    } else if (isinf(number)) {
        text_write(writer, number > 0 ? "{\"$float\": \"inf\"}" : "{\"$float\": \"-inf\"}");
    } else {
        finite_write(writer, number);
    }
}

static void timestamp_write(struct writer *writer, const struct busbar_value *value)
{
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
    char text[RFC3339_SIZE];
    char numbers[48];
    busbar_value_as_timestamp(value, &seconds, &nanoseconds);
    text_write(writer, "{\"$time\": ");
    if (rfc3339_write(text, seconds, nanoseconds)) {
        plain_string_write(writer, text);
    } else {
        snprintf(numbers, sizeof(numbers), "[%" PRId64 ", %" PRIu32 "]", seconds, nanoseconds);
        text_write(writer, numbers);
    }
    text_write(writer, "}");
}

static void list_write(struct writer *writer, const struct busbar_value *list)
{
    size_t count = busbar_value_count(list);
    container_open(writer, "[");
    for (size_t i = 0; i < count; i++) {
        element_start(writer, i);
        value_write(writer, busbar_value_at(list, i));
    }
    container_close(writer, "]", count);
}

static bool key_is_plain(const struct busbar_value *key)
{
    static const char *const words[] = {"$bytes",  "$time", "$float", "$ext",
                                        "$uint64", "$map",  "$class"};
    const char *text = busbar_value_as_text(key);
    if (text == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            return false;
        }
    }
    return true;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool texts_are_distinct(const char **texts, size_t count)
{
    qsort(texts, count, sizeof(*texts), text_compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(texts[i - 1], texts[i]) == 0) {
            return false;
        }
    }
    return true;
}

/* Can the map be an object of JSON that reads back as the same map? */
static bool map_is_plain(struct writer *writer, const struct busbar_value *map)
{
    size_t count = busbar_value_count(map);
    for (size_t i = 0; i < count; i++) {
        if (!key_is_plain(busbar_value_key_at(map, i))) {
            return false;
        }
    }
    const char **texts = calloc(count + 1, sizeof(*texts));
    if (texts == NULL) {
        writer->failed = true;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = busbar_value_as_text(busbar_value_key_at(map, i));
    }
    bool distinct = texts_are_distinct(texts, count);
    free((void *)texts);
    return distinct;
}

static void pairs_write(struct writer *writer, const struct busbar_value *map)
{
    size_t count = busbar_value_count(map);
    container_open(writer, "[");
    for (size_t i = 0; i < count; i++) {
        element_start(writer, i);
        text_write(writer, "[");
        value_write(writer, busbar_value_key_at(map, i));
        text_write(writer, ", ");
        value_write(writer, busbar_value_value_at(map, i));
        text_write(writer, "]");
    }
    container_close(writer, "]", count);
}

static void map_write(struct writer *writer, const struct busbar_value *map)
{
    size_t written = 0;
    const char *class_name = busbar_value_class(map);
    container_open(writer, "{");
    if (class_name != NULL) {
        element_start(writer, written++);
        text_write(writer, "\"$class\": ");
        plain_string_write(writer, class_name);
    }
    if (!map_is_plain(writer, map)) {
        element_start(writer, written++);
        text_write(writer, "\"$map\": ");
        pairs_write(writer, map);
        container_close(writer, "}", written);
        return;
    }
    for (size_t i = 0; i < busbar_value_count(map); i++) {
        element_start(writer, written++);
        plain_string_write(writer, busbar_value_as_text(busbar_value_key_at(map, i)));
        text_write(writer, ": ");
        value_write(writer, busbar_value_value_at(map, i));
    }
    container_close(writer, "}", written);
}

static void ext_write(struct writer *writer, const struct busbar_value *value)
{
    char head[32];
    snprintf(head, sizeof(head), "{\"$ext\": [%d, ", busbar_value_ext_type(value));
    text_write(writer, head);
    base64_write(writer, value);
    text_write(writer, "]}");
}

static void number_write(struct writer *writer, const struct busbar_value *value)
{
    char text[48];
    if (busbar_value_type(value) == BUSBAR_UINT64) {
        snprintf(text, sizeof(text), "{\"$uint64\": \"%" PRIu64 "\"}",
                 busbar_value_as_uint64(value));
    } else {
        snprintf(text, sizeof(text), "%" PRId64, busbar_value_as_int64(value));
    }
    text_write(writer, text);
}

static void value_write(struct writer *writer, const struct busbar_value *value)
{
    size_t size = 0;
    const char *data = busbar_value_data(value, &size);
    switch (busbar_value_type(value)) {
    case BUSBAR_NULL:
        text_write(writer, "null");
        break;
    case BUSBAR_BOOL:
        text_write(writer, busbar_value_as_bool(value) ? "true" : "false");
        break;
    case BUSBAR_INT64:
    case BUSBAR_UINT64:
        number_write(writer, value);
        break;
    case BUSBAR_DOUBLE:
        double_write(writer, busbar_value_as_double(value));
        break;
    case BUSBAR_STRING:
        string_write(writer, data, size);
        break;
    case BUSBAR_BYTES:
        text_write(writer, "{\"$bytes\": ");
        base64_write(writer, value);
        text_write(writer, "}");
        break;
    case BUSBAR_TIMESTAMP:
        timestamp_write(writer, value);
        break;
    case BUSBAR_LIST:
        list_write(writer, value);
        break;
    case BUSBAR_MAP:
        map_write(writer, value);
        break;
    case BUSBAR_EXT:
        ext_write(writer, value);
        break;
    }
}

char *json_from_value(const struct busbar_value *value, unsigned flags)
{
    struct writer writer = {.flags = flags};
    value_write(&writer, value);
    if (writer.failed) {
        free(writer.data);
        return NULL;
    }
    return writer.data;
}
