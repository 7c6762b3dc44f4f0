/* Functions with every type as argument and as result, through an object. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "library_calls.h"

static size_t entered;

/* Only so much of a register belongs to a result as its type has: the rest is anybody's. */
static uint64_t dirty(void)
{
    return UINT64_C(0xdeadbeeffffffe00);
}

static uint64_t dirty_one(void)
{
    return UINT64_C(0xdeadbeefffff0001);
}

static bool negated(bool value)
{
    entered++;
    return !value;
}

static int32_t lowest(void)
{
    return INT32_MIN;
}

static uint32_t highest(void)
{
    return UINT32_MAX;
}

/* Results of each kind that bytes come as. */
static const void *middle(const void *data, size_t size, size_t *ret_size)
{
    entered++;
    *ret_size = size >= 2 ? size - 2 : 0;
    return (const char *)data + (size >= 2);
}

static void *doubled(const void *data, uint32_t size, uint32_t *ret_size, int32_t *ret_twice,
                     char **ret_text)
{
    char *bytes = malloc(2 * (size_t)size + 1);
    memcpy(bytes, data, size);
    memcpy(bytes + size, data, size);
    *ret_size = 2 * size;
    *ret_twice = (int32_t)(2 * size);
    *ret_text = strdup("twice");
    return bytes;
}

static const void *no_bytes(size_t *ret_size)
{
    *ret_size = 77;
    return NULL;
}

static const char *const *same_texts(const char *const *texts)
{
    entered++;
    return texts;
}

/* Takes its array, gives it back in reverse order. */
static char **reversed(char **texts)
{
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL)
        count++;
    for (size_t i = 0; i < count / 2; i++) {
        char *other = texts[count - 1 - i];
        texts[count - 1 - i] = texts[i];
        texts[i] = other;
    }
    return texts;
}

static struct busbar_value *wrapped(const struct busbar_value *value)
{
    struct busbar_value *list = busbar_value_list();
    struct busbar_value *copy = busbar_value_copy(value);
    return busbar_value_append(list, &copy) == BUSBAR_OK ? list : NULL;
}

static const char *latin1(void)
{
    return "na\xefve";
}

static char *latin1_owned(const char **ret)
{
    *ret = "good";
    return strdup("na\xefve");
}

static int64_t sixteen(int32_t a, double b, int32_t c, float d, int64_t e, uint32_t f, bool g,
                       const char *h, const void *i, size_t i_size, double j, double k, double l,
                       double m, double n, double o, float p)
{
    entered++;
    return a + (int64_t)b + c + (int64_t)d + e + f + g + (int64_t)strlen(h) + *(const char *)i +
           (int64_t)i_size + (int64_t)(j + k + l + m + n + o + (double)p);
}

static void nothing(const char *text)
{
    (void)text;
    entered++;
}

#define FUNCTION(of, is)                                                                           \
    {                                                                                              \
        .name = #of, .signature = (is), .address = (void *)(of)                                    \
    }

static const struct busbar_function odd[] = {
    FUNCTION(negated, "b>b"),
    FUNCTION(lowest, ">i"),
    FUNCTION(highest, ">u"),
    FUNCTION(middle, "y>y"),
    FUNCTION(doubled, "y4>Y4*i*S"),
    FUNCTION(no_bytes, ">y"),
    FUNCTION(same_texts, "as?>as"),
    FUNCTION(reversed, "AS?>AS"),
    FUNCTION(wrapped, "v>v"),
    FUNCTION(latin1, ">s"),
    FUNCTION(latin1_owned, ">S*s"),
    FUNCTION(sixteen, "idiflubsydddddd"
                      "f>l"),
    FUNCTION(nothing, "s>"),
    {.name = "dirty_bool", .signature = ">b", .address = (void *)dirty},
    {.name = "dirty_int", .signature = ">i", .address = (void *)dirty},
    {.name = "dirty_unsigned", .signature = ">u", .address = (void *)dirty},
    {.name = "dirty_true", .signature = ">b", .address = (void *)dirty_one},
    {.name = "dirty_one", .signature = ">i", .address = (void *)dirty_one},
};

static const struct {
    const char *method;
    const char *arguments;
    const char *result;
} odd_calls[] = {
    {"negated", "[true]", "false"},
    {"negated", "[false]", "true"},
    {"lowest", "[]", "-2147483648"},
    {"highest", "[]", "4294967295"},
    {"dirty_bool", "[]", "false"},
    {"dirty_true", "[]", "true"},
    {"dirty_int", "[]", "-512"},
    {"dirty_one", "[]", "-65535"},
    {"dirty_unsigned", "[]", "4294966784"},
    {"middle", "[{\"$bytes\":\"AAECAw==\"}]", "{\"$bytes\":\"AQI=\"}"},
    {"middle", "[{\"$bytes\":\"\"}]", "{\"$bytes\":\"\"}"},
    {"doubled", "[\"ab\"]", "[{\"$bytes\":\"YWJhYg==\"}, 4, \"twice\"]"},
    {"no_bytes", "[]", "null"},
    {"same_texts", "[[\"a\", \"b\"]]", "[\"a\", \"b\"]"},
    {"same_texts", "[[]]", "[]"},
    {"same_texts", "[null]", "null"},
    {"reversed", "[[\"a\", \"b\", \"c\"]]", "[\"c\", \"b\", \"a\"]"},
    {"reversed", "[null]", "null"},
    {"wrapped", "[{\"a\": null}]", "[{\"a\": null}]"},
    {"wrapped", "[null]", "[null]"},
    {"sixteen", "[1, 2, 3, 4, 5, 6, true, \"12345678\", \"\\u0009\", 1, 2, 3, 4, 5, 6, 7]", "68"},
    {"nothing", "[\"\"]", "null"},
};

static void every_type_goes_in_and_comes_out(void **state)
{
    (void)state;
    OBJECT object = library_of(NULL, odd, ARRAY_SIZE(odd));
    for (size_t i = 0; i < ARRAY_SIZE(odd_calls); i++)
        assert_gives(object, odd_calls[i].method, odd_calls[i].arguments, odd_calls[i].result);
}

static const struct {
    const char *method;
    const char *arguments;
    const char *error;
} bad_calls[] = {
    {"nothing", "[]", "library: nothing(s>) takes 1 argument, not 0"},
    {"nothing", "[null]", "library: argument 1 of nothing(s>) must be a string, not null"},
    {"nothing", "[\"a\\u0000b\"]",
     "library: argument 1 of nothing(s>) must be a string without NUL bytes inside"},
    {"nothing", "[[]]", "library: argument 1 of nothing(s>) must be a string, not a list"},
    {"negated", "[{\"$float\":\"nan\"}]",
     "library: argument 1 of negated(b>b) must be true or false, not the double nan"},
    {"same_texts", "[[\"a\", {\"$bytes\":\"/w==\"}]]",
     "library: argument 1 of same_texts(as?>as) must be a list of strings, but its item 2 is "
     "bytes"},
    {"middle", "[-9223372036854775808]",
     "library: argument 1 of middle(y>y) must be bytes, not -9223372036854775808"},
};

static void arguments_that_do_not_fit_do_not_enter_the_function(void **state)
{
    (void)state;
    OBJECT object = library_of(NULL, odd, ARRAY_SIZE(odd));
    entered = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bad_calls); i++) {
        assert_fails(object, bad_calls[i].method, bad_calls[i].arguments, bad_calls[i].error);
        assert_int_equal(busbar_last_status(), BUSBAR_BAD_REQUEST);
        assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    }
    assert_int_equal(entered, 0);
    assert_gives(object, "nothing", "[\"\"]", "null");
    assert_int_equal(entered, 1);
}

static void a_result_that_is_not_utf8_is_an_error_of_the_application(void **state)
{
    (void)state;
    OBJECT object = library_of(NULL, odd, ARRAY_SIZE(odd));
    assert_fails(object, "latin1", "[]", "library: latin1(>s): the result is not UTF-8");
    assert_int_equal(busbar_last_status(), BUSBAR_APP_ERROR);
    assert_int_equal(busbar_last_fate(), BUSBAR_EXECUTED);
    assert_fails(object, "latin1_owned", "[]",
                 "library: latin1_owned(>S*s): result 1 is not UTF-8");
}

static void the_result_need_not_be_wanted(void **state)
{
    (void)state;
    OBJECT object = library_of(NULL, odd, ARRAY_SIZE(odd));
    assert_int_equal(call(object, "doubled", "[\"a\"]", NULL), BUSBAR_OK);
}

static void *call_often(void *object)
{
    for (int i = 0; i < 1000; i++) {
        VALUE value = NULL;
        if (call(object, "reversed", "[[\"a\", \"b\"]]", &value) != BUSBAR_OK ||
            busbar_value_count(value) != 2)
            return NULL;
    }
    return object;
}

static void many_threads_may_call_at_once(void **state)
{
    (void)state;
    OBJECT object = library_of(NULL, odd, ARRAY_SIZE(odd));
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, object), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_ptr_equal(done, object);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_goes_in_and_comes_out),
        cmocka_unit_test(arguments_that_do_not_fit_do_not_enter_the_function),
        cmocka_unit_test(a_result_that_is_not_utf8_is_an_error_of_the_application),
        cmocka_unit_test(the_result_need_not_be_wanted),
        cmocka_unit_test(many_threads_may_call_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
