/* `busbar bench-worker`: a process of a benchmark that answers each call with the call's own body. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <busbar/worker.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/report.h"

enum {
    READY_TIMEOUT_MS = 10000,
};

static void handle_echo(struct busbar_request **request, void *context)
{
    (void)context;
    struct busbar_body body = busbar_body_copied(busbar_request_data(*request),
                                                 busbar_request_size(*request));
    busbar_request_reply(request, body);
}

/* Until the parent closes our stdin. */
static void wait_for_end(void)
{
    char byte;
    ssize_t got;
    do
        got = read(STDIN_FILENO, &byte, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
}

static int run(const struct cli *cli, const char *name)
{
    CLEANUP(busbar_worker_destroy) struct busbar_worker *worker = NULL;
    const struct busbar_method method = {
        .name = "echo",
        .handler = handle_echo,
        .signature = "y>y",
    };
    const struct busbar_service service = {.name = name, .methods = &method, .method_count = 1};
    const struct busbar_worker_options options = {.broker = bus_endpoint(cli)};
    enum busbar_status status = busbar_worker_new(&worker, &options);
    if (status == BUSBAR_OK)
        status = busbar_worker_register(worker, &service);
    if (status == BUSBAR_OK)
        status = busbar_worker_start(worker);
    if (status == BUSBAR_OK)
        status = busbar_worker_wait_ready(worker, READY_TIMEOUT_MS);
    if (status != BUSBAR_OK) {
        char text[1024] = "";
        if (worker != NULL)
            busbar_worker_error(worker, text, sizeof text);
        return report_status(status, BUSBAR_NOT_EXECUTED, text);
    }
    puts("ready");
    fflush(stdout);
    wait_for_end();
    busbar_worker_stop(worker);
    return 0;
}

int command_bench_worker(struct cli *cli, int argc, char **argv)
{
    const struct options options = {
        .usage = "bench-worker SERVICE",
        .text = "A worker of `busbar bench`, which starts it.",
        .rows = NULL,
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    return code != OPTIONS_GO_ON ? code : run(cli, arguments.items[0]);
}
