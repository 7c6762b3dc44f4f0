/* The pass over received MessagePack that decides whether it may be built; builds nothing. */
#ifndef PROTOCOL_VALUE_CHECK_H
#define PROTOCOL_VALUE_CHECK_H

#include <stddef.h>

/*
 * NULL if the bytes are exactly one value within the bounds that busbar/value.h names, else a
 * static text that says what is wrong. Neither recurses nor allocates, and looks at each byte at
 * most twice.
 */
const char *value_check(const void *data, size_t size);

#endif
