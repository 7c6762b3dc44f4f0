/* Runs of programs: what goes in and out, and every way to end. */
#include "objects/program.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "tests/unit/shell_program.h"

enum {
    BIG = 3 * 1024 * 1024,
    SOON_MS = 20000, /* far less than what the programs would sleep */
};

/* Neither there nor a zombie that nobody has buried. */
static bool is_gone(long pid)
{
    char path[64];
    char state = 'Z';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return true;
    int got = fscanf(file, "%*d (%*[^)]) %c", &state);
    fclose(file);
    return got != 1 || state == 'Z' || state == 'X';
}

static void assert_gone_soon(long pid)
{
    uint64_t end = clock_ms() + SOON_MS;
    assert_true(pid > 1);
    while (!is_gone(pid)) {
        assert_true(clock_ms() < end);
        usleep(1000);
    }
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    assert_output("cat", (struct program){.input = "one\0two", .input_size = 3}, "one");
    assert_output("cat", (struct program){.input = NULL}, "");
    assert_output("true", (struct program){.input = NULL}, "");
    assert_output("test -p /dev/stdin && cat /dev/stdin",
                  (struct program){.input = "a pipe", .input_size = 6}, "a pipe");
}

static void much_flows_in_and_out_at_once(void **state)
{
    (void)state;
    char *body = malloc(BIG);
    assert_non_null(body);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)(i * 7 + i / 1000);
    size_t before = count_descriptors();
    struct program_result result = shell("tee /dev/stderr",
                                         (struct program){.input = body, .input_size = BIG});
    assert_int_equal(result.end, PROGRAM_EXITED);
    assert_int_equal(result.output_size, BIG);
    assert_memory_equal(result.output, body, BIG);
    assert_true(utf8_is_valid(result.tail, strlen(result.tail)));
    assert_int_equal(count_descriptors(), before);
    free(result.output);
    free(body);
}

static void a_program_need_not_read_and_nobody_gets_sigpipe(void **state)
{
    (void)state;
    char *body = calloc(1, BIG);
    struct sigaction now;
    sigset_t pending;
    assert_non_null(body);
    const struct program how = {.input = body, .input_size = BIG};
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
    assert_output("exec <&-; echo done", how, "done\n");
    assert_output("exec <&-; sleep 0.2; echo done", how, "done\n");
    assert_output("head -c 100000 | wc -c | tr -d ' '; exec <&-; sleep 0.1", how, "100000\n");
    assert_int_equal(sigpending(&pending), 0);
    assert_false(sigismember(&pending, SIGPIPE));
    free(body);
}

static void each_end_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum program_end end;
        int code;
        const char *tail;
    } rows[] = {
        {"exit 0", PROGRAM_EXITED, 0, ""},
        {"exit 3", PROGRAM_EXITED, 3, ""},
        {"exit 255", PROGRAM_EXITED, 255, ""},
        {"kill -9 $$", PROGRAM_SIGNALLED, SIGKILL, ""},
        {"kill -TERM $$", PROGRAM_SIGNALLED, SIGTERM, ""},
        {"echo out; echo one >&2; echo two >&2; exit 1", PROGRAM_EXITED, 1, "one\ntwo"},
        {"printf 'a\\033[1mb\\tc\\r\\n\\n\\n' >&2", PROGRAM_EXITED, 0, "a?[1mb\tc?"},
        {"printf 'gr\\303\\274n \\377 \\303' >&2", PROGRAM_EXITED, 0, "gr\xc3\xbcn ? ?"},
        {"printf 'a\\000b' >&2", PROGRAM_EXITED, 0, "a?b"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct program_result result = shell(rows[i].command, (struct program){.path = NULL});
        assert_int_equal(result.end, rows[i].end);
        assert_int_equal(result.code, rows[i].code);
        assert_string_equal(result.tail, rows[i].tail);
        free(result.output);
    }
}

static void only_the_end_of_stderr_is_kept_and_no_character_cut(void **state)
{
    (void)state;
    struct program_result result = shell("yes \xe2\x82\xac | head -c 300001 >&2; echo the end >&2",
                                         (struct program){.path = NULL});
    size_t size = strlen(result.tail);
    assert_true(size > PROGRAM_TAIL_SIZE - 8 && size <= PROGRAM_TAIL_SIZE);
    assert_true(utf8_is_valid(result.tail, size));
    assert_string_equal(result.tail + size - 7, "the end");
    assert_int_not_equal(result.tail[0], '?');
    free(result.output);
}

static void environment_and_directory_are_as_said(void **state)
{
    (void)state;
    const char *const environment[] = {"ONE=1", "PATH=/usr/bin:/bin", NULL};
    char here[4096];
    char expected[4200];
    setenv("BUSBAR_TEST_PROGRAM", "inherited", 1);
    assert_output("echo \"$ONE$BUSBAR_TEST_PROGRAM\"; pwd",
                  (struct program){.environment = environment, .directory = "/"}, "1\n/\n");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(expected, sizeof expected, "inherited\n%s\n", here);
    assert_output("echo \"$BUSBAR_TEST_PROGRAM\"; pwd", (struct program){.path = NULL}, expected);
    unsetenv("BUSBAR_TEST_PROGRAM");
}

static bool after_a_moment(void *context)
{
    return clock_ms() >= *(const uint64_t *)context;
}

/* Each command prints the number of a process that would stay. */
static void the_whole_group_is_gone_afterwards(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        uint32_t deadline;
        uint32_t cancelled;
        size_t limit;
        enum program_end end;
    } rows[] = {
        {"sleep 98761 & echo $!; sleep 98762", 200, 0, 0, PROGRAM_OVERTIME},
        {"sleep 98761 & echo $!; sleep 98762", 60000, 200, 0, PROGRAM_CANCELLED},
        {"sleep 98761 & echo $!; yes", 60000, 0, 1000, PROGRAM_TOO_MUCH},
        {"sleep 98761 & echo $!", 60000, 0, 0, PROGRAM_EXITED},
        {"sleep 98761 & echo $!; kill -9 $$", 60000, 0, 0, PROGRAM_SIGNALLED},
        {"trap '' TERM HUP INT; sleep 98761 & echo $!; while :; do sleep 1; done", 200, 0, 0,
         PROGRAM_OVERTIME},
        {"yes >&2 & echo $!", 60000, 0, 0, PROGRAM_EXITED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t now = clock_ms();
        uint64_t moment = now + rows[i].cancelled;
        struct program_result result = shell(
            rows[i].command, (struct program){
                                 .deadline_ms = now + rows[i].deadline,
                                 .output_max = rows[i].limit,
                                 .cancelled = rows[i].cancelled > 0 ? after_a_moment : NULL,
                                 .context = &moment,
                             });
        assert_int_equal(result.end, rows[i].end);
        assert_true(clock_ms() - now < SOON_MS);
        assert_non_null(result.output);
        assert_gone_soon(strtol(result.output, NULL, 10));
        free(result.output);
    }
}

/* With a moment to put its things in order; the shell runs its trap when its sleep has been ended. */
static void what_is_cancelled_is_asked_first(void **state)
{
    (void)state;
    uint64_t now = clock_ms();
    uint64_t moment = now + 200;
    struct program_result result = shell("trap 'echo tidied up >&2; exit 0' TERM; sleep 98763",
                                         (struct program){
                                             .deadline_ms = now + 60000,
                                             .cancelled = after_a_moment,
                                             .context = &moment,
                                         });
    assert_int_equal(result.end, PROGRAM_CANCELLED);
    assert_non_null(strstr(result.tail, "tidied up"));
    free(result.output);
}

struct heap {
    size_t size;
    size_t most;
    char text[64];
};

static bool heap_up(void *context, const void *data, size_t size)
{
    struct heap *heap = context;
    assert_true(heap->size + size < sizeof heap->text);
    memcpy(heap->text + heap->size, data, size);
    heap->size += size;
    return heap->size < heap->most;
}

static void output_can_be_had_as_it_comes(void **state)
{
    (void)state;
    struct heap heap = {.most = 100};
    struct program_result result = shell("echo one; sleep 0.1; echo two; exit 3",
                                         (struct program){.sink = heap_up, .context = &heap});
    assert_int_equal(result.end, PROGRAM_EXITED);
    assert_int_equal(result.code, 3);
    assert_int_equal(result.output_size, 0);
    assert_string_equal(heap.text, "one\ntwo\n");
    free(result.output);
    heap = (struct heap){.most = 4};
    result = shell("echo one; sleep 98764", (struct program){.sink = heap_up, .context = &heap});
    assert_int_equal(result.end, PROGRAM_CANCELLED);
    free(result.output);
}

static void output_is_bounded_to_the_byte(void **state)
{
    (void)state;
    for (size_t limit = 4095; limit <= 4097; limit++) {
        struct program_result result = shell("head -c 4096 /dev/zero",
                                             (struct program){.output_max = limit});
        assert_int_equal(result.end, limit < 4096 ? PROGRAM_TOO_MUCH : PROGRAM_EXITED);
        free(result.output);
    }
}

/* A process that left the group cannot be killed, but nobody waits for it. */
static void what_left_the_group_holds_nobody_up(void **state)
{
    (void)state;
    uint64_t now = clock_ms();
    struct program_result result = shell("setsid sh -c 'while echo x >&2; do sleep 0.01; done' & "
                                         "sleep 0.2; echo $!",
                                         (struct program){.deadline_ms = now + 60000});
    assert_int_equal(result.end, PROGRAM_EXITED);
    assert_true(clock_ms() - now < SOON_MS);
    free(result.output);
}

static void what_cannot_start_says_why(void **state)
{
    (void)state;
    char text[] = "/tmp/busbar-test-program-XXXXXX";
    int file = mkstemp(text);
    assert_true(file >= 0 && write(file, "no program\n", 11) == 11 && fchmod(file, 0755) == 0);
    close(file);
    const struct {
        const char *path;
        const char *directory;
        int code;
    } rows[] = {
        {"/no/such/program", NULL, ENOENT},
        {"/tmp", NULL, EACCES},
        {text, NULL, ENOEXEC},
        {"/bin/sh", "/no/such/directory", ENOENT},
        {"/bin/sh", "/bin/sh", ENOTDIR},
    };
    size_t before = count_descriptors();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *const argv[] = {"it", NULL};
        struct program_result result;
        program_run(&(struct program){.path = rows[i].path,
                                      .argv = argv,
                                      .directory = rows[i].directory,
                                      .deadline_ms = UINT64_MAX},
                    &result);
        assert_int_equal(result.end, PROGRAM_NOT_STARTED);
        assert_int_equal(result.code, rows[i].code);
        assert_null(result.output);
    }
    assert_int_equal(count_descriptors(), before);
    unlink(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(much_flows_in_and_out_at_once),
        cmocka_unit_test(a_program_need_not_read_and_nobody_gets_sigpipe),
        cmocka_unit_test(each_end_is_told_apart),
        cmocka_unit_test(only_the_end_of_stderr_is_kept_and_no_character_cut),
        cmocka_unit_test(environment_and_directory_are_as_said),
        cmocka_unit_test(the_whole_group_is_gone_afterwards),
        cmocka_unit_test(what_is_cancelled_is_asked_first),
        cmocka_unit_test(output_can_be_had_as_it_comes),
        cmocka_unit_test(output_is_bounded_to_the_byte),
        cmocka_unit_test(what_left_the_group_holds_nobody_up),
        cmocka_unit_test(what_cannot_start_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
