/* Times as RFC 3339 writes them; keeps the calendar from others. */
#ifndef CLI_RFC3339_H
#define CLI_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RFC3339_SIZE = sizeof("9999-12-31T23:59:59.123456789Z"),
};

/* In UTC, with nine digits of a fraction unless it is zero. False outside the years 0 to 9999. */
bool rfc3339_write(char text[RFC3339_SIZE], int64_t seconds, uint32_t nanoseconds);

/* Any offset, up to nine digits of a fraction; false for anything else, leap seconds included. */
bool rfc3339_read(const char *text, int64_t *ret_seconds, uint32_t *ret_nanoseconds);

#endif
