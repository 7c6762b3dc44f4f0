/* What a method takes and gives, read from the letters of a signature; <busbar/object.h> says what
 * they mean. */
#ifndef PROTOCOL_SIGNATURE_H
#define PROTOCOL_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SIGNATURE_ITEMS_MAX = 16, /* arguments, and results */
    SIGNATURE_TEXT_MAX = 96,  /* the longest text that can be one, with its NUL */
    SIGNATURE_REASON_SIZE = 160,
};

enum signature_type {
    SIGNATURE_BOOL,    /* b */
    SIGNATURE_INT32,   /* i */
    SIGNATURE_UINT32,  /* u */
    SIGNATURE_INT64,   /* l */
    SIGNATURE_DOUBLE,  /* d */
    SIGNATURE_FLOAT,   /* f */
    SIGNATURE_STRING,  /* s S */
    SIGNATURE_BYTES,   /* y Y */
    SIGNATURE_BYTES32, /* y4 Y4 */
    SIGNATURE_STRINGS, /* as AS */
    SIGNATURE_VALUE,   /* v */
};

struct signature_item {
    enum signature_type type;
    bool owned;    /* S, Y, Y4, AS: its memory goes over to whoever gets it */
    bool nullable; /* an argument with '?' */
};

struct signature {
    struct signature_item arguments[SIGNATURE_ITEMS_MAX];
    size_t argument_count;
    bool returns; /* the function's own result; it is results[0] */
    struct signature_item
        results[SIGNATURE_ITEMS_MAX]; /* the own one, then those through pointers */
    size_t result_count;
    char text[SIGNATURE_TEXT_MAX]; /* as it was written */
};

/* False if it is none: then `reason` says what is wrong and where, as in `no type 'q' at position
 * 3 of "sdq>s"`. */
bool signature_parse(struct signature *ret, const char *text, char reason[SIGNATURE_REASON_SIZE])
    __attribute__((warn_unused_result));

/* Letters alone, for busbar_call: no '>' and no results. */
bool signature_parse_arguments(struct signature *ret, const char *text,
                               char reason[SIGNATURE_REASON_SIZE])
    __attribute__((warn_unused_result));

/* Does a side travel as raw bytes: is it one `y`, `Y`, `y4` or `Y4` alone (docs/protocol.md 8.1)? */
bool signature_takes_raw(const struct signature *signature);
bool signature_gives_raw(const struct signature *signature);

/* Do C functions of these two have the same type? */
bool signature_same_type(const struct signature *a, const struct signature *b);

#endif
