/*
 * The worker that integration tests call: `test_worker SERVICE [THREADS]` says `ready` on stdout
 * and runs until SIGTERM. Each execution of a handler is a line on stdout: `ran METHOD BODY`.
 */
#include <busbar/worker.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 64,
};

static struct busbar_worker *stopped;

static void stop(int number)
{
    (void)number;
    busbar_worker_stop(stopped);
}

/* The beginning of a raw body as text. */
static void read_text(const struct busbar_request *request, char text[TEXT_SIZE])
{
    size_t size = busbar_request_size(request);
    snprintf(text, TEXT_SIZE, "%.*s", size < TEXT_SIZE ? (int)size : TEXT_SIZE - 1,
             size > 0 ? (const char *)busbar_request_data(request) : "");
}

static void tell(const struct busbar_request *request)
{
    char line[TEXT_SIZE * 4];
    char text[TEXT_SIZE] = "";
    if (busbar_request_encoding(request) == BUSBAR_RAW)
        read_text(request, text);
    int size = snprintf(line, sizeof line, "ran %.100s %s\n", busbar_request_method(request), text);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        abort();
}

static void echo(struct busbar_request **request, void *context)
{
    (void)context;
    busbar_request_reply(request, busbar_request_body(*request));
}

static void told_echo(struct busbar_request **request, void *context)
{
    tell(*request);
    echo(request, context);
}

/* Sleeps as many ms as the body says. */
static void sleep_long(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    (void)context;
    tell(*request);
    read_text(*request, text);
    long ms = strtol(text, NULL, 10);
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
    busbar_request_reply(request, busbar_body_text("slept"));
}

static void fail(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    (void)context;
    tell(*request);
    read_text(*request, text);
    busbar_request_fail(request, BUSBAR_APP_ERROR, text);
}

static void refuse(struct busbar_request **request, void *context)
{
    (void)context;
    busbar_request_fail(request, BUSBAR_BAD_REQUEST, "refused by the handler");
}

/* Fails with the status that the body is the number of. */
static void report(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    (void)context;
    tell(*request);
    read_text(*request, text);
    busbar_request_fail(request, (enum busbar_status)strtol(text, NULL, 10), NULL);
}

/* Answers as many bytes as the body says. */
static void large(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    (void)context;
    read_text(*request, text);
    size_t size = strtoul(text, NULL, 10);
    char *data = calloc(1, size + 1);
    if (data == NULL)
        return;
    busbar_request_reply(request, busbar_body_copied(data, size));
    free(data);
}

static void pid(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    (void)context;
    snprintf(text, sizeof text, "%d", (int)getpid());
    busbar_request_reply(request, busbar_body_text(text));
}

/* A string result as a value. */
static void hello(struct busbar_request **request, void *context)
{
    struct busbar_body body;
    struct busbar_value *value = busbar_value_text("hello \"you\"");
    (void)context;
    if (busbar_body_value(&body, value) == BUSBAR_OK)
        busbar_request_reply(request, body);
    busbar_value_destroy(&value);
}

/* Dies in the middle of the call. */
static void die(struct busbar_request **request, void *context)
{
    (void)context;
    tell(*request);
    kill(getpid(), SIGKILL);
}

static const struct busbar_method methods[] = {
    {"echo", echo, NULL, "the same back", BUSBAR_IDEMPOTENT, 0},
    {"echo_once", told_echo, NULL, "the same back, told on stdout", 0, 0},
    {"again", told_echo, NULL, "as echo_once, but idempotent", BUSBAR_IDEMPOTENT, 0},
    {"sleep", sleep_long, NULL, "sleeps some ms", 0, 0},
    {"sleep_again", sleep_long, NULL, "sleeps some ms", BUSBAR_IDEMPOTENT, 0},
    {"fail", fail, NULL, NULL, 0, 0},
    {"refuse", refuse, NULL, NULL, 0, 0},
    {"report", report, NULL, "fails with a status, told on stdout", BUSBAR_IDEMPOTENT, 0},
    {"large", large, NULL, NULL, 0, 0},
    {"pid", pid, NULL, NULL, 0, 0},
    {"hello", hello, ">s", NULL, 0, 0},
    {"typed", echo, "biuldfsyasv>v", "its arguments back", 0, 0},
    {"pow", echo, "dd>v", NULL, 0, 0},
    {"die", die, NULL, NULL, 0, 0},
    {"die_again", die, NULL, NULL, BUSBAR_IDEMPOTENT, 0},
};

static void *announce(void *context)
{
    while (busbar_worker_wait_ready(context, 1000) == BUSBAR_TIMEOUT)
        continue;
    if (write(STDOUT_FILENO, "ready\n", 6) != 6)
        abort();
    return NULL;
}

int main(int argc, char **argv)
{
    static const char *const tags[] = {"purpose", "test", NULL};
    const struct busbar_worker_options options = {
        .threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1,
    };
    const struct busbar_service service = {
        .name = argc > 1 ? argv[1] : "test",
        .methods = methods,
        .method_count = sizeof methods / sizeof methods[0],
        .version = "7",
        .tags = tags,
    };
    struct busbar_worker *worker = NULL;
    pthread_t announcer;
    if (busbar_worker_new(&worker, &options) != BUSBAR_OK ||
        busbar_worker_register(worker, &service) != BUSBAR_OK)
        return EXIT_FAILURE;
    stopped = worker;
    signal(SIGTERM, stop);
    if (pthread_create(&announcer, NULL, announce, worker) != 0)
        return EXIT_FAILURE;
    enum busbar_status status = busbar_worker_run(worker);
    pthread_join(announcer, NULL);
    signal(SIGTERM, SIG_DFL);
    busbar_worker_destroy(&worker);
    return status == BUSBAR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
