/* Libraries that nobody here wrote, called as objects. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "library_calls.h"

/* What allocates and frees is taken from the program itself: a sanitizer has its own. */
static const struct {
    const char *path;
    const char *symbol;
    const char *signature;
    const char *arguments;
    const char *result;
} foreign[] = {
    {"libm.so.6", "pow", "dd>d", "[2, 10]", "1024.0"},
    {"libm.so.6", "pow", "dd>d", "[{\"$float\":\"nan\"}, 1.0]", "{\"$float\":\"nan\"}"},
    {"libm.so.6", "powf", "ff>f", "[2, 0.5]", "1.4142135381698608"},
    {"libm.so.6", "frexp", "d>d*i", "[48.0]", "[0.75, 6]"},
    {"libm.so.6", "modf", "d>d*d", "[-2.25]", "[-0.25, -2.0]"},
    {"libm.so.6", "sincos", "d>*d*d", "[0]", "[0.0, 1.0]"},
    {"libm.so.6", "ldexp", "di>d", "[0.75, 6]", "48.0"},
    {"libm.so.6", "llround", "d>l", "[-9223372036854775808]", "-9223372036854775808"},
    {"libz.so.1", "crc32", "ly4>l", "[0, {\"$bytes\":\"MTIzNDU2Nzg5\"}]", "3421780262"},
    {"libz.so.1", "crc32", "ly4>l", "[0, \"123456789\"]", "3421780262"},
    {"libz.so.1", "crc32", "ly4>l", "[7, \"\"]", "7"},
    {"libz.so.1", "crc32", "ly4?>l", "[7, null]", "0"},
    {"libz.so.1", "adler32", "ly4>l", "[1, \"Wikipedia\"]", "300286872"},
    {"libz.so.1", "crc32_z", "ly>l", "[0, \"123456789\"]", "3421780262"},
    {"libz.so.1", "zError", "i>s", "[-3]", "\"data error\""},
    {"libc.so.6", "strlen", "s>l", "[\"na\xc3\xafve\"]", "6"},
    {"libc.so.6", "abs", "i>i", "[-2147483647]", "2147483647"},
    {"libc.so.6", "labs", "l>l", "[-9223372036854775807]", "9223372036854775807"},
    {"libc.so.6", "toupper", "i>i", "[97]", "65"},
    {"libc.so.6", "getenv", "s>s", "[\"BUSBAR_TEST_LIBRARY\"]", "\"set\""},
    {"libc.so.6", "getenv", "s>s", "[\"BUSBAR_TEST_NONE\"]", "null"},
    {"libc.so.6", "strchr", "si>s", "[\"a/b\", 47]", "\"/b\""},
    {NULL, "strdup", "s>S", "[\"copy\"]", "\"copy\""},
    {NULL, "strndup", "sl>S", "[\"copied\", 3]", "\"cop\""},
    {NULL, "free", "S?>", "[\"given away\"]", "null"},
    {NULL, "free", "Y?>", "[null]", "null"},
    {NULL, "strlen", "s>l", "[\"\"]", "0"},
};

static bool can_open(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return false;
    dlclose(handle);
    return true;
}

static void functions_that_nobody_here_wrote_can_be_called(void **state)
{
    (void)state;
    setenv("BUSBAR_TEST_LIBRARY", "set", 1);
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        const struct busbar_function function = {
            .name = "f", .symbol = foreign[i].symbol, .signature = foreign[i].signature};
        if (foreign[i].path != NULL && !can_open(foreign[i].path)) {
            print_message("skipped: %s of %s\n", foreign[i].symbol, foreign[i].path);
            continue;
        }
        OBJECT object = library_of(foreign[i].path, &function, 1);
        if (foreign[i].arguments != NULL)
            assert_gives(object, "f", foreign[i].arguments, foreign[i].result);
    }
}

static void a_text_of_the_library_is_copied(void **state)
{
    (void)state;
    static const struct busbar_function version = {.name = "zlibVersion", .signature = ">s"};
    if (!can_open("libz.so.1"))
        skip();
    OBJECT object = library_of("libz.so.1", &version, 1);
    VALUE value = NULL;
    assert_int_equal(call(object, "zlibVersion", "[]", &value), BUSBAR_OK);
    assert_non_null(strchr(busbar_value_as_text(value), '.'));
}

static const struct busbar_function pow_alone[] = {{.name = "pow", .signature = "dd>d"}};

static void a_library_may_be_opened_twice(void **state)
{
    (void)state;
    OBJECT first = library_of("libm.so.6", pow_alone, 1);
    OBJECT second = library_of("libm.so.6", pow_alone, 1);
    busbar_object_destroy(&first);
    assert_gives(second, "pow", "[2.0, 3.0]", "8.0");
}

static void a_method_that_is_not_there_is_said_so(void **state)
{
    (void)state;
    OBJECT object = library_of("libm.so.6", pow_alone, 1);
    assert_fails(object, "sqrt", "[2.0]", "library: there is no method sqrt");
    assert_int_equal(busbar_last_status(), BUSBAR_NO_METHOD);
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_that_nobody_here_wrote_can_be_called),
        cmocka_unit_test(a_text_of_the_library_is_copied),
        cmocka_unit_test(a_library_may_be_opened_twice),
        cmocka_unit_test(a_method_that_is_not_there_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
