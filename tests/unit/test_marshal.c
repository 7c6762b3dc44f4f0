/* Values to C and back, by tables of signatures and of JSON text; what does not fit, and why. */
#include "objects/marshal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "marshal_text.h"

/* Arguments ----------------------------------------------------------------------------------- */

static const struct {
    const char *signature;
    const char *list;
    const char *back; /* NULL: the same */
} fitting[] = {
    {">", "[]", NULL},
    {"b>", "[true]", NULL},
    {"b>", "[false]", NULL},
    {"i>", "[2147483647]", NULL},
    {"i>", "[-2147483648]", NULL},
    {"u>", "[0]", NULL},
    {"u>", "[4294967295]", NULL},
    {"l>", "[-9223372036854775808]", NULL},
    {"l>", "[9223372036854775807]", NULL},
    {"d>", "[0.1]", NULL},
    {"d>", "[-0.0]", NULL},
    {"d>", "[{\"$float\":\"nan\"}]", NULL},
    {"d>", "[{\"$float\":\"-inf\"}]", NULL},
    {"d>", "[2]", "[2.0]"},
    {"d>", "[9007199254740992]", "[9007199254740992.0]"},
    {"d>", "[-9223372036854775808]", "[-9223372036854775808.0]"},
    {"d>", "[{\"$uint64\":\"9223372036854775808\"}]", "[9223372036854775808.0]"},
    {"f>", "[0.5]", NULL},
    {"f>", "[0.1]", "[0.10000000149011612]"},
    {"f>", "[3.4028234663852886e+38]", NULL},
    {"f>", "[1e-300]", "[0.0]"},
    {"ff>", "[{\"$float\":\"nan\"},{\"$float\":\"inf\"}]", NULL},
    {"f>", "[-16777216]", "[-16777216.0]"},
    {"s>", "[\"\"]", NULL},
    {"S>", "[\"na\\u00efve\"]", "[\"na\xc3\xafve\"]"},
    {"y>", "[{\"$bytes\":\"\"}]", NULL},
    {"y>", "[{\"$bytes\":\"AAH/\"}]", NULL},
    {"Y>", "[{\"$bytes\":\"AAH/\"}]", NULL},
    {"y4>", "[{\"$bytes\":\"AAH/\"}]", NULL},
    {"Y4>", "[{\"$bytes\":\"\"}]", NULL},
    {"y>", "[\"a\\u0000b\"]", "[{\"$bytes\":\"YQBi\"}]"},
    {"as>", "[[]]", NULL},
    {"as>", "[[\"a\",\"\",\"b\"]]", NULL},
    {"AS>", "[[]]", NULL},
    {"AS>", "[[\"a\",\"\",\"b\"]]", NULL},
    {"v>", "[null]", NULL},
    {"v>", "[{\"a\":[1,2.0,\"x\\u0000y\"]}]", NULL},
    {"s?S?y?Y?y4?Y4?as?AS?>", "[null,null,null,null,null,null,null,null]", NULL},
    {"s?S?as?AS?>", "[\"a\",\"b\",[\"c\"],[\"d\"]]", NULL},
    {"biuldfsSasv>", "[true,1,2,3,4.0,5.0,\"6\",\"7\",[\"8\"],9]", NULL},
};

static void assert_comes_back(const char *text, const char *json, const char *back)
{
    struct signature signature = parsed(text);
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE list = value_of(json);
    VALUE again = NULL;
    if (marshal_arguments(items, &signature, "f", list, reason) != BUSBAR_OK)
        fail_msg("%s of %s: %s", json, text, reason);
    assert_int_equal(marshal_check(items, &signature, "f", reason), BUSBAR_OK);
    assert_int_equal(marshal_arguments_list(&again, items, &signature, "f", reason), BUSBAR_OK);
    marshal_arguments_fini(items, &signature, false);
    VALUE wanted = value_of(back);
    assert_equal(again, wanted, text);
}

static void values_that_fit_become_c_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fitting); i++) {
        const char *back = fitting[i].back != NULL ? fitting[i].back : fitting[i].list;
        assert_comes_back(fitting[i].signature, fitting[i].list, back);
    }
}

static const struct {
    const char *signature;
    const char *list;
    const char *reason;
} unfit[] = {
    {"dd>d", "[2.0]", "f(dd>d) takes 2 arguments, not 1"},
    {"d>d", "[]", "f(d>d) takes 1 argument, not 0"},
    {">", "[null]", "f(>) takes 0 arguments, not 1"},
    {"dd>d", "[2.0,\"x\"]", "argument 2 of f(dd>d) must be a double, not a string"},
    {"dd>d", "{}", "the arguments of f(dd>d) must be a list, not a map"},
    {"b>", "[1]", "argument 1 of f(b>) must be true or false, not 1"},
    {"b>", "[null]", "argument 1 of f(b>) must be true or false, not null"},
    {"i>", "[2147483648]",
     "argument 1 of f(i>) must be an integer from -2147483648 to 2147483647, not 2147483648"},
    {"i>", "[-2147483649]",
     "argument 1 of f(i>) must be an integer from -2147483648 to 2147483647, not -2147483649"},
    {"i>", "[1.0]",
     "argument 1 of f(i>) must be an integer from -2147483648 to 2147483647, not the "
     "double 1"},
    {"i>", "[true]",
     "argument 1 of f(i>) must be an integer from -2147483648 to 2147483647, not true"},
    {"u>", "[-1]", "argument 1 of f(u>) must be an integer from 0 to 4294967295, not -1"},
    {"u>", "[4294967296]",
     "argument 1 of f(u>) must be an integer from 0 to 4294967295, not 4294967296"},
    {"l>", "[{\"$uint64\":\"18446744073709551615\"}]",
     "argument 1 of f(l>) must be an integer from -9223372036854775808 to 9223372036854775807, not "
     "18446744073709551615"},
    {"d>", "[9007199254740993]",
     "argument 1 of f(d>) must be a double, which cannot be 9007199254740993 exactly"},
    {"d>", "[{\"$uint64\":\"18446744073709551615\"}]",
     "argument 1 of f(d>) must be a double, which cannot be 18446744073709551615 exactly"},
    {"f>", "[16777217]", "argument 1 of f(f>) must be a float, which cannot be 16777217 exactly"},
    {"f>", "[3.4028234663852889e+38]",
     "argument 1 of f(f>) must be a float, of at most 3.4e38, not the double "
     "3.40282346638529e+38"},
    {"f>", "[-1e300]",
     "argument 1 of f(f>) must be a float, of at most 3.4e38, not the double "
     "-1e+300"},
    {"f>", "[[]]", "argument 1 of f(f>) must be a float, not a list"},
    {"s>", "[null]", "argument 1 of f(s>) must be a string, not null"},
    {"s>", "[{\"$bytes\":\"YQ==\"}]", "argument 1 of f(s>) must be a string, not bytes"},
    {"s>", "[\"a\\u0000b\"]", "argument 1 of f(s>) must be a string without NUL bytes inside"},
    {"S>", "[\"a\\u0000b\"]", "argument 1 of f(S>) must be a string without NUL bytes inside"},
    {"s?>", "[5]", "argument 1 of f(s?>) must be a string, not 5"},
    {"y>", "[null]", "argument 1 of f(y>) must be bytes, not null"},
    {"y4>", "[[1,2]]", "argument 1 of f(y4>) must be bytes, not a list"},
    {"as>", "[null]", "argument 1 of f(as>) must be a list of strings, not null"},
    {"as>", "[\"a\"]", "argument 1 of f(as>) must be a list of strings, not a string"},
    {"as>", "[[\"a\",null]]",
     "argument 1 of f(as>) must be a list of strings, but its item 2 is null"},
    {"AS>", "[[\"a\\u0000b\"]]",
     "argument 1 of f(AS>) must be a list of strings, but its item 1 has a NUL byte"},
    {"AS>", "[[{\"$ext\":[5,\"\"]}]]",
     "argument 1 of f(AS>) must be a list of strings, but its item 1 is an ext"},
    {"sSYASi>", "[\"a\",\"b\",\"c\",[\"d\"],{\"$time\":[0,0]}]",
     "argument 5 of f(sSYASi>) must be an integer from -2147483648 to 2147483647, not a timestamp"},
};

static void values_that_do_not_fit_are_refused_with_the_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
        struct signature signature = parsed(unfit[i].signature);
        struct marshal_item items[SIGNATURE_ITEMS_MAX];
        char reason[MARSHAL_REASON_SIZE] = "";
        VALUE list = value_of(unfit[i].list);
        assert_int_equal(marshal_arguments(items, &signature, "f", list, reason),
                         BUSBAR_BAD_REQUEST);
        assert_string_equal(reason, unfit[i].reason);
    }
}

static void no_list_is_an_empty_list(void **state)
{
    (void)state;
    struct signature signature = parsed(">");
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    assert_int_equal(marshal_arguments(items, &signature, "f", NULL, reason), BUSBAR_OK);
    signature = parsed("s?>");
    assert_int_equal(marshal_arguments(items, &signature, "f", NULL, reason), BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "f(s?>) takes 1 argument, not 0");
}

static void a_long_method_leaves_room_for_what_is_wrong(void **state)
{
    (void)state;
    struct signature signature = parsed(
        "AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?l>*i*i*i*i*i*i*i");
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    char method[128];
    memset(method, 'm', sizeof method - 1);
    method[sizeof method - 1] = '\0';
    VALUE list = value_of("[null,null,null,null,null,null,null,null,null,null,null,null,null,null,"
                          "null,{\"$uint64\":\"18446744073709551615\"}]");
    assert_int_equal(marshal_arguments(items, &signature, method, list, reason),
                     BUSBAR_BAD_REQUEST);
    assert_non_null(strstr(reason, "must be an integer from -9223372036854775808 to "));
}

static void owned_arguments_are_copies_and_borrowed_ones_are_not(void **state)
{
    (void)state;
    struct signature signature = parsed("sSyYv>");
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE list = value_of("[\"a\",\"b\",\"c\",\"d\",5]");
    assert_int_equal(marshal_arguments(items, &signature, "f", list, reason), BUSBAR_OK);
    assert_ptr_equal(items[0].cell.pointer, busbar_value_as_text(busbar_value_at(list, 0)));
    assert_ptr_not_equal(items[1].cell.pointer, busbar_value_as_text(busbar_value_at(list, 1)));
    assert_ptr_equal(items[2].cell.pointer, busbar_value_as_text(busbar_value_at(list, 2)));
    assert_int_equal(items[2].size, 1);
    assert_ptr_not_equal(items[3].cell.pointer, busbar_value_as_text(busbar_value_at(list, 3)));
    assert_ptr_equal(items[4].cell.pointer, busbar_value_at(list, 4));
    marshal_arguments_fini(items, &signature, true);
    assert_null(items[1].cell.pointer);
}

/* C arguments --------------------------------------------------------------------------------- */

static const char *const good_texts[] = {"a", "b", NULL};
static const char *const bad_texts[] = {"a", "\xff", NULL};

static const struct {
    const char *signature;
    const void *pointer;
    size_t size;
    const char *reason; /* NULL: it is taken */
} pointers[] = {
    {"s>", "text", 0, NULL},
    {"s>", NULL, 0, "argument 1 of f(s>) must not be NULL"},
    {"s>", "\xc3(", 0, "argument 1 of f(s>) is not UTF-8"},
    {"s?>", NULL, 0, NULL},
    {"s?>", "\xff", 0, "argument 1 of f(s?>) is not UTF-8"},
    {"as>", good_texts, 0, NULL},
    {"as>", bad_texts, 0, "argument 1 of f(as>) is not UTF-8 in its item 2"},
    {"as>", NULL, 0, "argument 1 of f(as>) must not be NULL"},
    {"as?>", NULL, 0, NULL},
    {"y>", "\xff", 1, NULL},
    {"y>", "", 0, NULL},
    {"y>", NULL, 0, "argument 1 of f(y>) must not be NULL"},
    {"y?>", NULL, 7, NULL},
    {"y>", "", (size_t)UINT32_MAX + 1,
     "argument 1 of f(y>) has 4294967296 bytes, which is more than a value can have"},
    {"y4>", NULL, 0, "argument 1 of f(y4>) must not be NULL"},
    {"v>", NULL, 0, NULL},
};

static void c_arguments_are_checked_without_values_and_with_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
        struct signature signature = parsed(pointers[i].signature);
        struct marshal_item items[SIGNATURE_ITEMS_MAX] = {
            {.cell.pointer = (void *)pointers[i].pointer, .size = pointers[i].size}};
        char reason[MARSHAL_REASON_SIZE] = "";
        char again[MARSHAL_REASON_SIZE] = "";
        VALUE list = NULL;
        enum busbar_status expected = pointers[i].reason != NULL ? BUSBAR_BAD_REQUEST : BUSBAR_OK;
        assert_int_equal(marshal_check(items, &signature, "f", reason), expected);
        assert_int_equal(marshal_arguments_list(&list, items, &signature, "f", again), expected);
        assert_true((list == NULL) == (expected != BUSBAR_OK));
        assert_string_equal(reason, again);
        if (pointers[i].reason != NULL)
            assert_string_equal(reason, pointers[i].reason);
    }
}

static void owned_c_arguments_are_freed_when_one_is_refused(void **state)
{
    (void)state;
    struct signature signature = parsed("SYASs>");
    char **texts = calloc(2, sizeof *texts);
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE list = NULL;
    assert_non_null(texts);
    texts[0] = strdup("item");
    const struct marshal_item items[SIGNATURE_ITEMS_MAX] = {
        {.cell.pointer = strdup("text")},
        {.cell.pointer = malloc(3), .size = 3},
        {.cell.pointer = texts},
        {.cell.pointer = NULL},
    };
    assert_int_equal(marshal_arguments_list(&list, items, &signature, "f", reason),
                     BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "argument 4 of f(SYASs>) must not be NULL");
    assert_null(list);
}

static void what_is_nested_too_deeply_is_refused(void **state)
{
    (void)state;
    struct signature signature = parsed("v>");
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE highest = highest_value();
    VALUE list = NULL;
    const struct marshal_item items[SIGNATURE_ITEMS_MAX] = {{.cell.pointer = highest}};
    assert_int_equal(marshal_arguments_list(&list, items, &signature, "f", reason),
                     BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "an argument of f(v>) is nested too deeply");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_fit_become_c_and_come_back),
        cmocka_unit_test(values_that_do_not_fit_are_refused_with_the_signature),
        cmocka_unit_test(no_list_is_an_empty_list),
        cmocka_unit_test(a_long_method_leaves_room_for_what_is_wrong),
        cmocka_unit_test(owned_arguments_are_copies_and_borrowed_ones_are_not),
        cmocka_unit_test(c_arguments_are_checked_without_values_and_with_them),
        cmocka_unit_test(owned_c_arguments_are_freed_when_one_is_refused),
        cmocka_unit_test(what_is_nested_too_deeply_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
