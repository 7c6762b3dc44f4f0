/* Owned arrays in structs, and the freeing of all that a struct owns. */
#include "settings/items.h"

#include "settings/scalar.h"

#include <stdlib.h>
#include <string.h>

const struct settings_key *settings_find_key(const struct settings_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].key, key) == 0)
            return &table->keys[i];
    }
    return NULL;
}

struct settings_items settings_items_get(const struct settings_key *key, const void *target)
{
    struct settings_items items;
    memcpy(&items.items, (const char *)target + key->offset, sizeof items.items);
    memcpy(&items.count, (const char *)target + key->count_offset, sizeof items.count);
    return items;
}

char *settings_item_key(const void *item)
{
    char *key;
    memcpy(&key, item, sizeof key);
    return key;
}

static void items_fini(const struct settings_key *key, struct settings_items items)
{
    for (size_t i = 0; i < items.count; i++) {
        char *item = items.items + i * key->table->size;
        settings_fini(key->table, item);
        if (key->type == SETTINGS_MAP)
            free(settings_item_key(item));
    }
    free(items.items);
}

void settings_items_put(const struct settings_key *key, void *target, struct settings_items items)
{
    struct settings_items old = settings_items_get(key, target);
    memcpy((char *)target + key->offset, &items.items, sizeof items.items);
    memcpy((char *)target + key->count_offset, &items.count, sizeof items.count);
    items_fini(key, old);
}

void settings_fini(const struct settings_table *table, void *target)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct settings_key *key = &table->keys[i];
        if (key->type == SETTINGS_GROUP)
            settings_fini(key->table, settings_member(key, target));
        else if (settings_has_items(key))
            settings_items_put(key, target, (struct settings_items){0});
        else if (settings_is_scalar(key->type))
            settings_scalar_fini(key, settings_member(key, target));
    }
}
