/* Calls of C functions through libffi, by a table of the C types; which values they are is
 * marshal.c. */
#include "objects/native.h"

#include <string.h>

static ffi_type *const ffi_types[] = {
    [SIGNATURE_BOOL] = &ffi_type_uint8,      [SIGNATURE_INT32] = &ffi_type_sint32,
    [SIGNATURE_UINT32] = &ffi_type_uint32,   [SIGNATURE_INT64] = &ffi_type_sint64,
    [SIGNATURE_DOUBLE] = &ffi_type_double,   [SIGNATURE_FLOAT] = &ffi_type_float,
    [SIGNATURE_STRING] = &ffi_type_pointer,  [SIGNATURE_BYTES] = &ffi_type_pointer,
    [SIGNATURE_BYTES32] = &ffi_type_pointer, [SIGNATURE_STRINGS] = &ffi_type_pointer,
    [SIGNATURE_VALUE] = &ffi_type_pointer,
};

_Static_assert(sizeof(bool) == 1, "bool is passed as uint8");

static ffi_type *size_type(enum signature_type type)
{
    bool wide = type == SIGNATURE_BYTES && sizeof(size_t) == sizeof(uint64_t);
    return wide ? &ffi_type_uint64 : &ffi_type_uint32;
}

static bool is_bytes(const struct signature_item *item)
{
    return item->type == SIGNATURE_BYTES || item->type == SIGNATURE_BYTES32;
}

static bool returns_bytes(const struct signature *signature)
{
    return signature->returns && is_bytes(&signature->results[0]);
}

bool native_prepare(struct native *ret, const struct signature *signature)
{
    unsigned count = 0;
    for (size_t i = 0; i < signature->argument_count; i++) {
        const struct signature_item *item = &signature->arguments[i];
        ret->parameters[count++] = ffi_types[item->type];
        if (is_bytes(item))
            ret->parameters[count++] = size_type(item->type);
    }
    if (returns_bytes(signature))
        ret->parameters[count++] = &ffi_type_pointer;
    for (size_t i = signature->returns; i < signature->result_count; i++)
        ret->parameters[count++] = &ffi_type_pointer;
    ffi_type *result = signature->returns ? ffi_types[signature->results[0].type] : &ffi_type_void;
    return ffi_prep_cif(&ret->cif, FFI_DEFAULT_ABI, count, result, ret->parameters) == FFI_OK;
}

static void *size_of(const struct signature_item *item, struct marshal_item *cell)
{
    return item->type == SIGNATURE_BYTES ? (void *)&cell->size : (void *)&cell->size32;
}

/* Where libffi puts a result: integers that are smaller than a register fill one. */
union native_result {
    ffi_arg integer;
    int64_t int64;
    double real;
    float single;
    void *pointer;
};

static union marshal_cell result_cell(const union native_result *result, enum signature_type type)
{
    switch (type) {
    case SIGNATURE_BOOL:
        return (union marshal_cell){.boolean = (uint8_t)result->integer != 0};
    case SIGNATURE_INT32:
        return (union marshal_cell){.int32 = (int32_t)result->integer};
    case SIGNATURE_UINT32:
        return (union marshal_cell){.uint32 = (uint32_t)result->integer};
    case SIGNATURE_INT64:
        return (union marshal_cell){.int64 = result->int64};
    case SIGNATURE_DOUBLE:
        return (union marshal_cell){.real = result->real};
    case SIGNATURE_FLOAT:
        return (union marshal_cell){.single = result->single};
    case SIGNATURE_STRING:
    case SIGNATURE_BYTES:
    case SIGNATURE_BYTES32:
    case SIGNATURE_STRINGS:
    case SIGNATURE_VALUE:
        break;
    }
    return (union marshal_cell){.pointer = result->pointer};
}

void native_call(struct native *native, const struct signature *signature, void *address,
                 struct marshal_item arguments[SIGNATURE_ITEMS_MAX],
                 struct marshal_item results[SIGNATURE_ITEMS_MAX])
{
    void *values[NATIVE_PARAMETERS_MAX];
    void *pointers[SIGNATURE_ITEMS_MAX + 1];
    union native_result result = {0};
    size_t count = 0;
    size_t pointer_count = 0;
    memset(results, 0, signature->result_count * sizeof *results);
    for (size_t i = 0; i < signature->argument_count; i++) {
        values[count++] = &arguments[i].cell;
        if (is_bytes(&signature->arguments[i]))
            values[count++] = size_of(&signature->arguments[i], &arguments[i]);
    }
    if (returns_bytes(signature))
        pointers[pointer_count++] = size_of(&signature->results[0], &results[0]);
    for (size_t i = signature->returns; i < signature->result_count; i++)
        pointers[pointer_count++] = &results[i].cell;
    for (size_t i = 0; i < pointer_count; i++)
        values[count++] = &pointers[i];
    ffi_call(&native->cif, FFI_FN(address), &result, values);
    if (signature->returns)
        results[0].cell = result_cell(&result, signature->results[0].type);
}
