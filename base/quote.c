/* Writes text in quotes; which characters print as they are stays in here. */
#include "base/quote.h"

#include "base/cleanup.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed character at `text`, and its code point; 0 if it is malformed. */
static size_t decode(const char *text, size_t length, uint32_t *code_point)
{
    unsigned char first = (unsigned char)text[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > length || !utf8_is_valid(text, size))
        return 0;
    *code_point = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        *code_point = *code_point << 6 | ((unsigned char)text[i] & 0x3fu);
    return size;
}

/* Controls, line separators, marks of direction, byte order marks and what is no character. */
static bool prints(uint32_t code_point)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } hidden[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x200e, 0x200f}, {0x2028, 0x202e},
        {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xfffe, 0xffff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
        if (code_point >= hidden[i].first && code_point <= hidden[i].last)
            return false;
    }
    return true;
}

size_t quote_character(char out[QUOTE_CHARACTER_SIZE], const char *text, size_t length)
{
    static const char named[][2] = {
        {'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\r', 'r'}, {'\t', 't'},
    };
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        if (text[0] == named[i][0]) {
            snprintf(out, QUOTE_CHARACTER_SIZE, "\\%c", named[i][1]);
            return 1;
        }
    }
    uint32_t code_point = 0;
    size_t size = decode(text, length, &code_point);
    if (size == 0 || (size == 1 && !prints(code_point))) {
        snprintf(out, QUOTE_CHARACTER_SIZE, "\\x%02x", (unsigned)(unsigned char)text[0]);
        return 1;
    }
    if (prints(code_point))
        snprintf(out, QUOTE_CHARACTER_SIZE, "%.*s", (int)size, text);
    else
        snprintf(out, QUOTE_CHARACTER_SIZE, "\\u%04x", (unsigned)code_point);
    return size;
}

const char *quote(char *out, size_t size, const char *text, size_t length)
{
    static const char cut[] = "...\"";
    assert(size >= 8);
    size_t used = 0;
    out[used++] = '"';
    for (size_t at = 0; at < length;) {
        char character[QUOTE_CHARACTER_SIZE];
        at += quote_character(character, text + at, length - at);
        size_t more = strlen(character);
        size_t needed = at < length ? sizeof cut : sizeof "\"";
        if (used + more + needed > size) {
            memcpy(out + used, cut, sizeof cut);
            return out;
        }
        memcpy(out + used, character, more);
        used += more;
    }
    memcpy(out + used, "\"", sizeof "\"");
    return out;
}
