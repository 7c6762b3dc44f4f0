/* Walking and writing entries; every length is checked against the bytes that are there. */
#include "protocol/metadata.h"

#include <string.h>

#include "protocol/little_endian.h"

bool metadata_next(struct bytes *rest, struct metadata_entry *entry)
{
    if (rest->size < METADATA_ENTRY_HEADER)
        return false;
    size_t size = load16(rest->data + 2);
    if (size > rest->size - METADATA_ENTRY_HEADER)
        return false;
    entry->key = load16(rest->data);
    entry->value = (struct bytes){.data = rest->data + METADATA_ENTRY_HEADER, .size = size};
    rest->data += METADATA_ENTRY_HEADER + size;
    rest->size -= METADATA_ENTRY_HEADER + size;
    return true;
}

bool metadata_find(struct bytes metadata, uint16_t key, struct bytes *value)
{
    struct metadata_entry entry;
    while (metadata_next(&metadata, &entry)) {
        if (entry.key != key)
            continue;
        *value = entry.value;
        return true;
    }
    return false;
}

static uint64_t number_load(const uint8_t *from, size_t size)
{
    uint64_t number = 0;
    for (size_t i = size; i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

bool metadata_find_number(struct bytes metadata, uint16_t key, size_t size, uint64_t *number)
{
    struct bytes value;
    if (!metadata_find(metadata, key, &value) || value.size != size)
        return false;
    *number = number_load(value.data, size);
    return true;
}

bool metadata_item(const struct metadata_entry *entry, struct bytes *name, struct bytes *value)
{
    struct bytes whole = entry->value;
    if (entry->key != METADATA_ITEM || whole.size == 0 || whole.data[0] == 0 ||
        whole.data[0] > whole.size - 1)
        return false;
    size_t name_size = whole.data[0];
    *name = (struct bytes){.data = whole.data + 1, .size = name_size};
    *value = (struct bytes){.data = whole.data + 1 + name_size, .size = whole.size - 1 - name_size};
    return true;
}

bool metadata_find_item(struct bytes metadata, struct bytes name, struct bytes *value)
{
    struct metadata_entry entry;
    struct bytes found;
    while (metadata_next(&metadata, &entry)) {
        if (metadata_item(&entry, &found, value) && found.size == name.size &&
            memcmp(found.data, name.data, name.size) == 0)
            return true;
    }
    return false;
}

bool metadata_find_caller(struct bytes metadata, struct metadata_caller *caller)
{
    struct bytes value;
    if (!metadata_find(metadata, METADATA_CALLER, &value) || value.size < METADATA_CALLER_SIZE)
        return false;
    caller->session = load64(value.data);
    memcpy(caller->instance, value.data + 8, METADATA_INSTANCE_SIZE);
    caller->name = (struct bytes){.data = value.data + METADATA_CALLER_SIZE,
                                  .size = value.size - METADATA_CALLER_SIZE};
    return true;
}

size_t metadata_attempts(struct bytes metadata, struct metadata_attempt *attempts, size_t limit)
{
    struct bytes value;
    size_t count = 0;
    if (!metadata_find(metadata, METADATA_ATTEMPTS, &value))
        return 0;
    while (count < limit && value.size >= METADATA_ATTEMPT_SIZE) {
        attempts[count].worker = load64(value.data);
        attempts[count].ms = load32(value.data + 8);
        value.data += METADATA_ATTEMPT_SIZE;
        value.size -= METADATA_ATTEMPT_SIZE;
        count++;
    }
    return count;
}

/* Room for an entry with its header written; NULL, and the writer full, if there is none. */
static uint8_t *entry_begin(struct metadata_writer *writer, uint16_t key, size_t size)
{
    uint8_t *to = writer->data + writer->size;
    if (METADATA_ENTRY_HEADER + size > writer->capacity - writer->size) {
        writer->full = true;
        return NULL;
    }
    store16(to, key);
    store16(to + 2, (uint16_t)size);
    writer->size += METADATA_ENTRY_HEADER + size;
    return to + METADATA_ENTRY_HEADER;
}

static void append(uint8_t *to, struct bytes run)
{
    if (run.size > 0)
        memcpy(to, run.data, run.size);
}

void metadata_put(struct metadata_writer *writer, uint16_t key, struct bytes value)
{
    uint8_t *to = entry_begin(writer, key, value.size);
    if (to != NULL)
        append(to, value);
}

void metadata_put_number(struct metadata_writer *writer, uint16_t key, size_t size, uint64_t number)
{
    uint8_t *to = entry_begin(writer, key, size);
    for (size_t i = 0; to != NULL && i < size; i++)
        to[i] = (uint8_t)(number >> (8 * i));
}

void metadata_put_item(struct metadata_writer *writer, struct bytes name, struct bytes value)
{
    if (name.size == 0 || name.size > METADATA_NAME_MAX) {
        writer->full = true;
        return;
    }
    uint8_t *to = entry_begin(writer, METADATA_ITEM, 1 + name.size + value.size);
    if (to == NULL)
        return;
    to[0] = (uint8_t)name.size;
    append(to + 1, name);
    append(to + 1 + name.size, value);
}

void metadata_put_caller(struct metadata_writer *writer, const struct metadata_caller *caller)
{
    uint8_t *to = entry_begin(writer, METADATA_CALLER, METADATA_CALLER_SIZE + caller->name.size);
    if (to == NULL)
        return;
    store64(to, caller->session);
    memcpy(to + 8, caller->instance, METADATA_INSTANCE_SIZE);
    append(to + METADATA_CALLER_SIZE, caller->name);
}

void metadata_put_attempts(struct metadata_writer *writer, const struct metadata_attempt *attempts,
                           size_t count)
{
    uint8_t *to = entry_begin(writer, METADATA_ATTEMPTS, count * METADATA_ATTEMPT_SIZE);
    for (size_t i = 0; to != NULL && i < count; i++, to += METADATA_ATTEMPT_SIZE) {
        store64(to, attempts[i].worker);
        store32(to + 8, attempts[i].ms);
    }
}

void metadata_put_all(struct metadata_writer *writer, struct bytes entries)
{
    if (entries.size > writer->capacity - writer->size) {
        writer->full = true;
        return;
    }
    append(writer->data + writer->size, entries);
    writer->size += entries.size;
}
