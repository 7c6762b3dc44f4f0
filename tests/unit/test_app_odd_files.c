/* Files of applications that are odd: half broken, too deep, endless, calling themselves. */
#include <busbar/app.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/app_rig.h"

static void assert_refused(const char *text, const char *expected)
{
    struct busbar_app *app = NULL;
    rig_write("f", text);
    assert_int_equal(busbar_app_read(&app, "f"), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(), expected);
    assert_null(app);
}

/* A value that was complained about once is not complained about again, nor used. */
static void a_broken_value_is_told_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"objects:\n  a: {proxy: \"${NO_SUCH_VARIABLE}\"}\n",
         "f:2:14: the variable NO_SUCH_VARIABLE is not set; set it, or write "
         "${NO_SUCH_VARIABLE:-default}"},
        {"objects:\n  a: {proxy: {service: \"${1}\"}}\n",
         "f:2:24: \"${1}\" is no variable; write ${NAME} or ${NAME:-default}, or $${ for the "
         "characters themselves"},
        {"objects:\n  a: {proxy: x, proxy: y}\n",
         "f:2:17: duplicate key \"proxy\"; it is already on line 2, keep one of them"},
        {"objects:\n  a: {proxy: &x y, poxy: 1}\n",
         "f:2:14: anchors (&) are not supported; write the value out where it is used\n"
         "f:2:20: unknown key \"poxy\" in objects.a; did you mean \"proxy\"?"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_refused(rows[i].text, rows[i].expected);
}

static void proxies_that_name_the_brokers_of_the_file_can_close_a_circle(void **state)
{
    (void)state;
    assert_refused("broker: [tcp://127.0.0.1:1, tcp://127.0.0.1:2]\n"
                   "objects:\n"
                   "  a: {proxy: {service: one, broker: [\"tcp://h:1\", \"tcp://127.0.0.1:2\"]}}\n"
                   "exports:\n"
                   "- {name: one, object: a}\n",
                   "f:5:23: the export would call itself for ever: \"one\" -> a -> \"one\"");
}

static char *chain(int pools, bool bottom_up)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fputs("objects:\n  p0: {proxy: s}\n", out);
    for (int i = 1; i <= pools; i++) {
        int pool = bottom_up ? i : pools + 1 - i;
        fprintf(out, "  p%d: {pool: [p%d]}\n", pool, pool - 1);
    }
    fclose(out);
    return text;
}

/* In any order: a call of a deeper one would need more stack than there may be. */
static void pools_may_be_64_deep(void **state)
{
    (void)state;
    for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
        char expected[100];
        CLEANUP(cleanup_free) char *good = chain(64, bottom_up);
        CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(good);
        assert_non_null(app);
        CLEANUP(cleanup_free) char *deep = chain(1000, bottom_up);
        snprintf(expected, sizeof expected,
                 "f:%d:%d: p65: more than 64 pools would be inside each other",
                 bottom_up ? 2 + 65 : 2 + 1001 - 65, 16);
        assert_refused(deep, expected);
    }
}

static void an_endless_overlay_is_told_where_it_is_named(void **state)
{
    (void)state;
    assert_refused("objects: {}\noverlay: [/dev/null, /dev/zero]\n",
                   "f:2:22: the overlay \"/dev/zero\" is too large; a file may have 1 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(a_broken_value_is_told_once),
        TEST(proxies_that_name_the_brokers_of_the_file_can_close_a_circle),
        TEST(pools_may_be_64_deep),
        TEST(an_endless_overlay_is_told_where_it_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
