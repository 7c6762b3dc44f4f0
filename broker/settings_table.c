/* Every key of a broker's file, with its default, its range and its explanation. */
#include "broker/settings_table.h"

#include <string.h>

#include "base/cleanup.h"
#include "broker/settings.h"
#include "protocol/endpoint.h"
#include "protocol/name.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

enum {
    DAY_MS = 24 * 3600 * 1000,
};

#define AT(member, type) SETTINGS_AT(struct broker_settings, member, type)

static const char *const levels[] = {"error", "warning", "info", "debug", NULL};

static const struct settings_key bind_keys[] = {
    {
        .key = "endpoint",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = SETTINGS_AT(struct broker_bind, endpoint, char *),
        .check = endpoint_expected,
    },
};

static const struct settings_table bind_table = {
    .keys = bind_keys,
    .count = ARRAY_SIZE(bind_keys),
    .size = sizeof(struct broker_bind),
    .shorthand = "endpoint",
};

static const struct settings_key heartbeat_keys[] = {
    {
        .key = "interval",
        .type = SETTINGS_DURATION,
        .offset = AT(heartbeat_interval, uint32_t),
        .standard = "1s",
        .min = 10,
        .max = 3600 * 1000,
        .help = "How often a worker shows that it is alive. 10ms to 1h.",
    },
    {
        .key = "liveness",
        .type = SETTINGS_U32,
        .offset = AT(heartbeat_liveness, uint32_t),
        .standard = "3",
        .min = 2,
        .max = 100,
        .help = "After how many silent intervals a worker counts as lost. 2 to 100.",
    },
};

static const struct settings_table heartbeat_table = {heartbeat_keys, ARRAY_SIZE(heartbeat_keys), 0,
                                                      NULL};

static const struct settings_key queue_keys[] = {
    {
        .key = "calls",
        .type = SETTINGS_U64,
        .offset = AT(queue_calls, uint64_t),
        .standard = "100000",
        .min = 1,
        .max = 100 * 1000 * 1000,
        .help = "How many calls may wait. 1 to 100000000.",
    },
    {
        .key = "bytes",
        .type = SETTINGS_SIZE,
        .offset = AT(queue_bytes, uint64_t),
        .standard = "256 MiB",
        .min = 64 * KIB,
        .max = TIB,
        .help = "How many bytes they may have together. 64 KiB to 1024 GiB.",
    },
    {
        .key = "age",
        .type = SETTINGS_DURATION,
        .offset = AT(queue_age, uint32_t),
        .standard = "0",
        .max = DAY_MS,
        .help = "How long one may wait, up to 24h; 0: until its deadline.",
    },
};

static const struct settings_table queue_table = {queue_keys, ARRAY_SIZE(queue_keys), 0, NULL};

static const struct settings_key retry_keys[] = {
    {
        .key = "budget",
        .type = SETTINGS_U32,
        .offset = AT(retry_budget, uint32_t),
        .standard = "10",
        .max = 100,
        .help = "Of a hundred calls of a service, how many may be given to another worker. 0 to\n"
                "100.",
    },
    {
        .key = "reserve",
        .type = SETTINGS_U32,
        .offset = AT(retry_reserve, uint32_t),
        .standard = "1000",
        .max = 1000 * 1000,
        .help = "How many such calls a service has in hand at first, and saves up at most, up to\n"
                "1000000; 0: there is no budget.",
    },
};

static const struct settings_table retry_table = {retry_keys, ARRAY_SIZE(retry_keys), 0, NULL};

static const struct settings_key wait_keys[] = {
    {
        .key = "calls",
        .type = SETTINGS_U64,
        .offset = AT(waiting_calls, uint64_t),
        .standard = "10000",
        .max = 16 * 1000 * 1000,
        .help = "How many calls may wait for services or methods that nobody serves, up to\n"
                "16000000; more end as BUSY.",
    },
    {
        .key = "settle",
        .type = SETTINGS_DURATION,
        .offset = AT(settle, uint32_t),
        .standard = "2s",
        .max = 3600 * 1000,
        .help = "How long after its start all calls do, once a peer has told that it knew an\n"
                "earlier run of the broker: workers are on their way back. 0 to 1h.",
    },
};

static const struct settings_table wait_table = {wait_keys, ARRAY_SIZE(wait_keys), 0, NULL};

/* Of one service ------------------------------------------------------------------------------ */

#define RULE_AT(member, type) SETTINGS_AT(struct service_rule, member, type)

/* In the order of enum balance. */
static const char *const balances[] = {"default", "least_loaded", "round_robin",
                                       "random",  "sticky",       NULL};

static const struct settings_key rule_queue_keys[] = {
    {
        .key = "calls",
        .type = SETTINGS_U64,
        .offset = RULE_AT(queue_calls, uint64_t),
        .standard = "0",
        .max = 100 * 1000 * 1000,
    },
    {
        .key = "bytes",
        .type = SETTINGS_SIZE,
        .offset = RULE_AT(queue_bytes, uint64_t),
        .standard = "0",
        .max = TIB,
    },
    {
        .key = "age",
        .type = SETTINGS_DURATION,
        .offset = RULE_AT(queue_age, uint32_t),
        .standard = "0",
        .max = DAY_MS,
    },
};

static const struct settings_table rule_queue_table = {rule_queue_keys, ARRAY_SIZE(rule_queue_keys),
                                                       0, NULL};

static const struct settings_key rule_keys[] = {
    {
        .key = "balance",
        .type = SETTINGS_ENUM,
        .offset = RULE_AT(balance, enum balance),
        .standard = "default",
        .words = balances,
    },
    {
        .key = "queue",
        .type = SETTINGS_GROUP,
        .table = &rule_queue_table,
    },
    {
        .key = "majordomo",
        .type = SETTINGS_GROUP,
        .table = &majordomo_rule_table,
    },
};

static const struct settings_table rule_table = {rule_keys, ARRAY_SIZE(rule_keys),
                                                 sizeof(struct service_rule), NULL};

static const char *rule_name_expected(const char *text)
{
    size_t size = strlen(text);
    if (size > 0 && text[size - 1] == '*')
        size--;
    bool named = name_is_majordomo(text, size) && memchr(text, '*', size) == NULL;
    return (size == 0 && text[0] == '*') || named
               ? NULL
               : "the name of a service, or the beginning of some and a '*'";
}

static const struct settings_key log_keys[] = {
    {
        .key = "level",
        .type = SETTINGS_STRING,
        .offset = AT(log_level, char *),
        .standard = "info",
        .words = levels,
        .help = "error, warning, info or debug: what is less important is not written.",
    },
};

static const struct settings_table log_table = {log_keys, ARRAY_SIZE(log_keys), 0, NULL};

static const struct settings_key keys[] = {
    {
        .key = "version",
        .type = SETTINGS_CONSTANT,
        .standard = "1",
        .help = "The version of this file's form.",
    },
    {
        .key = "bind",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = AT(binds, struct broker_bind *),
        .count_offset = AT(bind_count, size_t),
        .standard = BROKER_DEFAULT_ENDPOINT,
        .min = 1,
        .max = 64,
        .table = &bind_table,
        .help = "Where to listen: tcp://HOST:PORT (port * takes a free one), ipc://PATH or\n"
                "inproc://NAME; one, or a list of them, each as it is or as {endpoint: ...}.",
    },
    {
        .key = "allow_plaintext",
        .type = SETTINGS_BOOL,
        .offset = AT(allow_plaintext, bool),
        .standard = "false",
        .help = "Must be true to listen where other machines can connect: there is no encryption\n"
                "and anyone who can connect can call and export everything.",
    },
    {
        .key = "body_limit",
        .type = SETTINGS_SIZE,
        .offset = AT(body_limit, uint64_t),
        .standard = "16 MiB",
        .min = KIB,
        .max = GIB,
        .help = "The largest body of a call or a reply. 1 KiB to 1 GiB.",
    },
    {
        .key = "heartbeat",
        .type = SETTINGS_GROUP,
        .table = &heartbeat_table,
        .help = "Workers that fall silent are found out by this.",
    },
    {
        .key = "queue",
        .type = SETTINGS_GROUP,
        .table = &queue_table,
        .help = "What may wait for the workers of one service; beyond it calls end as BUSY.",
    },
    {
        .key = "outbox_bytes",
        .type = SETTINGS_SIZE,
        .offset = AT(outbox_bytes, uint64_t),
        .standard = "64 MiB",
        .min = 64 * KIB,
        .max = TIB,
        .help = "How many bytes may be due to a peer that does not read before it is cut off; at\n"
                "least body_limit and 64 KiB. A worker gets no more calls from half of it on.",
    },
    {
        .key = "retained_bytes",
        .type = SETTINGS_SIZE,
        .offset = AT(retained_bytes, uint64_t),
        .standard = "64 MiB",
        .max = TIB,
        .help = "How many bytes of one client's calls are kept: of those that wait, and of\n"
                "idempotent ones until their replies, to send them to another worker should\n"
                "theirs be lost. Beyond it calls end as BUSY. 0 to 1024 GiB.",
    },
    {
        .key = "client_calls",
        .type = SETTINGS_U64,
        .offset = AT(client_calls, uint64_t),
        .standard = "1000000",
        .min = 1,
        .max = 16 * 1000 * 1000,
        .help = "How many calls of one client may have no outcome yet; beyond it calls end as\n"
                "BUSY. 1 to 16000000.",
    },
    {
        .key = "attempts",
        .type = SETTINGS_U32,
        .offset = AT(attempts, uint32_t),
        .standard = "3",
        .min = 1,
        .max = 3,
        .help = "To how many workers an idempotent call is given before it fails. 1 to 3.",
    },
    {
        .key = "retry",
        .type = SETTINGS_GROUP,
        .table = &retry_table,
        .help = "How many idempotent calls whose worker is lost are given to another one.",
    },
    {
        .key = "wait",
        .type = SETTINGS_GROUP,
        .table = &wait_table,
        .help = "Calls may wait for somebody to serve them.",
    },
    {
        .key = "hops",
        .type = SETTINGS_U32,
        .offset = AT(hops, uint32_t),
        .standard = "32",
        .min = 1,
        .max = 254,
        .help = "Through how many handlers, each calling the next, a call may come. 1 to 254.",
    },
    {
        .key = "drain",
        .type = SETTINGS_DURATION,
        .offset = AT(drain, uint32_t),
        .standard = "5s",
        .max = DAY_MS,
        .help = "How long calls that workers have may take when the broker is told to stop. 0 to\n"
                "24h.",
    },
    {
        .key = "services",
        .type = SETTINGS_MAP,
        .offset = AT(rules, struct service_rule *),
        .count_offset = AT(rule_count, size_t),
        .max = 10000,
        .table = &rule_table,
        .check_key = rule_name_expected,
        .help =
            "What holds for some services alone, by name, or by the beginning of it and a *:\n"
            "NAME: {balance: least_loaded | round_robin | random | sticky,\n"
            "       queue: {calls: N, bytes: SIZE, age: TIME},\n"
            "       majordomo: {method: NAME, method_frame: true | false}}. What is 0 or default\n"
            "here is as everywhere, or as the workers of the service say. A request of a\n"
            "Majordomo client calls `method`, or the method that its first frame names;\n"
            "with `method_frame` Majordomo workers get that of native calls as a frame.",
    },
    {
        .key = "majordomo",
        .type = SETTINGS_GROUP,
        .offset = AT(majordomo, struct majordomo_settings),
        .table = &majordomo_table,
        .help = "Clients and workers that speak Majordomo (7/MDP, 18/MDP): docs/majordomo.md.",
    },
    {
        .key = "session_limit",
        .type = SETTINGS_U32,
        .offset = AT(session_limit, uint32_t),
        .standard = "0",
        .max = 1000 * 1000,
        .help = "How many peers may be connected; 0: as many as there are file descriptors for.",
    },
    {
        .key = "log",
        .type = SETTINGS_GROUP,
        .table = &log_table,
        .help = "What is written to stderr.",
    },
};

const struct settings_table broker_settings_table = {keys, ARRAY_SIZE(keys),
                                                     sizeof(struct broker_settings), NULL};
const struct settings_key *const broker_settings_log_level = &log_keys[0];
