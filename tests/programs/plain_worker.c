/* A worker that echoes: `plain_worker ENDPOINT` until SIGTERM, then everything freed, for valgrind. */
#include <busbar/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct busbar_worker *stopped;

static void stop(int number)
{
    (void)number;
    busbar_worker_stop(stopped);
}

static void echo(struct busbar_request **request, void *context)
{
    (void)context;
    if (busbar_request_reply(request, busbar_request_body(*request)) != BUSBAR_OK)
        fputs("plain_worker: a reply was refused\n", stderr);
}

static const struct busbar_method methods[] = {
    {.name = "echo", .handler = echo, .signature = "y>y", .text = "the same back"},
};

int main(int argc, char **argv)
{
    const struct busbar_worker_options options = {.broker = argc > 1 ? argv[1] : NULL};
    const struct busbar_service service = {
        .name = "plain", .methods = methods, .method_count = 1, .version = "1"};
    struct busbar_worker *worker = NULL;

    if (busbar_worker_new(&worker, &options) != BUSBAR_OK)
        return EXIT_FAILURE;
    stopped = worker;
    signal(SIGTERM, stop);
    enum busbar_status status = busbar_worker_register(worker, &service);
    if (status == BUSBAR_OK)
        status = busbar_worker_run(worker);
    if (status != BUSBAR_OK)
        fprintf(stderr, "plain_worker: %s\n", busbar_status_text(status));
    signal(SIGTERM, SIG_DFL);
    busbar_worker_destroy(&worker);
    return status == BUSBAR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
