/* Slots in chunks that stay where they are; requests kept beyond their message. */
#include "broker/call.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "base/random.h"
#include "broker/peer.h"

enum {
    GENERATION_BITS = 64 - CALL_SLOT_BITS,
};

bool call_table_init(struct call_table *table)
{
    *table = (struct call_table){0};
    return true;
}

void call_table_fini(struct call_table *table)
{
    assert(table->count == 0);
    for (size_t i = 0; i < table->chunk_count; i++)
        free(table->chunks[i]);
    free(table->chunks);
    *table = (struct call_table){0};
}

static uint64_t generation_mask(uint64_t generation)
{
    return generation & ((UINT64_C(1) << GENERATION_BITS) - 1);
}

/* Chunks stay where they are, so that calls can be linked. */
bool call_table_grow(struct call_table *table)
{
    if (table->chunk_count == CALL_SLOTS_MAX / CALL_CHUNK_SLOTS)
        return false;
    struct call **chunks = realloc(table->chunks, (table->chunk_count + 1) * sizeof(struct call *));
    if (chunks == NULL)
        return false;
    table->chunks = chunks;
    struct call *chunk = calloc(CALL_CHUNK_SLOTS, sizeof *chunk);
    if (chunk == NULL)
        return false;
    uint64_t start = random_u64();
    for (uint32_t i = CALL_CHUNK_SLOTS; i-- > 0;) {
        struct call *call = &chunk[i];
        call->slot = (uint32_t)(table->chunk_count << CALL_CHUNK_BITS) + i;
        call->generation = generation_mask(start);
        wheel_timer_init(&call->timer);
        call->next_free = table->free;
        table->free = call;
    }
    table->chunks[table->chunk_count++] = chunk;
    return true;
}

void call_renew_id(struct call *call)
{
    call->generation = generation_mask(call->generation + 1);
}

void call_table_put(struct call_table *table, struct call *call)
{
    assert(call->state != CALL_FREE);
    assert(!wheel_timer_is_set(&call->timer));
    if (call->tried != NULL) {
        free(call->tried);
        call->tried = NULL;
    }
    if (call->kept != NULL)
        kept_destroy(&call->kept);
    if (call->is_oneway)
        free(call->caller);
    if (call->is_stream)
        call->granted = 0;
    call_renew_id(call);
    call->state = CALL_FREE;
    call->attempts = 0;
    call->idempotent = false;
    call->idempotent_by_client = false;
    call->is_oneway = false;
    call->is_stream = false;
    call->is_streamed = false;
    call->is_waiting = false;
    call->is_given = false;
    call->window = 0;
    call->wait_until = 0;
    call->stall = 0;
    call->client = NULL;
    call->worker = NULL;
    call->method = NULL;
    call->lane = NULL;
    call->next_free = table->free;
    table->free = call;
    table->count--;
}

struct call *call_table_find(const struct call_table *table, uint64_t id)
{
    struct call *call = call_table_slot(table, id);
    if (call == NULL || call->state == CALL_FREE || call->generation != id >> CALL_SLOT_BITS)
        return NULL;
    return call;
}

uint32_t call_table_slots(const struct call_table *table)
{
    return (uint32_t)(table->chunk_count << CALL_CHUNK_BITS);
}

struct call *call_table_at(const struct call_table *table, uint32_t slot)
{
    return &table->chunks[slot >> CALL_CHUNK_BITS][slot & (CALL_CHUNK_SLOTS - 1)];
}

struct caller *caller_new(const struct peer *client)
{
    size_t name_size = client->name == NULL ? 0 : strlen(client->name);
    struct caller *caller = malloc(sizeof *caller + name_size);
    if (caller == NULL)
        return NULL;
    caller->session = client->number;
    memcpy(caller->instance, client->instance, sizeof caller->instance);
    caller->name_size = name_size;
    if (name_size > 0)
        memcpy(caller->name, client->name, name_size);
    return caller;
}

struct kept *kept_new(const struct packet *packet, struct blob *attached)
{
    size_t body = attached == NULL ? packet->body.size : 0;
    struct kept *kept = malloc(sizeof *kept + packet->metadata.size + body);
    if (kept == NULL)
        return NULL;
    kept->attached = attached == NULL ? NULL : blob_ref(attached);
    kept->metadata_size = packet->metadata.size;
    kept->body_size = body;
    if (packet->metadata.size > 0)
        memcpy(kept->data, packet->metadata.data, packet->metadata.size);
    if (body > 0)
        memcpy(kept->data + packet->metadata.size, packet->body.data, body);
    return kept;
}

void kept_destroy(struct kept **kept)
{
    if (*kept == NULL)
        return;
    blob_unref(&(*kept)->attached);
    free(*kept);
    *kept = NULL;
}
