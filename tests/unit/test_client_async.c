/* Calls that are started and end later: bundles, callbacks, wait-any, cancelling, late replies. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"
#include "tests/unit/client_scene.h"

static void hello_and_the_first_calls_share_a_bundle(void **state)
{
    struct client_scene *fixture = *state;
    for (int i = 0; i < 3; i++)
        (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    for (int i = 0; i < 3; i++)
        (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(fixture->broker.bundles, 1);
}

static void calls_started_together_travel_together(void **state)
{
    struct client_scene *fixture = *state;
    client_scene_open_session(fixture);
    fixture->broker.bundles = 0;
    for (int i = 0; i < 100; i++)
        (void)client_scene_start(fixture, &client_scene_echo);
    for (int i = 0; i < 100; i++)
        (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(fixture->broker.bundles, 1);
    assert_int_equal(busbar_client_outstanding(fixture->client), 100);
}

static void a_window_of_calls_bundles_by_itself(void **state)
{
    enum { CALLS = 20000, WINDOW = 500 };
    struct client_scene *fixture = *state;
    unsigned started = 0;
    fixture->broker.idle = NULL;
    fake_broker_start(&fixture->broker);
    for (unsigned ended = 0; ended < CALLS; ended++) {
        struct busbar_reply *reply = NULL;
        while (started < CALLS && started - ended < WINDOW) {
            (void)client_scene_start(fixture, &client_scene_echo);
            started++;
        }
        assert_int_equal(busbar_client_wait(fixture->client, 5000, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
        busbar_reply_destroy(&reply);
    }
    fake_broker_stop(&fixture->broker);
    assert_int_equal(atomic_load(&fixture->broker.calls), CALLS);
    assert_true(fixture->broker.bundles < CALLS / 20);
}

static void the_timeout_that_travels_is_what_remains(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_call call = client_scene_echo;
    call.timeout_ms = 700;
    (void)client_scene_start(fixture, &call);
    sleep_ms(100); /* not connected yet: nothing runs between calls into the library */
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    struct packet packet = fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_in_range(packet.timeout, 300, 601);
    (void)client_scene_start(fixture, &call);
    packet = fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(packet.timeout, 700);
}

static void wait_hands_over_any_reply_with_its_id_and_context(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call first = client_scene_echo;
    struct busbar_call second = client_scene_echo;
    first.context = &first;
    second.context = &second;
    client_scene_open_session(fixture);
    uint64_t first_id = client_scene_start(fixture, &first);
    uint64_t second_id = client_scene_start(fixture, &second);
    assert_int_not_equal(first_id, second_id);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, second_id, bytes_of_text("second"));
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_id(reply), second_id);
    assert_ptr_equal(busbar_reply_context(reply), &second);
    busbar_reply_destroy(&reply);
    assert_int_equal(busbar_client_wait(fixture->client, 0, &reply), BUSBAR_NOTHING);
    assert_null(reply);
    fake_broker_error(&fixture->broker, first_id, BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "no luck");
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_APP_ERROR);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_EXECUTED);
    assert_string_equal(busbar_reply_error(reply), "no luck");
    busbar_reply_destroy(&reply);
    assert_int_equal(busbar_client_outstanding(fixture->client), 0);
}

static void wait_returns_in_time_and_at_once_when_nothing_is_outstanding(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    uint64_t began = clock_ns();
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_NOTHING);
    assert_true(clock_ns() - began < 100 * UINT64_C(1000000));
    client_scene_open_session(fixture);
    (void)client_scene_start(fixture, &client_scene_echo);
    began = clock_ns();
    assert_int_equal(busbar_client_wait(fixture->client, 50, &reply), BUSBAR_NOTHING);
    uint64_t elapsed_ms = (clock_ns() - began) / 1000000;
    assert_in_range(elapsed_ms, 50, 150);
}

static void take_outcome(struct busbar_reply **reply, void *context)
{
    struct client_scene *fixture = context;
    fixture->callbacks++;
    fixture->last_status = busbar_reply_status(*reply);
    if (fixture->callbacks % 2 == 0)
        busbar_reply_destroy(reply); /* else the library does */
}

static void callbacks_run_within_process_and_not_through_wait(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call call = client_scene_echo;
    call.callback = take_outcome;
    call.context = fixture;
    client_scene_open_session(fixture);
    uint64_t ids[2] = {client_scene_start(fixture, &call), client_scene_start(fixture, &call)};
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, ids[0], bytes_of_text("a"));
    fake_broker_reply(&fixture->broker, ids[1], bytes_of_text("b"));
    assert_int_equal(fixture->callbacks, 0);
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_NOTHING);
    assert_int_equal(fixture->callbacks, 2);
    assert_int_equal(fixture->last_status, BUSBAR_OK);
}

static void chain(struct busbar_reply **reply, void *context)
{
    struct client_scene *fixture = context;
    struct busbar_client *self = fixture->client;
    struct busbar_reply *other = NULL;
    struct busbar_call call = client_scene_echo;
    (void)reply;
    call.callback = fixture->callbacks < 3 ? chain : take_outcome;
    call.context = fixture;
    fixture->callbacks++;
    (void)client_scene_start(fixture, &call);
    assert_int_equal(busbar_client_call(self, &client_scene_echo, &other), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_wait(self, 0, &other), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_client_process(self), BUSBAR_BAD_ARGUMENT);
    busbar_client_destroy(&self);
    assert_non_null(self);
}

static void a_callback_may_start_calls_but_not_wait_or_destroy(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_call call = client_scene_echo;
    call.callback = chain;
    call.context = fixture;
    client_scene_open_session(fixture);
    (void)client_scene_start(fixture, &call);
    for (int i = 0; i < 5; i++) {
        struct packet packet = fake_broker_expect(&fixture->broker, PACKET_CALL);
        fake_broker_reply(&fixture->broker, packet.id, packet.body);
    }
    for (int i = 0; i < 1000 && fixture->callbacks < 5; i++) {
        client_scene_pump(fixture);
        sleep_ms(1);
    }
    assert_int_equal(fixture->callbacks, 5);
}

static void a_late_or_repeated_reply_reaches_nobody(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    struct busbar_call brief = client_scene_echo;
    brief.timeout_ms = 30;
    client_scene_open_session(fixture);
    uint64_t late = client_scene_start(fixture, &brief);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_TIMEOUT);
    busbar_reply_destroy(&reply);
    /* The next call has the same slot, in another generation. */
    uint64_t next = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, late, bytes_of_text("late"));
    fake_broker_reply(&fixture->broker, next + 1, bytes_of_text("nobody's"));
    fake_broker_reply(&fixture->broker, UINT64_MAX, bytes_of_text("nobody's"));
    fake_broker_reply(&fixture->broker, next, bytes_of_text("right"));
    fake_broker_reply(&fixture->broker, next, bytes_of_text("again"));
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
    assert_memory_equal(busbar_reply_data(reply), "right", 5);
    busbar_reply_destroy(&reply);
    assert_int_equal(busbar_client_wait(fixture->client, 50, &reply), BUSBAR_NOTHING);
}

static void cancelling_an_unsent_call_ends_it_at_once(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    assert_int_equal(busbar_client_cancel(fixture->client, id), BUSBAR_OK);
    assert_int_equal(busbar_client_wait(fixture->client, 0, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_CANCELLED);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    busbar_reply_destroy(&reply);
    assert_int_equal(busbar_client_cancel(fixture->client, id), BUSBAR_NOTHING);
}

static void cancelling_a_sent_call_asks_the_broker(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_reply *reply = NULL;
    client_scene_open_session(fixture);
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(busbar_client_cancel(fixture->client, id), BUSBAR_OK);
    assert_int_equal(busbar_client_cancel(fixture->client, id), BUSBAR_OK);
    struct packet cancel = fake_broker_expect(&fixture->broker, PACKET_CANCEL);
    assert_int_equal(cancel.id, id);
    fake_broker_error(&fixture->broker, id, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED, "");
    assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_CANCELLED);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_MAYBE_EXECUTED);
    busbar_reply_destroy(&reply);
}

static void destroying_cancels_what_is_outstanding(void **state)
{
    struct client_scene *fixture = *state;
    struct busbar_call call = client_scene_echo;
    call.callback = take_outcome;
    call.context = fixture;
    client_scene_open_session(fixture);
    (void)client_scene_start(fixture, &call);
    (void)client_scene_start(fixture, &call);
    (void)client_scene_start(fixture, &client_scene_echo);
    busbar_client_destroy(&fixture->client);
    assert_int_equal(fixture->callbacks, 2);
    assert_int_equal(fixture->last_status, BUSBAR_CANCELLED);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello_and_the_first_calls_share_a_bundle),
        TEST(calls_started_together_travel_together),
        TEST(a_window_of_calls_bundles_by_itself),
        TEST(the_timeout_that_travels_is_what_remains),
        TEST(wait_hands_over_any_reply_with_its_id_and_context),
        TEST(wait_returns_in_time_and_at_once_when_nothing_is_outstanding),
        TEST(callbacks_run_within_process_and_not_through_wait),
        TEST(a_callback_may_start_calls_but_not_wait_or_destroy),
        TEST(a_late_or_repeated_reply_reaches_nobody),
        TEST(cancelling_an_unsent_call_ends_it_at_once),
        TEST(cancelling_a_sent_call_asks_the_broker),
        TEST(destroying_cancels_what_is_outstanding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
