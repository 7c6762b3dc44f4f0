/* The table of the things, and their reading and printing. */
#include "tests/unit/settings_things.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define AT(member, type) SETTINGS_AT(struct things, member, type)
#define TABLE(keys, type, shorthand)                                                               \
    {                                                                                              \
        keys, ARRAY_SIZE(keys), sizeof(type), shorthand                                            \
    }

static const char *name_expected(const char *text)
{
    return text[0] != '\0' && strspn(text, "abcdefghijklmnopqrstuvwxyz_") == strlen(text)
               ? NULL
               : "small letters and _";
}

static const char *const levels[] = {"quiet", "info", "debug", NULL};

static const struct settings_key text_keys[] = {
    {.key = "text", .type = SETTINGS_STRING, .required = true, .min = 1},
};
static const struct settings_table text_table = TABLE(text_keys, struct text, "text");

static const struct settings_key function_keys[] = {
    {.key = "symbol",
     .type = SETTINGS_STRING,
     .offset = SETTINGS_AT(struct function, symbol, char *)},
    {.key = "signature",
     .type = SETTINGS_STRING,
     .required = true,
     .offset = SETTINGS_AT(struct function, signature, char *)},
    {.key = "idempotent",
     .type = SETTINGS_BOOL,
     .offset = SETTINGS_AT(struct function, idempotent, bool),
     .standard = "false",
     .help = "May run twice."},
};
static const struct settings_table function_table = TABLE(function_keys, struct function,
                                                          "signature");

static const struct settings_key pair_keys[] = {
    {.key = "value", .type = SETTINGS_STRING, .offset = SETTINGS_AT(struct pair, value, char *)},
};
static const struct settings_table pair_table = TABLE(pair_keys, struct pair, "value");

static const struct settings_key broker_keys[] = {
    {.key = "endpoint",
     .type = SETTINGS_STRING,
     .offset = SETTINGS_AT(struct broker, endpoint, char *)},
    {.key = "embed", .type = SETTINGS_STRING, .offset = SETTINGS_AT(struct broker, embed, char *)},
};
static const struct settings_table broker_table = TABLE(broker_keys, struct broker, "endpoint");

static const struct settings_key proxy_keys[] = {
    {.key = "service",
     .type = SETTINGS_STRING,
     .required = true,
     .offset = AT(proxy.service, char *),
     .min = 1},
    {.key = "timeout",
     .type = SETTINGS_DURATION,
     .offset = AT(proxy.timeout, uint32_t),
     .standard = "5s"},
};
static const struct settings_table proxy_table = TABLE(proxy_keys, struct things, "service");

static const struct settings_key pool_keys[] = {
    {.key = "members",
     .type = SETTINGS_LIST,
     .required = true,
     .single = true,
     .offset = AT(pool.members, struct text *),
     .count_offset = AT(pool.member_count, size_t),
     .max = 3,
     .table = &text_table},
    {.key = "probe",
     .type = SETTINGS_DURATION,
     .offset = AT(pool.probe, uint32_t),
     .standard = "250ms"},
};
static const struct settings_table pool_table = TABLE(pool_keys, struct things, "members");

static const struct settings_key log_keys[] = {
    {.key = "level",
     .type = SETTINGS_ENUM,
     .offset = AT(log.level, enum level),
     .standard = "info",
     .words = levels},
    {.key = "objects",
     .type = SETTINGS_ENUM,
     .offset = AT(log.objects, enum level),
     .standard = "info",
     .words = levels},
};
static const struct settings_table log_table = TABLE(log_keys, struct things, "level");

static const struct settings_key keys[] = {
    {.key = "proxy", .type = SETTINGS_GROUP, .table = &proxy_table},
    {.key = "pool", .type = SETTINGS_GROUP, .table = &pool_table},
    {.key = "command",
     .type = SETTINGS_LIST,
     .single = true,
     .offset = AT(command, struct text *),
     .count_offset = AT(command_count, size_t),
     .min = 1,
     .table = &text_table},
    {.key = "functions",
     .type = SETTINGS_MAP,
     .offset = AT(functions, struct function *),
     .count_offset = AT(function_count, size_t),
     .max = 3,
     .table = &function_table,
     .check_key = name_expected,
     .help = "What can be called."},
    {.key = "environment",
     .type = SETTINGS_MAP,
     .offset = AT(environment, struct pair *),
     .count_offset = AT(environment_count, size_t),
     .table = &pair_table},
    {.key = "broker",
     .type = SETTINGS_LIST,
     .single = true,
     .offset = AT(brokers, struct broker *),
     .count_offset = AT(broker_count, size_t),
     .table = &broker_table},
    {.key = "log", .type = SETTINGS_GROUP, .table = &log_table},
    {.key = "objects", .type = SETTINGS_ELSEWHERE, .help = "Not known here."},
};
const struct settings_table things_table = TABLE(keys, struct things, NULL);

bool things_read(struct things *things, const char *data, struct settings_errors *errors)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    struct settings_text text = {.name = "f", .data = data, .size = strlen(data)};
    assert_true(settings_init(&things_table, things));
    bool good = settings_document_parse(&document, &text, errors);
    if (document != NULL)
        good = settings_document_replace_variables(document, errors) && good;
    return document != NULL && settings_read(&things_table, document->root, things, errors) && good;
}

void things_read_good(struct things *things, const char *data)
{
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    settings_errors_init(&errors);
    (void)!things_read(things, data, &errors);
    assert_errors(&errors, data, "");
}

void things_fini(struct things *things)
{
    settings_fini(&things_table, things);
}

char *things_dump_bare(const struct things *things, unsigned indent)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    settings_dump_bare(&things_table, things, indent, out);
    fclose(out);
    return text;
}

char *things_dump(const struct things *things)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    settings_dump(&things_table, things, out);
    fclose(out);
    return text;
}
