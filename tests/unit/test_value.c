/* Values as a caller sees them: constructors, readers, lists, maps, equality. */
#include <busbar/value.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

static void append(struct busbar_value *list, struct busbar_value *element)
{
    assert_int_equal(busbar_value_append(list, &element), BUSBAR_OK);
    assert_null(element);
}

static void set(struct busbar_value *map, const char *key, struct busbar_value *value)
{
    assert_int_equal(busbar_value_set(map, key, &value), BUSBAR_OK);
    assert_null(value);
}

static void integers_above_int64_max_alone_are_uint64(void **state)
{
    (void)state;
    VALUE small = busbar_value_uint64(INT64_MAX);
    VALUE large = busbar_value_uint64((uint64_t)INT64_MAX + 1);
    VALUE negative = busbar_value_int64(-1);
    assert_int_equal(busbar_value_type(small), BUSBAR_INT64);
    assert_int_equal(busbar_value_as_uint64(small), INT64_MAX);
    assert_int_equal(busbar_value_type(large), BUSBAR_UINT64);
    assert_true(busbar_value_as_uint64(large) == (uint64_t)INT64_MAX + 1);
    assert_int_equal(busbar_value_as_int64(large), 0);
    assert_int_equal(busbar_value_as_uint64(negative), 0);
    assert_true(busbar_value_as_double(negative) == -1.0);
    assert_true(busbar_value_as_double(large) == 9223372036854775808.0);
}

static void readers_of_another_type_return_zero(void **state)
{
    (void)state;
    VALUE text = busbar_value_text("5");
    const struct busbar_value *values[] = {NULL, text};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        int64_t seconds = 7;
        uint32_t nanoseconds = 7;
        busbar_value_as_timestamp(values[i], &seconds, &nanoseconds);
        assert_int_equal(seconds, 0);
        assert_int_equal(nanoseconds, 0);
        assert_false(busbar_value_as_bool(values[i]));
        assert_int_equal(busbar_value_as_int64(values[i]), 0);
        assert_int_equal(busbar_value_as_uint64(values[i]), 0);
        assert_true(busbar_value_as_double(values[i]) == 0.0);
        assert_int_equal(busbar_value_ext_type(values[i]), 0);
        assert_int_equal(busbar_value_count(values[i]), 0);
        assert_null(busbar_value_at(values[i], 0));
        assert_null(busbar_value_key_at(values[i], 0));
        assert_null(busbar_value_value_at(values[i], 0));
        assert_null(busbar_value_get(values[i], "5"));
        assert_null(busbar_value_class(values[i]));
    }
    size_t size = 7;
    assert_null(busbar_value_data(NULL, &size));
    assert_int_equal(size, 0);
    assert_int_equal(busbar_value_type(NULL), BUSBAR_NULL);
}

static void data_ends_with_a_nul_that_is_not_counted(void **state)
{
    (void)state;
    VALUE bytes = busbar_value_bytes("\xff\x00\x01", 3);
    VALUE empty = busbar_value_bytes(NULL, 0);
    size_t size = 0;
    const char *data = busbar_value_data(bytes, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "\xff\x00\x01", 4);
    assert_string_equal(busbar_value_data(empty, &size), "");
    assert_int_equal(size, 0);
    assert_null(busbar_value_as_text(bytes));
}

static void a_string_with_a_nul_inside_is_no_c_text(void **state)
{
    (void)state;
    VALUE string = busbar_value_string("a\0b", 3);
    VALUE text = busbar_value_text("ab");
    size_t size = 0;
    assert_memory_equal(busbar_value_data(string, &size), "a\0b", 4);
    assert_int_equal(size, 3);
    assert_null(busbar_value_as_text(string));
    assert_string_equal(busbar_value_as_text(text), "ab");
}

static void strings_that_are_not_utf8_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80",
        "a\xff",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xe2\x28\xa1",
        "12345678\xc3",
        "1234567\xc3(",
    };
    static const char *const right[] = {
        "",
        "a",
        "\xc2\x80",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "1234567\xc3\xa9",
        "12345678\xc3\xa9",
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_null(busbar_value_text(wrong[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        VALUE text = busbar_value_text(right[i]);
        assert_non_null(text);
    }
    assert_null(busbar_value_text(NULL));
}

static void impossible_timestamps_and_exts_are_refused(void **state)
{
    (void)state;
    assert_null(busbar_value_timestamp(0, 1000000000));
    assert_null(busbar_value_ext(-1, "1234", 4));
    VALUE ext = busbar_value_ext(-128, "x", 1);
    assert_int_equal(busbar_value_ext_type(ext), -128);
}

static void a_list_keeps_its_elements_in_order(void **state)
{
    (void)state;
    VALUE list = busbar_value_list();
    for (int64_t i = 0; i < 1000; i++) {
        append(list, busbar_value_int64(i * i));
    }
    assert_int_equal(busbar_value_count(list), 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(busbar_value_as_int64(busbar_value_at(list, i)), (int64_t)(i * i));
    }
    assert_null(busbar_value_at(list, 1000));
}

static void a_map_keeps_its_pairs_in_order(void **state)
{
    (void)state;
    VALUE map = busbar_value_map();
    char key[16];
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "k%d", 299 - i);
        set(map, key, busbar_value_int64(i));
    }
    assert_int_equal(busbar_value_count(map), 300);
    assert_string_equal(busbar_value_as_text(busbar_value_key_at(map, 0)), "k299");
    assert_int_equal(busbar_value_as_int64(busbar_value_value_at(map, 299)), 299);
    assert_int_equal(busbar_value_as_int64(busbar_value_get(map, "k100")), 199);
    assert_null(busbar_value_get(map, "k300"));
    assert_null(busbar_value_key_at(map, 300));
}

static void putting_an_equal_key_replaces_its_value_in_place(void **state)
{
    (void)state;
    VALUE map = busbar_value_map();
    set(map, "a", busbar_value_list());
    set(map, "b", busbar_value_int64(2));
    set(map, "a", busbar_value_int64(3));
    assert_int_equal(busbar_value_count(map), 2);
    assert_int_equal(busbar_value_as_int64(busbar_value_value_at(map, 0)), 3);
}

static void keys_of_other_types_are_other_keys(void **state)
{
    (void)state;
    VALUE map = busbar_value_map();
    struct busbar_value *keys[] = {
        busbar_value_null(),         busbar_value_bool(false),     busbar_value_int64(1),
        busbar_value_double(1.0),    busbar_value_double(0.0),     busbar_value_double(-0.0),
        busbar_value_text("1"),      busbar_value_bytes("1", 1),   busbar_value_ext(1, "1", 1),
        busbar_value_ext(2, "1", 1), busbar_value_timestamp(1, 0), busbar_value_timestamp(1, 1),
    };
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct busbar_value *value = busbar_value_int64((int64_t)i);
        assert_int_equal(busbar_value_put(map, &keys[i], &value), BUSBAR_OK);
        assert_null(keys[i]);
    }
    assert_int_equal(busbar_value_count(map), ARRAY_SIZE(keys));
}

static void keys_that_cannot_be_are_refused_and_freed(void **state)
{
    (void)state;
    VALUE map = busbar_value_map();
    struct busbar_value *keys[] = {busbar_value_list(), busbar_value_map(),
                                   busbar_value_text("$class")};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct busbar_value *value = busbar_value_text("x");
        assert_int_equal(busbar_value_put(map, &keys[i], &value), BUSBAR_BAD_ARGUMENT);
        assert_null(keys[i]);
        assert_null(value);
    }
    struct busbar_value *value = busbar_value_text("x");
    assert_int_equal(busbar_value_set(map, "\xff", &value), BUSBAR_BAD_ARGUMENT);
    assert_null(value);
    assert_int_equal(busbar_value_count(map), 0);
}

static void null_pointers_fail_as_out_of_memory(void **state)
{
    (void)state;
    VALUE list = busbar_value_list();
    VALUE map = busbar_value_map();
    struct busbar_value *none = NULL;
    struct busbar_value *element = busbar_value_null();
    void *data = NULL;
    size_t size = 0;
    assert_int_equal(busbar_value_append(list, &none), BUSBAR_NO_MEMORY);
    assert_int_equal(busbar_value_set(map, "a", &none), BUSBAR_NO_MEMORY);
    assert_int_equal(busbar_value_append(NULL, &element), BUSBAR_NO_MEMORY);
    assert_null(element);
    assert_int_equal(busbar_value_set_class(NULL, "a"), BUSBAR_NO_MEMORY);
    assert_int_equal(busbar_value_encode(NULL, &data, &size), BUSBAR_NO_MEMORY);
    busbar_value_destroy(NULL);
    busbar_value_destroy(&none);
}

static void containers_of_another_type_are_refused(void **state)
{
    (void)state;
    VALUE list = busbar_value_list();
    VALUE map = busbar_value_map();
    struct busbar_value *element = busbar_value_null();
    assert_int_equal(busbar_value_append(map, &element), BUSBAR_BAD_ARGUMENT);
    assert_null(element);
    element = busbar_value_null();
    assert_int_equal(busbar_value_set(list, "a", &element), BUSBAR_BAD_ARGUMENT);
    assert_null(element);
    assert_int_equal(busbar_value_set_class(list, "A"), BUSBAR_BAD_ARGUMENT);
}

/* A list that holds a list that holds …, `depth` of them. */
static struct busbar_value *nested(int depth)
{
    struct busbar_value *inner = busbar_value_list();
    for (int i = 1; i < depth; i++) {
        struct busbar_value *outer = busbar_value_list();
        append(outer, inner);
        inner = outer;
    }
    return inner;
}

static void a_tree_deeper_than_32_cannot_be_built(void **state)
{
    (void)state;
    VALUE list = busbar_value_list();
    VALUE map = busbar_value_map();
    struct busbar_value *deepest = nested(BUSBAR_VALUE_DEPTH_MAX);
    assert_int_equal(busbar_value_append(list, &deepest), BUSBAR_BAD_ARGUMENT);
    assert_null(deepest);
    deepest = nested(BUSBAR_VALUE_DEPTH_MAX);
    assert_int_equal(busbar_value_set(map, "a", &deepest), BUSBAR_BAD_ARGUMENT);
    append(list, nested(BUSBAR_VALUE_DEPTH_MAX - 1));
    assert_int_equal(busbar_value_count(map), 0);
}

static void replacing_the_deepest_value_makes_a_map_less_deep(void **state)
{
    (void)state;
    VALUE list = busbar_value_list();
    struct busbar_value *map = busbar_value_map();
    set(map, "a", nested(BUSBAR_VALUE_DEPTH_MAX - 1));
    set(map, "a", busbar_value_null());
    append(list, map);
}

static void a_class_name_is_copied_and_can_be_removed(void **state)
{
    (void)state;
    VALUE map = busbar_value_map();
    char name[] = "Point";
    assert_null(busbar_value_class(map));
    assert_int_equal(busbar_value_set_class(map, name), BUSBAR_OK);
    name[0] = 'J';
    assert_string_equal(busbar_value_class(map), "Point");
    assert_int_equal(busbar_value_count(map), 0);
    assert_int_equal(busbar_value_set_class(map, "\xff"), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_value_class(map), "Point");
    assert_int_equal(busbar_value_set_class(map, NULL), BUSBAR_OK);
    assert_null(busbar_value_class(map));
}

static void values_that_differ_anywhere_are_not_equal(void **state)
{
    (void)state;
    struct busbar_value *values[] = {
        busbar_value_null(),         busbar_value_bool(false),
        busbar_value_bool(true),     busbar_value_int64(0),
        busbar_value_int64(1),       busbar_value_uint64(UINT64_MAX),
        busbar_value_double(0.0),    busbar_value_double(-0.0),
        busbar_value_double(NAN),    busbar_value_double(INFINITY),
        busbar_value_text(""),       busbar_value_text("a"),
        busbar_value_bytes("", 0),   busbar_value_bytes("a", 1),
        busbar_value_ext(0, "", 0),  busbar_value_ext(1, "", 0),
        busbar_value_ext(1, "a", 1), busbar_value_timestamp(0, 0),
        busbar_value_list(),         nested(2),
        busbar_value_map(),          busbar_value_map(),
        busbar_value_map(),          busbar_value_map(),
    };
    size_t count = ARRAY_SIZE(values);
    set(values[count - 1], "a", busbar_value_null());
    set(values[count - 2], "a", busbar_value_bool(true));
    assert_int_equal(busbar_value_set_class(values[count - 3], "A"), BUSBAR_OK);
    for (size_t i = 0; i < count; i++) {
        VALUE copy = busbar_value_copy(values[i]);
        for (size_t j = 0; j < count; j++) {
            assert_int_equal(busbar_value_equal(copy, values[j]), i == j);
        }
    }
    for (size_t i = 0; i < count; i++) {
        busbar_value_destroy(&values[i]);
    }
}

static void a_copy_lives_without_its_original(void **state)
{
    (void)state;
    struct busbar_value *original = busbar_value_map();
    set(original, "list", nested(5));
    set(original, "text", busbar_value_text("t"));
    assert_int_equal(busbar_value_set_class(original, "Thing"), BUSBAR_OK);
    VALUE copy = busbar_value_copy(original);
    assert_true(busbar_value_equal(copy, original));
    busbar_value_destroy(&original);
    assert_string_equal(busbar_value_as_text(busbar_value_get(copy, "text")), "t");
    set(copy, "more", busbar_value_null());
    assert_int_equal(busbar_value_count(copy), 3);
    VALUE null = busbar_value_copy(NULL);
    assert_int_equal(busbar_value_type(null), BUSBAR_NULL);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (int type = BUSBAR_NULL; type <= BUSBAR_EXT; type++) {
        assert_string_not_equal(busbar_type_name((enum busbar_type)type), "unknown");
    }
    assert_string_equal(busbar_type_name((enum busbar_type)(BUSBAR_EXT + 1)), "unknown");
    assert_string_equal(busbar_type_name((enum busbar_type) - 1), "unknown");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_above_int64_max_alone_are_uint64),
        cmocka_unit_test(readers_of_another_type_return_zero),
        cmocka_unit_test(data_ends_with_a_nul_that_is_not_counted),
        cmocka_unit_test(a_string_with_a_nul_inside_is_no_c_text),
        cmocka_unit_test(strings_that_are_not_utf8_are_refused),
        cmocka_unit_test(impossible_timestamps_and_exts_are_refused),
        cmocka_unit_test(a_list_keeps_its_elements_in_order),
        cmocka_unit_test(a_map_keeps_its_pairs_in_order),
        cmocka_unit_test(putting_an_equal_key_replaces_its_value_in_place),
        cmocka_unit_test(keys_of_other_types_are_other_keys),
        cmocka_unit_test(keys_that_cannot_be_are_refused_and_freed),
        cmocka_unit_test(null_pointers_fail_as_out_of_memory),
        cmocka_unit_test(containers_of_another_type_are_refused),
        cmocka_unit_test(a_tree_deeper_than_32_cannot_be_built),
        cmocka_unit_test(replacing_the_deepest_value_makes_a_map_less_deep),
        cmocka_unit_test(a_class_name_is_copied_and_can_be_removed),
        cmocka_unit_test(values_that_differ_anywhere_are_not_equal),
        cmocka_unit_test(a_copy_lives_without_its_original),
        cmocka_unit_test(every_type_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
