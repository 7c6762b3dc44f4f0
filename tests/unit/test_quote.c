/* Text in quotes: what is escaped, and where it is cut. */
#include "base/quote.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void only_printable_text_stands_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *quoted;
    } rows[] = {
        {"", "\"\""},
        {"plain text", "\"plain text\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\r\t\x1b\x7f", "\"\\n\\r\\t\\x1b\\x7f\""},
        {"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\xc2\x85\xe2\x80\xa8\xe2\x80\xae", "\"\\u0085\\u2028\\u202e\""},
        {"\xff\xc3", "\"\\xff\\xc3\""},
        {"\xc0\xaf\xed\xa0\x80", "\"\\xc0\\xaf\\xed\\xa0\\x80\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[64];
        const char *quoted = quote(out, sizeof out, rows[i].text, strlen(rows[i].text));
        assert_string_equal(quoted, rows[i].quoted);
    }
}

static void text_that_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    static const char text[] = "ab\xc3\xbc\n\xff";
    static const char *const quoted[] = {
        [8] = "\"ab...\"",
        [9] = "\"ab...\"",
        [10] = "\"ab\xc3\xbc...\"",
        [11] = "\"ab\xc3\xbc...\"",
        [12] = "\"ab\xc3\xbc\\n...\"",
        [13] = "\"ab\xc3\xbc\\n\\xff\"",
        [14] = "\"ab\xc3\xbc\\n\\xff\"",
    };
    for (size_t size = 8; size < ARRAY_SIZE(quoted); size++) {
        char out[16];
        memset(out, '#', sizeof out);
        assert_string_equal(quote(out, size, text, sizeof text - 1), quoted[size]);
        assert_int_equal(out[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_printable_text_stands_as_it_is),
        cmocka_unit_test(text_that_does_not_fit_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
