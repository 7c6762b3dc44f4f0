/* One run of a program: bytes in, bytes out, and an end that always comes; keeps processes and
 * pipes from `serve`. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROGRAM_TAIL_SIZE = 2048,
};

struct program {
    const char *path; /* of the file */
    char *const *argv;
    const void *input; /* for stdin */
    size_t input_size;
    size_t output_max; /* bytes of stdout; the program is killed when it writes more */
    bool (*must_stop)(void *context); /* asked every few milliseconds: kill it? */
    void *context;
};

enum program_end {
    PROGRAM_EXITED,      /* by itself: `code` is its exit code */
    PROGRAM_SIGNALLED,   /* by a signal of somebody else: `code` is its number */
    PROGRAM_STOPPED,     /* killed, for must_stop said so */
    PROGRAM_TOO_MUCH,    /* killed, for it wrote more than output_max */
    PROGRAM_NOT_STARTED, /* `code` is an errno */
};

struct program_result {
    enum program_end end;
    int code;
    char *output; /* stdout, for free() */
    size_t output_size;
    char tail[PROGRAM_TAIL_SIZE + 1]; /* the end of stderr as text */
};

/*
 * Runs it in a process group of its own, all of which is gone when this returns. May be called by
 * many threads at once. SIGPIPE must be ignored.
 */
void program_run(const struct program *program, struct program_result *ret);

#endif
