/* Results of C function pointers that are more than numbers: whose memory they are, and how long. */
#include <busbar/object.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "base/cleanup.h"
#include "tests/unit/function_rig.h"

static char buffer[64];

/* In a buffer of the function's own, which the next call changes. */
static const char *f_quote(const char *s)
{
    char before[32];
    snprintf(before, sizeof before, "%s", s);
    snprintf(buffer, sizeof buffer, "<%s>", before);
    return buffer;
}

static const char *f_same(const char *s)
{
    return s;
}

static char *f_greet(const char *s)
{
    char *text = NULL;
    return asprintf(&text, "You got remote data => %s", s) < 0 ? NULL : text;
}

static char *f_pass(char *s)
{
    return s;
}

static void f_swallow(char *s, void *y, size_t size, char **as, void *y4, uint32_t size4)
{
    (void)size;
    (void)size4;
    for (size_t i = 0; as != NULL && as[i] != NULL; i++)
        free(as[i]);
    free(s);
    free(y);
    free(as);
    free(y4);
}

static const void *f_window(const void *y, size_t size, size_t *ret_size)
{
    static const char bytes[] = "\0\1\2\3\4\5\6\7";
    (void)y;
    *ret_size = size;
    return bytes;
}

static void *f_copy4(const void *y4, uint32_t size, uint32_t *ret_size)
{
    char *copy = malloc(size + 1u);
    if (size > 0)
        memcpy(copy, y4, size);
    *ret_size = size;
    return copy;
}

static const void *f_null_bytes(size_t *ret_size)
{
    *ret_size = 5;
    return NULL;
}

static const char *const *f_words(const char *const *as)
{
    static const char *words[8];
    size_t i = 0;
    for (; as != NULL && as[i] != NULL; i++)
        words[i] = as[i];
    words[i] = NULL;
    return as != NULL ? words : NULL;
}

static char **f_song(const char *s)
{
    char **lines = calloc(3, sizeof *lines);
    lines[0] = strdup("happy birthday");
    lines[1] = strdup(s);
    return lines;
}

static const char *f_bad(void)
{
    return "\xff";
}

static char *f_bad_owned(void)
{
    return strdup("\xc3");
}

static char **f_bad_words(char **ret_text)
{
    char **words = calloc(3, sizeof *words);
    words[0] = strdup("good");
    words[1] = strdup("\xed\xa0\x80");
    *ret_text = strdup("owned as well");
    return words;
}

static const char *f_two(const char **second)
{
    static char first[] = "first";
    *second = first + 2;
    return first;
}

static const struct rig_function functions[] = {
    {"quote", "s>s", (void *)f_quote},
    {"same", "s?>s", (void *)f_same},
    {"greet", "s>S", (void *)f_greet},
    {"pass", "S?>S", (void *)f_pass},
    {"swallow", "SYASY4>", (void *)f_swallow},
    {"swallow_any", "S?Y?AS?Y4?>", (void *)f_swallow},
    {"window", "y>y", (void *)f_window},
    {"copy4", "y4>Y4", (void *)f_copy4},
    {"null_bytes", ">y", (void *)f_null_bytes},
    {"words", "as?>as", (void *)f_words},
    {"song", "s>AS", (void *)f_song},
    {"bad", ">s", (void *)f_bad},
    {"bad_owned", ">S", (void *)f_bad_owned},
    {"bad_words", ">AS*S", (void *)f_bad_words},
    {"two", ">s*s", (void *)f_two},
    {NULL, NULL, NULL},
};

static void check_borrowed(struct busbar_object *object)
{
    const char *(*quote)(const char *) = rig_get(object, "quote");
    const char *(*same)(const char *) = rig_get(object, "same");
    const char *one = quote("one");
    const char *other = same("other");
    strcpy(buffer, "changed");
    assert_string_equal(one, "<one>");
    assert_string_equal(other, "other");
    assert_string_equal(quote(quote(quote("a"))), "<<<a>>>");
    assert_string_equal(same(same("b")), "b");
    assert_string_equal(same(""), "");
    assert_null(same(NULL));
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void a_borrowed_string_lives_until_the_next_call_of_its_pointer(void **state)
{
    (void)state;
    rig_each(functions, check_borrowed);
}

#ifdef __SANITIZE_ADDRESS__
/* And no longer: ASan knows that it is gone. */
static void check_gone(struct busbar_object *object)
{
    const char *(*quote)(const char *) = rig_get(object, "quote");
    const char *const *(*words)(const char *const *) = rig_get(object, "words");
    const void *(*window)(const void *, size_t, size_t *) = rig_get(object, "window");
    size_t size;
    const void *results[] = {quote("a"), words((const char *[]){"a", NULL}), window("a", 1, &size)};
    for (size_t i = 0; i < ARRAY_SIZE(results); i++)
        assert_false(__asan_address_is_poisoned(results[i]));
    (void)quote("b");
    (void)words((const char *[]){"b", NULL});
    (void)window("b", 1, &size);
    for (size_t i = 0; i < ARRAY_SIZE(results); i++)
        assert_true(__asan_address_is_poisoned(results[i]));
}

static void a_borrowed_result_is_freed_by_the_next_call(void **state)
{
    (void)state;
    rig_each(functions, check_gone);
}
#endif

static void check_owned(struct busbar_object *object)
{
    char *(*greet)(const char *) = rig_get(object, "greet");
    char *(*pass)(char *) = rig_get(object, "pass");
    char *first = greet("Hello");
    char *second = greet("you");
    assert_string_equal(first, "You got remote data => Hello");
    assert_string_equal(second, "You got remote data => you");
    char *third = pass(first);
    assert_string_equal(third, "You got remote data => Hello");
    assert_null(pass(NULL));
    free(second);
    free(third);
}

static void an_owned_string_is_for_free(void **state)
{
    (void)state;
    rig_each(functions, check_owned);
}

typedef void swallow(char *s, void *y, size_t size, char **as, void *y4, uint32_t size4);

static char **two_strings(const char *second)
{
    char **strings = calloc(3, sizeof *strings);
    strings[0] = strdup("one");
    strings[1] = strdup(second);
    return strings;
}

static void check_handed_over(struct busbar_object *object)
{
    swallow *take = rig_get(object, "swallow");
    swallow *take_any = rig_get(object, "swallow_any");
    take(strdup("s"), strdup("bytes"), 5, two_strings("two"), strdup("y4"), 2);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
    take_any(NULL, NULL, 0, NULL, NULL, 0);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
    take(strdup("\xff"), strdup("bytes"), 5, two_strings("two"), strdup("y4"), 2);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "argument 1 of swallow");
    take(strdup("s"), strdup("bytes"), 5, two_strings("\xff"), strdup("y4"), 2);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "argument 3 of swallow");
    take(strdup("s"), strdup("bytes"), 5, two_strings("two"), NULL, 2);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "argument 4 of swallow");
}

static void owned_arguments_are_freed_once_also_if_refused(void **state)
{
    (void)state;
    rig_each(functions, check_handed_over);
}

static void check_bytes(struct busbar_object *object)
{
    const void *(*window)(const void *, size_t, size_t *) = rig_get(object, "window");
    void *(*copy4)(const void *, uint32_t, uint32_t *) = rig_get(object, "copy4");
    const void *(*null_bytes)(size_t *) = rig_get(object, "null_bytes");
    size_t size = 0;
    uint32_t size4 = 0;
    const void *bytes = window("abcdef", 6, &size);
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "\0\1\2\3\4\5", 6);
    bytes = window("", 0, &size);
    assert_int_equal(size, 0);
    assert_non_null(bytes);
    void *copy = copy4("\0x", 2, &size4);
    assert_int_equal(size4, 2);
    assert_memory_equal(copy, "\0x", 2);
    free(copy);
    size = 1;
    assert_null(null_bytes(&size));
    assert_int_equal(size, 0);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
    assert_null(window("", 0, NULL));
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "window(y>y), C argument 3");
}

static void bytes_come_with_their_size(void **state)
{
    (void)state;
    rig_each(functions, check_bytes);
}

static void check_lists(struct busbar_object *object)
{
    static const char *const given[] = {"", "two", "\xc3\xbc", NULL};
    const char *const *(*words)(const char *const *) = rig_get(object, "words");
    char **(*song)(const char *) = rig_get(object, "song");
    const char *const *back = words(words(given));
    for (size_t i = 0; given[i] != NULL; i++)
        assert_string_equal(back[i], given[i]);
    assert_null(back[3]);
    assert_null(words(given + 3)[0]);
    assert_null(words(NULL));
    char **lines = song("Greg");
    assert_string_equal(lines[0], "happy birthday");
    assert_string_equal(lines[1], "Greg");
    assert_null(lines[2]);
    free(lines[0]);
    free(lines[1]);
    free(lines);
}

static void lists_of_strings_go_both_ways(void **state)
{
    (void)state;
    rig_each(functions, check_lists);
}

static void check_bad_results(struct busbar_object *object)
{
    const char *(*bad)(void) = rig_get(object, "bad");
    char *(*bad_owned)(void) = rig_get(object, "bad_owned");
    char **(*bad_words)(char **) = rig_get(object, "bad_words");
    char *text = buffer;
    assert_null(bad());
    rig_assert_outcome(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "the result is not UTF-8");
    assert_null(bad_owned());
    rig_assert_outcome(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "the result is not UTF-8");
    assert_null(bad_words(&text));
    assert_null(text);
    rig_assert_outcome(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "result 1 is not UTF-8 in its item 2");
}

static void results_that_are_not_utf8_are_errors_of_the_application(void **state)
{
    (void)state;
    rig_each(functions, check_bad_results);
}

static void check_two(struct busbar_object *object)
{
    const char *(*two)(const char **) = rig_get(object, "two");
    const char *second = NULL;
    const char *first = two(&second);
    assert_string_equal(first, "first");
    assert_string_equal(second, "rst");
    first = two(&second);
    assert_string_equal(first, "first");
    assert_string_equal(second, "rst");
}

static void several_borrowed_results_are_kept_each(void **state)
{
    (void)state;
    rig_each(functions, check_two);
}

static enum busbar_status answer_text(void *context, const struct busbar_object_call *call,
                                      struct busbar_value **ret)
{
    (void)call;
    *ret = busbar_value_text(context);
    return BUSBAR_OK;
}

static void a_result_of_another_type_is_an_error_of_the_application(void **state)
{
    (void)state;
    static const struct busbar_object_class class = {.kind = "teller", .call = answer_text};
    static char text[] = "text";
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_object_new(&object, &class, text), BUSBAR_OK);
    int32_t (*number)(void) = busbar_function_as(object, "m", ">i");
    assert_int_equal(number(), 0);
    rig_assert_outcome(BUSBAR_APP_ERROR, BUSBAR_EXECUTED,
                       "teller: m(>i): the result must be an integer");
    const char *(*string)(void) = busbar_function_as(object, "m", ">s");
    assert_string_equal(string(), "text");
    busbar_object_destroy(&object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_borrowed_string_lives_until_the_next_call_of_its_pointer),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(a_borrowed_result_is_freed_by_the_next_call),
#endif
        cmocka_unit_test(an_owned_string_is_for_free),
        cmocka_unit_test(owned_arguments_are_freed_once_also_if_refused),
        cmocka_unit_test(bytes_come_with_their_size),
        cmocka_unit_test(lists_of_strings_go_both_ways),
        cmocka_unit_test(results_that_are_not_utf8_are_errors_of_the_application),
        cmocka_unit_test(several_borrowed_results_are_kept_each),
        cmocka_unit_test(a_result_of_another_type_is_an_error_of_the_application),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
