/* Commands as a file or code defines them: the table, and what must hold besides it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "objects/command.h"
#include "objects/outcome.h"
#include "objects/path.h"

enum {
    QUOTED_SIZE = 160,
};

#define AT(member, type) SETTINGS_AT(struct command_settings, member, type)

static const struct settings_key environment_keys[] = {
    {
        .key = "value",
        .type = SETTINGS_STRING,
        .required = true,
        .offset = SETTINGS_AT(struct environment_settings, value, char *),
    },
};

static const struct settings_table environment_table = {
    .keys = environment_keys,
    .count = ARRAY_SIZE(environment_keys),
    .size = sizeof(struct environment_settings),
    .shorthand = "value",
};

static const struct settings_key keys[] = {
    {
        .key = "command",
        .type = SETTINGS_LIST,
        .required = true,
        .single = true,
        .offset = AT(words, struct text_settings *),
        .count_offset = AT(word_count, size_t),
        .min = 1,
        .max = 1024,
        .table = &text_table,
        .help = "The program and its arguments, as a list, or the program alone. With a '/' it is\n"
                "relative to this file, without it is found in the PATH.",
    },
    {
        .key = "environment",
        .type = SETTINGS_MAP,
        .offset = AT(environment, struct environment_settings *),
        .count_offset = AT(environment_count, size_t),
        .max = 1024,
        .table = &environment_table,
        .help = "Variables besides those of the process that calls, as they are at the call.",
    },
    {
        .key = "directory",
        .type = SETTINGS_STRING,
        .offset = AT(directory, char *),
        .min = 1,
        .max = 4095,
        .help = "Where it runs, relative to this file; default: where the process does.",
    },
    {
        .key = "timeout",
        .type = SETTINGS_DURATION,
        .offset = AT(timeout_ms, uint32_t),
        .help = "How long a run may take, whatever the deadline of the call; 0: as long as that.",
    },
    {
        .key = "concurrency",
        .type = SETTINGS_U32,
        .offset = AT(concurrency, uint32_t),
        .help = "How many run at once; other calls wait for their turn. 0: as many as called.",
    },
    {
        .key = "output_limit",
        .type = SETTINGS_SIZE,
        .offset = AT(output_limit, uint64_t),
        .standard = "16 MiB",
        .min = 1,
        .help = "A program that writes more than that is killed.",
    },
    {
        .key = "functions",
        .type = SETTINGS_MAP,
        .offset = AT(functions, struct function_settings *),
        .count_offset = AT(function_count, size_t),
        .max = REGISTRATION_METHODS_MAX,
        .table = &command_function_table,
        .help = "Methods, by name: a signature, or {signature, arguments, idempotent, text}; the\n"
                "arguments are further words of the command. Default: run. Each takes nothing or\n"
                "one y or s and gives nothing or one y or s; default: \"y>y\".",
    },
};

const struct settings_table command_table = {
    .keys = keys,
    .count = ARRAY_SIZE(keys),
    .size = sizeof(struct command_settings),
};

/* A command on its way: what it is made from, and what becomes of it. */
struct making {
    struct command_parts parts;
    const struct settings_node *node;
    struct settings_errors *errors;
};

/* The configuration that a path is relative to; NULL: none. */
static const char *file_of(const struct settings_node *node)
{
    return node != NULL ? node->place.file : NULL;
}

/* Where the program is named. */
static const struct settings_node *word_node(const struct making *making)
{
    const struct settings_node *words = settings_node_find(making->node, "command");
    return words != NULL && words->kind == SETTINGS_SEQUENCE ? words->first : words;
}

static void complain_of_program(const struct making *making, const char *what, int error)
{
    char quoted[QUOTED_SIZE];
    const struct settings_node *node = word_node(making);
    quote(quoted, sizeof quoted, what, strlen(what));
    if (error == ENOMEM)
        settings_node_complain(making->errors, node, "out of memory");
    else if (error == EACCES)
        settings_node_complain(making->errors, node, "%s is no file that can be executed", quoted);
    else if (strchr(what, '/') != NULL)
        settings_node_complain(making->errors, node, "there is no program %s", quoted);
    else
        settings_node_complain(making->errors, node, "there is no program %s in the PATH%s", quoted,
                               strchr(what, ' ') != NULL ? "; words are items of a list" : "");
}

/* A program that is named by a path gets the whole path as its name: so what is dumped reads back
 * as the same anywhere, and a script knows where it lies. */
static void check_program(struct making *making)
{
    struct command_settings *settings = &making->parts.settings;
    if (settings->word_count == 0) {
        settings_node_complain(making->errors, making->node, "a command needs a program");
        return;
    }
    char **word = &settings->words[0].text;
    int error = path_of_program(&making->parts.path, *word, file_of(word_node(making)));
    if (strchr(*word, '/') != NULL && making->parts.path != NULL) {
        char *whole = strdup(making->parts.path);
        if (whole != NULL) {
            free(*word);
            *word = whole;
        } else {
            error = ENOMEM;
        }
    }
    if (error != 0)
        complain_of_program(making, *word, error);
}

static void check_directory(struct making *making)
{
    char **directory = &making->parts.settings.directory;
    if (*directory == NULL)
        return;
    const struct settings_node *node = settings_node_find(making->node, "directory");
    char *whole = path_beside(*directory, file_of(node));
    struct stat state;
    if (whole == NULL) {
        settings_node_complain(making->errors, node, "out of memory");
        return;
    }
    free(*directory);
    *directory = whole;
    if (stat(whole, &state) == 0 && S_ISDIR(state.st_mode))
        return;
    char quoted[QUOTED_SIZE];
    settings_node_complain(making->errors, node, "there is no directory %s",
                           quote(quoted, sizeof quoted, whole, strlen(whole)));
}

static bool has_before(const struct command_settings *settings, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(settings->environment[i].name, settings->environment[index].name) == 0)
            return true;
    }
    return false;
}

static void check_variable(const struct making *making, size_t index)
{
    const struct command_settings *settings = &making->parts.settings;
    const struct environment_settings *variable = &settings->environment[index];
    const char *name = variable->name != NULL ? variable->name : "";
    const struct settings_node *map = settings_node_find(making->node, "environment");
    const struct settings_node *node = settings_node_find(map, name);
    struct settings_place place = node != NULL ? node->key_place : settings_node_place(map);
    char quoted[QUOTED_SIZE];
    quote(quoted, sizeof quoted, name, strlen(name));
    if (name[0] == '\0' || strchr(name, '=') != NULL)
        settings_errors_add(making->errors, place, "%s cannot be the name of a variable", quoted);
    else if (has_before(settings, index))
        settings_errors_add(making->errors, place, "the variable %s is set twice", quoted);
}

static void check_environment(struct making *making)
{
    for (size_t i = 0; i < making->parts.settings.environment_count; i++)
        check_variable(making, i);
}

static bool fits_a_stream(const struct signature_item *item)
{
    return (item->type == SIGNATURE_STRING || item->type == SIGNATURE_BYTES) && !item->owned &&
           !item->nullable;
}

static bool fits_a_program(const struct signature *signature)
{
    return (signature->argument_count == 0 ||
            (signature->argument_count == 1 && fits_a_stream(&signature->arguments[0]))) &&
           (signature->result_count == 0 || (signature->result_count == 1 && signature->returns &&
                                             fits_a_stream(&signature->results[0])));
}

/* False when out of memory. */
static bool add_signatures(struct command_settings *settings)
{
    for (size_t i = 0; i < settings->function_count; i++) {
        char **signature = &settings->functions[i].signature;
        if (*signature == NULL)
            *signature = strdup("y>y");
        if (*signature == NULL)
            return false;
    }
    return true;
}

static void check_functions(struct making *making)
{
    struct command_settings *settings = &making->parts.settings;
    if (!add_signatures(settings)) {
        settings_node_complain(making->errors, making->node, "out of memory");
        return;
    }
    if (function_settings_check(&making->parts.signatures, settings->functions,
                                settings->function_count, making->node,
                                making->errors) != BUSBAR_OK)
        return;
    const struct settings_node *map = settings_node_find(making->node, "functions");
    for (size_t i = 0; i < settings->function_count; i++) {
        const struct signature *signature = &making->parts.signatures[i];
        if (fits_a_program(signature))
            continue;
        const struct settings_node *node = settings_node_find(map, settings->functions[i].name);
        const struct settings_node *inner = settings_node_find(node, "signature");
        settings_node_complain(
            making->errors, inner != NULL ? inner : node,
            "%s: \"%s\" is not for a program, which takes nothing or one y or s, "
            "and gives nothing or one y or s",
            settings->functions[i].name, signature->text);
    }
}

static enum busbar_status command_create(struct busbar_object **ret, void *settings,
                                         const struct settings_node *node,
                                         struct settings_errors *errors)
{
    struct command_settings *given = settings;
    struct making making = {.parts = {.settings = *given}, .node = node, .errors = errors};
    *ret = NULL;
    memset(given, 0, sizeof *given);
    size_t before = errors->count;
    check_program(&making);
    check_directory(&making);
    check_environment(&making);
    check_functions(&making);
    if (errors->count == before)
        return command_new(ret, &making.parts);
    command_parts_fini(&making.parts);
    return BUSBAR_BAD_CONFIG;
}

const struct object_kind command_kind = {
    .key = "command",
    .table = &command_table,
    .create = command_create,
};

/* From code ------------------------------------------------------------------------------------ */

static bool copy_environment(struct command_settings *settings, const char *const *texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL)
        count++;
    settings->environment = calloc(count / 2 + 1, sizeof *settings->environment);
    if (settings->environment == NULL)
        return false;
    for (size_t i = 0; i + 1 < count; i += 2) {
        struct environment_settings *variable = &settings->environment[i / 2];
        settings->environment_count = i / 2 + 1;
        variable->name = strdup(texts[i]);
        variable->value = strdup(texts[i + 1]);
        if (variable->name == NULL || variable->value == NULL)
            return false;
    }
    return true;
}

static bool copy_options(struct command_settings *settings,
                         const struct busbar_command_options *options)
{
    if (!settings_init(&command_table, settings))
        return false;
    settings->timeout_ms = options->timeout_ms;
    settings->concurrency = options->concurrency;
    if (options->output_limit > 0)
        settings->output_limit = options->output_limit;
    if (options->directory != NULL)
        settings->directory = strdup(options->directory);
    bool copied = function_settings_copy(&settings->functions, &settings->function_count,
                                         options->functions, options->function_count);
    function_settings_trim(settings->functions, settings->function_count, &command_function_table);
    return copied && (options->directory == NULL || settings->directory != NULL) &&
           text_settings_copy(&settings->words, &settings->word_count, options->words) &&
           copy_environment(settings, options->environment);
}

static const char *misuse(const struct busbar_command_options *options)
{
    if (options == NULL || options->words == NULL || options->words[0] == NULL)
        return "a command needs a program";
    size_t count = 0;
    while (options->environment != NULL && options->environment[count] != NULL)
        count++;
    return count % 2 != 0 ? "a command's environment has a name without a value" : NULL;
}

enum busbar_status busbar_command_new(struct busbar_object **ret,
                                      const struct busbar_command_options *options)
{
    if (ret != NULL)
        *ret = NULL;
    const char *wrong = ret == NULL ? "a command needs room for its result" : misuse(options);
    if (wrong != NULL)
        return outcome_fail_text(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, wrong);
    struct command_settings settings = {.words = NULL};
    struct settings_errors errors;
    settings_errors_init(&errors);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (copy_options(&settings, options))
        status = command_create(ret, &settings, NULL, &errors);
    settings_fini(&command_table, &settings);
    return object_errors_told(status, &errors);
}
