/* C function pointers made of objects: their types, their results, what they refuse. */
#include <busbar/object.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/function_rig.h"

static unsigned entered;

static bool f_negate(bool b)
{
    entered++;
    return !b;
}

static int32_t f_minus(int32_t i)
{
    return -i;
}

static uint32_t f_invert(uint32_t u)
{
    return ~u;
}

static int64_t f_same(int64_t l)
{
    return l;
}

static double f_sum(double a, double b)
{
    entered++;
    return a + b;
}

static float f_half(float f)
{
    return f / 2;
}

static void f_nothing(void)
{
    entered++;
}

/* One of each number, twice and in a row, so that some go through registers and some do not. */
static double f_many(bool b, int32_t i, uint32_t u, int64_t l, double d, float f, bool b2,
                     int32_t i2, uint32_t u2, int64_t l2, double d2, float f2, int32_t i3,
                     double d3, float f3, int64_t l3)
{
    return (b ? 1 : 0) + i + (double)u + (double)l + d + (double)f + (b2 ? 1 : 0) + i2 +
           (double)u2 + (double)l2 + d2 + (double)f2 + i3 + d3 + (double)f3 + (double)l3;
}

static size_t f_length_arguments(const char *s, const void *y, size_t size)
{
    entered++;
    return (s != NULL ? strlen(s) : 100) + (y != NULL ? size : 1000);
}

static uint32_t f_sum4(const void *y, uint32_t size)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < size; i++)
        sum += ((const unsigned char *)y)[i];
    return sum;
}

static int64_t f_count(const char *const *as)
{
    int64_t count = 0;
    while (as != NULL && as[count] != NULL)
        count++;
    return as != NULL ? count : -1;
}

static double f_frexp(double d, int32_t *ret)
{
    entered++;
    int exponent;
    double fraction = frexp(d, &exponent);
    *ret = exponent;
    return fraction;
}

static void f_all(bool *b, int32_t *i, uint32_t *u, int64_t *l, double *d, float *f, const char **s,
                  char **owned)
{
    *b = true;
    *i = INT32_MIN;
    *u = UINT32_MAX;
    *l = INT64_MIN;
    *d = 0.5;
    *f = 1.5f;
    *s = "borrowed";
    *owned = strdup("owned");
}

static int32_t f_untouched(int32_t *i, const char **s, char **owned)
{
    assert_int_equal(*i, 0);
    assert_null(*s);
    assert_null(*owned);
    return 7;
}

static struct busbar_value *f_value(const struct busbar_value *v)
{
    return v != NULL ? busbar_value_copy(v) : NULL;
}

static const struct rig_function functions[] = {
    {"negate", "b>b", (void *)f_negate},
    {"minus", "i>i", (void *)f_minus},
    {"invert", "u>u", (void *)f_invert},
    {"same", "l>l", (void *)f_same},
    {"sum", "dd>d", (void *)f_sum},
    {"half", "f>f", (void *)f_half},
    {"nothing", ">", (void *)f_nothing},
    {"many", "biuldfbiuldfidfl>d", (void *)f_many},
    {"lengths", "s?y?>l", (void *)f_length_arguments},
    {"strict", "sy>l", (void *)f_length_arguments},
    {"sum4", "y4>u", (void *)f_sum4},
    {"count", "as?>l", (void *)f_count},
    {"frexp", "d>d*i", (void *)f_frexp},
    {"all", ">*b*i*u*l*d*f*s*S", (void *)f_all},
    {"untouched", ">i*i*s*S", (void *)f_untouched},
    {"value", "v>v", (void *)f_value},
    {NULL, NULL, NULL},
};

static void check_numbers(struct busbar_object *object)
{
    bool (*negate)(bool) = rig_get(object, "negate");
    int32_t (*minus)(int32_t) = rig_get(object, "minus");
    uint32_t (*invert)(uint32_t) = rig_get(object, "invert");
    int64_t (*same)(int64_t) = rig_get(object, "same");
    double (*sum)(double, double) = rig_get(object, "sum");
    float (*half)(float) = rig_get(object, "half");
    assert_true(negate(false));
    assert_false(negate(true));
    assert_int_equal(minus(INT32_MAX), -INT32_MAX);
    assert_int_equal(minus(-1), 1);
    assert_true(minus(1) < 0);
    assert_true(invert(0) == UINT32_MAX);
    assert_true(invert(UINT32_MAX) == 0);
    assert_true(same(INT64_MIN) == INT64_MIN);
    assert_true(same(INT64_MAX) == INT64_MAX);
    assert_true(sum(1.5, 2.25) == 3.75);
    assert_true(isnan(sum((double)NAN, 1)));
    assert_true(isinf(sum((double)INFINITY, 1)));
    assert_true(signbit(sum(-0.0, -0.0)));
    assert_true(half(3.0f) == 1.5f);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void numbers_go_in_and_come_out_as_they_are(void **state)
{
    (void)state;
    rig_each(functions, check_numbers);
}

static void check_many(struct busbar_object *object)
{
    double (*many)(bool, int32_t, uint32_t, int64_t, double, float, bool, int32_t, uint32_t,
                   int64_t, double, float, int32_t, double, float,
                   int64_t) = rig_get(object, "many");
    double sum = many(true, 10, 100, 1000, 0.5, 0.25f, true, 20, 200, 2000, 0.125, 0.0625f, -3, 7.0,
                      9.0f, -11);
    assert_true(sum == 1 + 10 + 100 + 1000 + 0.5 + 0.25 + 1 + 20 + 200 + 2000 + 0.125 + 0.0625 - 3 +
                           7 + 9 - 11);
}

static void sixteen_arguments_keep_their_order(void **state)
{
    (void)state;
    rig_each(functions, check_many);
}

static void check_nothing(struct busbar_object *object)
{
    void (*nothing)(void) = rig_get(object, "nothing");
    unsigned before = entered;
    nothing();
    assert_int_equal(entered, before + 1);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void a_function_may_take_and_give_nothing(void **state)
{
    (void)state;
    rig_each(functions, check_nothing);
}

static void check_arguments(struct busbar_object *object)
{
    static const char *const strings[] = {"a", "", "c", NULL};
    static const unsigned char bytes[] = {0, 1, 2, 255};
    int64_t (*lengths)(const char *, const void *, size_t) = rig_get(object, "lengths");
    uint32_t (*sum4)(const void *, uint32_t) = rig_get(object, "sum4");
    int64_t (*count)(const char *const *) = rig_get(object, "count");
    assert_int_equal(lengths("four", "a\0c", 3), 7);
    assert_int_equal(lengths("", "", 0), 0);
    assert_int_equal(lengths(NULL, NULL, 0), 1100);
    assert_int_equal(sum4(bytes, sizeof bytes), 258);
    assert_int_equal(count(strings), 3);
    assert_int_equal(count(strings + 3), 0);
    assert_int_equal(count(NULL), -1);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void strings_and_bytes_are_passed_with_their_sizes(void **state)
{
    (void)state;
    rig_each(functions, check_arguments);
}

static void check_value(struct busbar_object *object)
{
    struct busbar_value *(*same)(const struct busbar_value *) = rig_get(object, "value");
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    struct busbar_value *item = busbar_value_int64(INT64_MIN);
    assert_int_equal(busbar_value_append(list, &item), BUSBAR_OK);
    CLEANUP(busbar_value_destroy) struct busbar_value *back = same(list);
    assert_true(busbar_value_equal(list, back));
    CLEANUP(busbar_value_destroy) struct busbar_value *null = same(NULL);
    assert_int_equal(busbar_value_type(null), BUSBAR_NULL);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void any_value_goes_both_ways(void **state)
{
    (void)state;
    rig_each(functions, check_value);
}

static void check_refusal(struct busbar_object *object)
{
    int64_t (*strict)(const char *, const void *, size_t) = rig_get(object, "strict");
    int64_t (*count)(const char *const *) = rig_get(object, "count");
    unsigned before = entered;
    assert_int_equal(strict(NULL, "", 0), 0);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                       "argument 1 of strict(sy>l) must not be NULL");
    assert_int_equal(strict("", NULL, 5), 0);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "argument 2 of strict(sy>l)");
    assert_int_equal(strict("\xff", "", 0), 0);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "argument 1 of strict(sy>l)");
    assert_int_equal(count((const char *[]){"good", "\xc0\x80", NULL}), 0);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "rig: argument 1 of count(as?>l)");
    assert_int_equal(entered, before);
    assert_int_equal(strict("ok", "\xff", 1), 3);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void arguments_that_do_not_fit_keep_the_function_from_being_entered(void **state)
{
    (void)state;
    rig_each(functions, check_refusal);
}

static void check_out(struct busbar_object *object)
{
    double (*split)(double, int32_t *) = rig_get(object, "frexp");
    int32_t exponent = -1;
    assert_true(split(8.0, &exponent) == 0.5);
    assert_int_equal(exponent, 4);
    void (*all)(bool *, int32_t *, uint32_t *, int64_t *, double *, float *, const char **,
                char **) = rig_get(object, "all");
    bool b = false;
    int32_t i;
    uint32_t u;
    int64_t l;
    double d;
    float f;
    const char *s = "before";
    char *owned = NULL;
    all(&b, &i, &u, &l, &d, &f, &s, &owned);
    assert_true(b && i == INT32_MIN && u == UINT32_MAX && l == INT64_MIN);
    assert_true(d == 0.5 && f == 1.5f);
    assert_string_equal(s, "borrowed");
    assert_string_equal(owned, "owned");
    free(owned);
    int32_t (*untouched)(int32_t *, const char **, char **) = rig_get(object, "untouched");
    assert_int_equal(untouched(&i, &s, &owned), 7);
    assert_int_equal(i, 0);
    assert_null(s);
    assert_null(owned);
}

static void results_are_written_through_pointers(void **state)
{
    (void)state;
    rig_each(functions, check_out);
}

static void check_no_place(struct busbar_object *object)
{
    double (*split)(double, int32_t *) = rig_get(object, "frexp");
    unsigned before = entered;
    assert_true(isnan(split(8.0, NULL)));
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "frexp(d>d*i), C argument 2");
    assert_int_equal(entered, before);
}

static void a_result_needs_a_place(void **state)
{
    (void)state;
    rig_each(functions, check_no_place);
}

static enum busbar_status lose(void *context, const struct busbar_object_call *call,
                               struct busbar_value **ret)
{
    (void)context;
    (void)call;
    *ret = busbar_value_text("left behind");
    return busbar_fail(BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, "lost");
}

static void a_failure_gives_zero_null_and_nan(void **state)
{
    (void)state;
    static const struct busbar_object_class class = {.kind = "loser", .call = lose};
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_object_new(&object, &class, NULL), BUSBAR_OK);
    bool (*b)(void) = busbar_function_as(object, "b", ">b");
    int64_t (*l)(void) = busbar_function_as(object, "l", ">l");
    float (*f)(void) = busbar_function_as(object, "f", ">f");
    char *(*s)(char *) = busbar_function_as(object, "s", "S>S");
    double (*out)(double *, float *, int32_t *, const char **) = busbar_function_as(object, "out",
                                                                                    ">d*d*f*i*s");
    const void *(*y)(size_t *) = busbar_function_as(object, "y", ">y");
    const void *(*y4)(uint32_t *) = busbar_function_as(object, "y4", ">y4");
    double d = 1;
    float f_out = 1;
    int32_t i = 1;
    const char *text = "before";
    size_t size = 1;
    uint32_t size32 = 1;
    assert_false(b());
    assert_int_equal(l(), 0);
    assert_true(isnan(f()));
    assert_null(s(strdup("taken")));
    assert_true(isnan(out(&d, &f_out, &i, &text)));
    assert_true(isnan(d) && isnan(f_out) && i == 0 && text == NULL);
    assert_null(y(&size));
    assert_null(y4(&size32));
    assert_true(size == 0 && size32 == 0);
    rig_assert_outcome(BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, "lost");
    busbar_object_destroy(&object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_go_in_and_come_out_as_they_are),
        cmocka_unit_test(sixteen_arguments_keep_their_order),
        cmocka_unit_test(a_function_may_take_and_give_nothing),
        cmocka_unit_test(strings_and_bytes_are_passed_with_their_sizes),
        cmocka_unit_test(any_value_goes_both_ways),
        cmocka_unit_test(arguments_that_do_not_fit_keep_the_function_from_being_entered),
        cmocka_unit_test(results_are_written_through_pointers),
        cmocka_unit_test(a_result_needs_a_place),
        cmocka_unit_test(a_failure_gives_zero_null_and_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
