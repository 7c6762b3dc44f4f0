/* Words of the command line as the arguments of a call: a list of values. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <busbar/value.h>
#include <stdbool.h>

#include "cli/options.h"

enum arguments_rule {
    ARGUMENTS_GUESS,  /* JSON where it is JSON, else a string */
    ARGUMENTS_JSON,   /* JSON or nothing */
    ARGUMENTS_STRING, /* each is a string */
};

enum {
    ARGUMENTS_REASON_SIZE = 512,
};

/*
 * Does the signature say that the body is the bytes of one word ("y>y")? Then there is no list.
 * BAD_REQUEST if there is not exactly one.
 */
bool arguments_are_raw(const char *signature);
enum busbar_status arguments_raw(const char **ret, const struct arguments *arguments,
                                 const char *signature, char reason[ARGUMENTS_REASON_SIZE])
    __attribute__((warn_unused_result));

/*
 * Builds the list. A signature ("sd>s") decides if it is not NULL and can be read: a string takes
 * its word verbatim, a number must be exactly what the letter says. BAD_REQUEST names position and
 * type in `reason`.
 */
enum busbar_status arguments_convert(struct busbar_value **ret, const struct arguments *arguments,
                                     const char *signature, char reason[ARGUMENTS_REASON_SIZE])
    __attribute__((warn_unused_result));

/* The same without a signature. */
enum busbar_status arguments_by_rule(struct busbar_value **ret, const struct arguments *arguments,
                                     enum arguments_rule rule, char reason[ARGUMENTS_REASON_SIZE])
    __attribute__((warn_unused_result));

#endif
