/* A broker's settings: defaults, files, command line, printing. */
#include "broker/settings.h"

#include "base/cleanup.h"
#include "settings/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *dump(const struct broker_settings *settings)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    broker_settings_dump(settings, out);
    fclose(out);
    return text;
}

/* Writes a file that goes away with the test's directory entry; the path is the caller's. */
static void write_file(char path[32], const char *text)
{
    snprintf(path, 32, "/tmp/busbar-settings-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Loads a text as a file; the first error is copied to `error`, of 256 bytes. */
static enum busbar_status load(struct broker_settings *settings, struct broker_settings_input input,
                               const char *text, char *error)
{
    char path[32];
    struct settings_errors errors;
    settings_errors_init(&errors);
    write_file(path, text);
    input.file = path;
    enum busbar_status status = broker_settings_load(settings, &input, &errors);
    const char *line = settings_errors_line(&errors, 0);
    if (line != NULL && strncmp(line, path, strlen(path)) == 0)
        line += strlen(path);
    snprintf(error, 256, "%s", line != NULL ? line : "");
    settings_errors_fini(&errors);
    unlink(path);
    return status;
}

static void load_good(struct broker_settings *settings, struct broker_settings_input input,
                      const char *text)
{
    char error[256];
    enum busbar_status status = load(settings, input, text, error);
    assert_string_equal(error, "");
    assert_int_equal(status, BUSBAR_OK);
}

static void the_defaults_are_those_of_the_header(void **state)
{
    (void)state;
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    assert_int_equal(broker_settings_init(&settings), BUSBAR_OK);
    assert_int_equal(settings.bind_count, 1);
    assert_string_equal(settings.binds[0].endpoint, "tcp://127.0.0.1:7766");
    assert_false(settings.allow_plaintext);
    assert_int_equal(settings.body_limit, 16 << 20);
    assert_int_equal(settings.heartbeat_interval, 1000);
    assert_int_equal(settings.heartbeat_liveness, 3);
    assert_int_equal(settings.queue_calls, 100000);
    assert_int_equal(settings.queue_bytes, 256 << 20);
    assert_int_equal(settings.outbox_bytes, 64 << 20);
    assert_int_equal(settings.retained_bytes, 64 << 20);
    assert_int_equal(settings.queue_age, 0);
    assert_int_equal(settings.client_calls, 1000000);
    assert_int_equal(settings.attempts, 3);
    assert_int_equal(settings.retry_budget, 10);
    assert_int_equal(settings.retry_reserve, 1000);
    assert_int_equal(settings.waiting_calls, 10000);
    assert_int_equal(settings.settle, 2000);
    assert_int_equal(settings.hops, 32);
    assert_int_equal(settings.drain, 5000);
    assert_int_equal(settings.rule_count, 0);
    assert_int_equal(settings.session_limit, 0);
    assert_string_equal(settings.log_level, "info");
}

static void every_key_is_read(void **state)
{
    (void)state;
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    load_good(&settings, (struct broker_settings_input){0},
              "version: 1\nbind:\n- ipc:///tmp/x\n- endpoint: tcp://0.0.0.0:*\n- inproc://y\n"
              "allow_plaintext: true\nbody_limit: 1 KiB\nheartbeat: {interval: 20ms, liveness: 2}\n"
              "queue: {calls: 7, bytes: 64 KiB, age: 3s}\noutbox_bytes: 65 KiB\nretained_bytes: 0\n"
              "client_calls: 8\nattempts: 1\nretry: {budget: 0, reserve: 5}\n"
              "wait: {calls: 0, settle: 0}\nhops: 1\ndrain: 6s\nsession_limit: 9\n"
              "log: {level: debug}\n");
    assert_int_equal(settings.bind_count, 3);
    assert_string_equal(settings.binds[0].endpoint, "ipc:///tmp/x");
    assert_string_equal(settings.binds[1].endpoint, "tcp://0.0.0.0:*");
    assert_string_equal(settings.binds[2].endpoint, "inproc://y");
    assert_true(settings.allow_plaintext);
    assert_int_equal(settings.body_limit, 1024);
    assert_int_equal(settings.heartbeat_interval, 20);
    assert_int_equal(settings.heartbeat_liveness, 2);
    assert_int_equal(settings.queue_calls, 7);
    assert_int_equal(settings.queue_bytes, 65536);
    assert_int_equal(settings.outbox_bytes, 65 * 1024);
    assert_int_equal(settings.retained_bytes, 0);
    assert_int_equal(settings.queue_age, 3000);
    assert_int_equal(settings.client_calls, 8);
    assert_int_equal(settings.attempts, 1);
    assert_int_equal(settings.retry_budget, 0);
    assert_int_equal(settings.retry_reserve, 5);
    assert_int_equal(settings.waiting_calls, 0);
    assert_int_equal(settings.settle, 0);
    assert_int_equal(settings.hops, 1);
    assert_int_equal(settings.drain, 6000);
    assert_int_equal(settings.session_limit, 9);
    assert_string_equal(settings.log_level, "debug");
}

static void rules_of_services_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct service_rule rule;
        const char *method;
    } expected[] = {
        {"a.b", {.balance = BALANCE_STICKY}, ""},
        {"c*", {.queue_calls = 2, .queue_bytes = 3 << 10, .queue_age = 4000}, ""},
        {"*", {.balance = BALANCE_LEAST_LOADED, .queue_age = 5}, ""},
        {"d", {.balance = BALANCE_UNSET}, ""},
        {"e", {.balance = BALANCE_RANDOM}, ""},
        {"e*", {.balance = BALANCE_ROUND_ROBIN}, ""},
        {"f/g", {.method_frame = true}, "make"},
    };
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    load_good(&settings, (struct broker_settings_input){0},
              "services:\n  a.b: {balance: sticky}\n"
              "  c*: {queue: {calls: 2, bytes: 3 KiB, age: 4s}}\n"
              "  \"*\": {balance: least_loaded, queue: {age: 5ms}}\n  d: {balance: default}\n"
              "  e: {balance: random}\n  e*: {balance: round_robin}\n"
              "  f/g: {majordomo: {method: make, method_frame: true}}\n");
    assert_int_equal(settings.rule_count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct service_rule *rule = &settings.rules[i];
        assert_string_equal(rule->name, expected[i].name);
        assert_int_equal(rule->balance, expected[i].rule.balance);
        assert_int_equal(rule->queue_calls, expected[i].rule.queue_calls);
        assert_int_equal(rule->queue_bytes, expected[i].rule.queue_bytes);
        assert_int_equal(rule->queue_age, expected[i].rule.queue_age);
        assert_string_equal(rule->method, expected[i].method);
        assert_int_equal(rule->method_frame, expected[i].rule.method_frame);
    }
}

static void what_holds_for_majordomo_peers_is_read(void **state)
{
    (void)state;
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    load_good(&settings, (struct broker_settings_input){0},
              "majordomo:\n  heartbeat: {interval: 1s, liveness: 4}\n  busy: 2m\n  wait: 3s\n"
              "  timeout: 4s\n  idle: 5s\n  errors: true\n  compat: [d4, {dialect: d1}]\n");
    const struct majordomo_settings *majordomo = &settings.majordomo;
    assert_int_equal(majordomo->heartbeat_interval, 1000);
    assert_int_equal(majordomo->heartbeat_liveness, 4);
    assert_int_equal(majordomo->busy, 120000);
    assert_int_equal(majordomo->wait, 3000);
    assert_int_equal(majordomo->timeout, 4000);
    assert_int_equal(majordomo->idle, 5000);
    assert_true(majordomo->errors);
    assert_int_equal(majordomo->compat_count, 2);
    assert_int_equal(majordomo->compat[0].dialect, MAJORDOMO_D4);
    assert_int_equal(majordomo->compat[1].dialect, MAJORDOMO_D1);
}

static void a_dump_reads_back_as_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "bind: ['ipc:///tmp/a b', 'ipc://\"x\"#', \"ipc:///\\u00fc\\u202e\"]",
        "services: {'*': {}, a-b: {balance: sticky, queue: {age: 1s}}, b*: {queue: {bytes: 1}}}",
        "body_limit: 1025\noutbox_bytes: 66561\nheartbeat: {interval: 1001}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(broker_settings_fini) struct broker_settings settings;
        CLEANUP(broker_settings_fini) struct broker_settings again;
        load_good(&settings, (struct broker_settings_input){0}, texts[i]);
        CLEANUP(cleanup_free) char *text = dump(&settings);
        load_good(&again, (struct broker_settings_input){0}, text);
        CLEANUP(cleanup_free) char *text_again = dump(&again);
        assert_string_equal(text, text_again);
        assert_int_equal(settings.bind_count, again.bind_count);
        for (size_t j = 0; j < settings.bind_count; j++)
            assert_string_equal(settings.binds[j].endpoint, again.binds[j].endpoint);
    }
}

/* A configuration without its comments and empty lines. */
static char *essence(const char *text)
{
    char *out = calloc(1, strlen(text) + 1);
    size_t used = 0;
    assert_non_null(out);
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        size_t blank = strspn(text, " ");
        if (blank < length && text[blank] != '#') {
            memcpy(out + used, text, length + 1);
            used += length + 1;
        }
        text += length + (text[length] == '\n');
    }
    return out;
}

static void the_annotated_file_has_every_key_with_its_default(void **state)
{
    (void)state;
    char text[16384] = "";
    FILE *file = fopen("configs/broker.yaml", "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) < sizeof text - 1);
    fclose(file);
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    assert_int_equal(broker_settings_init(&settings), BUSBAR_OK);
    CLEANUP(cleanup_free) char *defaults = dump(&settings);
    CLEANUP(cleanup_free) char *expected = essence(defaults);
    CLEANUP(cleanup_free) char *found = essence(text);
    assert_string_equal(found, expected);
}

/* Command line -------------------------------------------------------------------------------- */

static void the_command_line_comes_before_the_file(void **state)
{
    (void)state;
    static const char *const binds[] = {"ipc://a", "tcp://localhost:*"};
    struct broker_settings_input input = {.binds = binds, .bind_count = 2, .log_level = "error"};
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    load_good(&settings, input, "bind: tcp://0.0.0.0:1\nattempts: 2\nlog: {level: debug}");
    assert_int_equal(settings.bind_count, 2);
    assert_string_equal(settings.binds[0].endpoint, "ipc://a");
    assert_string_equal(settings.binds[1].endpoint, "tcp://localhost:*");
    assert_int_equal(settings.attempts, 2);
    assert_string_equal(settings.log_level, "error");
}

static void a_wrong_command_line_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bind;
        const char *level;
        const char *text;
        const char *error;
    } rows[] = {
        {"x", NULL, "", "bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"x\""},
        {"tcp://*:1", NULL, "",
         "other machines could connect to \"tcp://*:1\", and without encryption; bind a loopback "
         "address such as 127.0.0.1, or say allow_plaintext: true in the file that --config names"},
        {NULL, "loud", "", "the log level must be error, warning, info or debug, not \"loud\""},
        {"ipc://a", "loud", "attempts: 9",
         ":1:11: attempts must be a whole number from 1 to 3, not \"9\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char error[256];
        struct broker_settings_input input = {
            .binds = &rows[i].bind, .bind_count = rows[i].bind != NULL, .log_level = rows[i].level};
        CLEANUP(broker_settings_fini) struct broker_settings settings;
        assert_int_equal(load(&settings, input, rows[i].text, error), BUSBAR_BAD_CONFIG);
        assert_string_equal(error, rows[i].error);
    }
}

static void errors_are_in_the_order_of_the_file(void **state)
{
    (void)state;
    static const char *const expected[] = {"stand-in:1:15", "stand-in:2:11", "stand-in:3:7",
                                           "stand-in:4:1"};
    char path[32];
    struct settings_errors errors;
    settings_errors_init(&errors);
    write_file(path, "outbox_bytes: 65 KiB\nattempts: &a 1\nbind: tcp://*:1\nattempts: 1\n");
    struct broker_settings_input input = {.file = path};
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    assert_int_equal(broker_settings_load(&settings, &input, &errors), BUSBAR_BAD_CONFIG);
    unlink(path);
    assert_int_equal(errors.count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const char *place = expected[i] + strlen("stand-in");
        assert_memory_equal(settings_errors_line(&errors, i) + strlen(path), place, strlen(place));
    }
    settings_errors_fini(&errors);
}

static void a_file_may_have_variables_and_overlays(void **state)
{
    (void)state;
    char overlay[32];
    setenv("BROKER_LEVEL", "debug", 1);
    write_file(overlay, "attempts: 1\nqueue: {calls: 7}\nbody_limit: ~\n");
    setenv("BROKER_OVERLAY", overlay, 1);
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    load_good(
        &settings, (struct broker_settings_input){0},
        "overlay: ${BROKER_OVERLAY:-}\nattempts: 2\nqueue: {bytes: 64 KiB}\nbody_limit: 1 MiB\n"
        "log: {level: \"${BROKER_LEVEL}\"}\n");
    unlink(overlay);
    assert_int_equal(settings.attempts, 1);
    assert_int_equal(settings.queue_calls, 7);
    assert_int_equal(settings.queue_bytes, 65536);
    assert_int_equal(settings.body_limit, 16 << 20);
    assert_string_equal(settings.log_level, "debug");
}

static void a_file_that_is_missing_is_an_error(void **state)
{
    (void)state;
    struct settings_errors errors;
    struct broker_settings_input input = {.file = "/nonexistent"};
    CLEANUP(broker_settings_fini) struct broker_settings settings;
    settings_errors_init(&errors);
    assert_int_equal(broker_settings_load(&settings, &input, &errors), BUSBAR_BAD_CONFIG);
    assert_string_equal(settings_errors_line(&errors, 0),
                        "/nonexistent: cannot be read: No such file or directory");
    settings_errors_fini(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_header),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(rules_of_services_are_read),
        cmocka_unit_test(what_holds_for_majordomo_peers_is_read),
        cmocka_unit_test(a_dump_reads_back_as_the_same),
        cmocka_unit_test(the_annotated_file_has_every_key_with_its_default),
        cmocka_unit_test(the_command_line_comes_before_the_file),
        cmocka_unit_test(a_wrong_command_line_is_refused),
        cmocka_unit_test(errors_are_in_the_order_of_the_file),
        cmocka_unit_test(a_file_may_have_variables_and_overlays),
        cmocka_unit_test(a_file_that_is_missing_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
