/* Values as JSON text and back: a table of texts each way, and of texts that are refused. */
#include <busbar/value.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/json.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

static struct busbar_value *value_of(const char *text)
{
    struct busbar_value *value = NULL;
    char reason[200] = "";
    if (json_to_value(&value, text, reason, sizeof(reason)) != BUSBAR_OK) {
        fail_msg("%s is refused: %s", text, reason);
    }
    return value;
}

/* The text of `value`, which reads back as an equal value. */
static void assert_text(const struct busbar_value *value, const char *expected)
{
    CLEANUP(cleanup_free) char *text = json_from_value(value, 0);
    assert_string_equal(text, expected);
    VALUE again = value_of(text);
    assert_true(busbar_value_equal(value, again));
}

/* Takes `value`. */
static void assert_text_of(struct busbar_value *value, const char *expected)
{
    assert_non_null(value);
    assert_text(value, expected);
    busbar_value_destroy(&value);
}

static const char *const texts_that_come_back[] = {
    "null",
    "true",
    "false",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "0.0",
    "-0.0",
    "1024.0",
    "0.1",
    "-2.5",
    "1e+100",
    "1.7976931348623157e+308",
    "2.2250738585072014e-308",
    "5e-324",
    "123456.789",
    "\"\"",
    "\"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80\"",
    "\"\\\"\\\\/\\b\\f\\n\\r\\t\"",
    "\"a\\u0000b\\u001f\\u007f\\u0080\\u009f\xc2\xa0\"",
    "[]",
    "{}",
    "[1, [2, []], {}]",
    "{\"z\": 1, \"a\": {\"\": null}, \"m\": [true]}",
    "{\"$class\": \"Point\"}",
    "{\"$class\": \"Point\", \"x\": 1, \"y\": 2.0}",
    "{\"$class\": \"\", \"x\": 1}",
    "{\"$other\": 1}",
    "{\"$bytes\": \"\"}",
    "{\"$bytes\": \"AA==\"}",
    "{\"$bytes\": \"AP8=\"}",
    "{\"$bytes\": \"+/+/\"}",
    "{\"$time\": \"1970-01-01T00:00:00Z\"}",
    "{\"$time\": \"2024-02-29T23:59:59.000000001Z\"}",
    "{\"$time\": \"0000-01-01T00:00:00Z\"}",
    "{\"$time\": \"9999-12-31T23:59:59.999999999Z\"}",
    "{\"$time\": \"1969-12-31T23:59:59.500000000Z\"}",
    "{\"$time\": [253402300800, 0]}",
    "{\"$time\": [-9223372036854775808, 999999999]}",
    "{\"$float\": \"nan\"}",
    "{\"$float\": \"inf\"}",
    "{\"$float\": \"-inf\"}",
    "{\"$ext\": [-128, \"\"]}",
    "{\"$ext\": [127, \"YWJj\"]}",
    "{\"$uint64\": \"9223372036854775808\"}",
    "{\"$uint64\": \"18446744073709551615\"}",
    "{\"$map\": [[1, \"one\"], [null, {}], [\"s\", 2]]}",
    "{\"$map\": [[{\"$bytes\": \"AA==\"}, [1]]]}",
    "{\"$map\": [[\"a\\u0000b\", 1]]}",
    "{\"$map\": [[\"$bytes\", \"AA==\"]]}",
    "{\"$map\": [[\"$map\", 1], [\"x\", 2]]}",
    "{\"$class\": \"Grid\", \"$map\": [[1, 2]]}",
};

static void texts_in_our_own_form_come_back_unchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts_that_come_back); i++) {
        VALUE value = value_of(texts_that_come_back[i]);
        assert_text(value, texts_that_come_back[i]);
    }
}

static void other_forms_are_read_as_the_same_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *ours;
    } rows[] = {
        {" [ 1 ,\n2 ] ", "[1, 2]"},
        {"1e3", "1000.0"},
        {"0.1000000000000000055511151231257827", "0.1"},
        {"\"\\u00e9\\ud83d\\ude00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
        {"\"\\/\"", "\"/\""},
        {"{\"x\": 1, \"$class\": \"P\"}", "{\"$class\": \"P\", \"x\": 1}"},
        {"{\"$uint64\": \"5\"}", "5"},
        {"{\"$map\": []}", "{}"},
        {"{\"$map\": [[\"a\", 1]]}", "{\"a\": 1}"},
        {"{\"$map\": [[\"a\", 1], [\"a\", 2]]}", "{\"a\": 2}"},
        {"{\"$time\": \"1970-01-01t01:30:00.5+01:30\"}",
         "{\"$time\": \"1970-01-01T00:00:00.500000000Z\"}"},
        {"{\"$time\": \"1970-01-01T00:00:00-00:01\"}", "{\"$time\": \"1970-01-01T00:01:00Z\"}"},
        {"{\"$time\": [0, 1]}", "{\"$time\": \"1970-01-01T00:00:00.000000001Z\"}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_text_of(value_of(rows[i].text), rows[i].ours);
    }
}

static const struct {
    const char *text;
    const char *reason; /* part of it */
} refused[] = {
    {"", ""},
    {"hello", "1:"},
    {"[1", "1:"},
    {"1 2", "1:"},
    {"[1,]", "1:"},
    {"{\"a\": 1, \"a\": 2}", "duplicate"},
    {"\"\xff\"", "1:"},
    {"\"\\ud800\"", "1:"},
    {"9223372036854775808", "integer"},
    {"1e999", "real"},
    {"NaN", "1:"},
    {"{\"a\\u0000\": 1}", "NUL"},
    {"{\"$bytes\": 1}", "\"$bytes\""},
    {"{\"$bytes\": \"A\"}", "\"$bytes\""},
    {"{\"$bytes\": \"AA\"}", "\"$bytes\""},
    {"{\"$bytes\": \"AB==\"}", "\"$bytes\""},
    {"{\"$bytes\": \"A===\"}", "\"$bytes\""},
    {"{\"$bytes\": \"====\"}", "\"$bytes\""},
    {"{\"$bytes\": \"A=A=\"}", "\"$bytes\""},
    {"{\"$bytes\": \"AAA=AAAA\"}", "\"$bytes\""},
    {"{\"$bytes\": \"AA-_\"}", "\"$bytes\""},
    {"{\"$bytes\": \"AA\\u0000A\"}", "\"$bytes\""},
    {"{\"$time\": 5}", "\"$time\""},
    {"{\"$time\": \"\"}", "\"$time\""},
    {"{\"$time\": \"2024-02-30T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2023-02-29T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-00-01T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-13-01T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-00T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T24:00:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T23:60:00Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T23:59:60Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T00:00:00\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T00:00:00.Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T00:00:00.1234567891Z\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T00:00:00+24:00\"}", "\"$time\""},
    {"{\"$time\": \"2024-01-01T00:00:00Zz\"}", "\"$time\""},
    {"{\"$time\": \"+024-01-01T00:00:00Z\"}", "\"$time\""},
    {"{\"$time\": [1]}", "\"$time\""},
    {"{\"$time\": [1, 1000000000]}", "\"$time\""},
    {"{\"$time\": [1, -1]}", "\"$time\""},
    {"{\"$time\": [1.0, 0]}", "\"$time\""},
    {"{\"$float\": \"NaN\"}", "\"$float\""},
    {"{\"$float\": 1}", "\"$float\""},
    {"{\"$ext\": [128, \"\"]}", "\"$ext\""},
    {"{\"$ext\": [-129, \"\"]}", "\"$ext\""},
    {"{\"$ext\": [-1, \"AAAAAA==\"]}", "\"$ext\""},
    {"{\"$ext\": [1]}", "\"$ext\""},
    {"{\"$ext\": [1, 2]}", "\"$ext\""},
    {"{\"$ext\": [1, \"x\"]}", "\"$ext\""},
    {"{\"$uint64\": 5}", "\"$uint64\""},
    {"{\"$uint64\": \"\"}", "\"$uint64\""},
    {"{\"$uint64\": \"-1\"}", "\"$uint64\""},
    {"{\"$uint64\": \" 1\"}", "\"$uint64\""},
    {"{\"$uint64\": \"18446744073709551616\"}", "\"$uint64\""},
    {"{\"$map\": {}}", "\"$map\""},
    {"{\"$map\": [1]}", "\"$map\""},
    {"{\"$map\": [[1]]}", "\"$map\""},
    {"{\"$map\": [[[], 1]]}", "key"},
    {"{\"$map\": [[{}, 1]]}", "key"},
    {"{\"$map\": [[\"$class\", 1]]}", "\"$class\""},
    {"{\"$class\": 1}", "\"$class\""},
    {"{\"$class\": \"a\\u0000\"}", "\"$class\""},
    {"[{\"a\": [1, {\"$float\": 0}]}]", "\"$float\""},
};

static void texts_without_a_meaning_are_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct busbar_value *value = NULL;
        char reason[200] = "";
        enum busbar_status status = json_to_value(&value, refused[i].text, reason, sizeof(reason));
        assert_null(value);
        if (status != BUSBAR_BAD_REQUEST || strstr(reason, refused[i].reason) == NULL) {
            fail_msg("%s: %s, \"%s\"", refused[i].text, busbar_status_name(status), reason);
        }
    }
}

static void a_reason_may_be_cut_short_or_left_out(void **state)
{
    (void)state;
    struct busbar_value *value = NULL;
    char reason[8] = "";
    assert_int_equal(json_to_value(&value, "{\"$map\": 1}", reason, sizeof(reason)),
                     BUSBAR_BAD_REQUEST);
    assert_int_equal(strlen(reason), 7);
    assert_int_equal(json_to_value(&value, "{\"$map\": 1}", NULL, 0), BUSBAR_BAD_REQUEST);
    assert_int_equal(json_to_value(&value, "x", NULL, 0), BUSBAR_BAD_REQUEST);
}

static void text_deeper_than_a_value_may_be_is_refused(void **state)
{
    (void)state;
    char text[2 * 1000 + 1] = "";
    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    VALUE value = value_of(text);
    assert_text(value, text);
    VALUE none = NULL;
    for (size_t depth = 33; depth <= 1000; depth += 967) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_to_value(&none, text, NULL, 0), BUSBAR_BAD_REQUEST);
        assert_null(none);
    }
}

static void a_map_that_has_a_key_twice_is_written_as_pairs(void **state)
{
    (void)state;
    VALUE map = NULL;
    assert_int_equal(busbar_value_decode(&map, "\x82\xa1x\x01\xa1x\x02", 7, NULL), BUSBAR_OK);
    CLEANUP(cleanup_free) char *text = json_from_value(map, 0);
    assert_string_equal(text, "{\"$map\": [[\"x\", 1], [\"x\", 2]]}");
}

static void indented_text_has_a_line_for_each_element(void **state)
{
    (void)state;
    static const char expected[] = "{\n"
                                   "  \"$class\": \"P\",\n"
                                   "  \"list\": [\n"
                                   "    1,\n"
                                   "    {}\n"
                                   "  ],\n"
                                   "  \"none\": [],\n"
                                   "  \"pairs\": {\n"
                                   "    \"$map\": [\n"
                                   "      [1, 2]\n"
                                   "    ]\n"
                                   "  }\n"
                                   "}";
    VALUE value = value_of(expected);
    CLEANUP(cleanup_free) char *text = json_from_value(value, JSON_TEXT_INDENT);
    assert_string_equal(text, expected);
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {1.0, "1.0"},
        {1.0 / 3.0, "0.3333333333333333"},
        {2.0 / 3.0, "0.6666666666666666"},
        {9007199254740993.0, "9007199254740992.0"},
        {1e15, "1e+15"},
        {1e23, "1e+23"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e-7, "1e-07"},
        {-1.5e-310, "-1.5e-310"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_text_of(busbar_value_double(rows[i].number), rows[i].text);
    }
}

/* Every bit pattern of a double that a fixed generator makes reads back bit by bit. */
static void random_doubles_read_back_equal(void **state)
{
    (void)state;
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < 5000; i++) {
        double number;
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        memcpy(&number, &seed, sizeof(number));
        VALUE value = busbar_value_double(number);
        CLEANUP(cleanup_free) char *text = json_from_value(value, 0);
        VALUE again = value_of(text);
        assert_true(busbar_value_equal(value, again));
    }
}

static void bytes_of_every_length_come_back(void **state)
{
    (void)state;
    uint8_t data[256];
    for (size_t size = 0; size < sizeof(data); size++) {
        data[size] = (uint8_t)(size * 37);
        VALUE value = busbar_value_bytes(data, size);
        CLEANUP(cleanup_free) char *text = json_from_value(value, 0);
        VALUE again = value_of(text);
        assert_true(busbar_value_equal(value, again));
    }
}

static void no_value_is_written_as_null(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *text = json_from_value(NULL, 0);
    assert_string_equal(text, "null");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_in_our_own_form_come_back_unchanged),
        cmocka_unit_test(other_forms_are_read_as_the_same_value),
        cmocka_unit_test(texts_without_a_meaning_are_refused_with_a_reason),
        cmocka_unit_test(a_reason_may_be_cut_short_or_left_out),
        cmocka_unit_test(text_deeper_than_a_value_may_be_is_refused),
        cmocka_unit_test(a_map_that_has_a_key_twice_is_written_as_pairs),
        cmocka_unit_test(indented_text_has_a_line_for_each_element),
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(random_doubles_read_back_equal),
        cmocka_unit_test(bytes_of_every_length_come_back),
        cmocka_unit_test(no_value_is_written_as_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
