/* Prints a struct by its table as the YAML that reads back as the same struct. */
#include "settings/table.h"

#include "settings/items.h"
#include "settings/scalar.h"
#include "settings/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIMPLE_KEY_SIZE = 1000, /* written; longer ones need a question mark before them */
};

/* Where the next key goes: `column` spaces in, unless the line is begun already by a list's dash. */
struct position {
    FILE *out;
    int column;
    bool begun;
    bool explained; /* each key's help above it; not in the items of a list or map */
    bool bare;      /* only what is not as settings_init makes it */
};

static void dump_table(const struct settings_table *table, const void *target,
                       struct position position);

static const char *member_of(const struct settings_key *key, const void *target)
{
    return (const char *)target + key->offset;
}

/* Is there anything to be written? ------------------------------------------------------------ */

static bool is_standard(const struct settings_key *key, const void *target);

/* All of them but one, which may be NULL. */
static bool others_are_standard(const struct settings_table *table, const void *target,
                                const struct settings_key *one)
{
    for (size_t i = 0; i < table->count; i++) {
        if (&table->keys[i] != one && !is_standard(&table->keys[i], target))
            return false;
    }
    return true;
}

static bool list_is_standard(const struct settings_key *key, const void *target)
{
    struct settings_items list = settings_items_get(key, target);
    if (key->standard == NULL || list.count != 1)
        return key->standard == NULL && list.count == 0;
    const struct settings_key *row = settings_find_key(key->table, key->table->shorthand);
    struct settings_key only = *row;
    only.standard = key->standard;
    return is_standard(&only, list.items) && others_are_standard(key->table, list.items, row);
}

static bool is_standard(const struct settings_key *key, const void *target)
{
    switch (key->type) {
    case SETTINGS_GROUP:
        return others_are_standard(key->table, member_of(key, target), NULL);
    case SETTINGS_LIST:
        return list_is_standard(key, target);
    case SETTINGS_MAP:
        return settings_items_get(key, target).count == 0;
    case SETTINGS_ELSEWHERE:
        return true;
    case SETTINGS_BOOL:
    case SETTINGS_U32:
    case SETTINGS_U64:
    case SETTINGS_SIZE:
    case SETTINGS_DURATION:
    case SETTINGS_STRING:
    case SETTINGS_ENUM:
    case SETTINGS_CONSTANT:
        break;
    }
    return settings_scalar_is_standard(key, member_of(key, target));
}

static bool says(const struct settings_key *key, const void *target,
                 const struct position *position)
{
    if (key->type == SETTINGS_ELSEWHERE)
        return false;
    if (key->type == SETTINGS_STRING && settings_item_key(member_of(key, target)) == NULL)
        return false;
    return !position->bare || key->required || !is_standard(key, target);
}

/* Does a table say anything but its row `but`, which may be NULL? */
static bool says_more(const struct settings_table *table, const void *target,
                      const struct settings_key *but, const struct position *position)
{
    for (size_t i = 0; i < table->count; i++) {
        if (&table->keys[i] != but && says(&table->keys[i], target, position))
            return true;
    }
    return false;
}

static const struct settings_key *find_short(const struct settings_table *table, const void *target,
                                             const struct position *position);

/* Is a list written as its only item? Not if that itself is written as a list. */
static bool stands_alone(const struct settings_key *key, struct settings_items list,
                         const struct position *position)
{
    if (!key->single || list.count != 1 || !position->bare)
        return false;
    const struct settings_key *row = find_short(key->table, list.items, position);
    return row == NULL || settings_is_scalar(row->type);
}

static bool is_written_as_map(const struct settings_key *key, const void *target,
                              const struct position *position)
{
    if (key->type != SETTINGS_LIST)
        return !settings_is_scalar(key->type);
    struct settings_items list = settings_items_get(key, target);
    return stands_alone(key, list, position) &&
           find_short(key->table, list.items, position) == NULL;
}

/* The row that can stand for all that a struct says; NULL if it needs a map. */
static const struct settings_key *find_short(const struct settings_table *table, const void *target,
                                             const struct position *position)
{
    if (table->shorthand == NULL || (!position->bare && table->count > 1))
        return NULL;
    const struct settings_key *row = settings_find_key(table, table->shorthand);
    if (!says(row, target, position) || says_more(table, target, row, position))
        return NULL;
    return is_written_as_map(row, target, position) ? NULL : row;
}

/* Writing ------------------------------------------------------------------------------------- */

static void start_line(struct position *position)
{
    if (!position->begun)
        fprintf(position->out, "%*s", position->column, "");
    position->begun = false;
}

static struct position deeper(const struct position *position)
{
    struct position inner = *position;
    inner.column += 2;
    inner.begun = false;
    return inner;
}

/* Comments are for the reader of a file, not repeated for every item of a list. */
static void dump_help(const struct settings_key *key, const struct position *position)
{
    const char *line = key->help;
    while (line != NULL && *line != '\0') {
        size_t length = strcspn(line, "\n");
        fprintf(position->out, "%*s# %.*s\n", position->column, "", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static void dump_scalar(const struct settings_key *key, const void *target,
                        const struct position *position)
{
    settings_scalar_write(key, member_of(key, target), position->out);
    fputc('\n', position->out);
}

/* What follows a dash. */
static void dump_item(const struct settings_table *table, const void *item,
                      struct position position)
{
    const struct settings_key *row = find_short(table, item, &position);
    if (row != NULL && settings_is_scalar(row->type))
        dump_scalar(row, item, &position);
    else if (says_more(table, item, NULL, &position))
        dump_table(table, item, position);
    else
        fputs("{}\n", position.out);
}

static void dump_value(const struct settings_key *key, const void *target,
                       const struct position *position);

/* What follows the colon after a key that has a struct as its value. */
static void dump_struct(const struct settings_table *table, const void *target,
                        const struct position *position)
{
    const struct settings_key *row = find_short(table, target, position);
    if (row != NULL) {
        dump_value(row, target, position);
    } else if (!position->explained && !says_more(table, target, NULL, position)) {
        fputs(" {}\n", position->out);
    } else {
        fputc('\n', position->out);
        dump_table(table, target, deeper(position));
    }
}

static void dump_list(const struct settings_key *key, const void *target,
                      const struct position *position)
{
    struct settings_items list = settings_items_get(key, target);
    if (stands_alone(key, list, position)) {
        dump_struct(key->table, list.items, position);
        return;
    }
    fputs(list.count == 0 ? " []\n" : "\n", position->out);
    for (size_t i = 0; i < list.count; i++) {
        fprintf(position->out, "%*s- ", position->column + 2, "");
        struct position item = *position;
        item.column += 4;
        item.begun = true;
        item.explained = false;
        dump_item(key->table, list.items + i * key->table->size, item);
    }
}

/* A key that is too long to be seen as one by its colon has a question mark before it. */
static void dump_free_key(const char *key, const struct position *position)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return;
    settings_write_key(key, out);
    fclose(out);
    fprintf(position->out, "%*s", position->column, "");
    if (size > SIMPLE_KEY_SIZE)
        fprintf(position->out, "? %s\n%*s:", text, position->column, "");
    else
        fprintf(position->out, "%s:", text);
    free(text);
}

static void dump_map(const struct settings_key *key, const void *target,
                     const struct position *position)
{
    struct settings_items map = settings_items_get(key, target);
    struct position inner = deeper(position);
    inner.explained = false;
    fputs(map.count == 0 ? " {}\n" : "\n", position->out);
    for (size_t i = 0; i < map.count; i++) {
        const char *item = map.items + i * key->table->size;
        dump_free_key(settings_item_key(item), &inner);
        dump_struct(key->table, item, &inner);
    }
}

/* What follows the colon. */
static void dump_value(const struct settings_key *key, const void *target,
                       const struct position *position)
{
    if (key->type == SETTINGS_LIST) {
        dump_list(key, target, position);
    } else if (key->type == SETTINGS_MAP) {
        dump_map(key, target, position);
    } else if (key->type == SETTINGS_GROUP) {
        dump_struct(key->table, member_of(key, target), position);
    } else {
        fputc(' ', position->out);
        dump_scalar(key, target, position);
    }
}

static void dump_table(const struct settings_table *table, const void *target,
                       struct position position)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct settings_key *key = &table->keys[i];
        if (position.explained)
            dump_help(key, &position);
        if (says(key, target, &position)) {
            start_line(&position);
            fprintf(position.out, "%s:", key->key);
            dump_value(key, target, &position);
        } else if (position.explained) {
            fprintf(position.out, "%*s# %s:\n", position.column, "", key->key);
        }
    }
}

void settings_dump(const struct settings_table *table, const void *target, FILE *out)
{
    dump_table(table, target, (struct position){.out = out, .explained = true});
}

void settings_dump_bare(const struct settings_table *table, const void *target, unsigned indent,
                        FILE *out)
{
    dump_table(table, target, (struct position){.out = out, .column = (int)indent, .bare = true});
}
