/* A table of text with aligned columns for stdout. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TABLE_COLUMNS_MAX = 8,
};

/* `align` has one letter for each column: l or r. */
struct table {
    const char *align;
    char **cells; /* row by row */
    size_t count;
    size_t capacity;
    bool failed; /* memory ran out */
};

void table_init(struct table *table, const char *align);
void table_fini(struct table *table);

/* Adds the next cell, from the left; rows follow one another. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints a text that others wrote, which must not write to a terminal what it obeys: the controls of
 * ASCII and of Latin-1 become question marks. Cells are printed so. */
void table_print_text(const char *text);

/* Prints all rows; the exit code. */
int table_print(const struct table *table);

#endif
