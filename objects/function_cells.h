/* The C variables around a call through a function pointer: reads, clears, writes and frees them. */
#ifndef OBJECTS_FUNCTION_CELLS_H
#define OBJECTS_FUNCTION_CELLS_H

#include <stdbool.h>

#include "objects/function.h"
#include "objects/marshal.h"

/* A call through a pointer: where libffi has what was given and wants what comes of it. */
struct entry {
    struct function *function;
    void **arguments;
    void *result;
};

/* What was given, as it is: nothing is copied. */
void entry_read(const struct entry *entry, struct marshal_item items[SIGNATURE_ITEMS_MAX]);

/* False if a pointer that a result or its size should be written to is NULL; `ret` receives the
 * number of the C argument, from 1. */
bool entry_has_places(const struct entry *entry, size_t *ret);

/* What the callee wrote as results; bytes that are NULL have no size. */
void entry_read_results(const struct entry *entry, struct marshal_item items[SIGNATURE_ITEMS_MAX]);

/* Writes all results. */
void entry_write(const struct entry *entry, const struct marshal_item items[SIGNATURE_ITEMS_MAX]);
/* The same for a call not made yet: zero everywhere, as a callee that sets nothing leaves it. */
void entry_clear(const struct entry *entry);
/* The same for a call that failed: 0, NULL, NaN. Places that are not there are passed over. */
void entry_write_failure(const struct entry *entry);

#endif
