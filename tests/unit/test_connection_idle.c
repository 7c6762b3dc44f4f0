/* When a connection may be waited for: what a look that found nothing is worth, and for how long. */
#include "client-lib/connection.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"

enum {
    MESSAGES = 17, /* one more than the connection's socket has room for */
};

struct fixture {
    struct fake_broker broker;
    struct connection connection;
    unsigned packets;
};

static void on_told(void *owner)
{
    (void)owner;
}

static void on_reason(void *owner, const char *reason)
{
    (void)owner;
    fail_msg("%s", reason);
}

/* An owner who copies is given no frame. */
static void on_packet(void *owner, const struct packet *packet, struct blob *frame,
                      struct blob *attached)
{
    struct fixture *fixture = owner;
    assert_int_equal(packet->command, PACKET_REPLY);
    assert_null(frame);
    assert_null(attached);
    fixture->packets++;
}

static const struct connection_handler handler = {
    .opened = on_told,
    .welcomed = on_told,
    .lost = on_reason,
    .unreachable = on_reason,
    .packet = on_packet,
    .copies = true,
};

static void turn(void *hint)
{
    struct fixture *fixture = hint;
    while (connection_process(&fixture->connection, clock_ms(), 10))
        ;
    (void)connection_flush(&fixture->connection);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fake_broker_open(&fixture->broker, NULL);
    fixture->broker.idle = turn;
    fixture->broker.hint = fixture;
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

/* Do the descriptors tell of anything, in time? */
static bool tells(const struct fixture *fixture)
{
    int fds[CONNECTION_FDS];
    struct pollfd polled[CONNECTION_FDS];
    connection_fds(&fixture->connection, fds);
    for (size_t i = 0; i < CONNECTION_FDS; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    return poll(polled, CONNECTION_FDS, 1000) > 0;
}

static void become_still(struct fixture *fixture)
{
    do
        turn(fixture);
    while (!connection_is_still(&fixture->connection));
}

static void open_session(struct fixture *fixture)
{
    assert_int_equal(connection_open(&fixture->connection), BUSBAR_OK);
    (void)fake_broker_expect(&fixture->broker, PACKET_HELLO);
    fake_broker_welcome(&fixture->broker);
    while (fixture->connection.state != CONNECTION_UP)
        turn(fixture);
    become_still(fixture);
}

static void what_comes_after_a_look_is_the_descriptors_to_tell(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    assert_true(tells(fixture));
    assert_true(connection_is_still(&fixture->connection));
    assert_false(connection_is_idle(&fixture->connection)); /* which takes the signal */
    assert_false(connection_is_still(&fixture->connection));
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

/* libzmq may have taken the signal of an answer when it sent. */
static void who_has_sent_looks_again(void **state)
{
    struct fixture *fixture = *state;
    const struct packet beat = {.command = PACKET_HEARTBEAT};
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    assert_true(tells(fixture));
    assert_int_equal(connection_put(&fixture->connection, &beat, NULL), BUSBAR_OK);
    assert_int_equal(connection_flush(&fixture->connection), OUTBOX_SENT);
    assert_false(connection_is_still(&fixture->connection));
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

/* One message of three was taken in: no signal comes for those that libzmq has already. */
static void who_has_received_looks_again(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    for (uint64_t i = 0; i < 3; i++)
        fake_broker_reply(&fixture->broker, i, bytes_of_text("x"));
    while (fixture->packets == 0)
        (void)connection_process(&fixture->connection, clock_ms(), 1);
    while (fixture->packets < 3) {
        assert_true(!connection_is_still(&fixture->connection) || tells(fixture));
        (void)connection_process(&fixture->connection, clock_ms(), 1);
    }
    become_still(fixture);
    assert_int_equal(fixture->packets, 3);
}

/* What happens between libzmq's answer to one function and the next use of the socket. */
static void (*after_look)(struct fixture *);
static struct fixture *looked_at;

int zmq_getsockopt(void *socket, int option, void *value, size_t *size)
{
    int (*real)(void *, int, void *, size_t *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "zmq_getsockopt");
    if (after_look == NULL || option != ZMQ_EVENTS || socket != looked_at->connection.socket)
        return real(socket, option, value, size);
    sleep_ms(50); /* libzmq's I/O thread makes room again meanwhile */
    int rc = real(socket, option, value, size);
    after_look(looked_at);
    after_look = NULL;
    return rc;
}

static void answer(struct fixture *fixture)
{
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    assert_true(tells(fixture));
}

/* More than libzmq takes at once: the rest is sent after a look, and that takes the signal of an answer
 * which came behind the look. */
static void who_has_sent_the_rest_looks_again(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t body[BUNDLE_SIZE_MAX / 2]; /* so that each fills a message */
    const struct packet call = {.command = PACKET_CALL, .body = {body, sizeof body}};
    open_session(fixture);
    looked_at = fixture;
    after_look = answer;
    while (after_look != NULL) { /* else libzmq was quick enough to take all of them */
        for (unsigned i = 0; i < MESSAGES; i++)
            assert_int_equal(connection_put(&fixture->connection, &call, NULL), BUSBAR_OK);
        while (connection_flush(&fixture->connection) != OUTBOX_SENT)
            sleep_ms(1);
    }
    assert_true(!connection_is_still(&fixture->connection) || tells(fixture));
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

static void a_wait_ends_with_a_message_that_is_to_be_processed(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    while (!connection_wait(&fixture->connection, 1000))
        ;
    assert_int_equal(fixture->packets, 0);
    assert_false(connection_is_still(&fixture->connection));
    assert_false(connection_wait(&fixture->connection, 1000)); /* there is work already */
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

static void a_message_that_was_waited_for_may_be_left_when_the_connection_closes(void **state)
{
    struct fixture *fixture = *state;
    char text[4000] = "";
    open_session(fixture);
    fake_broker_reply(&fixture->broker, 1, (struct bytes){(uint8_t *)text, sizeof text});
    while (!connection_wait(&fixture->connection, 1000))
        ;
    connection_close(&fixture->connection, 0);
    assert_true(connection_is_idle(&fixture->connection));
    assert_int_equal(fixture->packets, 0);
}

/* And then the descriptors tell of what comes. */
static void a_wait_for_nothing_ends_in_time(void **state)
{
    struct fixture *fixture = *state;
    open_session(fixture);
    uint64_t begun = clock_ns();
    assert_false(connection_wait(&fixture->connection, 5));
    assert_in_range(clock_ns() - begun, 4 * 1000000, UINT64_MAX);
    begun = clock_ns();
    assert_false(connection_wait(&fixture->connection, UINT64_MAX));
    assert_in_range(clock_ns() - begun, (CONNECTION_WAIT_MS - 1) * 1000000, UINT64_MAX);
    assert_true(connection_is_still(&fixture->connection));
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    assert_true(tells(fixture));
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

static void there_is_no_wait_without_a_session_or_with_something_to_send(void **state)
{
    struct fixture *fixture = *state;
    const struct packet beat = {.command = PACKET_HEARTBEAT};
    assert_false(connection_wait(&fixture->connection, UINT64_MAX));
    open_session(fixture);
    assert_int_equal(connection_put(&fixture->connection, &beat, NULL), BUSBAR_OK);
    fake_broker_reply(&fixture->broker, 1, bytes_of_text("x"));
    assert_true(tells(fixture));
    assert_false(connection_wait(&fixture->connection, UINT64_MAX));
    become_still(fixture);
    assert_int_equal(fixture->packets, 1);
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_signal_ends_a_wait(void **state)
{
    struct fixture *fixture = *state;
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval often = {.it_interval.tv_usec = 2000, .it_value.tv_usec = 2000};
    const struct itimerval never = {0};
    open_session(fixture);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    bool is_there = connection_wait(&fixture->connection, UINT64_MAX);
    int reason = errno;
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_false(is_there);
    assert_int_equal(reason, EINTR);
    become_still(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_comes_after_a_look_is_the_descriptors_to_tell),
        TEST(who_has_sent_looks_again),
        TEST(who_has_sent_the_rest_looks_again),
        TEST(who_has_received_looks_again),
        TEST(a_wait_ends_with_a_message_that_is_to_be_processed),
        TEST(a_message_that_was_waited_for_may_be_left_when_the_connection_closes),
        TEST(a_wait_for_nothing_ends_in_time),
        TEST(there_is_no_wait_without_a_session_or_with_something_to_send),
        TEST(a_signal_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
