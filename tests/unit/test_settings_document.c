/* The tree of a YAML file: what is refused and where, and what the nodes know of themselves. */
#include "settings/document.h"

#include "base/cleanup.h"
#include "tests/unit/settings_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct settings_document *parse(const char *data, size_t size,
                                       struct settings_errors *errors)
{
    struct settings_document *document = NULL;
    struct settings_text text = {.name = "f", .data = data, .size = size};
    bool good = settings_document_parse(&document, &text, errors);
    assert_int_equal(good, errors->count == 0);
    return document;
}

static void check_errors(const char *data, size_t size, const char *expected)
{
    struct settings_errors errors;
    settings_errors_init(&errors);
    /* A copy of just this size, for AddressSanitizer to watch its end. */
    CLEANUP(cleanup_free) char *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    struct settings_document *document = parse(copy, size, &errors);
    settings_errors_sort(&errors, 0);
    assert_errors(&errors, data, expected);
    settings_document_destroy(&document);
    settings_errors_fini(&errors);
}

static const struct {
    const char *data;
    size_t size;
    const char *errors;
} broken[] = {
    {TEXT("bind: [tcp://127.0.0.1:1\n"),
     "2:1: did not find expected ',' or ']' while parsing a flow sequence that starts on line 1; "
     "close the list with ]"},
    {TEXT("heartbeat: {interval: 1s\n"),
     "2:1: did not find expected ',' or '}' while parsing a flow mapping that starts on line 1; "
     "close the map with }"},
    {TEXT("\tattempts: 1\n"),
     "1:1: found character that cannot start any token while scanning for the next token; indent "
     "with spaces, not tabs, and quote values that start with >, |, @, ` or %"},
    {TEXT("attempts:\t1\nlog:\n\tlevel: info\n"),
     "3:1: found character that cannot start any token while scanning for the next token; indent "
     "with spaces, not tabs, and quote values that start with >, |, @, ` or %"},
    {TEXT("attempts: 1\n  liveness: 3\n"),
     "2:11: mapping values are not allowed in this context; quote a value that has a colon and a "
     "space in it, or check the indentation"},
    {TEXT("heartbeat:\n  interval: 1s\n liveness: 3\n"),
     "3:2: did not find expected key while parsing a block mapping that starts on line 1; check "
     "the indentation of this line"},
    {TEXT("attempts: 1\nqueue\n"),
     "3:1: could not find expected ':' while scanning a simple key that starts on line 2; write "
     "KEY: VALUE with a space after the colon"},
    {TEXT("log: {level: \"info}\n"), "2:1: found unexpected end of stream while scanning a quoted "
                                     "scalar that starts on line 1; close the quote"},
    {TEXT("log: {level: 'info}\n"), "2:1: found unexpected end of stream while scanning a quoted "
                                    "scalar that starts on line 1; close the quote"},
    {TEXT("bind: @home\n"),
     "1:7: found character that cannot start any token while scanning for the next token; indent "
     "with spaces, not tabs, and quote values that start with >, |, @, ` or %"},
    {TEXT("bind: `x`\n"),
     "1:7: found character that cannot start any token while scanning for the next token; indent "
     "with spaces, not tabs, and quote values that start with >, |, @, ` or %"},
    {TEXT("bind: \"\\q\"\n"), "1:8: found unknown escape character while parsing a quoted scalar"},
    {TEXT("bind: \"\\ud800\"\n"),
     "1:10: found invalid Unicode character escape code while parsing a quoted scalar"},
    {TEXT("bind: tcp://x: 1\n"),
     "1:14: mapping values are not allowed in this context; quote a value that has a colon and a "
     "space in it, or check the indentation"},
    {TEXT("attempts: 1\n---\nattempts: 2\n"),
     "2:1: a second document starts here; a file must hold only one"},
    {TEXT("attempts: 1\n...\nattempts: 2\n"),
     "3:1: did not find expected <document start>; a file must hold only one document"},
    {TEXT("%YAML 3.0\n---\na: 1\n"), "1:1: found incompatible YAML document"},
    {TEXT("attempts: &x 1\n"),
     "1:11: anchors (&) are not supported; write the value out where it is used"},
    {TEXT("attempts: *x\n"), "1:11: aliases (*) are not supported; write the value out"},
    {TEXT("queue: &q {calls: 1}\nheartbeat: *q\n"),
     "1:8: anchors (&) are not supported; write the value out where it is used\n2:12: aliases (*) "
     "are not supported; write the value out"},
    {TEXT("a: &a [x,x]\nb: &b [*a,*a]\n"),
     "1:4: anchors (&) are not supported; write the value out where it is used\n2:4: anchors (&) "
     "are not supported; write the value out where it is used\n2:8: aliases (*) are not supported; "
     "write the value out\n2:11: aliases (*) are not supported; write the value out"},
    {TEXT("&k attempts: 1\n"),
     "1:1: anchors (&) are not supported; write the value out where it is used"},
    {TEXT("*k : 1\n"), "1:1: a key must be a plain word, not a list, a map or an alias"},
    {TEXT("attempts: !!int 1\n"), "1:11: tags (!) are not supported; write the value only"},
    {TEXT("attempts: !mine 1\n"), "1:11: tags (!) are not supported; write the value only"},
    {TEXT("queue: !!map {calls: 1}\n"), "1:8: tags (!) are not supported; write the value only"},
    {TEXT("bind: !!seq [ipc://a]\n"), "1:7: tags (!) are not supported; write the value only"},
    {TEXT("? [a]\n: 1\n"), "1:3: a key must be a plain word, not a list, a map or an alias"},
    {TEXT("? {a: b}\n: 1\n"), "1:3: a key must be a plain word, not a list, a map or an alias"},
    {TEXT("attempts: 1\nattempts: 2\n"),
     "2:1: duplicate key \"attempts\"; it is already on line 1, keep one of them"},
    {TEXT("queue: {calls: 1, bytes: 1 MiB, calls: 2}\n"),
     "1:33: duplicate key \"calls\"; it is already on line 1, keep one of them"},
    {TEXT("attempts: 1\n\"attempts\": 1\nlog: {level: info, level: info}\n"),
     "2:1: duplicate key \"attempts\"; it is already on line 1, keep one of them\n3:20: duplicate "
     "key \"level\"; it is already on line 3, keep one of them"},
    {TEXT("log: {level: \"in\\0fo\"}\n"), "1:14: a value must not hold a zero byte"},
    {TEXT("log: {level: in\000fo}\n"),
     "1:16: control characters are not allowed; write them as \\xNN in double quotes"},
    {TEXT("attempts: 1\n# caf\351\n"), "2:6: not UTF-8; save the file as UTF-8"},
    {TEXT("# \303\251\303\251 \377\n"), "1:6: not UTF-8; save the file as UTF-8"},
    {TEXT("# \300\257\n"), "1:3: not UTF-8; save the file as UTF-8"},
    {TEXT("# \355\240\200\n"), "1:3: not UTF-8; save the file as UTF-8"},
    {TEXT("# \364\220\200\200\n"), "1:3: not UTF-8; save the file as UTF-8"},
    {TEXT("# \303"), "1:3: not UTF-8; save the file as UTF-8"},
    {TEXT("a: \007\n"),
     "1:4: control characters are not allowed; write them as \\xNN in double quotes"},
    {TEXT("\357\273\277# \377"), "1:3: not UTF-8; save the file as UTF-8"},
    {TEXT("\377\376a\000:\0001\000"), "1:1: not UTF-8; save the file as UTF-8"},
    {TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
     "1:33: lists and maps are nested too deeply; 32 levels are allowed"},
    {TEXT(": 1\n"), "1:1: did not find expected key while parsing a block mapping; check the "
                    "indentation of this line"},
    {TEXT("bind: tcp://127.0.0.1:\n"),
     "1:22: mapping values are not allowed in this context; quote a value that has a colon and a "
     "space in it, or check the indentation"},
};

static void broken_yaml_is_refused_in_these_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
        check_errors(broken[i].data, broken[i].size, broken[i].errors);
}

/* Bounds -------------------------------------------------------------------------------------- */

static void nesting_is_allowed_to_32_levels(void **state)
{
    (void)state;
    char text[67];
    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    check_errors(text + 1, 64, "");
    check_errors(text, 66, "1:33: lists and maps are nested too deeply; 32 levels are allowed");
}

static void a_file_may_have_one_mebibyte(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *data = malloc(SETTINGS_FILE_SIZE + 1);
    memset(data, '#', SETTINGS_FILE_SIZE + 1);
    check_errors(data, SETTINGS_FILE_SIZE, "");
    check_errors(data, SETTINGS_FILE_SIZE + 1, "is too large; a file may have 1 MiB");
}

static void a_file_may_have_65536_values(void **state)
{
    (void)state;
    size_t size = 2 * SETTINGS_NODES;
    CLEANUP(cleanup_free) char *data = malloc(size + 2);
    data[0] = '[';
    for (size_t i = 1; i < size; i += 2)
        memcpy(data + i, "1,", 2);
    data[size - 1] = ']'; /* the list itself is a value too */
    check_errors(data, size, "");
    memcpy(data + size - 1, "1]", 2);
    check_errors(data, size + 1, "1:131072: too many values; a file may hold 65536");
}

static void many_duplicates_are_found_in_time_and_only_counted(void **state)
{
    (void)state;
    struct settings_errors errors;
    settings_errors_init(&errors);
    size_t keys = 60000;
    CLEANUP(cleanup_free) char *data = malloc(keys * 5);
    for (size_t i = 0; i < keys; i++)
        memcpy(data + i * 5, "a: 1\n", 5);
    struct settings_document *document = parse(data, keys * 5, &errors);
    assert_int_equal(errors.count, keys - 1);
    assert_string_equal(settings_errors_line(&errors, 19),
                        "f:21:1: duplicate key \"a\"; it is already on line 1, keep one of them");
    assert_null(settings_errors_line(&errors, 20));
    settings_document_destroy(&document);
    settings_errors_fini(&errors);
}

/* Nodes --------------------------------------------------------------------------------------- */

static void nodes_know_their_places_and_paths(void **state)
{
    (void)state;
    static const char text[] = "objects:\n"
                               "  gr\xc3\xbc\xc3\x9f: {library: ./x.so,  kind: 'a'}\n"
                               "  other:\n"
                               "    - 5\n"
                               "    - {name: \"q\"}\n";
    char buffer[64];
    struct settings_errors errors;
    settings_errors_init(&errors);
    CLEANUP(settings_document_destroy)
    struct settings_document *document = parse(text, sizeof text - 1, &errors);
    assert_int_equal(errors.count, 0);
    const struct settings_node *objects = settings_node_find(document->root, "objects");
    const struct settings_node *first = objects->first;
    assert_int_equal(objects->count, 2);
    assert_int_equal(first->key_place.line, 2);
    assert_int_equal(first->key_place.column, 3);
    const struct settings_node *kind = settings_node_find(first, "kind");
    assert_string_equal(kind->text, "a");
    assert_false(kind->plain);
    assert_int_equal(kind->place.line, 2);
    assert_int_equal(kind->place.column, 34);
    const struct settings_node *list = settings_node_find(objects, "other");
    assert_int_equal(list->kind, SETTINGS_SEQUENCE);
    assert_true(list->first->plain);
    const struct settings_node *name = settings_node_find(list->last, "name");
    assert_string_equal(settings_node_path(name, buffer, sizeof buffer), "objects.other.name");
    assert_string_equal(settings_node_path(name, buffer, 12), "other.name");
    assert_string_equal(settings_node_path(document->root, buffer, sizeof buffer), "the file");
    assert_string_equal(name->place.file, "f");
    assert_null(settings_node_find(list, "name"));
    assert_null(settings_node_find(NULL, "name"));
}

static void files_that_cannot_be_read_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *error;
    } rows[] = {
        {"/nonexistent/x.yaml", "/nonexistent/x.yaml: cannot be read: No such file or directory"},
        {"/", "/: cannot be read: Is a directory"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct settings_errors errors;
        struct settings_document *document = NULL;
        settings_errors_init(&errors);
        assert_false(settings_document_load(&document, rows[i].path, &errors));
        assert_null(document);
        assert_string_equal(settings_errors_line(&errors, 0), rows[i].error);
        settings_errors_fini(&errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_yaml_is_refused_in_these_words),
        cmocka_unit_test(nesting_is_allowed_to_32_levels),
        cmocka_unit_test(a_file_may_have_one_mebibyte),
        cmocka_unit_test(a_file_may_have_65536_values),
        cmocka_unit_test(many_duplicates_are_found_in_time_and_only_counted),
        cmocka_unit_test(nodes_know_their_places_and_paths),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
