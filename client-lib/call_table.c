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

static bool call_table_grow(struct call_table *table)
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
        chunk[i].next_free = table->first_free;
        table->first_free = first + i + 1;
    }
    return true;
}

struct call *call_table_take(struct call_table *table)
{
    if (table->first_free == 0 && !call_table_grow(table))
        return NULL;
    struct call *call = call_table_at(table, table->first_free - 1);
    table->first_free = call->next_free;
    table->used++;
    call->grants = 0;
    call->sends = 0;
    call->resets = 0;
    call->refusals = 0;
    call->is_cancelled = false;
    call->has_part = false;
    call->is_doubtful = false;
    return call;
}

void call_table_give_back(struct call_table *table, struct call *call)
{
    uint32_t slot = call->id & CALLS_MAX;
    if (call->attached != NULL)
        blob_unref(&call->attached);
    if (call->heap != NULL)
        free(call->heap);
    call->heap = NULL;
    call->state = CALL_FREE;
    call->id += UINT64_C(1) << CALL_SLOT_BITS;
    call->next_free = table->first_free;
    table->first_free = slot + 1;
    table->used--;
}

size_t call_size(const struct call *call)
{
    return (size_t)PACKET_HEADER_SIZE + call->service_size + call->method_size +
           call->metadata_size + call->body_size +
           (call->attached == NULL ? 0 : call->attached->size);
}
