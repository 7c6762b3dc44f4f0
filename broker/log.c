/* Writes the log of busbard and keeps warnings from flooding it. */
#include "broker/log.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
    TIME_SIZE = 40,
    SECOND_MS = 1000,
};

static const char *const words[] = {
    [BROKER_LOG_ERROR] = "error",
    [BROKER_LOG_WARNING] = "warning",
    [BROKER_LOG_INFO] = "info",
    [BROKER_LOG_DEBUG] = "debug",
};

void log_init(struct log *log, FILE *out)
{
    *log = (struct log){.out = out, .level = BROKER_LOG_INFO};
}

enum broker_log_level log_level_of(const char *word)
{
    for (size_t level = 0; level < ARRAY_SIZE(words); level++) {
        if (strcmp(words[level], word) == 0)
            return (enum broker_log_level)level;
    }
    return BROKER_LOG_INFO;
}

/* For people and other programs' logs; the broker itself never looks at this clock. */
static const char *time_text(char out[TIME_SIZE])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t used = strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + used, TIME_SIZE - used, ".%03dZ", (int)(now.tv_nsec / 1000000));
    return out;
}

/* An event is one line, whatever its fields hold. */
static const char *one_line(char out[LOG_FIELDS_SIZE], const char *fields)
{
    size_t i = 0;
    for (; i < LOG_FIELDS_SIZE - 1 && fields[i] != '\0'; i++)
        out[i] = (unsigned char)fields[i] < ' ' || fields[i] == 0x7f ? '?' : fields[i];
    out[i] = '\0';
    return out;
}

static void write_line(struct log *log, const struct log_entry *entry)
{
    char fields[LOG_FIELDS_SIZE];
    char time[TIME_SIZE];
    one_line(fields, entry->fields != NULL ? entry->fields : "");
    fprintf(log->out, "%s %s %s%s%s\n", time_text(time), words[entry->level], entry->event,
            fields[0] != '\0' ? " " : "", fields);
    fflush(log->out);
}

/* Starts a limit's next second, and says how much of the last one was not written. */
static void turn_over(struct log *log, struct log_limit *limit, uint64_t now_ms)
{
    char fields[40];
    uint64_t suppressed = limit->suppressed;
    limit->since = now_ms;
    limit->written = 0;
    limit->suppressed = 0;
    if (suppressed == 0)
        return;
    snprintf(fields, sizeof fields, "suppressed=%" PRIu64, suppressed);
    struct log_entry entry = {BROKER_LOG_WARNING, limit->event, fields};
    write_line(log, &entry);
}

static struct log_limit *find_limit(struct log *log, const char *event, uint64_t now_ms)
{
    for (size_t i = 0; i < log->limit_count; i++) {
        if (strncmp(log->limits[i].event, event, LOG_EVENT_SIZE - 1) == 0)
            return &log->limits[i];
    }
    if (log->limit_count == LOG_LIMITS)
        return &log->limits[LOG_LIMITS - 1];
    struct log_limit *limit = &log->limits[log->limit_count++];
    *limit = (struct log_limit){.since = now_ms};
    snprintf(limit->event, sizeof limit->event, "%s", event);
    return limit;
}

static void turn_over_all(struct log *log, uint64_t now_ms)
{
    for (size_t i = 0; i < log->limit_count; i++) {
        if (now_ms - log->limits[i].since >= SECOND_MS)
            turn_over(log, &log->limits[i], now_ms);
    }
}

static bool is_suppressed(struct log *log, const struct log_entry *entry, uint64_t now_ms)
{
    if (entry->level != BROKER_LOG_WARNING)
        return false;
    struct log_limit *limit = find_limit(log, entry->event, now_ms);
    if (limit->written < LOG_PER_SECOND) {
        limit->written++;
        return false;
    }
    limit->suppressed++;
    return true;
}

void log_write(struct log *log, const struct log_entry *entry, uint64_t now_ms)
{
    if (entry->level > log->level)
        return;
    turn_over_all(log, now_ms);
    if (!is_suppressed(log, entry, now_ms))
        write_line(log, entry);
}

void log_write_always(struct log *log, const struct log_entry *entry)
{
    write_line(log, entry);
}

void log_flush(struct log *log)
{
    for (size_t i = 0; i < log->limit_count; i++)
        turn_over(log, &log->limits[i], log->limits[i].since);
}
