/*
 * What the soak programs stand on: child processes that cannot outlive their parent, each wait with
 * a deadline, and latencies with their distribution. What goes wrong in here ends the program.
 */
#ifndef TESTS_SOAK_SOAK_H
#define TESTS_SOAK_SOAK_H

#include <busbar/client.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct soak_process {
    pid_t pid;
    int input;  /* its stdin; it ends when this is closed */
    int output; /* its stdout */
};

struct soak_broker {
    struct soak_process process;
    char endpoint[128];
};

/* Times in ns, and how many of them there are. */
struct soak_samples {
    uint64_t *times;
    size_t count;
    size_t capacity;
};

struct soak_worker {
    const char *endpoint;
    const char *service;
};

uint64_t soak_now_ns(void);
void soak_sleep_ms(unsigned ms);
__attribute__((noreturn, format(printf, 1, 2))) void soak_die(const char *format, ...);

/* The value of a numeric option `--name N`, or `otherwise`. */
uint64_t soak_option(char **argv, const char *name, uint64_t otherwise);

/* Runs `main` in a child, which exits with what it returns. */
struct soak_process soak_fork(int (*main)(const void *argument), const void *argument);
/* Runs a program of the build; its stderr goes where its stdout goes. */
struct soak_process soak_exec(const char *name, char *const *argv);
/* Waits until a line begins with `text` and returns the rest of it, valid until the next call. */
const char *soak_expect(const struct soak_process *process, const char *text, unsigned timeout_ms);
/* Closes its stdin and waits for its end, at most `timeout_ms`; returns its exit code. */
int soak_join(struct soak_process *process, unsigned timeout_ms);
/* Sends the signal and waits for the end. */
void soak_kill(struct soak_process *process, int number);

/* A busbard that listens; on a kernel-chosen port of loopback if `endpoint` is NULL. */
struct soak_broker soak_broker_start(const char *endpoint);
/* An echo worker with the library's defaults: service as named, methods `echo` and `sleep`. */
struct soak_process soak_worker_start(const struct soak_worker *worker);

/* In memory shared with the children. */
struct soak_samples *soak_samples_new(size_t capacity);
void soak_samples_add(struct soak_samples *samples, uint64_t ns);
/* The time that `fraction` of all are not above; sorts. */
uint64_t soak_quantile(struct soak_samples *samples, double fraction);
/* One line: count, p50, p90, p99, p99.9 and the longest, in µs. */
void soak_samples_print(const char *name, struct soak_samples *samples);
double soak_median(double *values, size_t count);

/* Prints the line that run.sh collects; returns the exit code. */
int soak_verdict(const char *item, bool pass, const char *text);

#endif
