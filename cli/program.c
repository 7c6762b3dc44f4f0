/* Spawning of a program and the loop that feeds and drains its pipes. */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"

enum {
    CHUNK_SIZE = 64 * 1024,
    STOP_INTERVAL_MS = 20, /* between two questions to must_stop */
};

/* The pipes' ends on our side are `ours`, the child's are `theirs`; -1 once closed. */
enum stream { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_COUNT };

struct child {
    const struct program *program;
    struct program_result *result;
    pid_t pid;
    int pidfd;
    int ours[STREAM_COUNT];
    int theirs[STREAM_COUNT];
    size_t written;  /* bytes of the input */
    size_t capacity; /* of result->output */
    size_t tail_size;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void child_fini(struct child *child)
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        close_fd(&child->ours[i]);
        close_fd(&child->theirs[i]);
    }
    close_fd(&child->pidfd);
}

static int make_pipes(struct child *child)
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            return errno;
        child->ours[i] = ends[i == STREAM_IN ? 1 : 0];
        child->theirs[i] = ends[i == STREAM_IN ? 0 : 1];
        fcntl(child->ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

/* A group of its own to be killed as one, and signals as a program expects them. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
}

static int spawn(struct child *child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    set_attributes(&attributes);
    for (int i = 0; i < STREAM_COUNT; i++)
        posix_spawn_file_actions_adddup2(&actions, child->theirs[i], i);
    int error = posix_spawn(&child->pid, child->program->path, &actions, &attributes,
                            child->program->argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Waits for the child, and kills what it left behind while its number cannot be used anew. */
static void child_reap(struct child *child)
{
    siginfo_t state = {.si_pid = 0};
    while (waitid(P_PID, (id_t)child->pid, &state, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (child->result->end == PROGRAM_EXITED) {
        child->result->code = state.si_status;
        if (state.si_code != CLD_EXITED)
            child->result->end = PROGRAM_SIGNALLED;
    }
}

static int child_start(struct child *child)
{
    int error = make_pipes(child);
    if (error == 0)
        error = spawn(child);
    if (error != 0)
        return error;
    for (int i = 0; i < STREAM_COUNT; i++)
        close_fd(&child->theirs[i]);
    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd < 0) {
        error = errno;
        kill(-child->pid, SIGKILL);
        child_reap(child);
    }
    return error;
}

/* A program need not read all its input: then the rest is dropped. */
static void feed(struct child *child)
{
    const struct program *program = child->program;
    while (child->written < program->input_size) {
        ssize_t done = write(child->ours[STREAM_IN], (const char *)program->input + child->written,
                             program->input_size - child->written);
        if (done < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (done < 0)
            break;
        child->written += (size_t)done;
    }
    close_fd(&child->ours[STREAM_IN]);
}

static bool output_reserve(struct child *child)
{
    struct program_result *result = child->result;
    if (child->capacity - result->output_size >= CHUNK_SIZE)
        return true;
    size_t capacity = child->capacity * 2 + CHUNK_SIZE;
    char *output = realloc(result->output, capacity);
    if (output == NULL)
        return false;
    result->output = output;
    child->capacity = capacity;
    return true;
}

/* One read of stdout; false if there is nothing more for now. */
static bool take_output(struct child *child)
{
    struct program_result *result = child->result;
    if (!output_reserve(child)) {
        result->end = PROGRAM_TOO_MUCH;
        return false;
    }
    ssize_t got = read(child->ours[STREAM_OUT], result->output + result->output_size, CHUNK_SIZE);
    if (got == 0)
        close_fd(&child->ours[STREAM_OUT]);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    result->output_size += (size_t)got;
    if (result->output_size > child->program->output_max)
        result->end = PROGRAM_TOO_MUCH;
    return result->end == PROGRAM_EXITED;
}

/* One read of stderr, of which only the end is kept. */
static bool take_error(struct child *child)
{
    char chunk[PROGRAM_TAIL_SIZE];
    ssize_t got = read(child->ours[STREAM_ERR], chunk, sizeof chunk);
    if (got == 0)
        close_fd(&child->ours[STREAM_ERR]);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    size_t size = (size_t)got;
    size_t kept = child->tail_size;
    if (kept + size > PROGRAM_TAIL_SIZE)
        kept = PROGRAM_TAIL_SIZE - size;
    memmove(child->result->tail, child->result->tail + child->tail_size - kept, kept);
    memcpy(child->result->tail + kept, chunk, size);
    child->tail_size = kept + size;
    return true;
}

static void drain(struct child *child)
{
    while (child->ours[STREAM_OUT] >= 0 && take_output(child))
        continue;
    while (child->ours[STREAM_ERR] >= 0 && take_error(child))
        continue;
}

/* One turn; false once the program has ended or must. */
static bool child_turn(struct child *child)
{
    struct pollfd fds[STREAM_COUNT + 1] = {
        [STREAM_IN] = {.fd = child->ours[STREAM_IN], .events = POLLOUT},
        [STREAM_OUT] = {.fd = child->ours[STREAM_OUT], .events = POLLIN},
        [STREAM_ERR] = {.fd = child->ours[STREAM_ERR], .events = POLLIN},
        [STREAM_COUNT] = {.fd = child->pidfd, .events = POLLIN},
    };
    if (poll(fds, ARRAY_SIZE(fds), STOP_INTERVAL_MS) < 0)
        return errno == EINTR;
    if (fds[STREAM_IN].revents != 0)
        feed(child);
    bool ended = fds[STREAM_COUNT].revents != 0;
    if (fds[STREAM_OUT].revents != 0 && !ended)
        take_output(child);
    if (fds[STREAM_ERR].revents != 0 && !ended)
        take_error(child);
    if (ended)
        drain(child);
    else if (child->result->end == PROGRAM_EXITED &&
             child->program->must_stop(child->program->context))
        child->result->end = PROGRAM_STOPPED;
    return !ended && child->result->end == PROGRAM_EXITED;
}

/* Makes text of the tail: no character cut in two, no control characters, no newline at the end. */
static void clean_tail(struct child *child)
{
    char *tail = child->result->tail;
    size_t size = child->tail_size;
    size_t skip = 0;
    while (skip < size && ((unsigned char)tail[skip] & 0xc0) == 0x80)
        skip++;
    size -= skip;
    memmove(tail, tail + skip, size);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)tail[i] < ' ' && tail[i] != '\n' && tail[i] != '\t')
            tail[i] = '?';
    }
    while (size > 0 && tail[size - 1] == '\n')
        size--;
    tail[size] = '\0';
}

void program_run(const struct program *program, struct program_result *ret)
{
    struct child child = {
        .program = program,
        .result = ret,
        .pidfd = -1,
        .ours = {-1, -1, -1},
        .theirs = {-1, -1, -1},
    };
    *ret = (struct program_result){.end = PROGRAM_EXITED};
    int error = child_start(&child);
    if (error != 0) {
        ret->end = PROGRAM_NOT_STARTED;
        ret->code = error;
    } else {
        while (child_turn(&child))
            continue;
        if (ret->end != PROGRAM_EXITED)
            kill(-child.pid, SIGKILL);
        child_reap(&child);
    }
    clean_tail(&child);
    child_fini(&child);
}
