/* Signatures: what the letters mean, what is refused and why, which sides are raw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/signature.h"

/* Writes what was understood, each item as its type's number in letters: `s` borrowed, `S` owned. */
static void spell_item(const struct signature_item *item, char *out, size_t size)
{
    static const char *const borrowed[] = {"b", "i", "u", "l", "d", "f", "s", "y", "y4", "as", "v"};
    static const char *const owned[] = {"-", "-", "-", "-", "-", "-", "S", "Y", "Y4", "AS", "-"};
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", (item->owned ? owned : borrowed)[item->type],
             item->nullable ? "?" : "");
}

static void spell(const struct signature *signature, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < signature->argument_count; i++)
        spell_item(&signature->arguments[i], out, size);
    strncat(out, ">", size - strlen(out) - 1);
    for (size_t i = 0; i < signature->result_count; i++) {
        if (i > 0 || !signature->returns)
            strncat(out, "*", size - strlen(out) - 1);
        spell_item(&signature->results[i], out, size);
    }
}

static void assert_parsed(const char *text)
{
    struct signature signature;
    char reason[SIGNATURE_REASON_SIZE] = "";
    char spelled[SIGNATURE_TEXT_MAX * 2];
    if (!signature_parse(&signature, text, reason))
        fail_msg("\"%s\": %s", text, reason);
    spell(&signature, spelled, sizeof spelled);
    assert_string_equal(spelled, text);
    assert_string_equal(signature.text, text);
}

static void what_a_signature_says_is_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {
        ">",
        "s>",
        ">s",
        "sd>s",
        "biuldfsSyYy4Y4asASv>v",
        "y>y",
        "y4>Y4",
        "yy4>Y",
        "as>AS",
        "s?>s",
        "S?y?Y?>",
        "y4?Y4?as?AS?>v",
        "d>d*i",
        "d>d*d",
        ">*i",
        ">*s*S",
        "s>i*b*u*l*d*f*s*S",
        "y>y*i",
        "ly4>l",
        "v>v",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_parsed(texts[i]);
}

static void sixteen_arguments_and_sixteen_results_fit(void **state)
{
    (void)state;
    assert_parsed(
        "AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?AS?>*s*s*s*s*s*s*s*s*s*s*s*s*s*s*s*s");
    assert_parsed("iiiiiiiiiiiiiiii>y4*s*s*s*s*s*s*s*s*s*s*s*s*s*s*s");
}

static const struct {
    const char *text;
    const char *reason;
} refused[] = {
    {"", "no '>' between arguments and result in \"\""},
    {"sd", "no '>' between arguments and result in \"sd\""},
    {"sdq>s", "no type 'q' at position 3 of \"sdq>s\""},
    {"s s>s", "no type ' ' at position 2 of \"s s>s\""},
    {"a>s", "no type 'a' at position 1 of \"a>s\""},
    {"A>s", "no type 'A' at position 1 of \"A>s\""},
    {"aS>s", "no type 'a' at position 1 of \"aS>s\""},
    {"y5>s", "no type '5' at position 2 of \"y5>s\""},
    {"s?\?>s", "no type '?' at position 3 of \"s?\?>s\""},
    {"?>s", "no type '?' at position 1 of \"?>s\""},
    {"s>q", "no type 'q' at position 3 of \"s>q\""},
    {"s>>", "no type '>' at position 3 of \"s>>\""},
    {"s>s>", "no type '>' at position 4 of \"s>s>\""},
    {"s>*", "no type at the end of \"s>*\""},
    {"s>**i", "no type '*' at position 4 of \"s>**i\""},
    {"i?>", "'i' at position 1 cannot have a '?' in \"i?>\""},
    {"sv?>", "'v' at position 2 cannot have a '?' in \"sv?>\""},
    {"s>s?", "a '?' after a result at position 4 of \"s>s?\""},
    {"s>*s?", "a '?' after a result at position 5 of \"s>*s?\""},
    {"*i>", "a '*' before the '>' at position 1 of \"*i>\""},
    {"d>*v", "'v' at position 4 cannot have a '*' in \"d>*v\""},
    {"d>*y4", "'y4' at position 4 cannot have a '*' in \"d>*y4\""},
    {"d>i*as", "'as' at position 5 cannot have a '*' in \"d>i*as\""},
    {"d>id", "a further result without '*' at position 4 of \"d>id\""},
    {"d>*id", "a further result without '*' at position 5 of \"d>*id\""},
    {"iiiiiiiiiiiiiiiii>", "more than 16 arguments in \"iiiiiiiiiiiiiiiii>\""},
    {">*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i", "more than 16 results in "
                                            "\">*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i*i\""},
    {"s\n>s", "no type '\\n' at position 2 of \"s\\n>s\""},
    {"\xff>s", "no type '\\xff' at position 1 of \"\\xff>s\""},
};

static void what_is_no_signature_is_refused_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        struct signature signature;
        char reason[SIGNATURE_REASON_SIZE] = "";
        if (signature_parse(&signature, refused[i].text, reason))
            fail_msg("\"%s\" was taken", refused[i].text);
        assert_string_equal(reason, refused[i].reason);
    }
}

static void a_long_text_is_cut_in_the_reason(void **state)
{
    (void)state;
    struct signature signature;
    char text[10000];
    char reason[SIGNATURE_REASON_SIZE];
    memset(text, 'z', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(signature_parse(&signature, text, reason));
    assert_non_null(strstr(reason, "no type 'z' at position 1 of \"zzz"));
    assert_non_null(strstr(reason, "...\""));
    memset(text, '\1', sizeof text - 1);
    assert_false(signature_parse(&signature, text, reason));
    assert_true(strlen(reason) < SIGNATURE_REASON_SIZE);
}

static void letters_alone_are_arguments(void **state)
{
    (void)state;
    struct signature signature;
    char reason[SIGNATURE_REASON_SIZE] = "";
    assert_true(signature_parse_arguments(&signature, "sd", reason));
    assert_int_equal(signature.argument_count, 2);
    assert_int_equal(signature.result_count, 0);
    assert_string_equal(signature.text, "sd");
    assert_true(signature_parse_arguments(&signature, "", reason));
    assert_int_equal(signature.argument_count, 0);
    assert_true(signature_parse_arguments(&signature, "s?", reason));
    assert_true(signature.arguments[0].nullable);
    assert_false(signature_parse_arguments(&signature, "sd>", reason));
    assert_string_equal(reason, "no type '>' at position 3 of \"sd>\"");
}

static const struct {
    const char *text;
    bool takes;
    bool gives;
} raw[] = {
    {"y>y", true, true},    {"Y>Y", true, true},   {"y4>Y4", true, true}, {"y>", true, false},
    {">y", false, true},    {"s>s", false, false}, {"yy>y", false, true}, {"y?>y", false, true},
    {"y>y*i", true, false}, {"yi>", false, false}, {"as>", false, false}, {">", false, false},
};

static void bytes_alone_on_a_side_are_raw(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(raw); i++) {
        struct signature signature;
        char reason[SIGNATURE_REASON_SIZE];
        assert_true(signature_parse(&signature, raw[i].text, reason));
        if (signature_takes_raw(&signature) != raw[i].takes ||
            signature_gives_raw(&signature) != raw[i].gives)
            fail_msg("\"%s\"", raw[i].text);
    }
}

static const struct {
    const char *a;
    const char *b;
    bool same;
} pairs[] = {
    {"sd>s", "sd>s", true}, {"sd>s", "sd>S", false},   {"s>", "S>", false},
    {"s?>s", "s>s", true},  {"s>s", "s>i", false},     {"s>", "ss>", false},
    {">i", ">*i", false},   {">*i*d", ">*d*i", false}, {"y>", "y4>", false},
    {">i*d", ">i*d", true}, {">", ">i", false},
};

static void types_are_the_same_if_their_functions_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct signature a;
        struct signature b;
        char reason[SIGNATURE_REASON_SIZE];
        assert_true(signature_parse(&a, pairs[i].a, reason));
        assert_true(signature_parse(&b, pairs[i].b, reason));
        if (signature_same_type(&a, &b) != pairs[i].same ||
            signature_same_type(&b, &a) != pairs[i].same)
            fail_msg("\"%s\" and \"%s\"", pairs[i].a, pairs[i].b);
    }
}

static uint32_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Whatever is taken reads the same when it is written again. */
static void random_letters_are_taken_or_refused(void **state)
{
    (void)state;
    static const char letters[] = "biuldfsSyYaAv4?*>>>qx";
    uint64_t seed = 7;
    size_t taken = 0;
    for (int round = 0; round < 200000; round++) {
        struct signature signature;
        char text[12] = "";
        char reason[SIGNATURE_REASON_SIZE] = "";
        size_t size = next_random(&seed) % sizeof text;
        for (size_t i = 0; i < size; i++)
            text[i] = letters[next_random(&seed) % (sizeof letters - 1)];
        if (signature_parse(&signature, text, reason)) {
            assert_parsed(text);
            taken++;
        } else {
            assert_true(reason[0] != '\0');
        }
    }
    assert_true(taken > 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_signature_says_is_understood),
        cmocka_unit_test(sixteen_arguments_and_sixteen_results_fit),
        cmocka_unit_test(what_is_no_signature_is_refused_with_its_place),
        cmocka_unit_test(a_long_text_is_cut_in_the_reason),
        cmocka_unit_test(letters_alone_are_arguments),
        cmocka_unit_test(bytes_alone_on_a_side_are_raw),
        cmocka_unit_test(types_are_the_same_if_their_functions_are),
        cmocka_unit_test(random_letters_are_taken_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
