/* What the tests of libraries share: making one, and calls with JSON. */
#ifndef TESTS_UNIT_LIBRARY_CALLS_H
#define TESTS_UNIT_LIBRARY_CALLS_H

#include <busbar/object.h>

#include "base/cleanup.h"

#define OBJECT CLEANUP(busbar_object_destroy) struct busbar_object *
#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

/* Fails if it cannot be made. */
struct busbar_object *library_of(const char *path, const struct busbar_function *functions,
                                 size_t count);

/* Calls with a list of arguments. */
enum busbar_status call(struct busbar_object *object, const char *method, const char *json,
                        struct busbar_value **ret);

/* Fails unless the call gives this. */
void assert_gives(struct busbar_object *object, const char *method, const char *json,
                  const char *result);

/* Fails unless the call fails with this text. */
void assert_fails(struct busbar_object *object, const char *method, const char *json,
                  const char *error);

#endif
