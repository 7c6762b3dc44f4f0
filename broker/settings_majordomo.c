/* The keys of a broker's file that concern Majordomo peers, and services that have some. */
#include "base/cleanup.h"
#include "broker/settings.h"
#include "broker/settings_table.h"
#include "protocol/name.h"

#include <string.h>

enum {
    DAY_MS = 24 * 3600 * 1000,
};

#define AT(member, type) SETTINGS_AT(struct majordomo_settings, member, type)

static const struct settings_key heartbeat_keys[] = {
    {
        .key = "interval",
        .type = SETTINGS_DURATION,
        .offset = AT(heartbeat_interval, uint32_t),
        .standard = "2500ms",
        .min = 10,
        .max = 3600 * 1000,
        .help = "How often each side sends one. 10ms to 1h.",
    },
    {
        .key = "liveness",
        .type = SETTINGS_U32,
        .offset = AT(heartbeat_liveness, uint32_t),
        .standard = "3",
        .min = 2,
        .max = 100,
        .help = "After how many silent intervals a worker without a request is lost. 2 to 100.",
    },
};

static const struct settings_table heartbeat_table = {heartbeat_keys, ARRAY_SIZE(heartbeat_keys), 0,
                                                      NULL};

/* In the order of enum majordomo_dialect. */
static const char *const dialects[] = {"d1", "d4", NULL};

static const struct settings_key compat_keys[] = {
    {
        .key = "dialect",
        .type = SETTINGS_ENUM,
        .required = true,
        .offset = SETTINGS_AT(struct majordomo_compat, dialect, enum majordomo_dialect),
        .words = dialects,
    },
};

static const struct settings_table compat_table = {
    .keys = compat_keys,
    .count = ARRAY_SIZE(compat_keys),
    .size = sizeof(struct majordomo_compat),
    .shorthand = "dialect",
};

static const struct settings_key keys[] = {
    {
        .key = "heartbeat",
        .type = SETTINGS_GROUP,
        .table = &heartbeat_table,
        .help = "Workers that fall silent are found out by this.",
    },
    {
        .key = "busy",
        .type = SETTINGS_DURATION,
        .offset = AT(busy, uint32_t),
        .standard = "10m",
        .min = 10,
        .max = DAY_MS,
        .help = "How long a worker that has a request may be silent. 10ms to 24h.",
    },
    {
        .key = "wait",
        .type = SETTINGS_DURATION,
        .offset = AT(wait, uint32_t),
        .standard = "30s",
        .max = DAY_MS,
        .help = "How long a request waits for a service that nobody serves. 0 to 24h.",
    },
    {
        .key = "timeout",
        .type = SETTINGS_DURATION,
        .offset = AT(timeout, uint32_t),
        .standard = "30m",
        .min = 10,
        .max = DAY_MS,
        .help = "How long a request may take from its arrival to its reply. 10ms to 24h.",
    },
    {
        .key = "idle",
        .type = SETTINGS_DURATION,
        .offset = AT(idle, uint32_t),
        .standard = "30s",
        .min = 10,
        .max = DAY_MS,
        .help = "After which a client that waits for nothing has no session any more. 10ms to\n"
                "24h. Its next request begins another.",
    },
    {
        .key = "errors",
        .type = SETTINGS_BOOL,
        .offset = AT(errors, bool),
        .standard = "false",
        .help = "Answer a request that fails with a frame like `404 NO_SERVICE ...`, instead of\n"
                "not at all.",
    },
    {
        .key = "compat",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = AT(compat, struct majordomo_compat *),
        .count_offset = AT(compat_count, size_t),
        .max = 8,
        .table = &compat_table,
        .help = "Dialects that call themselves 0.2 and are not: d1, d4.",
    },
};

const struct settings_table majordomo_table = {keys, ARRAY_SIZE(keys),
                                               sizeof(struct majordomo_settings), NULL};

/* Of one service ------------------------------------------------------------------------------ */

static const char *method_expected(const char *text)
{
    return text[0] == '\0' || name_is_method(text, strlen(text)) ? NULL : "the name of a method";
}

static const struct settings_key rule_keys[] = {
    {
        .key = "method",
        .type = SETTINGS_STRING,
        .offset = SETTINGS_AT(struct service_rule, method, char *),
        .standard = "",
        .check = method_expected,
    },
    {
        .key = "method_frame",
        .type = SETTINGS_BOOL,
        .offset = SETTINGS_AT(struct service_rule, method_frame, bool),
        .standard = "false",
    },
};

const struct settings_table majordomo_rule_table = {rule_keys, ARRAY_SIZE(rule_keys), 0, NULL};
