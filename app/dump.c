/* Prints an application, or parts of it, as the file that reads back as the same. */
#include <stdlib.h>
#include <string.h>

#include "app/wiring.h"
#include "base/cleanup.h"
#include "settings/text.h"

enum {
    INDENT = 2,
};

/* What code alone can make has no form in a file; a comment keeps its place. */
static void dump_object(const struct wiring_object *entry, FILE *out)
{
    const struct object_class *class = entry->object->class;
    if (class->dump == NULL) {
        fprintf(out, "  # %s: a %s, made by code\n", entry->id, class->kind);
        return;
    }
    fprintf(out, "%*s", INDENT, "");
    settings_write_key(entry->id, out);
    fputs(":\n", out);
    class->dump(entry->object, 2 * INDENT, out);
}

void wiring_dump(const struct wiring *wiring, const struct log_settings *levels, FILE *out)
{
    struct app_settings settings = wiring->settings;
    CLEANUP(cleanup_free)
    struct export_settings *exports = calloc(wiring->export_count + 1, sizeof *exports);
    for (size_t i = 0; exports != NULL && i < wiring->export_count; i++)
        exports[i] = wiring->exports[i].settings;
    settings.exports = exports;
    settings.export_count = exports != NULL ? wiring->export_count : 0;
    settings.log = *levels;
    fputs("version: 1\n", out);
    app_settings_dump_head(&settings, out);
    if (wiring->object_count > 0)
        fputs("objects:\n", out);
    for (size_t i = 0; i < wiring->object_count; i++)
        dump_object(&wiring->objects[i], out);
    app_settings_dump_tail(&settings, out);
}

char *wiring_broker_text(const struct wiring *wiring)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    app_settings_dump_head(&wiring->settings, out);
    fclose(out);
    return text;
}

char *wiring_object_text(const struct busbar_object *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    if (object->class->dump != NULL)
        object->class->dump(object, 0, out);
    fclose(out);
    return text;
}
