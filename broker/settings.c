/* The settings of a broker as a table, and the rules between them. */
#include "broker/settings.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "protocol/endpoint.h"
#include "settings/scalar.h"
#include "settings/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

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
};

static const struct settings_table queue_table = {queue_keys, ARRAY_SIZE(queue_keys), 0, NULL};

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
                "least body_limit and 64 KiB.",
    },
    {
        .key = "retained_bytes",
        .type = SETTINGS_SIZE,
        .offset = AT(retained_bytes, uint64_t),
        .standard = "64 MiB",
        .max = TIB,
        .help = "How many bytes of one client's idempotent calls are kept until their replies, to\n"
                "send them to another worker should theirs be lost. 0 to 1024 GiB.",
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

static const struct settings_table table = {keys, ARRAY_SIZE(keys), sizeof(struct broker_settings),
                                            NULL};

enum busbar_status broker_settings_init(struct broker_settings *settings)
{
    return settings_init(&table, settings) ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

void broker_settings_fini(struct broker_settings *settings)
{
    settings_fini(&table, settings);
}

void broker_settings_dump(const struct broker_settings *settings, FILE *out)
{
    settings_dump(&table, settings, out);
}

enum busbar_status broker_settings_read(struct broker_settings *settings,
                                        const struct settings_node *map,
                                        struct settings_errors *errors)
{
    return settings_read(&table, map, settings, errors) ? BUSBAR_OK : BUSBAR_BAD_CONFIG;
}

static void free_binds(struct broker_bind *binds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(binds[i].endpoint);
    free(binds);
}

enum busbar_status broker_settings_set_binds(struct broker_settings *settings,
                                             const char *const *endpoints, size_t count)
{
    struct broker_bind *binds = calloc(count, sizeof *binds);
    bool done = binds != NULL;
    for (size_t i = 0; done && i < count; i++) {
        binds[i].endpoint = strdup(endpoints[i]);
        done = binds[i].endpoint != NULL;
    }
    if (!done) {
        free_binds(binds, binds == NULL ? 0 : count);
        return BUSBAR_NO_MEMORY;
    }
    free_binds(settings->binds, settings->bind_count);
    settings->binds = binds;
    settings->bind_count = count;
    return BUSBAR_OK;
}

/* Rules --------------------------------------------------------------------------------------- */

/* Where in the file an endpoint stands, in any of the forms that `bind` can have. */
static const struct settings_node *find_bind(const struct settings_node *node, const char *endpoint)
{
    if (node == NULL)
        return NULL;
    if (node->kind == SETTINGS_SCALAR)
        return node->text != NULL && strcmp(node->text, endpoint) == 0 ? node : NULL;
    if (node->kind == SETTINGS_MAPPING)
        return find_bind(settings_node_find(node, "endpoint"), endpoint);
    for (const struct settings_node *item = node->first; item != NULL; item = item->next) {
        const struct settings_node *found = find_bind(item, endpoint);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static void check_bind(const struct broker_settings *settings, const char *endpoint,
                       const struct settings_node *map, struct settings_errors *errors)
{
    char quoted[160];
    const struct settings_node *node = find_bind(settings_node_find(map, "bind"), endpoint);
    quote(quoted, sizeof quoted, endpoint, strlen(endpoint));
    const char *expected = endpoint_expected(endpoint);
    if (expected != NULL)
        settings_node_complain(errors, node, "bind must be %s, not %s", expected, quoted);
    else if (endpoint_is_open(endpoint) && !settings->allow_plaintext)
        settings_node_complain(errors, node,
                               "other machines could connect to %s, and without encryption; bind "
                               "a loopback address such as 127.0.0.1, or set allow_plaintext: true",
                               quoted);
}

static void check_outbox(const struct broker_settings *settings, const struct settings_node *map,
                         struct settings_errors *errors)
{
    uint64_t least = settings->body_limit + 64 * KIB;
    char least_text[SETTINGS_SIZE_TEXT];
    char text[SETTINGS_SIZE_TEXT];
    if (settings->outbox_bytes >= least)
        return;
    const struct settings_node *node = settings_node_find(map, "outbox_bytes");
    settings_node_complain(errors, node != NULL ? node : settings_node_find(map, "body_limit"),
                           "outbox_bytes must be at least %s (body_limit + 64 KiB), not %s",
                           settings_size_text(least, least_text),
                           settings_size_text(settings->outbox_bytes, text));
}

enum busbar_status broker_settings_check(const struct broker_settings *settings,
                                         const struct settings_node *map,
                                         struct settings_errors *errors)
{
    size_t before = errors->count;
    for (size_t i = 0; i < settings->bind_count; i++) {
        if (settings->binds[i].endpoint != NULL)
            check_bind(settings, settings->binds[i].endpoint, map, errors);
    }
    check_outbox(settings, map, errors);
    return errors->count == before ? BUSBAR_OK : BUSBAR_BAD_CONFIG;
}

/* Loading ------------------------------------------------------------------------------------- */

/* Through the table, so that the file and the command line know the same words. */
static void set_log_level(struct broker_settings *settings, const char *level,
                          struct settings_errors *errors)
{
    char expected[SETTINGS_EXPECTED_SIZE];
    char quoted[80];
    const struct settings_key *key = &log_keys[0];
    const struct settings_node node = {.kind = SETTINGS_SCALAR, .plain = true};
    enum settings_outcome outcome = settings_scalar_read(key, level, true, &settings->log_level);
    if (outcome == SETTINGS_NO_MEMORY)
        settings_node_complain(errors, NULL, "out of memory");
    else if (outcome == SETTINGS_REFUSED)
        settings_node_complain(errors, NULL, "the log level must be %s, not %s",
                               settings_scalar_expected(key, &node, expected),
                               quote(quoted, sizeof quoted, level, strlen(level)));
}

/* A command line over what was read; what is wrong with it is left to the rules. */
static enum busbar_status apply_input(struct broker_settings *settings,
                                      const struct broker_settings_input *input,
                                      struct settings_errors *errors)
{
    if (input->log_level != NULL)
        set_log_level(settings, input->log_level, errors);
    if (input->bind_count == 0)
        return BUSBAR_OK;
    return broker_settings_set_binds(settings, input->binds, input->bind_count);
}

enum busbar_status broker_settings_load(struct broker_settings *settings,
                                        const struct broker_settings_input *input,
                                        struct settings_errors *errors)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    size_t before = errors->count;
    enum busbar_status status = broker_settings_init(settings);
    if (status != BUSBAR_OK)
        return status;
    /* Each step goes on after the errors of the one before, so that all are seen at once. */
    if (input->file != NULL)
        (void)!settings_document_load_layers(&document, input->file, errors);
    const struct settings_node *map = document != NULL ? document->root : NULL;
    if (map != NULL)
        (void)!broker_settings_read(settings, map, errors);
    status = apply_input(settings, input, errors);
    if (status != BUSBAR_OK)
        return status;
    (void)!broker_settings_check(settings, map, errors);
    settings_errors_sort(errors, before);
    return errors->count == before ? BUSBAR_OK : BUSBAR_BAD_CONFIG;
}
