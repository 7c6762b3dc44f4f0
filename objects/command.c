/* Objects that run a program for each call. */
#include "objects/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static struct command *command_of(const struct busbar_object *object)
{
    return CONTAINER_OF(object, struct command, object);
}

static const struct command_method *find_method(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->method_count; i++) {
        if (strcmp(command->methods[i].name, name) == 0)
            return &command->methods[i];
    }
    return NULL;
}

static enum busbar_status command_call(struct busbar_object *object,
                                       const struct busbar_object_call *call,
                                       struct busbar_value **ret)
{
    struct command *command = command_of(object);
    const struct command_method *method = find_method(command, call->method);
    if (method == NULL)
        return busbar_fail(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "%s: no method %s",
                           object_name(object), call->method);
    return command_run(command, method, call, ret);
}

/* What it says of itself ----------------------------------------------------------------------- */

static struct object_method method_told(const struct command_method *method)
{
    return (struct object_method){
        .name = method->name,
        .signature = method->signature.text,
        .text = method->text,
        .idempotent = method->idempotent,
    };
}

static enum busbar_status command_describe(struct busbar_object *object, uint32_t timeout_ms,
                                           object_method_fn *each, void *context)
{
    (void)timeout_ms;
    const struct command *command = command_of(object);
    for (size_t i = 0; i < command->method_count; i++) {
        const struct object_method told = method_told(&command->methods[i]);
        if (!each(context, &told))
            break;
    }
    return BUSBAR_OK;
}

static bool command_find(struct busbar_object *object, const char *name, struct object_method *ret)
{
    const struct command_method *method = find_method(command_of(object), name);
    if (method != NULL)
        *ret = method_told(method);
    return method != NULL;
}

static void command_dump(const struct busbar_object *object, unsigned indent, FILE *out)
{
    settings_dump_bare(&command_table, &command_of(object)->parts.settings, indent, out);
}

/* Making and freeing --------------------------------------------------------------------------- */

void command_parts_fini(struct command_parts *parts)
{
    settings_fini(&command_table, &parts->settings);
    free(STEAL(parts->path));
    free(STEAL(parts->signatures));
}

static void command_fini(struct command *command)
{
    for (size_t i = 0; i < command->method_count; i++)
        free(command->methods[i].argv);
    free(command->methods);
    for (size_t i = 0; command->assignments != NULL && command->assignments[i] != NULL; i++)
        free(command->assignments[i]);
    free(command->assignments);
    command_parts_fini(&command->parts);
    turns_fini(&command->turns);
    free(command);
}

static void command_destroy(struct busbar_object *object)
{
    object_fini(object);
    command_fini(command_of(object));
}

static const struct object_class command_class = {
    .kind = "command",
    .call = command_call,
    .destroy = command_destroy,
    .describe = command_describe,
    .find = command_find,
    .dump = command_dump,
};

static bool make_assignments(struct command *command)
{
    const struct command_settings *settings = &command->parts.settings;
    command->assignments = calloc(settings->environment_count + 1, sizeof(char *));
    if (command->assignments == NULL)
        return false;
    for (size_t i = 0; i < settings->environment_count; i++) {
        const struct environment_settings *variable = &settings->environment[i];
        if (asprintf(&command->assignments[i], "%s=%s", variable->name, variable->value) < 0) {
            command->assignments[i] = NULL;
            return false;
        }
    }
    return true;
}

static bool method_init(struct command_method *method, const struct command_settings *settings,
                        const struct function_settings *function)
{
    method->name = function->name;
    method->text = function->text != NULL ? function->text : "";
    method->idempotent = function->idempotent;
    method->argv = calloc(settings->word_count + function->argument_count + 1, sizeof(char *));
    if (method->argv == NULL)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < settings->word_count; i++)
        method->argv[used++] = settings->words[i].text;
    for (size_t i = 0; i < function->argument_count; i++)
        method->argv[used++] = function->arguments[i].text;
    return true;
}

/* What a command has that says nothing of its functions. */
static bool make_run(struct command *command)
{
    static const struct function_settings none;
    struct command_method *method = &command->methods[0];
    char reason[SIGNATURE_REASON_SIZE];
    if (!method_init(method, &command->parts.settings, &none))
        return false;
    method->name = "run";
    method->text = "the argument goes to the program's stdin, its stdout is the result";
    return signature_parse(&method->signature, "y>y", reason);
}

static bool make_methods(struct command *command)
{
    const struct command_settings *settings = &command->parts.settings;
    size_t count = settings->function_count > 0 ? settings->function_count : 1;
    command->methods = calloc(count, sizeof *command->methods);
    if (command->methods == NULL)
        return false;
    command->method_count = count;
    for (size_t i = 0; i < settings->function_count; i++) {
        if (!method_init(&command->methods[i], settings, &settings->functions[i]))
            return false;
        command->methods[i].signature = command->parts.signatures[i];
    }
    return settings->function_count > 0 || make_run(command);
}

enum busbar_status command_new(struct busbar_object **ret, struct command_parts *parts)
{
    *ret = NULL;
    struct command *command = calloc(1, sizeof *command);
    if (command == NULL) {
        command_parts_fini(parts);
        return busbar_fail(BUSBAR_NO_MEMORY, BUSBAR_NOT_EXECUTED, "command: out of memory");
    }
    command->parts = *parts;
    *parts = (struct command_parts){.path = NULL};
    turns_init(&command->turns, command->parts.settings.concurrency);
    enum busbar_status status = BUSBAR_NO_MEMORY;
    if (make_assignments(command) && make_methods(command))
        status = object_init(&command->object, &command_class);
    else
        busbar_fail(status, BUSBAR_NOT_EXECUTED, "command: out of memory");
    if (status != BUSBAR_OK)
        command_fini(command);
    else
        *ret = &command->object;
    return status;
}
