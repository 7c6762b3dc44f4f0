/* Functions of a shared library as an object: its settings, and what is made of them. */
#ifndef OBJECTS_LIBRARY_H
#define OBJECTS_LIBRARY_H

#include "objects/native.h"
#include "objects/object.h"

/* As a file or code defines a library; library_settings.c has the table. */
struct library_settings {
    char *path; /* NULL: the program itself; by code alone */
    struct function_settings *functions;
    size_t function_count;
};
extern const struct settings_table library_table;

struct library_function {
    const struct function_settings *settings; /* its name, its text */
    struct signature signature;
    struct native native;
    void *address;
};

/* Settings that were checked, and what was found then. */
struct library_parts {
    struct library_settings settings;
    void *handle; /* NULL if every function came with its address */
    struct library_function *functions;
    size_t function_count;
};
void library_parts_fini(struct library_parts *parts);

/* Takes the parts, on failure too. */
enum busbar_status library_new(struct busbar_object **ret, struct library_parts *parts)
    __attribute__((warn_unused_result));

#endif
