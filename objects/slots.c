#include "objects/slots.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "objects/fork_lock.h"

enum {
    TABLE_SIZE_MIN = 8,
};

/* Counted: by whoever made it, and by each slot, so that a thread finds it until the end of both. */
struct outcome_slots {
    struct fork_lock lock; /* of the members below, and of all slots' places in the list */
    size_t references;
    bool gone;         /* destroyed: its slots are empty */
    struct list slots; /* one for each thread that kept something */
};

struct slot {
    struct outcome_slots *owner; /* a reference */
    struct list of_owner;
    /* Written by its thread alone, without the lock, while its owner lives; see there. */
    void *memory;
};

bool outcome_slots_init(struct outcome_slots **ret)
{
    *ret = NULL;
    struct outcome_slots *owner = calloc(1, sizeof *owner);
    if (owner == NULL)
        return false;
    if (!fork_lock_init(&owner->lock)) {
        free(owner);
        return false;
    }
    owner->references = 1;
    list_init(&owner->slots);
    *ret = owner;
    return true;
}

/* Ends a reference and the lock that was taken before. */
static void leave(struct outcome_slots *owner)
{
    bool last = --owner->references == 0;
    fork_lock_give(&owner->lock);
    if (!last)
        return;
    fork_lock_fini(&owner->lock);
    free(owner);
}

/*
 * Nobody calls a function that is being destroyed, so no thread is writing its slot now, and what
 * they wrote is to be seen here: whoever destroys must know that their calls have ended. Threads
 * that end at this moment are kept away by the lock.
 */
void outcome_slots_destroy(struct outcome_slots **owner)
{
    if (*owner == NULL)
        return;
    struct outcome_slots *gone = STEAL(*owner);
    fork_lock_take(&gone->lock);
    gone->gone = true;
    LIST_EACH(node, &gone->slots) {
        struct slot *slot = CONTAINER_OF(node, struct slot, of_owner);
        list_remove(&slot->of_owner);
        free(STEAL(slot->memory));
    }
    leave(gone);
}

static void slot_destroy(struct slot *slot)
{
    fork_lock_take(&slot->owner->lock);
    list_remove(&slot->of_owner);
    free(STEAL(slot->memory));
    leave(slot->owner);
    free(slot);
}

static bool slot_is_of_gone(struct slot *slot)
{
    fork_lock_take(&slot->owner->lock);
    bool gone = slot->owner->gone;
    fork_lock_give(&slot->owner->lock);
    return gone;
}

/* Where the slot of an owner is or would be; the table has an empty cell. */
static struct slot **table_find(const struct slot_table *table, const struct outcome_slots *owner)
{
    uint64_t hash = (uint64_t)(uintptr_t)owner * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (table->size - 1);
    while (table->cells[at] != NULL && table->cells[at]->owner != owner)
        at = (at + 1) & (table->size - 1);
    return &table->cells[at];
}

static size_t table_living(const struct slot_table *table)
{
    size_t living = 0;
    for (size_t i = 0; i < table->size; i++)
        living += table->cells[i] != NULL && !slot_is_of_gone(table->cells[i]);
    return living;
}

/* Makes room for one more, and drops the slots whose owners are gone. */
static bool table_make_room(struct slot_table *table)
{
    struct slot_table fresh = {.size = TABLE_SIZE_MIN};
    size_t living = table_living(table);
    while (fresh.size < 4 * (living + 1))
        fresh.size *= 2;
    fresh.cells = calloc(fresh.size, sizeof(struct slot *));
    if (fresh.cells == NULL)
        return false;
    for (size_t i = 0; i < table->size; i++) {
        struct slot *slot = table->cells[i];
        if (slot == NULL)
            continue;
        if (slot_is_of_gone(slot)) {
            slot_destroy(slot);
            continue;
        }
        *table_find(&fresh, slot->owner) = slot;
        fresh.count++;
    }
    free(table->cells);
    *table = fresh;
    return true;
}

/* A new slot; NULL when out of memory. */
static struct slot *table_add(struct slot_table *table, struct outcome_slots *owner)
{
    if (2 * (table->count + 1) > table->size && !table_make_room(table))
        return NULL;
    struct slot *slot = calloc(1, sizeof *slot);
    if (slot == NULL)
        return NULL;
    slot->owner = owner;
    fork_lock_take(&owner->lock);
    owner->references++;
    list_append(&owner->slots, &slot->of_owner);
    fork_lock_give(&owner->lock);
    *table_find(table, owner) = slot;
    table->count++;
    return slot;
}

bool slot_table_keep(struct slot_table *table, struct outcome_slots *owner, void *memory)
{
    struct slot *slot = table->size == 0 ? NULL : *table_find(table, owner);
    if (slot == NULL && memory == NULL)
        return true;
    if (slot == NULL)
        slot = table_add(table, owner);
    if (slot == NULL) {
        free(memory);
        return false;
    }
    free(slot->memory);
    slot->memory = memory;
    return true;
}

void slot_table_fini(struct slot_table *table)
{
    for (size_t i = 0; i < table->size; i++) {
        if (table->cells[i] != NULL)
            slot_destroy(table->cells[i]);
    }
    free(table->cells);
    *table = (struct slot_table){0};
}
