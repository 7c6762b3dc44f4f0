#include "objects/function_cells.h"

#include <ffi.h>
#include <math.h>

/* A variable of the type, whatever wrote it: a bool may be any byte. */
static union marshal_cell load(enum signature_type type, const void *from)
{
    switch (type) {
    case SIGNATURE_BOOL:
        return (union marshal_cell){.boolean = *(const uint8_t *)from != 0};
    case SIGNATURE_INT32:
        return (union marshal_cell){.int32 = *(const int32_t *)from};
    case SIGNATURE_UINT32:
        return (union marshal_cell){.uint32 = *(const uint32_t *)from};
    case SIGNATURE_INT64:
        return (union marshal_cell){.int64 = *(const int64_t *)from};
    case SIGNATURE_DOUBLE:
        return (union marshal_cell){.real = *(const double *)from};
    case SIGNATURE_FLOAT:
        return (union marshal_cell){.single = *(const float *)from};
    case SIGNATURE_STRING:
    case SIGNATURE_BYTES:
    case SIGNATURE_BYTES32:
    case SIGNATURE_STRINGS:
    case SIGNATURE_VALUE:
        break;
    }
    return (union marshal_cell){.pointer = *(void *const *)from};
}

static void store(enum signature_type type, union marshal_cell cell, void *to)
{
    switch (type) {
    case SIGNATURE_BOOL:
        *(bool *)to = cell.boolean;
        return;
    case SIGNATURE_INT32:
        *(int32_t *)to = cell.int32;
        return;
    case SIGNATURE_UINT32:
        *(uint32_t *)to = cell.uint32;
        return;
    case SIGNATURE_INT64:
        *(int64_t *)to = cell.int64;
        return;
    case SIGNATURE_DOUBLE:
        *(double *)to = cell.real;
        return;
    case SIGNATURE_FLOAT:
        *(float *)to = cell.single;
        return;
    case SIGNATURE_STRING:
    case SIGNATURE_BYTES:
    case SIGNATURE_BYTES32:
    case SIGNATURE_STRINGS:
    case SIGNATURE_VALUE:
        break;
    }
    *(void **)to = cell.pointer;
}

/* The result of a function itself: libffi wants integers smaller than a register as wide as one. */
static void store_own(enum signature_type type, union marshal_cell cell, void *to)
{
    if (type == SIGNATURE_BOOL)
        *(ffi_arg *)to = cell.boolean;
    else if (type == SIGNATURE_INT32)
        *(ffi_sarg *)to = cell.int32;
    else if (type == SIGNATURE_UINT32)
        *(ffi_arg *)to = cell.uint32;
    else
        store(type, cell, to);
}

static union marshal_cell load_own(enum signature_type type, const void *from)
{
    if (type == SIGNATURE_BOOL)
        return (union marshal_cell){.boolean = (uint8_t) * (const ffi_arg *)from != 0};
    if (type == SIGNATURE_INT32)
        return (union marshal_cell){.int32 = (int32_t) * (const ffi_arg *)from};
    if (type == SIGNATURE_UINT32)
        return (union marshal_cell){.uint32 = (uint32_t) * (const ffi_arg *)from};
    return load(type, from);
}

static void load_size(enum signature_type type, const void *from, struct marshal_item *item)
{
    if (type == SIGNATURE_BYTES32) {
        item->size32 = *(const uint32_t *)from;
        item->size = item->size32;
    } else {
        item->size = *(const size_t *)from;
    }
}

static void store_size(enum signature_type type, const struct marshal_item *item, void *to)
{
    if (type == SIGNATURE_BYTES32)
        *(uint32_t *)to = item->size32;
    else
        *(size_t *)to = item->size;
}

static bool is_sized(const struct function *function)
{
    return function->places_at > function->results_at;
}

/* The pointer that came as the C argument at this index. */
static void *pointer_at(const struct entry *entry, size_t index)
{
    return *(void **)entry->arguments[index];
}

static void *size_place(const struct entry *entry)
{
    return pointer_at(entry, entry->function->results_at);
}

/* Where to write a result that is not the function's own. */
static void *place(const struct entry *entry, size_t index)
{
    const struct function *function = entry->function;
    return pointer_at(entry, function->places_at + index - function->signature.returns);
}

void entry_read(const struct entry *entry, struct marshal_item items[SIGNATURE_ITEMS_MAX])
{
    const struct signature *signature = &entry->function->signature;
    void **from = entry->arguments;
    for (size_t i = 0; i < signature->argument_count; i++) {
        enum signature_type type = signature->arguments[i].type;
        items[i] = (struct marshal_item){.cell = load(type, *from++)};
        if (type == SIGNATURE_BYTES || type == SIGNATURE_BYTES32)
            load_size(type, *from++, &items[i]);
    }
}

bool entry_has_places(const struct entry *entry, size_t *ret)
{
    const struct function *function = entry->function;
    const struct signature *signature = &function->signature;
    size_t end = function->places_at + signature->result_count - signature->returns;
    for (size_t i = function->results_at; i < end; i++) {
        *ret = i + 1;
        if (pointer_at(entry, i) == NULL)
            return false;
    }
    return true;
}

void entry_read_results(const struct entry *entry, struct marshal_item items[SIGNATURE_ITEMS_MAX])
{
    const struct signature *signature = &entry->function->signature;
    for (size_t i = 0; i < signature->result_count; i++) {
        enum signature_type type = signature->results[i].type;
        bool own = i == 0 && signature->returns;
        items[i] = (struct marshal_item){.cell = own ? load_own(type, entry->result)
                                                     : load(type, place(entry, i))};
    }
    if (is_sized(entry->function) && items[0].cell.pointer != NULL)
        load_size(signature->results[0].type, size_place(entry), &items[0]);
}

void entry_write(const struct entry *entry, const struct marshal_item items[SIGNATURE_ITEMS_MAX])
{
    const struct signature *signature = &entry->function->signature;
    for (size_t i = 0; i < signature->result_count; i++) {
        enum signature_type type = signature->results[i].type;
        if (i == 0 && signature->returns)
            store_own(type, items[i].cell, entry->result);
        else if (place(entry, i) != NULL)
            store(type, items[i].cell, place(entry, i));
    }
    if (is_sized(entry->function) && size_place(entry) != NULL)
        store_size(signature->results[0].type, &items[0], size_place(entry));
}

void entry_clear(const struct entry *entry)
{
    static const struct marshal_item zeros[SIGNATURE_ITEMS_MAX];
    entry_write(entry, zeros);
}

void entry_write_failure(const struct entry *entry)
{
    const struct signature *signature = &entry->function->signature;
    struct marshal_item items[SIGNATURE_ITEMS_MAX] = {0};
    for (size_t i = 0; i < signature->result_count; i++) {
        if (signature->results[i].type == SIGNATURE_DOUBLE)
            items[i].cell.real = (double)NAN;
        else if (signature->results[i].type == SIGNATURE_FLOAT)
            items[i].cell.single = NAN;
    }
    entry_write(entry, items);
}
