/* One call of a command: its argument, its turn, its run, its result. */
#include "objects/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "objects/program.h"

/* One call on its way. */
struct run {
    struct command *command;
    const struct command_method *method;
    const struct busbar_object_call *call;
    uint64_t deadline_ms; /* of the call; UINT64_MAX: none */
    struct program program;
    struct program_result result;
};

/* Arguments and results ------------------------------------------------------------------------ */

static enum busbar_status refuse_count(const struct run *run, size_t count)
{
    const struct signature *signature = &run->method->signature;
    return busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                       "%s: %s(%s) takes %zu argument%s, not %zu",
                       object_name(&run->command->object), run->method->name, signature->text,
                       signature->argument_count, signature->argument_count == 1 ? "" : "s", count);
}

static enum busbar_status refuse_argument(const struct run *run, const char *what, const char *was)
{
    return busbar_fail(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                       "%s: argument 1 of %s(%s) must be %s, not %s",
                       object_name(&run->command->object), run->method->name,
                       run->method->signature.text, what, was);
}

/* For bytes a string will do as well: callers that write JSON have no other way to say them. */
static enum busbar_status take_argument(struct run *run)
{
    const struct signature *signature = &run->method->signature;
    size_t count = busbar_value_count(run->call->arguments);
    if (count != signature->argument_count)
        return refuse_count(run, count);
    if (count == 0)
        return BUSBAR_OK;
    const struct busbar_value *argument = busbar_value_at(run->call->arguments, 0);
    bool text = signature->arguments[0].type == SIGNATURE_STRING;
    enum busbar_type type = busbar_value_type(argument);
    if (type != BUSBAR_STRING && (text || type != BUSBAR_BYTES))
        return refuse_argument(run, text ? "a string" : "bytes", busbar_type_name(type));
    struct program *program = &run->program;
    program->input = busbar_value_data(argument, &program->input_size);
    if (text && memchr(program->input, '\0', program->input_size) != NULL)
        return refuse_argument(run, "a string without NUL bytes", "one with them");
    return BUSBAR_OK;
}

static enum busbar_status give_text(const struct run *run, struct busbar_value **ret)
{
    const struct program_result *result = &run->result;
    const char *text = result->output != NULL ? result->output : "";
    size_t size = result->output_size;
    if (size > 0 && text[size - 1] == '\n')
        size--;
    bool nul = memchr(text, '\0', size) != NULL;
    if (nul || !utf8_is_valid(text, size))
        return busbar_fail(
            BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "%s: %s(%s): what %s wrote is no text: %s",
            object_name(&run->command->object), run->method->name, run->method->signature.text,
            run->program.argv[0], nul ? "it has a NUL byte inside" : "it is not UTF-8");
    *ret = busbar_value_string(text, size);
    return *ret != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

static enum busbar_status give_result(const struct run *run, struct busbar_value **ret)
{
    const struct signature *signature = &run->method->signature;
    if (!signature->returns)
        *ret = busbar_value_null();
    else if (signature->results[0].type == SIGNATURE_STRING)
        return give_text(run, ret);
    else
        *ret = busbar_value_bytes(run->result.output != NULL ? run->result.output : "",
                                  run->result.output_size);
    return *ret != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

/* Running -------------------------------------------------------------------------------------- */

/* Fails a run with `OBJECT: METHOD: PROGRAM: what`. */
#define fail_run(run, status, fate, format, ...)                                                   \
    busbar_fail(status, fate, "%s: %s: %.100s: " format, object_name(&(run)->command->object),     \
                (run)->method->name, (run)->program.argv[0], __VA_ARGS__)

static enum busbar_status judge_result(const struct run *run, struct busbar_value **ret)
{
    const struct program_result *result = &run->result;
    const char *colon = result->tail[0] != '\0' ? ": " : "";
    switch (result->end) {
    case PROGRAM_EXITED:
        if (result->code == 0)
            return give_result(run, ret);
        return fail_run(run, BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "exit status %d%s%s", result->code,
                        colon, result->tail);
    case PROGRAM_SIGNALLED:
        return fail_run(run, BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "killed by signal %d (%s)%s%s",
                        result->code, strsignal(result->code), colon, result->tail);
    case PROGRAM_CANCELLED:
        return fail_run(run, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED, "%s",
                        "killed, the call was cancelled");
    case PROGRAM_OVERTIME:
        return fail_run(run, BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED, "%s%s%s",
                        "killed, its time was over", colon, result->tail);
    case PROGRAM_TOO_MUCH:
        return fail_run(run, BUSBAR_RESULT_TOO_LARGE, BUSBAR_EXECUTED,
                        "killed, it wrote more than %zu bytes", run->program.output_max);
    case PROGRAM_LOST:
        return fail_run(run, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED,
                        "how it ended is not known: %s", strerror(result->code));
    case PROGRAM_NOT_STARTED:
        return busbar_fail(BUSBAR_APP_ERROR, BUSBAR_NOT_EXECUTED, "%s: %s: cannot start %s%s%s: %s",
                           object_name(&run->command->object), run->method->name, run->program.path,
                           run->program.directory != NULL ? " in " : "",
                           run->program.directory != NULL ? run->program.directory : "",
                           strerror(result->code));
    }
    return BUSBAR_SYSTEM;
}

static bool is_overridden(const struct command_settings *settings, const char *variable)
{
    for (size_t i = 0; i < settings->environment_count; i++) {
        const char *name = settings->environment[i].name;
        size_t size = strlen(name);
        if (strncmp(variable, name, size) == 0 && variable[size] == '=')
            return true;
    }
    return false;
}

/* The environment of this process as it is now, and over it that of the command; an array for
 * free(). */
static const char **merge_environment(const struct command *command)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL)
        count++;
    const struct command_settings *settings = &command->parts.settings;
    const char **merged = calloc(count + settings->environment_count + 1, sizeof *merged);
    if (merged == NULL)
        return NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_overridden(settings, environ[i]))
            merged[used++] = environ[i];
    }
    for (size_t i = 0; i < settings->environment_count; i++)
        merged[used++] = command->assignments[i];
    return merged;
}

static enum busbar_status run_program(struct run *run, struct busbar_value **ret)
{
    const struct command_settings *settings = &run->command->parts.settings;
    struct program *program = &run->program;
    CLEANUP(cleanup_free) const char **environment = NULL;
    if (settings->environment_count > 0) {
        environment = merge_environment(run->command);
        if (environment == NULL)
            return BUSBAR_NO_MEMORY;
    }
    program->environment = environment;
    program->deadline_ms = run->deadline_ms;
    if (settings->timeout_ms > 0 && clock_ms() + settings->timeout_ms < run->deadline_ms)
        program->deadline_ms = clock_ms() + settings->timeout_ms;
    program_run(program, &run->result);
    enum busbar_status status = judge_result(run, ret);
    free(run->result.output);
    return status;
}

static enum busbar_status take_turn(struct run *run)
{
    const struct busbar_object_call *call = run->call;
    const struct turns_wait wait = {run->deadline_ms, call->cancelled, call->context};
    const char *name = object_name(&run->command->object);
    if (call->cancelled != NULL && call->cancelled(call->context))
        return busbar_fail(BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED, "%s: %s: the call was cancelled",
                           name, run->method->name);
    switch (turns_take(&run->command->turns, &wait)) {
    case TURNS_TAKEN:
        return BUSBAR_OK;
    case TURNS_CANCELLED:
        return busbar_fail(BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED,
                           "%s: %s: cancelled while it waited for its turn", name,
                           run->method->name);
    case TURNS_EXPIRED:
        return busbar_fail(BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED,
                           "%s: %s: its time was over before its turn: %" PRIu32 " run at once",
                           name, run->method->name, run->command->parts.settings.concurrency);
    }
    return BUSBAR_SYSTEM;
}

/* A text is one value, and cannot come in pieces. */
static bool gives_bytes(const struct signature *signature)
{
    return signature->returns && signature->results[0].type != SIGNATURE_STRING;
}

static size_t output_max(const struct command_settings *settings)
{
    return settings->output_limit < SIZE_MAX / 4 ? (size_t)settings->output_limit : SIZE_MAX / 4;
}

enum busbar_status command_run(struct command *command, const struct command_method *method,
                               const struct busbar_object_call *call, struct busbar_value **ret)
{
    struct run run = {
        .command = command,
        .method = method,
        .call = call,
        .deadline_ms = call->timeout_ms > 0 ? clock_ms() + call->timeout_ms : UINT64_MAX,
        .program =
            {
                .path = command->parts.path,
                .argv = method->argv,
                .directory = command->parts.settings.directory,
                .output_max = output_max(&command->parts.settings),
                .cancelled = call->cancelled,
                .sink = gives_bytes(&method->signature) ? call->part : NULL,
                .context = call->context,
            },
    };
    enum busbar_status status = take_argument(&run);
    if (status == BUSBAR_OK)
        status = take_turn(&run);
    if (status != BUSBAR_OK)
        return status;
    status = run_program(&run, ret);
    turns_give(&command->turns);
    return status;
}
