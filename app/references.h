/* References between objects and exports: who means whom, and whether calls could go in a circle. */
#ifndef APP_REFERENCES_H
#define APP_REFERENCES_H

#include "app/log.h"
#include "app/wiring.h"

/*
 * Finds what the ids of a file stand for: gives pools their members and exports their objects.
 * Complains of ids that are unknown, and of circles.
 * `root` is the file.
 */
void references_resolve(struct wiring *wiring, const struct settings_node *root,
                        struct app_log *log, struct settings_errors *errors);

/*
 * Complains of circles: pools that reach themselves, and exports that would call themselves through
 * proxies that use the brokers of the application. `root` is for places, or NULL.
 */
void references_check_circles(const struct wiring *wiring, const struct settings_node *root,
                              struct settings_errors *errors);

#endif
