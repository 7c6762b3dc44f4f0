/* Applications as files say them: what is read and printed, and every error with its place. */
#include <busbar/app.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/app_rig.h"

#define MATH "  math: {library: libm.so.6, functions: {pow: \"dd>d\"}}\n"
#define OBJECTS "objects:\n" MATH

/* Promises 2, 7, 26: every error of a file at once, each at its place. */
static const struct {
    const char *text;
    const char *expected;
} errors[] = {
    {"objekts: {}\n", "f:1:1: unknown key \"objekts\" in the file; did you mean \"objects\"?"},
    {"objects: []\n", "f:1:10: objects must be a map of ID: OBJECT"},
    {"objects:\n  a: 1\n",
     "f:2:6: objects.a must be a map with one of the keys library, command, proxy or pool"},
    {"objects:\n  a:\n",
     "f:2:5: objects.a must be a map with one of the keys library, command, proxy or pool"},
    {"objects:\n  a: {}\n",
     "f:2:6: objects.a must have one of the keys library, command, proxy or pool"},
    {"objects:\n  a: {libary: x, functions: {}}\n",
     "f:2:7: unknown kind \"libary\" of objects.a; did you mean \"library\"?"},
    {"objects:\n  a: {soap: x}\n",
     "f:2:7: unknown kind \"soap\" of objects.a; known are library, command, proxy, pool"},
    {"objects:\n  a: {functions: {}, timeout: 1}\n",
     "f:2:6: objects.a must have one of the keys library, command, proxy or pool"},
    {"objects:\n  a: {proxy: x, pool: []}\n",
     "f:2:17: objects.a has two kinds, \"proxy\" and \"pool\"; keep one of them"},
    {"objects:\n  a: {hessian: \"http://x\"}\n  b: {pyro: x}\n",
     "f:2:7: hessian is not built into this Busbar\nf:3:7: pyro is not built into this Busbar"},
    {"objects:\n  1a: {proxy: x}\n",
     "f:2:3: the id of an object must be 1 to 127 letters, digits, \"_\", \".\" and \"-\", the "
     "first a letter or \"_\", not \"1a\""},
    {"objects:\n  p: {pool: [q, a]}\n  a: {proxy: x}\n",
     "f:2:14: objects.p.pool: no object has the id \"q\"; known are p, a"},
    {"objects:\n  p: {pool: [worker]}\n  a: {proxy: x}\n",
     "f:2:14: objects.p.pool: no object has the id \"worker\"; known are p, a"},
    {"objects:\n  a: {pool: [a]}\n", "f:2:14: pools would call each other for ever: a -> a"},
    {"objects:\n  a: {pool: [b]}\n  b: {pool: [c]}\n  c: {pool: [d, a]}\n  d: {proxy: x}\n",
     "f:4:17: pools would call each other for ever: a -> b -> c -> a"},
    {OBJECTS "exports: {name: a}\n", "f:3:10: exports must be a list, not a map"},
    {OBJECTS "exports: [{name: a}]\n", "f:3:11: exports must have the key \"object\""},
    {OBJECTS "exports:\n- {object: math}\n", "f:4:3: exports must have the key \"name\""},
    {OBJECTS "exports:\n- {name: a, object: meth}\n",
     "f:4:21: exports.object: no object has the id \"meth\"; did you mean \"math\"?"},
    {"exports:\n- {name: a, object: b}\n",
     "f:2:21: exports.object: no object has the id \"b\"; there are no objects"},
    {OBJECTS "exports:\n- {name: a, object: math}\n- {name: b, object: math}\n"
             "- {name: a, object: math}\n",
     "f:6:10: \"a\" is exported already on line 4; a name can be exported once"},
    {OBJECTS "exports:\n- {name: a b, object: math}\n",
     "f:4:10: exports.name must be 1 to 127 letters, digits, \"_\", \".\", \":\" and \"-\", the "
     "first a letter, a digit or \"_\", not \"a b\""},
    {OBJECTS "exports:\n- {name: bus.x, object: math}\n",
     "f:4:10: exports.name must be a name that the bus does not keep for itself, as it does "
     "\"bus\", \"bus.*\", \"mmi.*\", \"titanic.*\" and all with \"_\" in front, not \"bus.x\""},
    {OBJECTS "exports:\n- {name: a, object: math, instances: 0, threads: 1025, credit: -1}\n",
     "f:4:38: exports.instances must be a whole number from 1 to 1000, not \"0\"\n"
     "f:4:50: exports.threads must be a whole number from 1 to 1024, not \"1025\"\n"
     "f:4:64: exports.credit must be a whole number from 0 to 65536, not \"-1\""},
    {OBJECTS "exports:\n- {name: a, object: math, weight: 0, balance: fair, stall: 25h}\n",
     "f:4:35: exports.weight must be a whole number from 1 to 10000, not \"0\"\n"
     "f:4:47: exports.balance must be least_loaded, round_robin, random or sticky, not \"fair\"\n"
     "f:4:60: exports.stall must be a time like 500ms or 2s, from 0 to 24h, not \"25h\""},
    {"broker: here\n",
     "f:1:9: broker must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"here\""},
    {"broker: []\n", "f:1:9: broker must have 1 to 64 items, not 0"},
    {"broker: [tcp://a:1, {embed: \"tcp://127.0.0.1:*\"}]\n",
     "f:1:21: an embedded broker must be the only one: take away either \"embed\" or the other "
     "endpoints"},
    {"broker: {embed: \"tcp://127.0.0.1:*\", endpoint: tcp://a:1}\n",
     "f:1:9: an embedded broker must be the only one: take away either \"embed\" or the other "
     "endpoints"},
    {"broker: {embed: \"tcp://0.0.0.0:*\"}\n",
     "f:1:17: other machines could connect to \"tcp://0.0.0.0:*\", and without encryption; embed "
     "the broker at a loopback address such as 127.0.0.1, or set allow_plaintext: true"},
    {"broker: {embed: \"tcp://*:7766\", allow_plaintext: false}\n",
     "f:1:17: other machines could connect to \"tcp://*:7766\", and without encryption; embed "
     "the broker at a loopback address such as 127.0.0.1, or set allow_plaintext: true"},
    {"broker: {embed: \"here\", allow_plaintext: 1}\n",
     "f:1:17: broker.embed must be tcp://HOST:PORT (port * takes a free one) or ipc://PATH, not "
     "\"here\"\nf:1:42: broker.allow_plaintext must be true or false, not \"1\""},
    {"broker: {endpoint: tcp://a:1, allow_plaintext: true}\n",
     "f:1:48: allow_plaintext is for an embedded broker alone: take it away, or say \"embed\""},
    {"broker: {}\n", "f:1:9: broker must be an endpoint, a list of them, or {embed: ENDPOINT}"},
    {"log: loud\n", "f:1:6: log must be off, error, warning, info or debug, not \"loud\""},
    {"log: {objekts: debug}\n", "f:1:7: unknown key \"objekts\" in log; did you mean \"objects\"?"},
    {"version: 2\n", "f:1:10: version must be 1, not \"2\""},
    /* All at once, in the order of the file. */
    {"exports:\n- {name: a, object: x}\nobjects:\n  p: {pool: [y]}\n  q: {nothing: 1}\nlog: 7\n",
     "f:2:21: exports.object: no object has the id \"x\"; known are p, q\n"
     "f:4:14: objects.p.pool: no object has the id \"y\"; known are p, q\n"
     "f:5:7: unknown kind \"nothing\" of objects.q; known are library, command, proxy, pool\n"
     "f:6:6: log must be off, error, warning, info or debug, not \"7\""},
    /* An object with an error is not unknown as well. */
    {"objects:\n  a: {soap: x}\n  p: {pool: [a]}\nexports:\n- {name: n, object: a}\n",
     "f:2:7: unknown kind \"soap\" of objects.a; known are library, command, proxy, pool"},
    /* Circles through the bus. */
    {"objects:\n  a: {proxy: one}\nexports:\n- {name: one, object: a}\n",
     "f:4:23: the export would call itself for ever: \"one\" -> a -> \"one\""},
    {"objects:\n  a: {proxy: two}\n  p: {pool: [b, c]}\n  b: {proxy: far}\n  c: {proxy: one}\n"
     "exports:\n- {name: one, object: a}\n- {name: two, object: p}\n",
     "f:7:23: the export would call itself for ever: \"one\" -> a -> \"two\" -> p -> c -> \"one\""},
};

static void every_error_of_a_file_is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        struct busbar_app *app = (struct busbar_app *)state;
        rig_write("f", errors[i].text);
        enum busbar_status status = busbar_app_load(&app, "f");
        if (status != BUSBAR_BAD_CONFIG || strcmp(busbar_last_error(), errors[i].expected) != 0)
            print_error("input:\n%s", errors[i].text);
        assert_int_equal(status, BUSBAR_BAD_CONFIG);
        assert_string_equal(busbar_last_error(), errors[i].expected);
        assert_int_equal(busbar_last_status(), BUSBAR_BAD_CONFIG);
        assert_null(app);
    }
}

static void a_missing_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    assert_int_equal(busbar_app_load(&app, "nowhere.yaml"), BUSBAR_BAD_CONFIG);
    assert_non_null(strstr(busbar_last_error(), "nowhere.yaml"));
    assert_null(app);
}

/* Promise 26. */
static void a_missing_library_is_an_error_at_load(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    rig_write("f", "objects:\n  a: {library: libnobody.so, functions: {f: \">i\"}}\n"
                   "  b: {library: libm.so.6, functions: {nosuch: \">i\"}}\n");
    assert_int_equal(busbar_app_load(&app, "f"), BUSBAR_BAD_CONFIG);
    assert_non_null(strstr(busbar_last_error(), "f:2:"));
    assert_non_null(strstr(busbar_last_error(), "libnobody.so"));
    assert_non_null(strstr(busbar_last_error(), "f:3:"));
    assert_non_null(strstr(busbar_last_error(), "nosuch"));
}

/* What a proxy of another broker reaches is not this file's to judge; nor another's export. */
static void no_circle_is_seen_where_there_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "objects:\n  a: {proxy: {service: one, broker: \"tcp://127.0.0.1:1\"}}\n"
        "exports:\n- {name: one, object: a}\n",
        "objects:\n  a: {proxy: two}\nexports:\n- {name: one, object: a}\n",
        "objects:\n  a: {proxy: two}\n  p: {pool: [a, q]}\n  q: {pool: [a]}\n"
        "exports:\n- {name: one, object: p}\n- {name: three, object: q}\n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(texts[i]);
        assert_non_null(app);
    }
}

/* Promise 3: the file, then the environment, then the default. */
static void the_broker_is_the_files_then_the_environments_then_the_default(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *variable;
        const char *expected;
    } cases[] = {
        {"", NULL, "tcp://127.0.0.1:7766"},
        {"", "", "tcp://127.0.0.1:7766"},
        {"", "tcp://10.0.0.1:1", "tcp://10.0.0.1:1"},
        {"broker: tcp://10.0.0.2:2\n", "tcp://10.0.0.1:1", "tcp://10.0.0.2:2"},
        {"broker: [tcp://a:1, tcp://b:2]\n", NULL, "tcp://a:1"},
        {"broker: [{endpoint: tcp://a:1}]\n", NULL, "tcp://a:1"},
        {"broker: {embed: \"tcp://127.0.0.1:*\"}\n", NULL, "tcp://127.0.0.1:*"},
        {"broker: ${BUSBAR_BROKER:-tcp://c:3}\n", NULL, "tcp://c:3"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsetenv("BUSBAR_BROKER");
        if (cases[i].variable != NULL)
            setenv("BUSBAR_BROKER", cases[i].variable, 1);
        CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(cases[i].text);
        assert_string_equal(busbar_app_broker(app), cases[i].expected);
    }
}

static void the_variable_may_list_several_brokers(void **state)
{
    (void)state;
    setenv("BUSBAR_BROKER", "tcp://a:1, tcp://b:2", 1);
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read("");
    CLEANUP(cleanup_free) char *dump = rig_dump(app);
    assert_string_equal(dump, "version: 1\nbroker:\n  - tcp://a:1\n  - tcp://b:2\nlog: warning\n");
}

static void a_wrong_variable_is_told_as_such(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    setenv("BUSBAR_BROKER", "nonsense", 1);
    rig_write("f", "");
    assert_int_equal(busbar_app_read(&app, "f"), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(),
                        "$BUSBAR_BROKER must be tcp://HOST:PORT, ipc://PATH or "
                        "inproc://NAME, not \"nonsense\"");
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_app_start(app), BUSBAR_BAD_CONFIG);
    busbar_app_destroy(&app);
}

/* Promise 28. */
static void an_overlay_changes_what_it_names(void **state)
{
    (void)state;
    struct busbar_app *app;
    rig_write("production.yaml", "broker: tcp://10.0.0.1:1\nobjects:\n  service: {library: ~, "
                                 "functions: ~, proxy: far}\n");
    app = rig_read("overlay: \"${OVERLAY:-}\"\nobjects:\n  service: {library: libm.so.6, "
                   "functions: {pow: \"dd>d\"}}\n");
    assert_string_equal(busbar_object_kind(busbar_app_object(app, "service")), "library");
    busbar_app_destroy(&app);
    setenv("OVERLAY", "production.yaml", 1);
    assert_int_equal(busbar_app_read(&app, "f"), BUSBAR_OK);
    unsetenv("OVERLAY");
    assert_string_equal(busbar_object_kind(busbar_app_object(app, "service")), "proxy");
    assert_string_equal(busbar_app_broker(app), "tcp://10.0.0.1:1");
    busbar_app_destroy(&app);
}

static void errors_name_the_file_of_the_overlay(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    rig_write("over.yaml", "\nexports:\n- {name: a, object: nobody}\n");
    rig_write("f", "overlay: over.yaml\n" OBJECTS "log: x\n");
    assert_int_equal(busbar_app_read(&app, "f"), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(),
                        "f:4:6: log must be off, error, warning, info or debug, not \"x\"\n"
                        "over.yaml:3:21: exports.object: no object has the id \"nobody\"; known "
                        "are math");
}

static void an_unknown_id_lists_those_there_are(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(OBJECTS "  far: {proxy: x}\n");
    assert_null(busbar_app_object(app, "mth"));
    assert_int_equal(busbar_last_status(), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_last_error(), "no object has the id \"mth\"; known are math, far");
    assert_non_null(busbar_app_object(app, "far"));
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
}

/* What is printed reads back as the same. */
static const struct {
    const char *text;
    const char *expected; /* NULL: the same text */
} dumps[] = {
    {"", "version: 1\nbroker: tcp://127.0.0.1:7766\nlog: warning\n"},
    {"broker: [tcp://a:1, ipc:///tmp/x]\nlog: {level: info, pools: debug}\n",
     "version: 1\nbroker:\n  - tcp://a:1\n  - ipc:///tmp/x\nlog:\n  config: info\n  objects: info\n"
     "  exports: info\n  broker: info\n  pools: debug\n"},
    {"broker: {embed: \"tcp://127.0.0.1:*\"}\n",
     "version: 1\nbroker:\n  embed: tcp://127.0.0.1:*\nlog: warning\n"},
    {"broker: {embed: \"tcp://0.0.0.0:7\", allow_plaintext: true}\n",
     "version: 1\nbroker:\n  embed: tcp://0.0.0.0:7\n  allow_plaintext: true\nlog: warning\n"},
    {"objects:\n  far: {proxy: {service: x, timeout: 2s}}\n  all: {pool: {members: [far], probe: "
     "1s}}\nexports:\n- {name: n, object: all, version: 1.0, tags: {zone: a, \"b c\": \"\"}, "
     "instances: 2, threads: 3, credit: 4, weight: 7, balance: random, stall: 1m}\n"
     "- {name: m, object: all}\nlog: \"off\"\n",
     NULL},
};

static void what_is_printed_reads_back_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
        CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(dumps[i].text);
        CLEANUP(cleanup_free) char *first = rig_dump(app);
        CLEANUP(busbar_app_destroy) struct busbar_app *again = rig_read(first);
        CLEANUP(cleanup_free) char *second = rig_dump(again);
        if (dumps[i].expected != NULL)
            assert_string_equal(first, dumps[i].expected);
        assert_string_equal(first, second);
    }
}

static void a_circle_of_thousands_of_pools_is_found(void **state)
{
    (void)state;
    struct busbar_app *app = NULL;
    FILE *file = fopen("f", "w");
    assert_non_null(file);
    fputs("objects:\n", file);
    for (int i = 0; i < 5000; i++)
        fprintf(file, "  p%d: {pool: [p%d]}\n", i, (i + 1) % 5000);
    fclose(file);
    assert_int_equal(busbar_app_read(&app, "f"), BUSBAR_BAD_CONFIG);
    assert_non_null(strstr(busbar_last_error(), "f:5001:18: pools would call each other for ever: "
                                                "p0 -> p1 -> p2 -> "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(every_error_of_a_file_is_told_with_its_place),
        TEST(a_missing_file_is_an_error_that_names_it),
        TEST(a_missing_library_is_an_error_at_load),
        TEST(no_circle_is_seen_where_there_is_none),
        TEST(the_broker_is_the_files_then_the_environments_then_the_default),
        TEST(the_variable_may_list_several_brokers),
        TEST(a_wrong_variable_is_told_as_such),
        TEST(an_overlay_changes_what_it_names),
        TEST(errors_name_the_file_of_the_overlay),
        TEST(an_unknown_id_lists_those_there_are),
        TEST(what_is_printed_reads_back_the_same),
        TEST(a_circle_of_thousands_of_pools_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
