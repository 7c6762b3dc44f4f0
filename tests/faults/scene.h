/*
 * What every scenario of the fault tests has: options, a broker or two, workers, clients, and the
 * checks at its end. The process of the scenario makes no connection itself, since it forks all along.
 */
#ifndef TESTS_FAULTS_SCENE_H
#define TESTS_FAULTS_SCENE_H

#include "tests/faults/load.h"
#include "tests/faults/oracle.h"
#include "tests/faults/worker.h"
#include "tests/soak/soak.h"

enum {
    SCENE_WORKERS = 16,
    SCENE_LOADS = 16,
};

/* The workers of a scene; a worker that is replaced keeps its place. */
struct scene_place {
    struct soak_process process;
    struct fault_worker told;
    bool ready;
};

struct scene {
    const char *name;
    bool is_long; /* --long: the promised figures, for as long as it takes; else a short form */
    unsigned seed;
    unsigned failures;
    struct oracle *oracle;
    struct soak_broker broker;
    struct scene_place places[SCENE_WORKERS];
    unsigned worker_numbers;
    struct load loads[SCENE_LOADS];
    struct soak_process load_processes[SCENE_LOADS];
    unsigned load_count;
};

/* Prints what it runs with. `capacity` is the most calls it will make. */
void scene_init(struct scene *scene, const char *name, char **argv, size_t capacity);
/* Ends what still runs; the exit code. */
int scene_finish(struct scene *scene);

/* A busbard with the settings of `config` (YAML, "" for none); endpoint NULL: on any port. */
struct soak_broker scene_broker(const char *endpoint, const char *config);

/* Starts a worker in the place: of the scene's broker and the service `fault` unless told otherwise.
 * Its number is new. scene_ready waits until it says that it is registered. */
void scene_work(struct scene *scene, unsigned place, const struct fault_worker *told);
void scene_ready(struct scene *scene, unsigned place);
/* False once it has ended, whether or not anybody knows of it. */
bool scene_is_running(const struct scene *scene, unsigned place);
/* Kills it with SIGKILL and tells the oracle when. */
void scene_kill_worker(struct scene *scene, unsigned place);
/* Waits for its end, after a SIGTERM; the exit code. */
int scene_end_worker(struct scene *scene, unsigned place);
void scene_end_workers(struct scene *scene);

/* Starts a client's process; what `told` leaves 0 is as usual. Its state. */
struct load_state *scene_load(struct scene *scene, const struct load *told);
/* All loads stop; those that run have their last outcomes then. */
void scene_end_loads(struct scene *scene);

/* A number of `bus` `stats`; asked by a process of its own. */
uint64_t scene_counter(const struct scene *scene, const char *name);

/* Resident memory of a process, now and at most so far, in KiB. */
size_t scene_rss_kib(pid_t pid);
size_t scene_peak_kib(pid_t pid);
void scene_peak_reset(pid_t pid);
/* A bound of memory in KiB; sanitizers, which free nothing for long, are given more. */
size_t scene_memory(size_t kib);
/* A generous bound of time in ms for a short run; sanitizers, which slow all down, are given more. */
double scene_time(double ms);

/* What must hold, with the figures: prints `ok - ` or, of a long run, `PASS name: `. */
__attribute__((format(printf, 3, 4))) void scene_check(struct scene *scene, bool holds,
                                                       const char *format, ...);

/* The oracle's word, after everybody ended: prints it, checks it; `all_idempotent`: those must be OK. */
struct oracle_faults scene_judge(struct scene *scene, bool all_idempotent);

#endif
