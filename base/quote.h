/* Text of unknown origin made safe to print: in double quotes, on one line, cut where too long. */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stddef.h>

enum {
    QUOTE_CHARACTER_SIZE = 12, /* the longest form of one character, with its NUL */
};

/*
 * Writes the first character of `text` (which has at least one byte) as it may stand between double
 * quotes, in the way of YAML and C, and returns how many bytes of `text` it was. Bytes that are not
 * UTF-8 become \xNN; characters that do not print or that turn the direction of writing, \uNNNN.
 */
size_t quote_character(char out[QUOTE_CHARACTER_SIZE], const char *text, size_t length);

/*
 * Writes `text` with its quotes and a NUL into `size` bytes (at least 8) and returns `out`; what
 * does not fit becomes "...".
 */
const char *quote(char *out, size_t size, const char *text, size_t length);

#endif
