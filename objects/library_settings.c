/* Libraries as a file or code defines them: the table, the opening, the looking up of symbols. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/library.h"
#include "objects/outcome.h"
#include "objects/path.h"

enum {
    QUOTED_SIZE = 160,
    REASON_SIZE = 512,
};

#define AT(member, type) SETTINGS_AT(struct library_settings, member, type)

static const struct settings_key keys[] = {
    {
        .key = "library",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = AT(path, char *),
        .min = 1,
        .max = 4095,
        .help = "A shared library. With a '/' it is relative to this file, without it is found as\n"
                "other programs find it.",
    },
    {
        .key = "functions",
        .type = SETTINGS_MAP,
        .required = true,
        .offset = AT(functions, struct function_settings *),
        .count_offset = AT(function_count, size_t),
        .min = 1,
        .max = REGISTRATION_METHODS_MAX,
        .table = &library_function_table,
        .help = "Methods, by name: a signature, or {signature, symbol, idempotent, text}.",
    },
};

const struct settings_table library_table = {
    .keys = keys,
    .count = ARRAY_SIZE(keys),
    .size = sizeof(struct library_settings),
};

/* A library on its way: what it is made from, and what becomes of it. */
struct making {
    struct library_parts parts;
    const struct settings_node *node;
    struct settings_errors *errors;
};

/* Opening ------------------------------------------------------------------------------------- */

/* What dlopen(3) has to say, without the path in front if it begins with that, on one line. */
static const char *open_reason(const char *path, char out[REASON_SIZE])
{
    const char *text = dlerror();
    size_t size = strlen(path);
    if (text == NULL)
        text = "no reason given";
    if (strncmp(text, path, size) == 0 && strncmp(text + size, ": ", 2) == 0)
        text += size + 2;
    quote(out, REASON_SIZE, text, strlen(text));
    out[strlen(out) - 1] = '\0';
    return out + 1;
}

/* A path becomes whole, so that what is dumped reads back as the same anywhere. */
static bool make_whole(const struct making *making, const struct settings_node *node, char **path)
{
    if (strchr(*path, '/') == NULL)
        return true;
    char *whole = path_beside(*path, node != NULL ? node->place.file : NULL);
    if (whole == NULL) {
        settings_node_complain(making->errors, node, "out of memory");
        return false;
    }
    free(*path);
    *path = whole;
    return true;
}

/* Nothing has to be opened if each function came with its address. */
static bool needs_symbols(const struct library_settings *settings)
{
    for (size_t i = 0; i < settings->function_count; i++) {
        if (settings->functions[i].address == NULL)
            return true;
    }
    return false;
}

static void open_library(struct making *making)
{
    char quoted[QUOTED_SIZE];
    char reason[REASON_SIZE];
    struct library_settings *settings = &making->parts.settings;
    const struct settings_node *node = settings_node_find(making->node, "library");
    if (settings->path == NULL && !needs_symbols(settings))
        return;
    if (settings->path != NULL && !make_whole(making, node, &settings->path))
        return;
    making->parts.handle = dlopen(settings->path, RTLD_NOW | RTLD_LOCAL);
    if (making->parts.handle != NULL)
        return;
    const char *path = settings->path != NULL ? settings->path : "";
    settings_node_complain(making->errors, node, "the library %s cannot be opened: %s%s",
                           quote(quoted, sizeof quoted, path, strlen(path)),
                           open_reason(path, reason),
                           strchr(path, '/') != NULL
                               ? ""
                               : "; a name without / is looked for where the system has libraries");
}

/* Functions ----------------------------------------------------------------------------------- */

static const struct settings_node *node_of(const struct making *making,
                                           const struct function_settings *function,
                                           const char *key)
{
    return function_settings_node(making->node, function->name, key);
}

static void *find_symbol(const struct making *making, const struct function_settings *function)
{
    char quoted[QUOTED_SIZE];
    const char *symbol = function->symbol != NULL ? function->symbol : function->name;
    if (function->address != NULL)
        return function->address;
    if (making->parts.handle == NULL || symbol == NULL) /* has been complained about */
        return NULL;
    void *address = dlsym(making->parts.handle, symbol);
    if (address == NULL)
        settings_node_complain(making->errors, node_of(making, function, "symbol"),
                               "the library has no symbol %s",
                               quote(quoted, sizeof quoted, symbol, strlen(symbol)));
    return address;
}

static void prepare_call(const struct making *making, struct library_function *function)
{
    const struct settings_node *node = node_of(making, function->settings, "signature");
    const char *name = function->settings->name;
    const char *signature = function->signature.text;
    if (signature[0] == '\0')
        settings_node_complain(making->errors, node, "%s needs a signature, as in \"sd>s\"", name);
    else if (!native_prepare(&function->native, &function->signature))
        settings_node_complain(making->errors, node, "%s: libffi cannot call \"%s\"", name,
                               signature);
}

static bool make_functions(struct making *making)
{
    struct library_parts *parts = &making->parts;
    size_t count = parts->settings.function_count;
    CLEANUP(cleanup_free) struct signature *signatures = NULL;
    if (count == 0) {
        settings_node_complain(making->errors, making->node, "a library needs functions");
        return true;
    }
    enum busbar_status status = function_settings_check(&signatures, parts->settings.functions,
                                                        count, making->node, making->errors);
    parts->functions = calloc(count, sizeof *parts->functions);
    if (parts->functions == NULL || status == BUSBAR_NO_MEMORY)
        return false;
    parts->function_count = count;
    for (size_t i = 0; i < count; i++) {
        struct library_function *function = &parts->functions[i];
        function->settings = &parts->settings.functions[i];
        function->address = find_symbol(making, function->settings);
        if (signatures != NULL) {
            function->signature = signatures[i];
            prepare_call(making, function);
        }
    }
    return true;
}

static enum busbar_status library_create(struct busbar_object **ret, void *settings,
                                         const struct settings_node *node,
                                         struct settings_errors *errors)
{
    struct library_settings *given = settings;
    struct making making = {.parts = {.settings = *given}, .node = node, .errors = errors};
    size_t before = errors->count;
    *ret = NULL;
    memset(given, 0, sizeof *given);
    open_library(&making);
    if (!make_functions(&making) && errors->count == before)
        settings_node_complain(errors, node, "out of memory");
    if (errors->count == before)
        return library_new(ret, &making.parts);
    library_parts_fini(&making.parts);
    return BUSBAR_BAD_CONFIG;
}

const struct object_kind library_kind = {
    .key = "library",
    .table = &library_table,
    .create = library_create,
};

/* From code ----------------------------------------------------------------------------------- */

static bool copy_options(struct library_settings *ret, const struct busbar_library_options *options)
{
    if (options->path != NULL && (ret->path = strdup(options->path)) == NULL)
        return false;
    bool copied = function_settings_copy(&ret->functions, &ret->function_count, options->functions,
                                         options->function_count);
    function_settings_trim(ret->functions, ret->function_count, &library_function_table);
    return copied;
}

enum busbar_status busbar_library_new(struct busbar_object **ret,
                                      const struct busbar_library_options *options)
{
    if (ret != NULL)
        *ret = NULL;
    if (ret == NULL)
        return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                                 "a library needs room for its result");
    if (options == NULL || options->functions == NULL || options->function_count == 0)
        return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED,
                                 "a library needs functions");
    struct library_settings settings = {.path = NULL};
    struct settings_errors errors;
    settings_errors_init(&errors);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (copy_options(&settings, options))
        status = library_create(ret, &settings, NULL, &errors);
    settings_fini(&library_table, &settings);
    return object_errors_told(status, &errors);
}
