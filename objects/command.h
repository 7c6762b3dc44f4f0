/* A program as an object: its settings, and what is made of them. */
#ifndef OBJECTS_COMMAND_H
#define OBJECTS_COMMAND_H

#include "objects/object.h"
#include "objects/turns.h"

struct environment_settings {
    char *name;
    char *value;
};

/* As a file or code defines a command; command_settings.c has the table. */
struct command_settings {
    struct text_settings *words; /* at least one */
    size_t word_count;
    struct environment_settings *environment;
    size_t environment_count;
    char *directory; /* NULL: that of this process */
    uint32_t timeout_ms;
    uint32_t concurrency;
    uint64_t output_limit;
    struct function_settings *functions;
    size_t function_count;
};
extern const struct settings_table command_table;

/* Settings that were checked, and what was found then. */
struct command_parts {
    struct command_settings settings;
    char *path;                   /* of the program */
    struct signature *signatures; /* of the functions */
};
void command_parts_fini(struct command_parts *parts);

struct command_method {
    const char *name; /* name and text are borrowed from the settings */
    const char *text;
    bool idempotent;
    struct signature signature;
    const char **argv; /* NULL-terminated; the words are those of the settings */
};

struct command {
    struct busbar_object object;
    struct command_parts parts;
    char **assignments; /* NAME=value, one for each of settings.environment */
    struct command_method *methods;
    size_t method_count;
    struct turns turns;
};

/* command_run.c: one call, from its arguments to its result; as the function of a class. */
enum busbar_status command_run(struct command *command, const struct command_method *method,
                               const struct busbar_object_call *call, struct busbar_value **ret)
    __attribute__((warn_unused_result));

/* Takes the parts, on failure too. */
enum busbar_status command_new(struct busbar_object **ret, struct command_parts *parts)
    __attribute__((warn_unused_result));

#endif
