/* What a worker tells of a service when it registers it: its memory, and to MessagePack. */
#include "protocol/registration.h"

#include <busbar/value.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

static void method_fini(struct registration_method *method)
{
    free(method->name);
    free(method->signature);
    free(method->text);
}

static void tag_fini(struct registration_tag *tag)
{
    free(tag->name);
    free(tag->value);
}

void registration_fini(struct registration *registration)
{
    if (registration == NULL) {
        return;
    }
    for (size_t i = 0; i < registration->method_count; i++) {
        method_fini(&registration->methods[i]);
    }
    for (size_t i = 0; i < registration->tag_count; i++) {
        tag_fini(&registration->tags[i]);
    }
    free(registration->methods);
    free(registration->tags);
    free(registration->version);
    *registration = (struct registration){.version = NULL};
}

size_t registration_memory(const struct registration *registration)
{
    size_t bytes = sizeof *registration + strlen(registration->version);
    for (size_t i = 0; i < registration->tag_count; i++)
        bytes += sizeof registration->tags[i] + strlen(registration->tags[i].name) +
                 strlen(registration->tags[i].value);
    for (size_t i = 0; i < registration->method_count; i++)
        bytes += sizeof registration->methods[i] + strlen(registration->methods[i].name) +
                 strlen(registration->methods[i].signature) + strlen(registration->methods[i].text);
    return bytes;
}

/* Leaves out what is empty. */
static enum busbar_status text_set(struct busbar_value *map, const char *key, const char *text)
{
    if (text == NULL || *text == '\0') {
        return BUSBAR_OK;
    }
    if (!utf8_is_valid(text, strlen(text))) {
        return BUSBAR_BAD_ARGUMENT;
    }
    struct busbar_value *value = busbar_value_text(text);
    return busbar_value_set(map, key, &value);
}

/* Leaves out what is the default. */
static enum busbar_status number_set(struct busbar_value *map, const char *key, uint32_t number,
                                     uint32_t standard)
{
    if (number == standard)
        return BUSBAR_OK;
    struct busbar_value *value = busbar_value_uint64(number);
    return busbar_value_set(map, key, &value);
}

static enum busbar_status flag_set(struct busbar_value *map, const char *key, bool flag)
{
    if (!flag)
        return BUSBAR_OK;
    struct busbar_value *value = busbar_value_bool(true);
    return busbar_value_set(map, key, &value);
}

const char *balance_name(enum balance balance)
{
    static const char *const NAMES[] = {
#define BALANCE_NAME(name, text) [BALANCE_##name] = (text),
        BALANCE_TABLE(BALANCE_NAME)
#undef BALANCE_NAME
    };
    return (unsigned)balance < ARRAY_SIZE(NAMES) ? NAMES[balance] : "";
}

bool balance_of_name(enum balance *balance, const char *name)
{
    for (unsigned i = BALANCE_UNSET + 1; i < BALANCE_COUNT; i++) {
        *balance = (enum balance)i;
        if (strcmp(balance_name(*balance), name) == 0)
            return true;
    }
    return false;
}

static enum busbar_status method_append(struct busbar_value *list,
                                        const struct registration_method *method)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *map = busbar_value_map();
    CLEANUP(busbar_value_destroy)
    struct busbar_value *idempotent = busbar_value_bool(method->idempotent);
    if (map == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    enum busbar_status status = text_set(map, "name", method->name);
    if (status == BUSBAR_OK) {
        status = text_set(map, "signature", method->signature);
    }
    if (status == BUSBAR_OK) {
        status = busbar_value_set(map, "idempotent", &idempotent);
    }
    if (status == BUSBAR_OK) {
        status = text_set(map, "text", method->text);
    }
    if (status == BUSBAR_OK) {
        status = number_set(map, "stall", method->stall, 0);
    }
    return status == BUSBAR_OK ? busbar_value_append(list, &map) : status;
}

static enum busbar_status methods_set(struct busbar_value *map,
                                      const struct registration *registration)
{
    if (registration->method_count == 0) {
        return BUSBAR_OK;
    }
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    if (list == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    for (size_t i = registration->whole ? 1 : 0; i < registration->method_count; i++) {
        enum busbar_status status = method_append(list, &registration->methods[i]);
        if (status != BUSBAR_OK) {
            return status;
        }
    }
    return busbar_value_set(map, "methods", &list);
}

static enum busbar_status tags_set(struct busbar_value *map,
                                   const struct registration *registration)
{
    if (registration->tag_count == 0) {
        return BUSBAR_OK;
    }
    CLEANUP(busbar_value_destroy) struct busbar_value *tags = busbar_value_map();
    if (tags == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    for (size_t i = 0; i < registration->tag_count; i++) {
        const struct registration_tag *tag = &registration->tags[i];
        if (!utf8_is_valid(tag->value, strlen(tag->value))) {
            return BUSBAR_BAD_ARGUMENT;
        }
        struct busbar_value *text = busbar_value_text(tag->value);
        enum busbar_status status = busbar_value_set(tags, tag->name, &text);
        if (status != BUSBAR_OK) {
            return status;
        }
    }
    return busbar_value_set(map, "tags", &tags);
}

static enum busbar_status registration_to_value(struct busbar_value **ret,
                                                const struct registration *registration)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *map = busbar_value_map();
    if (map == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    enum busbar_status status = text_set(map, "version", registration->version);
    if (status == BUSBAR_OK) {
        status = tags_set(map, registration);
    }
    if (status == BUSBAR_OK) {
        status = text_set(map, "balance", balance_name(registration->balance));
    }
    if (status == BUSBAR_OK) {
        status = number_set(map, "weight", registration_weight(registration), REGISTRATION_WEIGHT);
    }
    if (status == BUSBAR_OK) {
        status = flag_set(map, "caller", registration->caller);
    }
    if (status == BUSBAR_OK) {
        status = methods_set(map, registration);
    }
    if (status == BUSBAR_OK) {
        *ret = STEAL(map);
    }
    return status;
}

struct busbar_value *registration_value(const struct registration *registration)
{
    struct busbar_value *value = NULL;
    return registration_to_value(&value, registration) == BUSBAR_OK ? value : NULL;
}

enum busbar_status registration_encode(const struct registration *registration, void **ret_data,
                                       size_t *ret_size)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    enum busbar_status status = registration_to_value(&value, registration);
    if (status == BUSBAR_OK) {
        status = busbar_value_encode(value, &data, &size);
    }
    if (status == BUSBAR_OK && size > REGISTRATION_SIZE_MAX) {
        status = BUSBAR_TOO_LARGE;
    }
    if (status == BUSBAR_OK) {
        *ret_data = STEAL(data);
        *ret_size = size;
    }
    return status;
}
