/* What `busbar call` prints: results, parts of them, progress, and failures with all that is told. */
#ifndef CLI_CALL_PRINT_H
#define CLI_CALL_PRINT_H

#include <busbar/client.h>
#include <stdbool.h>

/* How a result is to be printed. */
struct print_form {
    bool bytes; /* as it came, whatever it is */
    bool raw;   /* a string as itself, not as JSON */
    bool lines; /* one of several: values on one line each */
};

/* A result or a part of it; the exit code, with a message if it cannot be printed. */
int print_reply(const struct busbar_reply *reply, const struct print_form *form);

/* A line to stderr: what is told of a running call. */
void print_progress(const struct busbar_progress *progress, void *context);

/* A failure: status, fate and text, then, unless this side reports it, who does, which workers had
 * the call, and when to try again; the exit code. */
int print_failure(const struct busbar_reply *reply);

#endif
