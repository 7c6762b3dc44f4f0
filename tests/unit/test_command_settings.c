/* Commands from files and from code: what is refused and where, and that both come to the same. */
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
#include "tests/unit/settings_text.h"

static void each_error_has_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *errors;
    } rows[] = {
        {"command: no-such-program", "1:10: there is no program \"no-such-program\" in the PATH"},
        {"command:\n  - no-such-program\n  - x",
         "2:5: there is no program \"no-such-program\" in the PATH"},
        {"command: cat -n",
         "1:10: there is no program \"cat -n\" in the PATH; words are items of a list"},
        {"command: [/no/such, x]", "1:11: there is no program \"/no/such\""},
        {"command: /tmp", "1:10: \"/tmp\" is no file that can be executed"},
        {"command: /etc/passwd", "1:10: \"/etc/passwd\" is no file that can be executed"},
        {"{command: cat, directory: /no/such}", "1:27: there is no directory \"/no/such\""},
        {"{command: cat, directory: /etc/passwd}", "1:27: there is no directory \"/etc/passwd\""},
        {"{command: cat, environment: {A: b, 'B=C': d}}",
         "1:36: \"B=C\" cannot be the name of a variable"},
        {"{command: cat, functions: {f: y>y, g: d>d}}",
         "1:39: g: \"d>d\" is not for a program, which takes nothing or one y or s, and gives "
         "nothing or one y or s"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct settings_errors errors;
        assert_null(command_made("f", rows[i].yaml, &errors));
        assert_errors(&errors, rows[i].yaml, rows[i].errors);
        settings_errors_fini(&errors);
    }
}

static void only_streams_of_bytes_and_text_fit_a_program(void **state)
{
    (void)state;
    static const char *const right[] = {">", "y>", "s>", ">y", ">s", "y>y", "y>s", "s>y", "s>s"};
    static const char *const wrong[] = {"ss>s", "S>s", "Y>y",  "y4>y", "s>S",  "y>Y", "y>y4",
                                        "s?>s", "y?>", "as>s", "v>s",  "s>*s", "s>v", "b>"};
    char yaml[128];
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        snprintf(yaml, sizeof yaml, "{command: cat, functions: {f: '%s'}}", right[i]);
        struct busbar_object *object = command_good(yaml);
        busbar_object_destroy(&object);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct settings_errors errors;
        snprintf(yaml, sizeof yaml, "{command: cat, functions: {f: {signature: '%s'}}}", wrong[i]);
        assert_null(command_made("f", yaml, &errors));
        assert_int_equal(errors.count, 1);
        assert_int_equal(errors.places[0].column, 43);
        settings_errors_fini(&errors);
    }
}

static void all_errors_are_told_at_once(void **state)
{
    (void)state;
    static const char yaml[] = "command: no-such-program\ndirectory: /no/such\n"
                               "environment: {'': x}\nfunctions: {f: i>i}\n";
    struct settings_errors errors;
    assert_null(command_made("f", yaml, &errors));
    assert_int_equal(errors.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(errors.places[i].line, i + 1);
    settings_errors_fini(&errors);
}

/* A directory with a program in it, and the path of a configuration there. */
struct place {
    char directory[64];
    char program[96];
    char file[96];
};

static void place_make(struct place *place)
{
    snprintf(place->directory, sizeof place->directory, "/tmp/busbar-test-command-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->program, sizeof place->program, "%s/tool", place->directory);
    snprintf(place->file, sizeof place->file, "%s/app.yaml", place->directory);
    FILE *file = fopen(place->program, "we");
    assert_non_null(file);
    fputs("#!/bin/sh\necho \"$0 $1\"; pwd\n", file);
    fclose(file);
    assert_int_equal(chmod(place->program, 0755), 0);
}

static void place_remove(const struct place *place)
{
    unlink(place->program);
    rmdir(place->directory);
}

static void programs_and_directories_are_relative_to_the_file(void **state)
{
    (void)state;
    struct place place = {.file = ""};
    struct settings_errors errors;
    char expected[512];
    place_make(&place);
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_made(
        place.file, "{command: [./tool, x], directory: ., functions: {run: '>s'}}", &errors);
    assert_int_equal(errors.count, 0);
    settings_errors_fini(&errors);
    snprintf(expected, sizeof expected, "%s x\n%s", place.program, place.directory);
    assert_says(object, "run", NULL, expected);
    CLEANUP(cleanup_free) char *dumped = command_dumped(object);
    CLEANUP(busbar_object_destroy) struct busbar_object *again = command_good(dumped);
    assert_says(again, "run", NULL, expected);
    place_remove(&place);
}

static void code_and_file_come_to_the_same(void **state)
{
    (void)state;
    static const char *const words[] = {"wc", "-c", NULL};
    static const char *const environment[] = {"LC_ALL", "C", "A", "", NULL};
    static const char *const arguments[] = {"-w", "-l", NULL};
    const struct busbar_function functions[] = {
        {.name = "count",
         .signature = "s>s",
         .arguments = arguments,
         .text = "counts words",
         .flags = BUSBAR_IDEMPOTENT},
        {.name = "lines", .signature = "s>s"},
    };
    const struct busbar_command_options options = {
        .words = words,
        .environment = environment,
        .directory = "/tmp",
        .timeout_ms = 5000,
        .concurrency = 4,
        .output_limit = 1024 * 1024,
        .functions = functions,
        .function_count = ARRAY_SIZE(functions),
    };
    CLEANUP(busbar_object_destroy) struct busbar_object *by_code = NULL;
    assert_int_equal(busbar_command_new(&by_code, &options), BUSBAR_OK);
    CLEANUP(busbar_object_destroy)
    struct busbar_object *by_file = command_good(
        "command: [wc, -c]\nenvironment: {LC_ALL: C, A: ''}\ndirectory: /tmp\ntimeout: 5s\n"
        "concurrency: 4\noutput_limit: 1 MiB\nfunctions:\n"
        "  count: {arguments: [-w, -l], signature: s>s, idempotent: true, text: counts words}\n"
        "  lines: s>s\n");
    CLEANUP(cleanup_free) char *code = command_dumped(by_code);
    CLEANUP(cleanup_free) char *file = command_dumped(by_file);
    assert_string_equal(code, file);
    CLEANUP(busbar_object_destroy) struct busbar_object *again = command_good(file);
    CLEANUP(cleanup_free) char *dumped = command_dumped(again);
    assert_string_equal(dumped, file);
    CLEANUP(busbar_object_destroy) struct busbar_object *bare = command_good("command: [cat]");
    CLEANUP(cleanup_free) char *short_one = command_dumped(bare);
    assert_string_equal(short_one, "command: cat\n");
}

static void a_function_without_a_signature_is_as_run_is(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "{command: wc, functions: {words: {arguments: -w}}}");
    struct object_method method;
    assert_true(object->class->find(object, "words", &method));
    assert_string_equal(method.signature, "y>y");
    CLEANUP(cleanup_free) char *dumped = command_dumped(object);
    assert_non_null(strstr(dumped, "signature: \"y>y\""));
}

static void code_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const nowhere[] = {"no-such-program", NULL};
    static const char *const cat[] = {"cat", NULL};
    static const char *const odd[] = {"A", NULL};
    static const char *const twice[] = {"A", "1", "A", "2", NULL};
    const struct busbar_function wrong = {.name = "f", .signature = "d>d"};
    const struct {
        struct busbar_command_options options;
        enum busbar_status status;
        const char *says;
    } rows[] = {
        {{.words = NULL}, BUSBAR_BAD_ARGUMENT, "a command needs a program"},
        {{.words = none}, BUSBAR_BAD_ARGUMENT, "a command needs a program"},
        {{.words = nowhere}, BUSBAR_BAD_CONFIG, "there is no program \"no-such-program\""},
        {{.words = cat, .environment = odd}, BUSBAR_BAD_ARGUMENT, "without a value"},
        {{.words = cat, .environment = twice}, BUSBAR_BAD_CONFIG, "\"A\" is set twice"},
        {{.words = cat, .directory = "/no/such"}, BUSBAR_BAD_CONFIG, "\"/no/such\""},
        {{.words = cat, .functions = &wrong, .function_count = 1}, BUSBAR_BAD_CONFIG, "\"d>d\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct busbar_object *object = NULL;
        assert_int_equal(busbar_command_new(&object, &rows[i].options), rows[i].status);
        assert_null(object);
        assert_last(rows[i].status, BUSBAR_NOT_EXECUTED, rows[i].says);
    }
    assert_int_equal(busbar_command_new(NULL, &rows[2].options), BUSBAR_BAD_ARGUMENT);
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_command_new(&object, NULL), BUSBAR_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_place),
        cmocka_unit_test(only_streams_of_bytes_and_text_fit_a_program),
        cmocka_unit_test(all_errors_are_told_at_once),
        cmocka_unit_test(programs_and_directories_are_relative_to_the_file),
        cmocka_unit_test(code_and_file_come_to_the_same),
        cmocka_unit_test(a_function_without_a_signature_is_as_run_is),
        cmocka_unit_test(code_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
