/* The kinds of single values: from text to a member of a struct and back. */
#ifndef SETTINGS_SCALAR_H
#define SETTINGS_SCALAR_H

#include "settings/table.h"

enum settings_outcome {
    SETTINGS_READ,
    SETTINGS_REFUSED,
    SETTINGS_NO_MEMORY,
};

enum {
    SETTINGS_EXPECTED_SIZE = 256,
    SETTINGS_SIZE_TEXT = 32,
};

/* True for all types but groups, lists, maps and what is read elsewhere. */
bool settings_is_scalar(enum settings_type type);

/* `plain` is false for text that stood in quotes. The member's old value is freed. */
enum settings_outcome settings_scalar_read(const struct settings_key *key, const char *text,
                                           bool plain, void *member);

/* What would be right where `node` is wrong, as in "a whole number from 1 to 3". */
const char *settings_scalar_expected(const struct settings_key *key,
                                     const struct settings_node *node,
                                     char out[SETTINGS_EXPECTED_SIZE]);

/* As it stands in a file. */
void settings_scalar_write(const struct settings_key *key, const void *member, FILE *out);

/* Has the member the value that settings_init gives it? */
bool settings_scalar_is_standard(const struct settings_key *key, const void *member);

void settings_scalar_fini(const struct settings_key *key, void *member);

/* A number of bytes as it would stand in a file, as in "16 MiB"; returns `out`. */
const char *settings_size_text(uint64_t bytes, char out[SETTINGS_SIZE_TEXT]);

#endif
