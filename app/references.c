/* Finds what ids stand for, and hangs members into pools and objects into exports. */
#include "app/references.h"

#include <string.h>

#include "base/quote.h"
#include "objects/pool.h"

enum {
    HINT_SIZE = 512,
    QUOTED_SIZE = 160,
    PATH_SIZE = 256,
};

struct resolver {
    struct wiring *wiring;
    const struct settings_node *root;
    struct app_log *log;
    struct settings_errors *errors;
};

/* Looking for what was meant takes long, and errors that are not kept need no text. */
static void refuse_id(const struct resolver *resolver, const struct settings_node *node,
                      const char *id)
{
    char hint[HINT_SIZE] = "";
    char quoted[QUOTED_SIZE];
    char path[PATH_SIZE];
    if (resolver->errors->count < SETTINGS_ERRORS_KEPT)
        wiring_suggest(resolver->wiring, id, hint, sizeof hint);
    settings_node_complain(resolver->errors, node, "%s: no object has the id %s; %s",
                           settings_node_path(node, path, sizeof path),
                           quote(quoted, sizeof quoted, id, strlen(id)), hint);
}

/* Pools ---------------------------------------------------------------------------------------- */

static const struct text_settings *ids_of(const struct wiring_object *entry, size_t *ret_count)
{
    *ret_count = 0;
    if (entry->object == NULL || entry->object->class->member == NULL)
        return NULL;
    return pool_ids(entry->object, ret_count);
}

static void check_members(const struct resolver *resolver, const struct wiring_object *entry)
{
    size_t count;
    const struct text_settings *ids = ids_of(entry, &count);
    for (size_t i = 0; i < count; i++) {
        if (wiring_find(resolver->wiring, ids[i].text) == NULL)
            refuse_id(resolver, pool_id_node(entry->node, i), ids[i].text);
    }
}

static void fill_pool(const struct resolver *resolver, const struct wiring_object *entry)
{
    size_t count;
    const struct text_settings *ids = ids_of(entry, &count);
    for (size_t i = 0; i < count; i++) {
        struct busbar_object *member = wiring_find(resolver->wiring, ids[i].text)->object;
        if (busbar_pool_add(entry->object, member) != BUSBAR_OK)
            settings_node_complain(resolver->errors, pool_id_node(entry->node, i), "%s",
                                   busbar_last_error());
        else
            app_log(resolver->log, APP_DEBUG, APP_OBJECTS, "%s has the member %s", entry->id,
                    ids[i].text);
    }
}

/* Exports -------------------------------------------------------------------------------------- */

static void resolve_export(const struct resolver *resolver, struct wiring_export *export_,
                           const struct settings_node *node)
{
    const char *id = export_->settings.object;
    if (id == NULL)
        return;
    const struct wiring_object *entry = wiring_find(resolver->wiring, id);
    if (entry == NULL) {
        refuse_id(resolver, settings_node_find(node, "object"), id);
        return;
    }
    export_->object = busbar_object_ref(entry->object);
    const struct settings_place place = settings_node_place(node);
    app_log(resolver->log, APP_DEBUG, APP_EXPORTS, "%s found: object %s, %s:%u:%u",
            export_->settings.name != NULL ? export_->settings.name : "", id, place.file,
            (unsigned)place.line, (unsigned)place.column);
}

void references_resolve(struct wiring *wiring, const struct settings_node *root,
                        struct app_log *log, struct settings_errors *errors)
{
    const struct resolver resolver = {wiring, root, log, errors};
    for (size_t i = 0; i < wiring->object_count; i++)
        check_members(&resolver, &wiring->objects[i]);
    const struct settings_node *node = export_node(root, 0);
    for (size_t i = 0; i < wiring->export_count; i++) {
        resolve_export(&resolver, &wiring->exports[i], node);
        node = node != NULL ? node->next : NULL;
    }
    references_check_circles(wiring, root, errors);
    for (size_t i = 0; i < wiring->object_count && errors->count == 0; i++)
        fill_pool(&resolver, &wiring->objects[i]);
}
