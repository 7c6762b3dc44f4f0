/* Processes of a test: their output goes to files, so that no pipe can fill up or block. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kit/internal.h"

enum {
    ARGUMENTS_MAX = 64,
    PATH_BYTES = 4096,
    END_MS = 3000, /* between SIGTERM and SIGKILL at teardown */
};

const char *kit_build(void)
{
    const char *build = getenv("BUSBAR_BUILD");
    return build != NULL ? build : "build";
}

const char *kit_source(void)
{
    const char *source = getenv("BUSBAR_SOURCE");
    return source != NULL ? source : ".";
}

/* A program of the build, if there is one of that name. */
static void find_program(const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", kit_build(), name);
    if (name[0] == '/' || access(path, X_OK) != 0)
        snprintf(path, PATH_BYTES, "%s", name);
}

const char *kit_file(struct kit *kit, const char *name, const char *text)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", kit->directory, name) < 0)
        fail_msg("out of memory");
    if (text != NULL) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fputs(text, file);
        assert_int_equal(fclose(file), 0);
    }
    /* A process entry without a process keeps the path until teardown. */
    struct kit_process *entry = calloc(1, sizeof *entry);
    assert_non_null(entry);
    entry->ended = true;
    entry->name = path;
    entry->next = kit->processes;
    kit->processes = entry;
    return path;
}

static int open_input(struct kit *kit, const struct kit_command *command)
{
    if (command->input == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/input.%u", kit->directory, kit->count);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    const char *next = command->input;
    for (size_t left = command->input_size; left > 0;) {
        ssize_t done = write(fd, next, left);
        assert_true(done > 0);
        next += done;
        left -= (size_t)done;
    }
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int open_output(char **ret_path, struct kit *kit, const char *stream)
{
    if (asprintf(ret_path, "%s/%u.%s", kit->directory, kit->count, stream) < 0)
        fail_msg("out of memory");
    int fd = open(*ret_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* Our own environment without BUSBAR_BROKER, then the kit's, then the command's. */
static char **make_environment(struct kit *kit, const struct kit_command *command, char *broker)
{
    size_t count = 0, extra = 0;
    while (environ[count] != NULL)
        count++;
    while (command->environment != NULL && command->environment[extra] != NULL)
        extra++;
    char **all = calloc(count + extra + 2, sizeof *all);
    assert_non_null(all);
    size_t used = 0;
    for (size_t i = 0; i < extra; i++)
        all[used++] = (char *)(uintptr_t)command->environment[i];
    if (kit->endpoint != NULL)
        all[used++] = broker;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "BUSBAR_BROKER=", 14) != 0)
            all[used++] = environ[i];
    }
    return all;
}

__attribute__((noreturn)) static void become(const char *path, char *const *argv,
                                             char *const *environment, const int fds[3])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(path, argv, environment);
    _exit(127);
}

static pid_t spawn(struct kit *kit, const struct kit_command *command, const int fds[3])
{
    char path[PATH_BYTES], broker[PATH_BYTES];
    find_program(command->argv[0], path);
    snprintf(broker, sizeof broker, "BUSBAR_BROKER=%s", kit->endpoint != NULL ? kit->endpoint : "");
    char **environment = make_environment(kit, command, broker);
    char *const *argv = (char *const *)(uintptr_t)command->argv;
    pid_t pid = fork();
    if (pid == 0)
        become(path, argv, environment, fds);
    assert_true(pid > 0);
    free(environment);
    return pid;
}

struct kit_process *kit_start_command(struct kit *kit, const struct kit_command *command)
{
    struct kit_process *process = calloc(1, sizeof *process);
    assert_non_null(process);
    kit->count++;
    process->name = strdup(command->argv[0]);
    int fds[3];
    fds[0] = open_input(kit, command);
    fds[1] = open_output(&process->out_path, kit, "out");
    fds[2] = open_output(&process->err_path, kit, "err");
    process->pid = spawn(kit, command, fds);
    process->next = kit->processes;
    kit->processes = process;
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    return process;
}

/* Gathers variable arguments up to NULL behind those that are there. */
#define GATHER(argv, count, last)                                                                  \
    do {                                                                                           \
        va_list list_;                                                                             \
        va_start(list_, last);                                                                     \
        size_t next_ = (count);                                                                    \
        do                                                                                         \
            (argv)[next_] = va_arg(list_, const char *);                                           \
        while ((argv)[next_++] != NULL && next_ < ARGUMENTS_MAX);                                  \
        va_end(list_);                                                                             \
    } while (0)

struct kit_process *kit_start(struct kit *kit, const char *program, ...)
{
    const char *argv[ARGUMENTS_MAX + 1] = {program};
    GATHER(argv, 1, program);
    return kit_start_command(kit, &(struct kit_command){.argv = argv});
}

struct kit_process *kit_run_command(struct kit *kit, const struct kit_command *command)
{
    struct kit_process *process = kit_start_command(kit, command);
    kit_wait(process, KIT_RUN_MS);
    return process;
}

struct kit_process *kit_run(struct kit *kit, const char *program, ...)
{
    const char *argv[ARGUMENTS_MAX + 1] = {program};
    GATHER(argv, 1, program);
    return kit_run_command(kit, &(struct kit_command){.argv = argv});
}

static char *read_file(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    *ret_size = fread(text, 1, (size_t)size, file);
    fclose(file);
    return text;
}

void kit_read(struct kit_process *process)
{
    size_t ignored;
    free(process->out);
    free(process->err);
    process->out = read_file(process->out_path, &process->out_size);
    process->err = read_file(process->err_path, &ignored);
}

bool kit_is_running(struct kit_process *process)
{
    int status;
    if (process->ended || waitpid(process->pid, &status, WNOHANG) != process->pid)
        return !process->ended;
    process->ended = true;
    process->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return false;
}

int kit_wait(struct kit_process *process, unsigned timeout_ms)
{
    uint64_t until = kit_now_ms() + kit_time(timeout_ms);
    while (kit_is_running(process)) {
        if (kit_now_ms() > until) {
            kit_read(process);
            fail_msg("%s has not ended within %u ms; it said:\n%s%s", process->name, timeout_ms,
                     process->out, process->err);
        }
        kit_sleep_ms(2);
    }
    kit_read(process);
    return process->code;
}

void kit_kill(struct kit_process *process, int signal_number)
{
    process->killed = true;
    if (kit_is_running(process))
        kill(process->pid, signal_number);
}

bool kit_has_said(struct kit_process *process, const char *text)
{
    kit_read(process);
    return strstr(process->out, text) != NULL || strstr(process->err, text) != NULL;
}

void kit_wait_for_text(struct kit_process *process, const char *text, unsigned timeout_ms)
{
    uint64_t until = kit_now_ms() + kit_time(timeout_ms);
    for (;;) {
        bool running = kit_is_running(process);
        if (kit_has_said(process, text))
            return;
        if (!running || kit_now_ms() > until)
            fail_msg("%s %s without having said \"%s\" but:\n%s%s", process->name,
                     running ? "runs on" : "ended", text, process->out, process->err);
        kit_sleep_ms(2);
    }
}

/* What no program of ours may say, nor die of. */
static bool has_fault(struct kit_process *process)
{
    static const char *const words[] = {"AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
                                        "runtime error:", "Assertion"};
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    bool fault = false;
    kit_read(process);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        fault = fault || strstr(process->err, words[i]) != NULL;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        fault = fault || process->code == 128 + signals[i];
    if (fault)
        print_error("%s ended with code %d and said:\n%s\n", process->name, process->code,
                    process->err);
    return fault;
}

static void end_process(struct kit_process *process, uint64_t until)
{
    while (kit_is_running(process)) {
        if (kit_now_ms() > until)
            kill(process->pid, SIGKILL);
        kit_sleep_ms(1);
    }
}

bool kit_end_processes(struct kit *kit)
{
    bool fault = false;
    for (struct kit_process *process = kit->processes; process != NULL; process = process->next) {
        if (kit_is_running(process)) {
            kill(process->pid, SIGCONT);
            kill(process->pid, SIGTERM);
            end_process(process, kit_now_ms() + kit_time(END_MS));
        }
    }
    while (kit->processes != NULL) {
        struct kit_process *process = kit->processes;
        kit->processes = process->next;
        if (process->out_path != NULL)
            fault = has_fault(process) || fault;
        free(process->name);
        free(process->out_path);
        free(process->err_path);
        free(process->out);
        free(process->err);
        free(process);
    }
    return fault;
}
