/* What an application is made of, as a file or code says it: nothing here is started. */
#ifndef APP_WIRING_H
#define APP_WIRING_H

#include "app/settings.h"
#include "objects/object.h"

/* An object under its id. */
struct wiring_object {
    char *id;
    struct busbar_object *object;     /* a reference; NULL while a file is read and it has errors */
    const struct settings_node *node; /* of the file, while that is read; else NULL */
    bool by_code;                     /* a reload leaves it alone */
    bool given;                       /* by busbar_app_object: somebody may still call it */
};

/* An export, with a reference to its object. */
struct wiring_export {
    struct export_settings settings;
    struct busbar_object *object;
    bool by_code;
};

struct wiring {
    struct app_settings settings; /* its exports are moved to `exports` */
    struct wiring_object *objects;
    size_t object_count;
    struct wiring_export *exports;
    size_t export_count;
};

void wiring_fini(struct wiring *wiring);

/* NULL if there is none. */
struct wiring_object *wiring_find(const struct wiring *wiring, const char *id);
struct wiring_export *wiring_find_export(const struct wiring *wiring, const char *name);

/* Appends; the id is copied, the references are the caller's own to make and are taken on success
 * alone. False when out of memory. */
bool wiring_add(struct wiring *wiring, const struct wiring_object *object);
bool wiring_add_export(struct wiring *wiring, const struct wiring_export *export_);
void wiring_remove_export(struct wiring *wiring, struct wiring_export *export_);

/* `did you mean "all"?` or `known are a, b`, for an id that nobody has. */
const char *wiring_suggest(const struct wiring *wiring, const char *id, char *out, size_t size);
/* "a, b, c", or "none", for free(); NULL when out of memory. */
char *wiring_ids(const struct wiring *wiring);

/* What `broker` says, and all that is said of an object, as they stand in a file; for free(). NULL
 * when out of memory. */
char *wiring_broker_text(const struct wiring *wiring);
char *wiring_object_text(const struct busbar_object *object);

/* The whole of it as a file, with these levels. */
void wiring_dump(const struct wiring *wiring, const struct log_settings *levels, FILE *out);

#endif
