/* Values as MessagePack: exact bytes by a table, round trips, and what the check refuses. */
#include <busbar/value.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

/* Bytes with their size, NUL bytes included. */
#define BYTES(text) text, sizeof(text) - 1

static struct busbar_value *decode(const void *data, size_t size)
{
    struct busbar_value *value = NULL;
    const char *reason = "";
    if (busbar_value_decode(&value, data, size, &reason) != BUSBAR_OK) {
        fail_msg("refused: %s", reason);
    }
    return value;
}

/* Takes `value`: its encoding is `data`, and reads back as it was. */
static void assert_encodes(struct busbar_value *value, const char *data, size_t size)
{
    CLEANUP(cleanup_free) void *encoded = NULL;
    size_t encoded_size = 0;
    assert_non_null(value);
    assert_int_equal(busbar_value_encode(value, &encoded, &encoded_size), BUSBAR_OK);
    assert_int_equal(encoded_size, size);
    assert_memory_equal(encoded, data, size);
    VALUE decoded = decode(encoded, encoded_size);
    assert_true(busbar_value_equal(value, decoded));
    busbar_value_destroy(&value);
}

static void integers_take_their_smallest_form(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *data;
        size_t size;
    } integers[] = {
        {0, BYTES("\x00")},
        {127, BYTES("\x7f")},
        {128, BYTES("\xcc\x80")},
        {255, BYTES("\xcc\xff")},
        {256, BYTES("\xcd\x01\x00")},
        {65535, BYTES("\xcd\xff\xff")},
        {65536, BYTES("\xce\x00\x01\x00\x00")},
        {UINT32_MAX, BYTES("\xce\xff\xff\xff\xff")},
        {INT64_C(4294967296), BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00")},
        {INT64_MAX, BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")},
        {-1, BYTES("\xff")},
        {-32, BYTES("\xe0")},
        {-33, BYTES("\xd0\xdf")},
        {-128, BYTES("\xd0\x80")},
        {-129, BYTES("\xd1\xff\x7f")},
        {-32768, BYTES("\xd1\x80\x00")},
        {-32769, BYTES("\xd2\xff\xff\x7f\xff")},
        {INT32_MIN, BYTES("\xd2\x80\x00\x00\x00")},
        {INT64_C(-2147483649), BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff")},
        {INT64_MIN, BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(integers); i++) {
        assert_encodes(busbar_value_int64(integers[i].number), integers[i].data, integers[i].size);
    }
    assert_encodes(busbar_value_uint64((uint64_t)INT64_MAX + 1),
                   BYTES("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_uint64(UINT64_MAX), BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
}

static void scalars_encode_as_the_specification_says(void **state)
{
    (void)state;
    assert_encodes(busbar_value_null(), BYTES("\xc0"));
    assert_encodes(busbar_value_bool(false), BYTES("\xc2"));
    assert_encodes(busbar_value_bool(true), BYTES("\xc3"));
    assert_encodes(busbar_value_double(1.0), BYTES("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_double(-0.0), BYTES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_double(INFINITY), BYTES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_double(-INFINITY), BYTES("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_text(""), BYTES("\xa0"));
    assert_encodes(busbar_value_text("\xc3\xa9"), BYTES("\xa2\xc3\xa9"));
    assert_encodes(busbar_value_string("a\0b", 3), BYTES("\xa3"
                                                         "a\0b"));
    assert_encodes(busbar_value_bytes(NULL, 0), BYTES("\xc4\x00"));
    assert_encodes(busbar_value_bytes("\xff", 1), BYTES("\xc4\x01\xff"));
    assert_encodes(busbar_value_ext(5, NULL, 0), BYTES("\xc7\x00\x05"));
    assert_encodes(busbar_value_ext(5, "x", 1), BYTES("\xd4\x05x"));
    assert_encodes(busbar_value_ext(-128, "xyz", 3), BYTES("\xc7\x03\x80xyz"));
}

static void timestamps_take_their_smallest_form(void **state)
{
    (void)state;
    assert_encodes(busbar_value_timestamp(0, 0), BYTES("\xd6\xff\x00\x00\x00\x00"));
    assert_encodes(busbar_value_timestamp(UINT32_MAX, 0), BYTES("\xd6\xff\xff\xff\xff\xff"));
    assert_encodes(busbar_value_timestamp(1, 1), BYTES("\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01"));
    assert_encodes(busbar_value_timestamp((INT64_C(1) << 34) - 1, 999999999),
                   BYTES("\xd7\xff\xee\x6b\x27\xff\xff\xff\xff\xff"));
    assert_encodes(busbar_value_timestamp(-1, 999999999),
                   BYTES("\xc7\x0c\xff\x3b\x9a\xc9\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_encodes(busbar_value_timestamp(INT64_MIN, 0),
                   BYTES("\xc7\x0c\xff\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_encodes(busbar_value_timestamp(INT64_MAX, 0),
                   BYTES("\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"));
}

static void nan_reads_back_as_nan(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    VALUE nan = busbar_value_double(NAN);
    assert_int_equal(busbar_value_encode(nan, &data, &size), BUSBAR_OK);
    VALUE decoded = decode(data, size);
    assert_true(isnan(busbar_value_as_double(decoded)));
    assert_true(busbar_value_equal(nan, decoded));
}

static void lengths_take_each_of_their_forms(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4, 8, 15, 16, 17, 31, 32, 255, 256, 65535, 65536, 100000};
    CLEANUP(cleanup_free) char *data = malloc(100000);
    memset(data, 'x', 100000);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct busbar_value *parts[] = {
            busbar_value_string(data, sizes[i]), busbar_value_bytes(data, sizes[i]),
            busbar_value_ext(3, data, sizes[i]), busbar_value_list(), busbar_value_map()};
        for (size_t j = 0; j < sizes[i]; j++) {
            struct busbar_value *element = busbar_value_null();
            assert_int_equal(busbar_value_append(parts[3], &element), BUSBAR_OK);
        }
        for (size_t j = 0; j < sizes[i] && sizes[i] <= 256; j++) {
            struct busbar_value *key = busbar_value_int64((int64_t)j);
            struct busbar_value *element = busbar_value_null();
            assert_int_equal(busbar_value_put(parts[4], &key, &element), BUSBAR_OK);
        }
        VALUE all = busbar_value_list();
        for (size_t j = 0; j < ARRAY_SIZE(parts); j++) {
            assert_int_equal(busbar_value_append(all, &parts[j]), BUSBAR_OK);
        }
        CLEANUP(cleanup_free) void *encoded = NULL;
        size_t size = 0;
        assert_int_equal(busbar_value_encode(all, &encoded, &size), BUSBAR_OK);
        VALUE decoded = decode(encoded, size);
        assert_true(busbar_value_equal(all, decoded));
    }
}

static void containers_encode_in_order(void **state)
{
    (void)state;
    assert_encodes(busbar_value_list(), BYTES("\x90"));
    assert_encodes(busbar_value_map(), BYTES("\x80"));
    struct busbar_value *list = busbar_value_list();
    struct busbar_value *map = busbar_value_map();
    struct busbar_value *key = busbar_value_null();
    struct busbar_value *value = busbar_value_bool(true);
    assert_int_equal(busbar_value_put(map, &key, &value), BUSBAR_OK);
    value = busbar_value_int64(1);
    assert_int_equal(busbar_value_set(map, "a", &value), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    assert_encodes(list, BYTES("\x91\x82\xc0\xc3\xa1"
                               "a\x01"));
}

static void a_class_name_is_the_first_pair(void **state)
{
    (void)state;
    struct busbar_value *map = busbar_value_map();
    struct busbar_value *value = busbar_value_int64(1);
    assert_int_equal(busbar_value_set(map, "x", &value), BUSBAR_OK);
    assert_int_equal(busbar_value_set_class(map, "P"), BUSBAR_OK);
    assert_encodes(map, BYTES("\x82\xa6$class\xa1P\xa1x\x01"));
    map = busbar_value_map();
    assert_int_equal(busbar_value_set_class(map, ""), BUSBAR_OK);
    assert_encodes(map, BYTES("\x81\xa6$class\xa0"));
}

static void only_a_first_pair_with_a_string_is_a_class_name(void **state)
{
    (void)state;
    VALUE number = decode(BYTES("\x81\xa6$class\x01"));
    assert_null(busbar_value_class(number));
    assert_int_equal(busbar_value_count(number), 1);
    VALUE second = decode(BYTES("\x82\xa1x\x01\xa6$class\xa1P"));
    assert_null(busbar_value_class(second));
    assert_int_equal(busbar_value_count(second), 2);
    VALUE twice = decode(BYTES("\x82\xa6$class\xa1P\xa6$class\xa1Q"));
    assert_string_equal(busbar_value_class(twice), "P");
    assert_string_equal(busbar_value_as_text(busbar_value_get(twice, "$class")), "Q");
    VALUE nul = decode(BYTES("\x81\xa6$class\xa1\x00"));
    assert_null(busbar_value_class(nul));
}

static void a_key_received_twice_reads_as_its_first_value(void **state)
{
    (void)state;
    VALUE map = decode(BYTES("\x82\xa1x\x01\xa1x\x02"));
    assert_int_equal(busbar_value_count(map), 2);
    assert_int_equal(busbar_value_as_int64(busbar_value_get(map, "x")), 1);
    assert_int_equal(busbar_value_as_int64(busbar_value_value_at(map, 1)), 2);
}

static void other_forms_on_the_wire_become_ours(void **state)
{
    (void)state;
    VALUE single = decode(BYTES("\xca\x3f\xc0\x00\x00"));
    assert_int_equal(busbar_value_type(single), BUSBAR_DOUBLE);
    assert_true(busbar_value_as_double(single) == 1.5);
    VALUE wide = decode(BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00\x05"));
    assert_int_equal(busbar_value_as_int64(wide), 5);
    VALUE wide_unsigned = decode(BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00\x05"));
    assert_int_equal(busbar_value_type(wide_unsigned), BUSBAR_INT64);
    VALUE text = decode(BYTES("\xdb\x00\x00\x00\x02hi"));
    assert_string_equal(busbar_value_as_text(text), "hi");
    VALUE map = decode(BYTES("\xdf\x00\x00\x00\x00"));
    assert_int_equal(busbar_value_type(map), BUSBAR_MAP);
    VALUE early = decode(BYTES("\xc7\x08\xff\x00\x00\x00\x04\x00\x00\x00\x01"));
    assert_int_equal(busbar_value_type(early), BUSBAR_TIMESTAMP);
}

static void depth_32_is_read_and_depth_33_refused(void **state)
{
    (void)state;
    /* The first byte of each level, and what lies within the innermost but one. */
    static const char levels[][2] = {"\x91", "\x81"};
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
        char data[80];
        size_t size = 0;
        for (int depth = 1; depth < 32; depth++) {
            data[size++] = levels[i][0];
            if (i == 1) {
                data[size++] = '\x01';
            }
        }
        data[size] = '\x90';
        VALUE list = decode(data, size + 1);
        CLEANUP(cleanup_free) void *encoded = NULL;
        size_t encoded_size = 0;
        assert_int_equal(busbar_value_encode(list, &encoded, &encoded_size), BUSBAR_OK);
        assert_int_equal(encoded_size, size + 1);
        assert_memory_equal(encoded, data, encoded_size);
        data[size] = '\x91';
        data[size + 1] = '\x80';
        VALUE none = NULL;
        const char *reason = "";
        assert_int_equal(busbar_value_decode(&none, data, size + 2, &reason), BUSBAR_BAD_REQUEST);
        assert_string_equal(reason, "containers lie too deep within containers");
        assert_null(none);
    }
}

static void a_claim_of_ten_million_elements_allocates_nothing(void **state)
{
    (void)state;
    static const char claims[][6] = {"\xdd\x00\x98\x96\x80", "\xdf\x00\x98\x96\x80"};
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 1000; i++) {
        struct busbar_value *value = NULL;
        assert_int_equal(busbar_value_decode(&value, claims[i % 2], 5, NULL), BUSBAR_BAD_REQUEST);
        assert_null(value);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 8192); /* KiB */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_smallest_form),
        cmocka_unit_test(scalars_encode_as_the_specification_says),
        cmocka_unit_test(timestamps_take_their_smallest_form),
        cmocka_unit_test(nan_reads_back_as_nan),
        cmocka_unit_test(lengths_take_each_of_their_forms),
        cmocka_unit_test(containers_encode_in_order),
        cmocka_unit_test(a_class_name_is_the_first_pair),
        cmocka_unit_test(only_a_first_pair_with_a_string_is_a_class_name),
        cmocka_unit_test(a_key_received_twice_reads_as_its_first_value),
        cmocka_unit_test(other_forms_on_the_wire_become_ours),
        cmocka_unit_test(depth_32_is_read_and_depth_33_refused),
        cmocka_unit_test(a_claim_of_ten_million_elements_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
