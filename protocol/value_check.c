/* The pass over received MessagePack that decides whether it may be built; builds nothing. */
#include "protocol/value_check.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/utf8.h"
#include "protocol/value_tree.h"

enum kind {
    KIND_NEVER_USED,
    KIND_PLAIN, /* `extent` bytes follow the first */
    KIND_STRING,
    KIND_BYTES,
    KIND_EXT,
    KIND_LIST,
    KIND_MAP,
};

/* Of a first byte: its kind, the bytes of its length field, or the length where it is fixed. */
struct format {
    uint8_t kind;
    uint8_t length_size;
    uint8_t extent;
};

static const struct format formats_c0_to_df[32] = {
    {KIND_PLAIN, 0, 0}, {KIND_NEVER_USED, 0, 0}, {KIND_PLAIN, 0, 0},  {KIND_PLAIN, 0, 0},
    {KIND_BYTES, 1, 0}, {KIND_BYTES, 2, 0},      {KIND_BYTES, 4, 0},  {KIND_EXT, 1, 0},
    {KIND_EXT, 2, 0},   {KIND_EXT, 4, 0},        {KIND_PLAIN, 0, 4},  {KIND_PLAIN, 0, 8},
    {KIND_PLAIN, 0, 1}, {KIND_PLAIN, 0, 2},      {KIND_PLAIN, 0, 4},  {KIND_PLAIN, 0, 8},
    {KIND_PLAIN, 0, 1}, {KIND_PLAIN, 0, 2},      {KIND_PLAIN, 0, 4},  {KIND_PLAIN, 0, 8},
    {KIND_EXT, 0, 1},   {KIND_EXT, 0, 2},        {KIND_EXT, 0, 4},    {KIND_EXT, 0, 8},
    {KIND_EXT, 0, 16},  {KIND_STRING, 1, 0},     {KIND_STRING, 2, 0}, {KIND_STRING, 4, 0},
    {KIND_LIST, 2, 0},  {KIND_LIST, 4, 0},       {KIND_MAP, 2, 0},    {KIND_MAP, 4, 0},
};

struct level {
    uint64_t left; /* values still to come; of a map keys and values, so even means a key is next */
    bool is_map;
};

struct checker {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t owed; /* values still to come in all levels; each takes a byte at least */
    size_t depth;
    struct level levels[BUSBAR_VALUE_DEPTH_MAX];
};

/* One value's head: a scalar's bytes or a container's elements are the `count` that follows. */
struct head {
    uint8_t kind;
    uint32_t count;
};

static struct format format_of(uint8_t first)
{
    if (first >= 0xc0 && first <= 0xdf) {
        return formats_c0_to_df[first - 0xc0];
    }
    if (first >= 0xa0 && first <= 0xbf) {
        return (struct format){.kind = KIND_STRING, .extent = first & 0x1f};
    }
    if (first >= 0x90 && first <= 0x9f) {
        return (struct format){.kind = KIND_LIST, .extent = first & 0x0f};
    }
    if (first >= 0x80 && first <= 0x8f) {
        return (struct format){.kind = KIND_MAP, .extent = first & 0x0f};
    }
    return (struct format){.kind = KIND_PLAIN};
}

static uint64_t bytes_left(const struct checker *checker)
{
    return (uint64_t)(checker->end - checker->at);
}

static uint64_t read_big_endian(const uint8_t *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | at[i];
    }
    return number;
}

static const char *head_read(struct checker *checker, struct head *head)
{
    if (checker->at == checker->end) {
        return "the body ends where a value should start";
    }
    struct format format = format_of(*checker->at++);
    if (format.kind == KIND_NEVER_USED) {
        return "0xc1 is no MessagePack type";
    }
    if (bytes_left(checker) < format.length_size) {
        return "the body ends inside a length";
    }
    head->kind = format.kind;
    head->count = format.length_size == 0
                      ? format.extent
                      : (uint32_t)read_big_endian(checker->at, format.length_size);
    checker->at += format.length_size;
    return NULL;
}

static const char *timestamp_check(const uint8_t *at, uint32_t size)
{
    uint64_t nanoseconds = 0;
    if (size == 8) {
        nanoseconds = read_big_endian(at, 8) >> 34;
    } else if (size == 12) {
        nanoseconds = read_big_endian(at, 4);
    } else if (size != 4) {
        return "a timestamp has 4, 8 or 12 bytes";
    }
    return nanoseconds > VALUE_NANOSECONDS_MAX ? "a timestamp has more than 999999999 nanoseconds"
                                               : NULL;
}

static const char *scalar_skip(struct checker *checker, const struct head *head)
{
    bool is_ext = head->kind == KIND_EXT;
    if (bytes_left(checker) < (uint64_t)head->count + (is_ext ? 1 : 0)) {
        return "the body ends inside a value";
    }
    if (head->kind == KIND_STRING && !utf8_is_valid((const char *)checker->at, head->count)) {
        return "a string is not UTF-8";
    }
    if (is_ext && (int8_t)*checker->at++ == VALUE_EXT_TIMESTAMP) {
        const char *wrong = timestamp_check(checker->at, head->count);
        if (wrong != NULL) {
            return wrong;
        }
    }
    checker->at += head->count;
    return NULL;
}

static const char *container_enter(struct checker *checker, const struct head *head)
{
    const struct level *around = checker->depth == 0 ? NULL : &checker->levels[checker->depth - 1];
    if (around != NULL && around->is_map && around->left % 2 == 1) {
        return "a map's key is a list or a map"; /* `left` no longer counts this key */
    }
    if (checker->depth == BUSBAR_VALUE_DEPTH_MAX) {
        return "containers lie too deep within containers";
    }
    bool is_map = head->kind == KIND_MAP;
    uint64_t elements = (uint64_t)head->count * (is_map ? 2 : 1);
    checker->owed += elements;
    if (checker->owed > bytes_left(checker)) {
        return "a container claims more elements than bytes remain";
    }
    checker->levels[checker->depth++] = (struct level){.left = elements, .is_map = is_map};
    return NULL;
}

static const char *value_pass(struct checker *checker)
{
    struct head head = {.kind = KIND_NEVER_USED};
    const char *wrong = head_read(checker, &head);
    if (wrong != NULL) {
        return wrong;
    }
    bool is_container = head.kind == KIND_LIST || head.kind == KIND_MAP;
    return is_container ? container_enter(checker, &head) : scalar_skip(checker, &head);
}

const char *value_check(const void *data, size_t size)
{
    static const uint8_t nothing[1] = {0};
    const uint8_t *start = size == 0 ? nothing : data;
    struct checker checker = {.at = start, .end = start + size, .owed = 1};
    while (checker.owed > 0) {
        while (checker.depth > 0 && checker.levels[checker.depth - 1].left == 0) {
            checker.depth--;
        }
        if (checker.depth > 0) {
            checker.levels[checker.depth - 1].left--;
        }
        checker.owed--;
        const char *wrong = value_pass(&checker);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return checker.at == checker.end ? NULL : "bytes follow after the value";
}
