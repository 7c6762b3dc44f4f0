/* Results of calls: C to a value and back, by a table; what is refused, and freed all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "marshal_text.h"

static const struct {
    const char *signature;
    const char *value;
    const char *back; /* NULL: the same */
} fitting[] = {
    {">", "null", NULL},
    {">b", "true", NULL},
    {">i", "-2147483648", NULL},
    {">u", "4294967295", NULL},
    {">l", "-9223372036854775808", NULL},
    {">d", "{\"$float\":\"nan\"}", NULL},
    {">d", "2", "2.0"},
    {">f", "0.5", NULL},
    {">s", "\"text\"", NULL},
    {">s", "null", NULL},
    {">S", "\"\"", NULL},
    {">S", "null", NULL},
    {">y", "{\"$bytes\":\"AAH/\"}", NULL},
    {">y", "{\"$bytes\":\"\"}", NULL},
    {">y", "null", NULL},
    {">Y", "\"text\"", "{\"$bytes\":\"dGV4dA==\"}"},
    {">y4", "{\"$bytes\":\"AAH/\"}", NULL},
    {">Y4", "null", NULL},
    {">as", "[]", NULL},
    {">as", "[\"a\",\"\",\"bcd\"]", NULL},
    {">as", "null", NULL},
    {">AS", "[]", NULL},
    {">AS", "[\"a\",\"\",\"bcd\"]", NULL},
    {">AS", "null", NULL},
    {">v", "{\"a\":[1,null,{\"$bytes\":\"\"}]}", NULL},
    {">v", "null", NULL},
    {">d*i", "[0.5,3]", NULL},
    {">*i", "3", NULL},
    {">*b*i*u*l*d*f*s*S", "[true,1,2,3,4.0,5.0,\"6\",\"7\"]", NULL},
    {">y*s*S", "[null,null,null]", NULL},
    {">v*i", "[null,1]", NULL},
    {">v*i", "[[[]],1]", NULL},
};

static void results_become_c_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fitting); i++) {
        struct signature signature = parsed(fitting[i].signature);
        struct marshal_item items[SIGNATURE_ITEMS_MAX];
        struct marshal_item kept[SIGNATURE_ITEMS_MAX];
        char reason[MARSHAL_REASON_SIZE] = "";
        VALUE value = value_of(fitting[i].value);
        VALUE wanted = value_of(fitting[i].back != NULL ? fitting[i].back : fitting[i].value);
        VALUE again = NULL;
        if (marshal_results(items, &signature, value, reason) != BUSBAR_OK)
            fail_msg("%s of %s: %s", fitting[i].value, fitting[i].signature, reason);
        memcpy(kept, items, sizeof kept);
        assert_int_equal(marshal_check_results(items, &signature, reason), BUSBAR_OK);
        assert_int_equal(marshal_results_value(&again, items, &signature, reason), BUSBAR_OK);
        free_kept(kept, &signature);
        assert_equal(again, wanted, fitting[i].signature);
    }
}

static const struct {
    const char *signature;
    const char *value;
    const char *reason;
} unfit[] = {
    {">", "5", "there must be no result, not 5"},
    {">d", "null", "the result must be a double, not null"},
    {">b", "0", "the result must be true or false, not 0"},
    {">i", "2147483648",
     "the result must be an integer from -2147483648 to 2147483647, not 2147483648"},
    {">s", "{\"$bytes\":\"\"}", "the result must be a string, not bytes"},
    {">S", "\"a\\u0000b\"", "the result must be a string without NUL bytes inside"},
    {">as", "[null]", "the result must be a list of strings, but its item 1 is null"},
    {">y", "1.5", "the result must be bytes, not the double 1.5"},
    {">d*i", "0.5", "the result must be a list of 2, not the double 0.5"},
    {">d*i", "[0.5]", "the result must be a list of 2, not of 1"},
    {">S*i", "[\"text\",\"x\"]",
     "result 2 must be an integer from -2147483648 to 2147483647, not a string"},
};

static void values_that_are_not_the_result_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
        struct signature signature = parsed(unfit[i].signature);
        struct marshal_item items[SIGNATURE_ITEMS_MAX];
        char reason[MARSHAL_REASON_SIZE] = "";
        VALUE value = value_of(unfit[i].value);
        assert_int_equal(marshal_results(items, &signature, value, reason), BUSBAR_BAD_REQUEST);
        assert_string_equal(reason, unfit[i].reason);
    }
}

static char **texts_of(const char *first)
{
    char **texts = calloc(2, sizeof *texts);
    assert_non_null(texts);
    texts[0] = strdup(first);
    return texts;
}

static void results_that_no_value_can_hold_are_refused_and_freed(void **state)
{
    (void)state;
    struct signature signature = parsed(">AS*s*S");
    struct marshal_item items[SIGNATURE_ITEMS_MAX] = {{.cell.pointer = texts_of("text")},
                                                      {.cell.pointer = (void *)"\xff"},
                                                      {.cell.pointer = strdup("c")}};
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE value = NULL;
    assert_int_equal(marshal_results_value(&value, items, &signature, reason), BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "result 2 is not UTF-8");
    assert_null(value);

    signature = parsed(">AS");
    items[0].cell.pointer = texts_of("\xc0\x80");
    assert_int_equal(marshal_results_value(&value, items, &signature, reason), BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "the result is not UTF-8 in its item 1");

    signature = parsed(">y");
    items[0] = (struct marshal_item){.cell.pointer = (void *)"", .size = (size_t)UINT32_MAX + 1};
    assert_int_equal(marshal_results_value(&value, items, &signature, reason), BUSBAR_BAD_REQUEST);
    assert_string_equal(reason,
                        "the result has 4294967296 bytes, which is more than a value can have");
    assert_null(value);
}

static void a_value_among_several_results_may_be_too_deep(void **state)
{
    (void)state;
    struct signature signature = parsed(">v*i");
    char reason[MARSHAL_REASON_SIZE] = "";
    struct marshal_item items[SIGNATURE_ITEMS_MAX] = {{.cell.pointer = highest_value()}};
    VALUE value = NULL;
    assert_int_equal(marshal_results_value(&value, items, &signature, reason), BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, "result 1 is nested too deeply");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_become_c_and_come_back),
        cmocka_unit_test(values_that_are_not_the_result_are_refused),
        cmocka_unit_test(results_that_no_value_can_hold_are_refused_and_freed),
        cmocka_unit_test(a_value_among_several_results_may_be_too_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
