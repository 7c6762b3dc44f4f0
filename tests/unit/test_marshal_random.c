/* Random signatures with random values: none does harm, and what is taken comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "marshal_text.h"

static uint64_t seed = 11;

static uint32_t below(uint32_t bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

static const char *const some_json[] = {
    "null",
    "true",
    "false",
    "0",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "16777217",
    "{\"$uint64\":\"9223372036854775808\"}",
    "{\"$uint64\":\"18446744073709551615\"}",
    "0.0",
    "-0.0",
    "0.1",
    "1e300",
    "3.4028234663852886e+38",
    "5e-324",
    "{\"$float\":\"nan\"}",
    "{\"$float\":\"inf\"}",
    "{\"$float\":\"-inf\"}",
    "\"\"",
    "\"text\"",
    "\"a\\u0000b\"",
    "\"\\ud83d\\ude00\"",
    "{\"$bytes\":\"\"}",
    "{\"$bytes\":\"AP8=\"}",
    "{\"$time\":[0,0]}",
    "{\"$ext\":[5,\"AA==\"]}",
    "[]",
    "[\"a\"]",
    "[\"a\",\"\",\"c\"]",
    "[\"a\",null]",
    "[\"a\\u0000\"]",
    "[[],{}]",
    "{}",
    "{\"a\":{\"b\":[1]}}",
};

/* What fits each type, so that whole lists do often enough. */
static const char *const fit_json[][3] = {
    [SIGNATURE_BOOL] = {"true", "false", "true"},
    [SIGNATURE_INT32] = {"-2147483648", "0", "2147483647"},
    [SIGNATURE_UINT32] = {"0", "1", "4294967295"},
    [SIGNATURE_INT64] = {"-9223372036854775808", "5", "9223372036854775807"},
    [SIGNATURE_DOUBLE] = {"0.1", "7", "{\"$float\":\"nan\"}"},
    [SIGNATURE_FLOAT] = {"0.1", "16777216", "{\"$float\":\"-inf\"}"},
    [SIGNATURE_STRING] = {"\"\"", "\"text\"", "\"\\u00e9\""},
    [SIGNATURE_BYTES] = {"{\"$bytes\":\"\"}", "\"a\\u0000b\"", "{\"$bytes\":\"AP8=\"}"},
    [SIGNATURE_BYTES32] = {"{\"$bytes\":\"\"}", "\"a\\u0000b\"", "{\"$bytes\":\"AP8=\"}"},
    [SIGNATURE_STRINGS] = {"[]", "[\"a\"]", "[\"\",\"b\"]"},
    [SIGNATURE_VALUE] = {"null", "[1,2]", "{\"a\":1}"},
};

/* Letters with or without what may stand around them; many texts are no signature. */
static bool random_signature(struct signature *ret)
{
    static const char *const arguments[] = {"b", "i",  "u",  "l",  "d",   "f",   "s",
                                            "S", "y",  "Y",  "y4", "Y4",  "as",  "AS",
                                            "v", "s?", "S?", "y?", "as?", "AS?", "Y4?"};
    static const char *const pointees[] = {"*b", "*i", "*u", "*l", "*d", "*f", "*s", "*S"};
    static const char *const results[] = {"b", "i", "u",  "l",  "d",  "f",  "s", "S",
                                          "y", "Y", "y4", "Y4", "as", "AS", "v", ""};
    char text[SIGNATURE_TEXT_MAX] = "";
    char reason[SIGNATURE_REASON_SIZE];
    for (uint32_t i = below(5); i > 0; i--)
        strcat(text, arguments[below(ARRAY_SIZE(arguments))]);
    strcat(text, ">");
    strcat(text, results[below(ARRAY_SIZE(results))]);
    for (uint32_t i = below(3); i > 0; i--)
        strcat(text, pointees[below(ARRAY_SIZE(pointees))]);
    return signature_parse(ret, text, reason);
}

static struct busbar_value *random_value(const struct signature_item *item)
{
    if (item != NULL && below(16) > 0)
        return value_of(fit_json[item->type][below(3)]);
    return value_of(some_json[below(ARRAY_SIZE(some_json))]);
}

static struct busbar_value *random_list(const struct signature_item *items, size_t count)
{
    size_t wanted = below(16) > 0 ? count : below(4);
    struct busbar_value *list = busbar_value_list();
    for (size_t i = 0; i < wanted; i++) {
        struct busbar_value *value = random_value(i < count ? &items[i] : NULL);
        assert_int_equal(busbar_value_append(list, &value), BUSBAR_OK);
    }
    return list;
}

/* A value as it comes back: numbers of type d and f are doubles, the latter rounded; bytes are. */
static struct busbar_value *come_back(const struct busbar_value *value, enum signature_type type)
{
    enum busbar_type kind = busbar_value_type(value);
    size_t size;
    if (kind == BUSBAR_NULL)
        return busbar_value_null();
    if (type == SIGNATURE_DOUBLE)
        return busbar_value_double(busbar_value_as_double(value));
    if (type == SIGNATURE_FLOAT)
        return busbar_value_double((double)(float)busbar_value_as_double(value));
    if (type == SIGNATURE_BYTES || type == SIGNATURE_BYTES32) {
        const char *data = busbar_value_data(value, &size);
        return busbar_value_bytes(data, size);
    }
    return busbar_value_copy(value);
}

static struct busbar_value *list_back(const struct busbar_value *list,
                                      const struct signature_item *items, size_t count)
{
    struct busbar_value *back = busbar_value_list();
    for (size_t i = 0; i < count; i++) {
        struct busbar_value *value = come_back(busbar_value_at(list, i), items[i].type);
        assert_int_equal(busbar_value_append(back, &value), BUSBAR_OK);
    }
    return back;
}

static bool try_arguments(const struct signature *signature)
{
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    VALUE list = random_list(signature->arguments, signature->argument_count);
    enum busbar_status status = marshal_arguments(items, signature, "f", list, reason);
    if (status != BUSBAR_OK) {
        assert_int_equal(status, BUSBAR_BAD_REQUEST);
        assert_non_null(strstr(reason, "f("));
        return false;
    }
    VALUE wanted = list_back(list, signature->arguments, signature->argument_count);
    VALUE again = NULL;
    assert_int_equal(marshal_arguments_list(&again, items, signature, "f", reason), BUSBAR_OK);
    marshal_arguments_fini(items, signature, false);
    assert_equal(again, wanted, signature->text);
    return true;
}

static bool try_results(const struct signature *signature)
{
    struct marshal_item items[SIGNATURE_ITEMS_MAX];
    struct marshal_item kept[SIGNATURE_ITEMS_MAX];
    char reason[MARSHAL_REASON_SIZE] = "";
    size_t count = signature->result_count;
    VALUE list = random_list(signature->results, count);
    VALUE null = busbar_value_null();
    const struct busbar_value *value = count == 0   ? null
                                       : count == 1 ? busbar_value_at(list, 0)
                                                    : list;
    enum busbar_status status = marshal_results(items, signature, value, reason);
    if (status != BUSBAR_OK) {
        assert_int_equal(status, BUSBAR_BAD_REQUEST);
        assert_non_null(strstr(reason, "result"));
        return false;
    }
    VALUE wanted = list_back(count > 1 ? value : list, signature->results, count);
    VALUE again = NULL;
    memcpy(kept, items, sizeof kept);
    assert_int_equal(marshal_results_value(&again, items, signature, reason), BUSBAR_OK);
    free_kept(kept, signature);
    const struct busbar_value *one = count == 0 ? null : busbar_value_at(wanted, 0);
    assert_equal(again, count > 1 ? wanted : one, signature->text);
    return true;
}

static void random_values_are_refused_or_come_back(void **state)
{
    (void)state;
    size_t taken[2] = {0};
    size_t refused[2] = {0};
    for (int round = 0; round < 20000; round++) {
        struct signature signature;
        if (!random_signature(&signature))
            continue;
        bool fits = try_arguments(&signature);
        taken[0] += fits;
        refused[0] += !fits;
        fits = try_results(&signature);
        taken[1] += fits;
        refused[1] += !fits;
    }
    for (size_t i = 0; i < 2; i++)
        assert_true(taken[i] > 2000 && refused[i] > 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values_are_refused_or_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
