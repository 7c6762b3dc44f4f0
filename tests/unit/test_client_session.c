/* Calls while brokers come and go: no broker, a lost one, one that forgets, one that is silent. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client-lib/client.h"
#include "fake_broker.h"
#include "tests/unit/client_scene.h"

static void end_with(struct client_scene *fixture, enum busbar_status status, enum busbar_fate fate,
                     const char *named)
{
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_wait(fixture->client, 3000, &reply), BUSBAR_OK);
    assert_string_equal(busbar_status_name(busbar_reply_status(reply)), busbar_status_name(status));
    assert_int_equal(busbar_reply_fate(reply), fate);
    if (named != NULL)
        assert_non_null(strstr(busbar_reply_error(reply), named));
    busbar_reply_destroy(&reply);
}

static void open_session(struct client_scene *fixture)
{
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    fake_broker_welcome(&fixture->broker);
    struct packet call = fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, call.id, call.body);
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
}

/* The broker dies and another one listens on the same port. */
static void replace_broker(struct client_scene *fixture)
{
    char endpoint[sizeof fixture->broker.endpoint];
    memcpy(endpoint, fixture->broker.endpoint, sizeof endpoint);
    fake_broker_close(&fixture->broker);
    client_scene_open_broker(fixture, endpoint);
    fixture->broker.welcome.epoch = 78;
}

static void without_a_broker_calls_end_unsent_within_a_second(void **state)
{
    char endpoint[128];
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    (void)state;
    unused_endpoint(endpoint, sizeof endpoint);
    const struct busbar_client_options options = {.broker = endpoint};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    uint64_t began = clock_ns();
    assert_int_equal(busbar_client_call(client, &client_scene_echo, &reply), BUSBAR_BROKER_LOST);
    assert_in_range((clock_ns() - began) / 1000000, 700, 1000);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_non_null(strstr(busbar_reply_error(reply), endpoint));
    assert_non_null(strstr(busbar_reply_error(reply), "(connection refused; waited 800 ms)"));
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
}

static void without_a_broker_a_short_deadline_is_kept(void **state)
{
    char endpoint[128];
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    (void)state;
    unused_endpoint(endpoint, sizeof endpoint);
    const struct busbar_client_options options = {.broker = endpoint, .timeout_ms = 150};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    uint64_t began = clock_ns();
    assert_int_equal(busbar_client_call(client, &client_scene_echo, &reply), BUSBAR_BROKER_LOST);
    assert_in_range((clock_ns() - began) / 1000000, 150, 250);
    assert_non_null(strstr(busbar_reply_error(reply), "waited 150 ms"));
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_non_null(strstr(busbar_reply_error(reply), endpoint));
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
}

static void a_host_that_cannot_be_resolved_is_named(void **state)
{
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    (void)state;
    const struct busbar_client_options options = {.broker = "ipc:///nonexistent/directory/socket",
                                                  .connect_timeout_ms = 200};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    assert_int_equal(busbar_client_call(client, &client_scene_echo, &reply), BUSBAR_BROKER_LOST);
    assert_non_null(strstr(busbar_reply_error(reply), options.broker));
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
}

static void calls_wait_for_a_broker_that_comes_in_time(void **state)
{
    struct client_scene *fixture = *state;
    char endpoint[sizeof fixture->broker.endpoint];
    memcpy(endpoint, fixture->broker.endpoint, sizeof endpoint);
    fake_broker_close(&fixture->broker);
    (void)client_scene_start(fixture, &client_scene_echo);
    for (int i = 0; i < 20; i++) {
        client_scene_pump(fixture);
        sleep_ms(10);
    }
    client_scene_open_broker(fixture, endpoint);
    open_session(fixture); /* answers the first of two calls */
    struct packet call = fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, call.id, call.body);
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
}

static void sent_calls_end_as_maybe_executed_when_the_broker_dies(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    replace_broker(fixture);
    end_with(fixture, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED, fixture->broker.endpoint);
}

static void a_reply_before_the_goodbye_counts(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, id, bytes_of_text("in time"));
    fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_BYE});
    sleep_ms(50);
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
}

static void calls_succeed_again_within_a_second_of_the_brokers_return(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    replace_broker(fixture);
    uint64_t began = clock_ms();
    sleep_ms(20); /* a client in the middle of its calls would lose one with the old broker */
    (void)client_scene_start(fixture, &client_scene_echo);
    struct packet hello = fake_broker_expect(&fixture->broker, PACKET_HELLO);
    struct hello body;
    assert_true(hello_read(hello.body, &body));
    assert_int_equal(body.last_epoch, 77);
    fake_broker_welcome(&fixture->broker);
    struct packet call = fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, call.id, call.body);
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
    assert_true(clock_ms() - began < 1000);
}

/* The broker forgets the session while the link stays. */
static void calls_that_a_reset_names_are_sent_again_once(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    uint64_t ids[2] = {client_scene_start(fixture, &client_scene_echo),
                       client_scene_start(fixture, &client_scene_echo)};
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reset(&fixture->broker, PACKET_CALL, ids[0]);
    fake_broker_reset(&fixture->broker, PACKET_CALL, ids[1]);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    fake_broker_welcome(&fixture->broker);
    for (int i = 0; i < 2; i++) {
        struct packet call = fake_broker_expect(&fixture->broker, PACKET_CALL);
        assert_int_equal(call.id, ids[i]);
        fake_broker_reply(&fixture->broker, call.id, call.body);
        end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
    }
    assert_false(fake_broker_next(&fixture->broker, &(struct packet){0}, 50));
}

static void a_call_that_is_reset_again_ends_unexecuted(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reset(&fixture->broker, PACKET_CALL, id);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reset(&fixture->broker, PACKET_CALL, id);
    end_with(fixture, BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED, fixture->broker.endpoint);
}

static void a_cancelled_call_is_not_sent_again(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(busbar_client_cancel(fixture->client, id), BUSBAR_OK);
    (void)fake_broker_expect(&fixture->broker, PACKET_CANCEL);
    fake_broker_reset(&fixture->broker, PACKET_CALL, id);
    end_with(fixture, BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED, NULL);
}

/* What the ended session had accepted is not named by any RESET and never answered. */
static void calls_of_an_ended_session_are_given_up_at_the_next_welcome(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    uint64_t refused = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reset(&fixture->broker, PACKET_CALL, refused);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    fake_broker_welcome(&fixture->broker);
    end_with(fixture, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED, fixture->broker.endpoint);
    struct packet call = fake_broker_expect(&fixture->broker, PACKET_CALL);
    assert_int_equal(call.id, refused);
    fake_broker_reply(&fixture->broker, call.id, call.body);
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
}

static void a_goodbye_of_the_broker_ends_what_was_sent(void **state)
{
    struct client_scene *fixture = *state;
    open_session(fixture);
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_BYE});
    end_with(fixture, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED, "has ended the session");
}

static void a_silent_broker_is_asked_and_then_given_up(void **state)
{
    struct client_scene *fixture = *state;
    fixture->broker.welcome.heartbeat_interval = 50;
    open_session(fixture);
    struct packet none;
    assert_false(fake_broker_next(&fixture->broker, &none, 120)); /* nothing waits: no heartbeat */
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    for (int i = 0; i < 5; i++) {
        struct packet beat = fake_broker_expect(&fixture->broker, PACKET_HEARTBEAT);
        assert_int_equal(beat.id, fixture->broker.welcome.token);
        fake_broker_send(&fixture->broker, &beat);
    }
    (void)fake_broker_expect(&fixture->broker, PACKET_HEARTBEAT);
    (void)fake_broker_expect(&fixture->broker, PACKET_HEARTBEAT);
    end_with(fixture, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED, "does not answer");
    (void)client_scene_start(fixture, &client_scene_echo); /* and a new link is made */
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
}

static void garbage_is_counted_and_calls_go_on(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},
        {"BUSB", 4},
        {"BUSB\x02\0\0\0", 8},
        {"BUSB\x01\x01\0\0", 8},
        {"HTTP/1.1 400 Bad Request\r\n", 26},
        {"BUSB\x01\0\0\0\x18", 9},
        {"BUSB\x01\0\0\0\xff\xff\xff\xff\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32},
        {"BUSB\x01\0\0\0\x18\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff", 32},
        {"BUSB\x01\0\0\0\x18\0\0\0\x21\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32},
        {"BUSB\x01\0\0\0\x18\0\0\0\x21\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32},
        {"BUSB\x01\0\0\0\x18\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32},
        {"BUSB\x01\0\0\0\x18\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32},
    };
    struct client_scene *fixture = *state;
    struct packet none;
    open_session(fixture);
    const struct connection *connection = &fixture->client->current->connection;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_broker_send_bytes(&fixture->broker, cases[i].bytes, cases[i].size, false);
        for (int wait = 0; wait < 100 && connection->malformed <= i; wait++)
            (void)fake_broker_next(&fixture->broker, &none, 10);
        assert_int_equal(connection->malformed, i + 1);
    }
    /* Many frames are one message. */
    for (int i = 0; i < 100; i++)
        fake_broker_send_bytes(&fixture->broker, "more", 4, true);
    fake_broker_send_bytes(&fixture->broker, "end", 3, false);
    /* Commands that are unknown, or not for a client, are left alone. */
    for (unsigned command = 0; command < 256; command++) {
        if (command != PACKET_WELCOME && command != PACKET_RESET && command != PACKET_BYE)
            fake_broker_send(&fixture->broker, &(struct packet){.command = (uint8_t)command});
    }
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, id, bytes_of_text("still here"));
    end_with(fixture, BUSBAR_OK, BUSBAR_EXECUTED, NULL);
    assert_int_equal(connection->malformed, sizeof cases / sizeof cases[0] + 1);
}

static void too_much_that_waits_is_busy(void **state)
{
    struct client_scene *fixture = *state;
    char *body = calloc(1, 1 << 20);
    struct busbar_call call = client_scene_echo;
    enum busbar_status status = BUSBAR_OK;
    unsigned started = 0;
    call.body = busbar_body_copied(body, 1 << 20);
    for (; started < 100 && status == BUSBAR_OK; started++)
        status = busbar_client_start(fixture->client, &call, NULL);
    assert_int_equal(status, BUSBAR_BUSY);
    assert_in_range(started, 64, 67);
    assert_int_equal(busbar_client_fate(fixture->client), BUSBAR_NOT_EXECUTED);
    free(body);
}

static void nobody_behind_inproc_is_a_timeout(void **state)
{
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    (void)state;
    const struct busbar_client_options options = {.broker = "inproc://nobody-is-bound-here",
                                                  .timeout_ms = 300};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    assert_int_equal(busbar_client_call(client, &client_scene_echo, &reply), BUSBAR_TIMEOUT);
    assert_non_null(strstr(busbar_reply_error(reply), options.broker));
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_broker_calls_end_unsent_within_a_second),
        cmocka_unit_test(without_a_broker_a_short_deadline_is_kept),
        cmocka_unit_test(a_host_that_cannot_be_resolved_is_named),
        TEST(calls_wait_for_a_broker_that_comes_in_time),
        TEST(sent_calls_end_as_maybe_executed_when_the_broker_dies),
        TEST(a_reply_before_the_goodbye_counts),
        TEST(calls_succeed_again_within_a_second_of_the_brokers_return),
        TEST(calls_that_a_reset_names_are_sent_again_once),
        TEST(a_call_that_is_reset_again_ends_unexecuted),
        TEST(a_cancelled_call_is_not_sent_again),
        TEST(calls_of_an_ended_session_are_given_up_at_the_next_welcome),
        TEST(a_goodbye_of_the_broker_ends_what_was_sent),
        TEST(a_silent_broker_is_asked_and_then_given_up),
        TEST(garbage_is_counted_and_calls_go_on),
        TEST(too_much_that_waits_is_busy),
        cmocka_unit_test(nobody_behind_inproc_is_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
