/* A table with every type of settings, in the forms that objects and applications have in files. */
#ifndef TESTS_UNIT_SETTINGS_THINGS_H
#define TESTS_UNIT_SETTINGS_THINGS_H

#include "settings/table.h"

struct text {
    char *text;
};

struct function {
    char *name;
    char *symbol;
    char *signature;
    bool idempotent;
};

struct pair {
    char *name;
    char *value;
};

struct broker {
    char *endpoint;
    char *embed;
};

enum level {
    QUIET,
    INFO,
    DEBUG,
};

struct things {
    struct {
        char *service;
        uint32_t timeout;
    } proxy;
    struct {
        struct text *members;
        size_t member_count;
        uint32_t probe;
    } pool;
    struct text *command;
    size_t command_count;
    struct function *functions;
    size_t function_count;
    struct pair *environment;
    size_t environment_count;
    struct broker *brokers;
    size_t broker_count;
    struct {
        enum level level;
        enum level objects;
    } log;
};

extern const struct settings_table things_table;

/* Over the defaults, with variables replaced; false if there are errors, and they are the caller's
 * to look at. */
bool things_read(struct things *things, const char *data, struct settings_errors *errors);

/* Fails if there are errors. */
void things_read_good(struct things *things, const char *data);

void things_fini(struct things *things);

/* For free(). */
char *things_dump_bare(const struct things *things, unsigned indent);
char *things_dump(const struct things *things);

#endif
