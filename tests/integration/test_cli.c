/* The command busbar as a user meets it: each subcommand, its exit codes, and what it says. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kit/kit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kit_process *start_worker(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", "test", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

static void version_and_help_go_to_stdout(void **state)
{
    static const char *const commands[] = {"call",  "services", "describe", "stats", "serve",
                                           "bench", "broker",   "check",    "drain"};
    KIT_CONTAINS(kit_run(*state, "busbar", "help", NULL)->out, "Commands:");
    KIT_CONTAINS(kit_run(*state, "busbar", "help", "stats", NULL)->out, "Usage: busbar stats");
    struct kit_process *busbar = kit_run(*state, "busbar", "--version", NULL);
    KIT_CODE(busbar, 0);
    KIT_CONTAINS(busbar->out, "busbar 0.");
    struct kit_process *all = kit_run(*state, "busbar", "--help", NULL);
    KIT_CODE(all, 0);
    KIT_CONTAINS(all->out, "TIMEOUT");
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct kit_process *help = kit_run(*state, "busbar", commands[i], "--help", NULL);
        KIT_CODE(help, 0);
        KIT_CONTAINS(help->out, commands[i]);
        KIT_CONTAINS(all->out, commands[i]);
        assert_string_equal(help->err, "");
    }
}

static void wrong_usage_ends_with_2_and_a_message(void **state)
{
    static const struct {
        const char *says;
        const char *argv[7];
    } cases[] = {
        {"no command given\n", {"busbar"}},
        {"no such command: wrong\n", {"busbar", "wrong"}},
        {"no such command: serivces; did you mean services?\n", {"busbar", "serivces"}},
        {"no such command: cal; did you mean call?\n", {"busbar", "help", "cal"}},
        {"unknown option --nonsense\n", {"busbar", "--nonsense"}},
        {"--broker needs a value\n", {"busbar", "--broker"}},
        {"SERVICE is missing\n", {"busbar", "call"}},
        {"METHOD is missing\n", {"busbar", "call", "test"}},
        {"not \"soon\"\n", {"busbar", "call", "--timeout", "soon", "test"}},
        {"a time from 1ms to 35791m, ", {"busbar", "call", "--timeout", "0", "test"}},
        {"a time from 1ms to 35791m, ", {"busbar", "call", "--timeout", "35792m", "test"}},
        {"unknown option --nonsense\n", {"busbar", "call", "--nonsense", "test", "echo"}},
        {"only one of ", {"busbar", "call", "--json", "--string", "test", "echo"}},
        {"--broker must be tcp://HOST:PORT or ipc://PATH, not \"nonsense\"\n",
         {"busbar", "--broker", "nonsense", "services"}},
        {"--broker must be ", {"busbar", "--broker", "nonsense", "serve", "it", "cat"}},
        {"one argument too many: test\n", {"busbar", "services", "test"}},
        {"SERVICE is missing\n", {"busbar", "describe"}},
        {"COMMAND is missing\n", {"busbar", "serve", "test"}},
        {"not \"0\"\n", {"busbar", "bench", "--calls", "0"}},
        {"not \"-1\"\n", {"busbar", "bench", "--calls", "-1"}},
        {"FILE is missing\n", {"busbar", "check"}},
        {"is outside the grammar\n", {"busbar", "serve", "no/name", "--", "cat"}},
        {"the name of the service is reserved\n", {"busbar", "serve", "bus", "cat"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct kit_command command = {.argv = cases[i].argv};
        struct kit_process *busbar = kit_run_command(*state, &command);
        KIT_CODE(busbar, 2);
        assert_string_equal(busbar->out, "");
        assert_int_equal(strncmp(busbar->err, "busbar: ", 8), 0);
        KIT_CONTAINS(busbar->err, cases[i].says);
    }
}

static void calls_that_fail_say_status_and_fate(void **state)
{
    static const struct {
        int code;
        const char *says;
        const char *argv[9];
    } cases[] = {
        {3, "NO_SERVICE (not executed): ", {"busbar", "call", "nobody", "echo"}},
        {3, "nobody", {"busbar", "call", "nobody", "echo", "1"}},
        {3, "NO_METHOD (not executed): ", {"busbar", "call", "test", "nothing"}},
        {3, "NO_METHOD", {"busbar", "call", "bus", "nothing"}},
        {3, "NO_SERVICE", {"busbar", "describe", "nobody"}},
        {2, "BAD_REQUEST (not executed): ", {"busbar", "call", "no/name", "echo"}},
        {2, "BAD_REQUEST (not executed): ", {"busbar", "call", "test", "no-name"}},
        {2, "refused by the handler", {"busbar", "call", "test", "refuse"}},
        {1, "APP_ERROR (executed): ", {"busbar", "call", "test", "fail", "--body", "/dev/null"}},
        {4,
         "TIMEOUT (maybe executed): ",
         {"busbar", "call", "--timeout", "0.2", "test", "sleep", "--body", "MS"}},
        {6, "RESULT_TOO_LARGE (executed): ", {"busbar", "call", "test", "large", "--body", "SIZE"}},
    };
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit);
    const char *ms = kit_file(kit, "ms", "600");
    const char *size = kit_file(kit, "size", "16777217");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *argv[9] = {NULL};
        for (size_t j = 0; cases[i].argv[j] != NULL; j++) {
            argv[j] = cases[i].argv[j];
            argv[j] = strcmp(argv[j], "MS") == 0     ? ms
                      : strcmp(argv[j], "SIZE") == 0 ? size
                                                     : argv[j];
        }
        struct kit_process *busbar = kit_run_command(kit, &(struct kit_command){.argv = argv});
        KIT_CODE(busbar, cases[i].code);
        KIT_CONTAINS(busbar->err, cases[i].says);
        assert_string_equal(busbar->out, "");
    }
    KIT_CODE(kit_run(kit, "busbar", "call", "test", "pid", NULL), 0);
}

static void a_body_over_the_limit_is_refused_before_sending(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit);
    size_t size = 16 * 1024 * 1024 + 1;
    char *body = calloc(1, size);
    assert_non_null(body);
    const char *argv[] = {"busbar", "call", "test", "echo", "--body", "-", NULL};
    const struct kit_command over = {.argv = argv, .input = body, .input_size = size};
    const struct kit_command just = {.argv = argv, .input = body, .input_size = size - 1};
    struct kit_process *busbar = kit_run_command(kit, &over);
    KIT_CODE(busbar, 6);
    KIT_CONTAINS(busbar->err, "TOO_LARGE (not executed): ");
    KIT_CONTAINS(busbar->err, "16777216");
    busbar = kit_run_command(kit, &just);
    KIT_CODE(busbar, 0);
    assert_int_equal(busbar->out_size, size - 1);
    free(body);
}

static void without_a_broker_endpoint_cause_and_wait_are_told(void **state)
{
    static const char *const endpoints[] = {"tcp://127.0.0.1:1", "ipc:///tmp/busbar-nobody-there"};
    static const struct {
        const char *waited;
        const char *argv[6];
    } cases[] = {
        {"300", {"call", "--timeout", "0.3", "test", "echo", "1"}},
        {"300", {"call", "--timeout", "0.3", "test", "echo", "--string"}},
        {"800", {"services"}},
        {"800", {"bench", "--calls", "10"}},
    };
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        const char *endpoint = endpoints[i % 2];
        const char *argv[10] = {"busbar", "--broker", endpoint};
        memcpy(argv + 3, cases[i / 2].argv, sizeof cases[i / 2].argv);
        char says[256];
        snprintf(says, sizeof says,
                 "busbar: BROKER_LOST (not executed): no broker answers at %s (connection refused; "
                 "waited %s ms); is busbard running?\n",
                 endpoint, cases[i / 2].waited);
        uint64_t started = kit_now_ms();
        struct kit_process *busbar = kit_run_command(*state, &(struct kit_command){.argv = argv});
        KIT_CODE(busbar, 5);
        assert_string_equal(busbar->err, says);
        assert_true(kit_now_ms() - started < kit_time(8000));
    }
}

static void arguments_become_what_the_signature_says(void **state)
{
    static const struct {
        const char *method;
        const char *arguments[11];
        const char *result; /* NULL: refused */
        const char *says;
    } cases[] = {
        {"typed",
         {"true", "-2", "3", "-4", "5", "0.5", "7", "8", "[\"9\"]", "{\"a\":1}"},
         "[true,-2,3,-4,5.0,0.5,\"7\",{\"$bytes\":\"OA==\"},[\"9\"],{\"a\":1}]",
         NULL},
        {"typed", {"1", "2", "3", "4", "5", "6", "7", "8", "[]", "v"}, NULL, "argument 1 "},
        {"typed", {"true", "2147483648", "3", "4", "5", "6", "7", "8", "[]", "v"}, NULL, "int32"},
        {"typed", {"true", "2", "-3", "4", "5", "6", "7", "8", "[]", "v"}, NULL, "uint32"},
        {"typed", {"true", "2", "3", "4.5", "5", "6", "7", "8", "[]", "v"}, NULL, "int64"},
        {"typed", {"true", "2", "3", "4", "5", "6", "7", "8", "[1]", "v"}, NULL, "list of strings"},
        {"typed", {"true", "2", "3", "4", "5", "6", "7", "8"}, NULL, "takes 10 arguments"},
        {"pow", {"2", "-3"}, "[2.0,-3.0]", NULL},
        {"pow",
         {"2", "9007199254740993"},
         NULL,
         "argument 2 (\"9007199254740993\") is not a double"},
        {"pow", {"2", "three"}, NULL, "argument 2 (\"three\") is not a double"},
        {"pow", {"2", "1e3"}, "[2.0,1000.0]", NULL},
        {"echo",
         {"1", "text", "\"quoted\"", "[1,2]", "nul"},
         "[1,\"text\",\"quoted\",[1,2],\"nul\"]",
         NULL},
        {"echo", {"--string", "1", "true"}, "[\"1\",\"true\"]", NULL},
        {"echo", {"--json", "1", "null"}, "[1,null]", NULL},
        {"echo", {"--json", "word"}, NULL, "argument 1 (\"word\") is not a JSON value"},
        {"echo", {"--", "-1", "--json"}, "[-1,\"--json\"]", NULL},
        {"echo", {NULL}, "[]", NULL},
    };
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *argv[16] = {"busbar", "call", "test", cases[i].method};
        for (size_t j = 0; cases[i].arguments[j] != NULL; j++)
            argv[4 + j] = cases[i].arguments[j];
        struct kit_process *busbar = kit_run_command(kit, &(struct kit_command){.argv = argv});
        KIT_CODE(busbar, cases[i].result != NULL ? 0 : 2);
        if (cases[i].result == NULL) {
            KIT_CONTAINS(busbar->err, cases[i].says);
            continue;
        }
        /* Spaces are the printer's affair. */
        char text[256];
        size_t size = 0;
        for (const char *c = busbar->out; *c != '\0' && size < sizeof text - 1; c++) {
            if (*c != ' ' && *c != '\n')
                text[size++] = *c;
        }
        text[size] = '\0';
        assert_string_equal(text, cases[i].result);
    }
}

static void results_print_as_json_or_raw(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit);
    assert_string_equal(kit_run(kit, "busbar", "call", "test", "hello", NULL)->out,
                        "\"hello \\\"you\\\"\"\n");
    assert_string_equal(kit_run(kit, "busbar", "call", "--raw", "test", "hello", NULL)->out,
                        "hello \"you\"\n");
    static const char bytes[] = "\0\1\2no newline";
    const char *argv[] = {"busbar", "call", "test", "echo", "--body", "-", NULL};
    struct kit_process *busbar = kit_run_command(
        kit, &(struct kit_command){.argv = argv, .input = bytes, .input_size = sizeof bytes - 1});
    KIT_CODE(busbar, 0);
    assert_int_equal(busbar->out_size, sizeof bytes - 1);
    assert_memory_equal(busbar->out, bytes, sizeof bytes - 1);
    struct kit_process *absent = kit_run(kit, "busbar", "call", "test", "echo", "--body",
                                         "/nowhere", NULL);
    KIT_CODE(absent, 2);
    KIT_CONTAINS(absent->err, "/nowhere");
}

static void the_bus_tells_of_services_methods_and_counters(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    KIT_CONTAINS(kit_run(kit, "busbar", "services", NULL)->out, "SERVICE  WORKERS");
    start_worker(kit);
    start_worker(kit);
    struct kit_process *busbar = kit_run(kit, "busbar", "services", NULL);
    KIT_CODE(busbar, 0);
    KIT_CONTAINS(busbar->out, "test           2       15       0        0\n");
    busbar = kit_run(kit, "busbar", "services", "--json", NULL);
    KIT_CONTAINS(busbar->out, "\"service\"");
    busbar = kit_run(kit, "busbar", "describe", "test", NULL);
    KIT_CODE(busbar, 0);
    KIT_CONTAINS(busbar->out, "test 7  2 workers  purpose=test\n");
    KIT_CONTAINS(busbar->out, "pow(dd>v)");
    KIT_CONTAINS(busbar->out, "idempotent  the same back\n");
    KIT_CONTAINS(busbar->out, "fail(?)");
    assert_null(strstr(busbar->out, " \n"));
    KIT_CONTAINS(kit_run(kit, "busbar", "describe", "test", "--json", NULL)->out, "\"dd>v\"");
    kit_run(kit, "busbar", "call", "test", "echo", NULL);
    busbar = kit_run(kit, "busbar", "stats", NULL);
    KIT_CODE(busbar, 0);
    KIT_CONTAINS(busbar->out, "outcome_ok ");
    KIT_CONTAINS(kit_run(kit, "busbar", "stats", "--json", NULL)->out, "\"outcome_ok\": 1");
}

static void broker_runs_busbard_with_its_arguments(void **state)
{
    struct kit *kit = *state;
    const char *good = kit_file(kit, "good.yaml", "bind:\n  - tcp://127.0.0.1:*\n");
    const char *bad = kit_file(kit, "bad.yaml", "bind:\n  - tcp://127.0.0.1:*\nbund: 1\n");
    KIT_CODE(kit_run(kit, "busbar", "broker", "--config", good, "--dump", NULL), 0);
    struct kit_process *busbar = kit_run(kit, "busbar", "broker", "--config", bad, "--dump", NULL);
    KIT_CODE(busbar, 2);
    KIT_CONTAINS(busbar->err, "bad.yaml:3:1: ");
    struct kit_process *broker = kit_start(kit, "busbar", "broker", "--bind", "tcp://127.0.0.1:*",
                                           NULL);
    kit_wait_for_text(broker, "broker_ready endpoint=tcp://127.0.0.1:", KIT_RUN_MS);
    kit_kill(broker, SIGTERM);
    assert_int_equal(kit_wait(broker, 5000), 0);
}

static void the_endpoint_comes_from_option_then_environment(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    char wrong[] = "BUSBAR_BROKER=tcp://127.0.0.1:1";
    const char *const environment[] = {wrong, NULL};
    const char *before[] = {"busbar", "--broker", kit->endpoint, "services", NULL};
    const char *after[] = {"busbar", "services", "--broker", kit->endpoint, NULL};
    const char *none[] = {"busbar", "services", NULL};
    char *right = kit->endpoint;
    kit->endpoint = NULL; /* so that the kit does not name it */
    KIT_CODE(
        kit_run_command(kit, &(struct kit_command){.argv = before, .environment = environment}), 0);
    KIT_CODE(kit_run_command(kit, &(struct kit_command){.argv = after, .environment = environment}),
             0);
    KIT_CODE(kit_run_command(kit, &(struct kit_command){.argv = none, .environment = environment}),
             5);
    const char *const bad[] = {"BUSBAR_BROKER=foo", NULL};
    KIT_CONTAINS(kit_run_command(kit, &(struct kit_command){.argv = none, .environment = bad})->err,
                 "busbar: BUSBAR_BROKER must be tcp://HOST:PORT or ipc://PATH, not \"foo\"\n");
    kit->endpoint = right;
    KIT_CODE(kit_run_command(kit, &(struct kit_command){.argv = none}), 0);
}

static void bench_measures_and_leaves_nothing(void **state)
{
    static const char *const keys[] = {"\"calls_per_second\": ", "\"p50_us\": ", "\"p99_us\": ",
                                       "\"broker_cpu_us_per_call\": ", "\"errors\": 0"};
    static const char *const outstanding[] = {"1", "64"};
    struct kit *kit = *state;
    for (size_t i = 0; i < COUNT(outstanding); i++) {
        struct kit_process *bench = kit_run(kit, "busbar", "bench", "--json", "--calls", "500",
                                            "--clients", "2", "--workers", "2", "--size", "100",
                                            "--outstanding", outstanding[i], NULL);
        KIT_CODE(bench, 0);
        for (size_t j = 0; j < COUNT(keys); j++)
            KIT_CONTAINS(bench->out, keys[j]);
    }
    struct kit_process *human = kit_run(kit, "busbar", "bench", "--calls", "200", "--size", "0",
                                        NULL);
    KIT_CODE(human, 0);
    KIT_CONTAINS(human->out, "calls per second");
    kit_broker(kit, NULL);
    struct kit_process *foreign = kit_run(kit, "busbar", "--broker", kit->endpoint, "bench",
                                          "--json", "--calls", "200", "--size", "100000", NULL);
    KIT_CODE(foreign, 0);
    KIT_CONTAINS(foreign->out, "\"broker_cpu_us_per_call\": null");
}

static void a_bench_that_cannot_be_measured_says_why(void **state)
{
    static const struct {
        int code;
        const char *says;
        const char *argv[8];
    } cases[] = {
        {6, "TOO_LARGE (not executed)", {"busbar", "bench", "--calls", "10", "--size", "16777217"}},
        {1, "executed): ", {"busbar", "bench", "--calls=10", "--timeout=1ms", "--size=15000000"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct kit_process *bench = kit_run_command(*state,
                                                    &(struct kit_command){.argv = cases[i].argv});
        KIT_CODE(bench, cases[i].code);
        KIT_CONTAINS(bench->err, cases[i].says);
        assert_string_equal(bench->out, "");
    }
}

static void bench_ends_all_it_started_when_interrupted(void **state)
{
    struct kit *kit = *state;
    char mark[32];
    struct kit_process *bench = kit_start(kit, "busbar", "bench", "--calls", "100000000",
                                          "--outstanding", "10", NULL);
    snprintf(mark, sizeof mark, "bench.%d.", (int)bench->pid);
    KIT_EVENTUALLY(kit_count_processes(mark) >= 2, 20000); /* its worker and its client */
    kit_kill(bench, SIGINT);
    assert_int_equal(kit_wait(bench, 10000), 130);
    assert_int_equal(kit_count_processes(mark), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(version_and_help_go_to_stdout),
        KIT_TEST(wrong_usage_ends_with_2_and_a_message),
        KIT_TEST(calls_that_fail_say_status_and_fate),
        KIT_TEST(a_body_over_the_limit_is_refused_before_sending),
        KIT_TEST(without_a_broker_endpoint_cause_and_wait_are_told),
        KIT_TEST(arguments_become_what_the_signature_says),
        KIT_TEST(results_print_as_json_or_raw),
        KIT_TEST(the_bus_tells_of_services_methods_and_counters),
        KIT_TEST(broker_runs_busbard_with_its_arguments),
        KIT_TEST(the_endpoint_comes_from_option_then_environment),
        KIT_TEST(bench_measures_and_leaves_nothing),
        KIT_TEST(a_bench_that_cannot_be_measured_says_why),
        KIT_TEST(bench_ends_all_it_started_when_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
