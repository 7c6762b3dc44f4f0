/*
 * The C function of a signature as libffi sees it: its parameters in their order, and the call of
 * one. Knows no values.
 */
#ifndef OBJECTS_NATIVE_H
#define OBJECTS_NATIVE_H

#include <ffi.h>
#include <stdbool.h>

#include "objects/marshal.h"
#include "protocol/signature.h"

enum {
    /* Two for each argument, as bytes have; the size of a result of bytes; results by pointer. */
    NATIVE_PARAMETERS_MAX = 2 * SIGNATURE_ITEMS_MAX + 1 + SIGNATURE_ITEMS_MAX,
};

/* The parameters stand in this order: the arguments, each `y` with its size behind it; the pointer
 * to the size of a result of bytes; the pointers of the results with '*'. Must not be moved. */
struct native {
    ffi_cif cif;
    ffi_type *parameters[NATIVE_PARAMETERS_MAX];
};

/* False if libffi cannot. */
bool native_prepare(struct native *ret, const struct signature *signature);

/* Calls `address`; the results need not be initialized before. */
void native_call(struct native *native, const struct signature *signature, void *address,
                 struct marshal_item arguments[SIGNATURE_ITEMS_MAX],
                 struct marshal_item results[SIGNATURE_ITEMS_MAX]);

#endif
