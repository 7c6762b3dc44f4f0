/* Processes of the benchmark: children that cannot outlive it, and what they used. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Forks a child that is killed when its parent ends; 0 in the child. */
pid_t process_fork(void);
/* Runs a program with its output in the file `log` and `environment` beside the own one. */
pid_t process_start(char *const *argv, char *const *environment, const char *log);
/* SIGKILL for this child alone; waits for its end. */
void process_end(pid_t pid);

/* What all threads of a process have run, in ns, and the most memory it had, in KiB. */
uint64_t process_cpu_ns(pid_t pid);
uint64_t process_peak_kib(pid_t pid);

#endif
