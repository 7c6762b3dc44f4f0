/* `busbar serve`: a service with one method that runs a program for each call. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <busbar/object.h>
#include <busbar/worker.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/path.h"
#include "cli/report.h"

enum {
    OUTPUT_MAX = 16 * 1024 * 1024, /* the limit of a body where the broker has no other */
    READY_INTERVAL_MS = 500,
    THREADS_MAX = 1024,
};

struct serve {
    const char *service;
    const char *method;
    const char *endpoint;
    const struct cli *cli;
    char *const *argv;
    uint32_t timeout_ms; /* 0: only the call's own deadline */
    uint64_t threads;
    uint64_t output_max;
    uint64_t weight;
    const char *balance;
    struct busbar_worker *worker;
    atomic_bool over; /* the worker has stopped: there is nothing more to announce */
};

/* What signals stop; the only thing a signal handler can reach. */
static struct busbar_worker *signalled_worker;

static void stop_on_signal(int number)
{
    (void)number;
    busbar_worker_stop(signalled_worker);
}

/* The first signal stops in order, a second one at once. */
static void watch_signals(struct busbar_worker *worker)
{
    signalled_worker = worker;
    const struct sigaction action = {.sa_handler = stop_on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool is_cancelled(void *request)
{
    return busbar_request_cancelled(request);
}

/* Waits while the caller has not read enough of what came before, and so does the program then. */
static bool send_part(void *request, const void *data, size_t size)
{
    return busbar_request_part(request, busbar_body_copied(data, size)) == BUSBAR_OK;
}

/* A raw body is the input; so is the one string or bytes of a list, for callers that send values. */
static enum busbar_status take_input(struct busbar_value **ret,
                                     const struct busbar_request *request)
{
    struct busbar_value *input = NULL;
    *ret = NULL;
    if (busbar_request_encoding(request) == BUSBAR_RAW) {
        input = busbar_value_bytes(busbar_request_data(request), busbar_request_size(request));
        *ret = busbar_value_list();
    } else if (busbar_request_value(request, ret) != BUSBAR_OK) {
        return BUSBAR_BAD_REQUEST;
    } else if (busbar_value_type(*ret) == BUSBAR_LIST && busbar_value_count(*ret) == 0) {
        input = busbar_value_bytes("", 0);
    } else {
        return BUSBAR_OK;
    }
    return busbar_value_append(*ret, &input);
}

static void give_back(void *data, void *hint)
{
    struct busbar_value *value = hint;
    (void)data;
    busbar_value_destroy(&value);
}

/* A program that was given less time than its caller has did not fail the bus: APP_ERROR. */
static void answer(struct busbar_request **request, enum busbar_status status,
                   struct busbar_value *result)
{
    size_t size = 0;
    if (status == BUSBAR_OK) {
        const char *data = busbar_value_data(result, &size);
        busbar_request_reply(request,
                             busbar_body_taken((void *)(uintptr_t)data, size, give_back, result));
    } else {
        busbar_request_fail(request, status == BUSBAR_TIMEOUT ? BUSBAR_APP_ERROR : status,
                            busbar_last_error());
    }
}

/* The context is the program. A time that is over already is noticed before the program is run. */
static void handle_run(struct busbar_request **request, void *program)
{
    struct busbar_value *result = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *arguments = NULL;
    enum busbar_status status = take_input(&arguments, *request);
    const struct busbar_object_call call = {
        .method = busbar_request_method(*request),
        .arguments = arguments,
        .timeout_ms = busbar_request_remaining(*request),
        .cancelled = is_cancelled,
        .part = busbar_request_window(*request) > 0 ? send_part : NULL,
        .context = *request,
    };
    if (status != BUSBAR_OK) {
        busbar_request_fail(request, status, "takes a raw body, or a list of one string or bytes");
        return;
    }
    status = busbar_object_call(program, &call, &result);
    answer(request, status, result);
}

static void release_program(void *program)
{
    struct busbar_object *object = program;
    busbar_object_destroy(&object);
}

/* Says once that the service is on the bus, and that it is not if that takes long. */
static void *announce(void *context)
{
    const struct serve *serve = context;
    bool told = false;
    while (!atomic_load(&serve->over)) {
        enum busbar_status status = busbar_worker_wait_ready(serve->worker, READY_INTERVAL_MS);
        if (status == BUSBAR_OK) {
            fprintf(stderr, "serving %s (%s) at %s\n", serve->service, serve->method,
                    serve->endpoint);
            return NULL;
        }
        if (status != BUSBAR_TIMEOUT)
            return NULL; /* busbar_worker_run says the same, and ends */
        if (!told)
            report("waiting for the broker at %s", serve->endpoint);
        told = true;
    }
    return NULL;
}

static int report_worker(enum busbar_status status, const struct busbar_worker *worker)
{
    char text[1024];
    busbar_worker_error(worker, text, sizeof text);
    return status == BUSBAR_OK ? 0 : report_status(status, BUSBAR_NOT_EXECUTED, text);
}

static int refuse(const struct serve *serve, const char *text)
{
    report("cannot serve \"%s\" with the method \"%s\": %s", serve->service, serve->method, text);
    return EXIT_CLASS_USAGE;
}

static int run_worker(struct serve *serve)
{
    pthread_t announcer;
    watch_signals(serve->worker);
    bool announcing = pthread_create(&announcer, NULL, announce, serve) == 0;
    enum busbar_status status = busbar_worker_run(serve->worker);
    atomic_store(&serve->over, true);
    if (announcing)
        pthread_join(announcer, NULL);
    return report_worker(status, serve->worker);
}

static enum busbar_status make_program(struct busbar_object **ret, const struct serve *serve)
{
    const struct busbar_function function = {.name = serve->method, .signature = "y>y"};
    const struct busbar_command_options options = {
        .words = (const char *const *)serve->argv,
        .timeout_ms = serve->timeout_ms,
        .output_limit = serve->output_max,
        .functions = &function,
        .function_count = 1,
    };
    return busbar_command_new(ret, &options);
}

/* The service holds a reference of its own, for handlers that outlive the stop. */
static enum busbar_status export_program(const struct serve *serve, struct busbar_object *program)
{
    const struct busbar_method method = {
        .name = serve->method,
        .handler = handle_run,
        .signature = "y>y",
        .text = "the body goes to the program's stdin, its stdout is the result",
    };
    const struct busbar_service service = {
        .name = serve->service,
        .methods = &method,
        .method_count = 1,
        .context = busbar_object_ref(program),
        .context_free = release_program,
        .weight = (uint32_t)serve->weight,
        .balance = serve->balance,
    };
    enum busbar_status status = busbar_worker_register(serve->worker, &service);
    if (status != BUSBAR_OK)
        release_program(service.context);
    return status;
}

static int serve_run(struct serve *serve)
{
    char text[1024];
    CLEANUP(busbar_object_destroy) struct busbar_object *program = NULL;
    CLEANUP(busbar_worker_destroy) struct busbar_worker *worker = NULL;
    const struct busbar_worker_options options = {
        .broker = serve->endpoint,
        .threads = (uint32_t)serve->threads,
    };
    enum busbar_status status = busbar_worker_new(&worker, &options);
    if (status == BUSBAR_BAD_ARGUMENT)
        return bus_refuse_endpoint(serve->cli);
    if (status != BUSBAR_OK)
        return report_worker(status, worker);
    if (make_program(&program, serve) != BUSBAR_OK)
        return refuse(serve, busbar_last_error());
    serve->worker = worker;
    status = export_program(serve, program);
    busbar_worker_error(worker, text, sizeof text);
    if (status == BUSBAR_BAD_ARGUMENT)
        return refuse(serve, text);
    return status == BUSBAR_OK ? run_worker(serve) : report_worker(status, worker);
}

static uint64_t count_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 && cores < THREADS_MAX ? (uint64_t)cores : 1;
}

int command_serve(struct cli *cli, int argc, char **argv)
{
    struct serve serve = {.method = "run", .threads = count_cores(), .output_max = OUTPUT_MAX};
    const struct option_row rows[] = {
        {"method", OPTION_TEXT, &serve.method, "NAME", "name of the method; run", 0, 0},
        {"threads", OPTION_NUMBER, &serve.threads, "N", "programs at once; number of cores", 1,
         THREADS_MAX},
        {"timeout", OPTION_TIME, &serve.timeout_ms, "TIME", "kill the program after that time", 0,
         0},
        {"max-output", OPTION_NUMBER, &serve.output_max, "BYTES",
         "kill the program when it writes more; 16777216", 1, SIZE_MAX / 4},
        {"weight", OPTION_NUMBER, &serve.weight, "N", "against other workers of SERVICE; 100", 1,
         10000},
        {"balance", OPTION_TEXT, &serve.balance, "HOW",
         "least_loaded, round_robin, random or sticky", 0, 0},
    };
    const struct options options = {
        .usage = "serve [OPTION…] SERVICE [--] COMMAND [ARG…]",
        .text = "Makes a service of a program. Each call runs COMMAND with the call's body on its\n"
                "stdin; its stdout is the result. An exit code other than 0 is an APP_ERROR with\n"
                "the end of stderr. The program is killed when the call's deadline passes or the\n"
                "call is cancelled.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 2,
        .most = -1,
        .rest_after = 2,
    };
    char path[PATH_SIZE];
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    serve.service = arguments.items[0];
    serve.argv = arguments.items + 1;
    serve.cli = cli;
    serve.endpoint = bus_endpoint(cli);
    code = path_of_command(serve.argv[0], path);
    if (code != 0) {
        report(code == EXIT_CLASS_NOT_FOUND ? "%s: command not found" : "%s: not executable",
               serve.argv[0]);
        return code;
    }
    /* The items end where the command line did, but not with its NULL. */
    arguments.items[arguments.count] = NULL;
    return serve_run(&serve);
}
