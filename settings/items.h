/* The owned arrays in structs, of lists and of maps: where they are, and putting another there. */
#ifndef SETTINGS_ITEMS_H
#define SETTINGS_ITEMS_H

#include "settings/table.h"

struct settings_items {
    char *items; /* structs of the key's table */
    size_t count;
};

static inline bool settings_has_items(const struct settings_key *key)
{
    return key->type == SETTINGS_LIST || key->type == SETTINGS_MAP;
}

/* Borrowed from the struct. */
struct settings_items settings_items_get(const struct settings_key *key, const void *target);

/* Frees those that were there. */
void settings_items_put(const struct settings_key *key, void *target, struct settings_items items);

/* What a pair of a map has as its key; the struct owns it. */
char *settings_item_key(const void *item);

/* The row of a key; NULL if there is none. */
const struct settings_key *settings_find_key(const struct settings_table *table, const char *key);

static inline void *settings_member(const struct settings_key *key, void *target)
{
    return (char *)target + key->offset;
}

#endif
