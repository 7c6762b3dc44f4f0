/* The log of busbard: levels, lines, and the limit on warnings. */
#include "broker/log.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct output {
    struct log log;
    char *text;
    size_t size;
};

static void output_init(struct output *output)
{
    *output = (struct output){0};
    FILE *out = open_memstream(&output->text, &output->size);
    assert_non_null(out);
    log_init(&output->log, out);
}

static void output_fini(struct output *output)
{
    fclose(output->log.out);
    free(output->text);
}

/* The lines so far, each without its time. */
static char *lines(struct output *output)
{
    char *out = calloc(1, output->size + 1);
    size_t used = 0;
    assert_non_null(out);
    for (char *at = output->text; at != NULL && *at != '\0';) {
        size_t time = strcspn(at, " ") + 1;
        size_t length = strcspn(at, "\n") + 1;
        memcpy(out + used, at + time, length - time);
        used += length - time;
        at += length;
    }
    return out;
}

static void event(struct output *output, enum broker_log_level level, const char *name,
                  uint64_t now_ms)
{
    struct log_entry entry = {level, name, NULL};
    log_write(&output->log, &entry, now_ms);
}

static void a_line_has_time_level_event_and_fields(void **state)
{
    (void)state;
    CLEANUP(output_fini) struct output output;
    output_init(&output);
    struct log_entry entry = {BROKER_LOG_INFO, "worker_joined", "service=greeter\nx=\x1b"};
    log_write(&output.log, &entry, 0);
    static const char form[] = "2026-11-21T22:13:09.735Z";
    size_t time = strcspn(output.text, " ");
    assert_int_equal(time, strlen(form));
    for (size_t i = 0; i < time; i++) {
        bool digit = output.text[i] >= '0' && output.text[i] <= '9';
        assert_true(digit || output.text[i] == form[i]);
    }
    assert_string_equal(output.text + time, " info worker_joined service=greeter?x=?\n");
}

static void less_important_levels_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *level;
        const char *lines;
    } rows[] = {
        {"error", "error e\n"},
        {"warning", "error e\nwarning w\n"},
        {"info", "error e\nwarning w\ninfo i\n"},
        {"debug", "error e\nwarning w\ninfo i\ndebug d\n"},
        {"nonsense", "error e\nwarning w\ninfo i\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(output_fini) struct output output;
        output_init(&output);
        output.log.level = log_level_of(rows[i].level);
        event(&output, BROKER_LOG_ERROR, "e", 0);
        event(&output, BROKER_LOG_WARNING, "w", 0);
        event(&output, BROKER_LOG_INFO, "i", 0);
        event(&output, BROKER_LOG_DEBUG, "d", 0);
        CLEANUP(cleanup_free) char *text = lines(&output);
        assert_string_equal(text, rows[i].lines);
    }
}

static size_t count(struct output *output, const char *line)
{
    CLEANUP(cleanup_free) char *text = lines(output);
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        found++;
    return found;
}

static void warnings_are_limited_per_event_and_second(void **state)
{
    (void)state;
    CLEANUP(output_fini) struct output output;
    output_init(&output);
    for (int i = 0; i < 100; i++) {
        event(&output, BROKER_LOG_WARNING, "a", 5000 + (uint64_t)i);
        event(&output, BROKER_LOG_WARNING, "b", 5000 + (uint64_t)i);
        event(&output, BROKER_LOG_ERROR, "c", 5000 + (uint64_t)i);
    }
    assert_int_equal(count(&output, "warning a\n"), 10);
    assert_int_equal(count(&output, "warning b\n"), 10);
    assert_int_equal(count(&output, "error c\n"), 100);
    assert_int_equal(count(&output, "suppressed"), 0);
    event(&output, BROKER_LOG_INFO, "later", 6000);
    assert_int_equal(count(&output, "warning a suppressed=90\n"), 1);
    event(&output, BROKER_LOG_WARNING, "a", 6001);
    assert_int_equal(count(&output, "warning a\n"), 11);
    log_flush(&output.log);
    assert_int_equal(count(&output, "suppressed=90"), 2);
}

static void more_events_than_limits_share_the_last(void **state)
{
    (void)state;
    CLEANUP(output_fini) struct output output;
    output_init(&output);
    char name[16];
    for (int i = 0; i < LOG_LIMITS + 50; i++) {
        snprintf(name, sizeof name, "event%d", i);
        event(&output, BROKER_LOG_WARNING, name, 0);
    }
    assert_int_equal(count(&output, "warning"), LOG_LIMITS - 1 + LOG_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_event_and_fields),
        cmocka_unit_test(less_important_levels_are_left_out),
        cmocka_unit_test(warnings_are_limited_per_event_and_second),
        cmocka_unit_test(more_events_than_limits_share_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
