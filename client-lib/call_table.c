/* The slots of a client's calls: chunks that never move, each slot with a generation. */
#include "client-lib/call_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum {
    CHUNK_BITS = 7,
    CHUNK_CALLS = 1 << CHUNK_BITS,
    CHUNKS_MAX = CALLS_MAX / CHUNK_CALLS,
    CALL_FLAGS_SENT = BUSBAR_IDEMPOTENT | BUSBAR_ONEWAY | BUSBAR_STREAM,
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

static struct call *call_at(const struct call_table *table, uint32_t slot)
{
    return &table->chunks[slot >> CHUNK_BITS][slot & (CHUNK_CALLS - 1)];
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
    struct call *chunk = calloc(CHUNK_CALLS, sizeof *chunk);
    if (chunk == NULL)
        return false;
    table->chunks[table->chunk_count] = chunk;
    uint32_t first = table->chunk_count++ << CHUNK_BITS;
    for (uint32_t i = CHUNK_CALLS; i-- > 0;) {
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
    struct call *call = call_at(table, table->first_free - 1);
    uint64_t id = call->id;
    table->first_free = call->next_free;
    table->used++;
    memset(call, 0, offsetof(struct call, space));
    call->id = id;
    list_init(&call->link);
    list_init(&call->granting);
    wheel_timer_init(&call->timer);
    return call;
}

void call_table_give_back(struct call_table *table, struct call *call)
{
    uint32_t slot = call->id & CALLS_MAX;
    blob_unref(&call->attached);
    free(call->heap);
    call->heap = NULL;
    call->state = CALL_FREE;
    call->id += UINT64_C(1) << CALL_SLOT_BITS;
    call->next_free = table->first_free;
    table->first_free = slot + 1;
    table->used--;
}

struct call *call_table_find(const struct call_table *table, uint64_t id)
{
    uint32_t slot = id & CALLS_MAX;
    if (slot >> CHUNK_BITS >= table->chunk_count)
        return NULL;
    struct call *call = call_at(table, slot);
    return call->id == id && call->state != CALL_FREE ? call : NULL;
}

uint8_t *call_reserve(struct call *call, size_t size)
{
    if (size <= CALL_SPACE)
        return call->space;
    call->heap = malloc(size);
    return call->heap;
}

size_t call_size(const struct call *call)
{
    return (size_t)PACKET_HEADER_SIZE + call->service_size + call->method_size +
           call->metadata_size + call->body_size +
           (call->attached == NULL ? 0 : call->attached->size);
}

struct packet call_packet(const struct call *call)
{
    const uint8_t *service = call_bytes(call);
    const uint8_t *method = service + call->service_size;
    const uint8_t *metadata = method + call->method_size;
    return (struct packet){
        .command = PACKET_CALL,
        .flags = (uint8_t)((call->flags & CALL_FLAGS_SENT) |
                           (call->attached == NULL ? 0 : PACKET_ATTACHED)),
        .encoding = call->encoding,
        .id = call->id,
        .service = {.data = service, .size = call->service_size},
        .method = {.data = method, .size = call->method_size},
        .metadata = {.data = metadata, .size = call->metadata_size},
        .body = {.data = metadata + call->metadata_size, .size = call->body_size},
    };
}
