/* What of a call travels as metadata: a caller's wishes, and what its own request brought. */
#include "client-lib/client.h"

#include <string.h>

#include "base/utf8.h"
#include "client-lib/ambient.h"
#include "protocol/metadata.h"

/* The items' size comes out of the size of what is written, since they are written first. */
static enum busbar_status check_size(struct busbar_client *client,
                                     const struct metadata_writer *writer)
{
    if (!writer->full && writer->size <= CLIENT_ITEMS_MAX)
        return BUSBAR_OK;
    return client_fail(client, BUSBAR_TOO_LARGE,
                       "the metadata, with those of the request that is handled, are over %d bytes "
                       "(5 for each besides name and value)",
                       CLIENT_ITEMS_MAX);
}

static enum busbar_status put_own(struct busbar_client *client, const char *const *pairs,
                                  struct metadata_writer *writer)
{
    for (size_t i = 0; pairs != NULL && pairs[i] != NULL; i += 2) {
        const char *name = pairs[i];
        const char *value = pairs[i + 1];
        if (value == NULL)
            return client_fail(client, BUSBAR_BAD_ARGUMENT,
                               "the metadata end with a name that has no value");
        size_t size = strlen(name);
        if (size == 0 || size > METADATA_NAME_MAX || !utf8_is_valid(name, size) ||
            !utf8_is_valid(value, strlen(value)))
            return client_fail(client, BUSBAR_BAD_ARGUMENT,
                               "metadata are UTF-8, with names of 1 to %d bytes",
                               METADATA_NAME_MAX);
        metadata_put_item(writer, bytes_of_text(name), bytes_of_text(value));
    }
    return check_size(client, writer);
}

/* What the caller says itself comes before what its request brought. */
static enum busbar_status put_inherited(struct busbar_client *client, const struct ambient *ambient,
                                        struct metadata_writer *writer)
{
    const struct bytes own = metadata_written(writer);
    struct bytes rest = ambient->items;
    struct metadata_entry entry;
    struct bytes name;
    struct bytes value;
    while (metadata_next(&rest, &entry)) {
        if (metadata_item(&entry, &name, &value) && !metadata_find_item(own, name, &value))
            metadata_put(writer, METADATA_ITEM, entry.value);
    }
    return check_size(client, writer);
}

static void put_hops(const struct ambient *ambient, struct metadata_writer *writer)
{
    uint8_t hops = ambient->hops < UINT8_MAX ? (uint8_t)(ambient->hops + 1) : UINT8_MAX;
    metadata_put_number(writer, METADATA_HOPS, sizeof hops, hops);
}

enum busbar_status client_write_metadata(struct busbar_client *client,
                                         const struct busbar_call *call,
                                         struct metadata_writer *writer)
{
    const struct ambient *ambient = ambient_current();
    enum busbar_status status = put_own(client, call->metadata, writer);
    if (status == BUSBAR_OK && ambient != NULL && !(call->flags & BUSBAR_DETACHED))
        status = put_inherited(client, ambient, writer);
    if (status != BUSBAR_OK)
        return status;
    if (ambient != NULL)
        put_hops(ambient, writer);
    if (call->key != NULL)
        metadata_put(writer, METADATA_KEY, bytes_of_text(call->key));
    if (call->wait_ms != 0)
        metadata_put_number(writer, METADATA_WAIT, sizeof call->wait_ms, call->wait_ms);
    if (call->window != 0)
        metadata_put_number(writer, METADATA_WINDOW, sizeof call->window, call->window);
    if (writer->full)
        return client_fail(client, BUSBAR_TOO_LARGE, "the key and the metadata are over %d bytes",
                           PACKET_METADATA_MAX);
    return BUSBAR_OK;
}
