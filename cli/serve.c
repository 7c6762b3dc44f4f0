/* `busbar serve`: a service with one method that runs a program for each call. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <busbar/worker.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/path.h"
#include "cli/program.h"
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
    char path[PATH_SIZE];
    char *const *argv;
    uint32_t timeout_ms; /* 0: only the call's own deadline */
    uint64_t threads;
    uint64_t output_max;
    struct busbar_worker *worker;
    atomic_bool over; /* the worker has stopped: what still runs must end */
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

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct running {
    const struct serve *serve;
    const struct busbar_request *request;
    uint64_t deadline; /* UINT64_MAX: none of our own */
};

static bool must_stop(void *context)
{
    const struct running *running = context;
    return atomic_load(&running->serve->over) || now_ms() >= running->deadline ||
           busbar_request_cancelled(running->request) ||
           busbar_request_remaining(running->request) == 0;
}

static void answer_failure(struct busbar_request **request, const struct serve *serve,
                           const struct program_result *result)
{
    char text[PROGRAM_TAIL_SIZE + 256] = "";
    const char *name = serve->argv[0];
    enum busbar_status status = BUSBAR_APP_ERROR;
    switch (result->end) {
    case PROGRAM_EXITED:
        snprintf(text, sizeof text, "%.100s: exit status %d%s%s", name, result->code,
                 result->tail[0] != '\0' ? ": " : "", result->tail);
        break;
    case PROGRAM_SIGNALLED:
        snprintf(text, sizeof text, "%.100s: killed by signal %d (%s)%s%s", name, result->code,
                 strsignal(result->code), result->tail[0] != '\0' ? ": " : "", result->tail);
        break;
    case PROGRAM_STOPPED:
        snprintf(text, sizeof text, "%.100s: killed, its time was over", name);
        break;
    case PROGRAM_TOO_MUCH:
        status = BUSBAR_RESULT_TOO_LARGE;
        snprintf(text, sizeof text, "%.100s: killed, it wrote more than %" PRIu64 " bytes", name,
                 serve->output_max);
        break;
    case PROGRAM_NOT_STARTED:
        snprintf(text, sizeof text, "cannot start %.100s: %s", name, strerror(result->code));
        break;
    }
    busbar_request_fail(request, status, text);
}

static void free_output(void *data, void *hint)
{
    (void)hint;
    free(data);
}

static void run_program(struct busbar_request **request, const struct serve *serve,
                        const void *input, size_t size)
{
    struct running running = {serve, *request, UINT64_MAX};
    if (serve->timeout_ms > 0)
        running.deadline = now_ms() + serve->timeout_ms;
    const struct program program = {
        .path = serve->path,
        .argv = serve->argv,
        .input = input,
        .input_size = size,
        .output_max = serve->output_max,
        .must_stop = must_stop,
        .context = &running,
    };
    struct program_result result;
    program_run(&program, &result);
    if (result.end == PROGRAM_EXITED && result.code == 0) {
        busbar_request_reply(
            request, busbar_body_taken(result.output, result.output_size, free_output, NULL));
        return;
    }
    free(result.output);
    answer_failure(request, serve, &result);
}

/* A raw body is the input; so is the one string or bytes of a list, for callers that send values. */
static void handle_run(struct busbar_request **request, void *context)
{
    const struct serve *serve = context;
    if (busbar_request_encoding(*request) == BUSBAR_RAW) {
        run_program(request, serve, busbar_request_data(*request), busbar_request_size(*request));
        return;
    }
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    enum busbar_status status = busbar_request_value(*request, &list);
    const struct busbar_value *input = busbar_value_at(list, 0);
    enum busbar_type type = busbar_value_type(input);
    if (status != BUSBAR_OK || busbar_value_type(list) != BUSBAR_LIST ||
        busbar_value_count(list) > 1 ||
        (input != NULL && type != BUSBAR_STRING && type != BUSBAR_BYTES)) {
        busbar_request_fail(request, BUSBAR_BAD_REQUEST,
                            "takes a raw body, or a list of one string or bytes");
        return;
    }
    size_t size = 0;
    const char *data = input != NULL ? busbar_value_data(input, &size) : NULL;
    run_program(request, serve, data, size);
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

static int refuse_names(const struct serve *serve, const struct busbar_worker *worker)
{
    char text[1024];
    busbar_worker_error(worker, text, sizeof text);
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

static int serve_run(struct serve *serve)
{
    CLEANUP(busbar_worker_destroy) struct busbar_worker *worker = NULL;
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
        .context = serve,
    };
    const struct busbar_worker_options options = {
        .broker = serve->endpoint,
        .threads = (uint32_t)serve->threads,
    };
    enum busbar_status status = busbar_worker_new(&worker, &options);
    if (status == BUSBAR_BAD_ARGUMENT)
        return bus_refuse_endpoint(serve->cli);
    if (status == BUSBAR_OK)
        status = busbar_worker_register(worker, &service);
    if (status == BUSBAR_BAD_ARGUMENT)
        return refuse_names(serve, worker);
    if (status != BUSBAR_OK)
        return report_worker(status, worker);
    serve->worker = worker;
    return run_worker(serve);
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
         "kill the program when it writes more; 16777216", 0, SIZE_MAX / 4},
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
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    serve.service = arguments.items[0];
    serve.argv = arguments.items + 1;
    serve.cli = cli;
    serve.endpoint = bus_endpoint(cli);
    code = path_of_command(serve.argv[0], serve.path);
    if (code != 0) {
        report(code == EXIT_CLASS_NOT_FOUND ? "%s: command not found" : "%s: not executable",
               serve.argv[0]);
        return code;
    }
    /* The items end where the command line did, but not with its NULL. */
    arguments.items[arguments.count] = NULL;
    return serve_run(&serve);
}
