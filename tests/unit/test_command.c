/* Calls of commands: what they take and give, and what becomes of failures. */
#include "objects/object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/command_made.h"

static void a_program_alone_has_the_method_run(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy) struct busbar_object *object = command_good("command: cat");
    CLEANUP(busbar_value_destroy) struct busbar_value *description = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *result = NULL;
    assert_string_equal(busbar_object_kind(object), "command");
    assert_int_equal(busbar_object_describe(object, &description), BUSBAR_OK);
    assert_int_equal(busbar_value_count(description), 1);
    const struct busbar_value *run = busbar_value_at(description, 0);
    assert_string_equal(busbar_value_as_text(busbar_value_get(run, "name")), "run");
    assert_string_equal(busbar_value_as_text(busbar_value_get(run, "signature")), "y>y");
    assert_false(busbar_value_as_bool(busbar_value_get(run, "idempotent")));
    assert_int_equal(busbar_call(object, "run", &result, "y", "a\0\xff\n", (size_t)4), BUSBAR_OK);
    size_t size = 0;
    assert_int_equal(busbar_value_type(result), BUSBAR_BYTES);
    assert_memory_equal(busbar_value_data(result, &size), "a\0\xff\n", 4);
    assert_int_equal(size, 4);
}

static void functions_are_further_words_of_the_program(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "command: [sh, -c, 'echo \"$0 $*\"; cat', word]\n"
        "functions:\n"
        "  both: {signature: s>s, arguments: [a b, c], idempotent: true, text: says both}\n"
        "  none: '>s'\n"
        "  silent: s>\n"
        "  nothing: '>'\n");
    struct object_method method;
    assert_says(object, "both", "in", "word a b c\nin");
    assert_says(object, "none", NULL, "word ");
    assert_true(object->class->find(object, "both", &method));
    assert_string_equal(method.text, "says both");
    assert_true(method.idempotent);
    assert_false(object->class->find(object, "run", &method));
    struct command_answer answer = command_called(
        object, &(struct busbar_object_call){.method = "silent"}, "in");
    assert_int_equal(answer.status, BUSBAR_OK);
    assert_int_equal(busbar_value_type(answer.value), BUSBAR_NULL);
    busbar_value_destroy(&answer.value);
    command_called(object, &(struct busbar_object_call){.method = "run"}, NULL);
    assert_last(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "run");
}

static bool append_part(void *context, const void *data, size_t size)
{
    char *text = context;
    assert_true(strlen(text) + size < 64);
    strncat(text, data, size);
    return strlen(text) < 32;
}

static void bytes_can_be_had_in_parts_and_a_text_cannot(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: [sh, -c, 'echo one; sleep 0.1; $0 two', "
                                                "echo], functions: {raw: '>y', text: '>s'}}");
    char text[64] = "";
    struct busbar_object_call call = {.method = "raw", .part = append_part, .context = text};
    struct command_answer answer = command_called(object, &call, NULL);
    assert_int_equal(answer.status, BUSBAR_OK);
    assert_int_equal(busbar_value_type(answer.value), BUSBAR_BYTES);
    assert_int_equal(busbar_value_count(answer.value), 0);
    assert_string_equal(text, "one\ntwo\n");
    busbar_value_destroy(&answer.value);
    call.method = "text";
    answer = command_called(object, &call, NULL);
    assert_string_equal(busbar_value_as_text(answer.value), "one\ntwo");
    assert_string_equal(text, "one\ntwo\n");
    busbar_value_destroy(&answer.value);
}

static void who_wants_no_more_parts_ends_the_program(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: [sh, -c, 'while echo 0123456; do sleep "
                                                "0.01; done'], functions: {raw: '>y'}}");
    char text[64] = "";
    const struct busbar_object_call call = {.method = "raw", .part = append_part, .context = text};
    command_called(object, &call, NULL);
    assert_last(BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED, "cancelled");
}

static void the_newline_at_the_end_of_a_string_is_dropped(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: cat, functions: {same: s>s}}");
    static const char *const rows[][2] = {
        {"", ""}, {"\n", ""}, {"a", "a"}, {"a\n", "a"}, {"a\n\n", "a\n"}, {"\na", "\na"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_says(object, "same", rows[i][0], rows[i][1]);
}

static void a_typed_pointer_runs_the_program(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "{command: wc, functions: {words: {signature: s>s, arguments: -w}}}");
    void *pointer = busbar_function(object, "words");
    const char *(*words)(const char *) = NULL;
    memcpy(&words, &pointer, sizeof words);
    assert_non_null(pointer);
    const char *count = words("one two three");
    assert_non_null(count);
    assert_int_equal(strtol(count, NULL, 10), 3);
}

/* The program would leave a file behind if it ran. */
static void what_does_not_fit_is_refused_before_the_program_runs(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("command: [touch, busbar-test-command-ran]\n"
                                                "functions: {text: s>s, bytes: y>y, none: '>s'}\n");
    static const struct {
        const char *method;
        const char *json; /* letters: what the arguments are */
        const char *says;
    } rows[] = {
        {"none", "s", "none(>s) takes 0 arguments, not 1"},
        {"text", "", "text(s>s) takes 1 argument, not 0"},
        {"bytes", "", "bytes(y>y) takes 1 argument, not 0"},
        {"text", "ss", "text(s>s) takes 1 argument, not 2"},
        {"text", "i", "argument 1 of text(s>s) must be a string, not int64"},
        {"text", "y", "argument 1 of text(s>s) must be a string, not bytes"},
        {"text", "n", "argument 1 of text(s>s) must be a string, not null"},
        {"text", "0", "argument 1 of text(s>s) must be a string without NUL bytes"},
        {"bytes", "i", "argument 1 of bytes(y>y) must be bytes, not int64"},
        {"bytes", "l", "argument 1 of bytes(y>y) must be bytes, not list"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
        for (const char *letter = rows[i].json; *letter != '\0'; letter++) {
            struct busbar_value *value = *letter == 's'   ? busbar_value_text("text")
                                         : *letter == 'i' ? busbar_value_int64(1)
                                         : *letter == 'y' ? busbar_value_bytes("b", 1)
                                         : *letter == 'n' ? busbar_value_null()
                                         : *letter == '0' ? busbar_value_string("a\0b", 3)
                                                          : busbar_value_list();
            assert_int_equal(busbar_value_append(list, &value), BUSBAR_OK);
        }
        const struct busbar_object_call call = {.method = rows[i].method, .arguments = list};
        assert_int_equal(busbar_object_call(object, &call, NULL), BUSBAR_BAD_REQUEST);
        assert_last(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, rows[i].says);
    }
    assert_int_not_equal(access("busbar-test-command-ran", F_OK), 0);
}

static void failures_say_what_the_program_said(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "{command: [sh, -s], output_limit: 1000, functions: {run: s>s}}");
    static const struct {
        const char *script;
        enum busbar_status status;
        const char *says;
    } rows[] = {
        {"echo no >&2; exit 3", BUSBAR_APP_ERROR, "command: run: sh: exit status 3: no"},
        {"exit 255", BUSBAR_APP_ERROR, "sh: exit status 255"},
        {"kill -9 $$", BUSBAR_APP_ERROR, "sh: killed by signal 9 (Killed)"},
        {"printf '\\377'", BUSBAR_APP_ERROR, "it is not UTF-8"},
        {"printf 'a\\000b'", BUSBAR_APP_ERROR, "it has a NUL byte inside"},
        {"yes", BUSBAR_RESULT_TOO_LARGE, "sh: killed, it wrote more than 1000 bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        command_called(object, &(struct busbar_object_call){.method = "run"}, rows[i].script);
        assert_last(rows[i].status, BUSBAR_EXECUTED, rows[i].says);
    }
    assert_says(object, "run", "echo still there", "still there");
    assert_string_equal(busbar_last_error(), "");
}

static void a_program_that_went_away_is_an_error_of_the_call(void **state)
{
    (void)state;
    char path[] = "/tmp/busbar-test-command-XXXXXX";
    char yaml[256];
    int file = mkstemp(path);
    assert_true(file >= 0 && fchmod(file, 0755) == 0);
    assert_true(dprintf(file, "#!/bin/sh\necho \"$0\"\n") > 0);
    close(file);
    snprintf(yaml, sizeof yaml, "{command: %s, directory: /, functions: {run: '>s'}}", path);
    CLEANUP(busbar_object_destroy) struct busbar_object *object = command_good(yaml);
    assert_says(object, "run", NULL, path);
    unlink(path);
    command_called(object, &(struct busbar_object_call){.method = "run"}, NULL);
    assert_last(BUSBAR_APP_ERROR, BUSBAR_NOT_EXECUTED,
                "run: cannot start /tmp/busbar-test-command");
    assert_last(BUSBAR_APP_ERROR, BUSBAR_NOT_EXECUTED, "No such file or directory");
}

static void the_environment_is_that_of_the_moment_and_over_it_its_own(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "command: [sh, -c, 'echo \"$BT_A|$BT_AB|$BT_C\"; env | grep -c ^BT_A=']\n"
        "environment: {BT_A: a=1, BT_C: ''}\n"
        "functions: {run: '>s'}\n");
    assert_says(object, "run", NULL, "a=1||\n1");
    setenv("BT_A", "hidden", 1);
    setenv("BT_AB", "seen", 1);
    setenv("BT_C", "hidden", 1);
    assert_says(object, "run", NULL, "a=1|seen|\n1");
    unsetenv("BT_A");
    unsetenv("BT_AB");
    unsetenv("BT_C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_alone_has_the_method_run),
        cmocka_unit_test(functions_are_further_words_of_the_program),
        cmocka_unit_test(bytes_can_be_had_in_parts_and_a_text_cannot),
        cmocka_unit_test(who_wants_no_more_parts_ends_the_program),
        cmocka_unit_test(the_newline_at_the_end_of_a_string_is_dropped),
        cmocka_unit_test(a_typed_pointer_runs_the_program),
        cmocka_unit_test(what_does_not_fit_is_refused_before_the_program_runs),
        cmocka_unit_test(failures_say_what_the_program_said),
        cmocka_unit_test(a_program_that_went_away_is_an_error_of_the_call),
        cmocka_unit_test(the_environment_is_that_of_the_moment_and_over_it_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
