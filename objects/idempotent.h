/* Methods that may be executed twice, as the settings of proxies and pools list them. */
#ifndef OBJECTS_IDEMPOTENT_H
#define OBJECTS_IDEMPOTENT_H

#include "objects/object.h"

enum {
    IDEMPOTENT_MAX = 1024,
};

/* Alone, `true` stands for all methods, which is "*", and `false` for none. False: out of memory. */
bool idempotent_read(struct text_settings **list, size_t *count);

/* Complains of what cannot be the name of a method; `node` is the list in the file, or NULL. */
void idempotent_check(const struct text_settings *list, size_t count,
                      const struct settings_node *node, struct settings_errors *errors);

bool idempotent_has(const struct text_settings *list, size_t count, const char *method);

#endif
