/* The slots of a client's calls: chunks that never move, each slot with a generation. */
#include "client-lib/call_table.h"

#include <assert.h>
#include <stdlib.h>

#include "base/random.h"

enum {
    CHUNKS_MAX = CALLS_MAX / CALL_CHUNK,
};

/* A caller's flags are those of the packet. */
_Static_assert(BUSBAR_IDEMPOTENT == (int)PACKET_IDEMPOTENT && BUSBAR_ONEWAY == (int)PACKET_ONEWAY &&
                   BUSBAR_STREAM == (int)PACKET_STREAM,
               "flags that travel have one number");

void call_table_init(struct call_table *table)
{
    *table = (struct call_table){.first_generation = (uint32_t)random_u64() | 1};
}

void call_table_fini(struct call_table *table)
{
    assert(table->used == 0);
    for (uint32_t i = 0; i < table->chunk_count; i++)
        free(table->chunks[i]);
    free(table->chunks);
    table->chunks = NULL;
    table->chunk_count = 0;
}

bool call_table_grow(struct call_table *table)
{
    if (table->chunk_count == CHUNKS_MAX)
        return false;
    if ((table->chunk_count & (table->chunk_count - 1)) == 0) { /* room for a power of two */
        size_t room = table->chunk_count == 0 ? 1 : (size_t)table->chunk_count * 2;
        struct call **chunks = realloc(table->chunks, room * sizeof *chunks);
        if (chunks == NULL)
            return false;
        table->chunks = chunks;
    }
    struct call *chunk = calloc(CALL_CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return false;
    table->chunks[table->chunk_count] = chunk;
    uint32_t first = table->chunk_count++ << CALL_CHUNK_BITS;
    for (uint32_t i = CALL_CHUNK; i-- > 0;) {
        list_init(&chunk[i].link);
        list_init(&chunk[i].granting);
        wheel_timer_init(&chunk[i].timer);
        chunk[i].id = (first + i) | table->first_generation << CALL_SLOT_BITS;
        chunk[i].next = table->free;
        table->free = &chunk[i];
    }
    return true;
}

void call_free_request(struct call *call)
{
    blob_unref(&call->attached);
    free(call->heap);
    call->heap = NULL;
}

size_t call_size(const struct call *call)
{
    return (size_t)PACKET_HEADER_SIZE + call->service_size + call->method_size +
           call->metadata_size + call->body_size +
           (call->attached == NULL ? 0 : call->attached->size);
}
