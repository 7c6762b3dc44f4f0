/* What can be set of a broker, checked; how the file is read stays in settings.c. */
#ifndef BROKER_SETTINGS_H
#define BROKER_SETTINGS_H

#include <busbar/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "broker/rules.h"

struct settings_errors;
struct settings_node;

#define BROKER_DEFAULT_ENDPOINT "tcp://127.0.0.1:7766"

struct broker_bind {
    char *endpoint;
};

/* Dialects of Majordomo that are no version of its specification: docs/majordomo.md. */
enum majordomo_dialect {
    MAJORDOMO_D1,
    MAJORDOMO_D4,
};

struct majordomo_compat {
    enum majordomo_dialect dialect;
};

/* What holds for Majordomo peers: key `majordomo`. */
struct majordomo_settings {
    uint32_t heartbeat_interval;     /* ms; 2500 */
    uint32_t heartbeat_liveness;     /* intervals; 3 */
    uint32_t busy;                   /* ms that a worker with a request may be silent; 10 min */
    uint32_t wait;                   /* ms that a request waits for what nobody serves; 30 s */
    uint32_t timeout;                /* ms from a request to its reply; 30 min */
    uint32_t idle;                   /* ms that a client without requests is known; 30 s */
    bool errors;                     /* answer requests that fail */
    struct majordomo_compat *compat; /* dialects taken besides the two versions */
    size_t compat_count;
};

struct broker_settings {
    struct broker_bind *binds; /* key `bind`: a list of strings or maps {endpoint: …} */
    size_t bind_count;
    bool allow_plaintext;        /* must be true to bind anything but loopback, ipc or inproc */
    uint64_t body_limit;         /* bytes of one body, announced in WELCOME; 16 MiB */
    uint32_t heartbeat_interval; /* ms between heartbeats of a worker; 1000 */
    uint32_t heartbeat_liveness; /* intervals of silence after which a worker is lost; 3 */
    uint64_t queue_calls;        /* calls one service may have waiting; 100000 */
    uint64_t queue_bytes;        /* bytes one service may have waiting; 256 MiB */
    uint64_t outbox_bytes;       /* bytes due to one peer before it is cut; 64 MiB */
    uint32_t queue_age;          /* ms one may wait; 0: until its deadline */
    uint64_t client_calls;       /* calls of one client without outcome; 1000000 */
    uint64_t retained_bytes;     /* request bytes kept for one client; 64 MiB */
    uint32_t attempts;           /* how often an idempotent call is given to a worker; 3 */
    uint32_t retry_budget;       /* percent of a service's calls; 10 */
    uint32_t retry_reserve;      /* repetitions a service has at first; 1000 */
    uint64_t waiting_calls;      /* calls that may wait for what nobody serves; 10000 */
    uint32_t settle;             /* ms after a restart in which all do; 2000 */
    uint32_t hops;               /* handlers a call may come through; 32 */
    uint32_t drain;              /* ms that running calls have when the broker stops; 5000 */
    struct service_rule *rules;  /* key `services` */
    size_t rule_count;
    struct majordomo_settings majordomo;
    uint32_t session_limit; /* connected peers; 0: what the file descriptor limit allows */
    char *log_level;        /* error, warning, info, debug */
};

/* What a command line says; it comes before what a file says. */
struct broker_settings_input {
    const char *file;         /* "-": stdin; NULL: none */
    const char *const *binds; /* replace the file's */
    size_t bind_count;        /* 0: the file's, or the default */
    const char *log_level;    /* NULL: the file's, or the default */
};

/* The defaults. Whatever these functions return, the settings can be given to _fini after them. */
__attribute__((warn_unused_result)) enum busbar_status broker_settings_init(
    struct broker_settings *settings);

/* What a map of the same keys as a file's says, over what is in `settings`. */
__attribute__((warn_unused_result)) enum busbar_status broker_settings_read(
    struct broker_settings *settings, const struct settings_node *map,
    struct settings_errors *errors);

/* Replaces the binds. */
__attribute__((warn_unused_result)) enum busbar_status broker_settings_set_binds(
    struct broker_settings *settings, const char *const *endpoints, size_t count);

/*
 * The rules that concern several settings at once; `map` is what was read, for the places of
 * errors, or NULL.
 */
__attribute__((warn_unused_result)) enum busbar_status broker_settings_check(
    const struct broker_settings *settings, const struct settings_node *map,
    struct settings_errors *errors);

/* All of the above: BAD_CONFIG if there are errors, and then all of them are in `errors`. */
__attribute__((warn_unused_result)) enum busbar_status broker_settings_load(
    struct broker_settings *settings, const struct broker_settings_input *input,
    struct settings_errors *errors);

/* The settings as a file that reads back the same, each with its explanation. */
void broker_settings_dump(const struct broker_settings *settings, FILE *out);

void broker_settings_fini(struct broker_settings *settings);

#endif
