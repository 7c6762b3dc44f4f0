/* What a worker tells of a service, from MessagePack: bytes of a peer, each checked here. */
#include "protocol/registration.h"

#include <busbar/value.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/name.h"

/* Where a decoding is: the registration so far, and what was wrong if it failed. */
struct decoding {
    struct registration registration;
    const char *reason;
};

static enum busbar_status refuse(struct decoding *decoding, const char *reason)
{
    decoding->reason = reason;
    return BUSBAR_BAD_REQUEST;
}

static bool text_fits(const struct busbar_value *value)
{
    size_t size = 0;
    busbar_value_data(value, &size);
    return busbar_value_as_text(value) != NULL && size <= REGISTRATION_TEXT_MAX;
}

static enum busbar_status text_copy(char **ret, const struct busbar_value *value)
{
    const char *text = busbar_value_as_text(value);
    *ret = strdup(text == NULL ? "" : text);
    return *ret == NULL ? BUSBAR_NO_MEMORY : BUSBAR_OK;
}

/* An absent key reads as "". */
static enum busbar_status text_decode(struct decoding *decoding, char **ret,
                                      const struct busbar_value *value)
{
    if (value != NULL && !text_fits(value)) {
        return refuse(decoding, "a text of the registration is no string, too long or holds a NUL");
    }
    return text_copy(ret, value);
}

static enum busbar_status flag_decode(struct decoding *decoding, bool *ret,
                                      const struct busbar_value *value, const char *reason)
{
    if (value != NULL && busbar_value_type(value) != BUSBAR_BOOL) {
        return refuse(decoding, reason);
    }
    *ret = busbar_value_as_bool(value);
    return BUSBAR_OK;
}

/* From 1 to `most`; an absent key leaves `ret` as it is. */
static enum busbar_status number_decode(struct decoding *decoding, uint32_t *ret, uint32_t most,
                                        const struct busbar_value *value)
{
    if (value == NULL) {
        return BUSBAR_OK;
    }
    int64_t number = busbar_value_type(value) == BUSBAR_INT64 ? busbar_value_as_int64(value) : 0;
    if (number < 1 || number > most) {
        return refuse(decoding, "a number of the registration is none, or out of its range");
    }
    *ret = (uint32_t)number;
    return BUSBAR_OK;
}

static enum busbar_status balance_decode(struct decoding *decoding,
                                         const struct busbar_value *value)
{
    const char *name = busbar_value_as_text(value);
    if (value == NULL) {
        return BUSBAR_OK;
    }
    if (name == NULL || !balance_of_name(&decoding->registration.balance, name)) {
        return refuse(decoding, "the registration's \"balance\" is none that is known");
    }
    return BUSBAR_OK;
}

static enum busbar_status method_decode(struct decoding *decoding,
                                        struct registration_method *method,
                                        const struct busbar_value *map)
{
    size_t size = 0;
    const struct busbar_value *name = busbar_value_get(map, "name");
    const char *data = busbar_value_data(name, &size);
    if (busbar_value_type(name) != BUSBAR_STRING || !name_is_method(data, size)) {
        return refuse(decoding, "a method has no name, or one outside the grammar");
    }
    enum busbar_status status = text_copy(&method->name, name);
    if (status == BUSBAR_OK) {
        status = text_decode(decoding, &method->signature, busbar_value_get(map, "signature"));
    }
    if (status == BUSBAR_OK) {
        status = text_decode(decoding, &method->text, busbar_value_get(map, "text"));
    }
    if (status == BUSBAR_OK) {
        status = flag_decode(decoding, &method->idempotent, busbar_value_get(map, "idempotent"),
                             "a method's \"idempotent\" is no bool");
    }
    if (status == BUSBAR_OK) {
        status = number_decode(decoding, &method->stall, REGISTRATION_STALL_MAX,
                               busbar_value_get(map, "stall"));
    }
    return status;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted rather than compared pair by pair: the broker does this for whatever a peer sends. */
static bool a_name_occurs_twice(const char **names, size_t count)
{
    qsort(names, count, sizeof(*names), name_compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum busbar_status methods_decode(struct decoding *decoding, const struct busbar_value *list)
{
    struct registration *registration = &decoding->registration;
    size_t count = busbar_value_count(list);
    if (busbar_value_type(list) != BUSBAR_LIST || count == 0) {
        return refuse(decoding, "the registration has no list of methods");
    }
    if (count > REGISTRATION_METHODS_MAX) {
        return refuse(decoding, "the registration has too many methods");
    }
    registration->methods = calloc(count, sizeof(*registration->methods));
    if (registration->methods == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    registration->method_count = count;
    const char *names[REGISTRATION_METHODS_MAX] = {NULL};
    for (size_t i = 0; i < count; i++) {
        struct registration_method *method = &registration->methods[i];
        enum busbar_status status = method_decode(decoding, method, busbar_value_at(list, i));
        if (status != BUSBAR_OK) {
            return status;
        }
        names[i] = method->name;
    }
    return a_name_occurs_twice(names, count) ? refuse(decoding, "a method occurs twice")
                                             : BUSBAR_OK;
}

static enum busbar_status tag_decode(struct decoding *decoding, struct registration_tag *tag,
                                     const struct busbar_value *tags, size_t index)
{
    const struct busbar_value *name = busbar_value_key_at(tags, index);
    const struct busbar_value *value = busbar_value_value_at(tags, index);
    size_t name_size = 0;
    busbar_value_data(name, &name_size);
    if (!text_fits(name) || name_size == 0 || !text_fits(value)) {
        return refuse(decoding, "a tag is not a pair of strings, or one is too long");
    }
    enum busbar_status status = text_copy(&tag->name, name);
    return status == BUSBAR_OK ? text_copy(&tag->value, value) : status;
}

static enum busbar_status tags_decode(struct decoding *decoding, const struct busbar_value *tags)
{
    struct registration *registration = &decoding->registration;
    size_t count = busbar_value_count(tags);
    if (tags == NULL || (busbar_value_type(tags) == BUSBAR_MAP && count == 0)) {
        return BUSBAR_OK;
    }
    if (busbar_value_type(tags) != BUSBAR_MAP || count > REGISTRATION_TAGS_MAX) {
        return refuse(decoding, "the registration's tags are no map, or too many");
    }
    registration->tags = calloc(count, sizeof(*registration->tags));
    if (registration->tags == NULL) {
        return BUSBAR_NO_MEMORY;
    }
    registration->tag_count = count;
    const char *names[REGISTRATION_TAGS_MAX] = {NULL};
    for (size_t i = 0; i < count; i++) {
        enum busbar_status status = tag_decode(decoding, &registration->tags[i], tags, i);
        if (status != BUSBAR_OK) {
            return status;
        }
        names[i] = registration->tags[i].name;
    }
    return a_name_occurs_twice(names, count) ? refuse(decoding, "a tag occurs twice") : BUSBAR_OK;
}

/* How calls are spread over this worker and others. */
static enum busbar_status policy_decode(struct decoding *decoding, const struct busbar_value *map)
{
    struct registration *registration = &decoding->registration;
    enum busbar_status status = balance_decode(decoding, busbar_value_get(map, "balance"));
    if (status == BUSBAR_OK) {
        status = number_decode(decoding, &registration->weight, REGISTRATION_WEIGHT_MAX,
                               busbar_value_get(map, "weight"));
    }
    if (status == BUSBAR_OK) {
        status = flag_decode(decoding, &registration->caller, busbar_value_get(map, "caller"),
                             "the registration's \"caller\" is no bool");
    }
    return status;
}

static enum busbar_status registration_build(struct decoding *decoding,
                                             const struct busbar_value *map)
{
    if (busbar_value_type(map) != BUSBAR_MAP) {
        return refuse(decoding, "the registration is no map");
    }
    enum busbar_status status = text_decode(decoding, &decoding->registration.version,
                                            busbar_value_get(map, "version"));
    if (status == BUSBAR_OK) {
        status = tags_decode(decoding, busbar_value_get(map, "tags"));
    }
    if (status == BUSBAR_OK) {
        status = policy_decode(decoding, map);
    }
    if (status == BUSBAR_OK) {
        status = methods_decode(decoding, busbar_value_get(map, "methods"));
    }
    return status;
}

enum busbar_status registration_decode(struct registration *ret, const void *data, size_t size,
                                       const char **reason)
{
    struct decoding decoding = {.reason = NULL};
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    enum busbar_status status = BUSBAR_OK;
    if (size > REGISTRATION_SIZE_MAX) {
        status = refuse(&decoding, "the registration has too many bytes");
    }
    if (status == BUSBAR_OK) {
        status = busbar_value_decode(&value, data, size, &decoding.reason);
    }
    if (status == BUSBAR_OK) {
        status = registration_build(&decoding, value);
    }
    if (status == BUSBAR_OK) {
        *ret = decoding.registration;
        return BUSBAR_OK;
    }
    registration_fini(&decoding.registration);
    if (status == BUSBAR_BAD_REQUEST && reason != NULL) {
        *reason = decoding.reason;
    }
    return status;
}
