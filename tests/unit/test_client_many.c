/* Calls made together: few messages, an outcome for each, and one status for all. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_broker.h"

enum {
    MANY = 300,
};

struct fixture {
    struct fake_broker broker;
    struct busbar_client *client;
    struct busbar_call calls[MANY];
    struct busbar_reply *replies[MANY];
    unsigned freed;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fake_broker_open(&fixture->broker, NULL);
    fake_broker_start(&fixture->broker);
    for (size_t i = 0; i < MANY; i++)
        fixture->calls[i] = (struct busbar_call){.service = "echo", .method = "run"};
    const struct busbar_client_options options = {.broker = fixture->broker.endpoint};
    return busbar_client_new(&fixture->client, &options);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < MANY; i++)
        busbar_reply_destroy(&fixture->replies[i]);
    busbar_client_destroy(&fixture->client);
    fake_broker_stop(&fixture->broker);
    fake_broker_close(&fixture->broker);
    free(fixture);
    return 0;
}

static void count_free(void *data, void *hint)
{
    (void)data;
    ++*(unsigned *)hint;
}

static void each_call_gets_its_own_outcome_in_few_messages(void **state)
{
    struct fixture *fixture = *state;
    size_t numbers[MANY];
    for (size_t i = 0; i < MANY; i++) {
        numbers[i] = i;
        fixture->calls[i].body = busbar_body_copied(&numbers[i], sizeof numbers[i]);
    }
    assert_int_equal(
        busbar_client_call_many(fixture->client, fixture->calls, MANY, fixture->replies),
        BUSBAR_OK);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(busbar_reply_status(fixture->replies[i]), BUSBAR_OK);
        assert_int_equal(busbar_reply_size(fixture->replies[i]), sizeof i);
        assert_memory_equal(busbar_reply_data(fixture->replies[i]), &i, sizeof i);
    }
    assert_int_equal(busbar_client_outstanding(fixture->client), 0);
    fake_broker_stop(&fixture->broker); /* its count is its thread's */
    assert_int_equal(fixture->broker.bundles, 1);
    fake_broker_start(&fixture->broker);
}

static void the_first_failure_is_the_status_and_the_rest_goes_on(void **state)
{
    struct fixture *fixture = *state;
    fixture->calls[1].service = "unknown";
    fixture->calls[2].service = "not a name";
    fixture->calls[3].timeout_ms = 30;
    fixture->calls[3].service = "silent";
    for (size_t i = 0; i < 5; i++)
        fixture->calls[i].body = busbar_body_text("x");
    assert_int_equal(busbar_client_call_many(fixture->client, fixture->calls, 5, fixture->replies),
                     BUSBAR_NO_SERVICE);
    static const enum busbar_status expected[] = {BUSBAR_OK, BUSBAR_NO_SERVICE, BUSBAR_BAD_REQUEST,
                                                  BUSBAR_TIMEOUT, BUSBAR_OK};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(busbar_reply_status(fixture->replies[i]), expected[i]);
    assert_int_equal(busbar_client_status(fixture->client), BUSBAR_NO_SERVICE);
    assert_string_equal(busbar_client_error(fixture->client), "nobody is called that");
}

static void a_call_that_cannot_be_made_leaves_no_reply_but_its_body_is_taken(void **state)
{
    struct fixture *fixture = *state;
    fixture->calls[0].body = busbar_body_taken(fixture, 1, count_free, &fixture->freed);
    fixture->calls[0].method = NULL;
    fixture->calls[1].body = busbar_body_text("x");
    assert_int_equal(busbar_client_call_many(fixture->client, fixture->calls, 2, fixture->replies),
                     BUSBAR_BAD_ARGUMENT);
    assert_null(fixture->replies[0]);
    assert_int_equal(busbar_reply_status(fixture->replies[1]), BUSBAR_OK);
    assert_int_equal(fixture->freed, 1);
}

static void none_at_all_is_no_failure_and_nothing_to_fill_is_one(void **state)
{
    struct fixture *fixture = *state;
    fixture->calls[0].body = busbar_body_taken(fixture, 1, count_free, &fixture->freed);
    assert_int_equal(busbar_client_call_many(fixture->client, NULL, 0, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_call_many(fixture->client, fixture->calls, 1, NULL),
                     BUSBAR_BAD_ARGUMENT);
    assert_int_equal(fixture->freed, 1);
    assert_int_equal(busbar_client_call_many(NULL, fixture->calls, 0, fixture->replies),
                     BUSBAR_BAD_ARGUMENT);
}

static void answer_alone(struct busbar_reply **reply, void *context)
{
    (void)reply;
    ++*(unsigned *)context;
}

/* Outcomes of other calls are neither taken for theirs nor keep the wait from being one. */
static void calls_started_before_have_their_outcomes_elsewhere(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    unsigned called = 0;
    struct busbar_call by_callback = {
        .service = "echo", .method = "run", .callback = answer_alone, .context = &called};
    const struct busbar_call by_wait = {.service = "echo", .method = "run", .context = fixture};
    assert_int_equal(busbar_client_start(fixture->client, &by_callback, NULL), BUSBAR_OK);
    assert_int_equal(busbar_client_start(fixture->client, &by_wait, NULL), BUSBAR_OK);
    for (size_t i = 0; i < 2; i++)
        fixture->calls[i] = (struct busbar_call){.service = "slow", .method = "run"};
    assert_int_equal(busbar_client_call_many(fixture->client, fixture->calls, 2, fixture->replies),
                     BUSBAR_OK);
    assert_int_equal(called, 1);
    assert_int_equal(busbar_client_outstanding(fixture->client), 1);
    assert_int_equal(busbar_client_wait(fixture->client, 0, &reply), BUSBAR_OK);
    assert_ptr_equal(busbar_reply_context(reply), fixture);
    busbar_reply_destroy(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_call_gets_its_own_outcome_in_few_messages),
        TEST(the_first_failure_is_the_status_and_the_rest_goes_on),
        TEST(a_call_that_cannot_be_made_leaves_no_reply_but_its_body_is_taken),
        TEST(none_at_all_is_no_failure_and_nothing_to_fill_is_one),
        TEST(calls_started_before_have_their_outcomes_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
