/* Proxies as a file or code defines them: the table, and what must hold besides it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "client-lib/endpoint.h"
#include "objects/idempotent.h"
#include "objects/outcome.h"
#include "objects/proxy_parts.h"
#include "protocol/name.h"

enum {
    QUOTED_SIZE = 160,
    BROKERS_MAX = 64, /* as many as a link may have */
    RETRIES_MAX = 1000,
};

#define TARGET(member, type) SETTINGS_AT(struct proxy_target_settings, member, type)

static const struct settings_key target_keys[] = {
    {
        .key = "service",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = TARGET(service, char *),
        .help = "The name on the bus.",
    },
    {
        .key = "broker",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = TARGET(brokers, struct text_settings *),
        .count_offset = TARGET(broker_count, size_t),
        .max = BROKERS_MAX,
        .table = &text_table,
        .help = "An endpoint, or a list of them that are tried in order. Default: the broker of\n"
                "this file.",
    },
    {
        .key = "timeout",
        .type = SETTINGS_DURATION,
        .offset = TARGET(timeout_ms, uint32_t),
        .standard = "5s",
        .min = 1,
        .max = INT32_MAX,
        .help = "Deadline of a call.",
    },
    {
        .key = "retries",
        .type = SETTINGS_U32,
        .offset = TARGET(retries, uint32_t),
        .max = RETRIES_MAX,
        .help = "Further attempts within the deadline after a loss of broker or worker, if\n"
                "nothing was executed or the method is idempotent.",
    },
    {
        .key = "idempotent",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = TARGET(idempotent, struct text_settings *),
        .count_offset = TARGET(idempotent_count, size_t),
        .max = IDEMPOTENT_MAX,
        .table = &text_table,
        .help = "Methods that may be executed twice, besides those whose description says so;\n"
                "true: all of them.",
    },
};

static const struct settings_table target_table = {
    .keys = target_keys,
    .count = ARRAY_SIZE(target_keys),
    .size = sizeof(struct proxy_target_settings),
    .shorthand = "service",
};

static const struct settings_key keys[] = {
    {
        .key = "proxy",
        .type = SETTINGS_GROUP,
        .required = true,
        .offset = SETTINGS_AT(struct proxy_settings, target, struct proxy_target_settings),
        .table = &target_table,
        .help = "A service on the bus: its name, or a map.",
    },
    {
        .key = "functions",
        .type = SETTINGS_MAP,
        .offset = SETTINGS_AT(struct proxy_settings, functions, struct function_settings *),
        .count_offset = SETTINGS_AT(struct proxy_settings, function_count, size_t),
        .max = REGISTRATION_METHODS_MAX,
        .table = &proxy_function_table,
        .help = "Methods, by name: a signature, or {signature, idempotent, text}. For these the\n"
                "bus is not asked.",
    },
};

const struct settings_table proxy_table = {
    .keys = keys,
    .count = ARRAY_SIZE(keys),
    .size = sizeof(struct proxy_settings),
};

/* Checks --------------------------------------------------------------------------------------- */

/* Where a key of `proxy:` stands, which may be the name of the service alone. */
static const struct settings_node *target_node(const struct settings_node *node, const char *key)
{
    const struct settings_node *target = settings_node_find(node, "proxy");
    const struct settings_node *found = settings_node_find(target, key);
    return found != NULL ? found : target;
}

static void check_service(const struct proxy_target_settings *target,
                          const struct settings_node *node, struct settings_errors *errors)
{
    char quoted[QUOTED_SIZE];
    if (target->service == NULL) {
        settings_node_complain(errors, node, "a proxy needs the name of a service");
        return;
    }
    size_t size = strlen(target->service);
    if (!name_is_service(target->service, size))
        settings_node_complain(errors, target_node(node, "service"),
                               "%s cannot be the name of a service",
                               quote(quoted, sizeof quoted, target->service, size));
}

static void check_brokers(const struct proxy_target_settings *target,
                          const struct settings_node *node, struct settings_errors *errors)
{
    char quoted[QUOTED_SIZE];
    if (target->broker_count > BROKERS_MAX)
        settings_node_complain(errors, node, "a proxy may have at most %d brokers", BROKERS_MAX);
    for (size_t i = 0; i < target->broker_count; i++) {
        const char *endpoint = target->brokers[i].text;
        if (!endpoint_is_valid(endpoint))
            settings_node_complain(errors, settings_node_item(target_node(node, "broker"), i),
                                   "%s is no endpoint, such as tcp://127.0.0.1:7766",
                                   quote(quoted, sizeof quoted, endpoint, strlen(endpoint)));
    }
}

static enum busbar_status create(struct busbar_object **ret, void *settings,
                                 const struct settings_node *node, struct settings_errors *errors)
{
    struct proxy_settings *proxy = settings;
    struct proxy_target_settings *target = &proxy->target;
    struct signature *signatures = NULL;
    size_t before = errors->count;
    *ret = NULL;
    bool is_read = idempotent_read(&target->idempotent, &target->idempotent_count);
    check_service(target, node, errors);
    check_brokers(target, node, errors);
    idempotent_check(target->idempotent, target->idempotent_count, target_node(node, "idempotent"),
                     errors);
    enum busbar_status status = function_settings_check(&signatures, proxy->functions,
                                                        proxy->function_count, node, errors);
    if (errors->count > before)
        status = BUSBAR_BAD_CONFIG;
    else if (status == BUSBAR_OK && !is_read)
        status = BUSBAR_NO_MEMORY;
    if (status == BUSBAR_OK)
        return proxy_make(ret, proxy, &signatures);
    free(signatures);
    settings_fini(&proxy_table, proxy);
    return status;
}

const struct object_kind proxy_kind = {.key = "proxy", .table = &proxy_table, .create = create};

/* By code -------------------------------------------------------------------------------------- */

static bool copy_options(struct proxy_settings *settings,
                         const struct busbar_proxy_options *options)
{
    struct proxy_target_settings *target = &settings->target;
    if (!settings_init(&proxy_table, settings))
        return false;
    if (options->timeout_ms != 0)
        target->timeout_ms = options->timeout_ms;
    target->retries = options->retries;
    target->service = strdup(options->service);
    bool copied = function_settings_copy(&settings->functions, &settings->function_count,
                                         options->functions, options->function_count);
    function_settings_trim(settings->functions, settings->function_count, &proxy_function_table);
    return copied && target->service != NULL &&
           text_settings_copy(&target->brokers, &target->broker_count, options->brokers) &&
           text_settings_copy(&target->idempotent, &target->idempotent_count, options->idempotent);
}

static const char *what_is_wrong(const struct busbar_proxy_options *options)
{
    if (options == NULL || options->service == NULL)
        return "a proxy needs the name of a service";
    if (options->functions == NULL && options->function_count > 0)
        return "the functions of a proxy are counted, but not there";
    if (options->timeout_ms > INT32_MAX || options->retries > RETRIES_MAX)
        return "a proxy's timeout is at most 2147483647 ms, and its retries are at most 1000";
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return "reserved members must be NULL";
    }
    return NULL;
}

enum busbar_status busbar_proxy_new(struct busbar_object **ret,
                                    const struct busbar_proxy_options *options)
{
    struct proxy_settings settings = {0};
    struct settings_errors errors;
    if (ret != NULL)
        *ret = NULL;
    const char *wrong = ret == NULL ? "a proxy needs a place to be put" : what_is_wrong(options);
    if (wrong != NULL)
        return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, wrong);
    settings_errors_init(&errors);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (copy_options(&settings, options))
        status = create(ret, &settings, NULL, &errors);
    else
        settings_fini(&proxy_table, &settings);
    return object_errors_told(status, &errors);
}
