/* What a thread keeps of results, by the owner they are kept for; keeps from others that thread and
 * owner may end in any order. */
#ifndef OBJECTS_SLOTS_H
#define OBJECTS_SLOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "objects/outcome.h"

struct slot;

/* The slots of one thread: a hash table by owner, empty while all zero. Of its thread alone. */
struct slot_table {
    struct slot **cells;
    size_t size;  /* of the table, a power of two */
    size_t count; /* slots in it, those of owners that are gone included */
};

/* outcome_keep with the table of this thread. */
bool slot_table_keep(struct slot_table *table, struct outcome_slots *owner, void *memory);

/* Frees what is kept, and the table. It is all zero then. */
void slot_table_fini(struct slot_table *table);

#endif
