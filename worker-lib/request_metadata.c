/* What travels with a request besides its body: read when it is asked for, and set for the answer. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "protocol/metadata.h"
#include "worker-lib/request.h"

enum {
    ANSWER_SIZE = 4000, /* leaves the broker room for entries of its own */
};

/* One pair, with what it says as strings. */
struct request_item {
    const char *name;
    const char *value;
};

/* Made when the first of these is needed, and not at all for most requests. */
struct request_extra {
    struct request_item *items; /* with their strings behind them; NULL: not read */
    size_t item_count;
    char *caller;    /* NULL: not read */
    uint8_t *answer; /* entries, in a buffer of ANSWER_SIZE; NULL: none was set */
    size_t answer_size;
};

void request_extra_free(struct request_extra **extra)
{
    struct request_extra *freed = STEAL(*extra);
    free(freed->items);
    free(freed->caller);
    free(freed->answer);
    free(freed);
}

/* NULL when out of memory. Requests are handed out as const, since nobody sees this change. */
static struct request_extra *extra_of(const struct busbar_request *request)
{
    struct busbar_request *owner = (struct busbar_request *)(uintptr_t)request;
    if (owner->extra == NULL)
        owner->extra = calloc(1, sizeof *owner->extra);
    return owner->extra;
}

/* Items ---------------------------------------------------------------------------------------- */

static bool is_string(struct bytes text)
{
    return text.size == 0 || (memchr(text.data, '\0', text.size) == NULL &&
                              utf8_is_valid((const char *)text.data, text.size));
}

static char *string_put(char **end, struct bytes text)
{
    char *string = *end;
    if (text.size > 0)
        memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    *end += text.size + 1;
    return string;
}

static const struct request_item *item_find(const struct request_extra *extra, const char *name)
{
    for (size_t i = 0; i < extra->item_count; i++) {
        if (strcmp(extra->items[i].name, name) == 0)
            return &extra->items[i];
    }
    return NULL;
}

/* Of several of one name the first counts, the others are as if they were not there. */
static void items_fill(struct request_extra *extra, struct bytes metadata, char *end)
{
    struct metadata_entry entry;
    struct bytes name;
    struct bytes value;
    while (metadata_next(&metadata, &entry)) {
        if (!metadata_item(&entry, &name, &value) || !is_string(name) || !is_string(value))
            continue;
        char *named = string_put(&end, name);
        if (item_find(extra, named) != NULL)
            continue;
        struct request_item *item = &extra->items[extra->item_count++];
        item->name = named;
        item->value = string_put(&end, value);
    }
}

/* An entry has five bytes more than its strings, so that two NULs for each are within its size. */
static struct request_extra *items_of(const struct busbar_request *request)
{
    struct bytes rest = request->metadata;
    struct metadata_entry entry;
    size_t count = 0;
    if (request->metadata.size == 0)
        return NULL;
    struct request_extra *extra = extra_of(request);
    if (extra == NULL || extra->items != NULL)
        return extra;
    while (metadata_next(&rest, &entry))
        count += entry.key == METADATA_ITEM;
    extra->items = calloc(1, count * sizeof *extra->items + request->metadata.size + 1);
    if (extra->items == NULL)
        return NULL;
    items_fill(extra, request->metadata, (char *)(extra->items + count));
    return extra;
}

const char *busbar_request_metadata(const struct busbar_request *request, const char *name)
{
    const struct request_extra *extra = items_of(request);
    const struct request_item *item = extra == NULL ? NULL : item_find(extra, name);
    return item == NULL ? NULL : item->value;
}

bool busbar_request_metadata_at(const struct busbar_request *request, size_t index,
                                const char **name, const char **value)
{
    const struct request_extra *extra = items_of(request);
    if (extra == NULL || extra->items == NULL || index >= extra->item_count)
        return false;
    *name = extra->items[index].name;
    *value = extra->items[index].value;
    return true;
}

/* Caller --------------------------------------------------------------------------------------- */

unsigned busbar_request_hops(const struct busbar_request *request)
{
    uint64_t hops = 0;
    if (request->metadata.size == 0 ||
        !metadata_find_number(request->metadata, METADATA_HOPS, sizeof(uint8_t), &hops))
        return 0;
    return (unsigned)hops;
}

bool busbar_request_is_oneway(const struct busbar_request *request)
{
    return request_is_oneway(request);
}

bool busbar_request_caller(const struct busbar_request *request, struct busbar_caller *ret)
{
    struct metadata_caller caller;
    if (!metadata_find_caller(request->metadata, &caller))
        return false;
    struct request_extra *extra = extra_of(request);
    if (extra != NULL && extra->caller == NULL)
        extra->caller = strndup((const char *)caller.name.data, caller.name.size);
    if (extra == NULL || extra->caller == NULL)
        return false;
    ret->session = caller.session;
    memcpy(ret->instance, caller.instance, sizeof ret->instance);
    ret->name = extra->caller;
    return true;
}

/* The answer ----------------------------------------------------------------------------------- */

struct bytes request_extra_answer(const struct request_extra *extra)
{
    return (struct bytes){.data = extra->answer, .size = extra->answer_size};
}

/* The entry of a name among those of the answer; its size is 0 if there is none. */
static struct bytes answer_find(const struct request_extra *extra, struct bytes name)
{
    struct bytes rest = {.data = extra->answer, .size = extra->answer_size};
    struct metadata_entry entry;
    struct bytes found;
    struct bytes value;
    for (const uint8_t *start = rest.data; metadata_next(&rest, &entry); start = rest.data) {
        if (metadata_item(&entry, &found, &value) && found.size == name.size &&
            memcmp(found.data, name.data, name.size) == 0)
            return (struct bytes){.data = start, .size = (size_t)(rest.data - start)};
    }
    return (struct bytes){.data = rest.data};
}

static void answer_remove(struct request_extra *extra, struct bytes entry)
{
    size_t offset = (size_t)(entry.data - extra->answer);
    memmove(extra->answer + offset, entry.data + entry.size,
            extra->answer_size - offset - entry.size);
    extra->answer_size -= entry.size;
}

/* What was set under the name before is replaced, and stays if the new value has no room. */
static enum busbar_status answer_set(struct request_extra *extra, struct bytes name,
                                     struct bytes value)
{
    struct bytes before = answer_find(extra, name);
    size_t size = METADATA_ENTRY_HEADER + 1 + name.size + value.size;
    if (extra->answer_size - before.size + size > ANSWER_SIZE)
        return BUSBAR_TOO_LARGE;
    if (before.size > 0)
        answer_remove(extra, before);
    struct metadata_writer writer = {
        .data = extra->answer, .capacity = ANSWER_SIZE, .size = extra->answer_size};
    metadata_put_item(&writer, name, value);
    extra->answer_size = writer.size;
    return BUSBAR_OK;
}

enum busbar_status busbar_request_set(struct busbar_request *request, const char *name,
                                      const char *value)
{
    if (request == NULL || name == NULL || value == NULL)
        return BUSBAR_BAD_ARGUMENT;
    struct bytes named = bytes_of_text(name);
    struct bytes valued = bytes_of_text(value);
    if (named.size == 0 || named.size > METADATA_NAME_MAX || !is_string(named) ||
        !is_string(valued))
        return BUSBAR_BAD_ARGUMENT;
    if (valued.size > ANSWER_SIZE)
        return BUSBAR_TOO_LARGE;
    struct request_extra *extra = extra_of(request);
    if (extra != NULL && extra->answer == NULL)
        extra->answer = malloc(ANSWER_SIZE);
    if (extra == NULL || extra->answer == NULL)
        return BUSBAR_NO_MEMORY;
    return answer_set(extra, named, valued);
}
