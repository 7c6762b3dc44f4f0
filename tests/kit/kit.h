/*
 * What integration tests stand on: programs of the build started, heard and ended with a deadline
 * on everything. What goes wrong in here fails the test; teardown ends whatever still runs.
 */
#ifndef TESTS_KIT_KIT_H
#define TESTS_KIT_KIT_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

enum {
    KIT_RUN_MS = 30000, /* how long kit_run and kit_broker wait */
};

struct kit_process {
    struct kit_process *next;
    pid_t pid;
    bool ended;
    int code; /* once it ended: the exit code, or 128 + the signal */
    char *name;
    char *out_path;
    char *err_path;
    char *out; /* what kit_read or kit_wait read last, NUL-terminated */
    char *err;
    size_t out_size;
    bool killed; /* by kit_kill: how it ended is no fault */
};

struct kit {
    char directory[64]; /* for files of this test, removed at its end */
    char *endpoint;     /* of the broker started last; in BUSBAR_BROKER of what is started */
    struct kit_process *processes; /* newest first */
    struct kit_peer *peers;
    struct mdp_peer *majordomos;
    unsigned count;
    const char *doing; /* of a table: named at the end if it is still being done then */
};

/* Per test: cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown); `*state` is the kit. */
int kit_setup(void **state);
int kit_teardown(void **state);
#define KIT_TEST(function) cmocka_unit_test_setup_teardown(function, kit_setup, kit_teardown)

/* All members but `argv` may be 0. */
struct kit_command {
    const char *const *argv; /* [0] is looked up in the build, else in the PATH */
    const void *input;       /* its stdin; else it is empty */
    size_t input_size;
    const char *const *environment; /* "NAME=value", …, NULL; added to our own */
};

struct kit_process *kit_start_command(struct kit *kit, const struct kit_command *command);
struct kit_process *kit_start(struct kit *kit, const char *program, ...) __attribute__((sentinel));

/* Starts and waits: `code`, `out` and `err` tell how it went. */
struct kit_process *kit_run_command(struct kit *kit, const struct kit_command *command);
struct kit_process *kit_run(struct kit *kit, const char *program, ...) __attribute__((sentinel));

/* Waits for its end; the exit code. */
int kit_wait(struct kit_process *process, unsigned timeout_ms);
bool kit_is_running(struct kit_process *process);
void kit_kill(struct kit_process *process, int signal_number);

/* Takes in what it has printed so far. */
void kit_read(struct kit_process *process);

/* Waits until stdout or stderr contains the text. */
void kit_wait_for_text(struct kit_process *process, const char *text, unsigned timeout_ms);

/* The same without waiting: has it said that? */
bool kit_has_said(struct kit_process *process, const char *text);

/* Starts busbard on a port the kernel chooses, with more arguments, and waits until it listens. */
struct kit_process *kit_broker(struct kit *kit, ...) __attribute__((sentinel));
/* The same at a given endpoint. */
struct kit_process *kit_broker_at(struct kit *kit, const char *endpoint);

/* A file in the test's directory, written with the text if that is not NULL; the path lives on. */
const char *kit_file(struct kit *kit, const char *name, const char *text);

/* Where the build is, and where the sources are. */
const char *kit_build(void);
const char *kit_source(void);

uint64_t kit_now_ms(void);
void kit_sleep_ms(unsigned ms);

/* A time that sanitizers and valgrind are given more of. */
unsigned kit_time(unsigned ms);
bool kit_is_sanitized(void);

/* Resident memory of a process in KiB. */
size_t kit_rss_kib(pid_t pid);

/* What a broker may grow by while it is abused. */
enum {
    KIT_GROWTH_KIB = 64 * 1024,
};
/* Has it grown by no more since it had `before` KiB? A sanitizer keeps freed memory for a while. */
void kit_expect_small(pid_t broker, size_t before);
/* Does the broker, the one started last, still do its work? */
void kit_expect_alive(struct kit *kit, struct kit_process *broker);

/* How many processes have the text in their command line. */
size_t kit_count_processes(const char *text);

/* A counter of `bus` `stats` of the broker started last, by its dotted name; fails if unknown. */
uint64_t kit_counter(struct kit *kit, const char *name);

/* Waits for a condition and fails if it does not come true in time. */
#define KIT_EVENTUALLY(condition, timeout_ms)                                                      \
    do {                                                                                           \
        uint64_t kit_until_ = kit_now_ms() + kit_time(timeout_ms);                                 \
        while (!(condition)) {                                                                     \
            if (kit_now_ms() > kit_until_)                                                         \
                fail_msg("not within %u ms: %s", (unsigned)(timeout_ms), #condition);              \
            kit_sleep_ms(2);                                                                       \
        }                                                                                          \
    } while (0)

/* Asserts that a text contains another, and shows both if not. */
#define KIT_CONTAINS(text, part) kit_contains(text, part, __FILE__, __LINE__)
void kit_contains(const char *text, const char *part, const char *file, int line);

/* Asserts the exit code of what was run, and shows its output if it is another. */
#define KIT_CODE(process, expected) kit_code(process, expected, __FILE__, __LINE__)
void kit_code(struct kit_process *process, int expected, const char *file, int line);

#endif
