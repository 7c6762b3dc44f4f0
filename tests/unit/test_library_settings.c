/* Libraries as files and code define them: each error at its place, all at once; paths; dumps. */
#include <dlfcn.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "library_calls.h"
#include "objects/library.h"
#include "settings_text.h"

#define DOCUMENT CLEANUP(settings_document_destroy) struct settings_document *
#define ERRORS CLEANUP(settings_errors_fini) struct settings_errors

/* Reads the object that a file is, and makes it. */
static enum busbar_status load(struct busbar_object **ret, const char *file, const char *text,
                               struct settings_errors *errors)
{
    DOCUMENT document = NULL;
    struct library_settings settings;
    const struct settings_text of = {.name = file, .data = text, .size = strlen(text)};
    settings_errors_init(errors);
    if (!settings_document_parse(&document, &of, errors))
        fail_msg("%s", settings_errors_line(errors, 0));
    assert_true(settings_init(library_kind.table, &settings));
    enum busbar_status status = BUSBAR_BAD_CONFIG;
    if (settings_read(library_kind.table, document->root, &settings, errors))
        status = library_kind.create(ret, &settings, document->root, errors);
    settings_fini(library_kind.table, &settings);
    settings_errors_sort(errors, 0);
    return status;
}

static const struct {
    const char *text;
    const char *errors;
} bad_files[] = {
    {"{}", "1:1: the file must have the key \"library\"\n"
           "1:1: the file must have the key \"functions\""},
    {"library: libm.so.6\n", "1:1: the file must have the key \"functions\""},
    {"library: libm.so.6\nfunctions: {}\n",
     "2:12: functions must have 1 to 1024 pairs of KEY: VALUE, not 0"},
    {"library: ''\nfunctions: {pow: \"dd>d\"}\n",
     "1:10: library must be a string of 1 to 4095 bytes, not \"\""},
    {"library: ./no/such.so\nfunctions: {pow: \"dd>d\"}\n",
     "1:10: the library \"HERE/no/such.so\" cannot be opened: cannot open shared object file: No "
     "such file or directory"},
    {"library: libno-such.so.9\nfunctions: {pow: \"qd>d\"}\n",
     "1:10: the library \"libno-such.so.9\" cannot be opened: cannot open shared object file: No "
     "such file or directory; a name without / is looked for where the system has libraries\n"
     "2:18: pow: no type 'q' at position 1 of \"qd>d\""},
    {"library: libm.so.6\n"
     "functions:\n"
     "  pow: dd>d\n"
     "  area: {symbol: rect_area, signature: dd>d}\n"
     "  powwow: d>d\n"
     "  sin: d>dd\n"
     "  cos: {signature: dq, idempotent: true}\n"
     "  a-b: {symbol: tan, signature: d>d}\n",
     "4:18: the library has no symbol \"rect_area\"\n"
     "5:11: the library has no symbol \"powwow\"\n"
     "6:8: sin: a further result without '*' at position 4 of \"d>dd\"\n"
     "7:20: cos: no type 'q' at position 2 of \"dq\"\n"
     "8:3: \"a-b\" cannot be the name of a method: it must be 1 to 127 of A-Z, a-z, 0-9 and _"},
    {"library: libm.so.6\nfunctions:\n  area: {symbol: pow}\n",
     "3:9: functions.area must have the key \"signature\""},
    {"library: libm.so.6\nfunctions:\n  area: {signatur: dd>d}\n",
     "3:9: functions.area must have the key \"signature\"\n"
     "3:10: unknown key \"signatur\" in functions.area; did you mean \"signature\"?"},
};

/* HERE stands for the present directory. */
static char *with_here(const char *text)
{
    char *made = NULL;
    const char *at = strstr(text, "HERE");
    if (at == NULL)
        return strdup(text);
    CLEANUP(cleanup_free) char *here = getcwd(NULL, 0);
    return asprintf(&made, "%.*s%s%s", (int)(at - text), text, here, at + 4) >= 0 ? made : NULL;
}

static void each_error_of_a_file_has_its_place_and_all_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
        ERRORS errors;
        OBJECT object = NULL;
        CLEANUP(cleanup_free) char *expected = with_here(bad_files[i].errors);
        assert_int_equal(load(&object, "f", bad_files[i].text, &errors), BUSBAR_BAD_CONFIG);
        assert_errors(&errors, bad_files[i].text, expected);
        assert_null(object);
    }
}

static const char good_file[] = "library: libm.so.6\n"
                                "functions:\n"
                                "  pow: dd>d\n"
                                "  split: {symbol: frexp, signature: \"d>d*i\", idempotent: true,\n"
                                "          text: a fraction and its exponent}\n";

static void assert_good(struct busbar_object *object)
{
    assert_gives(object, "pow", "[2, 10]", "1024.0");
    assert_gives(object, "split", "[48]", "[0.75, 6]");
}

static void a_file_makes_a_library(void **state)
{
    (void)state;
    ERRORS errors;
    OBJECT object = NULL;
    assert_int_equal(load(&object, "f", good_file, &errors), BUSBAR_OK);
    assert_string_equal(busbar_object_kind(object), "library");
    assert_good(object);
}

static const struct busbar_function good_functions[] = {
    {.name = "pow", .signature = "dd>d"},
    {.name = "split",
     .symbol = "frexp",
     .signature = "d>d*i",
     .flags = BUSBAR_IDEMPOTENT,
     .text = "a fraction and its exponent"},
};

static char *dump_of(const struct busbar_object *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (object != NULL) /* as after a load that went well */
        object->class->dump(object, 4, out);
    fclose(out);
    return text;
}

static void a_library_of_code_is_dumped_as_that_of_a_file_and_reads_back(void **state)
{
    (void)state;
    ERRORS errors;
    OBJECT of_file = NULL;
    OBJECT again = NULL;
    OBJECT of_code = library_of("libm.so.6", good_functions, ARRAY_SIZE(good_functions));
    assert_int_equal(load(&of_file, "f", good_file, &errors), BUSBAR_OK);
    CLEANUP(cleanup_free) char *file_dump = dump_of(of_file);
    CLEANUP(cleanup_free) char *code_dump = dump_of(of_code);
    assert_string_equal(file_dump, code_dump);
    assert_int_equal(load(&again, "f", file_dump, &errors), BUSBAR_OK);
    CLEANUP(cleanup_free) char *again_dump = dump_of(again);
    assert_string_equal(file_dump, again_dump);
}

static void a_library_says_what_it_has(void **state)
{
    (void)state;
    struct object_method method;
    const struct signature *signature = NULL;
    VALUE list = NULL;
    OBJECT object = library_of("libm.so.6", good_functions, ARRAY_SIZE(good_functions));
    assert_int_equal(busbar_object_describe(object, &list), BUSBAR_OK);
    assert_int_equal(busbar_value_count(list), 2);
    const struct busbar_value *second = busbar_value_at(list, 1);
    assert_string_equal(busbar_value_as_text(busbar_value_get(second, "name")), "split");
    assert_string_equal(busbar_value_as_text(busbar_value_get(second, "signature")), "d>d*i");
    assert_true(busbar_value_as_bool(busbar_value_get(second, "idempotent")));
    assert_string_equal(busbar_value_as_text(busbar_value_get(second, "text")),
                        "a fraction and its exponent");
    assert_true(object->class->find(object, "pow", &method));
    assert_string_equal(method.signature, "dd>d");
    assert_string_equal(method.text, "");
    assert_false(object->class->find(object, "frexp", &method));
    assert_non_null(object->class->address(object, "pow", &signature));
    assert_string_equal(signature->text, "dd>d");
    assert_null(object->class->address(object, "frexp", &signature));
}

/* Paths --------------------------------------------------------------------------------------- */

static void a_path_is_relative_to_the_file(void **state)
{
    (void)state;
    Dl_info info;
    char directory[] = "/tmp/busbar-library-XXXXXX";
    char link[64];
    char file[64];
    char real[PATH_MAX];
    ERRORS errors;
    OBJECT object = NULL;
    assert_non_null(mkdtemp(directory));
    snprintf(link, sizeof link, "%s/libours.so", directory);
    snprintf(file, sizeof file, "%s/file.yaml", directory);
    void *handle = dlopen("libm.so.6", RTLD_NOW);
    assert_non_null(handle);
    assert_true(dladdr(dlsym(handle, "pow"), &info) != 0);
    assert_non_null(realpath(info.dli_fname, real));
    assert_int_equal(symlink(real, link), 0);
    enum busbar_status status = load(&object, file,
                                     "library: ./libours.so\nfunctions: {pow: dd>d}\n", &errors);
    unlink(link);
    rmdir(directory);
    dlclose(handle);
    assert_int_equal(status, BUSBAR_OK);
    assert_gives(object, "pow", "[2, 3]", "8.0");
    CLEANUP(cleanup_free) char *dump = dump_of(object);
    assert_non_null(strstr(dump, link));
}

static void what_is_no_library_is_not_opened(void **state)
{
    (void)state;
    ERRORS errors;
    OBJECT object = NULL;
    assert_int_equal(load(&object, "f", "library: /dev/null\nfunctions: {a: \">\"}\n", &errors),
                     BUSBAR_BAD_CONFIG);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(settings_errors_line(&errors, 0),
                           "f:1:10: the library \"/dev/null\" cannot be opened: "));
}

/* From code ----------------------------------------------------------------------------------- */

static void assert_no_library(const struct busbar_library_options *options,
                              enum busbar_status status, const char *error)
{
    struct busbar_object *object = (struct busbar_object *)1;
    assert_int_equal(busbar_library_new(&object, options), status);
    assert_null(object);
    assert_int_equal(busbar_last_status(), status);
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    assert_string_equal(busbar_last_error(), error);
}

static void errors_of_code_are_told_all_at_once(void **state)
{
    (void)state;
    static const char *const words[] = {"words", "of a command", NULL};
    static const struct busbar_function functions[] = {
        {.name = "pow", .signature = "dd>d", .arguments = words},
        {.name = "pow", .signature = "dd>d"},
        {.signature = "d>d"},
        {.name = "tan"},
        {.name = "sin\n", .symbol = "sin", .signature = "d>d"},
        {.name = "nowhere", .signature = "dx>d"},
    };
    assert_no_library(
        &(struct busbar_library_options){
            .path = "libm.so.6", .functions = functions, .function_count = 6},
        BUSBAR_BAD_CONFIG,
        "the function pow is given twice\n"
        "function 3 has no name\n"
        "\"sin\\n\" cannot be the name of a method: it must be 1 to 127 of A-Z, a-z, 0-9 and _\n"
        "nowhere: no type 'x' at position 2 of \"dx>d\"\n"
        "the library has no symbol \"nowhere\"");
    assert_no_library(&(struct busbar_library_options){.path = "libm.so.6",
                                                       .functions = &functions[3],
                                                       .function_count = 1},
                      BUSBAR_BAD_CONFIG, "tan needs a signature, as in \"sd>s\"");
}

static void a_library_without_functions_is_a_wrong_argument(void **state)
{
    (void)state;
    static const char error[] = "a library needs functions";
    assert_no_library(NULL, BUSBAR_BAD_ARGUMENT, error);
    assert_no_library(&(struct busbar_library_options){.path = "libm.so.6"}, BUSBAR_BAD_ARGUMENT,
                      error);
    assert_no_library(&(struct busbar_library_options){.function_count = 3}, BUSBAR_BAD_ARGUMENT,
                      error);
    assert_int_equal(busbar_library_new(NULL, NULL), BUSBAR_BAD_ARGUMENT);
}

static void kinds_that_are_not_built_in_have_no_table(void **state)
{
    (void)state;
    static const char *const built[] = {"library", "command", "proxy", "pool"};
    size_t count = 0;
    for (size_t i = 0; object_kind_at(i) != NULL; i++)
        count += object_kind_at(i)->table != NULL && object_kind_at(i)->create != NULL;
    assert_int_equal(count, ARRAY_SIZE(built));
    for (size_t i = 0; i < ARRAY_SIZE(built); i++)
        assert_string_equal(object_kind_find(built[i])->key, built[i]);
    assert_null(object_kind_find("hessian")->table);
    assert_null(object_kind_find("pyro")->table);
    assert_null(object_kind_find("corba"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_of_a_file_has_its_place_and_all_are_told),
        cmocka_unit_test(a_file_makes_a_library),
        cmocka_unit_test(a_library_of_code_is_dumped_as_that_of_a_file_and_reads_back),
        cmocka_unit_test(a_library_says_what_it_has),
        cmocka_unit_test(a_path_is_relative_to_the_file),
        cmocka_unit_test(what_is_no_library_is_not_opened),
        cmocka_unit_test(errors_of_code_are_told_all_at_once),
        cmocka_unit_test(a_library_without_functions_is_a_wrong_argument),
        cmocka_unit_test(kinds_that_are_not_built_in_have_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
