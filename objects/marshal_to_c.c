/* From values to C, type by type: which values fit, and what becomes of them. */
#include "objects/marshal_type.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fits ---------------------------------------------------------------------------------------- */

const char *marshal_called(const struct busbar_value *value, char out[MARSHAL_CALLED_SIZE])
{
    const size_t size = MARSHAL_CALLED_SIZE;
    enum busbar_type type = busbar_value_type(value);
    if (type == BUSBAR_NULL)
        snprintf(out, size, "null");
    else if (type == BUSBAR_BOOL)
        snprintf(out, size, "%s", busbar_value_as_bool(value) ? "true" : "false");
    else if (type == BUSBAR_INT64)
        snprintf(out, size, "%" PRId64, busbar_value_as_int64(value));
    else if (type == BUSBAR_UINT64)
        snprintf(out, size, "%" PRIu64, busbar_value_as_uint64(value));
    else if (type == BUSBAR_DOUBLE)
        snprintf(out, size, "the double %.15g", busbar_value_as_double(value));
    else if (type == BUSBAR_BYTES)
        snprintf(out, size, "bytes");
    else
        snprintf(out, size, "%s %s", type == BUSBAR_EXT ? "an" : "a", busbar_type_name(type));
    return out;
}

static bool unfit(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE], const char *wanted)
{
    char got[MARSHAL_CALLED_SIZE];
    snprintf(why, MARSHAL_WHY_SIZE, "must be %s, not %s", wanted, marshal_called(value, got));
    return false;
}

bool marshal_fits_bool(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    return busbar_value_type(value) == BUSBAR_BOOL || unfit(value, why, "true or false");
}

static bool fits_integer(const struct busbar_value *value, int64_t min, int64_t max,
                         char why[MARSHAL_WHY_SIZE])
{
    char wanted[64];
    int64_t number = busbar_value_as_int64(value);
    if (busbar_value_type(value) == BUSBAR_INT64 && number >= min && number <= max)
        return true;
    snprintf(wanted, sizeof wanted, "an integer from %" PRId64 " to %" PRId64, min, max);
    return unfit(value, why, wanted);
}

bool marshal_fits_int32(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    return fits_integer(value, INT32_MIN, INT32_MAX, why);
}

bool marshal_fits_uint32(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    return fits_integer(value, 0, UINT32_MAX, why);
}

bool marshal_fits_int64(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    return fits_integer(value, INT64_MIN, INT64_MAX, why);
}

static bool is_integer(const struct busbar_value *value)
{
    enum busbar_type type = busbar_value_type(value);
    return type == BUSBAR_INT64 || type == BUSBAR_UINT64;
}

/* Does it need no more than these binary digits, as those of a floating point number? */
static bool is_exact(const struct busbar_value *value, int digits)
{
    int64_t number = busbar_value_as_int64(value);
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : busbar_value_as_uint64(value);
    return magnitude == 0 || magnitude >> __builtin_ctzll(magnitude) < UINT64_C(1) << digits;
}

static bool unfit_number(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE],
                         const char *wanted)
{
    char got[MARSHAL_CALLED_SIZE];
    if (!is_integer(value))
        return unfit(value, why, wanted);
    snprintf(why, MARSHAL_WHY_SIZE, "must be %s, which cannot be %s exactly", wanted,
             marshal_called(value, got));
    return false;
}

bool marshal_fits_double(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    if (busbar_value_type(value) == BUSBAR_DOUBLE ||
        (is_integer(value) && is_exact(value, DBL_MANT_DIG)))
        return true;
    return unfit_number(value, why, "a double");
}

/* Digits are rounded away, but no finite number becomes an infinite one. */
bool marshal_fits_float(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    double number = busbar_value_as_double(value);
    if (busbar_value_type(value) == BUSBAR_DOUBLE) {
        if (!isfinite(number) || fabs(number) <= (double)FLT_MAX)
            return true;
        return unfit(value, why, "a float, of at most 3.4e38");
    }
    if (is_integer(value) && is_exact(value, FLT_MANT_DIG))
        return true;
    return unfit_number(value, why, "a float");
}

bool marshal_fits_string(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    if (busbar_value_as_text(value) != NULL)
        return true;
    if (busbar_value_type(value) != BUSBAR_STRING)
        return unfit(value, why, "a string");
    snprintf(why, MARSHAL_WHY_SIZE, "must be a string without NUL bytes inside");
    return false;
}

/* Text is bytes too: JSON, for one, cannot say which it means. */
bool marshal_fits_bytes(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    enum busbar_type type = busbar_value_type(value);
    return type == BUSBAR_BYTES || type == BUSBAR_STRING || unfit(value, why, "bytes");
}

bool marshal_fits_strings(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    char got[MARSHAL_CALLED_SIZE];
    if (busbar_value_type(value) != BUSBAR_LIST)
        return unfit(value, why, "a list of strings");
    for (size_t i = 0; i < busbar_value_count(value); i++) {
        const struct busbar_value *item = busbar_value_at(value, i);
        if (busbar_value_as_text(item) != NULL)
            continue;
        bool string = busbar_value_type(item) == BUSBAR_STRING;
        snprintf(why, MARSHAL_WHY_SIZE, "must be a list of strings, but its item %zu %s %s", i + 1,
                 string ? "has" : "is", string ? "a NUL byte" : marshal_called(item, got));
        return false;
    }
    return true;
}

bool marshal_fits_value(const struct busbar_value *value, char why[MARSHAL_WHY_SIZE])
{
    (void)value;
    (void)why;
    return true;
}

/* What is no pointer -------------------------------------------------------------------------- */

bool marshal_set_bool(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.boolean = busbar_value_as_bool(value);
    return true;
}

bool marshal_set_int32(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.int32 = (int32_t)busbar_value_as_int64(value);
    return true;
}

bool marshal_set_uint32(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.uint32 = (uint32_t)busbar_value_as_int64(value);
    return true;
}

bool marshal_set_int64(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.int64 = busbar_value_as_int64(value);
    return true;
}

bool marshal_set_double(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.real = busbar_value_as_double(value);
    return true;
}

bool marshal_set_float(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.single = (float)busbar_value_as_double(value);
    return true;
}

/* Pointers ------------------------------------------------------------------------------------ */

static void set_bytes(struct marshal_item *ret, const void *data, size_t size)
{
    ret->cell.pointer = (void *)data;
    ret->size = size;
    ret->size32 = (uint32_t)size; /* no value is larger */
}

bool marshal_lend_bytes(struct marshal_item *ret, const struct busbar_value *value)
{
    size_t size;
    const char *data = busbar_value_data(value, &size);
    set_bytes(ret, data, size);
    return true;
}

/* With a NUL behind it, so that it may be text. */
bool marshal_give_bytes(struct marshal_item *ret, const struct busbar_value *value)
{
    size_t size;
    const char *data = busbar_value_data(value, &size);
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, data, size + 1);
    set_bytes(ret, copy, size);
    return true;
}

bool marshal_lend_strings(struct marshal_item *ret, const struct busbar_value *value)
{
    size_t count = busbar_value_count(value);
    const char **texts = calloc(count + 1, sizeof *texts);
    if (texts == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        texts[i] = busbar_value_as_text(busbar_value_at(value, i));
    ret->cell.pointer = texts;
    return true;
}

bool marshal_give_strings(struct marshal_item *ret, const struct busbar_value *value)
{
    size_t count = busbar_value_count(value);
    char **texts = calloc(count + 1, sizeof *texts);
    ret->cell.pointer = texts;
    for (size_t i = 0; texts != NULL && i < count; i++) {
        texts[i] = strdup(busbar_value_as_text(busbar_value_at(value, i)));
        if (texts[i] == NULL) {
            marshal_drop_strings(ret);
            ret->cell.pointer = texts = NULL;
        }
    }
    return texts != NULL;
}

/* The array with the strings behind it. */
bool marshal_keep_strings(struct marshal_item *ret, const struct busbar_value *value)
{
    size_t count = busbar_value_count(value);
    size_t total = (count + 1) * sizeof(char *);
    size_t size;
    for (size_t i = 0; i < count; i++) {
        busbar_value_data(busbar_value_at(value, i), &size);
        total += size + 1;
    }
    char **texts = malloc(total);
    if (texts == NULL)
        return false;
    char *at = (char *)(texts + count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *data = busbar_value_data(busbar_value_at(value, i), &size);
        texts[i] = memcpy(at, data, size + 1);
        at += size + 1;
    }
    texts[count] = NULL;
    ret->cell.pointer = texts;
    return true;
}

bool marshal_lend_value(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.pointer = (void *)value;
    return true;
}

bool marshal_give_value(struct marshal_item *ret, const struct busbar_value *value)
{
    ret->cell.pointer = busbar_value_copy(value);
    return ret->cell.pointer != NULL;
}
