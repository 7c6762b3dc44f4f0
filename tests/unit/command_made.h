/* What the tests of commands share: objects made from text as from a file. */
#ifndef TESTS_UNIT_COMMAND_MADE_H
#define TESTS_UNIT_COMMAND_MADE_H

#include <busbar/object.h>

#include "settings/errors.h"

/* From the map of an object; `file` is where it is said to stand. NULL if there are errors. */
struct busbar_object *command_made(const char *file, const char *yaml,
                                   struct settings_errors *errors);

/* The same where there must be none. */
struct busbar_object *command_good(const char *yaml);

/* The object as a file has it, for free(). */
char *command_dumped(const struct busbar_object *object);

/* Calls with one string or bytes, or with nothing if `text` is NULL. */
struct command_answer {
    enum busbar_status status;
    struct busbar_value *value;
};
struct command_answer command_called(struct busbar_object *object,
                                     const struct busbar_object_call *call, const char *text);

/* Fails unless the call's result is this string. */
void assert_says(struct busbar_object *object, const char *method, const char *text,
                 const char *expected);

/* Fails unless this is what the last call of this thread came to; `text` is part of its error. */
void assert_last(enum busbar_status status, enum busbar_fate fate, const char *text);

#endif
