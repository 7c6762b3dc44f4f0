/*
 * A worker for calls of every kind: `kinds_worker SERVICE` says `ready` on stdout and runs until
 * SIGTERM. What its handlers do that no reply tells is a line on stdout.
 */
#include <busbar/worker.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 256,
    NAP_MS = 50,
};

static struct busbar_worker *stopped;

static void stop(int number)
{
    (void)number;
    busbar_worker_stop(stopped);
}

static void say(const char *line)
{
    size_t size = strlen(line);
    if (write(STDOUT_FILENO, line, size) != (ssize_t)size)
        abort();
}

static unsigned long number_of(const struct busbar_request *request)
{
    char text[TEXT_SIZE];
    size_t size = busbar_request_size(request);
    snprintf(text, sizeof text, "%.*s", size < TEXT_SIZE ? (int)size : TEXT_SIZE - 1,
             size > 0 ? (const char *)busbar_request_data(request) : "");
    return strtoul(text, NULL, 10);
}

/* As many parts as the body says, each a line with its number; the end is a line too. */
static void count(struct busbar_request **request, void *context)
{
    unsigned long parts = number_of(*request);
    char text[TEXT_SIZE];
    (void)context;
    for (unsigned long i = 1; i <= parts; i++) {
        snprintf(text, sizeof text, "%lu\n", i);
        if (busbar_request_part(*request, busbar_body_copied(text, strlen(text))) != BUSBAR_OK) {
            say("stopped\n");
            return;
        }
        snprintf(text, sizeof text, "sent %lu\n", i);
        say(text);
    }
    (void)!busbar_request_reply(request, busbar_body_text("end\n"));
}

static void climb(struct busbar_request **request, void *context)
{
    (void)context;
    (void)!busbar_request_progress(*request, 250, "a quarter");
    (void)!busbar_request_progress(*request, -1, NULL);
    (void)!busbar_request_progress(*request, 1000, "all\nof it");
    (void)!busbar_request_reply(request, busbar_body_text("done"));
}

/* Answers the caller's `user`, and as metadata the pid. */
static void who(struct busbar_request **request, void *context)
{
    char text[TEXT_SIZE];
    const char *user = busbar_request_metadata(*request, "user");
    (void)context;
    snprintf(text, sizeof text, "%d", (int)getpid());
    if (busbar_request_set(*request, "pid", text) == BUSBAR_OK)
        (void)!busbar_request_reply(request, busbar_body_text(user != NULL ? user : "nobody"));
}

static void note(struct busbar_request **request, void *context)
{
    (void)context;
    say(busbar_request_is_oneway(*request) ? "noted oneway\n" : "noted\n");
    (void)!busbar_request_reply(request, busbar_body_text("noted"));
}

static void fail(struct busbar_request **request, void *context)
{
    (void)context;
    (void)!busbar_request_fail(request, BUSBAR_APP_ERROR, "no luck");
}

static void die(struct busbar_request **request, void *context)
{
    (void)request;
    (void)context;
    usleep(NAP_MS * 1000);
    kill(getpid(), SIGKILL);
}

static void *announce(void *context)
{
    while (busbar_worker_wait_ready(context, 1000) == BUSBAR_TIMEOUT)
        continue;
    say("ready\n");
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct busbar_method methods[] = {
        {.name = "count", .handler = count, .signature = "y>y"},
        {.name = "climb", .handler = climb, .signature = "y>y"},
        {.name = "who", .handler = who, .signature = "y>y"},
        {.name = "note", .handler = note, .signature = "y>y"},
        {.name = "fail", .handler = fail, .signature = "y>y"},
        {.name = "die", .handler = die, .signature = "y>y"},
    };
    const struct busbar_service service = {
        .name = argc > 1 ? argv[1] : "kinds",
        .methods = methods,
        .method_count = sizeof methods / sizeof methods[0],
    };
    struct busbar_worker *worker = NULL;
    pthread_t announcer;
    if (busbar_worker_new(&worker, NULL) != BUSBAR_OK ||
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
