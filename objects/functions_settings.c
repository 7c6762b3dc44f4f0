/* The functions of objects as files and code give them, for all kinds: their tables, their copies,
 * their checks. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/object.h"
#include "objects/outcome.h"
#include "protocol/name.h"

enum {
    QUOTED_SIZE = 160,
};

/* Tables -------------------------------------------------------------------------------------- */

static const struct settings_key text_keys[] = {
    {
        .key = "text",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = SETTINGS_AT(struct text_settings, text, char *),
    },
};

const struct settings_table text_table = {
    .keys = text_keys,
    .count = ARRAY_SIZE(text_keys),
    .size = sizeof(struct text_settings),
    .shorthand = "text",
};

#define AT(member, type) SETTINGS_AT(struct function_settings, member, type)

#define SIGNATURE_KEY(is_required)                                                                 \
    {                                                                                              \
        .key = "signature", .type = SETTINGS_STRING, .required = (is_required),                    \
        .offset = AT(signature, char *), .help = "What it takes and gives, as in \"sd>s\".",       \
    }
#define IDEMPOTENT_KEY                                                                             \
    {                                                                                              \
        .key = "idempotent", .type = SETTINGS_BOOL, .offset = AT(idempotent, bool),                \
        .help = "Executing a call twice does no harm.",                                            \
    }
#define TEXT_KEY                                                                                   \
    {                                                                                              \
        .key = "text", .type = SETTINGS_STRING, .offset = AT(text, char *),                        \
        .help = "One line for people.",                                                            \
    }

static const struct settings_key library_keys[] = {
    SIGNATURE_KEY(true),
    {
        .key = "symbol",
        .type = SETTINGS_STRING,
        .offset = AT(symbol, char *),
        .min = 1,
        .help = "The C function; default: the one of the same name.",
    },
    IDEMPOTENT_KEY,
    TEXT_KEY,
};

static const struct settings_key command_keys[] = {
    SIGNATURE_KEY(false),
    {
        .key = "arguments",
        .type = SETTINGS_LIST,
        .single = true,
        .offset = AT(arguments, struct text_settings *),
        .count_offset = AT(argument_count, size_t),
        .table = &text_table,
        .help = "Further words, after those of the command.",
    },
    IDEMPOTENT_KEY,
    TEXT_KEY,
};

static const struct settings_key proxy_keys[] = {SIGNATURE_KEY(false), IDEMPOTENT_KEY, TEXT_KEY};

#define FUNCTION_TABLE(rows)                                                                       \
    {                                                                                              \
        .keys = (rows), .count = ARRAY_SIZE(rows), .size = sizeof(struct function_settings),       \
        .shorthand = "signature",                                                                  \
    }

const struct settings_table library_function_table = FUNCTION_TABLE(library_keys);
const struct settings_table command_function_table = FUNCTION_TABLE(command_keys);
const struct settings_table proxy_function_table = FUNCTION_TABLE(proxy_keys);

/* Copies -------------------------------------------------------------------------------------- */

static bool copy_text(char **ret, const char *text)
{
    *ret = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret != NULL;
}

bool text_settings_copy(struct text_settings **ret, size_t *ret_count, const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL)
        count++;
    *ret_count = 0;
    *ret = count > 0 ? calloc(count, sizeof **ret) : NULL;
    if (count > 0 && *ret == NULL)
        return false;
    for (; *ret_count < count; ++*ret_count) {
        if (!copy_text(&(*ret)[*ret_count].text, texts[*ret_count]))
            return false;
    }
    return true;
}

static bool copy_function(struct function_settings *ret, const struct busbar_function *function)
{
    ret->idempotent = (function->flags & BUSBAR_IDEMPOTENT) != 0;
    ret->address = function->address;
    return copy_text(&ret->name, function->name) && copy_text(&ret->symbol, function->symbol) &&
           copy_text(&ret->signature, function->signature) &&
           copy_text(&ret->text, function->text) &&
           text_settings_copy(&ret->arguments, &ret->argument_count, function->arguments);
}

bool function_settings_copy(struct function_settings **ret, size_t *ret_count,
                            const struct busbar_function *functions, size_t count)
{
    *ret_count = 0;
    *ret = count > 0 ? calloc(count, sizeof **ret) : NULL;
    if (count > 0 && *ret == NULL)
        return false;
    while (*ret_count < count) {
        size_t at = (*ret_count)++;
        if (!copy_function(&(*ret)[at], &functions[at]))
            return false;
    }
    return true;
}

static bool has_key(const struct settings_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->keys[i].key, key) == 0)
            return true;
    }
    return false;
}

static void free_arguments(struct function_settings *function)
{
    for (size_t i = 0; i < function->argument_count; i++)
        free(function->arguments[i].text);
    free(STEAL(function->arguments));
    function->argument_count = 0;
}

void function_settings_trim(struct function_settings *functions, size_t count,
                            const struct settings_table *table)
{
    for (size_t i = 0; i < count; i++) {
        if (!has_key(table, "symbol"))
            free(STEAL(functions[i].symbol));
        if (!has_key(table, "arguments"))
            free_arguments(&functions[i]);
    }
}

/* Checks -------------------------------------------------------------------------------------- */

struct check {
    const struct function_settings *functions;
    const struct settings_node *map; /* `functions:`, or NULL */
    struct settings_errors *errors;
};

/* The place of a function's name; that of the map where there is none. */
static struct settings_place name_place(const struct check *check, const char *name)
{
    const struct settings_node *node = name != NULL ? settings_node_find(check->map, name) : NULL;
    return node != NULL ? node->key_place : settings_node_place(check->map);
}

const struct settings_node *function_settings_node(const struct settings_node *node,
                                                   const char *name, const char *key)
{
    const struct settings_node *map = settings_node_find(node, "functions");
    const struct settings_node *function = name != NULL ? settings_node_find(map, name) : NULL;
    const struct settings_node *value = settings_node_find(function, key);
    return value != NULL ? value : function != NULL ? function : map;
}

static bool is_repeated(const struct function_settings *functions, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (functions[i].name != NULL && strcmp(functions[i].name, functions[index].name) == 0)
            return true;
    }
    return false;
}

static bool check_name(const struct check *check, size_t index)
{
    char quoted[QUOTED_SIZE];
    const char *name = check->functions[index].name;
    struct settings_place place = name_place(check, name);
    if (name == NULL) {
        settings_errors_add(check->errors, place, "function %zu has no name", index + 1);
    } else if (!name_is_method(name, strlen(name))) {
        settings_errors_add(check->errors, place,
                            "%s cannot be the name of a method: it must be 1 to %d of A-Z, a-z, "
                            "0-9 and _",
                            quote(quoted, sizeof quoted, name, strlen(name)), NAME_SIZE_MAX);
    } else if (is_repeated(check->functions, index)) {
        settings_errors_add(check->errors, place, "the function %s is given twice", name);
    } else {
        return true;
    }
    return false;
}

enum busbar_status function_settings_check(struct signature **ret,
                                           const struct function_settings *functions, size_t count,
                                           const struct settings_node *node,
                                           struct settings_errors *errors)
{
    size_t before = errors->count;
    char reason[SIGNATURE_REASON_SIZE];
    const struct check check = {functions, settings_node_find(node, "functions"), errors};
    CLEANUP(cleanup_free) struct signature *signatures = calloc(count + 1, sizeof *signatures);
    *ret = NULL;
    if (signatures == NULL) {
        settings_node_complain(errors, check.map, "out of memory");
        return BUSBAR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const struct function_settings *function = &functions[i];
        if (!check_name(&check, i) || function->signature == NULL)
            continue;
        if (!signature_parse(&signatures[i], function->signature, reason))
            settings_node_complain(errors,
                                   function_settings_node(node, function->name, "signature"),
                                   "%s: %s", function->name, reason);
    }
    if (errors->count > before)
        return BUSBAR_BAD_CONFIG;
    *ret = STEAL(signatures);
    return BUSBAR_OK;
}

/* Telling ------------------------------------------------------------------------------------- */

enum busbar_status object_errors_told(enum busbar_status status, struct settings_errors *errors)
{
    CLEANUP(cleanup_free) char *text = NULL;
    size_t size = 0;
    FILE *lines = errors->count > 0 ? open_memstream(&text, &size) : NULL;
    if (lines != NULL) {
        settings_errors_print(errors, "", lines);
        if (fclose(lines) != 0 || size == 0)
            free(STEAL(text));
        else
            text[size - 1] = '\0';
    }
    settings_errors_fini(errors);
    if (status == BUSBAR_OK)
        return outcome_ok();
    if (text != NULL)
        return outcome_fail_text(status, BUSBAR_NOT_EXECUTED, text);
    if (busbar_last_status() == status)
        return status;
    return outcome_fail_text(status, BUSBAR_NOT_EXECUTED, busbar_status_text(status));
}
