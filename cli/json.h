/* Values as JSON text and back, for the command line; keeps jansson from the subcommands. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <busbar/status.h>
#include <busbar/value.h>
#include <stddef.h>

/*
 * What JSON has no word for is written as an object of one key:
 *
 *   bytes                        {"$bytes": base64}
 *   timestamp                    {"$time": RFC 3339}, or outside the years 0 to 9999
 *                                {"$time": [seconds, nanoseconds]}
 *   NaN, infinities              {"$float": "nan"}, "inf", "-inf"
 *   ext                          {"$ext": [type, base64]}
 *   uint64 above INT64_MAX       {"$uint64": "18446744073709551615"}
 *   map                          an object in the map's order; or {"$map": [[key, value], …]} if a
 *                                key is no string, holds a NUL, occurs twice or is a word above
 *   class name of a map          the key "$class", written first, read anywhere
 *
 * A double always has a '.' or an exponent, and the fewest digits that read back as the same
 * double. A number in JSON text is an int64 without them: beyond its range it is refused.
 */
enum json_text_flags {
    JSON_TEXT_INDENT = 1, /* a line for each element, two spaces for each level */
};

/* The text for free(), with no newline at its end; NULL when out of memory. */
char *json_from_value(const struct busbar_value *value, unsigned flags);

/*
 * BAD_REQUEST for text that is not JSON, has an object key twice, is deeper than a value may be, or
 * has a "$" object that does not follow the table; `reason` then receives what was wrong.
 */
enum busbar_status json_to_value(struct busbar_value **ret, const char *text, char *reason,
                                 size_t reason_size) __attribute__((warn_unused_result));

#endif
