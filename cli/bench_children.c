/* Starting, hearing and ending the processes of a benchmark. */
#include "cli/bench_children.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    END_STEP_MS = 5,
    END_STEPS = 400, /* then a child is killed */
};

bool children_init(struct bench_children *children, size_t capacity)
{
    children->items = calloc(capacity, sizeof *children->items);
    children->capacity = capacity;
    children->count = 0;
    return children->items != NULL;
}

/* In the new process: what goes wrong is said by its exit code alone. */
__attribute__((noreturn)) static void become(const char *path, char *const *argv, pid_t parent,
                                             const int fds[3])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            dup2(fds[i], i);
    }
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* the parent ends its children, in order */
    if (getppid() == parent)
        execv(path, argv);
    _exit(127);
}

bool children_start(struct bench_children *children, enum child_role role, const char *path,
                    char *const *argv)
{
    int in[2], out[2];
    if (children->count == children->capacity || pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        const int fds[3] = {in[0], role == CHILD_BROKER ? -1 : out[1],
                            role == CHILD_BROKER ? out[1] : -1};
        become(path, argv, parent, fds);
    }
    close(in[0]);
    close(out[1]);
    if (pid < 0) {
        close(in[1]);
        close(out[0]);
        return false;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    children->items[children->count++] = (struct bench_child){
        .role = role, .pid = pid, .input = in[1], .output = out[0]};
    return true;
}

/* Tells of the lines in `data`; one that is too long is cut. */
static void take_lines(struct bench_children *children, struct bench_child *child, const char *data,
                       size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n') {
            if (child->line_size < CHILD_LINE_SIZE - 1)
                child->line[child->line_size++] = data[i];
            continue;
        }
        child->line[child->line_size] = '\0';
        child->line_size = 0;
        children->heard(children->owner, child, child->line);
    }
}

static void hear(struct bench_children *children, struct bench_child *child)
{
    char data[16 * 1024];
    ssize_t got = read(child->output, data, sizeof data);
    if (got > 0) {
        take_lines(children, child, data, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(child->output);
        child->output = -1;
    }
}

bool children_listen(struct bench_children *children, int timeout_ms)
{
    struct pollfd *fds = calloc(children->count + 1, sizeof *fds);
    if (fds == NULL)
        return false;
    for (size_t i = 0; i < children->count; i++)
        fds[i] = (struct pollfd){.fd = children->items[i].output, .events = POLLIN};
    int ready = poll(fds, children->count, timeout_ms);
    for (size_t i = 0; i < children->count && ready > 0; i++) {
        if (fds[i].revents != 0)
            hear(children, &children->items[i]);
    }
    free(fds);
    return ready >= 0;
}

static void close_input(struct bench_child *child)
{
    if (child->input >= 0)
        close(child->input);
    child->input = -1;
}

/* Waits a while for a child that was asked to end, and then does not ask any more. */
static void child_end(struct bench_child *child)
{
    for (int step = 0; child->pid > 0; step++) {
        if (waitpid(child->pid, NULL, WNOHANG) == child->pid) {
            child->pid = 0;
        } else if (step < END_STEPS) {
            poll(NULL, 0, END_STEP_MS);
        } else {
            kill(child->pid, SIGKILL);
        }
    }
    if (child->output >= 0)
        close(child->output);
    child->output = -1;
}

/* Asks all of a role to end, then waits for each. */
static void end_role(struct bench_children *children, enum child_role role, int signal_number)
{
    for (size_t i = 0; i < children->count; i++) {
        struct bench_child *child = &children->items[i];
        if (child->role != role)
            continue;
        close_input(child);
        if (signal_number != 0 && child->pid > 0)
            kill(child->pid, signal_number);
    }
    for (size_t i = 0; i < children->count; i++) {
        if (children->items[i].role == role)
            child_end(&children->items[i]);
    }
}

void children_end(struct bench_children *children)
{
    end_role(children, CHILD_CLIENT, SIGKILL);
    end_role(children, CHILD_WORKER, 0); /* the end of their stdin stops them */
    end_role(children, CHILD_BROKER, SIGTERM);
    free(children->items);
    *children = (struct bench_children){.items = NULL};
}

uint64_t process_cpu_ns(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return 0;
    uint64_t sum = 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char name[512];
        uint64_t used;
        snprintf(name, sizeof name, "%s/%s/schedstat", path, entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(name, "re") : NULL;
        if (file == NULL)
            continue;
        if (fscanf(file, "%" SCNu64, &used) == 1)
            sum += used;
        fclose(file);
    }
    closedir(tasks);
    return sum;
}
