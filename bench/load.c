/*
 * The driver of the benchmark: starts one system, its workers and its clients, and prints what one
 * measurement came to as JSON.
 */
#include "bench/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/crew.h"
#include "bench/process.h"
#include "bench/server.h"

enum {
    CALLS_MAX = 100000000, /* of each client, where only the time is limited */
    TIMES_MAX = 1000000,   /* the same, where each call is timed */
};

struct plan {
    const char *system;
    const char *transport;
    const char *endpoint; /* of a server that runs; NULL: one is started */
    const char *flood_service;
    uint64_t pid;   /* of that server; 0: not known */
    uint64_t calls; /* of all clients at most; 0: until `seconds` are over */
    uint64_t seconds;
    uint64_t outstanding, size;
    uint64_t clients, client_processes;
    uint64_t workers, worker_processes;
    uint64_t idle, idle_processes, services;
    uint64_t flood; /* calls that one more client keeps outstanding meanwhile */
};

static struct server server;
static pid_t owner; /* children end nothing but themselves */

void load_die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    if (getpid() == owner) {
        crew_end();
        server_end(&server);
    }
    _exit(EXIT_FAILURE);
}

void load_check_size(const struct load_place *place, size_t size)
{
    if (size != place->size)
        load_die(place->service, "a reply is not as long as its request");
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double quantile_us(const uint64_t *times, uint64_t count, double fraction)
{
    return (double)times[(uint64_t)((double)(count - 1) * fraction)] / 1e3;
}

static double seconds_of(const struct crew *crew)
{
    uint64_t from = UINT64_MAX, to = 0;
    for (uint64_t i = 0; i < crew->clients; i++) {
        from = crew->results[i].from < from ? crew->results[i].from : from;
        to = crew->results[i].to > to ? crew->results[i].to : to;
    }
    return (double)(to - from) / 1e9;
}

/* The times of all clients behind one another, sorted; returns how many calls there were. */
static uint64_t gather(const struct crew *crew)
{
    uint64_t calls = 0;
    for (uint64_t i = 0; i < crew->clients; i++) {
        if (crew->times != NULL)
            memmove(crew->times + calls, crew->times + i * crew->times_each,
                    crew->results[i].calls * sizeof *crew->times);
        calls += crew->results[i].calls;
    }
    if (crew->times != NULL)
        qsort(crew->times, calls, sizeof *crew->times, compare);
    return calls;
}

static void print_result(const struct plan *plan, const struct crew *crew, uint64_t cpu)
{
    pid_t pid = plan->endpoint != NULL ? (pid_t)plan->pid : server.pid;
    uint64_t calls = gather(crew);
    printf("{\"system\": \"%s\", \"transport\": \"%s\", \"clients\": %" PRIu64
           ", \"workers\": %" PRIu64 ", \"size\": %" PRIu64 ", \"outstanding\": %" PRIu64
           ", \"flood\": %" PRIu64 ", \"calls\": %" PRIu64 ", \"calls_per_second\": %.0f",
           plan->system, plan->transport, plan->clients, plan->workers, plan->size,
           plan->outstanding, plan->flood, calls, (double)calls / seconds_of(crew));
    if (crew->times != NULL && calls > 0)
        printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f",
               quantile_us(crew->times, calls, 0.5), quantile_us(crew->times, calls, 0.99),
               quantile_us(crew->times, calls, 0.999));
    if (pid > 0 && calls > 0 && plan->flood == 0) /* a flood's calls are not counted */
        printf(", \"broker_cpu_us_per_call\": %.3f, \"broker_peak_kib\": %" PRIu64,
               (double)cpu / 1e3 / (double)calls, process_peak_kib(pid));
}

static void start_flood(struct crew *crew, const struct crew_plan *model, const struct plan *plan)
{
    struct crew_plan flood = *model;
    flood.count = flood.processes = 1;
    flood.calls = flood.seconds = 0;
    flood.counts = false;
    flood.outstanding = plan->flood;
    flood.service = plan->flood_service;
    crew_start_clients(crew, &flood);
}

/* Returns what the server's memory grew by for each of them, in KiB. */
static double start_idle(struct crew *crew, const struct crew_plan *model, const struct plan *plan)
{
    struct crew_plan idle = *model;
    uint64_t before = process_peak_kib(server.pid);
    idle.count = plan->idle;
    idle.processes = plan->idle_processes > 0 ? plan->idle_processes : plan->idle / 1000 + 1;
    idle.idle = true;
    crew_start_clients(crew, &idle);
    return (double)(process_peak_kib(server.pid) - before) / (double)plan->idle;
}

static void measure(const struct plan *plan)
{
    struct crew crew;
    struct crew_plan clients = {.service = "bench.echo",
                                .count = plan->clients,
                                .processes = plan->client_processes,
                                .calls = plan->calls / plan->clients,
                                .seconds = plan->seconds,
                                .outstanding = plan->outstanding,
                                .counts = true};
    crew_init(&crew, &clients);
    if (plan->endpoint != NULL) {
        server_take(&server, plan->endpoint);
    } else {
        server_start(&server, plan->transport, crew_ready);
        crew_wait_ready(server_runs_here(&server) ? 1 : 0);
    }
    server.place->size = plan->size;
    server.place->services = (unsigned)plan->services;
    clients.load = server.load;
    clients.place = server.place;
    struct crew_plan workers = clients;
    workers.count = plan->workers;
    workers.processes = plan->worker_processes;
    crew_start_workers(&workers);
    double idle_kib = plan->idle > 0 ? start_idle(&crew, &clients, plan) : 0;
    if (plan->flood > 0) {
        workers.service = plan->flood_service;
        if (strcmp(plan->flood_service, clients.service) != 0)
            crew_start_workers(&workers);
        start_flood(&crew, &clients, plan);
    }
    crew_start_clients(&crew, &clients);
    pid_t pid = plan->endpoint != NULL ? (pid_t)plan->pid : server.pid;
    uint64_t before = process_cpu_ns(pid);
    crew_measure(&crew);
    uint64_t cpu = process_cpu_ns(pid) - before;
    print_result(plan, &crew, cpu);
    if (plan->idle > 0)
        printf(", \"idle\": %" PRIu64 ", \"idle_kib_each\": %.2f", plan->idle, idle_kib);
    if (plan->services > 0)
        printf(", \"services\": %" PRIu64, plan->services);
    puts("}");
    crew_end();
    server_end(&server);
}

static int usage(void)
{
    fputs("usage: load systems          those that this build can drive\n"
          "       load SYSTEM [--calls N] [--seconds N]  until one of the two is reached;\n"
          "                   [--outstanding N] [--size BYTES] [--transport tcp|ipc]\n"
          "                   [--clients N] [--client-processes N]  threads of so many processes;\n"
          "                   [--workers N] [--worker-processes N]  0: a process for each\n"
          "                   [--idle N] [--idle-processes N]       clients that stay connected\n"
          "                   [--services N]                        of each worker; of Busbar\n"
          "                   [--flood N] [--flood-service NAME]    another client beside them\n"
          "                   [--endpoint ENDPOINT [--pid PID]]     a server that runs already\n",
          stderr);
    return 2;
}

static bool take_option(struct plan *plan, const char *name, const char *value)
{
    const struct {
        const char *name;
        uint64_t *number;
        const char **text;
    } options[] = {
        {"--calls", &plan->calls, NULL},
        {"--seconds", &plan->seconds, NULL},
        {"--outstanding", &plan->outstanding, NULL},
        {"--size", &plan->size, NULL},
        {"--transport", NULL, &plan->transport},
        {"--clients", &plan->clients, NULL},
        {"--client-processes", &plan->client_processes, NULL},
        {"--workers", &plan->workers, NULL},
        {"--worker-processes", &plan->worker_processes, NULL},
        {"--idle", &plan->idle, NULL},
        {"--idle-processes", &plan->idle_processes, NULL},
        {"--services", &plan->services, NULL},
        {"--flood", &plan->flood, NULL},
        {"--flood-service", NULL, &plan->flood_service},
        {"--endpoint", NULL, &plan->endpoint},
        {"--pid", &plan->pid, NULL},
    };
    for (size_t i = 0; value != NULL && i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        if (options[i].text != NULL)
            *options[i].text = value;
        else
            *options[i].number = strtoull(value, NULL, 10);
        return true;
    }
    return false;
}

/* Where Debian has some of the servers, and a user's PATH has nothing. */
static void extend_path(void)
{
    const char *path = getenv("PATH");
    char *longer = NULL;
    if (asprintf(&longer, "%s:/usr/local/sbin:/usr/sbin:/sbin", path != NULL ? path : "/usr/bin") >
        0)
        setenv("PATH", longer, 1);
    free(longer);
}

int main(int argc, char **argv)
{
    struct plan plan = {.transport = "tcp",
                        .flood_service = "bench.echo",
                        .outstanding = 1000,
                        .size = 64,
                        .clients = 1,
                        .workers = 1};
    extend_path();
    if (argc == 2 && strcmp(argv[1], "systems") == 0) {
        system_list();
        return EXIT_SUCCESS;
    }
    if (argc < 2)
        return usage();
    for (int i = 2; i < argc; i += 2) {
        if (!take_option(&plan, argv[i], argv[i + 1]))
            return usage();
    }
    if (plan.calls == 0)
        plan.calls = plan.seconds == 0
                         ? 200000
                         : plan.clients * (plan.outstanding > 1 ? CALLS_MAX : TIMES_MAX);
    if (plan.clients == 0 || plan.calls < plan.clients || plan.outstanding == 0)
        return usage();
    owner = getpid();
    plan.system = argv[1];
    server.system = system_find(plan.system);
    if (server.system == NULL)
        return EXIT_FAILURE;
    measure(&plan);
    return EXIT_SUCCESS;
}
