/* From C to values, type by type: what a value can hold, the value it becomes, and its freeing. */
#include "objects/marshal_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

bool marshal_check_none(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE])
{
    (void)item;
    (void)why;
    return true;
}

static bool is_utf8(const char *text)
{
    return utf8_is_valid(text, strlen(text));
}

bool marshal_check_string(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE])
{
    if (is_utf8(item->cell.pointer))
        return true;
    snprintf(why, MARSHAL_WHY_SIZE, "is not UTF-8");
    return false;
}

bool marshal_check_bytes(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE])
{
    if (item->size <= UINT32_MAX)
        return true;
    snprintf(why, MARSHAL_WHY_SIZE, "has %zu bytes, which is more than a value can have",
             item->size);
    return false;
}

bool marshal_check_strings(const struct marshal_item *item, char why[MARSHAL_WHY_SIZE])
{
    const char *const *texts = item->cell.pointer;
    for (size_t i = 0; texts[i] != NULL; i++) {
        if (!is_utf8(texts[i])) {
            snprintf(why, MARSHAL_WHY_SIZE, "is not UTF-8 in its item %zu", i + 1);
            return false;
        }
    }
    return true;
}

struct busbar_value *marshal_value_bool(const struct marshal_item *item)
{
    return busbar_value_bool(item->cell.boolean);
}

struct busbar_value *marshal_value_int32(const struct marshal_item *item)
{
    return busbar_value_int64(item->cell.int32);
}

struct busbar_value *marshal_value_uint32(const struct marshal_item *item)
{
    return busbar_value_int64(item->cell.uint32);
}

struct busbar_value *marshal_value_int64(const struct marshal_item *item)
{
    return busbar_value_int64(item->cell.int64);
}

struct busbar_value *marshal_value_double(const struct marshal_item *item)
{
    return busbar_value_double(item->cell.real);
}

struct busbar_value *marshal_value_float(const struct marshal_item *item)
{
    return busbar_value_double((double)item->cell.single);
}

struct busbar_value *marshal_value_string(const struct marshal_item *item)
{
    return busbar_value_text(item->cell.pointer);
}

struct busbar_value *marshal_value_bytes(const struct marshal_item *item)
{
    return busbar_value_bytes(item->cell.pointer, item->size);
}

struct busbar_value *marshal_value_bytes32(const struct marshal_item *item)
{
    return busbar_value_bytes(item->cell.pointer, item->size32);
}

struct busbar_value *marshal_value_strings(const struct marshal_item *item)
{
    struct busbar_value *list = busbar_value_list();
    for (const char *const *texts = item->cell.pointer; *texts != NULL; texts++) {
        struct busbar_value *text = busbar_value_text(*texts);
        if (busbar_value_append(list, &text) != BUSBAR_OK)
            busbar_value_destroy(&list);
    }
    return list;
}

struct busbar_value *marshal_value_value(const struct marshal_item *item)
{
    return busbar_value_copy(item->cell.pointer);
}

void marshal_drop_none(const struct marshal_item *item)
{
    (void)item;
}

void marshal_drop_memory(const struct marshal_item *item)
{
    free(item->cell.pointer);
}

void marshal_drop_strings(const struct marshal_item *item)
{
    char **texts = item->cell.pointer;
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        free(texts[i]);
    free(texts);
}

void marshal_drop_value(const struct marshal_item *item)
{
    struct busbar_value *value = item->cell.pointer;
    busbar_value_destroy(&value);
}
