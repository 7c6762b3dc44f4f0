/* Maps with free keys and the short forms of groups, as the objects of an application use them. */
#include "settings/table.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"
#include "tests/unit/settings_things.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The same things said in several ways; the last column is how they are printed. */
static const struct {
    const char *text;
    const char *bare;
} forms[] = {
    {"", ""},
    {"proxy: Name", "proxy: Name\n"},
    {"proxy: {service: Name}", "proxy: Name\n"},
    {"proxy: {service: Name, timeout: 5000}", "proxy: Name\n"},
    {"proxy: {service: Name, timeout: 1s}", "proxy:\n  service: Name\n  timeout: 1s\n"},
    {"proxy: '12'", "proxy: \"12\"\n"},
    {"pool: [a, b]", "pool:\n  - a\n  - b\n"},
    {"pool: {members: [a, b]}", "pool:\n  - a\n  - b\n"},
    {"pool: a", "pool: a\n"},
    {"pool: []", ""},
    {"pool: {members: [a], probe: 1s}", "pool:\n  members: a\n  probe: 1s\n"},
    {"pool: {members: [], probe: 1s}", "pool:\n  members: []\n  probe: 1s\n"},
    {"command: prog", "command: prog\n"},
    {"command: {text: prog}", "command: prog\n"},
    {"command: [prog, -v, 'a b']", "command:\n  - prog\n  - \"-v\"\n  - \"a b\"\n"},
    {"functions: {f: 's>S'}", "functions:\n  f: \"s>S\"\n"},
    {"functions: {f: {signature: s, symbol: g, idempotent: true}, a: d}",
     "functions:\n  f:\n    symbol: g\n    signature: s\n    idempotent: true\n  a: d\n"},
    {"functions: {}", ""},
    {"functions:\n", ""},
    {"environment: {PORT: 7766, B: '', true: yes}",
     "environment:\n  PORT: \"7766\"\n  B: \"\"\n  \"true\": \"yes\"\n"},
    {"environment: {A: {value: b}, C: {}}", "environment:\n  A: b\n  C: {}\n"},
    {"environment: {\"a: b\": c, '': d, '$$': e, ~: f}",
     "environment:\n  \"a: b\": c\n  \"\": d\n  \"$$\": e\n  \"~\": f\n"},
    {"broker: tcp://a:1", "broker: tcp://a:1\n"},
    {"broker: [tcp://a:1]", "broker: tcp://a:1\n"},
    {"broker: [tcp://a:1, {endpoint: b}]", "broker:\n  - tcp://a:1\n  - b\n"},
    {"broker: {embed: tcp://a:1}", "broker:\n  embed: tcp://a:1\n"},
    {"broker: [{embed: a, endpoint: b}, {}]", "broker:\n  - endpoint: b\n    embed: a\n  - {}\n"},
    {"broker: {}", "broker: {}\n"},
    {"broker: []", ""},
    {"log: debug", "log: debug\n"},
    {"log: {level: debug}", "log: debug\n"},
    {"log: {objects: debug}", "log:\n  objects: debug\n"},
    {"log: info", ""},
    {"log:\n", ""},
    {"objects: {a: [b], c: {d: e}}", ""},
};

static void short_and_long_forms_mean_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        CLEANUP(things_fini) struct things things;
        CLEANUP(things_fini) struct things again;
        things_read_good(&things, forms[i].text);
        CLEANUP(cleanup_free) char *bare = things_dump_bare(&things, 0);
        assert_string_equal(bare, forms[i].bare);
        things_read_good(&again, bare);
        CLEANUP(cleanup_free) char *bare_again = things_dump_bare(&again, 0);
        assert_string_equal(bare, bare_again);
    }
}

static void maps_keep_keys_defaults_and_order(void **state)
{
    (void)state;
    CLEANUP(things_fini) struct things things;
    things_read_good(&things, "functions:\n  z: d\n  a: {signature: '>s', symbol: b}\n"
                              "environment: {K: V}\nobjects: 1\n");
    assert_int_equal(things.function_count, 2);
    assert_string_equal(things.functions[0].name, "z");
    assert_string_equal(things.functions[0].signature, "d");
    assert_null(things.functions[0].symbol);
    assert_false(things.functions[0].idempotent);
    assert_string_equal(things.functions[1].name, "a");
    assert_string_equal(things.functions[1].symbol, "b");
    assert_int_equal(things.environment_count, 1);
    assert_string_equal(things.environment[0].name, "K");
    assert_string_equal(things.environment[0].value, "V");
    assert_int_equal(things.proxy.timeout, 5000);
    assert_int_equal(things.log.level, INFO);
    things_fini(&things);
    assert_null(things.functions);
    assert_int_equal(things.function_count, 0);
}

static void a_dump_is_indented_as_asked(void **state)
{
    (void)state;
    CLEANUP(things_fini) struct things things;
    things_read_good(&things, "functions: {f: {signature: s, symbol: g}}\nbroker: [a, b]\n");
    CLEANUP(cleanup_free) char *bare = things_dump_bare(&things, 4);
    assert_string_equal(bare, "    functions:\n      f:\n        symbol: g\n        signature: s\n"
                              "    broker:\n      - a\n      - b\n");
}

static void keys_of_any_length_read_back(void **state)
{
    (void)state;
    CLEANUP(things_fini) struct things things;
    CLEANUP(things_fini) struct things again;
    char key[1201];
    char text[1300];
    memset(key, 'k', 1200);
    key[1200] = '\0';
    snprintf(text, sizeof text, "environment:\n  ? %s\n  : v\n", key);
    things_read_good(&things, text);
    CLEANUP(cleanup_free) char *bare = things_dump_bare(&things, 2);
    things_read_good(&again, bare);
    assert_string_equal(again.environment[0].name, key);
    assert_string_equal(again.environment[0].value, "v");
}

static void an_explained_dump_has_them_in_full(void **state)
{
    (void)state;
    CLEANUP(things_fini) struct things things;
    things_read_good(&things, "proxy: p\npool: a\nfunctions: {f: s}\nenvironment: {A: b, C: {}}");
    CLEANUP(cleanup_free) char *text = things_dump(&things);
    assert_string_equal(text, "proxy:\n  service: p\n  timeout: 5s\n"
                              "pool:\n  members:\n    - a\n  probe: 250ms\n"
                              "command: []\n"
                              "# What can be called.\n"
                              "functions:\n  f:\n    signature: s\n    idempotent: false\n"
                              "environment:\n  A: b\n  C: {}\n"
                              "broker: []\n"
                              "log:\n  level: info\n  objects: info\n"
                              "# Not known here.\n# objects:\n");
}

static const struct {
    const char *text;
    const char *errors;
} wrong[] = {
    {"proxy:", "1:7: proxy must have the key \"service\""},
    {"proxy: {}", "1:8: proxy must have the key \"service\""},
    {"proxy: {timeout: 1s}", "1:8: proxy must have the key \"service\""},
    {"proxy: ''", "1:8: proxy must be a string of at least 1 bytes, not \"\""},
    {"proxy: [a]", "1:8: proxy must be a string of at least 1 bytes, not a list"},
    {"proxy: {service: {}}", "1:18: proxy.service must be a string of at least 1 bytes, not a map"},
    {"proxy: {servise: a}", "1:9: unknown key \"servise\" in proxy; did you mean \"service\"?\n"
                            "1:8: proxy must have the key \"service\""},
    {"pool: [a, b, c, d]", "1:7: pool must have 0 to 3 items, not 4"},
    {"pool: {members: [a, [b], '']}",
     "1:21: pool.members must be a string of at least 1 bytes, not a list\n"
     "1:26: pool.members must be a string of at least 1 bytes, not \"\""},
    {"command: []", "1:10: command must have at least 1 items, not 0"},
    {"functions: f", "1:12: functions must be a map of KEY: VALUE, not \"f\""},
    {"functions: [f, g]", "1:12: functions must be a map of KEY: VALUE, not a list"},
    {"functions: {a: s, b: s, c: s, d: s}",
     "1:12: functions must have 0 to 3 pairs of KEY: VALUE, not 4"},
    {"functions:\n  f:\n  g: [s]\n  h: {symbol: x}\n",
     "2:5: functions.f must be a string, but nothing is given\n"
     "3:6: functions.g must be a string, not a list\n"
     "4:6: functions.h must have the key \"signature\""},
    {"functions:\n  get-data: s\n  \"\": {signature: 's', idempotent: maybe}\n",
     "2:3: the key \"get-data\" in functions must be small letters and _\n"
     "3:3: the key \"\" in functions must be small letters and _\n"
     "3:36: functions..idempotent must be true or false, not \"maybe\""},
    {"functions:\n  f: s\n  f: t\n",
     "3:3: duplicate key \"f\"; it is already on line 2, keep one of them"},
    {"environment: {A: b, A: c}",
     "1:21: duplicate key \"A\"; it is already on line 1, keep one of them"},
    {"environment: {A: }", "1:18: environment.A must be a string, but nothing is given"},
    {"environment: {A: *x}", "1:18: aliases (*) are not supported; write the value out"},
    {"broker: {embd: a}", "1:10: unknown key \"embd\" in broker; did you mean \"embed\"?"},
    {"broker:", "1:8: broker must be a list, but nothing is given"},
    {"log: loud", "1:6: log must be quiet, info or debug, not \"loud\""},
    {"log: [debug]", "1:6: log must be quiet, info or debug, not a list"},
};

static void wrong_maps_and_short_forms_are_refused_in_these_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        CLEANUP(things_fini) struct things things;
        CLEANUP(settings_errors_fini) struct settings_errors errors;
        settings_errors_init(&errors);
        assert_false(things_read(&things, wrong[i].text, &errors));
        assert_errors(&errors, wrong[i].text, wrong[i].errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_and_long_forms_mean_the_same),
        cmocka_unit_test(maps_keep_keys_defaults_and_order),
        cmocka_unit_test(a_dump_is_indented_as_asked),
        cmocka_unit_test(keys_of_any_length_read_back),
        cmocka_unit_test(an_explained_dump_has_them_in_full),
        cmocka_unit_test(wrong_maps_and_short_forms_are_refused_in_these_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
