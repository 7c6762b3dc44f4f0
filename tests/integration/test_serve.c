/* `busbar serve`: programs as services, their failures, their limits, and an orderly end. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/kit.h"

enum {
    BIG = 3 * 1024 * 1024,
};

/* Serves a shell command as `it`. */
static struct kit_process *serve(struct kit *kit, const char *command)
{
    struct kit_process *process = kit_start(kit, "busbar", "serve", "it", "--", "/bin/sh", "-c",
                                            command, NULL);
    kit_wait_for_text(process, "serving it (run) at tcp://127.0.0.1:", KIT_RUN_MS);
    return process;
}

static struct kit_process *call_it(struct kit *kit, const void *input, size_t size)
{
    const char *argv[] = {"busbar", "call", "it", "run", "--body", "-", NULL};
    return kit_run_command(kit,
                           &(struct kit_command){.argv = argv, .input = input, .input_size = size});
}

static void a_program_gets_the_body_and_its_output_is_the_result(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *process = kit_start(kit, "busbar", "serve", "wc", "--", "wc", "-w", NULL);
    kit_wait_for_text(process, "serving wc (run) at tcp://127.0.0.1:", KIT_RUN_MS);
    const char *words = kit_file(kit, "words", "one two\nthree\n");
    struct kit_process *busbar = kit_run(kit, "busbar", "call", "wc", "run", "--body", words, NULL);
    KIT_CODE(busbar, 0);
    assert_int_equal(strtol(busbar->out, NULL, 10), 3);
    /* A word is sent as it is; a list of one string is the body too. */
    busbar = kit_run(kit, "busbar", "call", "wc", "run", "four little words more", NULL);
    KIT_CODE(busbar, 0);
    assert_int_equal(strtol(busbar->out, NULL, 10), 4);
    busbar = kit_run(kit, "busbar", "call", "--string", "wc", "run", "as a list", NULL);
    assert_int_equal(strtol(busbar->out, NULL, 10), 3);
    busbar = kit_run(kit, "busbar", "call", "--json", "wc", "run", "1", "2", NULL);
    KIT_CODE(busbar, 2);
    KIT_CODE(kit_run(kit, "busbar", "call", "wc", "run", NULL), 2);
    busbar = kit_run(kit, "busbar", "call", "wc", "run", "1", "2", NULL);
    KIT_CODE(busbar, 2);
    KIT_CONTAINS(busbar->err,
                 "BAD_REQUEST (not executed): the method takes 1 argument (y>y), not 2");
    KIT_CONTAINS(kit_run(kit, "busbar", "describe", "wc", NULL)->out, "run(y>y)");
}

static void big_bodies_flow_in_and_out_at_once(void **state)
{
    struct kit *kit = *state;
    char *body = malloc(BIG);
    assert_non_null(body);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)(i * 7 + i / 1000);
    kit_broker(kit, NULL);
    serve(kit, "cat");
    struct kit_process *busbar = call_it(kit, body, BIG);
    KIT_CODE(busbar, 0);
    assert_int_equal(busbar->out_size, BIG);
    assert_memory_equal(busbar->out, body, BIG);
    free(body);
}

static void a_program_need_not_read_its_input(void **state)
{
    struct kit *kit = *state;
    char *body = calloc(1, BIG);
    assert_non_null(body);
    kit_broker(kit, NULL);
    serve(kit, "exec <&-; echo done");
    struct kit_process *busbar = call_it(kit, body, BIG);
    KIT_CODE(busbar, 0);
    assert_string_equal(busbar->out, "done\n");
    free(body);
}

static void a_failing_program_is_an_app_error_with_the_end_of_stderr(void **state)
{
    static const struct {
        const char *command;
        const char *says;
    } cases[] = {
        {"echo to stdout; echo what was wrong >&2; exit 3", "exit status 3: what was wrong"},
        {"exit 255", "exit status 255"},
        {"kill -9 $$", "killed by signal 9"},
        {"yes long | head -c 100000 >&2; echo the end >&2; exit 1", "the end"},
    };
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kit_process *process = serve(kit, cases[i].command);
        struct kit_process *busbar = call_it(kit, "", 0);
        KIT_CODE(busbar, 1);
        KIT_CONTAINS(busbar->err, "APP_ERROR (executed): ");
        KIT_CONTAINS(busbar->err, cases[i].says);
        assert_string_equal(busbar->out, "");
        kit_kill(process, SIGTERM);
        assert_int_equal(kit_wait(process, 10000), 0);
    }
}

static void a_command_that_is_not_there_is_told_at_once(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *busbar = kit_run(kit, "busbar", "serve", "it", "--",
                                         "no-such-command-anywhere", NULL);
    KIT_CODE(busbar, 127);
    KIT_CONTAINS(busbar->err, "no-such-command-anywhere: command not found");
    const char *file = kit_file(kit, "text", "no program\n");
    KIT_CODE(kit_run(kit, "busbar", "serve", "it", "--", file, NULL), 126);
    KIT_CODE(kit_run(kit, "busbar", "call", "it", "run", "", NULL), 3);
}

static void the_deadline_of_a_call_kills_the_program_and_its_children(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    serve(kit, "sleep 98765 & sleep 98764");
    struct kit_process *busbar = kit_run(kit, "busbar", "call", "--timeout", "300ms", "it", "run",
                                         "", NULL);
    KIT_CODE(busbar, 4);
    KIT_EVENTUALLY(kit_count_processes("9876") == 1, 3000); /* the server's own command line */
}

/* Whether it says goodbye or is just gone. */
static void the_end_of_a_caller_ends_the_program(void **state)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    serve(kit, "sleep 98763");
    for (size_t i = 0; i < 2; i++) {
        struct kit_process *call = kit_start(kit, "busbar", "call", "--timeout", "60s", "it", "run",
                                             "", NULL);
        KIT_EVENTUALLY(kit_count_processes("sleep 98763") >= 2, 5000);
        kit_kill(call, signals[i]);
        KIT_EVENTUALLY(kit_count_processes("sleep 98763") == 1, 1000); /* the server's own */
    }
}

static void several_brokers_have_the_service_and_one_may_be_away(void **state)
{
    struct kit *kit = *state;
    char first[128];
    char both[300];
    struct kit_process *one = kit_broker(kit, NULL);
    snprintf(first, sizeof first, "%s", kit->endpoint);
    kit_broker(kit, NULL);
    snprintf(both, sizeof both, "%s,%s", first, kit->endpoint);
    struct kit_process *process = kit_start(kit, "busbar", "serve", "--broker", both, "--weight",
                                            "7", "--balance", "random", "it", "cat", NULL);
    kit_wait_for_text(process, "serving it (run) at tcp://127.0.0.1:", KIT_RUN_MS);
    KIT_CODE(call_it(kit, "x", 1), 0);
    struct kit_process *busbar = kit_run(kit, "busbar", "call", "--broker", first, "it", "run", "x",
                                         NULL);
    KIT_CODE(busbar, 0);
    assert_string_equal(busbar->out, "x");
    kit_kill(one, SIGKILL);
    KIT_CODE(call_it(kit, "x", 1), 0);
    kit_kill(process, SIGTERM);
    assert_int_equal(kit_wait(process, 10000), 0);
}

static void the_server_can_bound_time_and_output(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *process = kit_start(
        kit, "busbar", "serve", "--timeout", "200ms", "--max-output", "1000", "--method", "do",
        "it", "/bin/sh", "-c", "read word; case $word in slow) sleep 60;; *) yes;; esac", NULL);
    kit_wait_for_text(process, "serving it (do)", KIT_RUN_MS);
    struct kit_process *busbar = kit_run(kit, "busbar", "call", "it", "do", "slow\n", NULL);
    KIT_CODE(busbar, 1);
    KIT_CONTAINS(busbar->err, "its time was over");
    busbar = kit_run(kit, "busbar", "call", "it", "do", "fast\n", NULL);
    assert_true(busbar->code == 1 || busbar->code == 6);
    KIT_CONTAINS(busbar->err, "more than 1000 bytes");
}

static void sigterm_lets_a_running_program_finish(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *process = serve(kit, "sleep 0.5; echo finished");
    struct kit_process *call = kit_start(kit, "busbar", "call", "it", "run", "", NULL);
    kit_sleep_ms(kit_time(250));
    kit_kill(process, SIGTERM);
    assert_int_equal(kit_wait(call, 10000), 0);
    assert_string_equal(call->out, "finished\n");
    assert_int_equal(kit_wait(process, 10000), 0);
    KIT_CODE(kit_run(kit, "busbar", "call", "it", "run", "", NULL), 3);
}

static void programs_run_side_by_side(void **state)
{
    enum { CALLS = 4 };
    struct kit *kit = *state;
    struct kit_process *calls[CALLS];
    kit_broker(kit, NULL);
    struct kit_process *process = kit_start(kit, "busbar", "serve", "--threads", "4", "it", "sleep",
                                            "0.7", NULL);
    kit_wait_for_text(process, "serving it", KIT_RUN_MS);
    uint64_t started = kit_now_ms();
    for (size_t i = 0; i < CALLS; i++)
        calls[i] = kit_start(kit, "busbar", "call", "it", "run", "", NULL);
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(kit_wait(calls[i], 10000), 0);
    assert_true(kit_now_ms() - started < kit_time(2000));
}

static void serving_waits_for_a_broker_and_says_so(void **state)
{
    struct kit *kit = *state;
    struct kit_process *broker = kit_broker(kit, NULL);
    kit_kill(broker, SIGTERM);
    assert_int_equal(kit_wait(broker, 5000), 0);
    struct kit_process *process = kit_start(kit, "busbar", "serve", "it", "cat", NULL);
    kit_wait_for_text(process, "waiting for the broker at tcp://127.0.0.1:", KIT_RUN_MS);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    kit_broker_at(kit, endpoint);
    kit_wait_for_text(process, "serving it (run)", KIT_RUN_MS);
    KIT_CODE(call_it(kit, "x", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_program_gets_the_body_and_its_output_is_the_result),
        KIT_TEST(big_bodies_flow_in_and_out_at_once),
        KIT_TEST(a_program_need_not_read_its_input),
        KIT_TEST(a_failing_program_is_an_app_error_with_the_end_of_stderr),
        KIT_TEST(a_command_that_is_not_there_is_told_at_once),
        KIT_TEST(the_deadline_of_a_call_kills_the_program_and_its_children),
        KIT_TEST(the_end_of_a_caller_ends_the_program),
        KIT_TEST(several_brokers_have_the_service_and_one_may_be_away),
        KIT_TEST(the_server_can_bound_time_and_output),
        KIT_TEST(sigterm_lets_a_running_program_finish),
        KIT_TEST(programs_run_side_by_side),
        KIT_TEST(serving_waits_for_a_broker_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
