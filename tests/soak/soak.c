#include "tests/soak/soak.h"

#include <busbar/worker.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 15000,
    END_MS = 15000,
    LINE_SIZE = 1024,
    POLL_MS = 2,
    OUTPUT_MAX = 1024 * 1024,
};

uint64_t soak_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void soak_sleep_ms(unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

void soak_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("soak: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

uint64_t soak_option(char **argv, const char *name, uint64_t otherwise)
{
    for (; *argv != NULL; argv++) {
        if (strcmp(*argv, name) == 0 && argv[1] != NULL)
            return strtoull(argv[1], NULL, 10);
    }
    return otherwise;
}

/* In the child: it hears the parent on stdin, speaks on stdout, and dies with it. */
static void become_child(pid_t parent, int in, int out)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        _exit(127);
}

/* Both ends of the new process: `pid` is 0 in the child. */
static struct soak_process start(void)
{
    int in[2], out[2];
    pid_t pid;
    pid_t parent = getpid();
    fflush(NULL);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || (pid = fork()) < 0)
        soak_die("cannot start a process");
    if (pid == 0)
        become_child(parent, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    (void)fcntl(out[0], F_SETPIPE_SZ, OUTPUT_MAX); /* what is not read must not stop the writer */
    if (pid == 0) {                                /* else its stdin would stay open for ever */
        close(in[1]);
        close(out[0]);
    }
    return (struct soak_process){.pid = pid, .input = in[1], .output = out[0]};
}

struct soak_process soak_fork(int (*main)(const void *argument), const void *argument)
{
    struct soak_process process = start();
    if (process.pid > 0)
        return process;
    int code = main(argument);
    fflush(NULL);
    _exit(code);
}

struct soak_process soak_exec(const char *name, char *const *argv)
{
    const char *build = getenv("BUSBAR_BUILD");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", build != NULL ? build : "build", name);
    struct soak_process process = start();
    if (process.pid > 0)
        return process;
    dup2(STDOUT_FILENO, STDERR_FILENO);
    execv(path, argv);
    _exit(127);
}

/* One byte at a time: these lines are few and short. */
static bool read_line(const struct soak_process *process, char *line, uint64_t until)
{
    size_t size = 0;
    struct pollfd ready = {.fd = process->output, .events = POLLIN};
    while (size < LINE_SIZE - 1 && soak_now_ns() < until) {
        if (poll(&ready, 1, POLL_MS) <= 0)
            continue;
        if (read(process->output, line + size, 1) != 1)
            return false;
        if (line[size] == '\n')
            break;
        size++;
    }
    line[size] = '\0';
    return soak_now_ns() < until;
}

const char *soak_expect(const struct soak_process *process, const char *text, unsigned timeout_ms)
{
    static char line[LINE_SIZE];
    uint64_t until = soak_now_ns() + (uint64_t)timeout_ms * 1000000;
    while (read_line(process, line, until)) {
        const char *found = strstr(line, text);
        if (found != NULL)
            return found + strlen(text);
    }
    soak_die("process %d did not say '%s' within %u ms", (int)process->pid, text, timeout_ms);
}

static int reap(struct soak_process *process, unsigned timeout_ms)
{
    uint64_t until = soak_now_ns() + (uint64_t)timeout_ms * 1000000;
    int status = 0;
    while (waitpid(process->pid, &status, WNOHANG) == 0) {
        if (soak_now_ns() > until)
            kill(process->pid, SIGKILL);
        soak_sleep_ms(1);
    }
    if (process->input >= 0)
        close(process->input);
    close(process->output);
    process->pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int soak_join(struct soak_process *process, unsigned timeout_ms)
{
    close(process->input);
    process->input = -1;
    return reap(process, timeout_ms);
}

void soak_kill(struct soak_process *process, int number)
{
    if (process->pid <= 0)
        return;
    kill(process->pid, number);
    reap(process, END_MS);
}

struct soak_broker soak_broker_start(const char *endpoint)
{
    char name[] = "busbard", option[] = "--bind";
    char bind[128];
    struct soak_broker broker;
    snprintf(bind, sizeof bind, "%s", endpoint != NULL ? endpoint : "tcp://127.0.0.1:*");
    char *const argv[] = {name, option, bind, NULL};
    broker.process = soak_exec("busbard", argv);
    const char *real = soak_expect(&broker.process, "broker_ready endpoint=", START_MS);
    snprintf(broker.endpoint, sizeof broker.endpoint, "%.*s", (int)strcspn(real, " \t"), real);
    return broker;
}

static void handle_echo(struct busbar_request **request, void *context)
{
    (void)context;
    struct busbar_body body = busbar_body_copied(busbar_request_data(*request),
                                                 busbar_request_size(*request));
    busbar_request_reply(request, body);
}

/* Sleeps as many ms as the body says, then echoes. */
static void handle_sleep(struct busbar_request **request, void *context)
{
    char text[16] = "";
    size_t size = busbar_request_size(*request);
    memcpy(text, busbar_request_data(*request), size < sizeof text ? size : sizeof text - 1);
    soak_sleep_ms((unsigned)strtoul(text, NULL, 10));
    handle_echo(request, context);
}

static int work(const void *argument)
{
    const struct soak_worker *told = argument;
    static const struct busbar_method methods[] = {
        {.name = "echo", .handler = handle_echo, .signature = "y>y"},
        {.name = "sleep", .handler = handle_sleep, .signature = "y>y"},
    };
    const struct busbar_service service = {
        .name = told->service, .methods = methods, .method_count = 2};
    const struct busbar_worker_options options = {.broker = told->endpoint};
    struct busbar_worker *worker = NULL;
    char byte;
    if (busbar_worker_new(&worker, &options) != BUSBAR_OK ||
        busbar_worker_register(worker, &service) != BUSBAR_OK ||
        busbar_worker_start(worker) != BUSBAR_OK ||
        busbar_worker_wait_ready(worker, START_MS) != BUSBAR_OK)
        return 1;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    struct busbar_worker_stats stats;
    busbar_worker_stats(worker, &stats);
    printf("replies=%llu stale=%llu reconnects=%llu credit=%u\n", (unsigned long long)stats.replies,
           (unsigned long long)stats.stale_replies, (unsigned long long)stats.reconnects,
           stats.credit);
    busbar_worker_stop(worker);
    busbar_worker_destroy(&worker);
    return 0;
}

struct soak_process soak_worker_start(const struct soak_worker *worker)
{
    struct soak_process process = soak_fork(work, worker);
    soak_expect(&process, "ready", START_MS);
    return process;
}

struct soak_samples *soak_samples_new(size_t capacity)
{
    size_t size = sizeof(struct soak_samples) + capacity * sizeof(uint64_t);
    struct soak_samples *samples = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (samples == MAP_FAILED)
        soak_die("out of memory");
    samples->times = (uint64_t *)(samples + 1);
    samples->capacity = capacity;
    return samples;
}

void soak_samples_add(struct soak_samples *samples, uint64_t ns)
{
    if (samples->count < samples->capacity)
        samples->times[samples->count++] = ns;
}

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t soak_quantile(struct soak_samples *samples, double fraction)
{
    if (samples->count == 0)
        return 0;
    qsort(samples->times, samples->count, sizeof samples->times[0], compare_times);
    return samples->times[(size_t)(fraction * (double)(samples->count - 1))];
}

void soak_samples_print(const char *name, struct soak_samples *samples)
{
    printf("  %-26s n=%-6zu p50=%.1f p90=%.1f p99=%.1f p99.9=%.1f max=%.1f us\n", name,
           samples->count, (double)soak_quantile(samples, 0.5) / 1e3,
           (double)soak_quantile(samples, 0.9) / 1e3, (double)soak_quantile(samples, 0.99) / 1e3,
           (double)soak_quantile(samples, 0.999) / 1e3, (double)soak_quantile(samples, 1) / 1e3);
    fflush(stdout);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double soak_median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int soak_verdict(const char *item, bool pass, const char *text)
{
    printf("%s %s: %s\n", pass ? "PASS" : "FAIL", item, text);
    fflush(stdout);
    return pass ? EXIT_SUCCESS : EXIT_FAILURE;
}
