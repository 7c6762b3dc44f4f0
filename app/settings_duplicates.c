/* Finds names that are exported twice in a file. */
#include <stdlib.h>
#include <string.h>

#include "app/settings.h"
#include "base/cleanup.h"
#include "base/quote.h"

struct named {
    const char *name;
    size_t index;
};

static int compare_names(const void *left, const void *right)
{
    const struct named *a = left;
    const struct named *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Sorts, so that many exports do not take quadratic time. */
void app_settings_check_duplicates(const struct app_settings *settings,
                                   const struct settings_node *root, struct settings_errors *errors)
{
    char quoted[160];
    size_t count = 0;
    CLEANUP(cleanup_free) struct named *names = calloc(settings->export_count + 1, sizeof *names);
    if (names == NULL) {
        settings_node_complain(errors, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < settings->export_count; i++) {
        if (settings->exports[i].name != NULL)
            names[count++] = (struct named){settings->exports[i].name, i};
    }
    qsort(names, count, sizeof *names, compare_names);
    size_t first = 0;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[first].name, names[i].name) != 0) {
            first = i;
            continue;
        }
        const struct settings_node *one = export_node(root, names[first].index);
        const struct settings_node *other = export_node(root, names[i].index);
        settings_node_complain(errors, settings_node_find(other, "name"),
                               "%s is exported already on line %u; a name can be exported once",
                               quote(quoted, sizeof quoted, names[i].name, strlen(names[i].name)),
                               one != NULL ? (unsigned)one->place.line : 0);
    }
}
