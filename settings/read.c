/* Structs by table: defaults, reading and freeing; what a single value looks like is scalar.c. */
#include "settings/table.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "settings/scalar.h"
#include "settings/suggest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct list_value {
    char *items;
    size_t count;
};

static const struct settings_key *find_key(const struct settings_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].key, key) == 0)
            return &table->keys[i];
    }
    return NULL;
}

static void *member_of(const struct settings_key *key, void *target)
{
    return (char *)target + key->offset;
}

/* Freeing ------------------------------------------------------------------------------------- */

static void list_fini(const struct settings_table *table, struct list_value list)
{
    for (size_t i = 0; i < list.count; i++)
        settings_fini(table, list.items + i * table->size);
    free(list.items);
}

/* Puts a list into the struct and frees the one before. */
static void list_put(const struct settings_key *key, void *target, struct list_value list)
{
    struct list_value old;
    memcpy(&old.items, (char *)target + key->offset, sizeof old.items);
    memcpy(&old.count, (char *)target + key->count_offset, sizeof old.count);
    memcpy((char *)target + key->offset, &list.items, sizeof list.items);
    memcpy((char *)target + key->count_offset, &list.count, sizeof list.count);
    list_fini(key->table, old);
}

void settings_fini(const struct settings_table *table, void *target)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct settings_key *key = &table->keys[i];
        if (key->type == SETTINGS_GROUP)
            settings_fini(key->table, member_of(key, target));
        else if (key->type == SETTINGS_LIST)
            list_put(key, target, (struct list_value){0});
        else
            settings_scalar_fini(key, member_of(key, target));
    }
}

/* Defaults ------------------------------------------------------------------------------------ */

static bool table_defaults(const struct settings_table *table, void *target);

static bool scalar_default(const struct settings_key *key, const char *text, void *target)
{
    enum settings_outcome outcome = settings_scalar_read(key, text, true, member_of(key, target));
    assert(outcome != SETTINGS_REFUSED); /* the table gives a default that it does not allow */
    return outcome == SETTINGS_READ;
}

static bool list_default(const struct settings_key *key, void *target)
{
    struct list_value list = {.items = calloc(1, key->table->size), .count = 1};
    if (list.items == NULL)
        return false;
    bool done = table_defaults(key->table, list.items) &&
                scalar_default(find_key(key->table, key->table->shorthand), key->standard,
                               list.items);
    list_put(key, target, list);
    return done;
}

static bool key_default(const struct settings_key *key, void *target)
{
    if (key->type == SETTINGS_GROUP)
        return table_defaults(key->table, member_of(key, target));
    if (key->standard == NULL)
        return true;
    if (key->type == SETTINGS_LIST)
        return list_default(key, target);
    return scalar_default(key, key->standard, target);
}

static bool table_defaults(const struct settings_table *table, void *target)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!key_default(&table->keys[i], target))
            return false;
    }
    return true;
}

bool settings_init(const struct settings_table *table, void *target)
{
    memset(target, 0, table->size);
    return table_defaults(table, target);
}

/* Reading ------------------------------------------------------------------------------------- */

static void read_value(const struct settings_key *key, const struct settings_node *node,
                       void *target, struct settings_errors *errors);

static void refuse(const struct settings_node *node, const char *expected,
                   struct settings_errors *errors)
{
    char buffer[256];
    char got[80] = "a map";
    const char *path = settings_node_path(node, buffer, sizeof buffer);
    if (settings_node_is_null(node)) {
        settings_node_complain(errors, node, "%s must be %s, but nothing is given", path, expected);
        return;
    }
    if (node->kind == SETTINGS_SCALAR)
        quote(got, sizeof got, node->text, strlen(node->text));
    else if (node->kind == SETTINGS_SEQUENCE)
        snprintf(got, sizeof got, "a list");
    settings_node_complain(errors, node, "%s must be %s, not %s", path, expected, got);
}

static void read_scalar(const struct settings_key *key, const struct settings_node *node,
                        void *target, struct settings_errors *errors)
{
    char expected[SETTINGS_EXPECTED_SIZE];
    enum settings_outcome outcome = SETTINGS_REFUSED;
    if (node->kind == SETTINGS_SCALAR && !settings_node_is_null(node))
        outcome = settings_scalar_read(key, node->text, node->plain, member_of(key, target));
    if (outcome == SETTINGS_REFUSED)
        refuse(node, settings_scalar_expected(key, node, expected), errors);
    else if (outcome == SETTINGS_NO_MEMORY)
        settings_node_complain(errors, node, "out of memory");
}

static void read_item(const struct settings_table *table, const struct settings_node *node,
                      void *item, struct settings_errors *errors)
{
    if (node->kind != SETTINGS_MAPPING && table->shorthand != NULL)
        read_value(find_key(table, table->shorthand), node, item, errors);
    else
        settings_read(table, node, item, errors);
}

static bool list_fits(const struct settings_key *key, const struct settings_node *node,
                      struct settings_errors *errors)
{
    char buffer[256];
    if (node->count >= key->min && (key->max == 0 || node->count <= key->max))
        return true;
    const char *path = settings_node_path(node, buffer, sizeof buffer);
    if (key->max == 0)
        settings_node_complain(errors, node, "%s must have at least %" PRIu64 " items, not %zu",
                               path, key->min, node->count);
    else
        settings_node_complain(errors, node,
                               "%s must have %" PRIu64 " to %" PRIu64 " items, not %zu", path,
                               key->min, key->max, node->count);
    return false;
}

static void read_list(const struct settings_key *key, const struct settings_node *node,
                      void *target, struct settings_errors *errors)
{
    bool one = key->single && node->kind != SETTINGS_SEQUENCE && !settings_node_is_null(node);
    if (!one && node->kind != SETTINGS_SEQUENCE) {
        refuse(node, "a list", errors);
        return;
    }
    if (!one && !list_fits(key, node, errors))
        return;
    struct list_value list = {.count = one ? 1 : node->count};
    list.items = list.count == 0 ? NULL : calloc(list.count, key->table->size);
    if (list.items == NULL && list.count > 0) {
        settings_node_complain(errors, node, "out of memory");
        return;
    }
    char *item = list.items;
    for (const struct settings_node *at = one ? node : node->first; at != NULL;
         at = one ? NULL : at->next) {
        if (!table_defaults(key->table, item))
            settings_node_complain(errors, at, "out of memory");
        else if (!at->broken)
            read_item(key->table, at, item, errors);
        item += key->table->size;
    }
    list_put(key, target, list);
}

static void read_value(const struct settings_key *key, const struct settings_node *node,
                       void *target, struct settings_errors *errors)
{
    if (key->type == SETTINGS_LIST)
        read_list(key, node, target, errors);
    else if (key->type != SETTINGS_GROUP)
        read_scalar(key, node, target, errors);
    else if (!settings_node_is_null(node)) /* a group whose keys are all commented out */
        settings_read(key->table, node, member_of(key, target), errors);
}

static void refuse_key(const struct settings_table *table, const struct settings_node *node,
                       struct settings_errors *errors)
{
    char name[80];
    char path[256];
    char hint[512];
    settings_errors_add(errors, node->key_place, "unknown key %s in %s; %s",
                        quote(name, sizeof name, node->key, strlen(node->key)),
                        settings_node_path(node->parent, path, sizeof path),
                        settings_suggest(table, node->key, hint, sizeof hint));
}

static void require_keys(const struct settings_table *table, const struct settings_node *map,
                         struct settings_errors *errors)
{
    char path[256];
    for (size_t i = 0; i < table->count; i++) {
        const char *key = table->keys[i].key;
        if (table->keys[i].required && settings_node_find(map, key) == NULL)
            settings_node_complain(errors, map, "%s must have the key \"%s\"",
                                   settings_node_path(map, path, sizeof path), key);
    }
}

bool settings_read(const struct settings_table *table, const struct settings_node *map,
                   void *target, struct settings_errors *errors)
{
    size_t before = errors->count;
    if (map->broken)
        return false;
    if (map->kind != SETTINGS_MAPPING) {
        refuse(map, "a map of KEY: VALUE", errors);
        return false;
    }
    for (const struct settings_node *node = map->first; node != NULL; node = node->next) {
        const struct settings_key *key = find_key(table, node->key);
        if (node->broken)
            continue;
        if (key == NULL)
            refuse_key(table, node, errors);
        else
            read_value(key, node, target, errors);
    }
    require_keys(table, map, errors);
    return errors->count == before;
}
