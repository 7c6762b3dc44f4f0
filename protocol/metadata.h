/*
 * Metadata: what travels with a call or an answer besides its body, as entries of key, length and
 * value. Knows the keys that this protocol assigns; docs/protocol.md, "Metadata", is its text.
 */
#ifndef PROTOCOL_METADATA_H
#define PROTOCOL_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/packet.h"

enum metadata_key {
    METADATA_ITEM = 0x0001,     /* u8 length of the name, name, value: the application's own map */
    METADATA_HOPS = 0x0002,     /* u8: handlers that this call comes through */
    METADATA_KEY = 0x0003,      /* 1 to 255 bytes: calls of one key go to one worker */
    METADATA_WAIT = 0x0004,     /* u32 ms to wait for a service that nobody serves */
    METADATA_WINDOW = 0x0005,   /* u32: parts that may be sent before a GRANT */
    METADATA_CALLER = 0x0006,   /* of the broker: who calls, see struct metadata_caller */
    METADATA_ATTEMPTS = 0x0007, /* of the broker: u64 worker, u32 ms for each attempt */
};

enum {
    METADATA_ENTRY_HEADER = 4,
    METADATA_KEY_MAX = 255,
    METADATA_NAME_MAX = 255,
    METADATA_INSTANCE_SIZE = 16,
    METADATA_CALLER_SIZE = 8 + METADATA_INSTANCE_SIZE, /* without the name */
    METADATA_ATTEMPT_SIZE = 12,
};

/* One entry, its value still in the packet. */
struct metadata_entry {
    uint16_t key;
    struct bytes value;
};

/* Takes the next entry off the front of `rest`; false at the end, or at an entry that does not fit. */
bool metadata_next(struct bytes *rest, struct metadata_entry *entry);

/* The first entry of the key; false if there is none. */
bool metadata_find(struct bytes metadata, uint16_t key, struct bytes *value);

/* A number of `size` 1, 4 or 8 bytes; false if there is no such entry or it has another size. */
bool metadata_find_number(struct bytes metadata, uint16_t key, size_t size, uint64_t *number);

/* Name and value of an ITEM; false if the entry is none, or has no name, or is too short for it. */
bool metadata_item(const struct metadata_entry *entry, struct bytes *name, struct bytes *value);

/* The value of the application's item of this name, the first if there are several. */
bool metadata_find_item(struct bytes metadata, struct bytes name, struct bytes *value);

/* Who calls, as the broker knows it. */
struct metadata_caller {
    uint64_t session;                         /* number of the session in this run of the broker */
    uint8_t instance[METADATA_INSTANCE_SIZE]; /* of the client's HELLO */
    struct bytes name;                        /* as authenticated; empty without authentication */
};

bool metadata_find_caller(struct bytes metadata, struct metadata_caller *caller);

struct metadata_attempt {
    uint64_t worker; /* number of its session */
    uint32_t ms;     /* from the moment it was given the call to the loss of it */
};

/* At most `limit` attempts of the list; returns how many. */
size_t metadata_attempts(struct bytes metadata, struct metadata_attempt *attempts, size_t limit);

/* Builds metadata in a buffer of the caller's; what does not fit sets `full` and is left out. */
struct metadata_writer {
    uint8_t *data;
    size_t capacity; /* at most PACKET_METADATA_MAX */
    size_t size;
    bool full;
};

void metadata_put(struct metadata_writer *writer, uint16_t key, struct bytes value);
void metadata_put_number(struct metadata_writer *writer, uint16_t key, size_t size,
                         uint64_t number);
void metadata_put_item(struct metadata_writer *writer, struct bytes name, struct bytes value);
void metadata_put_caller(struct metadata_writer *writer, const struct metadata_caller *caller);
void metadata_put_attempts(struct metadata_writer *writer, const struct metadata_attempt *attempts,
                           size_t count);
/* Entries that are written already, as they stand: another packet's metadata. */
void metadata_put_all(struct metadata_writer *writer, struct bytes entries);

static inline struct bytes metadata_written(const struct metadata_writer *writer)
{
    return (struct bytes){.data = writer->data, .size = writer->size};
}

#endif
