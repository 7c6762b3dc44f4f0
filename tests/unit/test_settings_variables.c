/* Variables in values: what is replaced by what, what is not, and what is refused. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct settings_document *load(const char *data, size_t size, struct settings_errors *errors)
{
    struct settings_document *document = NULL;
    struct settings_text text = {.name = "f", .data = data, .size = size};
    assert_true(settings_document_parse(&document, &text, errors));
    bool good = settings_document_replace_variables(document, errors);
    assert_int_equal(good, errors->count == 0);
    return document;
}

static const struct {
    const char *text;
    const char *value;
} replaced[] = {
    {"${ONE}", "1"},
    {"a${ONE}b", "a1b"},
    {"${ONE}${ONE}", "11"},
    {"tcp://${HOST}:${PORT:-7766}", "tcp://h\xc3\xbc:7766"},
    {"${EMPTY}", ""},
    {"${EMPTY:-x}", "x"},
    {"${UNSET:-x y}", "x y"},
    {"${UNSET:-}", ""},
    {"${UNSET:-a:-b}", "a:-b"},
    {"${ONE:-x}", "1"},
    {"${_a1:-x}", "x"},
    {"$$", "$"},
    {"$$$$", "$$"},
    {"$$$", "$$"},
    {"$${ONE}", "${ONE}"},
    {"$$${ONE}", "$1"},
    {"$${", "${"},
    {"a$", "a$"},
    {"$ONE", "$ONE"},
    {"$(ONE) $", "$(ONE) $"},
    {"${UNSET:-$$}", "$"},
    {"${UNSET:-$${}", "${"},
    {"${UNSET:-$x}", "$x"},
    {"${ONE}}", "1}"},
    {"${TWICE}", "${ONE}$$"},
};

static void values_are_replaced_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(replaced); i++) {
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        char text[128];
        settings_errors_init(&errors);
        int size = snprintf(text, sizeof text, "k: '%s'\n", replaced[i].text);
        CLEANUP(settings_document_destroy)
        struct settings_document *document = load(text, (size_t)size, &errors);
        assert_errors(&errors, text, "");
        assert_string_equal(document->root->first->text, replaced[i].value);
    }
}

static void plain_values_stay_plain_and_keys_stay(void **state)
{
    (void)state;
    static const char text[] = "a: ${ONE}\nb: \"${ONE}\"\n${ONE}: [\"${ONE}\", {c: '${EMPTY}'}]\n"
                               "d: ${EMPTY}\ne: |\n  ${ONE}\n  $$\n";
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    settings_errors_init(&errors);
    CLEANUP(settings_document_destroy)
    struct settings_document *document = load(text, sizeof text - 1, &errors);
    assert_errors(&errors, text, "");
    const struct settings_node *a = settings_node_find(document->root, "a");
    assert_true(a->plain);
    assert_int_equal(a->place.column, 4);
    assert_false(settings_node_find(document->root, "b")->plain);
    const struct settings_node *list = settings_node_find(document->root, "${ONE}");
    assert_string_equal(list->first->text, "1");
    assert_string_equal(list->last->first->text, "");
    assert_false(settings_node_is_null(list->last->first));
    assert_true(settings_node_is_null(settings_node_find(document->root, "d")));
    assert_string_equal(settings_node_find(document->root, "e")->text, "1\n$\n");
}

#define FORM "; write ${NAME} or ${NAME:-default}, or $${ for the characters themselves"

static const struct {
    const char *text;
    const char *error;
} refused[] = {
    {"${UNSET}", "the variable UNSET is not set; set it, or write ${UNSET:-default}"},
    {"$$${UNSET}", "the variable UNSET is not set; set it, or write ${UNSET:-default}"},
    {"${", "\"${\" is no variable" FORM},
    {"a${ONE", "\"${ONE\" is no variable" FORM},
    {"${}", "\"${}\" is no variable" FORM},
    {"${1A} b", "\"${1A}\" is no variable" FORM},
    {"${A B}", "\"${A B}\" is no variable" FORM},
    {"${A-b}", "\"${A-b}\" is no variable" FORM},
    {"${A:b}", "\"${A:b}\" is no variable" FORM},
    {"${A:=b}", "\"${A:=b}\" is no variable" FORM},
    {"${A:-b", "\"${A:-b\" is no variable" FORM},
    {"${\xc3\xbc}", "\"${\xc3\xbc}\" is no variable" FORM},
    {"${UNSET:-${ONE}}", "the default of a variable cannot hold another variable"},
    {"${ONE:-${ONE}}", "the default of a variable cannot hold another variable"},
    {"${NEWLINE}", "the value of the variable NEWLINE has a control character"},
    {"${DELETE:-x}", "the value of the variable DELETE has a control character"},
    {"${NEL}", "the value of the variable NEL has a control character"},
    {"${LATIN}", "the value of the variable LATIN is not UTF-8"},
};

static void wrong_variables_are_refused_in_these_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        char text[128];
        char expected[256];
        settings_errors_init(&errors);
        int size = snprintf(text, sizeof text, "a:\n- '%s'\n", refused[i].text);
        snprintf(expected, sizeof expected, "2:3: %s", refused[i].error);
        CLEANUP(settings_document_destroy)
        struct settings_document *document = load(text, (size_t)size, &errors);
        assert_errors(&errors, text, expected);
        assert_true(document->root->first->first->broken);
    }
}

static void names_have_at_most_127_characters(void **state)
{
    (void)state;
    char name[129];
    memset(name, 'N', 128);
    for (size_t length = 127; length <= 128; length++) {
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        char text[256];
        name[length] = '\0';
        settings_errors_init(&errors);
        int size = snprintf(text, sizeof text, "a: ${%s:-b}\n", name);
        CLEANUP(settings_document_destroy)
        struct settings_document *document = load(text, (size_t)size, &errors);
        assert_non_null(document);
        assert_int_equal(errors.count, length - 127);
        name[length] = 'N';
    }
}

static void all_wrong_variables_are_told_and_what_they_bring_is_bounded(void **state)
{
    (void)state;
    CLEANUP(settings_errors_fini) struct settings_errors errors;
    CLEANUP(cleanup_free) char *large = malloc(100001);
    memset(large, 'x', 100000);
    large[100000] = '\0';
    setenv("LARGE", large, 1);
    char text[] = "- ${A}\n- ${B}\n- '${LARGE}${LARGE}${LARGE}${LARGE}${LARGE}'\n"
                  "- '${LARGE}${LARGE}${LARGE}${LARGE}${LARGE}'\n- ${LARGE}\n";
    settings_errors_init(&errors);
    CLEANUP(settings_document_destroy)
    struct settings_document *document = load(text, sizeof text - 1, &errors);
    assert_non_null(document);
    assert_errors(&errors, text,
                  "1:3: the variable A is not set; set it, or write ${A:-default}\n"
                  "2:3: the variable B is not set; set it, or write ${B:-default}\n"
                  "5:3: with LARGE the variables of this file bring too much text; 1 MiB is "
                  "allowed");
}

static int set_variables(void **state)
{
    (void)state;
    static const char *const variables[][2] = {
        {"ONE", "1"},        {"EMPTY", ""},      {"HOST", "h\xc3\xbc"}, {"TWICE", "${ONE}$$"},
        {"NEWLINE", "a\nb"}, {"DELETE", "\x7f"}, {"NEL", "\xc2\x85"},   {"LATIN", "\xe9"},
    };
    static const char *const absent[] = {"UNSET", "PORT", "_a1", "A", "B"};
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        setenv(variables[i][0], variables[i][1], 1);
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        unsetenv(absent[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_replaced_once),
        cmocka_unit_test(plain_values_stay_plain_and_keys_stay),
        cmocka_unit_test(wrong_variables_are_refused_in_these_words),
        cmocka_unit_test(names_have_at_most_127_characters),
        cmocka_unit_test(all_wrong_variables_are_told_and_what_they_bring_is_bounded),
    };
    return cmocka_run_group_tests(tests, set_variables, NULL);
}
