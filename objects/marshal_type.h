/* What marshal.c does for each type, one row of functions; shared by its files, by no other. */
#ifndef OBJECTS_MARSHAL_TYPE_H
#define OBJECTS_MARSHAL_TYPE_H

#include <busbar/value.h>
#include <stdbool.h>

#include "objects/marshal.h"

enum {
    MARSHAL_WHY_SIZE = 112,
    MARSHAL_CALLED_SIZE = 48,
};

/*
 * `why` receives the end of a sentence that begins with "argument 2 of …" or "the result", as in
 * "must be a double, not true". Functions that make something return false, or NULL, when out of
 * memory, and then leave nothing behind. None of them is given null or NULL where `pointer` is true.
 */
struct marshal_type {
    bool pointer; /* NULL stands for null */

    /* Is the value one of this type? What follows is for values that are. */
    bool (*fits)(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
    /* As an argument, which the caller keeps: for as long as the value lives. */
    bool (*lend)(struct marshal_item *ret, const struct busbar_value *value);
    /* For whoever gets it, as the letter in capitals says. */
    bool (*give)(struct marshal_item *ret, const struct busbar_value *value);
    /* As a result that the callee keeps: all in one piece, for free(). */
    bool (*keep)(struct marshal_item *ret, const struct busbar_value *value);

    /* Can a value hold it? */
    bool (*check)(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE]);
    struct busbar_value *(*value)(const struct marshal_item *item);
    /* Frees what was given. */
    void (*drop)(const struct marshal_item *item);
};

/* The row of a type. */
const struct marshal_type *marshal_type_of(enum signature_type type);

/* marshal_to_c.c */

/* A value in a sentence: a number as it is, anything long by its type, as in "a list". */
const char *marshal_called(const struct busbar_value *value, char out[MARSHAL_CALLED_SIZE]);

bool marshal_fits_bool(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_int32(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_uint32(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_int64(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_double(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_float(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_string(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_bytes(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_strings(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_fits_value(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE]);
bool marshal_set_bool(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_set_int32(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_set_uint32(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_set_int64(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_set_double(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_set_float(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_lend_bytes(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_lend_strings(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_lend_value(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_give_bytes(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_give_strings(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_give_value(struct marshal_item *ret, const struct busbar_value *value);
bool marshal_keep_strings(struct marshal_item *ret, const struct busbar_value *value);

/* marshal_to_value.c */
bool marshal_check_none(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE]);
bool marshal_check_string(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE]);
bool marshal_check_bytes(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE]);
bool marshal_check_strings(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE]);
struct busbar_value *marshal_value_bool(const struct marshal_item *item);
struct busbar_value *marshal_value_int32(const struct marshal_item *item);
struct busbar_value *marshal_value_uint32(const struct marshal_item *item);
struct busbar_value *marshal_value_int64(const struct marshal_item *item);
struct busbar_value *marshal_value_double(const struct marshal_item *item);
struct busbar_value *marshal_value_float(const struct marshal_item *item);
struct busbar_value *marshal_value_string(const struct marshal_item *item);
struct busbar_value *marshal_value_bytes(const struct marshal_item *item);
struct busbar_value *marshal_value_bytes32(const struct marshal_item *item);
struct busbar_value *marshal_value_strings(const struct marshal_item *item);
struct busbar_value *marshal_value_value(const struct marshal_item *item);
void marshal_drop_none(const struct marshal_item *item);
void marshal_drop_memory(const struct marshal_item *item);
void marshal_drop_strings(const struct marshal_item *item);
void marshal_drop_value(const struct marshal_item *item);

#endif
