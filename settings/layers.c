/* Loads a file and the overlays that it names, and those that they name, into one tree. */
#include "settings/layers.h"

#include "base/cleanup.h"
#include "base/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file that is being loaded, and the one that named it. */
struct layer {
    const struct layer *below;
    const char *path;
    char *real; /* the same in one form only; NULL for stdin and what is not there */
};

struct loading {
    struct settings_document *document; /* the first file, with what was laid over it so far */
    struct settings_errors *errors;
    uint32_t files; /* that were tried */
    bool full;      /* and that was complained about */
};

static void load_layer(struct loading *loading, struct layer *layer,
                       const struct settings_node *naming);

/* A path as it was written, from the directory of the file that it was written in. For free(). */
static char *path_from(const char *file, const char *written)
{
    const char *slash = strrchr(file, '/');
    char *path = NULL;
    if (slash == NULL || written[0] == '/')
        return strdup(written);
    if (asprintf(&path, "%.*s%s", (int)(slash - file + 1), file, written) < 0)
        return NULL;
    return path;
}

/* Prints the files from the lowest to the highest. */
static void print_chain(const struct layer *layer, FILE *out)
{
    char name[256];
    if (layer->below != NULL) {
        print_chain(layer->below, out);
        fputs(" -> ", out);
    }
    fputs(quote(name, sizeof name, layer->path, strlen(layer->path)), out);
}

static bool leads_back(const struct layer *layer)
{
    for (const struct layer *at = layer->below; at != NULL && layer->real != NULL; at = at->below) {
        if (at->real != NULL && strcmp(at->real, layer->real) == 0)
            return true;
    }
    return false;
}

static void refuse_cycle(struct loading *loading, const struct layer *layer,
                         const struct settings_node *naming)
{
    char *chain = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&chain, &size);
    if (out == NULL) {
        settings_node_complain(loading->errors, naming, "out of memory");
        return;
    }
    print_chain(layer, out);
    fclose(out);
    settings_node_complain(loading->errors, naming, "a file must not be its own overlay: %s",
                           chain);
    free(chain);
}

static void load_overlay(struct loading *loading, const struct layer *below,
                         const struct settings_node *entry)
{
    if (loading->files == SETTINGS_FILES) {
        if (!loading->full)
            settings_node_complain(loading->errors, entry,
                                   "too many files; a file with its overlays may be 16");
        loading->full = true;
        return;
    }
    CLEANUP(cleanup_free) char *path = path_from(below->path, entry->text);
    struct layer layer = {.below = below, .path = path};
    if (path == NULL) {
        settings_node_complain(loading->errors, entry, "out of memory");
        return;
    }
    layer.real = realpath(path, NULL);
    if (leads_back(&layer))
        refuse_cycle(loading, &layer, entry);
    else
        load_layer(loading, &layer, entry);
    free(layer.real);
}

/* NULL if it can name an overlay, else what it should be. */
static const char *entry_expected(const struct settings_node *entry)
{
    if (entry->kind != SETTINGS_SCALAR)
        return "the name of a file";
    if (strcmp(entry->text, "-") == 0)
        return "the name of a file; stdin cannot be an overlay";
    for (const char *at = entry->text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return "the name of a file, without control characters";
    }
    return NULL;
}

static void use_entry(struct loading *loading, const struct layer *below,
                      const struct settings_node *entry)
{
    if (entry->broken || settings_node_is_null(entry))
        return;
    const char *expected = entry_expected(entry);
    if (expected != NULL)
        settings_node_complain(loading->errors, entry, "overlay must be %s", expected);
    else if (entry->text[0] != '\0')
        load_overlay(loading, below, entry);
}

static void use_overlays(struct loading *loading, const struct layer *below,
                         const struct settings_node *overlay)
{
    if (overlay->broken)
        return;
    if (overlay->kind == SETTINGS_MAPPING)
        settings_node_complain(loading->errors, overlay,
                               "overlay must be the name of a file or a list of names, not a map");
    else if (overlay->kind == SETTINGS_SCALAR)
        use_entry(loading, below, overlay);
    else
        for (const struct settings_node *at = overlay->first; at != NULL; at = at->next)
            use_entry(loading, below, at);
}

/* Takes the key `overlay` out of a tree; more than one of it are broken. */
static struct settings_node *take_overlays(struct settings_node *root)
{
    if (root->kind != SETTINGS_MAPPING)
        return NULL;
    struct settings_node *found = NULL;
    for (size_t left = root->count; left > 0; left--) {
        struct settings_node *node = settings_node_pop(root);
        if (strcmp(node->key, "overlay") != 0)
            settings_node_append(root, &node);
        else if (found == NULL)
            found = node;
        else
            settings_node_destroy(&node);
    }
    return found;
}

/* Takes the document of a layer into the one that was loaded first. */
static void add_layer(struct loading *loading, struct settings_document **layer)
{
    struct settings_document *below = loading->document;
    struct settings_document *document = *layer;
    if (below == NULL) {
        loading->document = STEAL(*layer);
        return;
    }
    below->files[below->file_count++] = STEAL(document->files[0]);
    document->file_count = 0;
    if (document->root->kind != SETTINGS_MAPPING)
        settings_node_complain(loading->errors, document->root,
                               "an overlay must be a map of KEY: VALUE");
    else if (below->root->kind == SETTINGS_MAPPING &&
             !settings_node_merge(below->root, document->root))
        settings_node_complain(loading->errors, document->root, "out of memory");
    settings_document_destroy(layer);
}

static void load_layer(struct loading *loading, struct layer *layer,
                       const struct settings_node *naming)
{
    struct settings_document *document = NULL;
    struct settings_source source = {
        .path = layer->path, .order = loading->files++, .naming = naming};
    (void)!settings_document_load_source(&document, &source, loading->errors);
    if (document == NULL)
        return;
    (void)!settings_document_replace_variables(document, loading->errors);
    CLEANUP(settings_node_destroy) struct settings_node *overlays = take_overlays(document->root);
    add_layer(loading, &document);
    if (overlays != NULL)
        use_overlays(loading, layer, overlays);
}

bool settings_document_load_layers(struct settings_document **ret, const char *path,
                                   struct settings_errors *errors)
{
    size_t before = errors->count;
    struct loading loading = {.errors = errors};
    struct layer layer = {.path = path};
    if (strcmp(path, "-") != 0)
        layer.real = realpath(path, NULL);
    load_layer(&loading, &layer, NULL);
    free(layer.real);
    *ret = loading.document;
    return errors->count == before;
}
