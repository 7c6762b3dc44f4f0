/* What comes with a reply besides its body: who had the call before, and the handler's own items. */
#include "client-lib/reply.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/metadata.h"

enum {
    ATTEMPTS_MAX = PACKET_METADATA_MAX / METADATA_ATTEMPT_SIZE,
};

static char *item_append(char *end, struct bytes run)
{
    if (run.size > 0)
        memcpy(end, run.data, run.size);
    end[run.size] = '\0';
    return end + run.size + 1;
}

static bool is_text(struct bytes run)
{
    return run.size == 0 || memchr(run.data, '\0', run.size) == NULL;
}

/* An entry on the wire is longer than its two strings with their NULs. */
static size_t items_copy(char *to, struct bytes metadata)
{
    struct metadata_entry entry;
    struct bytes name;
    struct bytes value;
    char *end = to;
    while (metadata_next(&metadata, &entry)) {
        if (metadata_item(&entry, &name, &value) && is_text(name) && is_text(value))
            end = item_append(item_append(end, name), value);
    }
    return (size_t)(end - to);
}

bool reply_take_metadata(struct busbar_reply *reply, struct bytes metadata)
{
    if (metadata.size == 0)
        return true;
    struct metadata_attempt attempts[ATTEMPTS_MAX];
    size_t count = metadata_attempts(metadata, attempts, ATTEMPTS_MAX);
    struct reply_extras *extras = malloc(sizeof *extras + count * sizeof extras->attempts[0] +
                                         metadata.size);
    if (extras == NULL)
        return false;
    extras->attempt_count = count;
    for (size_t i = 0; i < count; i++)
        extras->attempts[i] = (struct busbar_attempt){attempts[i].worker, attempts[i].ms};
    extras->items = (char *)&extras->attempts[count];
    extras->items_size = items_copy(extras->items, metadata);
    reply->extras = extras;
    return true;
}

size_t busbar_reply_attempts(const struct busbar_reply *reply, struct busbar_attempt *attempts,
                             size_t limit)
{
    const struct reply_extras *extras = reply == NULL ? NULL : reply->extras;
    if (extras == NULL || reply->status == BUSBAR_OK)
        return 0;
    for (size_t i = 0; attempts != NULL && i < limit && i < extras->attempt_count; i++)
        attempts[i] = extras->attempts[i];
    return extras->attempt_count;
}

const char *busbar_reply_metadata(const struct busbar_reply *reply, const char *name)
{
    if (reply == NULL || reply->extras == NULL || name == NULL)
        return NULL;
    const char *next = reply->extras->items;
    const char *end = next + reply->extras->items_size;
    while (next < end) {
        const char *value = next + strlen(next) + 1;
        if (strcmp(next, name) == 0)
            return value;
        next = value + strlen(value) + 1;
    }
    return NULL;
}
