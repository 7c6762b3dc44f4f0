/* The table of types, from which marshal.c takes what it does for each. */
#include "objects/marshal_type.h"

/* A type that fits into a register, and is the same whoever has it. */
#define SCALAR(name)                                                                               \
    {                                                                                              \
        .fits = marshal_fits_##name, .lend = marshal_set_##name, .give = marshal_set_##name,       \
        .keep = marshal_set_##name, .check = marshal_check_none, .value = marshal_value_##name,    \
        .drop = marshal_drop_none,                                                                 \
    }

static const struct marshal_type types[] = {
    [SIGNATURE_BOOL] = SCALAR(bool),
    [SIGNATURE_INT32] = SCALAR(int32),
    [SIGNATURE_UINT32] = SCALAR(uint32),
    [SIGNATURE_INT64] = SCALAR(int64),
    [SIGNATURE_DOUBLE] = SCALAR(double),
    [SIGNATURE_FLOAT] = SCALAR(float),
    [SIGNATURE_STRING] =
        {
            .pointer = true,
            .fits = marshal_fits_string,
            .lend = marshal_lend_bytes,
            .give = marshal_give_bytes,
            .keep = marshal_give_bytes,
            .check = marshal_check_string,
            .value = marshal_value_string,
            .drop = marshal_drop_memory,
        },
    [SIGNATURE_BYTES] =
        {
            .pointer = true,
            .fits = marshal_fits_bytes,
            .lend = marshal_lend_bytes,
            .give = marshal_give_bytes,
            .keep = marshal_give_bytes,
            .check = marshal_check_bytes,
            .value = marshal_value_bytes,
            .drop = marshal_drop_memory,
        },
    [SIGNATURE_BYTES32] =
        {
            .pointer = true,
            .fits = marshal_fits_bytes,
            .lend = marshal_lend_bytes,
            .give = marshal_give_bytes,
            .keep = marshal_give_bytes,
            .check = marshal_check_none,
            .value = marshal_value_bytes32,
            .drop = marshal_drop_memory,
        },
    [SIGNATURE_STRINGS] =
        {
            .pointer = true,
            .fits = marshal_fits_strings,
            .lend = marshal_lend_strings,
            .give = marshal_give_strings,
            .keep = marshal_keep_strings,
            .check = marshal_check_strings,
            .value = marshal_value_strings,
            .drop = marshal_drop_strings,
        },
    [SIGNATURE_VALUE] =
        {
            .fits = marshal_fits_value,
            .lend = marshal_lend_value,
            .give = marshal_give_value,
            .keep = marshal_give_value,
            .check = marshal_check_none,
            .value = marshal_value_value,
            .drop = marshal_drop_value,
        },
};

const struct marshal_type *marshal_type_of(enum signature_type type)
{
    return &types[type];
}
