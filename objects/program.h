/* One run of a program: bytes in, bytes out, and an end that always comes; keeps processes and
 * pipes from the commands. */
#ifndef OBJECTS_PROGRAM_H
#define OBJECTS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROGRAM_TAIL_SIZE = 2048,
    PROGRAM_ASK_MS = 10,    /* between two questions to `cancelled` */
    PROGRAM_GRACE_MS = 200, /* from SIGTERM to SIGKILL, where it is cancelled or its time is over */
};

struct program {
    const char *path; /* of the file */
    const char *const *argv;
    const char *const *environment; /* NAME=value, NULL-terminated; NULL: that of this process */
    const char *directory;          /* to run in; NULL: that of this process */
    const void *input;              /* for stdin */
    size_t input_size;
    size_t output_max;    /* bytes of stdout; the program is killed when it writes more */
    uint64_t deadline_ms; /* by clock_ms(), it is killed then; UINT64_MAX: none */
    bool (*cancelled)(void *context); /* asked all the time: kill it? NULL: no */
    /* Is given stdout as it comes, which is not kept then; false: kill it. May take its time. */
    bool (*sink)(void *context, const void *data, size_t size);
    void *context;
};

enum program_end {
    PROGRAM_EXITED,      /* by itself: `code` is its exit code */
    PROGRAM_SIGNALLED,   /* by a signal of somebody else: `code` is its number */
    PROGRAM_CANCELLED,   /* killed, for `cancelled` said so */
    PROGRAM_OVERTIME,    /* killed, for the deadline passed */
    PROGRAM_TOO_MUCH,    /* killed, for it wrote more than output_max */
    PROGRAM_LOST,        /* it ran, but how it ended is not known; `code` is an errno */
    PROGRAM_NOT_STARTED, /* `code` is an errno */
};

struct program_result {
    enum program_end end;
    int code;
    char *output; /* stdout, for free(); NULL if there was none */
    size_t output_size;
    char tail[PROGRAM_TAIL_SIZE + 1]; /* the end of stderr as text: UTF-8, no control characters */
};

/*
 * Runs it in a process group of its own, all of which is killed when this returns: what is cancelled
 * or has no time left gets SIGTERM first, and a moment to follow it. May be called by
 * many threads at once. Touches no signal of this process. Where the process ignores SIGCHLD, or
 * waits for children that are not its own, a program's end may be PROGRAM_LOST with ECHILD.
 */
void program_run(const struct program *program, struct program_result *ret);

#endif
