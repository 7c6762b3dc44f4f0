/* `busbar worker FILE` with real processes: libraries of others, bad input, crashes, reloading. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/app.h>

#include "tests/kit/kit.h"

static struct kit_process *start_worker(struct kit *kit, const char *file)
{
    struct kit_process *worker = kit_start(kit, "busbar", "worker", file, NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    return worker;
}

static const char *plain_file(struct kit *kit)
{
    char text[2048];
    snprintf(text, sizeof text,
             "objects:\n  plain:\n    library: %s/tests/programs/libplain.so\n    functions:\n"
             "      crash: \">\"\n      next_number: \">i\"\n      nothing: \">s\"\n"
             "      shout: \"s>s\"\n      least: \">l\"\n      not_a_number: \">d\"\n"
             "      negate: \"b>b\"\n      join: \"as>S\"\n      no_words: \">AS\"\n"
             "      reversed: \"y>y\"\n"
             "exports:\n  - {name: plain, object: plain}\n",
             kit_build());
    return kit_file(kit, "plain.yaml", text);
}

static struct busbar_object *proxy_of(struct kit *kit, const char *service)
{
    const char *const brokers[] = {kit->endpoint, NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    return proxy;
}

static void five_lines_export_pow_of_libm(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit, kit_file(kit, "math.yaml",
                               "objects:\n"
                               "  math: {library: libm.so.6, functions: {pow: \"dd>d\"}}\n"
                               "exports:\n"
                               "  - name: math\n"
                               "    object: math\n"));
    struct kit_process *call = kit_run(kit, "busbar", "call", "math", "pow", "2", "10", NULL);
    KIT_CODE(call, 0);
    assert_string_equal(call->out, "1024.0\n");
    struct kit_process *describe = kit_run(kit, "busbar", "describe", "math", NULL);
    KIT_CODE(describe, 0);
    KIT_CONTAINS(describe->out, "pow(dd>d)");
}

static void the_libraries_of_the_example_answer(void **state)
{
    struct kit *kit = *state;
    char path[512];
    kit_broker(kit, NULL);
    snprintf(path, sizeof path, "%s/examples/libc/libc.yaml", kit_build());
    start_worker(kit, path);
    static const struct {
        const char *words[4];
        const char *out;
    } calls[] = {
        {{"libc", "length", "twelve bytes"}, "12\n"},
        {{"libc", "upper", "97"}, "65\n"},
        {{"libc", "abs", "-5"}, "5\n"},
        {{"libc", "getenv", "NO_SUCH_VARIABLE"}, "null\n"},
        {{"math", "pow", "2", "0.5"}, "1.4142135623730951\n"},
        {{"math", "frexp", "8"}, "[0.5, 4]\n"},
        {{"zlib", "crc32", "0", "hello"}, "907060870\n"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const char *const *words = calls[i].words;
        struct kit_process *call = kit_run(kit, "busbar", "call", words[0], words[1], words[2],
                                           words[3], NULL);
        KIT_CODE(call, 0);
        assert_string_equal(call->out, calls[i].out);
    }
}

static void a_script_is_a_service(void **state)
{
    struct kit *kit = *state;
    char path[512];
    kit_broker(kit, NULL);
    snprintf(path, sizeof path, "%s/examples/script/script.yaml", kit_build());
    start_worker(kit, path);
    struct kit_process *call = kit_run(kit, "busbar", "call", "--raw", "words", "longest",
                                       "a magnificent day", NULL);
    KIT_CODE(call, 0);
    assert_string_equal(call->out, "magnificent\n");
    call = kit_run(kit, "busbar", "call", "--raw", "words", "count", "a magnificent day", NULL);
    assert_string_equal(call->out, "3\n");
}

static void wrong_arguments_are_refused_and_the_function_is_not_entered(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit, plain_file(kit));
    struct busbar_object *plain = proxy_of(kit, "plain");
    struct busbar_value *result = NULL;
    assert_int_equal(busbar_call(plain, "next_number", NULL, "i", 1), BUSBAR_BAD_REQUEST);
    KIT_CONTAINS(busbar_last_error(), "next_number(>i)");
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    assert_int_equal(busbar_call(plain, "next_number", &result, ""), BUSBAR_OK);
    assert_int_equal(busbar_value_as_int64(result), 1);
    busbar_value_destroy(&result);
    assert_int_equal(busbar_call(plain, "shout", NULL, "d", 1.0), BUSBAR_BAD_REQUEST);
    KIT_CONTAINS(busbar_last_error(), "shout(s>s)");
    assert_int_equal(busbar_call(plain, "shout", NULL, "s", NULL), BUSBAR_BAD_REQUEST);
    assert_int_equal(busbar_call(plain, "shout", NULL, "s", "not \xff UTF-8"), BUSBAR_BAD_REQUEST);
    /* A NUL inside is a string of the bus, but no C string. */
    struct busbar_value *list = busbar_value_list();
    struct busbar_value *text = busbar_value_string("a\0b", 3);
    assert_int_equal(busbar_value_append(list, &text), BUSBAR_OK);
    const struct busbar_object_call call = {.method = "shout", .arguments = list};
    assert_int_equal(busbar_object_call(plain, &call, &result), BUSBAR_BAD_REQUEST);
    KIT_CONTAINS(busbar_last_error(), "NUL");
    busbar_value_destroy(&list);
    busbar_object_destroy(&plain);
}

static void odd_results_cross_the_bus(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit, plain_file(kit));
    struct busbar_object *plain = proxy_of(kit, "plain");
    const char *(*nothing)(void) = busbar_function(plain, "nothing");
    const char *(*shout)(const char *) = busbar_function(plain, "shout");
    int64_t (*least)(void) = busbar_function(plain, "least");
    double (*not_a_number)(void) = busbar_function(plain, "not_a_number");
    bool (*negate)(bool) = busbar_function(plain, "negate");
    char *(*join)(const char *const *) = busbar_function(plain, "join");
    char **(*no_words)(void) = busbar_function(plain, "no_words");
    const void *(*reversed)(const void *, size_t, size_t *) = busbar_function(plain, "reversed");
    assert_null(nothing());
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    assert_string_equal(shout(shout("hi")), "hi!!");
    assert_true(least() == INT64_MIN);
    assert_true(isnan(not_a_number()));
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    assert_true(negate(false));
    static const char *const words[] = {"a", "b", NULL}, *const none[] = {NULL};
    char *joined = join(words);
    assert_string_equal(joined, "ab");
    free(joined);
    joined = join(none);
    assert_string_equal(joined, "");
    free(joined);
    char **empty = no_words();
    assert_non_null(empty);
    assert_null(empty[0]);
    free(empty);
    size_t size = 0;
    const char *bytes = reversed("\0\1\xff", 3, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "\xff\1\0", 3);
    busbar_object_destroy(&plain);
}

static void a_crash_ends_the_call_as_lost_and_respawn_brings_the_worker_back(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *worker = kit_start(kit, "busbar", "worker", "--respawn", plain_file(kit),
                                           NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    struct busbar_object *plain = proxy_of(kit, "plain");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(busbar_call(plain, "next_number", NULL, ""), BUSBAR_OK);
        assert_int_equal(busbar_call(plain, "crash", NULL, ""), BUSBAR_WORKER_LOST);
        assert_int_equal(busbar_last_fate(), BUSBAR_MAYBE_EXECUTED);
        KIT_EVENTUALLY(busbar_call(plain, "next_number", NULL, "") == BUSBAR_OK, 10000);
    }
    KIT_CONTAINS((kit_read(worker), worker->err), "killed by signal 6");
    kit_kill(worker, SIGTERM);
    assert_int_equal(kit_wait(worker, 10000), 0);
    assert_int_equal(busbar_call(plain, "next_number", NULL, ""), BUSBAR_NO_SERVICE);
    busbar_object_destroy(&plain);
}

static void a_command_that_writes_without_end_is_cut_and_leaves_nothing_behind(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit, kit_file(kit, "yes.yaml",
                               "objects:\n"
                               "  y: {command: [yes, busbar-yes-without-end]}\n"
                               "  sleeper: {command: [sh, -c, \"sleep 98765 & sleep 98765\"],\n"
                               "    timeout: 300ms}\n"
                               "exports:\n"
                               "  - {name: endless, object: y}\n"
                               "  - {name: sleeper, object: sleeper}\n"));
    struct kit_process *call = kit_run(kit, "busbar", "call", "--timeout", "20s", "endless", "run",
                                       "", NULL);
    KIT_CODE(call, 6);
    KIT_CONTAINS(call->err, "RESULT_TOO_LARGE");
    assert_int_equal(kit_count_processes("busbar-yes-without-end"), 0);
    call = kit_run(kit, "busbar", "call", "--timeout", "20s", "sleeper", "run", "", NULL);
    KIT_CODE(call, 4);
    KIT_CONTAINS(call->err, "TIMEOUT");
    KIT_EVENTUALLY(kit_count_processes("98765") == 0, 2000);
}

static void a_reload_changes_exports_and_a_broken_file_changes_nothing(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    static const char object[] = "objects:\n  m: {library: libm.so.6, functions: {pow: dd>d}}\n";
    char text[512];
    snprintf(text, sizeof text, "%sexports:\n  - {name: one, object: m}\n", object);
    struct kit_process *worker = start_worker(kit, kit_file(kit, "reload.yaml", text));
    struct busbar_object *one = proxy_of(kit, "one"), *two = proxy_of(kit, "two");
    assert_int_equal(busbar_call(one, "pow", NULL, "dd", 2.0, 3.0), BUSBAR_OK);
    snprintf(text, sizeof text, "%sexports:\n  - {name: two, object: m}\n", object);
    kit_file(kit, "reload.yaml", text);
    kit_kill(worker, SIGHUP);
    KIT_EVENTUALLY(busbar_call(two, "pow", NULL, "dd", 2.0, 3.0) == BUSBAR_OK, 5000);
    assert_int_equal(busbar_call(one, "pow", NULL, "dd", 2.0, 3.0), BUSBAR_NO_SERVICE);
    snprintf(text, sizeof text, "%sexports:\n  - {name: three, object: n}\n", object);
    kit_file(kit, "reload.yaml", text);
    kit_kill(worker, SIGHUP);
    kit_wait_for_text(worker, "reload.yaml:4:", 5000);
    assert_int_equal(busbar_call(two, "pow", NULL, "dd", 2.0, 3.0), BUSBAR_OK);
    assert_true(kit_is_running(worker));
    busbar_object_destroy(&one);
    busbar_object_destroy(&two);
}

static void a_file_that_would_call_itself_for_ever_is_refused(void **state)
{
    struct kit *kit = *state;
    struct kit_process *worker = kit_run(kit, "busbar", "worker",
                                         kit_file(kit, "self.yaml",
                                                  "objects:\n"
                                                  "  a: {proxy: two}\n"
                                                  "  b: {pool: [c]}\n"
                                                  "  c: {proxy: one}\n"
                                                  "exports:\n"
                                                  "  - {name: one, object: a}\n"
                                                  "  - {name: two, object: b}\n"),
                                         NULL);
    KIT_CODE(worker, 2);
    KIT_CONTAINS(worker->err, "self.yaml:");
    KIT_CONTAINS(worker->err, "one");
    KIT_CONTAINS(worker->err, "two");
}

static void an_export_may_have_hundreds_of_instances(void **state)
{
    struct kit *kit = *state;
    struct kit_process *worker = start_worker(
        kit, kit_file(kit, "many.yaml",
                      "broker: {embed: \"tcp://127.0.0.1:*\"}\n"
                      "objects:\n  m: {library: libm.so.6, functions: {pow: dd>d}}\n"
                      "exports:\n  - {name: math, object: m, instances: 400}\n"));
    kit_kill(worker, SIGTERM);
    assert_int_equal(kit_wait(worker, KIT_RUN_MS), 0);
}

static void what_a_worker_says_of_itself_does_not_command_terminals(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit,
                 kit_file(kit, "loud.yaml",
                          "objects:\n"
                          "  m:\n"
                          "    library: libm.so.6\n"
                          "    functions: {sin: {signature: \"d>d\", text: \"\\x1b[2Jsine\"}}\n"
                          "exports:\n"
                          "  - name: loud\n"
                          "    object: m\n"
                          "    version: \"\\x1b[31m\xc3\xa9\"\n"
                          "    tags: {\"a\\nb\": \"\\x07\\x9b\"}\n"));
    struct kit_process *describe = kit_run(kit, "busbar", "describe", "loud", NULL);
    KIT_CODE(describe, 0);
    assert_string_equal(describe->out, "loud ?[31m\xc3\xa9  1 worker  a?b=??\n"
                                       "  sin(d>d)  -  ?[2Jsine\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(five_lines_export_pow_of_libm),
        KIT_TEST(the_libraries_of_the_example_answer),
        KIT_TEST(a_script_is_a_service),
        KIT_TEST(wrong_arguments_are_refused_and_the_function_is_not_entered),
        KIT_TEST(odd_results_cross_the_bus),
        KIT_TEST(a_crash_ends_the_call_as_lost_and_respawn_brings_the_worker_back),
        KIT_TEST(a_command_that_writes_without_end_is_cut_and_leaves_nothing_behind),
        KIT_TEST(a_reload_changes_exports_and_a_broken_file_changes_nothing),
        KIT_TEST(a_file_that_would_call_itself_for_ever_is_refused),
        KIT_TEST(an_export_may_have_hundreds_of_instances),
        KIT_TEST(what_a_worker_says_of_itself_does_not_command_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
