/* Between values and C variables, by signature: the one place that says which fits which. */
#ifndef OBJECTS_MARSHAL_H
#define OBJECTS_MARSHAL_H

#include <busbar/value.h>
#include <stdint.h>

#include "protocol/signature.h"

/* One C argument or result. Bytes take two C arguments: the pointer, and the size behind it. */
union marshal_cell {
    bool boolean;
    int32_t int32;
    uint32_t uint32;
    int64_t int64;
    double real;
    float single;
    void *pointer;
};

struct marshal_item {
    union marshal_cell cell;
    size_t size;     /* of bytes */
    uint32_t size32; /* of y4 */
};

enum {
    MARSHAL_REASON_SIZE = 256,
};

/*
 * Values to C. Checks count, types, ranges, UTF-8 and NULs first; then allocates what is owned (S,
 * Y, AS) or has no C form in the value (as). BAD_REQUEST with a reason such as `argument 2 of
 * pow(dd>d) must be a double, not a string`; NO_MEMORY. What is borrowed lives as long as `list`.
 */
enum busbar_status marshal_arguments(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                     const struct signature *signature, const char *method,
                                     const struct busbar_value *list,
                                     char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));
/* Frees the arrays of `as`; with `all`, what would have been the callee's too: it was not called. */
void marshal_arguments_fini(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                            const struct signature *signature, bool all);

/* The owned ones alone, for arguments of a C caller: the function that they were for is not called. */
void marshal_arguments_drop(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                            const struct signature *signature);

/* C results to the value of the call; frees what was owned, on failure too. BAD_REQUEST: a result
 * that no value can hold, with a reason such as `the result is not UTF-8` or, of several, `result 2
 * is not UTF-8`. */
enum busbar_status marshal_results_value(struct busbar_value **ret,
                                         struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                         const struct signature *signature,
                                         char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));

/* C arguments to a list of values; owned ones are freed, on failure too. */
enum busbar_status marshal_arguments_list(struct busbar_value **ret,
                                          const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                          const struct signature *signature, const char *method,
                                          char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));

/*
 * The value of a call to C results, each in memory of its own from malloc, whether it is owned or
 * not; of `as` the array and its strings are one piece, of `AS` each is one. NULL for null.
 * BAD_REQUEST: the value is not what the signature says; the reason is as above.
 */
enum busbar_status marshal_results(struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                   const struct signature *signature,
                                   const struct busbar_value *value,
                                   char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));

/* The same checks of arguments and results that are C already, for calls that need no values: NULL,
 * UTF-8. They free nothing. */
enum busbar_status marshal_check(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                 const struct signature *signature, const char *method,
                                 char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));
enum busbar_status marshal_check_results(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                                         const struct signature *signature,
                                         char reason[MARSHAL_REASON_SIZE])
    __attribute__((warn_unused_result));
/* Frees the owned results. */
void marshal_results_drop(const struct marshal_item items[SIGNATURE_ITEMS_MAX],
                          const struct signature *signature);

#endif
