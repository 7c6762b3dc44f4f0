/* `busbar bench-client`: a process of a benchmark that calls and counts; it prints what it found. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <busbar/object.h>

#include "cli/bus.h"
#include "cli/histogram.h"
#include "cli/options.h"
#include "cli/report.h"

enum {
    SAMPLE_INTERVAL = 64,     /* with many outstanding only each so manyth call is timed */
    SAMPLE_ALL_BELOW = 64000, /* calls */
    WARM_UP_MAX = 20000,
    ERRORS_MAX = 1000, /* more say nothing new */
};

struct slot {
    struct bench_client *client;
    uint64_t number;
    uint64_t started; /* ns; 0: not timed */
};

/* How a call ended, whichever way it was made. */
struct answer {
    enum busbar_status status;
    const void *data;
    size_t size;
};

struct bench_client {
    struct busbar_client *client;
    bool through_object;
    struct busbar_object *object; /* a proxy, called one call at a time; NULL: the client is used */
    const char *service;
    uint64_t calls;
    uint64_t outstanding;
    uint64_t size;
    uint32_t timeout_ms;
    unsigned char *body; /* of the next call; all bytes but the two stamps stay the same */
    struct slot *slots;
    uint64_t key;    /* of this process: its calls differ from another's */
    uint64_t target; /* of the run that is under way */
    uint64_t begun;
    uint64_t finished;
    uint64_t sample_interval;
    uint64_t errors;
    enum busbar_status first; /* what the first of them was */
    uint64_t different;
    uint64_t told; /* ns, of the last progress line */
    struct histogram histogram;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Writes the number of a call at both ends of its body, so that no two bodies are alike. */
static void stamp(struct bench_client *bench, uint64_t number)
{
    uint64_t mark = number ^ bench->key;
    size_t size = bench->size < sizeof mark ? bench->size : sizeof mark;
    memcpy(bench->body, &mark, size);
    memcpy(bench->body + bench->size - size, &mark, size);
}

static void note_error(struct bench_client *bench, enum busbar_status status)
{
    if (bench->first == BUSBAR_OK)
        bench->first = status;
}

static void check(struct bench_client *bench, const struct slot *slot, const struct answer *answer)
{
    if (answer->status != BUSBAR_OK) {
        bench->errors++;
        note_error(bench, answer->status);
        return;
    }
    stamp(bench, slot->number);
    if (answer->size != bench->size ||
        (bench->size > 0 && memcmp(answer->data, bench->body, bench->size) != 0))
        bench->different++;
}

static struct busbar_call prepare(struct bench_client *bench, struct slot *slot)
{
    slot->number = bench->begun++;
    slot->started = slot->number % bench->sample_interval == 0 ? now_ns() : 0;
    stamp(bench, slot->number);
    return (struct busbar_call){
        .service = bench->service,
        .method = "echo",
        .body = busbar_body_copied(bench->body, bench->size),
        .timeout_ms = bench->timeout_ms,
        .context = slot,
    };
}

/* The clock is read for timed calls only, and progress is told with them. */
static void finish(struct bench_client *bench, const struct slot *slot, const struct answer *answer)
{
    if (slot->started != 0) {
        uint64_t now = now_ns();
        histogram_add(&bench->histogram, now - slot->started);
        if (now - bench->told >= 1000000000u) {
            bench->told = now;
            printf("progress %" PRIu64 "\n", bench->finished);
            fflush(stdout);
        }
    }
    bench->finished++;
    check(bench, slot, answer);
}

static void finish_reply(struct bench_client *bench, const struct slot *slot,
                         const struct busbar_reply *reply)
{
    const struct answer answer = {busbar_reply_status(reply), busbar_reply_data(reply),
                                  busbar_reply_size(reply)};
    if (answer.status != BUSBAR_OK && bench->errors == 0)
        report_reply(reply);
    finish(bench, slot, &answer);
}

static void fail(struct bench_client *bench, enum busbar_status status)
{
    bench->finished++;
    if (bench->errors++ == 0)
        report_client(status, bench->client);
    note_error(bench, status);
}

static bool has_more(const struct bench_client *bench)
{
    return bench->begun < bench->target && bench->errors < ERRORS_MAX;
}

static void on_reply(struct busbar_reply **reply, void *context);

static void start(struct bench_client *bench, struct slot *slot)
{
    while (has_more(bench)) {
        struct busbar_call call = prepare(bench, slot);
        call.callback = on_reply;
        enum busbar_status status = busbar_client_start(bench->client, &call, NULL);
        if (status == BUSBAR_OK)
            return;
        fail(bench, status);
    }
}

static void on_reply(struct busbar_reply **reply, void *context)
{
    struct slot *slot = context;
    finish_reply(slot->client, slot, *reply);
    busbar_reply_destroy(reply);
    start(slot->client, slot);
}

/* Many outstanding: a reply starts the next call, an event loop of one descriptor does the rest. */
static bool run_many(struct bench_client *bench)
{
    struct pollfd ready = {.fd = busbar_client_fd(bench->client), .events = POLLIN};
    for (uint64_t i = 0; i < bench->outstanding; i++)
        start(bench, &bench->slots[i]);
    while (bench->finished < bench->begun) {
        enum busbar_status status = busbar_client_process(bench->client);
        if (status != BUSBAR_OK || ready.fd < 0) {
            report_client(status, bench->client);
            return false;
        }
        if (bench->finished < bench->begun)
            poll(&ready, 1, 1000);
    }
    return true;
}

static bool run_one(struct bench_client *bench)
{
    while (has_more(bench)) {
        CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
        struct busbar_call call = prepare(bench, &bench->slots[0]);
        enum busbar_status status = busbar_client_call(bench->client, &call, &reply);
        if (reply != NULL)
            finish_reply(bench, &bench->slots[0], reply);
        else
            fail(bench, status);
    }
    return true;
}

static bool run_object(struct bench_client *bench)
{
    while (has_more(bench)) {
        CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
        struct answer answer = {BUSBAR_OK, NULL, 0};
        prepare(bench, &bench->slots[0]);
        answer.status = busbar_call(bench->object, "echo", &result, "y", bench->body,
                                    (size_t)bench->size);
        answer.data = busbar_value_data(result, &answer.size);
        if (answer.status != BUSBAR_OK && bench->errors == 0)
            report_status(answer.status, busbar_last_fate(), busbar_last_error());
        finish(bench, &bench->slots[0], &answer);
    }
    return true;
}

static bool run(struct bench_client *bench, uint64_t calls)
{
    bench->target += calls;
    if (bench->object != NULL)
        return run_object(bench);
    return bench->outstanding == 1 ? run_one(bench) : run_many(bench);
}

static uint64_t warm_up_calls(const struct bench_client *bench)
{
    uint64_t calls = bench->calls / 10 + 1;
    return calls < WARM_UP_MAX ? calls : WARM_UP_MAX;
}

static void print_result(const struct bench_client *bench, uint64_t from, uint64_t to)
{
    printf("from %" PRIu64 "\nto %" PRIu64 "\nerrors %" PRIu64 "\ndifferent %" PRIu64 "\n", from,
           to, bench->errors, bench->different);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (bench->histogram.counts[i] > 0)
            printf("bucket %zu %" PRIu64 "\n", i, bench->histogram.counts[i]);
    }
    puts("done");
    fflush(stdout);
}

/* A size that cannot be is the caller's affair; any other failure is a call that failed. */
static int give_up(const struct bench_client *bench)
{
    bool too_large = bench->first == BUSBAR_TOO_LARGE || bench->first == BUSBAR_RESULT_TOO_LARGE;
    int code = too_large ? exit_code(bench->first) : EXIT_CLASS_APP_ERROR;
    printf("code %d\n", code);
    fflush(stdout);
    return code;
}

/* Warm-up, the barrier (a byte on stdin), and what is measured. */
static int measure(struct bench_client *bench)
{
    char byte;
    if (!run(bench, warm_up_calls(bench)))
        return EXIT_CLASS_INTERNAL;
    if (bench->errors > 0)
        return give_up(bench);
    puts("ready");
    fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) != 1)
        return EXIT_CLASS_APP_ERROR;
    bench->begun = bench->finished = bench->target = 0;
    memset(&bench->histogram, 0, sizeof bench->histogram);
    uint64_t from = bench->told = now_ns();
    if (!run(bench, bench->calls))
        return EXIT_CLASS_INTERNAL;
    print_result(bench, from, now_ns());
    return 0;
}

static int connect_object(struct bench_client *bench, const struct cli *cli)
{
    const char *const brokers[] = {bus_endpoint(cli), NULL};
    const struct busbar_proxy_options options = {
        .service = bench->service,
        .brokers = brokers,
        .timeout_ms = bench->timeout_ms,
    };
    enum busbar_status status = busbar_proxy_new(&bench->object, &options);
    return status == BUSBAR_OK ? 0
                               : report_status(status, BUSBAR_NOT_EXECUTED, busbar_last_error());
}

static int prepare_and_measure(const struct cli *cli, struct bench_client *bench)
{
    bench->key = (uint64_t)getpid() << 40;
    bool sample_all = bench->outstanding == 1 || bench->calls < SAMPLE_ALL_BELOW;
    bench->sample_interval = sample_all ? 1 : SAMPLE_INTERVAL;
    bench->body = malloc(bench->size + 1);
    bench->slots = calloc(bench->outstanding, sizeof *bench->slots);
    int code = EXIT_CLASS_INTERNAL;
    if (bench->body == NULL || bench->slots == NULL) {
        report_no_memory();
    } else {
        for (uint64_t i = 0; i < bench->size; i++)
            bench->body[i] = (unsigned char)(i * 131 + bench->key);
        for (uint64_t i = 0; i < bench->outstanding; i++)
            bench->slots[i].client = bench;
        code = bench->through_object ? connect_object(bench, cli)
                                     : bus_connect(&bench->client, cli, 0);
        if (code == 0)
            code = measure(bench);
    }
    busbar_object_destroy(&bench->object);
    busbar_client_destroy(&bench->client);
    free(bench->slots);
    free(bench->body);
    return code;
}

int command_bench_client(struct cli *cli, int argc, char **argv)
{
    struct bench_client *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return report_no_memory();
    const struct option_row rows[] = {
        {"calls", OPTION_NUMBER, &bench->calls, "N", "calls", 1, UINT64_MAX},
        {"outstanding", OPTION_NUMBER, &bench->outstanding, "N", "calls at once", 1, UINT32_MAX},
        {"size", OPTION_NUMBER, &bench->size, "BYTES", "size of a body", 0, UINT32_MAX},
        {"timeout", OPTION_TIME, &bench->timeout_ms, "TIME", "deadline of a call", 0, 0},
        {"object", OPTION_FLAG, &bench->through_object, NULL, "call through a proxy", 0, 0},
    };
    const struct options options = {
        .usage = "bench-client [OPTION…] SERVICE",
        .text = "A client of `busbar bench`, which starts it.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code == OPTIONS_GO_ON) {
        bench->service = arguments.items[0];
        code = prepare_and_measure(cli, bench);
    }
    free(bench);
    return code;
}
