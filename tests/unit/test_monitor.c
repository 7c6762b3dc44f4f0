/* The monitor of a socket: connections that come and go are seen, and nothing else stops. */
#include "transport/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>
#include <cmocka.h>

struct fixture {
    void *context;
    void *router;
    char endpoint[128];
    struct monitor monitor;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    size_t size = sizeof fixture->endpoint;
    int none = 0;
    *state = fixture;
    fixture->context = zmq_ctx_new();
    fixture->router = zmq_socket(fixture->context, ZMQ_ROUTER);
    zmq_setsockopt(fixture->router, ZMQ_LINGER, &none, sizeof none);
    if (!monitor_open(&fixture->monitor, fixture->context, fixture->router,
                      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED))
        return -1;
    if (zmq_bind(fixture->router, "tcp://127.0.0.1:*") != 0)
        return -1;
    return zmq_getsockopt(fixture->router, ZMQ_LAST_ENDPOINT, fixture->endpoint, &size);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    monitor_close(&fixture->monitor, fixture->router);
    zmq_close(fixture->router);
    zmq_ctx_term(fixture->context);
    free(fixture);
    return 0;
}

static void *new_peer(struct fixture *fixture)
{
    int none = 0;
    void *peer = zmq_socket(fixture->context, ZMQ_DEALER);
    zmq_setsockopt(peer, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal(zmq_connect(peer, fixture->endpoint), 0);
    return peer;
}

static bool next_within(struct fixture *fixture, struct monitor_event *event, int ms)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (!monitor_next(&fixture->monitor, event)) {
        if (ms-- == 0)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static void a_quiet_socket_has_no_events(void **state)
{
    struct fixture *fixture = *state;
    struct monitor_event event;
    assert_false(monitor_next(&fixture->monitor, &event));
    assert_false(next_within(fixture, &event, 20));
}

static void a_connection_is_seen_to_come_and_go(void **state)
{
    struct fixture *fixture = *state;
    struct monitor_event event = {0};
    void *peer = new_peer(fixture);
    assert_true(next_within(fixture, &event, 2000));
    assert_int_equal(event.kind, ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    zmq_close(peer);
    assert_true(next_within(fixture, &event, 2000));
    assert_int_equal(event.kind, ZMQ_EVENT_DISCONNECTED);
    assert_true(event.value >= 0);
    assert_false(monitor_next(&fixture->monitor, &event));
}

/* With a bound on its queue the monitor would stop the whole socket after some hundred events. */
static void a_thousand_events_unread_do_not_stop_the_socket(void **state)
{
    enum { PEERS = 550 };
    struct fixture *fixture = *state;
    struct monitor_event event = {0};
    unsigned events = 0;
    char byte;
    for (int i = 0; i < PEERS; i++) {
        void *peer = new_peer(fixture);
        assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
        assert_true(zmq_recv(fixture->router, &byte, 1, 0) >= 0);
        assert_int_equal(zmq_recv(fixture->router, &byte, 1, 0), 1);
        zmq_close(peer);
    }
    while (events < 2 * PEERS && next_within(fixture, &event, 2000))
        events++;
    assert_int_equal(events, 2 * PEERS);
}

static void a_closed_monitor_leaves_the_socket_working(void **state)
{
    struct fixture *fixture = *state;
    char byte;
    monitor_close(&fixture->monitor, fixture->router);
    assert_null(fixture->monitor.socket);
    void *peer = new_peer(fixture);
    assert_int_equal(zmq_send(peer, "x", 1, 0), 1);
    assert_true(zmq_recv(fixture->router, &byte, 1, 0) >= 0);
    zmq_close(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quiet_socket_has_no_events),
        TEST(a_connection_is_seen_to_come_and_go),
        TEST(a_thousand_events_unread_do_not_stop_the_socket),
        TEST(a_closed_monitor_leaves_the_socket_working),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
