/* From the nodes of a file to objects. */
#ifndef APP_OBJECTS_H
#define APP_OBJECTS_H

#include "app/log.h"
#include "app/wiring.h"

/*
 * Makes the objects of a file's `objects` and adds them to the wiring, each under its id, with its
 * node; one that has errors without an object, so that references to it are not errors as well.
 */
void objects_read(struct wiring *wiring, const struct settings_node *root, struct app_log *log,
                  struct settings_errors *errors);

/* "library, command, proxy or pool", into `size` bytes; returns `out`. */
const char *objects_kinds(char *out, size_t size);

#endif
