/* One session over one connection, as its owner sees it: opened, welcomed, reset, lost. */
#include "client-lib/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client-lib/context.h"
#include "fake_broker.h"

/* Every callback leaves a word here, so that a test can read what happened like a transcript. */
struct fixture {
    struct fake_broker broker;
    struct connection connection;
    char story[1024];
    char reason[512];
};

static void tell(void *owner, const char *word)
{
    struct fixture *fixture = owner;
    size_t length = strlen(fixture->story);
    snprintf(fixture->story + length, sizeof fixture->story - length, "%s%s", length > 0 ? " " : "",
             word);
}

static void on_opened(void *owner)
{
    struct fixture *fixture = owner;
    const struct packet packet = {.command = PACKET_CREDIT, .id = 5};
    tell(owner, "opened");
    assert_int_equal(connection_put(&fixture->connection, &packet, NULL), BUSBAR_OK);
}

static void on_welcomed(void *owner)
{
    tell(owner, "welcomed");
}

static void on_lost(void *owner, const char *reason)
{
    struct fixture *fixture = owner;
    tell(owner, "lost");
    snprintf(fixture->reason, sizeof fixture->reason, "%s", reason);
}

static void on_unreachable(void *owner, const char *reason)
{
    struct fixture *fixture = owner;
    tell(owner, "unreachable");
    snprintf(fixture->reason, sizeof fixture->reason, "%s", reason);
}

static void on_reset(void *owner, uint8_t command, uint64_t id)
{
    char word[64];
    snprintf(word, sizeof word, "reset(%s,%llu)", packet_command_name(command),
             (unsigned long long)id);
    tell(owner, word);
}

static void on_packet(void *owner, const struct packet *packet, struct blob *frame,
                      struct blob *attached)
{
    char word[64];
    assert_non_null(frame);
    assert_int_equal(attached != NULL, (packet->flags & PACKET_ATTACHED) != 0);
    snprintf(word, sizeof word, "%s(%zu)", packet_command_name(packet->command), packet->body.size);
    tell(owner, word);
}

static const struct connection_handler handler = {
    .opened = on_opened,
    .welcomed = on_welcomed,
    .lost = on_lost,
    .unreachable = on_unreachable,
    .reset = on_reset,
    .packet = on_packet,
};

static void turn(void *hint)
{
    struct fixture *fixture = hint;
    while (connection_process(&fixture->connection, clock_ms(), 10))
        ;
    (void)connection_flush(&fixture->connection);
}

static void open_broker(struct fixture *fixture, const char *endpoint)
{
    fake_broker_open(&fixture->broker, endpoint);
    fixture->broker.idle = turn;
    fixture->broker.hint = fixture;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    open_broker(fixture, NULL);
    return connection_init(&fixture->connection, fixture->broker.endpoint, &handler, fixture);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    connection_fini(&fixture->connection);
    fake_broker_close(&fixture->broker);
    free(fixture);
    return 0;
}

/* Turns until the story is as told. */
static void expect_story(struct fixture *fixture, const char *story)
{
    for (int i = 0; i < 2000 && strcmp(fixture->story, story) != 0; i++) {
        turn(fixture);
        sleep_ms(1);
    }
    assert_string_equal(fixture->story, story);
    fixture->story[0] = '\0';
}

static struct hello expect_hello(struct fixture *fixture)
{
    struct hello hello = {0};
    struct packet packet = fake_broker_expect(&fixture->broker, PACKET_HELLO);
    assert_true(hello_read(packet.body, &hello));
    packet = fake_broker_expect(&fixture->broker, PACKET_CREDIT); /* put by on_opened */
    assert_int_equal(packet.id, 5);
    return hello;
}

static void open_session(struct fixture *fixture)
{
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    (void)expect_hello(fixture);
    fake_broker_welcome(&fixture->broker);
    expect_story(fixture, "opened welcomed");
}

static void hello_comes_first_and_shares_its_bundle(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(fixture->connection.state, CONNECTION_CLOSED);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    assert_int_equal(fixture->connection.state, CONNECTION_DOWN);
    struct hello hello = expect_hello(fixture);
    assert_int_equal(fixture->broker.bundles, 1);
    assert_memory_equal(hello.instance, fixture->connection.instance, INSTANCE_SIZE);
    assert_int_equal(hello.last_epoch, 0);
    assert_int_equal(fixture->connection.state, CONNECTION_GREETING);
    fake_broker_welcome(&fixture->broker);
    expect_story(fixture, "opened welcomed");
    assert_int_equal(fixture->connection.state, CONNECTION_UP);
    assert_int_equal(fixture->connection.welcome.epoch, 77);
    assert_int_equal(fixture->connection.welcome.token, 42);
    assert_int_equal(fixture->connection.welcome.body_limit, FAKE_BODY_LIMIT);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    assert_int_equal(fixture->connection.sockets, 1);
}

static void nothing_can_be_put_without_a_session(void **state)
{
    struct fixture *fixture = *state;
    const struct packet packet = {.command = PACKET_CALL};
    assert_int_equal(connection_put(&fixture->connection, &packet, NULL), BUSBAR_BROKER_LOST);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    assert_int_equal(connection_put(&fixture->connection, &packet, NULL), BUSBAR_BROKER_LOST);
}

static void packets_reach_the_handler_with_their_frames(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t large[100000];
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("small"));
    fake_broker_reply(&fixture->broker, 2, (struct bytes){large, sizeof large});
    fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_GOAWAY});
    expect_story(fixture, "REPLY(5) REPLY(100000) GOAWAY(0)");
}

static void a_closed_port_is_unreachable(void **state)
{
    struct fixture *fixture = *state;
    char endpoint[128];
    connection_fini(&fixture->connection);
    unused_endpoint(endpoint, sizeof endpoint);
    assert_int_equal(connection_init(&fixture->connection, endpoint, &handler, fixture), BUSBAR_OK);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    expect_story(fixture, "unreachable");
    assert_non_null(strstr(fixture->reason, endpoint));
    expect_story(fixture, "unreachable"); /* told once per attempt */
}

static void an_address_that_cannot_be_used_is_unreachable(void **state)
{
    struct fixture *fixture = *state;
    connection_fini(&fixture->connection);
    assert_int_equal(
        connection_init(&fixture->connection, "tcp://no-such-host.invalid:1", &handler, fixture),
        BUSBAR_OK);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    for (int i = 0; i < 5000 && fixture->story[0] == '\0'; i++) {
        turn(fixture); /* a resolver without network may take its time */
        sleep_ms(1);
    }
    assert_memory_equal(fixture->story, "unreachable", strlen("unreachable"));
    assert_non_null(strstr(fixture->reason, "no-such-host.invalid"));
}

static void a_lost_broker_is_told_and_greeted_again(void **state)
{
    struct fixture *fixture = *state;
    char endpoint[sizeof fixture->broker.endpoint];
    open_session(fixture);
    memcpy(endpoint, fixture->broker.endpoint, sizeof endpoint);
    fake_broker_close(&fixture->broker);
    for (int i = 0; i < 1000 && connection_is_open(&fixture->connection); i++) {
        turn(fixture);
        sleep_ms(1);
    }
    assert_memory_equal(fixture->story, "lost", 4);
    open_broker(fixture, endpoint);
    fixture->broker.welcome.epoch = 78;
    uint64_t began = clock_ms();
    struct hello hello = expect_hello(fixture);
    assert_true(clock_ms() - began < 1000);
    assert_memory_equal(hello.instance, fixture->connection.instance, INSTANCE_SIZE);
    assert_int_equal(hello.last_epoch, 77);
    assert_int_equal(fixture->connection.sessions, 2);
    fake_broker_welcome(&fixture->broker);
    for (int i = 0; i < 1000 && fixture->connection.state != CONNECTION_UP; i++) {
        turn(fixture);
        sleep_ms(1);
    }
    assert_int_equal(fixture->connection.welcome.epoch, 78);
    assert_int_equal(fixture->connection.sockets, 1);
}

static void what_waits_is_dropped_with_the_session(void **state)
{
    struct fixture *fixture = *state;
    const struct packet packet = {.command = PACKET_CALL};
    open_session(fixture);
    assert_int_equal(connection_put(&fixture->connection, &packet, NULL), BUSBAR_OK);
    uint64_t position = fixture->connection.outbox.put;
    connection_restart(&fixture->connection, "for a test");
    assert_string_equal(fixture->story, "lost");
    assert_non_null(strstr(fixture->reason, "for a test"));
    assert_true(position > fixture->connection.outbox.sent);
    assert_true(outbox_is_empty(&fixture->connection.outbox));
    assert_int_equal(fixture->connection.sockets, 2);
    /* BYE is not said: the broker may be too busy to hear it. */
    (void)expect_hello(fixture);
}

static void a_reset_during_the_greeting_only_names_a_packet(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    (void)expect_hello(fixture);
    fake_broker_reset(&fixture->broker, PACKET_CALL, 9);
    expect_story(fixture, "opened reset(CALL,9)");
    assert_int_equal(fixture->connection.sessions, 1);
    fake_broker_welcome(&fixture->broker);
    expect_story(fixture, "welcomed");
}

static void a_reset_of_a_session_opens_another(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    fake_broker_reset(&fixture->broker, PACKET_CALL, 9);
    fake_broker_reset(&fixture->broker, PACKET_CREDIT, 10);
    expect_story(fixture, "reset(CALL,9) opened reset(CREDIT,10)");
    assert_int_equal(fixture->connection.state, CONNECTION_GREETING);
    assert_int_equal(fixture->connection.sessions, 2);
    struct hello hello = expect_hello(fixture);
    assert_int_equal(hello.last_epoch, 77);
    fake_broker_welcome(&fixture->broker);
    expect_story(fixture, "welcomed");
}

static void a_bye_loses_the_session_and_what_follows_is_ignored(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_BYE});
    fake_broker_reply(&fixture->broker, 2, bytes_of_text("too late"));
    expect_story(fixture, "REPLY(1) lost");
    assert_int_equal(fixture->connection.state, CONNECTION_DOWN);
    /* The link stays, so it is this side that makes a new one, after a while. */
    for (int i = 0; i < 2000 && fixture->connection.sessions == 1; i++) {
        turn(fixture);
        sleep_ms(1);
    }
    assert_int_equal(fixture->connection.sockets, 2);
    (void)expect_hello(fixture);
}

static void closing_says_goodbye_and_may_be_followed_by_opening(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    connection_close(&fixture->connection, 500);
    assert_int_equal(fixture->connection.state, CONNECTION_CLOSED);
    (void)fake_broker_expect(&fixture->broker, PACKET_BYE);
    connection_close(&fixture->connection, 0);
    open_session(fixture);
}

static void frames_after_the_second_are_dropped_and_counted(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    for (int i = 0; i < 3; i++)
        fake_broker_send_bytes(&fixture->broker, "BUSB\x01\0\0\0", 8, i < 2);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    expect_story(fixture, "REPLY(1)");
    assert_int_equal(fixture->connection.malformed, 1);
    assert_int_equal(fixture->connection.state, CONNECTION_UP);
}

static void a_limit_of_messages_is_kept(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    for (uint64_t i = 0; i < 5; i++)
        fake_broker_reply(&fixture->broker, i, bytes_of_text("x"));
    sleep_ms(50);
    assert_false(connection_is_idle(&fixture->connection));
    assert_true(connection_process(&fixture->connection, clock_ms(), 3));
    assert_string_equal(fixture->story, "REPLY(1) REPLY(1) REPLY(1)");
    assert_false(connection_is_idle(&fixture->connection));
    assert_false(connection_process(&fixture->connection, clock_ms(), 3));
    assert_true(connection_is_idle(&fixture->connection));
}

/* Both sides in one context, which inproc needs; the link has no events then. */
static void inproc_is_greeted_without_events(void **state)
{
    struct fixture *fixture = *state;
    char identity[64];
    char frame[256];
    connection_fini(&fixture->connection);
    assert_int_equal(
        connection_init(&fixture->connection, "inproc://test-connection", &handler, fixture),
        BUSBAR_OK);
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    turn(fixture); /* before anybody is bound */
    void *context = context_ref();
    void *router = zmq_socket(context, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(router, "inproc://test-connection"), 0);
    assert_true(zmq_recv(router, identity, sizeof identity, 0) > 0);
    assert_true(zmq_recv(router, frame, sizeof frame, 0) > BUNDLE_HEADER_SIZE);
    assert_int_equal(frame[BUNDLE_HEADER_SIZE + 4], PACKET_HELLO);
    assert_string_equal(fixture->story, "opened");
    connection_close(&fixture->connection, 0);
    zmq_close(router);
    context_unref();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hello_comes_first_and_shares_its_bundle),
        TEST(nothing_can_be_put_without_a_session),
        TEST(packets_reach_the_handler_with_their_frames),
        TEST(a_closed_port_is_unreachable),
        TEST(an_address_that_cannot_be_used_is_unreachable),
        TEST(a_lost_broker_is_told_and_greeted_again),
        TEST(what_waits_is_dropped_with_the_session),
        TEST(a_reset_during_the_greeting_only_names_a_packet),
        TEST(a_reset_of_a_session_opens_another),
        TEST(a_bye_loses_the_session_and_what_follows_is_ignored),
        TEST(closing_says_goodbye_and_may_be_followed_by_opening),
        TEST(frames_after_the_second_are_dropped_and_counted),
        TEST(a_limit_of_messages_is_kept),
        TEST(inproc_is_greeted_without_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
