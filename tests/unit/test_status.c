/* The table of statuses: names, texts, and what becomes of codes it does not have. */
#include <busbar/status.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_status_has_a_name_and_a_text(void **state)
{
    (void)state;
#define CHECK(code, name, text)                                                                    \
    assert_int_equal(BUSBAR_##name, code);                                                         \
    assert_string_equal(busbar_status_name(BUSBAR_##name), #name);                                 \
    assert_string_equal(busbar_status_text(BUSBAR_##name), text);                                  \
    assert_string_not_equal(busbar_status_text(BUSBAR_##name), "");
    BUSBAR_STATUS_TABLE(CHECK)
#undef CHECK
}

static void success_is_zero(void **state)
{
    (void)state;
    assert_int_equal(BUSBAR_OK, 0);
}

static void codes_outside_the_table_are_unknown(void **state)
{
    (void)state;
    static const int codes[] = {-1, 20, 63, 70, 255, 65536};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_string_equal(busbar_status_name((enum busbar_status)codes[i]), "UNKNOWN");
        assert_non_null(busbar_status_text((enum busbar_status)codes[i]));
    }
}

static void codes_that_travel_fit_below_64(void **state)
{
    (void)state;
    assert_true(BUSBAR_CONFLICT < 64);
    assert_true(BUSBAR_FORKED >= 64);
}

static void fates_have_names(void **state)
{
    (void)state;
    assert_string_equal(busbar_fate_name(BUSBAR_NOT_EXECUTED), "not executed");
    assert_string_equal(busbar_fate_name(BUSBAR_MAYBE_EXECUTED), "maybe executed");
    assert_string_equal(busbar_fate_name(BUSBAR_EXECUTED), "executed");
    assert_string_equal(busbar_fate_name((enum busbar_fate)3), "unknown");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_and_a_text),
        cmocka_unit_test(success_is_zero),
        cmocka_unit_test(codes_outside_the_table_are_unknown),
        cmocka_unit_test(codes_that_travel_fit_below_64),
        cmocka_unit_test(fates_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
