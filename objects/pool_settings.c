/* Pools as a file or code defines them: `pool: [a, b]`, `pool: {members: [a, b], …}`, and the checks
 * of what a table cannot say. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/idempotent.h"
#include "objects/outcome.h"
#include "objects/pool.h"
#include "objects/pool_internal.h"

enum {
    QUOTED_SIZE = 160,
    MEMBERS_MAX = 4096,
    PROBE_MAX_MS = 3600000,
};

#define AT(member, type) SETTINGS_AT(struct pool_settings, member, type)

static const struct settings_key group_keys[] = {
    {
        .key = "members",
        .type = SETTINGS_LIST,
        .required = true,
        .single = true,
        .offset = AT(members, struct text_settings *),
        .count_offset = AT(member_count, size_t),
        .max = MEMBERS_MAX,
        .table = &text_table,
        .help = "Ids of the objects that are called in turn.",
    },
    {
        .key = "probe",
        .type = SETTINGS_DURATION,
        .offset = AT(probe_ms, uint32_t),
        .standard = "250ms",
        .min = 1,
        .max = PROBE_MAX_MS,
        .help = "How long after its failure a member is asked for the first time whether it can\n"
                "be reached again; doubled up to 16 times this.",
    },
    {
        .key = "idempotent",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = AT(idempotent, struct text_settings *),
        .count_offset = AT(idempotent_count, size_t),
        .max = IDEMPOTENT_MAX,
        .table = &text_table,
        .help = "Methods that may be executed twice, besides those that a member says; true: all\n"
                "of them.",
    },
};

static const struct settings_table group_table = {
    .keys = group_keys,
    .count = ARRAY_SIZE(group_keys),
    .size = sizeof(struct pool_settings),
    .shorthand = "members",
};

static const struct settings_key keys[] = {
    {
        .key = "pool",
        .type = SETTINGS_GROUP,
        .required = true,
        .table = &group_table,
        .help = "Several objects as one: a list of ids, or a map.",
    },
};

const struct settings_table pool_table = {
    .keys = keys,
    .count = ARRAY_SIZE(keys),
    .size = sizeof(struct pool_settings),
};

/* Places --------------------------------------------------------------------------------------- */

/* Where a key of `pool:` stands, which may be the members alone. */
static const struct settings_node *group_node(const struct settings_node *node, const char *key)
{
    const struct settings_node *group = settings_node_find(node, "pool");
    const struct settings_node *found = settings_node_find(group, key);
    return found != NULL ? found : group;
}

const struct settings_node *pool_id_node(const struct settings_node *node, size_t index)
{
    return settings_node_item(group_node(node, "members"), index);
}

/* Checks --------------------------------------------------------------------------------------- */

static bool is_repeated(const struct text_settings *texts, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(texts[i].text, texts[index].text) == 0)
            return true;
    }
    return false;
}

static void check_members(const struct pool_settings *settings, const struct settings_node *node,
                          struct settings_errors *errors)
{
    char quoted[QUOTED_SIZE];
    for (size_t i = 0; i < settings->member_count; i++) {
        const char *id = settings->members[i].text;
        if (is_repeated(settings->members, i))
            settings_node_complain(errors, pool_id_node(node, i), "%s is a member already",
                                   quote(quoted, sizeof quoted, id, strlen(id)));
    }
}

static enum busbar_status create(struct busbar_object **ret, void *settings,
                                 const struct settings_node *node, struct settings_errors *errors)
{
    struct pool_settings *pool = settings;
    size_t before = errors->count;
    *ret = NULL;
    bool is_read = idempotent_read(&pool->idempotent, &pool->idempotent_count);
    if (!is_read)
        settings_node_complain(errors, node, "out of memory");
    check_members(pool, node, errors);
    idempotent_check(pool->idempotent, pool->idempotent_count, group_node(node, "idempotent"),
                     errors);
    if (errors->count == before)
        return pool_new(ret, pool);
    settings_fini(&pool_table, pool);
    return is_read ? BUSBAR_BAD_CONFIG : BUSBAR_NO_MEMORY;
}

const struct object_kind pool_kind = {.key = "pool", .table = &pool_table, .create = create};

/* By code -------------------------------------------------------------------------------------- */

static const char *what_is_wrong(const struct busbar_pool_options *options)
{
    if (options->members == NULL && options->member_count > 0)
        return "the members of a pool are counted, but not there";
    if (options->probe_ms > PROBE_MAX_MS)
        return "a pool's time between probes is at most 3600000 ms";
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return "reserved members must be NULL";
    }
    return NULL;
}

static bool copy_options(struct pool_settings *settings, const struct busbar_pool_options *options)
{
    if (!settings_init(&pool_table, settings))
        return false;
    if (options->probe_ms != 0)
        settings->probe_ms = options->probe_ms;
    return text_settings_copy(&settings->idempotent, &settings->idempotent_count,
                              options->idempotent);
}

static enum busbar_status make(struct busbar_object **ret,
                               const struct busbar_pool_options *options)
{
    struct pool_settings settings = {0};
    struct settings_errors errors;
    settings_errors_init(&errors);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (copy_options(&settings, options))
        status = create(ret, &settings, NULL, &errors);
    else
        settings_fini(&pool_table, &settings);
    return object_errors_told(status, &errors);
}

enum busbar_status busbar_pool_new(struct busbar_object **ret,
                                   const struct busbar_pool_options *options)
{
    static const struct busbar_pool_options NONE = {0};
    CLEANUP(busbar_object_destroy) struct busbar_object *pool = NULL;
    if (ret != NULL)
        *ret = NULL;
    if (options == NULL)
        options = &NONE;
    const char *wrong = ret == NULL ? "a pool needs a place to be put" : what_is_wrong(options);
    if (wrong != NULL)
        return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, wrong);
    enum busbar_status status = make(&pool, options);
    for (size_t i = 0; status == BUSBAR_OK && i < options->member_count; i++)
        status = busbar_pool_add(pool, options->members[i]);
    if (status == BUSBAR_OK)
        *ret = STEAL(pool);
    return status;
}
