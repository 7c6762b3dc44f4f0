/* `busbar bench`: starts a broker, workers and clients as processes, and reports what they did. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench_children.h"
#include "cli/bus.h"
#include "cli/histogram.h"
#include "cli/options.h"
#include "cli/path.h"
#include "cli/report.h"

enum {
    START_TIMEOUT_MS = 15000,
    NUMBER_SIZE = 24,
    EXIT_INTERRUPTED = 130,
};

struct bench {
    uint64_t calls;
    uint64_t outstanding;
    uint64_t size;
    uint64_t clients;
    uint64_t workers;
    uint32_t timeout_ms;
    bool object;
    bool json;
    char endpoint[CHILD_LINE_SIZE];
    char service[64];
    char path[PATH_SIZE]; /* of this program */
    struct bench_children children;
    uint64_t *progress; /* of each child */
    uint64_t from;      /* ns, the first call of all clients */
    uint64_t to;
    uint64_t errors;
    uint64_t different;
    uint64_t code;       /* exit code of the first child that gave up; it says itself why */
    uint64_t broker_cpu; /* ns */
    struct histogram histogram;
};

/* Set by SIGINT and SIGTERM: everything is ended then. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void hear_broker(struct bench *bench, struct bench_child *child, const char *line)
{
    static const char mark[] = "broker_ready endpoint=";
    const char *found = strstr(line, mark);
    if (found == NULL || child->ready) {
        if (!child->ready)
            fprintf(stderr, "%s\n", line);
        return;
    }
    found += sizeof mark - 1;
    snprintf(bench->endpoint, sizeof bench->endpoint, "%.*s", (int)strcspn(found, " \t"), found);
    child->ready = true;
}

static void hear_number(struct bench *bench, size_t child, const char *name, uint64_t number)
{
    if (strcmp(name, "progress") == 0)
        bench->progress[child] = number;
    else if (strcmp(name, "from") == 0)
        bench->from = bench->from == 0 || number < bench->from ? number : bench->from;
    else if (strcmp(name, "to") == 0)
        bench->to = number > bench->to ? number : bench->to;
    else if (strcmp(name, "errors") == 0)
        bench->errors += number;
    else if (strcmp(name, "different") == 0)
        bench->different += number;
    else if (strcmp(name, "code") == 0 && bench->code == 0)
        bench->code = number;
}

static void heard(void *owner, struct bench_child *child, const char *line)
{
    struct bench *bench = owner;
    char name[16];
    uint64_t numbers[2] = {0, 0};
    if (child->role == CHILD_BROKER) {
        hear_broker(bench, child, line);
        return;
    }
    int fields = sscanf(line, "%15s %" SCNu64 " %" SCNu64, name, &numbers[0], &numbers[1]);
    if (fields == 1 && strcmp(name, "ready") == 0)
        child->ready = true;
    else if (fields == 1 && strcmp(name, "done") == 0)
        child->done = true;
    else if (fields == 2)
        hear_number(bench, (size_t)(child - bench->children.items), name, numbers[0]);
    else if (fields == 3 && numbers[0] < HISTOGRAM_BUCKETS)
        bench->histogram.counts[numbers[0]] += numbers[1];
}

static void show_progress(const struct bench *bench)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bench->children.count; i++)
        sum += bench->progress[i];
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " calls ", sum, bench->calls);
}

/* Has any child ended before it had to? Its own message says why. */
static bool lost_child(const struct bench *bench)
{
    for (size_t i = 0; i < bench->children.count; i++) {
        if (bench->children.items[i].output < 0 && !bench->children.items[i].done)
            return true;
    }
    return false;
}

static bool all_ready(const struct bench *bench)
{
    for (size_t i = 0; i < bench->children.count; i++) {
        if (!bench->children.items[i].ready)
            return false;
    }
    return true;
}

static bool all_done(const struct bench *bench)
{
    for (size_t i = 0; i < bench->children.count; i++) {
        if (bench->children.items[i].role == CHILD_CLIENT && !bench->children.items[i].done)
            return false;
    }
    return true;
}

/* Listens until `condition` holds; `timeout_ms` 0 for as long as it takes. */
static bool wait_until(struct bench *bench, bool (*condition)(const struct bench *bench),
                       uint64_t timeout_ms)
{
    bool tty = isatty(STDERR_FILENO) && condition == all_done;
    uint64_t started = now_ms(), shown = started;
    while (!condition(bench)) {
        uint64_t now = now_ms();
        if (interrupted || lost_child(bench) || (timeout_ms > 0 && now - started > timeout_ms))
            return false;
        children_listen(&bench->children, 100);
        if (tty && now - shown >= 1000) {
            shown = now;
            show_progress(bench);
        }
    }
    if (tty && shown != started)
        fputs("\r\033[K", stderr);
    return true;
}

static bool start_broker(struct bench *bench)
{
    char path[PATH_SIZE];
    char name[] = "busbard", bind[] = "--bind", endpoint[] = "tcp://127.0.0.1:*";
    char *const argv[] = {name, bind, endpoint, NULL};
    if (!path_of_busbard(path)) {
        report("busbard is neither beside busbar nor in the PATH");
        return false;
    }
    return children_start(&bench->children, CHILD_BROKER, path, argv) &&
           wait_until(bench, all_ready, START_TIMEOUT_MS);
}

static bool start_worker(struct bench *bench)
{
    char name[] = "busbar", broker[] = "--broker", command[] = "bench-worker";
    char *const argv[] = {name, broker, bench->endpoint, command, bench->service, NULL};
    return children_start(&bench->children, CHILD_WORKER, bench->path, argv);
}

/* Client `index` of all makes its part of the calls. */
static bool start_client(struct bench *bench, uint64_t index)
{
    uint64_t part = bench->calls / bench->clients + (index < bench->calls % bench->clients);
    char calls[NUMBER_SIZE], outstanding[NUMBER_SIZE], size[NUMBER_SIZE], timeout[NUMBER_SIZE];
    snprintf(calls, sizeof calls, "%" PRIu64, part);
    snprintf(outstanding, sizeof outstanding, "%" PRIu64, bench->outstanding);
    snprintf(size, sizeof size, "%" PRIu64, bench->size);
    snprintf(timeout, sizeof timeout, "%" PRIu32 "ms", bench->timeout_ms);
    char name[] = "busbar", broker[] = "--broker", command[] = "bench-client";
    char o1[] = "--calls", o2[] = "--outstanding", o3[] = "--size", o4[] = "--timeout";
    char o5[] = "--object";
    char *const argv[] = {name,
                          broker,
                          bench->endpoint,
                          command,
                          o1,
                          calls,
                          o2,
                          outstanding,
                          o3,
                          size,
                          o4,
                          timeout,
                          bench->service,
                          bench->object ? o5 : NULL,
                          NULL};
    return children_start(&bench->children, CHILD_CLIENT, bench->path, argv);
}

static bool start_all(struct bench *bench, bool own_broker)
{
    if (own_broker && !start_broker(bench))
        return false;
    for (uint64_t i = 0; i < bench->workers; i++) {
        if (!start_worker(bench))
            return false;
    }
    if (!wait_until(bench, all_ready, START_TIMEOUT_MS))
        return false;
    for (uint64_t i = 0; i < bench->clients; i++) {
        if (!start_client(bench, i))
            return false;
    }
    return wait_until(bench, all_ready, START_TIMEOUT_MS + bench->timeout_ms);
}

static uint64_t broker_cpu(const struct bench *bench)
{
    bool own = bench->children.items[0].role == CHILD_BROKER;
    return own ? process_cpu_ns(bench->children.items[0].pid) : 0;
}

static bool measure(struct bench *bench)
{
    uint64_t before = broker_cpu(bench);
    for (size_t i = 0; i < bench->children.count; i++) {
        struct bench_child *child = &bench->children.items[i];
        if (child->role == CHILD_CLIENT && write(child->input, "", 1) != 1)
            return false;
    }
    if (!wait_until(bench, all_done, 0))
        return false;
    bench->broker_cpu = broker_cpu(bench) - before;
    return true;
}

static void print_results(const struct bench *bench, bool own_broker)
{
    double seconds = (double)(bench->to - bench->from) / 1e9;
    double rate = seconds > 0 ? (double)bench->calls / seconds : 0;
    double p50 = histogram_quantile(&bench->histogram, 0.5) / 1e3;
    double p99 = histogram_quantile(&bench->histogram, 0.99) / 1e3;
    char cpu[32] = "null";
    if (own_broker)
        snprintf(cpu, sizeof cpu, "%.3f", (double)bench->broker_cpu / 1e3 / (double)bench->calls);
    uint64_t errors = bench->errors + bench->different;
    if (bench->json) {
        printf("{\"calls_per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
               "\"broker_cpu_us_per_call\": %s, \"errors\": %" PRIu64 ", \"calls\": %" PRIu64
               ", \"outstanding\": %" PRIu64 ", \"size\": %" PRIu64 ", \"clients\": %" PRIu64
               ", \"workers\": %" PRIu64 "}\n",
               rate, p50, p99, cpu, errors, bench->calls, bench->outstanding, bench->size,
               bench->clients, bench->workers);
        return;
    }
    printf("%" PRIu64 " calls of %" PRIu64 " bytes, %" PRIu64 " outstanding for each of %" PRIu64
           " clients, %" PRIu64 " workers\n"
           "calls per second     %12.0f\n"
           "latency p50          %12.1f µs\n"
           "latency p99          %12.1f µs\n",
           bench->calls, bench->size, bench->outstanding, bench->clients, bench->workers, rate, p50,
           p99);
    if (own_broker)
        printf("broker CPU per call  %12s µs\n", cpu);
    printf("errors               %12" PRIu64 "\n", errors);
}

/* Everything between the first process and the last one's end. */
static int run(struct bench *bench, const struct cli *cli)
{
    bool own_broker = cli->broker == NULL;
    bench->children.heard = heard;
    bench->children.owner = bench;
    size_t most = (size_t)(1 + bench->workers + bench->clients);
    bench->progress = calloc(most, sizeof *bench->progress);
    if (bench->progress == NULL || !children_init(&bench->children, most)) {
        free(bench->progress);
        return report_no_memory();
    }
    snprintf(bench->endpoint, sizeof bench->endpoint, "%s", own_broker ? "" : cli->broker);
    snprintf(bench->service, sizeof bench->service, "bench.%d.%" PRIu64, (int)getpid(), now_ms());
    bool measured = path_of_busbar(bench->path) && start_all(bench, own_broker) && measure(bench);
    children_end(&bench->children);
    free(bench->progress);
    if (interrupted)
        return EXIT_INTERRUPTED;
    if (!measured) {
        report("the benchmark came to no result");
        return bench->code != 0 ? (int)bench->code : EXIT_CLASS_INTERNAL;
    }
    print_results(bench, own_broker);
    if (bench->different > 0)
        report("%" PRIu64 " replies were not what was sent", bench->different);
    return bench->errors + bench->different > 0 ? EXIT_CLASS_APP_ERROR : report_output();
}

static int check_and_run(struct bench *bench, const struct cli *cli)
{
    if (bench->calls < bench->clients) {
        report("each client must have a call: --calls is less than --clients");
        return EXIT_CLASS_USAGE;
    }
    if (bench->object)
        bench->outstanding = 1;
    if (cli->broker != NULL) { /* one message if it is not there, not one of each process */
        CLEANUP(busbar_value_destroy) struct busbar_value *services = NULL;
        int code = bus_query(cli, "list", NULL, &services);
        if (code != 0)
            return code;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return run(bench, cli);
}

int command_bench(struct cli *cli, int argc, char **argv)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return report_no_memory();
    bench->calls = 200000;
    bench->outstanding = 1000;
    bench->size = 64;
    bench->clients = bench->workers = 1;
    bench->timeout_ms = BUSBAR_DEFAULT_TIMEOUT_MS;
    const struct option_row rows[] = {
        {"calls", OPTION_NUMBER, &bench->calls, "N", "calls of all clients; 200000", 1,
         UINT64_C(1) << 40},
        {"outstanding", OPTION_NUMBER, &bench->outstanding, "N",
         "calls each client has under way; 1000", 1, 10000000},
        {"size", OPTION_NUMBER, &bench->size, "BYTES", "size of a body; 64", 0, UINT32_MAX},
        {"clients", OPTION_NUMBER, &bench->clients, "N", "client processes; 1", 1, 10000},
        {"workers", OPTION_NUMBER, &bench->workers, "N", "worker processes; 1", 1, 1000},
        {"timeout", OPTION_TIME, &bench->timeout_ms, "TIME", "deadline of a call; 5s", 0, 0},
        {"object", OPTION_FLAG, &bench->object, NULL,
         "call through a proxy object, by values; one call at a time", 0, 0},
        {"json", OPTION_FLAG, &bench->json, NULL, "print JSON", 0, 0},
    };
    const struct options options = {
        .usage = "bench [OPTION…]",
        .text = "Measures echo calls through a broker of its own, or through the one that\n"
                "--broker names. Each reply is compared with what was sent. Latencies are of\n"
                "every call with one outstanding, else of a sample.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .most = 0,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code == OPTIONS_GO_ON)
        code = check_and_run(bench, cli);
    free(bench);
    return code;
}
