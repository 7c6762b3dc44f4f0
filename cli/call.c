/* `busbar call`: one call, from words or a raw body to a printed result. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/bus.h"
#include "cli/call_print.h"
#include "cli/file.h"
#include "cli/report.h"

/* More than this is not read into memory, whatever the broker's limit is. */
#define BODY_MAX ((size_t)1 << 30)

struct request {
    const char *service;
    const char *method;
    struct arguments arguments;
    uint32_t timeout_ms;
    const char *body; /* a file, "-" or NULL */
    const char *key;
    uint32_t wait_ms;
    struct option_pairs meta;
    bool json;
    bool string;
    bool raw;
    bool stream;
    bool progress;
    bool oneway;
    bool idempotent;
    uint64_t deadline; /* ms */
    struct print_form form;
    int code; /* of printing parts */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint32_t remaining_ms(const struct request *request)
{
    uint64_t now = now_ms();
    return request->deadline > now ? (uint32_t)(request->deadline - now) : 1;
}

/* The signature of the method in what `describe` answered; NULL if nobody told it. */
static const char *find_signature(const struct busbar_value *description, const char *method)
{
    const struct busbar_value *registrations = busbar_value_get(description, "registrations");
    for (size_t i = 0; i < busbar_value_count(registrations); i++) {
        const struct busbar_value *methods = busbar_value_get(busbar_value_at(registrations, i),
                                                              "methods");
        for (size_t j = 0; j < busbar_value_count(methods); j++) {
            const struct busbar_value *entry = busbar_value_at(methods, j);
            const char *name = busbar_value_as_text(busbar_value_get(entry, "name"));
            const char *text = busbar_value_as_text(busbar_value_get(entry, "signature"));
            if (name != NULL && strcmp(name, method) == 0 && text != NULL && *text != '\0')
                return text;
        }
    }
    return NULL;
}

static enum busbar_status body_of_list(struct busbar_body *ret, struct busbar_value *list,
                                       enum busbar_status status)
{
    if (status == BUSBAR_OK)
        status = busbar_body_value(ret, list);
    busbar_value_destroy(&list);
    return status;
}

static enum busbar_status body_by_signature(struct busbar_body *ret, const struct request *request,
                                            const char *signature, char *reason)
{
    const struct arguments *arguments = &request->arguments;
    if (arguments_are_raw(signature)) {
        const char *word = "";
        enum busbar_status status = arguments_raw(&word, arguments, signature, reason);
        *ret = busbar_body_copied(word, strlen(word));
        return status;
    }
    struct busbar_value *list = NULL;
    enum busbar_status status = arguments_convert(&list, arguments, signature, reason);
    return body_of_list(ret, list, status);
}

/* Without an answer of the broker nothing is sent: the call would get none either, and what its
 * arguments mean is not known. */
static int body_as_described(struct busbar_body *ret, struct busbar_client *client,
                             const struct request *request)
{
    char reason[ARGUMENTS_REASON_SIZE] = "";
    CLEANUP(busbar_value_destroy) struct busbar_value *description = NULL;
    const struct busbar_call question = {.method = "describe", .timeout_ms = request->timeout_ms};
    enum busbar_status status = bus_ask(client, &question, request->service, &description);
    if (status == BUSBAR_BROKER_LOST)
        return report_client(status, client);
    if (status == BUSBAR_TIMEOUT) {
        snprintf(
            reason, sizeof reason, "%s did not tell the signature of %.128s.%.128s within %u ms",
            busbar_client_broker(client), request->service, request->method, request->timeout_ms);
        return report_status(status, BUSBAR_NOT_EXECUTED, reason);
    }
    status = body_by_signature(ret, request, find_signature(description, request->method), reason);
    return status == BUSBAR_OK ? 0 : report_status(status, BUSBAR_NOT_EXECUTED, reason);
}

static int body_from_arguments(struct busbar_body *ret, struct busbar_client *client,
                               const struct request *request)
{
    char reason[ARGUMENTS_REASON_SIZE] = "";
    struct busbar_value *list = NULL;
    if (!request->json && !request->string)
        return body_as_described(ret, client, request);
    enum busbar_status status = arguments_by_rule(
        &list, &request->arguments, request->json ? ARGUMENTS_JSON : ARGUMENTS_STRING, reason);
    status = body_of_list(ret, list, status);
    return status == BUSBAR_OK ? 0 : report_status(status, BUSBAR_NOT_EXECUTED, reason);
}

static void free_body(void *data, void *hint)
{
    (void)hint;
    free(data);
}

static int body_from_file(struct busbar_body *ret, const char *path)
{
    char *data;
    size_t size;
    enum busbar_status status = file_read(path, BODY_MAX, &data, &size);
    if (status == BUSBAR_SYSTEM) {
        report("cannot read %s: %s", path, strerror(errno));
        return EXIT_CLASS_USAGE;
    }
    if (status != BUSBAR_OK)
        return report_status(status, BUSBAR_NOT_EXECUTED, path);
    *ret = busbar_body_taken(data, size, free_body, NULL);
    return 0;
}

/* A part is printed as it comes; what goes wrong is told once, and the rest is not printed. */
static void print_part(struct busbar_reply **part, void *context)
{
    struct request *request = context;
    if (request->code == EXIT_CLASS_SUCCESS)
        request->code = print_reply(*part, &request->form);
}

/* After parts an empty body is no further result. */
static int print_result(struct request *request, const struct busbar_reply *reply)
{
    bool is_end = request->form.lines && busbar_reply_size(reply) == 0;
    if (request->code != EXIT_CLASS_SUCCESS || request->oneway || is_end)
        return request->code;
    return print_reply(reply, &request->form);
}

static unsigned flags_of(const struct request *request)
{
    return (request->stream ? BUSBAR_STREAM : 0u) | (request->oneway ? BUSBAR_ONEWAY : 0u) |
           (request->idempotent ? BUSBAR_IDEMPOTENT : 0u);
}

static int run(const struct cli *cli, struct request *request)
{
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    struct busbar_call call = {
        .service = request->service,
        .method = request->method,
        .flags = flags_of(request),
        .wait_ms = request->wait_ms,
        .key = request->key,
        .metadata = request->meta.count > 0 ? request->meta.words : NULL,
        .part = request->stream ? print_part : NULL,
        .progress = request->progress ? print_progress : NULL,
        .context = request,
    };
    request->deadline = now_ms() + request->timeout_ms;
    request->form = (struct print_form){
        .bytes = request->body != NULL, .raw = request->raw, .lines = request->stream};
    int code = bus_connect(&client, cli, request->timeout_ms);
    if (code == 0)
        code = request->body != NULL ? body_from_file(&call.body, request->body)
                                     : body_from_arguments(&call.body, client, request);
    if (code != 0)
        return code;
    /* Reading stdin may take its time: where the broker was not asked the deadline runs from here. */
    bool asked = request->body == NULL && !request->json && !request->string;
    call.timeout_ms = asked ? remaining_ms(request) : request->timeout_ms;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    enum busbar_status status = busbar_client_call(client, &call, &reply);
    if (status != BUSBAR_OK)
        return reply != NULL ? print_failure(reply) : report_client(status, client);
    return print_result(request, reply);
}

static int check_request(const struct request *request)
{
    if (request->body != NULL && request->arguments.count > 0) {
        report("--body stands for the arguments; there can be no others");
        return EXIT_CLASS_USAGE;
    }
    if (request->json + request->string + (request->body != NULL) > 1) {
        report("only one of --json, --string and --body can be");
        return EXIT_CLASS_USAGE;
    }
    if (request->oneway && (request->stream || request->progress)) {
        report("with --oneway nothing comes back, so there is no --stream and no --progress");
        return EXIT_CLASS_USAGE;
    }
    return 0;
}

int command_call(struct cli *cli, int argc, char **argv)
{
    struct request request = {0};
    const struct option_row rows[] = {
        {"timeout", OPTION_TIME, &request.timeout_ms, "TIME",
         "deadline of the call; 5s, and --wait", 0, 0},
        {"body", OPTION_TEXT, &request.body, "FILE", "send a file's bytes (-: stdin), print bytes",
         0, 0},
        {"json", OPTION_FLAG, &request.json, NULL, "each ARG is JSON", 0, 0},
        {"string", OPTION_FLAG, &request.string, NULL, "each ARG is a string", 0, 0},
        {"raw", OPTION_FLAG, &request.raw, NULL, "print a string as itself, not as JSON", 0, 0},
        {"stream", OPTION_FLAG, &request.stream, NULL, "take the result in parts, print each", 0,
         0},
        {"progress", OPTION_FLAG, &request.progress, NULL, "print progress to stderr", 0, 0},
        {"oneway", OPTION_FLAG, &request.oneway, NULL, "want no result, only that it is accepted",
         0, 0},
        {"idempotent", OPTION_FLAG, &request.idempotent, NULL, "may be executed twice", 0, 0},
        {"wait", OPTION_TIME, &request.wait_ms, "TIME", "wait for a service that is not there", 0,
         0},
        {"key", OPTION_TEXT, &request.key, "KEY", "of a sticky service: one key, one worker", 0, 0},
        {"meta", OPTION_PAIR, &request.meta, "NAME=VALUE", "metadata for the handler; repeatable",
         0, 0},
    };
    const struct options options = {
        .usage = "call [OPTION…] SERVICE METHOD [ARG…]",
        .text = "Calls a method and prints its result: values as JSON, raw bytes as they are.\n"
                "Where the signature of the method is known it decides what an ARG means; else an\n"
                "ARG that is JSON is sent as that, any other as a string. The ARGs are sent as a\n"
                "list of values, but to a method whose only argument is `y` as the raw body.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 2,
        .most = -1,
    };
    int code = options_parse(&options, cli, argc, argv, &request.arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    request.service = request.arguments.items[0];
    request.method = request.arguments.items[1];
    request.arguments.items += 2;
    request.arguments.count -= 2;
    if (request.timeout_ms == 0)
        request.timeout_ms = BUSBAR_DEFAULT_TIMEOUT_MS + request.wait_ms;
    code = check_request(&request);
    return code != 0 ? code : run(cli, &request);
}
