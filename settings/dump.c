/* Prints a struct by its table as the YAML that reads back as the same struct. */
#include "settings/scalar.h"

#include <string.h>

/* Where the next key goes: `column` spaces in, unless the line is begun already by a list's dash. */
struct position {
    FILE *out;
    int column;
    bool begun;
};

static void dump_table(const struct settings_table *table, const void *target,
                       struct position position);

static void start_line(struct position *position)
{
    if (!position->begun)
        fprintf(position->out, "%*s", position->column, "");
    position->begun = false;
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

/* An item whose table has nothing but its shorthand needs no map. */
static void dump_item(const struct settings_table *table, const void *item,
                      struct position position)
{
    if (table->count > 1 || table->shorthand == NULL) {
        dump_table(table, item, position);
        return;
    }
    settings_scalar_write(&table->keys[0], (const char *)item + table->keys[0].offset,
                          position.out);
    fputc('\n', position.out);
}

static void dump_list(const struct settings_key *key, const void *target, struct position position)
{
    const char *items;
    size_t count;
    memcpy(&items, (const char *)target + key->offset, sizeof items);
    memcpy(&count, (const char *)target + key->count_offset, sizeof count);
    fprintf(position.out, "%s:%s\n", key->key, count == 0 ? " []" : "");
    for (size_t i = 0; i < count; i++) {
        fprintf(position.out, "%*s- ", position.column + 2, "");
        struct position item = {.out = position.out, .column = position.column + 4, .begun = true};
        dump_item(key->table, items + i * key->table->size, item);
    }
}

static void dump_key(const struct settings_key *key, const void *target, struct position *position)
{
    const char *member = (const char *)target + key->offset;
    start_line(position);
    if (key->type == SETTINGS_LIST) {
        dump_list(key, target, *position);
    } else if (key->type == SETTINGS_GROUP) {
        fprintf(position->out, "%s:\n", key->key);
        struct position inner = {.out = position->out, .column = position->column + 2};
        dump_table(key->table, member, inner);
    } else {
        fprintf(position->out, "%s: ", key->key);
        settings_scalar_write(key, member, position->out);
        fputc('\n', position->out);
    }
}

static bool has_value(const struct settings_key *key, const void *target)
{
    const char *text = "";
    if (key->type == SETTINGS_STRING)
        memcpy(&text, (const char *)target + key->offset, sizeof text);
    return text != NULL;
}

static void dump_table(const struct settings_table *table, const void *target,
                       struct position position)
{
    bool in_list = position.begun;
    bool some = false;
    for (size_t i = 0; i < table->count; i++) {
        const struct settings_key *key = &table->keys[i];
        if (!in_list)
            dump_help(key, &position);
        if (has_value(key, target)) {
            dump_key(key, target, &position);
            some = true;
        } else if (!in_list) {
            fprintf(position.out, "%*s# %s:\n", position.column, "", key->key);
        }
    }
    if (!some && in_list)
        fputs("{}\n", position.out);
}

void settings_dump(const struct settings_table *table, const void *target, FILE *out)
{
    dump_table(table, target, (struct position){.out = out});
}
