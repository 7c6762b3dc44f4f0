/* Calls from C values told by letters. */
#include <busbar/object.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/function_rig.h"

static enum busbar_status echo(void *context, const struct busbar_object_call *call,
                               struct busbar_value **ret)
{
    (void)context;
    *ret = busbar_value_copy(call->arguments);
    return BUSBAR_OK;
}

static const struct busbar_object_class echo_class = {.kind = "echo", .call = echo};

static int setup(void **state)
{
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_object_new(&object, &echo_class, NULL), BUSBAR_OK);
    *state = object;
    return 0;
}

static int teardown(void **state)
{
    struct busbar_object *object = *state;
    busbar_object_destroy(&object);
    return 0;
}

static void numbers_become_the_values_they_are(void **state)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    assert_int_equal(busbar_call(*state, "m", &list, "biulldf", true, INT32_MIN, UINT32_MAX,
                                 INT64_MIN, INT64_MAX, (double)NAN, 1.5f),
                     BUSBAR_OK);
    assert_int_equal(busbar_value_count(list), 7);
    assert_true(busbar_value_as_bool(busbar_value_at(list, 0)));
    assert_true(busbar_value_as_int64(busbar_value_at(list, 1)) == INT32_MIN);
    assert_true(busbar_value_as_int64(busbar_value_at(list, 2)) == UINT32_MAX);
    assert_true(busbar_value_as_int64(busbar_value_at(list, 3)) == INT64_MIN);
    assert_true(busbar_value_as_int64(busbar_value_at(list, 4)) == INT64_MAX);
    assert_true(isnan(busbar_value_as_double(busbar_value_at(list, 5))));
    assert_true(busbar_value_as_double(busbar_value_at(list, 6)) == 1.5);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void pointers_become_values_and_owned_ones_are_freed(void **state)
{
    static const char *const strings[] = {"a", "b", NULL};
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *number = busbar_value_int64(7);
    char **owned = calloc(2, sizeof *owned);
    owned[0] = strdup("c");
    assert_int_equal(busbar_call(*state, "m", &list, "sSyY4asASvs?", "text", strdup("mine"), "\0x",
                                 (size_t)2, malloc(1), (uint32_t)0, strings, owned, number, NULL),
                     BUSBAR_OK);
    assert_int_equal(busbar_value_count(list), 8);
    assert_string_equal(busbar_value_as_text(busbar_value_at(list, 0)), "text");
    assert_string_equal(busbar_value_as_text(busbar_value_at(list, 1)), "mine");
    size_t size = 0;
    assert_memory_equal(busbar_value_data(busbar_value_at(list, 2), &size), "\0x", 2);
    assert_int_equal(size, 2);
    assert_int_equal(busbar_value_type(busbar_value_at(list, 3)), BUSBAR_BYTES);
    assert_int_equal(busbar_value_count(busbar_value_at(list, 4)), 2);
    assert_int_equal(busbar_value_count(busbar_value_at(list, 5)), 1);
    assert_int_equal(busbar_value_as_int64(busbar_value_at(list, 6)), 7);
    assert_int_equal(busbar_value_type(busbar_value_at(list, 7)), BUSBAR_NULL);
}

static void a_call_may_have_no_arguments_and_want_no_result(void **state)
{
    assert_int_equal(busbar_call(*state, "m", NULL, ""), BUSBAR_OK);
}

static void what_does_not_fit_is_refused_and_owned_arguments_are_freed(void **state)
{
    struct busbar_value *result = (struct busbar_value *)*state;
    assert_int_equal(busbar_call(*state, "m", &result, "Ss", strdup("freed"), NULL),
                     BUSBAR_BAD_REQUEST);
    assert_null(result);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                       "echo: argument 2 of m(Ss) must not be NULL");
    assert_int_equal(busbar_call(*state, "m", NULL, "S", strdup("\xff")), BUSBAR_BAD_REQUEST);
    assert_int_equal(busbar_call(*state, "a.b", NULL, "S", strdup("x")), BUSBAR_BAD_REQUEST);
    assert_int_equal(busbar_call(NULL, "m", NULL, "S", strdup("x")), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_call(*state, NULL, NULL, "S", strdup("x")), BUSBAR_BAD_ARGUMENT);
}

static void letters_that_are_none_are_refused(void **state)
{
    assert_int_equal(busbar_call(*state, "m", NULL, "q", 1), BUSBAR_BAD_REQUEST);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "echo: no type 'q'");
    assert_int_equal(busbar_call(*state, "m", NULL, "s>s", "text"), BUSBAR_BAD_REQUEST);
    assert_int_equal(busbar_call(*state, "m", NULL, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_call(NULL, "m", NULL, "q", 1), BUSBAR_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_become_the_values_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(pointers_become_values_and_owned_ones_are_freed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_call_may_have_no_arguments_and_want_no_result, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused_and_owned_arguments_are_freed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(letters_that_are_none_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
