/* The descriptor for event loops: readable exactly while process has work, timers included. */
#include <busbar/client.h>

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"

struct fixture {
    struct fake_broker broker;
    struct busbar_client *client;
    unsigned outcomes;
    unsigned failures;
    unsigned left; /* calls that callbacks still start */
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

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, timeout_ms) == 1;
}

/* A few turns for a timer that is set still and for what the broker said last, then silence. */
static void become_idle(struct fixture *fixture)
{
    unsigned turns = 0;
    while (is_readable(busbar_client_fd(fixture->client), 300) && turns < 6) {
        assert_int_equal(busbar_client_process(fixture->client), BUSBAR_OK);
        turns++;
    }
    assert_true(turns < 6);
}

static void start_call(struct fixture *fixture, const char *service, uint32_t timeout_ms);

static void on_reply(struct busbar_reply **reply, void *context)
{
    struct fixture *fixture = context;
    fixture->outcomes++;
    if (busbar_reply_status(*reply) != BUSBAR_OK)
        fixture->failures++;
    if (fixture->left > 0) {
        fixture->left--;
        start_call(fixture, "echo", 0);
    }
}

static void start_call(struct fixture *fixture, const char *service, uint32_t timeout_ms)
{
    const struct busbar_call call = {.service = service,
                                     .method = "run",
                                     .callback = on_reply,
                                     .context = fixture,
                                     .timeout_ms = timeout_ms,
                                     .body = busbar_body_text("body")};
    assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
}

/* A loop as a program has it: nothing but poll and process. Returns the number of turns. */
static unsigned run_loop(struct fixture *fixture, unsigned outcomes, unsigned timeout_ms)
{
    int fd = busbar_client_fd(fixture->client);
    uint64_t until = clock_ms() + timeout_ms;
    unsigned turns = 0;
    while (fixture->outcomes < outcomes && clock_ms() < until) {
        if (!is_readable(fd, (int)timeout_ms))
            break;
        assert_int_equal(busbar_client_process(fixture->client), BUSBAR_OK);
        turns++;
    }
    assert_int_equal(fixture->outcomes, outcomes);
    return turns;
}

static void an_idle_client_is_not_readable(void **state)
{
    struct fixture *fixture = *state;
    int fd = busbar_client_fd(fixture->client);
    assert_true(fd >= 0);
    assert_int_equal(busbar_client_fd(fixture->client), fd);
    assert_false(is_readable(fd, 20));
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 1, 2000);
    become_idle(fixture);
}

static void a_started_call_makes_it_readable(void **state)
{
    struct fixture *fixture = *state;
    int fd = busbar_client_fd(fixture->client);
    start_call(fixture, "echo", 0);
    assert_true(is_readable(fd, 0));
    (void)run_loop(fixture, 1, 2000);
    start_call(fixture, "echo", 0);
    assert_true(is_readable(fd, 0));
    assert_true(is_readable(fd, 0));
    assert_int_equal(busbar_client_flush(fixture->client), BUSBAR_OK);
    (void)run_loop(fixture, 2, 2000);
}

static void a_descriptor_may_be_asked_for_in_the_middle(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 10; i++)
        start_call(fixture, "echo", 0);
    assert_int_equal(busbar_client_process(fixture->client), BUSBAR_OK);
    sleep_ms(50);
    (void)run_loop(fixture, 10, 2000);
}

static void outcomes_that_wait_to_be_taken_keep_it_readable(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    const struct busbar_call call = {.service = "echo", .method = "run"};
    int fd = busbar_client_fd(fixture->client);
    assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
    for (int i = 0; i < 2; i++) {
        while (busbar_client_wait(fixture->client, 0, &reply) == BUSBAR_NOTHING)
            assert_true(is_readable(fd, 2000));
        busbar_reply_destroy(&reply);
    }
    become_idle(fixture);
}

static void a_deadline_makes_it_readable_in_time(void **state)
{
    struct fixture *fixture = *state;
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 1, 2000);
    uint64_t began = clock_ns();
    start_call(fixture, "silent", 100);
    unsigned turns = run_loop(fixture, 2, 2000);
    assert_in_range((clock_ns() - began) / 1000000, 100, 200);
    assert_int_equal(fixture->failures, 1);
    assert_true(turns < 20);
}

/* The first makes it readable, and the second is to be minded by the turn that this brings. */
static void a_call_that_finds_it_readable_has_its_deadline_too(void **state)
{
    struct fixture *fixture = *state;
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 1, 2000);
    become_idle(fixture);
    uint64_t began = clock_ns();
    start_call(fixture, "silent", 3000);
    assert_true(is_readable(busbar_client_fd(fixture->client), 0));
    start_call(fixture, "silent", 100);
    unsigned turns = run_loop(fixture, 2, 2000);
    assert_in_range((clock_ns() - began) / 1000000, 100, 200);
    assert_int_equal(fixture->failures, 1);
    assert_true(turns < 20);
}

static void a_broker_that_cannot_be_reached_ends_calls_in_time(void **state)
{
    struct fixture *fixture = *state;
    char endpoint[128];
    busbar_client_destroy(&fixture->client);
    unused_endpoint(endpoint, sizeof endpoint);
    const struct busbar_client_options options = {.broker = endpoint, .connect_timeout_ms = 300};
    assert_int_equal(busbar_client_new(&fixture->client, &options), BUSBAR_OK);
    uint64_t began = clock_ns();
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 1, 2000);
    assert_in_range((clock_ns() - began) / 1000000, 300, 500);
}

/* Every outcome must come with nothing but poll to wake the loop: an edge that was consumed
 * somewhere would stop it. */
static void a_loop_of_many_calls_never_stalls(void **state)
{
    struct fixture *fixture = *state;
    fixture->left = 5000;
    for (int i = 0; i < 50; i++)
        start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 5050, 10000);
    assert_int_equal(fixture->failures, 0);
}

static void one_call_at_a_time_never_stalls(void **state)
{
    struct fixture *fixture = *state;
    fixture->left = 2000;
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 2001, 10000);
}

static void waiting_calls_between_turns_do_not_stall_the_loop(void **state)
{
    struct fixture *fixture = *state;
    const struct busbar_call call = {.service = "echo", .method = "run"};
    (void)busbar_client_fd(fixture->client);
    for (unsigned i = 0; i < 300; i++) {
        start_call(fixture, "echo", 0);
        assert_int_equal(busbar_client_call(fixture->client, &call, NULL), BUSBAR_OK);
    }
    (void)run_loop(fixture, 300, 5000);
}

static void the_loop_follows_a_broker_that_returns(void **state)
{
    struct fixture *fixture = *state;
    char endpoint[sizeof fixture->broker.endpoint];
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 1, 2000);
    memcpy(endpoint, fixture->broker.endpoint, sizeof endpoint);
    fake_broker_stop(&fixture->broker);
    fake_broker_close(&fixture->broker);
    start_call(fixture, "echo", 0); /* may be lost with the old broker, or wait for the new one */
    fake_broker_open(&fixture->broker, endpoint);
    fake_broker_start(&fixture->broker);
    (void)run_loop(fixture, 2, 3000);
    fixture->failures = 0;
    start_call(fixture, "echo", 0);
    (void)run_loop(fixture, 3, 3000);
    assert_int_equal(fixture->failures, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_client_is_not_readable),
        TEST(a_started_call_makes_it_readable),
        TEST(a_descriptor_may_be_asked_for_in_the_middle),
        TEST(outcomes_that_wait_to_be_taken_keep_it_readable),
        TEST(a_deadline_makes_it_readable_in_time),
        TEST(a_call_that_finds_it_readable_has_its_deadline_too),
        TEST(a_broker_that_cannot_be_reached_ends_calls_in_time),
        TEST(a_loop_of_many_calls_never_stalls),
        TEST(one_call_at_a_time_never_stalls),
        TEST(waiting_calls_between_turns_do_not_stall_the_loop),
        TEST(the_loop_follows_a_broker_that_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
