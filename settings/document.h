/* YAML files as a tree of nodes that know where they stand; what they mean is not known here. */
#ifndef SETTINGS_DOCUMENT_H
#define SETTINGS_DOCUMENT_H

#include "settings/errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SETTINGS_FILE_SIZE = 1024 * 1024, /* bytes of one file */
    SETTINGS_DEPTH = 32,              /* lists and maps inside each other */
    SETTINGS_NODES = 65536,           /* values of one file */
    SETTINGS_FILES = 16,              /* a file and its overlays, and those of these */
};

enum settings_kind {
    SETTINGS_SCALAR,
    SETTINGS_SEQUENCE,
    SETTINGS_MAPPING,
};

struct settings_node {
    enum settings_kind kind;
    bool plain;  /* a scalar without quotes */
    bool broken; /* complained about already: readers pass it over in silence */
    struct settings_place place;
    struct settings_place key_place;
    char *key;    /* in a map: what this value is called; else NULL */
    char *text;   /* of a scalar, UTF-8 without NUL bytes; NULL of others and where broken */
    size_t count; /* children of a list or map */
    struct settings_node *parent;
    struct settings_node *first; /* children, in the order of the file */
    struct settings_node *last;
    struct settings_node *next;
};

struct settings_document {
    struct settings_node *root;
    char *files[SETTINGS_FILES]; /* their names; the places of nodes point to them */
    size_t file_count;
};

/*
 * Reads one file as it is; "-" is stdin. False if there is an error, which is then in `errors`; if it did not
 * keep the rest of the file from being understood there is a document even so, to be read on for
 * further errors; else *ret is NULL.
 */
__attribute__((warn_unused_result)) bool settings_document_load(struct settings_document **ret,
                                                                const char *path,
                                                                struct settings_errors *errors);

/* The same from memory; `name` stands for the file in errors. */
struct settings_text {
    const char *name;
    const char *data;
    size_t size;
    uint32_t order; /* for the places of nodes */
};
__attribute__((warn_unused_result)) bool settings_document_parse(struct settings_document **ret,
                                                                 const struct settings_text *text,
                                                                 struct settings_errors *errors);

/*
 * Reads a file, replaces its variables, and lays over it the files that its key `overlay` names: one
 * or a list, relative to the directory of the file that names them; an empty name is passed over.
 * They may have overlays themselves, which come after them. Maps are merged key by key, a key that
 * is null there is taken away, and all else is replaced. The key `overlay` is not in the tree. False
 * and *ret as for settings_document_load; if an overlay could not be read, the tree is without it.
 */
__attribute__((warn_unused_result)) bool settings_document_load_layers(
    struct settings_document **ret, const char *path, struct settings_errors *errors);

/*
 * Replaces `${NAME}` and `${NAME:-default}` in all values, keys excepted, by what the environment
 * says, and `$$` by `$`. A value with an error is broken afterwards. False if there are errors.
 */
__attribute__((warn_unused_result)) bool settings_document_replace_variables(
    struct settings_document *document, struct settings_errors *errors);

/* The name of a file that the document was made of, in the order of loading; NULL past the last. */
const char *settings_document_file(const struct settings_document *document, size_t index);

void settings_document_destroy(struct settings_document **document);

/* The value of a key; NULL if the node is NULL, is no map or has no such key. */
const struct settings_node *settings_node_find(const struct settings_node *map, const char *key);

/* Where an item of a list stands, which may be an only one without a list; NULL for NULL. */
const struct settings_node *settings_node_item(const struct settings_node *list, size_t index);

/* Nothing after the colon, `~` or `null`. */
bool settings_node_is_null(const struct settings_node *node);

/* The keys that lead to a node, as in `heartbeat.interval`; "the file" for the root. */
const char *settings_node_path(const struct settings_node *node, char *out, size_t size);

/* Reports an error at a node's value; NULL: at no place. */
#define settings_node_complain(errors, node, ...)                                                  \
    settings_errors_add(errors, settings_node_place(node), __VA_ARGS__)

static inline struct settings_place settings_node_place(const struct settings_node *node)
{
    return node != NULL ? node->place : (struct settings_place){0};
}

/* For those that build a tree: takes `*child`; the parent may be NULL, for a root. */
struct settings_node *settings_node_new(enum settings_kind kind, struct settings_place place);
void settings_node_append(struct settings_node *parent, struct settings_node **child);
void settings_node_destroy(struct settings_node **node);

#endif
