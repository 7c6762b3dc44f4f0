#include "tests/faults/scene.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    START_MS = 15000,
    END_MS = 15000,
    LOAD_END_MS = 40000,
};

static bool has_flag(char **argv, const char *name)
{
    while (*argv != NULL && strcmp(*argv, name) != 0)
        argv++;
    return *argv != NULL;
}

static void print_commit(void)
{
    char line[64] = "unknown";
    FILE *git = popen("git -C \"${BUSBAR_SOURCE:-.}\" rev-parse --short HEAD 2>/dev/null", "re");
    if (git != NULL && fgets(line, sizeof line, git) != NULL)
        line[strcspn(line, "\n")] = '\0';
    if (git != NULL)
        pclose(git);
    printf("commit %s\n", line);
}

void scene_init(struct scene *scene, const char *name, char **argv, size_t capacity)
{
    *scene = (struct scene){.name = name, .is_long = has_flag(argv, "--long")};
    scene->seed = (unsigned)soak_option(argv, "--seed", (uint64_t)time(NULL));
    signal(SIGPIPE, SIG_IGN);
    unsetenv("BUSBAR_BROKER");
    printf(" %s: %s form, seed %u, ", name, scene->is_long ? "long" : "short", scene->seed);
    print_commit();
    scene->oracle = oracle_new(capacity);
}

int scene_finish(struct scene *scene)
{
    for (unsigned i = 0; i < scene->load_count; i++)
        soak_kill(&scene->load_processes[i], SIGKILL);
    for (unsigned i = 0; i < SCENE_WORKERS; i++)
        soak_kill(&scene->places[i].process, SIGKILL);
    soak_kill(&scene->broker.process, SIGTERM);
    oracle_free(&scene->oracle);
    return scene->failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct soak_broker scene_broker(const char *endpoint, const char *config)
{
    char name[] = "busbard", bind[] = "--bind", file[] = "--config", dash[] = "-";
    char level[] = "--log-level", error[] = "error", at[128];
    struct soak_broker broker;
    snprintf(at, sizeof at, "%s", endpoint != NULL ? endpoint : "tcp://127.0.0.1:*");
    char *const argv[] = {name, bind, at, file, dash, level, error, NULL};
    broker.process = soak_exec(name, argv);
    if (write(broker.process.input, config, strlen(config)) != (ssize_t)strlen(config))
        soak_die("busbard does not read its settings");
    close(broker.process.input);
    broker.process.input = -1;
    const char *real = soak_expect(&broker.process, "broker_ready endpoint=", START_MS);
    snprintf(broker.endpoint, sizeof broker.endpoint, "%.*s", (int)strcspn(real, " \t"), real);
    return broker;
}

void scene_work(struct scene *scene, unsigned place, const struct fault_worker *told)
{
    struct scene_place *at = &scene->places[place];
    at->told = *told;
    at->told.oracle = scene->oracle;
    at->told.number = ++scene->worker_numbers;
    at->ready = false;
    if (at->told.broker == NULL)
        at->told.broker = scene->broker.endpoint;
    if (at->told.service == NULL)
        at->told.service = "fault";
    if (at->told.number >= ORACLE_WORKERS)
        soak_die("too many workers");
    at->process = soak_fork(fault_worker_run, &at->told);
}

void scene_ready(struct scene *scene, unsigned place)
{
    if (!scene->places[place].ready)
        soak_expect(&scene->places[place].process, "ready", START_MS);
    scene->places[place].ready = true;
}

bool scene_is_running(const struct scene *scene, unsigned place)
{
    siginfo_t told = {0};
    pid_t pid = scene->places[place].process.pid;
    return pid > 0 && waitid(P_PID, (id_t)pid, &told, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           told.si_pid == 0;
}

void scene_kill_worker(struct scene *scene, unsigned place)
{
    struct scene_place *at = &scene->places[place];
    scene->oracle->killed_at[at->told.number] = soak_now_ns();
    soak_kill(&at->process, SIGKILL);
}

int scene_end_worker(struct scene *scene, unsigned place)
{
    struct soak_process *process = &scene->places[place].process;
    if (process->pid <= 0)
        return 0;
    kill(process->pid, SIGCONT);
    kill(process->pid, SIGTERM);
    return soak_join(process, END_MS);
}

void scene_end_workers(struct scene *scene)
{
    for (unsigned i = 0; i < SCENE_WORKERS; i++)
        scene_end_worker(scene, i);
}

struct load_state *scene_load(struct scene *scene, const struct load *told)
{
    if (scene->load_count == SCENE_LOADS)
        soak_die("too many loads");
    struct load *load = &scene->loads[scene->load_count];
    *load = *told;
    load->oracle = scene->oracle;
    if (load->state == NULL)
        load->state = load_state_new();
    if (load->broker == NULL)
        load->broker = scene->broker.endpoint;
    if (load->service == NULL)
        load->service = "fault";
    if (load->timeout_ms == 0)
        load->timeout_ms = 5000;
    if (load->outstanding == 0)
        load->outstanding = 64;
    load->seed = scene->seed + scene->load_count;
    scene->load_processes[scene->load_count] = soak_fork(load_run, load);
    scene->load_count++;
    return load->state;
}

void scene_end_loads(struct scene *scene)
{
    for (unsigned i = 0; i < scene->load_count; i++)
        scene->loads[i].state->stop = true;
    for (unsigned i = 0; i < scene->load_count; i++) {
        if (scene->load_processes[i].pid > 0 &&
            soak_join(&scene->load_processes[i], LOAD_END_MS) != 0)
            soak_die("client %u failed", i);
    }
}

void scene_check(struct scene *scene, bool holds, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    scene->failures += !holds;
    if (scene->is_long)
        printf("%s %s: %s\n", holds ? "PASS" : "FAIL", scene->name, text);
    else
        printf("%s - %s: %s\n", holds ? "ok" : "not ok", scene->name, text);
    fflush(stdout);
}

struct oracle_faults scene_judge(struct scene *scene, bool all_idempotent)
{
    struct oracle_faults faults = oracle_judge(scene->oracle);
    oracle_print(scene->oracle, &faults);
    scene_check(scene, oracle_is_content(&faults),
                "of %zu calls each has one outcome, true to what was executed", faults.calls);
    if (all_idempotent)
        scene_check(scene, faults.idempotent_failed == 0,
                    "all idempotent calls are OK, %zu are not", faults.idempotent_failed);
    return faults;
}
