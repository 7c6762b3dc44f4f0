/* Messages to people on stderr, and the one table from statuses to exit codes. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <busbar/client.h>

/* The classes of outcome a script can tell apart; their texts are in `busbar --help`. */
#define EXIT_CLASS_TABLE(X)                                                                        \
    X(0, SUCCESS, "success")                                                                       \
    X(1, APP_ERROR, "the handler reported an error (APP_ERROR)")                                   \
    X(2, USAGE, "wrong usage, configuration or request (BAD_REQUEST)")                             \
    X(3, NOT_THERE, "nobody to call (NO_SERVICE, NO_METHOD, NO_MEMBERS)")                          \
    X(4, TRY_AGAIN, "not now (BUSY, EXPIRED, TIMEOUT, DRAINING)")                                  \
    X(5, LOST, "a worker or the broker was lost (WORKER_LOST, POISONED, BROKER_LOST)")             \
    X(6, REFUSED, "refused (DENIED, CONFLICT, TOO_LARGE, RESULT_TOO_LARGE, UNSUPPORTED, LOOP)")    \
    X(7, CANCELLED, "cancelled")                                                                   \
    X(70, INTERNAL, "an error of the system or of Busbar itself")                                  \
    X(126, NOT_EXECUTABLE, "a command was found but cannot be executed")                           \
    X(127, NOT_FOUND, "a command was not found")

enum exit_class {
#define EXIT_CLASS_ENUM(code, name, text) EXIT_CLASS_##name = (code),
    EXIT_CLASS_TABLE(EXIT_CLASS_ENUM)
#undef EXIT_CLASS_ENUM
};

/* The exit code for a status. */
int exit_code(enum busbar_status status);

/* Prints the table of exit codes to stdout, for --help. */
void exit_codes_print(void);

/* Prints `busbar: …` and a newline to stderr. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Each prints `busbar: STATUS (fate): text` and returns the exit code. */
int report_status(enum busbar_status status, enum busbar_fate fate, const char *text);
int report_reply(const struct busbar_reply *reply);

/* The last error of a client, which may be NULL if there is none; then it is `status`. */
int report_client(enum busbar_status status, const struct busbar_client *client);

/* Says that memory or output failed, and returns the exit code. */
int report_no_memory(void);

/* Flushes stdout; the exit code, with a message if what was printed did not get out. */
int report_output(void);

#endif
