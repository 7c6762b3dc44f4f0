/* The settings of a broker: loaded, and the rules between them. */
#include "broker/settings.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "broker/settings_table.h"
#include "protocol/endpoint.h"
#include "settings/scalar.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KIB UINT64_C(1024)

enum busbar_status broker_settings_init(struct broker_settings *settings)
{
    return settings_init(&broker_settings_table, settings) ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

void broker_settings_fini(struct broker_settings *settings)
{
    settings_fini(&broker_settings_table, settings);
}

void broker_settings_dump(const struct broker_settings *settings, FILE *out)
{
    settings_dump(&broker_settings_table, settings, out);
}

enum busbar_status broker_settings_read(struct broker_settings *settings,
                                        const struct settings_node *map,
                                        struct settings_errors *errors)
{
    return settings_read(&broker_settings_table, map, settings, errors) ? BUSBAR_OK
                                                                        : BUSBAR_BAD_CONFIG;
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
                               "a loopback address such as 127.0.0.1, or say allow_plaintext: true "
                               "in the file that --config names",
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
    const struct settings_key *key = broker_settings_log_level;
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
