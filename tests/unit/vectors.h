/* Reads the files of tests/vectors/ into bytes and expectations; what they mean is the tests'. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct vector_bytes {
    uint8_t *data; /* never NULL once the part was given */
    size_t size;
};

/* One line of what is expected: "command CALL" is key "command" and text "CALL". */
struct vector_line {
    char *key;
    char *text; /* "" if the line is a single word */
};

struct vector {
    char *name;
    bool tolerated;
    struct vector_bytes frame; /* or the `body` of a registration */
    struct vector_bytes attached;
    struct vector_line *lines;
    size_t line_count;
};

struct vector_list {
    struct vector *items;
    size_t count;
};

/*
 * Appends the vectors of a file to a list. The file is named from the root of the project, which is
 * $BUSBAR_SOURCE or the working directory. Text before the first `vector` and after an `end` is
 * skipped, so that a document may hold vectors. False, with a line on stderr, if it has an error.
 */
bool vectors_load(struct vector_list *list, const char *path);
void vectors_fini(struct vector_list *list);

const struct vector *vectors_find(const struct vector_list *list, const char *name);

/* "61 62*3" or "\"abbb\"" as bytes, `data` for free(); false if it is neither. */
bool vector_parse_bytes(struct vector_bytes *bytes, const char *text);

/* Opens a file of the project for reading; NULL, with a line on stderr, if it cannot. */
FILE *vectors_open(const char *path);

#endif
