/* `busbar worker`: hosts the exports of a file; with --respawn in a process that is started anew. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <busbar/app.h>

#include "cli/options.h"
#include "cli/report.h"

enum {
    PAUSE_MS = 100, /* before a worker that died is started anew; doubled … */
    PAUSE_MAX_MS = 10000,
    STEADY_S = 10, /* … until one has lived so long */
};

/* What stop_signal stops in a child; NULL before it runs. */
static _Atomic(struct busbar_app *) hosted;

/*
 * How the parent passes the first SIGINT or SIGTERM on. Not by the same signal: terminals and
 * service managers give that to the child too, and two of them would end it at once.
 */
static int stop_signal(void)
{
    return SIGRTMAX;
}

static void on_stop_signal(int number)
{
    (void)number;
    busbar_app_stop(atomic_load(&hosted));
}

/* Until they are handled: by busbar_app_run, which unblocks what it handles, and by run. */
static void mask(int how, const int *numbers, size_t count)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(how, &set, NULL);
}

/* Reading may take as long as what is read wants, so it can be interrupted; the start is short, and
 * has registered exports that want an end in order. */
static enum busbar_status load(struct busbar_app **ret, const char *file)
{
    const int stops[] = {SIGINT, SIGTERM, stop_signal()};
    const int reloads[] = {SIGHUP};
    mask(SIG_BLOCK, reloads, ARRAY_SIZE(reloads));
    enum busbar_status status = busbar_app_read(ret, file);
    if (status != BUSBAR_OK)
        return status;
    mask(SIG_BLOCK, stops, ARRAY_SIZE(stops));
    return busbar_app_start(*ret);
}

static enum busbar_status run(struct busbar_app *app)
{
    const struct sigaction action = {.sa_handler = on_stop_signal, .sa_flags = SA_RESTART};
    const int number = stop_signal();
    atomic_store(&hosted, app);
    sigaction(number, &action, NULL);
    mask(SIG_UNBLOCK, &number, 1);
    enum busbar_status status = busbar_app_run(app);
    mask(SIG_UNBLOCK, (const int[]){SIGINT, SIGTERM}, 2);
    atomic_store(&hosted, NULL);
    return status;
}

static int host(const char *file)
{
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    enum busbar_status status = load(&app, file);
    if (status == BUSBAR_BAD_CONFIG) {
        fprintf(stderr, "%s\n", busbar_last_error());
        return EXIT_CLASS_USAGE;
    }
    if (status != BUSBAR_OK)
        return report_status(status, busbar_last_fate(), busbar_last_error());
    fprintf(stderr, "%s: running, broker %s\n", file, busbar_app_broker(app));
    status = run(app);
    return status == BUSBAR_OK ? 0 : report_status(status, busbar_last_fate(), busbar_last_error());
}

/* What the parent passes on to its child; SIGCHLD wakes it. */
static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

static pid_t start(const char *file)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigset_t set;
    watched_signals(&set);
    sigdelset(&set, SIGHUP); /* it would kill what does not handle it yet */
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    exit(host(file));
}

/* Waits for the end of the child, passing signals on; its wait status. `stopped` is the signal that
 * said to stop, a second one ends the child at once. */
static int attend(pid_t pid, int *stopped)
{
    sigset_t set;
    int state = 0;
    watched_signals(&set);
    for (;;) {
        int number = sigwaitinfo(&set, NULL);
        if (number == SIGCHLD && waitpid(pid, &state, WNOHANG) == pid)
            return state;
        if (number == SIGHUP)
            kill(pid, SIGHUP);
        if (number != SIGINT && number != SIGTERM)
            continue;
        kill(pid, *stopped == 0 ? stop_signal() : SIGKILL);
        *stopped = number;
    }
}

/* Pauses before the next start; true if a signal says to stop. */
static bool pause_is_ended(unsigned ms)
{
    sigset_t set;
    struct timespec now, left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct timespec until = {now.tv_sec + left.tv_sec, now.tv_nsec + left.tv_nsec};
    watched_signals(&set);
    for (;;) {
        int number = sigtimedwait(&set, NULL, &left);
        if (number == SIGINT || number == SIGTERM)
            return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long rest = (long)(until.tv_sec - now.tv_sec) * 1000 +
                    (until.tv_nsec - now.tv_nsec) / 1000000;
        if (number < 0 && errno == EAGAIN)
            return false;
        if (rest <= 0)
            return false;
        left = (struct timespec){.tv_sec = rest / 1000, .tv_nsec = (rest % 1000) * 1000000};
    }
}

/* A worker that ends by itself has said why and is not started anew; one that was killed is. */
static int keep_alive(const char *file)
{
    sigset_t set;
    int stopped = 0;
    unsigned pause = PAUSE_MS;
    watched_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (;;) {
        time_t began = time(NULL);
        pid_t pid = start(file);
        if (pid < 0) {
            report("cannot start a worker: %s", strerror(errno));
            return EXIT_CLASS_INTERNAL;
        }
        int state = attend(pid, &stopped);
        if (WIFEXITED(state))
            return WEXITSTATUS(state);
        if (stopped != 0)
            return 128 + stopped;
        pause = time(NULL) - began >= STEADY_S ? PAUSE_MS : pause;
        report("the worker was killed by signal %d (%s); starting another in %u ms",
               WTERMSIG(state), strsignal(WTERMSIG(state)), pause);
        if (pause_is_ended(pause))
            return 0;
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}

int command_worker(struct cli *cli, int argc, char **argv)
{
    bool respawn = false;
    const struct option_row rows[] = {
        {"respawn", OPTION_FLAG, &respawn, NULL, "start it anew when it is killed or crashes", 0,
         0},
    };
    const struct options options = {
        .usage = "worker [OPTION…] FILE",
        .text =
            "Hosts what a file exports until SIGINT or SIGTERM; SIGHUP reloads the file. What is\n"
            "wrong with a file is printed as `file:line:column: what`, and the exit code is 2.\n"
            "--broker is for files that name none. The file is described in configuration.md,\n"
            "which is installed in share/doc/busbar.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    if (respawn && strcmp(arguments.items[0], "-") == 0) {
        report("--respawn needs a FILE that can be read again, not stdin");
        return EXIT_CLASS_USAGE;
    }
    if (cli->broker != NULL)
        setenv("BUSBAR_BROKER", cli->broker, 1);
    return respawn ? keep_alive(arguments.items[0]) : host(arguments.items[0]);
}
