/* Structs by table: defaults and reading; what a single value looks like is in scalar.c. */
#include "settings/table.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "settings/items.h"
#include "settings/scalar.h"
#include "settings/suggest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Defaults ------------------------------------------------------------------------------------ */

static bool table_defaults(const struct settings_table *table, void *target);

static bool scalar_default(const struct settings_key *key, const char *text, void *target)
{
    enum settings_outcome outcome = settings_scalar_read(key, text, true,
                                                         settings_member(key, target));
    assert(outcome != SETTINGS_REFUSED); /* the table gives a default that it does not allow */
    return outcome == SETTINGS_READ;
}

static bool list_default(const struct settings_key *key, void *target)
{
    struct settings_items list = {.items = calloc(1, key->table->size), .count = 1};
    if (list.items == NULL)
        return false;
    bool done = table_defaults(key->table, list.items) &&
                scalar_default(settings_find_key(key->table, key->table->shorthand), key->standard,
                               list.items);
    settings_items_put(key, target, list);
    return done;
}

static bool key_default(const struct settings_key *key, void *target)
{
    if (key->type == SETTINGS_GROUP)
        return table_defaults(key->table, settings_member(key, target));
    if (key->standard == NULL)
        return true;
    if (key->type == SETTINGS_LIST)
        return list_default(key, target);
    assert(settings_is_scalar(key->type));
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
        outcome = settings_scalar_read(key, node->text, node->plain, settings_member(key, target));
    if (outcome == SETTINGS_REFUSED)
        refuse(node, settings_scalar_expected(key, node, expected), errors);
    else if (outcome == SETTINGS_NO_MEMORY)
        settings_node_complain(errors, node, "out of memory");
}

static void require_keys(const struct settings_table *table, const struct settings_node *node,
                         const char *given, struct settings_errors *errors)
{
    char path[256];
    for (size_t i = 0; i < table->count; i++) {
        const char *key = table->keys[i].key;
        if (table->keys[i].required && settings_node_find(node, key) == NULL &&
            (given == NULL || strcmp(given, key) != 0))
            settings_node_complain(errors, node, "%s must have the key \"%s\"",
                                   settings_node_path(node, path, sizeof path), key);
    }
}

/* An item of a list or a map, or a group: a map, or what is the value of the shorthand. */
static void read_struct(const struct settings_table *table, const struct settings_node *node,
                        void *target, struct settings_errors *errors)
{
    if (node->kind == SETTINGS_MAPPING || table->shorthand == NULL) {
        (void)!settings_read(table, node, target, errors);
        return;
    }
    read_value(settings_find_key(table, table->shorthand), node, target, errors);
    require_keys(table, node, table->shorthand, errors);
}

static void read_group(const struct settings_key *key, const struct settings_node *node,
                       void *target, struct settings_errors *errors)
{
    if (settings_node_is_null(node)) /* a group whose keys are all commented out */
        require_keys(key->table, node, NULL, errors);
    else
        read_struct(key->table, node, settings_member(key, target), errors);
}

static bool count_fits(const struct settings_key *key, const struct settings_node *node,
                       struct settings_errors *errors)
{
    char buffer[256];
    if (node->count >= key->min && (key->max == 0 || node->count <= key->max))
        return true;
    const char *path = settings_node_path(node, buffer, sizeof buffer);
    const char *noun = key->type == SETTINGS_LIST ? "items" : "pairs of KEY: VALUE";
    if (key->max == 0)
        settings_node_complain(errors, node, "%s must have at least %" PRIu64 " %s, not %zu", path,
                               key->min, noun, node->count);
    else
        settings_node_complain(errors, node, "%s must have %" PRIu64 " to %" PRIu64 " %s, not %zu",
                               path, key->min, key->max, noun, node->count);
    return false;
}

/* Room for as many items as a node may have; the count is left to who fills it. */
static bool make_items(struct settings_items *ret, const struct settings_key *key, size_t count,
                       const struct settings_node *node, struct settings_errors *errors)
{
    *ret = (struct settings_items){0};
    if (count == 0)
        return true;
    ret->items = calloc(count, key->table->size);
    if (ret->items == NULL)
        settings_node_complain(errors, node, "out of memory");
    return ret->items != NULL;
}

static void read_list(const struct settings_key *key, const struct settings_node *node,
                      void *target, struct settings_errors *errors)
{
    bool one = key->single && node->kind != SETTINGS_SEQUENCE && !settings_node_is_null(node);
    if (!one && node->kind != SETTINGS_SEQUENCE) {
        refuse(node, "a list", errors);
        return;
    }
    struct settings_items list;
    if ((!one && !count_fits(key, node, errors)) ||
        !make_items(&list, key, one ? 1 : node->count, node, errors))
        return;
    for (const struct settings_node *at = one ? node : node->first; at != NULL;
         at = one ? NULL : at->next) {
        char *item = list.items + list.count++ * key->table->size;
        if (!table_defaults(key->table, item))
            settings_node_complain(errors, at, "out of memory");
        else if (!at->broken)
            read_struct(key->table, at, item, errors);
    }
    settings_items_put(key, target, list);
}

static void read_pair(const struct settings_key *key, const struct settings_node *node, char *item,
                      struct settings_errors *errors)
{
    const char *expected = key->check_key != NULL ? key->check_key(node->key) : NULL;
    char name[80];
    char path[256];
    if (expected != NULL)
        settings_errors_add(errors, node->key_place, "the key %s in %s must be %s",
                            quote(name, sizeof name, node->key, strlen(node->key)),
                            settings_node_path(node->parent, path, sizeof path), expected);
    char *copy = strdup(node->key);
    memcpy(item, &copy, sizeof copy);
    if (copy == NULL || !table_defaults(key->table, item))
        settings_node_complain(errors, node, "out of memory");
    else
        read_struct(key->table, node, item, errors);
}

static void read_map(const struct settings_key *key, const struct settings_node *node, void *target,
                     struct settings_errors *errors)
{
    struct settings_items map;
    if (node->kind != SETTINGS_MAPPING && !settings_node_is_null(node)) {
        refuse(node, "a map of KEY: VALUE", errors);
        return;
    }
    if (!count_fits(key, node, errors) || !make_items(&map, key, node->count, node, errors))
        return;
    for (const struct settings_node *at = node->first; at != NULL && map.items != NULL;
         at = at->next) {
        if (!at->broken)
            read_pair(key, at, map.items + map.count++ * key->table->size, errors);
    }
    settings_items_put(key, target, map);
}

static void read_value(const struct settings_key *key, const struct settings_node *node,
                       void *target, struct settings_errors *errors)
{
    switch (key->type) {
    case SETTINGS_GROUP:
        read_group(key, node, target, errors);
        break;
    case SETTINGS_LIST:
        read_list(key, node, target, errors);
        break;
    case SETTINGS_MAP:
        read_map(key, node, target, errors);
        break;
    case SETTINGS_ELSEWHERE:
        break;
    case SETTINGS_BOOL:
    case SETTINGS_U32:
    case SETTINGS_U64:
    case SETTINGS_SIZE:
    case SETTINGS_DURATION:
    case SETTINGS_STRING:
    case SETTINGS_ENUM:
    case SETTINGS_CONSTANT:
        read_scalar(key, node, target, errors);
        break;
    }
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
        const struct settings_key *key = settings_find_key(table, node->key);
        if (node->broken)
            continue;
        if (key == NULL)
            refuse_key(table, node, errors);
        else
            read_value(key, node, target, errors);
    }
    require_keys(table, map, NULL, errors);
    return errors->count == before;
}
