#include "objects/idempotent.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "protocol/name.h"

enum {
    QUOTED_SIZE = 160,
};

static const char ALL[] = "*";

bool idempotent_read(struct text_settings **list, size_t *count)
{
    if (*count != 1)
        return true;
    char **text = &(*list)[0].text;
    if (strcmp(*text, "true") == 0) {
        char *all = strdup(ALL);
        if (all == NULL)
            return false;
        free(*text);
        *text = all;
    } else if (strcmp(*text, "false") == 0) {
        free(*text);
        free(STEAL(*list));
        *count = 0;
    }
    return true;
}

void idempotent_check(const struct text_settings *list, size_t count,
                      const struct settings_node *node, struct settings_errors *errors)
{
    char quoted[QUOTED_SIZE];
    for (size_t i = 0; i < count; i++) {
        const char *method = list[i].text;
        size_t size = strlen(method);
        if (strcmp(method, ALL) != 0 && !name_is_method(method, size))
            settings_node_complain(errors, settings_node_item(node, i),
                                   "%s cannot be the name of a method",
                                   quote(quoted, sizeof quoted, method, size));
    }
}

bool idempotent_has(const struct text_settings *list, size_t count, const char *method)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].text, ALL) == 0 || strcmp(list[i].text, method) == 0)
            return true;
    }
    return false;
}
