/* Spawning of a program and the loop that feeds and drains its pipes. */
#include "objects/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/program_tail.h"

enum {
    CHUNK_SIZE = 64 * 1024,
    WAIT_MAX_MS = 60 * 1000,
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
        if (fcntl(child->ours[i], F_SETFL, O_NONBLOCK) != 0)
            return errno;
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

/* Nothing but the three pipes goes over to the program. */
static int set_actions(posix_spawn_file_actions_t *actions, const struct child *child)
{
    int error = 0;
    for (int i = 0; i < STREAM_COUNT && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(actions, child->theirs[i], i);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, STREAM_COUNT);
    if (error == 0 && child->program->directory != NULL)
        error = posix_spawn_file_actions_addchdir_np(actions, child->program->directory);
    return error;
}

static int spawn(struct child *child)
{
    const struct program *program = child->program;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    set_attributes(&attributes);
    int error = set_actions(&actions, child);
    if (error == 0) /* which writes to none of the texts */
        error = posix_spawn(
            &child->pid, program->path, &actions, &attributes, (char *const *)program->argv,
            program->environment != NULL ? (char *const *)program->environment : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool wait_for(idtype_t type, int id, siginfo_t *state, int options)
{
    int done;
    do
        done = waitid(type, (id_t)id, state, WEXITED | options);
    while (done != 0 && errno == EINTR);
    return done == 0;
}

static bool child_start(struct child *child)
{
    struct program_result *result = child->result;
    result->end = PROGRAM_NOT_STARTED;
    result->code = make_pipes(child);
    if (result->code == 0)
        result->code = spawn(child);
    if (result->code != 0)
        return false;
    result->end = PROGRAM_EXITED;
    close_fd(&child->theirs[STREAM_OUT]);
    close_fd(&child->theirs[STREAM_ERR]);
    child->pidfd = pidfd_open(child->pid, 0);
    if (child->pidfd >= 0)
        return true;
    result->end = PROGRAM_LOST;
    result->code = errno == ESRCH ? ECHILD : errno;
    kill(-child->pid, SIGKILL);
    siginfo_t state;
    wait_for(P_PID, child->pid, &state, 0);
    return false;
}

/*
 * Our copy of the program's own end of its stdin stays open until it has ended, so that writing
 * never finds a pipe that nobody reads, which would raise SIGPIPE in the process we are a guest of.
 * A program need not read all its input: the rest then waits in vain, and is dropped at the end.
 */
static void feed(struct child *child)
{
    const struct program *program = child->program;
    while (child->written < program->input_size) {
        ssize_t done = write(child->ours[STREAM_IN], (const char *)program->input + child->written,
                             program->input_size - child->written);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN)
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

/* Of a program whose output is not kept: all of the buffer is what was read just now. */
static void pass_on(struct child *child, size_t size)
{
    const struct program *program = child->program;
    struct program_result *result = child->result;
    if (result->end == PROGRAM_EXITED && !program->sink(program->context, result->output, size))
        result->end = PROGRAM_CANCELLED;
}

/* One read of at most `most` bytes of stdout; returns how many there were. */
static size_t take_output(struct child *child, size_t most)
{
    struct program_result *result = child->result;
    if (!output_reserve(child)) {
        result->end = PROGRAM_LOST;
        result->code = ENOMEM;
        return 0;
    }
    ssize_t got = read(child->ours[STREAM_OUT], result->output + result->output_size,
                       most < CHUNK_SIZE ? most : CHUNK_SIZE);
    if (got == 0)
        close_fd(&child->ours[STREAM_OUT]);
    if (got <= 0)
        return 0;
    if (child->program->sink != NULL)
        pass_on(child, (size_t)got);
    else
        result->output_size += (size_t)got;
    if (result->output_size > child->program->output_max)
        result->end = PROGRAM_TOO_MUCH;
    return (size_t)got;
}

/* The same of stderr, of which only the end is kept. */
static size_t take_error(struct child *child, size_t most)
{
    char chunk[PROGRAM_TAIL_SIZE];
    char *tail = child->result->tail;
    ssize_t got = read(child->ours[STREAM_ERR], chunk, most < sizeof chunk ? most : sizeof chunk);
    if (got == 0)
        close_fd(&child->ours[STREAM_ERR]);
    if (got <= 0)
        return 0;
    size_t size = (size_t)got;
    size_t kept = child->tail_size;
    if (kept + size > PROGRAM_TAIL_SIZE)
        kept = PROGRAM_TAIL_SIZE - size;
    memmove(tail, tail + child->tail_size - kept, kept);
    memcpy(tail + kept, chunk, size);
    child->tail_size = kept + size;
    return size;
}

static size_t available(int fd)
{
    int size = 0;
    if (fd < 0 || ioctl(fd, FIONREAD, &size) != 0 || size < 0)
        return 0;
    return (size_t)size;
}

/* What lay in the pipes when the program ended; what somebody writes later may have no end. */
static void drain(struct child *child)
{
    size_t left = available(child->ours[STREAM_OUT]);
    while (left > 0 && child->result->end == PROGRAM_EXITED) {
        size_t got = take_output(child, left);
        left = got > 0 ? left - got : 0;
    }
    left = available(child->ours[STREAM_ERR]);
    while (left > 0) {
        size_t got = take_error(child, left);
        left = got > 0 ? left - got : 0;
    }
}

/* Milliseconds for which nothing but the program has to be looked at. */
static int wait_ms(const struct program *program)
{
    uint64_t now = clock_ms();
    uint64_t wait = program->deadline_ms > now ? program->deadline_ms - now : 0;
    uint64_t most = program->cancelled != NULL ? PROGRAM_ASK_MS : WAIT_MAX_MS;
    return (int)(wait < most ? wait : most);
}

static void judge_time(struct child *child)
{
    const struct program *program = child->program;
    if (child->result->end != PROGRAM_EXITED)
        return;
    if (program->cancelled != NULL && program->cancelled(program->context))
        child->result->end = PROGRAM_CANCELLED;
    else if (clock_ms() >= program->deadline_ms)
        child->result->end = PROGRAM_OVERTIME;
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
    if (poll(fds, ARRAY_SIZE(fds), wait_ms(child->program)) < 0)
        memset(fds, 0, sizeof fds);
    if (fds[STREAM_COUNT].revents != 0)
        return false;
    if (fds[STREAM_IN].revents != 0)
        feed(child);
    if (fds[STREAM_OUT].revents != 0)
        take_output(child, CHUNK_SIZE);
    if (fds[STREAM_ERR].revents != 0)
        take_error(child, PROGRAM_TAIL_SIZE);
    judge_time(child);
    return child->result->end == PROGRAM_EXITED;
}

static void throw_away(int *fd)
{
    char chunk[PROGRAM_TAIL_SIZE];
    if (read(*fd, chunk, sizeof chunk) == 0)
        close_fd(fd);
}

/*
 * Asks the program to end, and gives it a moment to put its things in order. What it still writes to
 * stdout nobody wants, but a full pipe must not keep it.
 */
static void ask_to_end(struct child *child)
{
    uint64_t until = clock_ms() + PROGRAM_GRACE_MS;
    kill(-child->pid, SIGTERM);
    for (uint64_t now = clock_ms(); now < until; now = clock_ms()) {
        struct pollfd fds[] = {
            {.fd = child->pidfd, .events = POLLIN},
            {.fd = child->ours[STREAM_OUT], .events = POLLIN},
            {.fd = child->ours[STREAM_ERR], .events = POLLIN},
        };
        if (poll(fds, ARRAY_SIZE(fds), (int)(until - now)) <= 0)
            continue;
        if (fds[0].revents != 0)
            return;
        if (fds[1].revents != 0)
            throw_away(&child->ours[STREAM_OUT]);
        if (fds[2].revents != 0)
            take_error(child, PROGRAM_TAIL_SIZE);
    }
}

/* Waits for the child, and kills what it left behind while its number cannot be used anew. */
static void child_end(struct child *child)
{
    struct program_result *result = child->result;
    siginfo_t state = {.si_pid = 0};
    if (result->end == PROGRAM_CANCELLED || result->end == PROGRAM_OVERTIME)
        ask_to_end(child);
    if (result->end != PROGRAM_EXITED)
        kill(-child->pid, SIGKILL);
    bool known = wait_for(P_PIDFD, child->pidfd, &state, WNOWAIT);
    kill(-child->pid, SIGKILL);
    drain(child);
    known = wait_for(P_PIDFD, child->pidfd, &state, 0) && known;
    if (result->end != PROGRAM_EXITED)
        return;
    if (!known)
        result->end = PROGRAM_LOST;
    else if (state.si_code != CLD_EXITED)
        result->end = PROGRAM_SIGNALLED;
    result->code = known ? state.si_status : ECHILD;
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
    if (child_start(&child)) {
        while (child_turn(&child))
            continue;
        child_end(&child);
    }
    program_tail_clean(ret->tail, child.tail_size);
    child_fini(&child);
}
