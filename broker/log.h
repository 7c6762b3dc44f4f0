/* The log of the program busbard: one line per event; the core itself only reports events. */
#ifndef BROKER_LOG_H
#define BROKER_LOG_H

#include "broker/broker.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    LOG_LIMITS = 32,        /* events that are counted apart; further ones share the last count */
    LOG_PER_SECOND = 10,    /* warnings of one event */
    LOG_EVENT_SIZE = 48,    /* of the name of an event, with its NUL */
    LOG_FIELDS_SIZE = 1024, /* of an event's fields; more is cut off */
};

struct log_limit {
    char event[LOG_EVENT_SIZE];
    uint64_t since; /* the second that is counted began at this ms */
    uint32_t written;
    uint64_t suppressed;
};

struct log {
    FILE *out;
    enum broker_log_level level;
    struct log_limit limits[LOG_LIMITS];
    size_t limit_count;
};

void log_init(struct log *log, FILE *out);

/* "error", "warning", "info", "debug"; anything else means info. */
enum broker_log_level log_level_of(const char *word);

/*
 * Writes `TIME LEVEL EVENT FIELDS`, if the level is wanted. Fields are `key=value` with spaces
 * between them, or NULL; whoever makes them quotes what comes from a peer (base/quote.h). Of one
 * event's warnings only the first ten of a second are written, and later how many were not.
 */
struct log_entry {
    enum broker_log_level level;
    const char *event;
    const char *fields;
};
void log_write(struct log *log, const struct log_entry *entry, uint64_t now_ms);

/* The same whatever the level. */
void log_write_always(struct log *log, const struct log_entry *entry);

/* Writes what is still unsaid of suppressed warnings; before the end. */
void log_flush(struct log *log);

#endif
