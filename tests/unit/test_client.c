/* Calls that wait for their outcome: what comes back, what is refused, what a fork leaves. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"

struct fixture {
    struct fake_broker broker;
    struct busbar_client *client;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fake_broker_open(&fixture->broker, NULL);
    fake_broker_start(&fixture->broker);
    const struct busbar_client_options options = {.broker = fixture->broker.endpoint};
    return busbar_client_new(&fixture->client, &options);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    busbar_client_destroy(&fixture->client);
    fake_broker_stop(&fixture->broker);
    fake_broker_close(&fixture->broker);
    free(fixture);
    return 0;
}

static struct busbar_call call_of(const char *service, const char *method, const char *body)
{
    return (struct busbar_call){
        .service = service, .method = method, .body = busbar_body_text(body)};
}

static void a_call_returns_the_reply(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call call = call_of("echo", "run", "Hello");
    call.context = fixture;
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_EXECUTED);
    assert_string_equal(busbar_reply_error(reply), "");
    assert_int_equal(busbar_reply_size(reply), 5);
    assert_memory_equal(busbar_reply_data(reply), "Hello", 5);
    assert_ptr_equal(busbar_reply_context(reply), fixture);
    assert_int_not_equal(busbar_reply_id(reply), 0);
    assert_int_equal(busbar_client_outstanding(fixture->client), 0);
    busbar_reply_destroy(&reply);
    assert_null(reply);
}

static void a_reply_need_not_be_taken(void **state)
{
    struct fixture *fixture = *state;
    const struct busbar_call call = call_of("echo", "run", "");
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
}

static void a_reply_outlives_its_client(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = call_of("echo", "run", "kept");
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
    busbar_client_destroy(&fixture->client);
    assert_memory_equal(busbar_reply_data(reply), "kept", 4);
    busbar_reply_destroy(&reply);
}

static void a_value_goes_there_and_back(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_value *sent = busbar_value_text("Grüße");
    struct busbar_value *received = NULL;
    struct busbar_reply *reply = NULL;
    struct busbar_call call = {.service = "echo", .method = "run"};
    assert_int_equal(busbar_body_value(&call.body, sent), BUSBAR_OK);
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_encoding(reply), BUSBAR_MESSAGEPACK);
    assert_int_equal(busbar_reply_value(reply, &received), BUSBAR_OK);
    assert_true(busbar_value_equal(sent, received));
    busbar_value_destroy(&sent);
    busbar_value_destroy(&received);
    busbar_reply_destroy(&reply);
}

static void a_raw_reply_is_no_value(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_value *value = NULL;
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = call_of("echo", "run", "\x01");
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_value(reply, &value), BUSBAR_BAD_REQUEST);
    assert_null(value);
    busbar_reply_destroy(&reply);
}

static void an_error_has_status_fate_and_text(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = call_of("unknown", "run", "x");
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_NO_SERVICE);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_string_equal(busbar_reply_error(reply), "nobody is called that");
    assert_null(busbar_reply_data(reply));
    assert_int_equal(busbar_client_status(fixture->client), BUSBAR_NO_SERVICE);
    assert_string_equal(busbar_client_error(fixture->client), "nobody is called that");
    busbar_reply_destroy(&reply);
}

static void names_outside_the_grammar_are_refused_unsent(void **state)
{
    static const struct {
        const char *service;
        const char *method;
        const char *named;
    } cases[] = {
        {"a b", "run", "\"a b\""},  {"", "run", "\"\""},        {"-a", "run", "\"-a\""},
        {"a/b", "run", "\"a/b\""},  {"echo", "", "\"\""},       {"echo", "a.b", "\"a.b\""},
        {"a\n", "run", "\"a\\n\""}, {"echo", "a b", "\"a b\""},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct busbar_reply *reply = NULL;
        const struct busbar_call call = call_of(cases[i].service, cases[i].method, "x");
        assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_BAD_REQUEST);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_BAD_REQUEST);
        assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
        assert_non_null(strstr(busbar_reply_error(reply), cases[i].named));
        busbar_reply_destroy(&reply);
        assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_BAD_REQUEST);
        assert_non_null(strstr(busbar_client_error(fixture->client), cases[i].named));
    }
    assert_int_equal(busbar_client_outstanding(fixture->client), 0);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char name[129];
    memset(name, 'a', sizeof name);
    name[128] = '\0';
    struct busbar_call call = call_of(name, "run", "x");
    assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_BAD_REQUEST);
    name[127] = '\0';
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_NO_SERVICE);
}

static void wrong_arguments_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call calls[] = {
        {.service = NULL, .method = "run"},
        {.service = "echo", .method = NULL},
        {.service = "echo", .method = "run", .timeout_ms = UINT32_MAX},
        {.service = "echo", .method = "run", .reserved = {fixture}},
        {.service = "echo", .method = "run", .body = {.data = NULL, .size = 1}},
        {.service = "echo", .method = "run", .body = {.encoding = (enum busbar_encoding)7}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_int_equal(busbar_client_call(fixture->client, &calls[i], &reply),
                         BUSBAR_BAD_ARGUMENT);
        assert_null(reply);
        assert_string_not_equal(busbar_client_error(fixture->client), "");
    }
    assert_int_equal(busbar_client_call(NULL, &calls[0], &reply), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_call(fixture->client, NULL, &reply), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_start(NULL, &calls[0], NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_wait(fixture->client, 0, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_cancel(fixture->client, 12345), BUSBAR_NOTHING);
}

static void never_called(struct busbar_reply **part, void *context)
{
    (void)part;
    (void)context;
    fail();
}

static void kinds_that_contradict_each_other_are_refused(void **state)
{
    static const struct {
        unsigned flags;
        uint32_t window;
        busbar_part_fn *part;
        const char *named;
    } cases[] = {
        {BUSBAR_STREAM, 0, NULL, "a function for the parts"},
        {BUSBAR_STREAM | BUSBAR_ONEWAY, 0, never_called, "oneway"},
        {0, 0, never_called, "BUSBAR_STREAM"},
        {0, 5, NULL, "BUSBAR_STREAM"},
        {16, 0, NULL, "flags"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct busbar_reply *reply = NULL;
        struct busbar_call call = call_of("echo", "run", "x");
        call.flags = cases[i].flags;
        call.window = cases[i].window;
        call.part = cases[i].part;
        assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_BAD_ARGUMENT);
        assert_null(reply);
        assert_non_null(strstr(busbar_client_error(fixture->client), cases[i].named));
    }
    assert_int_equal(busbar_client_outstanding(fixture->client), 0);
}

static void endpoints_that_are_none_are_refused(void **state)
{
    static const char *const endpoints[] = {
        "",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://:7766",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:*",
        "tcp://127.0.0.1:77x",
        "udp://127.0.0.1:1",
        "127.0.0.1:7766",
        "ipc://",
        "inproc://",
        "tcp://a b:1",
        "http://localhost:80",
    };
    (void)state;
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        struct busbar_client *client = NULL;
        const struct busbar_client_options options = {.broker = endpoints[i]};
        assert_int_equal(busbar_client_new(&client, &options), BUSBAR_BAD_ARGUMENT);
        assert_null(client);
    }
}

static void the_endpoint_comes_from_the_environment_or_is_the_default(void **state)
{
    struct busbar_client *client = NULL;
    (void)state;
    setenv("BUSBAR_BROKER", "tcp://127.0.0.1:9", 1);
    assert_int_equal(busbar_client_new(&client, NULL), BUSBAR_OK);
    assert_string_equal(busbar_client_broker(client), "tcp://127.0.0.1:9");
    busbar_client_destroy(&client);
    unsetenv("BUSBAR_BROKER");
    assert_int_equal(busbar_client_new(&client, NULL), BUSBAR_OK);
    assert_string_equal(busbar_client_broker(client), BUSBAR_DEFAULT_BROKER);
    busbar_client_destroy(&client);
    busbar_client_destroy(&client);
    busbar_client_destroy(NULL);
}

static void a_body_over_the_limit_is_refused_with_the_limit(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    size_t size = (16 << 20) + 1;
    char *large = calloc(1, size);
    struct busbar_call call = {
        .service = "echo", .method = "run", .body = busbar_body_copied(large, size)};
    /* Before a broker has told its limit, and after. */
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_TOO_LARGE);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_non_null(strstr(busbar_reply_error(reply), "16777216"));
    busbar_reply_destroy(&reply);
    const struct busbar_call small = call_of("echo", "run", "x");
    assert_int_equal(busbar_client_call(fixture->client, &small, NULL), BUSBAR_OK);
    call.body.size = FAKE_BODY_LIMIT + 1;
    assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_TOO_LARGE);
    assert_non_null(strstr(busbar_client_error(fixture->client), "2097152"));
    assert_int_equal(atomic_load(&fixture->broker.calls), 1);
    free(large);
}

static void a_call_without_answer_times_out_a_little_later(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call call = call_of("silent", "run", "x");
    call.timeout_ms = 200;
    uint64_t start = clock_ns();
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_TIMEOUT);
    uint64_t elapsed_ms = (clock_ns() - start) / 1000000;
    assert_true(elapsed_ms >= 200 && elapsed_ms < 300);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_MAYBE_EXECUTED);
    assert_non_null(strstr(busbar_reply_error(reply), fixture->broker.endpoint));
    assert_non_null(strstr(busbar_reply_error(reply), "silent.run"));
    assert_int_equal(busbar_client_fate(fixture->client), BUSBAR_MAYBE_EXECUTED);
    busbar_reply_destroy(&reply);
}

static void a_child_may_only_destroy_what_it_inherited(void **state)
{
    struct fixture *fixture = *state;
    int outcome = 0;
    const struct busbar_call call = call_of("echo", "run", "x");
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
    pid_t child = fork();
    if (child == 0) {
        struct busbar_client *client = fixture->client;
        struct busbar_client *fresh = NULL;
        struct busbar_reply *reply = NULL;
        const struct busbar_client_options options = {.broker = fixture->broker.endpoint};
        bool good = busbar_client_call(client, &call, &reply) == BUSBAR_FORKED && reply == NULL &&
                    busbar_client_start(client, &call, NULL) == BUSBAR_FORKED &&
                    busbar_client_wait(client, 0, &reply) == BUSBAR_FORKED &&
                    busbar_client_process(client) == BUSBAR_FORKED &&
                    busbar_client_flush(client) == BUSBAR_FORKED &&
                    busbar_client_cancel(client, 1) == BUSBAR_FORKED &&
                    busbar_client_fd(client) == -1 && busbar_client_status(client) == BUSBAR_FORKED;
        busbar_client_destroy(&client);
        good = good && busbar_client_new(&fresh, &options) == BUSBAR_OK &&
               busbar_client_call(fresh, &call, &reply) == BUSBAR_FORKED;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
}

static void a_child_may_use_the_library_after_the_last_client_ended(void **state)
{
    struct fixture *fixture = *state;
    int outcome = 0;
    const struct busbar_call call = call_of("echo", "run", "x");
#ifdef __SANITIZE_THREAD__
    skip(); /* it allows no threads after a fork */
#endif
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
    busbar_client_destroy(&fixture->client);
    pid_t child = fork();
    if (child == 0) {
        struct busbar_client *fresh = NULL;
        const struct busbar_client_options options = {.broker = fixture->broker.endpoint};
        bool good = busbar_client_new(&fresh, &options) == BUSBAR_OK &&
                    busbar_client_call(fresh, &call, NULL) == BUSBAR_OK;
        busbar_client_destroy(&fresh);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
}

static void a_client_says_goodbye(void **state)
{
    struct fixture *fixture = *state;
    const struct busbar_call call = call_of("echo", "run", "x");
    assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
    busbar_client_destroy(&fixture->client);
    for (int i = 0; i < 200 && atomic_load(&fixture->broker.byes) == 0; i++)
        sleep_ms(5);
    assert_int_equal(atomic_load(&fixture->broker.byes), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_returns_the_reply),
        TEST(a_reply_need_not_be_taken),
        TEST(a_reply_outlives_its_client),
        TEST(a_value_goes_there_and_back),
        TEST(a_raw_reply_is_no_value),
        TEST(an_error_has_status_fate_and_text),
        TEST(names_outside_the_grammar_are_refused_unsent),
        TEST(a_name_that_is_too_long_is_refused),
        TEST(wrong_arguments_are_refused),
        TEST(kinds_that_contradict_each_other_are_refused),
        cmocka_unit_test(endpoints_that_are_none_are_refused),
        cmocka_unit_test(the_endpoint_comes_from_the_environment_or_is_the_default),
        TEST(a_body_over_the_limit_is_refused_with_the_limit),
        TEST(a_call_without_answer_times_out_a_little_later),
        TEST(a_child_may_only_destroy_what_it_inherited),
        TEST(a_child_may_use_the_library_after_the_last_client_ended),
        TEST(a_client_says_goodbye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
