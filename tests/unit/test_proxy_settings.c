/* Proxies as files and code define them: what is read, what is refused and where, what is dumped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "objects/object.h"
#include "settings/errors.h"

/* Makes the object that a text describes; its errors are printed into `lines`. */
static enum busbar_status make(struct busbar_object **ret, const char *text, char lines[1000])
{
    const struct settings_text source = {.name = "f.yaml", .data = text, .size = strlen(text)};
    struct settings_document *document = NULL;
    struct settings_errors errors;
    enum busbar_status status = BUSBAR_BAD_CONFIG;
    void *settings = calloc(1, proxy_kind.table->size);
    *ret = NULL;
    settings_errors_init(&errors);
    assert_true(settings_document_parse(&document, &source, &errors));
    assert_true(settings_init(proxy_kind.table, settings));
    if (settings_read(proxy_kind.table, document->root, settings, &errors))
        status = proxy_kind.create(ret, settings, document->root, &errors);
    settings_fini(proxy_kind.table, settings);
    FILE *out = fmemopen(lines, 1000, "w");
    settings_errors_print(&errors, "", out);
    fclose(out);
    settings_errors_fini(&errors);
    settings_document_destroy(&document);
    free(settings);
    return status;
}

static void dump(const struct busbar_object *object, char text[1000])
{
    FILE *out = fmemopen(text, 1000, "w");
    if (object != NULL)
        object->class->dump(object, 0, out);
    fclose(out);
}

static void what_is_dumped_reads_back_as_the_same(void **test)
{
    static const char *const CASES[][2] = {
        {"proxy: Greeter\n", NULL},
        {"proxy: {service: Greeter}\n", "proxy: Greeter\n"},
        {"proxy: {service: Greeter, timeout: 5s, retries: 0, broker: []}\n", "proxy: Greeter\n"},
        {"proxy:\n  service: a.b:c-d\n  broker: tcp://127.0.0.1:1\n  timeout: 2s\n  retries: 3\n"
         "  idempotent: get\n",
         NULL},
        {"proxy:\n  service: x\n  broker:\n    - tcp://h:1\n    - ipc:///tmp/x\n", NULL},
        {"proxy: {service: x, idempotent: true}\n", "proxy:\n  service: x\n  idempotent: \"*\"\n"},
        {"proxy: {service: x, idempotent: false}\n", "proxy: x\n"},
        {"proxy: {service: x, idempotent: [a, b]}\n",
         "proxy:\n  service: x\n  idempotent:\n    - a\n    - b\n"},
        {"proxy: x\nfunctions:\n  get: \"s>s\"\n", NULL},
    };
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        CLEANUP(busbar_object_destroy) struct busbar_object *object = NULL;
        CLEANUP(busbar_object_destroy) struct busbar_object *again = NULL;
        char lines[1000];
        char text[1000];
        char twice[1000];
        if (make(&object, CASES[i][0], lines) != BUSBAR_OK)
            fail_msg("%s: %s", CASES[i][0], lines);
        dump(object, text);
        assert_string_equal(text, CASES[i][1] != NULL ? CASES[i][1] : CASES[i][0]);
        assert_int_equal(make(&again, text, lines), BUSBAR_OK);
        dump(again, twice);
        assert_string_equal(text, twice);
    }
}

static void errors_are_told_with_their_places(void **test)
{
    static const char *const CASES[][2] = {
        {"proxy: 'no name'\n", "f.yaml:1:8: \"no name\" cannot be the name of a service\n"},
        {"proxy: {service: '-x'}\n", "f.yaml:1:18: \"-x\" cannot be the name of a service\n"},
        {"proxy: {service: x, broker: [tcp://h:1, h]}\n", "f.yaml:1:41: \"h\" is no endpoint"},
        {"proxy: {service: x, broker: h}\n", "f.yaml:1:29: \"h\" is no endpoint"},
        {"proxy: {service: x, idempotent: [a, b-c]}\n",
         "f.yaml:1:37: \"b-c\" cannot be the name of a method\n"},
        {"proxy: {service: x, idempotent: [true, a b]}\n",
         "f.yaml:1:40: \"a b\" cannot be the name of a method\n"},
        {"proxy: {service: x, timeout: 0}\n", "f.yaml:1:30: "},
        {"proxy: {timeout: 1s}\n", "f.yaml:1:8: "},
        {"proxy: {service: x, brokre: y}\n", "f.yaml:1:21: "},
        {"proxy: x\nfunctions: {get: sq>s}\n", "f.yaml:2:18: get: "},
    };
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        CLEANUP(busbar_object_destroy) struct busbar_object *object = NULL;
        char lines[1000] = "";
        assert_int_equal(make(&object, CASES[i][0], lines), BUSBAR_BAD_CONFIG);
        assert_null(object);
        if (strncmp(lines, CASES[i][1], strlen(CASES[i][1])) != 0)
            fail_msg("%s: %s instead of %s", CASES[i][0], lines, CASES[i][1]);
    }
}

static void code_says_the_same_as_a_file(void **test)
{
    static const char *const BROKERS[] = {"tcp://h:1", "tcp://h:2", NULL};
    static const char *const IDEMPOTENT[] = {"a", "b", NULL};
    static const char *const WORDS[] = {"unused", NULL};
    static const struct busbar_function FUNCTIONS[] = {{.name = "a",
                                                        .signature = "s>s",
                                                        .text = "does a",
                                                        .symbol = "unused",
                                                        .arguments = WORDS,
                                                        .flags = BUSBAR_IDEMPOTENT}};
    const struct busbar_proxy_options options = {
        .service = "x",
        .brokers = BROKERS,
        .timeout_ms = 1500,
        .retries = 2,
        .idempotent = IDEMPOTENT,
        .functions = FUNCTIONS,
        .function_count = 1,
    };
    CLEANUP(busbar_object_destroy) struct busbar_object *coded = NULL;
    CLEANUP(busbar_object_destroy) struct busbar_object *read = NULL;
    char text[1000];
    char twice[1000];
    char lines[1000];
    (void)test;
    assert_int_equal(busbar_proxy_new(&coded, &options), BUSBAR_OK);
    dump(coded, text);
    if (make(&read, text, lines) != BUSBAR_OK)
        fail_msg("%s: %s", text, lines);
    dump(read, twice);
    assert_string_equal(text, twice);
    assert_non_null(strstr(text, "1500ms"));
    assert_non_null(strstr(text, "does a"));
}

static void wrong_options_are_refused(void **test)
{
    static const char *const BROKERS[] = {"nonsense", NULL};
    static const char *const IDEMPOTENT[] = {"a-b", NULL};
    static const struct busbar_function FUNCTIONS[] = {{.name = "a", .signature = "q"}};
    static const struct busbar_proxy_options CASES[] = {
        {.service = NULL},
        {.service = ""},
        {.service = "a b"},
        {.service = "x", .brokers = BROKERS},
        {.service = "x", .idempotent = IDEMPOTENT},
        {.service = "x", .functions = FUNCTIONS, .function_count = 1},
        {.service = "x", .function_count = 1},
        {.service = "x", .retries = 5000},
        {.service = "x", .reserved = {(void *)(uintptr_t)1}},
    };
    struct busbar_object *object = NULL;
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        enum busbar_status status = busbar_proxy_new(&object, &CASES[i]);
        assert_true(status == BUSBAR_BAD_ARGUMENT || status == BUSBAR_BAD_CONFIG);
        assert_int_equal(busbar_last_status(), status);
        assert_true(strlen(busbar_last_error()) > 10);
        assert_null(object);
    }
    assert_int_equal(busbar_proxy_new(&object, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_proxy_new(NULL, &CASES[0]), BUSBAR_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_dumped_reads_back_as_the_same),
        cmocka_unit_test(errors_are_told_with_their_places),
        cmocka_unit_test(code_says_the_same_as_a_file),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
