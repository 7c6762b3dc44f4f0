/* What the loading of several files into one tree is made of. */
#ifndef SETTINGS_LAYERS_H
#define SETTINGS_LAYERS_H

#include "settings/document.h"

/* One file of several. */
struct settings_source {
    const char *path;                   /* "-": stdin */
    uint32_t order;                     /* for the places of nodes */
    const struct settings_node *naming; /* the value that named it; NULL: the caller did */
};

/* Reads one file as it is; returns as settings_document_load does. */
bool settings_document_load_source(struct settings_document **ret,
                                   const struct settings_source *source,
                                   struct settings_errors *errors);

/* Takes what is in the map `layer` into the map `base`, key by key; a null takes a key away.
 * False when out of memory. */
bool settings_node_merge(struct settings_node *base, struct settings_node *layer);

/* Takes the first child out of a list or map; NULL if there is none. */
struct settings_node *settings_node_pop(struct settings_node *parent);

#endif
