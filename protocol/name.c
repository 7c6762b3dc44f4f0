/* The grammar of service and method names; keeps its character table from others. */
#include "protocol/name.h"

#include <stdint.h>
#include <string.h>

enum {
    WORD = 1,        /* [A-Za-z0-9_] */
    PUNCTUATION = 2, /* [.:-], inside service names only */
};

static const uint8_t character_kinds[256] = {
    ['0'] = WORD,        ['1'] = WORD,        ['2'] = WORD,        ['3'] = WORD, ['4'] = WORD,
    ['5'] = WORD,        ['6'] = WORD,        ['7'] = WORD,        ['8'] = WORD, ['9'] = WORD,
    ['_'] = WORD,

    ['A'] = WORD,        ['B'] = WORD,        ['C'] = WORD,        ['D'] = WORD, ['E'] = WORD,
    ['F'] = WORD,        ['G'] = WORD,        ['H'] = WORD,        ['I'] = WORD, ['J'] = WORD,
    ['K'] = WORD,        ['L'] = WORD,        ['M'] = WORD,        ['N'] = WORD, ['O'] = WORD,
    ['P'] = WORD,        ['Q'] = WORD,        ['R'] = WORD,        ['S'] = WORD, ['T'] = WORD,
    ['U'] = WORD,        ['V'] = WORD,        ['W'] = WORD,        ['X'] = WORD, ['Y'] = WORD,
    ['Z'] = WORD,

    ['a'] = WORD,        ['b'] = WORD,        ['c'] = WORD,        ['d'] = WORD, ['e'] = WORD,
    ['f'] = WORD,        ['g'] = WORD,        ['h'] = WORD,        ['i'] = WORD, ['j'] = WORD,
    ['k'] = WORD,        ['l'] = WORD,        ['m'] = WORD,        ['n'] = WORD, ['o'] = WORD,
    ['p'] = WORD,        ['q'] = WORD,        ['r'] = WORD,        ['s'] = WORD, ['t'] = WORD,
    ['u'] = WORD,        ['v'] = WORD,        ['w'] = WORD,        ['x'] = WORD, ['y'] = WORD,
    ['z'] = WORD,

    ['.'] = PUNCTUATION, [':'] = PUNCTUATION, ['-'] = PUNCTUATION,
};

static bool name_matches(const char *name, size_t size, uint8_t kinds)
{
    if (size == 0 || size > NAME_SIZE_MAX) {
        return false;
    }
    if (character_kinds[(uint8_t)name[0]] != WORD) {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        if ((character_kinds[(uint8_t)name[i]] & kinds) == 0) {
            return false;
        }
    }
    return true;
}

/* NUL is of no kind, and ends the walk as any other character that no name has. */
static size_t name_size(const char *text, uint8_t kinds)
{
    const char *end = text;
    while (character_kinds[(uint8_t)*end] & kinds)
        end++;
    size_t size = (size_t)(end - text);
    bool is_name = *end == '\0' && size <= NAME_SIZE_MAX &&
                   character_kinds[(uint8_t)text[0]] == WORD;
    return is_name ? size : 0;
}

size_t name_service_size(const char *text)
{
    return name_size(text, WORD | PUNCTUATION);
}

size_t name_method_size(const char *text)
{
    return name_size(text, WORD);
}

bool name_is_service(const char *name, size_t size)
{
    return name_matches(name, size, WORD | PUNCTUATION);
}

bool name_is_method(const char *name, size_t size)
{
    return name_matches(name, size, WORD);
}

bool name_is_majordomo(const char *name, size_t size)
{
    if (size == 0 || size > NAME_SIZE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '"' || name[i] == '\\')
            return false;
    }
    return true;
}

static bool name_starts_with(const char *name, size_t size, const char *prefix)
{
    size_t prefix_size = strlen(prefix);
    return size >= prefix_size && memcmp(name, prefix, prefix_size) == 0;
}

bool name_is_reserved(const char *name, size_t size)
{
    static const char *const prefixes[] = {"_", "bus.", "mmi.", "titanic."};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (name_starts_with(name, size, prefixes[i])) {
            return true;
        }
    }
    return size == 3 && memcmp(name, "bus", 3) == 0;
}
