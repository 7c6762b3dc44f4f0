/* Objects by id and exports by name, kept in the order in which they were given. */
#include "app/wiring.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "settings/suggest.h"

static void object_entry_fini(struct wiring_object *entry)
{
    free(entry->id);
    busbar_object_destroy(&entry->object);
}

static void export_entry_fini(struct wiring_export *entry)
{
    export_settings_fini(&entry->settings);
    busbar_object_destroy(&entry->object);
}

void wiring_fini(struct wiring *wiring)
{
    for (size_t i = 0; i < wiring->export_count; i++)
        export_entry_fini(&wiring->exports[i]);
    for (size_t i = 0; i < wiring->object_count; i++)
        object_entry_fini(&wiring->objects[i]);
    free(wiring->exports);
    free(wiring->objects);
    app_settings_fini(&wiring->settings);
    *wiring = (struct wiring){0};
}

struct wiring_object *wiring_find(const struct wiring *wiring, const char *id)
{
    for (size_t i = 0; i < wiring->object_count; i++) {
        if (strcmp(wiring->objects[i].id, id) == 0)
            return &wiring->objects[i];
    }
    return NULL;
}

struct wiring_export *wiring_find_export(const struct wiring *wiring, const char *name)
{
    for (size_t i = 0; i < wiring->export_count; i++) {
        if (strcmp(wiring->exports[i].settings.name, name) == 0)
            return &wiring->exports[i];
    }
    return NULL;
}

/* Room for one more, in steps of powers of two: the count tells how much there is. */
static bool grow(void **items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return true;
    void *more = reallocarray(*items, count == 0 ? 1 : 2 * count, size);
    if (more == NULL)
        return false;
    *items = more;
    return true;
}

bool wiring_add(struct wiring *wiring, const struct wiring_object *object)
{
    void *items = wiring->objects;
    char *id = strdup(object->id);
    if (id == NULL || !grow(&items, wiring->object_count, sizeof *object)) {
        free(id);
        return false;
    }
    wiring->objects = items;
    wiring->objects[wiring->object_count] = *object;
    wiring->objects[wiring->object_count++].id = id;
    return true;
}

bool wiring_add_export(struct wiring *wiring, const struct wiring_export *export_)
{
    void *items = wiring->exports;
    struct wiring_export copy = *export_;
    if (!export_settings_copy(&copy.settings, &export_->settings))
        return false;
    if (!grow(&items, wiring->export_count, sizeof copy)) {
        export_settings_fini(&copy.settings);
        return false;
    }
    wiring->exports = items;
    wiring->exports[wiring->export_count++] = copy;
    return true;
}

/* The order of the others stays; a count that became a power of two only makes `grow` double. */
void wiring_remove_export(struct wiring *wiring, struct wiring_export *export_)
{
    size_t after = wiring->export_count - (size_t)(export_ - wiring->exports) - 1;
    export_entry_fini(export_);
    memmove(export_, export_ + 1, after * sizeof *export_);
    wiring->export_count--;
}

const char *wiring_suggest(const struct wiring *wiring, const char *id, char *out, size_t size)
{
    size_t count = wiring->object_count;
    CLEANUP(cleanup_free) struct settings_key *keys = calloc(count + 1, sizeof *keys);
    if (count == 0 || keys == NULL) {
        snprintf(out, size, "there are no objects");
        return out;
    }
    for (size_t i = 0; i < count; i++)
        keys[i].key = wiring->objects[i].id;
    const struct settings_table table = {.keys = keys, .count = count};
    return settings_suggest(&table, id, out, size);
}

char *wiring_ids(const struct wiring *wiring)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < wiring->object_count; i++)
        fprintf(out, "%s%s", i == 0 ? "" : ", ", wiring->objects[i].id);
    if (wiring->object_count == 0)
        fputs("none", out);
    fclose(out);
    return text;
}
