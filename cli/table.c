/* Aligned columns; a column is as wide as its widest cell. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

void table_init(struct table *table, const char *align)
{
    *table = (struct table){.align = align};
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){.align = NULL};
}

static bool table_grow(struct table *table)
{
    if (table->count < table->capacity)
        return true;
    size_t capacity = table->capacity == 0 ? 32 : table->capacity * 2;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (cells == NULL)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_add(struct table *table, const char *format, ...)
{
    char *cell = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&cell, format, arguments) < 0)
        cell = NULL;
    va_end(arguments);
    if (cell == NULL || !table_grow(table)) {
        free(cell);
        table->failed = true;
        return;
    }
    table->cells[table->count++] = cell;
}

/* Characters of UTF-8, each taken as one column. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column, size_t columns)
{
    size_t width = 0;
    for (size_t i = column; i < table->count; i += columns) {
        size_t cell = text_width(table->cells[i]);
        width = cell > width ? cell : width;
    }
    return width;
}

/* Blanks at the end of a line are left out. */
static bool rest_is_empty(const struct table *table, size_t index, size_t columns)
{
    for (size_t i = index + 1; i < table->count && i % columns != 0; i++) {
        if (table->cells[i][0] != '\0')
            return false;
    }
    return true;
}

void table_print_text(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        bool latin = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        putchar(latin || *at < ' ' || *at == 0x7f ? '?' : *at);
        at += latin;
    }
}

int table_print(const struct table *table)
{
    size_t columns = strlen(table->align);
    if (table->failed || columns == 0)
        return report_no_memory();
    size_t widths[TABLE_COLUMNS_MAX];
    for (size_t column = 0; column < columns; column++)
        widths[column] = column_width(table, column, columns);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % columns;
        int fill = (int)(widths[column] - text_width(table->cells[i]));
        bool last = rest_is_empty(table, i, columns);
        bool right = table->align[column] == 'r';
        printf("%*s", right ? fill : 0, "");
        table_print_text(table->cells[i]);
        printf("%*s", right || last ? 0 : fill, "");
        fputs(last ? "\n" : "  ", stdout);
        if (last)
            i += columns - 1 - column;
    }
    return report_output();
}
