/* Base64 as RFC 4648 has it: the standard alphabet, padded. */
#ifndef CLI_BASE64_H
#define CLI_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* NUL-terminated text for free(); NULL when out of memory. */
char *base64_encode(const void *data, size_t size);

/* Is it base64 in the one form that base64_encode writes? */
bool base64_is_valid(const char *text, size_t size);

/* The bytes of valid text, for free(); NULL when out of memory. */
void *base64_decode(const char *text, size_t size, size_t *ret_size);

#endif
