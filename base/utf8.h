/* The check that bytes are UTF-8 as RFC 3629 defines it. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Refuses overlong forms, surrogates and everything above U+10FFFF; NUL is a character. */
bool utf8_is_valid(const char *data, size_t size);

#endif
