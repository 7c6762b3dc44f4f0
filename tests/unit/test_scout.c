/* Peers that bring the routing ids which libzmq is to give next: it must not meet one. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>
#include <cmocka.h>

#include "base/clock.h"
#include "broker/core.h"

enum {
    BATCH = 50,
    LONG_MS = 20000,
};

/* A broker whose turns the test takes, and peers with a context of their own. */
struct scene {
    struct broker_settings settings;
    struct broker *broker;
    void *peers;
};

static int scene_open(void **state)
{
    static struct scene scene;
    const char *endpoint = "tcp://127.0.0.1:*";
    char error[256];
    scene = (struct scene){0};
    assert_int_equal(broker_settings_init(&scene.settings), BUSBAR_OK);
    assert_int_equal(broker_settings_set_binds(&scene.settings, &endpoint, 1), BUSBAR_OK);
    if (broker_new(&scene.broker, &scene.settings, NULL, error, sizeof error) != BUSBAR_OK)
        fail_msg("%s", error);
    scene.peers = zmq_ctx_new();
    *state = &scene;
    return 0;
}

static int scene_close(void **state)
{
    struct scene *scene = *state;
    zmq_ctx_term(scene->peers);
    broker_destroy(&scene->broker);
    broker_settings_fini(&scene->settings);
    return 0;
}

/* Turns until the counter has reached the number. */
static void turn_until(struct scene *scene, const uint64_t *counter, uint64_t number)
{
    uint64_t end = clock_ms() + LONG_MS;
    while (*counter < number) {
        if (clock_ms() > end)
            fail_msg("%llu instead of %llu", (unsigned long long)*counter,
                     (unsigned long long)number);
        if (!broker_turn(scene->broker))
            usleep(100);
        scene->broker->monitor_is_dry = false;
    }
}

static void *dealer(struct scene *scene, const void *id, size_t size)
{
    int none = 0;
    void *socket = zmq_socket(scene->peers, ZMQ_DEALER);
    assert_non_null(socket);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none), 0);
    if (size > 0)
        assert_int_equal(zmq_setsockopt(socket, ZMQ_ROUTING_ID, id, size), 0);
    assert_int_equal(zmq_connect(socket, broker_endpoint(scene->broker, 0)), 0);
    turn_until(scene, &scene->broker->scout.handshakes, scene->broker->scout.handshakes + 1);
    return socket;
}

/* Is it heard? Under which number? */
static uint32_t number_of(struct scene *scene, void *socket)
{
    uint32_t number;
    zmq_send(socket, "", 0, 0);
    turn_until(scene, &scene->broker->counters.messages, scene->broker->counters.messages + 1);
    assert_int_equal(scene->broker->message.from.size, 5);
    memcpy(&number, scene->broker->message.from.bytes + 1, sizeof number);
    return ntohl(number);
}

static void ask_mmi(void *socket)
{
    static const char *const FRAMES[] = {"", "MDPC01", "mmi.service", "nobody"};
    for (size_t i = 0; i < ARRAY_SIZE(FRAMES); i++)
        zmq_send(socket, FRAMES[i], strlen(FRAMES[i]),
                 i + 1 < ARRAY_SIZE(FRAMES) ? ZMQ_SNDMORE : 0);
}

static void *dealer_as(struct scene *scene, uint32_t number)
{
    uint32_t ordered = htonl(number);
    uint8_t id[5] = {0};
    memcpy(id + 1, &ordered, sizeof ordered);
    return dealer(scene, id, sizeof id);
}

static void peers_come_and_go(struct scene *scene, unsigned count)
{
    for (unsigned i = 0; i < count; i += BATCH) {
        void *sockets[BATCH];
        for (unsigned j = 0; j < BATCH; j++)
            sockets[j] = dealer(scene, NULL, 0);
        for (unsigned j = 0; j < BATCH; j++)
            zmq_close(sockets[j]);
    }
}

static void a_peer_in_the_way_is_put_out(void **state)
{
    static const uint32_t AHEAD[] = {600, 601, 1000, 1500};
    struct scene *scene = *state;
    void *held[ARRAY_SIZE(AHEAD)];
    void *first = dealer(scene, NULL, 0);
    uint32_t number = number_of(scene, first);
    for (size_t i = 0; i < ARRAY_SIZE(AHEAD); i++)
        held[i] = dealer_as(scene, number + AHEAD[i]);
    ask_mmi(held[0]); /* so that it has a session */
    turn_until(scene, &scene->broker->counters.mmi_requests, 1);
    peers_come_and_go(scene, 2000);
    assert_int_equal(scene->broker->counters.ids_evicted, ARRAY_SIZE(AHEAD));
    void *last = dealer(scene, NULL, 0);
    assert_true(number_of(scene, last) - number > 2000);
    assert_int_equal(number_of(scene, first), number);
    for (size_t i = 0; i < ARRAY_SIZE(AHEAD); i++)
        zmq_close(held[i]);
    zmq_close(first);
    zmq_close(last);
}

static void nobody_else_is(void **state)
{
    enum { PEERS = 700 };
    struct scene *scene = *state;
    static void *sockets[PEERS];
    uint32_t numbers[PEERS];
    for (size_t i = 0; i < PEERS; i++) {
        char name[16];
        int size = snprintf(name, sizeof name, "peer%zu", i);
        sockets[i] = dealer(scene, name, i % 7 == 0 ? (size_t)size : 0);
        numbers[i] = i % 7 == 0 ? 0 : number_of(scene, sockets[i]);
    }
    assert_int_equal(scene->broker->counters.ids_evicted, 0);
    for (size_t i = 0; i < PEERS; i++) {
        if (i % 7 != 0)
            assert_int_equal(number_of(scene, sockets[i]), numbers[i]);
        zmq_close(sockets[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_peer_in_the_way_is_put_out, scene_open, scene_close),
        cmocka_unit_test_setup_teardown(nobody_else_is, scene_open, scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
