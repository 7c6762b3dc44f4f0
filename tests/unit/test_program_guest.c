/* Runs of programs in a process that has descriptors, signals and threads of its own. */
#include "objects/program.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/shell_program.h"

/* Whatever the process has done to itself, the program finds things as at a shell. */
static void a_program_inherits_neither_descriptors_nor_signals(void **state)
{
    (void)state;
    sigset_t blocked, former;
    assert_int_equal(dup2(STDERR_FILENO, 77), 77);
    sigfillset(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &former);
    signal(SIGUSR1, SIG_IGN);
    assert_output("test ! -e /proc/self/fd/77 && echo closed", (struct program){.path = NULL},
                  "closed\n");
    /* The first 28 signals: glibc keeps two for itself that it ignores in what it spawns. */
    assert_output("sed -n -E 's/^Sig(Blk|Ign).*(.{7})$/\\2/p' /proc/self/status",
                  (struct program){.path = NULL}, "0000000\n0000000\n");
    signal(SIGUSR1, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    close(77);
}

static void on_child(int number)
{
    (void)number;
}

static void a_handler_of_sigchld_is_borne(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_child};
    struct sigaction former;
    sigaction(SIGCHLD, &action, &former);
    for (int i = 0; i < 20; i++)
        assert_output("cat; (exit 1); exit 0", (struct program){.input = "x", .input_size = 1},
                      "x");
    sigaction(SIGCHLD, &former, NULL);
}

static void bury_all(int number)
{
    int kept = errno;
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    errno = kept;
}

/* The end of a program may then be unknown, which is said; its output is whole all the same. */
static void who_takes_away_all_children_loses_only_their_ends(void **state)
{
    (void)state;
    static void (*const handlers[])(int) = {SIG_IGN, bury_all};
    for (size_t h = 0; h < ARRAY_SIZE(handlers); h++) {
        const struct sigaction action = {.sa_handler = handlers[h]};
        struct sigaction former;
        sigaction(SIGCHLD, &action, &former);
        for (int i = 0; i < 10; i++) {
            struct program_result result = shell("echo all; exit 3",
                                                 (struct program){.path = NULL});
            if (result.end == PROGRAM_LOST)
                assert_int_equal(result.code, ECHILD);
            else
                assert_int_equal(result.end, PROGRAM_EXITED);
            if (result.output_size > 0)
                assert_memory_equal(result.output, "all\n", 4);
            free(result.output);
        }
        sigaction(SIGCHLD, &former, NULL);
    }
}

static void it_runs_where_no_standard_descriptor_is_open(void **state)
{
    (void)state;
    for (unsigned closed = 1; closed < 8; closed++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (int fd = 0; fd < 3; fd++) {
                if (closed & (1U << fd))
                    close(fd);
            }
            struct program_result result = shell("cat; echo err >&2",
                                                 (struct program){.input = "abc", .input_size = 3});
            bool right = result.end == PROGRAM_EXITED && result.output_size == 3 &&
                         memcmp(result.output, "abc", 3) == 0 && strcmp(result.tail, "err") == 0;
            free(result.output);
            _exit(right ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void *run_some(void *context)
{
    size_t *wrong = context;
    for (int i = 0; i < 10; i++) {
        char text[32];
        int size = snprintf(text, sizeof text, "%d of %p", i, context);
        struct program_result result = shell(
            "cat; sleep 0.01; exit 7", (struct program){.input = text, .input_size = (size_t)size});
        if (result.end != PROGRAM_EXITED || result.code != 7 ||
            result.output_size != (size_t)size || memcmp(result.output, text, (size_t)size) != 0)
            ++*wrong;
        free(result.output);
    }
    return NULL;
}

static void many_threads_run_programs_at_once(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    size_t wrong[THREADS] = {0};
    size_t before = count_descriptors();
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_some, &wrong[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_inherits_neither_descriptors_nor_signals),
        cmocka_unit_test(a_handler_of_sigchld_is_borne),
        cmocka_unit_test(who_takes_away_all_children_loses_only_their_ends),
        cmocka_unit_test(it_runs_where_no_standard_descriptor_is_open),
        cmocka_unit_test(many_threads_run_programs_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
