/* The tables of an application's file, and the rules between their keys. */
#include "app/settings.h"

#include <stdlib.h>
#include <string.h>

#include "app/embed.h"
#include "base/cleanup.h"
#include "base/quote.h"
#include "client-lib/endpoint.h"
#include "protocol/endpoint.h"
#include "protocol/name.h"
#include "protocol/registration.h"

#define EXPORT_AT(member, type) SETTINGS_AT(struct export_settings, member, type)
#define APP_AT(member, type) SETTINGS_AT(struct app_settings, member, type)

static const char *const levels[] = {"off", "error", "warning", "info", "debug", NULL};

#define BALANCE_WORD(name, text) text,
static const char *const balances[] = {BALANCE_TABLE(BALANCE_WORD) NULL};
#undef BALANCE_WORD

const char *broker_expected(const char *text)
{
    return endpoint_is_valid(text) ? NULL : "tcp://HOST:PORT, ipc://PATH or inproc://NAME";
}

const char *service_expected(const char *text)
{
    if (!name_is_service(text, strlen(text)))
        return "1 to 127 letters, digits, \"_\", \".\", \":\" and \"-\", the first a letter, a "
               "digit or \"_\"";
    if (name_is_reserved(text, strlen(text)))
        return "a name that the bus does not keep for itself, as it does \"bus\", \"bus.*\", "
               "\"mmi.*\", \"titanic.*\" and all with \"_\" in front";
    return NULL;
}

const char *object_id_expected(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    size_t length = strlen(text);
    if (length >= 1 && length <= APP_ID_MAX && strchr(letters, text[0]) != NULL &&
        strspn(text + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-") ==
            length - 1)
        return NULL;
    return "1 to 127 letters, digits, \"_\", \".\" and \"-\", the first a letter or \"_\"";
}

const char *tag_expected(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= REGISTRATION_TEXT_MAX ? NULL : "1 to 4096 bytes";
}

static const struct settings_key broker_keys[] = {
    {
        .key = "endpoint",
        .type = SETTINGS_STRING,
        .offset = SETTINGS_AT(struct broker_settings, endpoint, char *),
        .check = broker_expected,
    },
    {
        .key = "embed",
        .type = SETTINGS_STRING,
        .offset = SETTINGS_AT(struct broker_settings, embed, char *),
        .check = embed_check,
    },
    {
        .key = "allow_plaintext",
        .type = SETTINGS_BOOL,
        .offset = SETTINGS_AT(struct broker_settings, allow_plaintext, bool),
        .standard = "false",
    },
};

static const struct settings_table broker_table = {
    .keys = broker_keys,
    .count = ARRAY_SIZE(broker_keys),
    .size = sizeof(struct broker_settings),
    .shorthand = "endpoint",
};

static const struct settings_key tag_keys[] = {
    {
        .key = "value",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = SETTINGS_AT(struct export_tag, value, char *),
        .max = REGISTRATION_TEXT_MAX,
    },
};

static const struct settings_table tag_table = {
    .keys = tag_keys,
    .count = ARRAY_SIZE(tag_keys),
    .size = sizeof(struct export_tag),
    .shorthand = "value",
};

static const struct settings_key export_keys[] = {
    {
        .key = "name",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = EXPORT_AT(name, char *),
        .check = service_expected,
        .help = "The service on the bus.",
    },
    {
        .key = "object",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = EXPORT_AT(object, char *),
        .help = "The id of what answers its calls.",
    },
    {
        .key = "version",
        .type = SETTINGS_STRING,
        .offset = EXPORT_AT(version, char *),
        .max = REGISTRATION_TEXT_MAX,
        .help = "Told to those who ask for a description.",
    },
    {
        .key = "tags",
        .type = SETTINGS_MAP,
        .offset = EXPORT_AT(tags, struct export_tag *),
        .count_offset = EXPORT_AT(tag_count, size_t),
        .max = REGISTRATION_TAGS_MAX,
        .table = &tag_table,
        .check_key = tag_expected,
        .help = "The same: names and values.",
    },
    {
        .key = "instances",
        .type = SETTINGS_U32,
        .offset = EXPORT_AT(instances, uint32_t),
        .standard = "1",
        .min = 1,
        .max = APP_INSTANCES_MAX,
        .help = "Registrations, each with a connection of its own. 1 to 1000.",
    },
    {
        .key = "threads",
        .type = SETTINGS_U32,
        .offset = EXPORT_AT(threads, uint32_t),
        .standard = "1",
        .min = 1,
        .max = APP_THREADS_MAX,
        .help = "Calls handled at once by each instance. 1 to 1024.",
    },
    {
        .key = "credit",
        .type = SETTINGS_U32,
        .offset = EXPORT_AT(credit, uint32_t),
        .standard = "0",
        .max = APP_CREDIT_MAX,
        .help = "Calls taken at once by each instance; 0: adapted. 0 to 65536.",
    },
    {
        .key = "weight",
        .type = SETTINGS_U32,
        .offset = EXPORT_AT(weight, uint32_t),
        .standard = "100",
        .min = 1,
        .max = REGISTRATION_WEIGHT_MAX,
        .help = "Against other workers of the service. 1 to 10000.",
    },
    {
        .key = "balance",
        .type = SETTINGS_STRING,
        .offset = EXPORT_AT(balance, char *),
        .words = balances + 1, /* all but the unset one */
        .help = "How calls are spread over the workers of the service.",
    },
    {
        .key = "stall",
        .type = SETTINGS_DURATION,
        .offset = EXPORT_AT(stall_ms, uint32_t),
        .standard = "0",
        .max = REGISTRATION_STALL_MAX,
        .help = "A handler that gives no sign for so long counts as hanging; 0: never.",
    },
};

static const struct settings_table export_table = {
    .keys = export_keys,
    .count = ARRAY_SIZE(export_keys),
    .size = sizeof(struct export_settings),
};

#define LEVEL_KEY(name, member)                                                                    \
    {                                                                                              \
        .key = (name), .type = SETTINGS_STRING, .offset = offsetof(struct log_settings, member),   \
        .words = levels,                                                                           \
    }

/* `level` first, then the components in the order of their enum. */
static const struct settings_key log_keys[] = {
    LEVEL_KEY("level", level),
    LEVEL_KEY("config", components[APP_CONFIG]),
    LEVEL_KEY("objects", components[APP_OBJECTS]),
    LEVEL_KEY("exports", components[APP_EXPORTS]),
    LEVEL_KEY("broker", components[APP_BROKER]),
    LEVEL_KEY("pools", components[APP_POOLS]),
};

static const struct settings_table log_table = {
    .keys = log_keys,
    .count = ARRAY_SIZE(log_keys),
    .size = sizeof(struct log_settings),
    .shorthand = "level",
};

enum {
    HEAD_KEYS = 2, /* those that are dumped in front of `objects` */
};

static const struct settings_key keys[] = {
    {
        .key = "version",
        .type = SETTINGS_CONSTANT,
        .standard = "1",
        .help = "The version of this file's form.",
    },
    {
        .key = "broker",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = APP_AT(brokers, struct broker_settings *),
        .count_offset = APP_AT(broker_count, size_t),
        .min = 1,
        .max = APP_BROKERS_MAX,
        .table = &broker_table,
        .help = "Where proxies and exports connect to: an endpoint, a list of them, or\n"
                "{embed: ENDPOINT} for a broker inside the process; with allow_plaintext: true\n"
                "that may be one that other machines can reach.",
    },
    {
        .key = "overlay",
        .type = SETTINGS_ELSEWHERE,
        .help = "Further files, whose values come before those of this one.",
    },
    {
        .key = "objects",
        .type = SETTINGS_ELSEWHERE,
        .help = "What can be called, by ids.",
    },
    {
        .key = "exports",
        .type = SETTINGS_LIST,
        .offset = APP_AT(exports, struct export_settings *),
        .count_offset = APP_AT(export_count, size_t),
        .table = &export_table,
        .help = "Objects under names on the bus.",
    },
    {
        .key = "log",
        .type = SETTINGS_GROUP,
        .offset = offsetof(struct app_settings, log),
        .table = &log_table,
        .help = "What is written to stderr: off, error, warning, info or debug, for all or for\n"
                "each of config, objects, exports, broker and pools.",
    },
};

static const struct settings_table table = {keys, ARRAY_SIZE(keys), sizeof(struct app_settings),
                                            NULL};
static const struct settings_table head_table = {keys, HEAD_KEYS, sizeof(struct app_settings),
                                                 NULL};
static const struct settings_table tail_table = {keys + HEAD_KEYS, ARRAY_SIZE(keys) - HEAD_KEYS,
                                                 sizeof(struct app_settings), NULL};

/* Rules --------------------------------------------------------------------------------------- */

const struct settings_node *export_node(const struct settings_node *root, size_t index)
{
    const struct settings_node *exports = settings_node_find(root, "exports");
    const struct settings_node *node = exports != NULL ? exports->first : NULL;
    while (node != NULL && index-- > 0)
        node = node->next;
    return node;
}

/* What an endpoint to embed a broker at may be depends on the key beside it. */
static void check_embed(const struct broker_settings *broker, const struct settings_node *item,
                        struct settings_errors *errors)
{
    char quoted[160];
    const char *embed = broker->embed;
    const struct settings_node *allow = settings_node_find(item, "allow_plaintext");
    const struct settings_node *node = settings_node_find(item, "embed");
    if (node == NULL && allow != NULL)
        settings_node_complain(errors, allow,
                               "allow_plaintext is for an embedded broker alone: take it away, or "
                               "say \"embed\"");
    else if (embed != NULL && !broker->allow_plaintext && embed_check(embed) == NULL &&
             endpoint_is_open(embed))
        settings_node_complain(errors, node, EMBED_OPEN_FORMAT ": true",
                               quote(quoted, sizeof quoted, embed, strlen(embed)));
}

static void check_brokers(const struct app_settings *settings, const struct settings_node *root,
                          struct settings_errors *errors)
{
    const struct settings_node *node = settings_node_find(root, "broker");
    bool list = node != NULL && node->kind == SETTINGS_SEQUENCE;
    const struct settings_node *item = list ? node->first : node;
    for (size_t i = 0; i < settings->broker_count && item != NULL; i++) {
        bool embeds = settings_node_find(item, "embed") != NULL;
        bool connects = item->kind != SETTINGS_MAPPING ||
                        settings_node_find(item, "endpoint") != NULL;
        if (embeds && (connects || settings->broker_count > 1))
            settings_node_complain(errors, item,
                                   "an embedded broker must be the only one: take away either "
                                   "\"embed\" or the other endpoints");
        else if (!embeds && !connects && !item->broken && item->first == NULL)
            settings_node_complain(errors, item,
                                   "broker must be an endpoint, a list of them, or "
                                   "{embed: ENDPOINT}");
        check_embed(&settings->brokers[i], item, errors);
        item = list ? item->next : NULL;
    }
}

/* Finds the broker where the file says nothing. */
static void default_broker(struct app_settings *settings, const struct settings_node *root,
                           struct settings_errors *errors)
{
    char quoted[160];
    if (settings_node_find(root, "broker") != NULL)
        return;
    if (!app_settings_set_default_brokers(settings)) {
        settings_node_complain(errors, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < settings->broker_count; i++) {
        const char *endpoint = settings->brokers[i].endpoint;
        const char *expected = broker_expected(endpoint);
        if (expected != NULL)
            settings_node_complain(errors, NULL, "$BUSBAR_BROKER must be %s, not %s", expected,
                                   quote(quoted, sizeof quoted, endpoint, strlen(endpoint)));
    }
}

bool app_settings_read(struct app_settings *ret, const struct settings_node *root,
                       struct settings_errors *errors)
{
    size_t before = errors->count;
    if (!settings_init(&table, ret)) {
        settings_node_complain(errors, NULL, "out of memory");
        return false;
    }
    (void)!settings_read(&table, root, ret, errors);
    check_brokers(ret, root, errors);
    default_broker(ret, root, errors);
    app_settings_check_duplicates(ret, root, errors);
    return errors->count == before;
}

void app_settings_fini(struct app_settings *settings)
{
    settings_fini(&table, settings);
}

void app_settings_dump_head(const struct app_settings *settings, FILE *out)
{
    settings_dump_bare(&head_table, settings, 0, out);
}

void app_settings_dump_tail(const struct app_settings *settings, FILE *out)
{
    settings_dump_bare(&tail_table, settings, 0, out);
}
