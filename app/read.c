/* Reads the file of an application, in steps of which each goes on after the errors of the one
 * before, so that all are seen at once. */
#include "app/read.h"

#include <stdlib.h>
#include <string.h>

#include "app/objects.h"
#include "app/references.h"
#include "base/cleanup.h"
#include "objects/outcome.h"

/* Sets the outcome of this thread to all errors, one per line. */
static enum busbar_status fail_with(const struct settings_errors *errors)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "out of memory");
    settings_errors_print(errors, "", out);
    fclose(out);
    if (size > 0)
        text[size - 1] = '\0'; /* the last line break */
    enum busbar_status status = outcome_fail_text(BUSBAR_BAD_CONFIG, BUSBAR_NOT_EXECUTED, text);
    free(text);
    return status;
}

void levels_apply(struct app_log *log, const struct log_settings *levels)
{
    const char *all = levels->level != NULL ? levels->level : app_level_name(APP_WARNING);
    (void)!app_log_set(log, NULL, all);
    for (int i = 0; i < APP_COMPONENTS; i++) {
        if (levels->components[i] != NULL)
            (void)!app_log_set(log, app_component_name((enum app_component)i),
                               levels->components[i]);
    }
}

/* From the settings, as their table reads them, to the wiring, which adds and removes them. */
static bool move_exports(struct wiring *wiring)
{
    struct app_settings *settings = &wiring->settings;
    for (size_t i = 0; i < settings->export_count; i++) {
        const struct wiring_export export_ = {.settings = settings->exports[i]};
        if (!wiring_add_export(wiring, &export_))
            return false;
        export_settings_fini(&settings->exports[i]);
    }
    free(settings->exports);
    settings->exports = NULL;
    settings->export_count = 0;
    return true;
}

/* Only now, since the files themselves say whether that is wanted. */
static void log_files(struct app_log *log, const struct settings_document *document)
{
    const char *name;
    for (size_t i = 0; (name = settings_document_file(document, i)) != NULL; i++)
        app_log(log, APP_DEBUG, APP_CONFIG, "%s read%s", name, i == 0 ? "" : ", as an overlay");
}

static void read_root(struct wiring *wiring, const struct settings_document *document,
                      const struct wiring_source *source, struct settings_errors *errors)
{
    const struct settings_node *root = document->root;
    if (source->refuse_empty && root->count == 0)
        settings_node_complain(errors, root, "the file is empty; is it being written?");
    (void)!app_settings_read(&wiring->settings, root, errors);
    if (source->take_levels)
        levels_apply(source->log, &wiring->settings.log);
    log_files(source->log, document);
    if (!move_exports(wiring))
        settings_node_complain(errors, NULL, "out of memory");
    objects_read(wiring, root, source->log, errors);
    references_resolve(wiring, root, source->log, errors);
    for (size_t i = 0; i < wiring->object_count; i++)
        wiring->objects[i].node = NULL;
}

enum busbar_status wiring_read(struct wiring *ret, const struct wiring_source *source)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    struct settings_errors errors;
    settings_errors_init(&errors);
    *ret = (struct wiring){0};
    (void)!settings_document_load_layers(&document, source->path, &errors);
    if (document != NULL)
        read_root(ret, document, source, &errors);
    settings_errors_sort(&errors, 0);
    enum busbar_status status = errors.count > 0 ? fail_with(&errors) : outcome_ok();
    if (status != BUSBAR_OK)
        wiring_fini(ret);
    settings_errors_fini(&errors);
    return status;
}
