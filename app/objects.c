/* Reads `objects`: finds the kind of each, has its table read it, and makes the object. */
#include "app/objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "settings/suggest.h"

enum {
    KINDS_MAX = 16,
    KINDS_SIZE = 128,
    QUOTED_SIZE = 160,
    PATH_SIZE = 256,
    HINT_SIZE = 256,
};

struct reader {
    struct wiring *wiring;
    struct app_log *log;
    struct settings_errors *errors;
};

/* Those that can be made. */
static size_t find_kinds(const struct object_kind *kinds[KINDS_MAX])
{
    size_t count = 0;
    const struct object_kind *kind;
    for (size_t i = 0; (kind = object_kind_at(i)) != NULL && count < KINDS_MAX; i++) {
        if (kind->table != NULL)
            kinds[count++] = kind;
    }
    return count;
}

const char *objects_kinds(char *out, size_t size)
{
    const struct object_kind *kinds[KINDS_MAX];
    size_t count = find_kinds(kinds);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " or "
                                                  : ", ",
                                 kinds[i]->key);
    return out;
}

/* The kind that a word may have been meant as; or all of them. */
static const char *suggest_kind(const char *word, char *out, size_t size)
{
    const struct object_kind *kinds[KINDS_MAX];
    struct settings_key keys[KINDS_MAX] = {{0}};
    struct settings_table table = {.keys = keys, .count = find_kinds(kinds)};
    for (size_t i = 0; i < table.count; i++)
        keys[i].key = kinds[i]->key;
    return settings_suggest(&table, word, out, size);
}

static bool is_suggestion(const char *hint)
{
    return strncmp(hint, "did you mean", strlen("did you mean")) == 0;
}

/* Complains about a map in which no key is a kind: about the key that looks most like one. */
static void refuse_kindless(const struct reader *reader, const struct settings_node *map)
{
    char hint[HINT_SIZE];
    char quoted[QUOTED_SIZE];
    char path[PATH_SIZE];
    for (const struct settings_node *node = map->first; node != NULL; node = node->next) {
        suggest_kind(node->key, hint, sizeof hint);
        if (!is_suggestion(hint) && map->count > 1)
            continue;
        settings_errors_add(reader->errors, node->key_place, "unknown kind %s of %s; %s",
                            quote(quoted, sizeof quoted, node->key, strlen(node->key)),
                            settings_node_path(map, path, sizeof path), hint);
        return;
    }
    settings_node_complain(reader->errors, map, "%s must have one of the keys %s",
                           settings_node_path(map, path, sizeof path),
                           objects_kinds(hint, sizeof hint));
}

/* A key that names a kind. What is broken was complained about: its value is not read, but says what
 * was meant; of keys that are there twice the first counts. */
static const struct object_kind *kind_of(const struct settings_node *node,
                                         const struct settings_node *first)
{
    bool again = first != NULL && strcmp(first->key, node->key) == 0;
    return again && node->broken ? NULL : object_kind_find(node->key);
}

/* The one key of a map that names a kind; NULL after a complaint. */
static const struct object_kind *find_kind(const struct reader *reader,
                                           const struct settings_node *map)
{
    char path[PATH_SIZE];
    const struct object_kind *kind = NULL;
    const struct settings_node *first = NULL;
    for (const struct settings_node *node = map->first; node != NULL; node = node->next) {
        const struct object_kind *found = kind_of(node, first);
        if (found == NULL)
            continue;
        if (kind != NULL) {
            settings_errors_add(reader->errors, node->key_place,
                                "%s has two kinds, \"%s\" and \"%s\"; keep one of them",
                                settings_node_path(map, path, sizeof path), first->key, node->key);
            return NULL;
        }
        kind = found;
        first = node;
    }
    if (kind == NULL)
        refuse_kindless(reader, map);
    else if (kind->table == NULL)
        settings_errors_add(reader->errors, first->key_place, "%s is not built into this Busbar",
                            kind->key);
    return kind != NULL && kind->table != NULL ? kind : NULL;
}

/* Was anything in it complained about before? Recursive, but no deeper than SETTINGS_DEPTH. */
static bool is_broken(const struct settings_node *node)
{
    bool broken = node->broken;
    for (const struct settings_node *at = node->first; at != NULL && !broken; at = at->next)
        broken = is_broken(at);
    return broken;
}

/* The object of a map that is of a kind; NULL after complaints. */
static struct busbar_object *create(const struct reader *reader, const struct object_kind *kind,
                                    const struct settings_node *map)
{
    struct busbar_object *object = NULL;
    size_t before = reader->errors->count;
    CLEANUP(cleanup_free) void *settings = calloc(1, kind->table->size);
    if (settings == NULL || !settings_init(kind->table, settings)) {
        settings_node_complain(reader->errors, map, "out of memory");
    } else if (settings_read(kind->table, map, settings, reader->errors) && !is_broken(map)) {
        enum busbar_status status = kind->create(&object, settings, map, reader->errors);
        if (status != BUSBAR_OK && reader->errors->count == before)
            settings_node_complain(reader->errors, map, "%s", busbar_last_error());
    }
    if (settings != NULL)
        settings_fini(kind->table, settings);
    return object;
}

static struct busbar_object *read_object(const struct reader *reader,
                                         const struct settings_node *node)
{
    char path[PATH_SIZE];
    char kinds[KINDS_SIZE];
    if (node->kind != SETTINGS_MAPPING) {
        settings_node_complain(reader->errors, node, "%s must be a map with one of the keys %s",
                               settings_node_path(node, path, sizeof path),
                               objects_kinds(kinds, sizeof kinds));
        return NULL;
    }
    const struct object_kind *kind = find_kind(reader, node);
    if (kind == NULL)
        return NULL;
    app_log(reader->log, APP_DEBUG, APP_OBJECTS, "%s found: %s, %s:%u:%u", node->key, kind->key,
            node->key_place.file, (unsigned)node->key_place.line, (unsigned)node->key_place.column);
    return create(reader, kind, node);
}

static bool id_is_good(const struct reader *reader, const struct settings_node *node)
{
    char quoted[QUOTED_SIZE];
    const char *expected = object_id_expected(node->key);
    if (expected == NULL)
        return true;
    settings_errors_add(reader->errors, node->key_place, "the id of an object must be %s, not %s",
                        expected, quote(quoted, sizeof quoted, node->key, strlen(node->key)));
    return false;
}

/* A reference to the object goes into the wiring, with it or, where there is none, without. */
static void add_object(const struct reader *reader, const struct settings_node *node)
{
    bool good = id_is_good(reader, node);
    struct busbar_object *object = node->broken ? NULL : read_object(reader, node);
    if (object != NULL && good && !object_set_id(object, node->key)) {
        settings_node_complain(reader->errors, node, "out of memory");
        busbar_object_destroy(&object);
    }
    struct wiring_object entry = {.id = node->key, .object = object, .node = node};
    if (!wiring_add(reader->wiring, &entry)) {
        settings_node_complain(reader->errors, node, "out of memory");
        busbar_object_destroy(&object);
    } else if (object != NULL) {
        app_log(reader->log, APP_DEBUG, APP_OBJECTS, "%s created", node->key);
    }
}

void objects_read(struct wiring *wiring, const struct settings_node *root, struct app_log *log,
                  struct settings_errors *errors)
{
    const struct reader reader = {wiring, log, errors};
    const struct settings_node *map = settings_node_find(root, "objects");
    if (map == NULL || map->broken || settings_node_is_null(map))
        return;
    if (map->kind != SETTINGS_MAPPING) {
        settings_node_complain(errors, map, "objects must be a map of ID: OBJECT");
        return;
    }
    for (const struct settings_node *node = map->first; node != NULL; node = node->next)
        add_object(&reader, node);
}
