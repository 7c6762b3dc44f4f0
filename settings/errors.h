/* The errors of a configuration, all of them, each as one line `FILE:LINE:COLUMN: what`. */
#ifndef SETTINGS_ERRORS_H
#define SETTINGS_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    SETTINGS_ERRORS_KEPT = 20, /* further ones are only counted */
};

/* A place in a file, counted from 1 in lines and characters; line 0: the file as a whole. */
struct settings_place {
    const char *file; /* NULL: no file at all, as for a command-line option */
    uint32_t line;
    uint32_t column;
    uint32_t order; /* of the file among those of one configuration, from 0 */
};

struct settings_errors {
    size_t count;                      /* all that were reported */
    char *lines[SETTINGS_ERRORS_KEPT]; /* the first of them, NULL where memory ran out */
    struct settings_place places[SETTINGS_ERRORS_KEPT]; /* without the names of files */
};

void settings_errors_init(struct settings_errors *errors);
void settings_errors_fini(struct settings_errors *errors);

__attribute__((format(printf, 3, 4))) void settings_errors_add(struct settings_errors *errors,
                                                               struct settings_place place,
                                                               const char *format, ...);

/* Puts the errors from index `from` on into the order of the files, and of the lines in each. */
void settings_errors_sort(struct settings_errors *errors, size_t from);

/* The line of an error, without a line break; NULL past the last one that was kept. */
const char *settings_errors_line(const struct settings_errors *errors, size_t index);

/* One line each, the last says how many more there were; `prefix` starts those of no file. */
void settings_errors_print(const struct settings_errors *errors, const char *prefix, FILE *out);

#endif
