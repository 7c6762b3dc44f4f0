/* Outboxes: what shares a bundle, what travels alone, what is known to have been sent. */
#include "transport/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>
#include <cmocka.h>

struct fixture {
    void *context;
    void *sender;
    void *receiver;
    struct bundle_pool *pool;
    struct outbox outbox;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    int none = 0;
    *state = fixture;
    fixture->context = zmq_ctx_new();
    fixture->sender = zmq_socket(fixture->context, ZMQ_DEALER);
    fixture->receiver = zmq_socket(fixture->context, ZMQ_DEALER);
    zmq_setsockopt(fixture->sender, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(fixture->receiver, ZMQ_LINGER, &none, sizeof none);
    fixture->pool = bundle_pool_new();
    outbox_init(&fixture->outbox, fixture->pool);
    return fixture->pool == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    outbox_fini(&fixture->outbox);
    zmq_close(fixture->sender);
    zmq_close(fixture->receiver);
    zmq_ctx_term(fixture->context);
    bundle_pool_destroy(&fixture->pool);
    free(fixture);
    return 0;
}

static void connect_sockets(struct fixture *fixture, int high_water_mark)
{
    zmq_setsockopt(fixture->sender, ZMQ_SNDHWM, &high_water_mark, sizeof(int));
    zmq_setsockopt(fixture->receiver, ZMQ_RCVHWM, &high_water_mark, sizeof(int));
    assert_int_equal(zmq_bind(fixture->receiver, "inproc://outbox"), 0);
    assert_int_equal(zmq_connect(fixture->sender, "inproc://outbox"), 0);
}

static void put(struct fixture *fixture, uint64_t id, size_t size)
{
    static const uint8_t body[BUNDLE_SIZE_MAX];
    const struct packet packet = {
        .command = PACKET_REPLY, .id = id, .body = {.data = body, .size = size}};
    assert_true(outbox_put(&fixture->outbox, &packet, NULL));
}

static void put_attached(struct fixture *fixture, uint64_t id, struct blob *blob)
{
    const struct packet packet = {.command = PACKET_REPLY, .id = id, .flags = PACKET_ATTACHED};
    assert_true(outbox_put(&fixture->outbox, &packet, blob));
}

/* Receives one message of a bundle; checks that its packets count up from *id; returns how many. */
static unsigned receive(struct fixture *fixture, uint64_t *id, size_t *ret_attached)
{
    zmq_msg_t frame;
    zmq_msg_t body;
    struct bundle_reader reader;
    struct bytes attached = {0};
    unsigned count = 0;
    zmq_msg_init(&frame);
    zmq_msg_init(&body);
    if (zmq_msg_recv(&frame, fixture->receiver, ZMQ_DONTWAIT) < 0)
        return 0;
    bool more = zmq_msg_more(&frame);
    if (more) {
        assert_true(zmq_msg_recv(&body, fixture->receiver, 0) >= 0);
        attached = (struct bytes){zmq_msg_data(&body), zmq_msg_size(&body)};
    }
    struct bytes bytes = {zmq_msg_data(&frame), zmq_msg_size(&frame)};
    assert_int_equal(bundle_open(&reader, bytes, more ? &attached : NULL), PACKET_ERROR_NONE);
    while (!bundle_is_done(&reader)) {
        struct packet packet;
        assert_int_equal(bundle_read(&reader, &packet), PACKET_ERROR_NONE);
        assert_int_equal(packet.id, (*id)++);
        count++;
    }
    *ret_attached = attached.size;
    zmq_msg_close(&frame);
    zmq_msg_close(&body);
    return count;
}

static void packets_share_a_bundle(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = 0;
    size_t attached;
    connect_sockets(fixture, 0);
    assert_true(outbox_is_empty(&fixture->outbox));
    for (uint64_t i = 0; i < 100; i++)
        put(fixture, i, i);
    assert_false(outbox_is_empty(&fixture->outbox));
    assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_SENT);
    assert_true(outbox_is_empty(&fixture->outbox));
    assert_int_equal(fixture->outbox.waiting, 0);
    assert_int_equal(receive(fixture, &id, &attached), 100);
    assert_int_equal(receive(fixture, &id, &attached), 0);
}

/* A small bundle holds its packets in itself; where it no longer can, they move. */
static void a_bundle_of_any_size_holds_what_was_put(void **state)
{
    struct fixture *fixture = *state;
    size_t attached;
    connect_sockets(fixture, 0);
    for (size_t size = 0; size < 2400; size++) {
        uint64_t id = 0;
        put(fixture, 0, 16);
        put(fixture, 1, size);
        put(fixture, 2, 16);
        assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_SENT);
        assert_int_equal(fixture->outbox.waiting, 0);
        assert_int_equal(receive(fixture, &id, &attached), 3);
    }
}

/* More than the pool keeps, twice. */
static void many_outboxes_share_a_pool(void **state)
{
    static struct outbox outboxes[1000];
    struct fixture *fixture = *state;
    const struct packet packet = {.command = PACKET_CANCEL};
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 1000; i++) {
            outbox_init(&outboxes[i], fixture->pool);
            for (size_t j = 0; j < i % 100; j++)
                assert_true(outbox_put(&outboxes[i], &packet, NULL));
        }
        for (size_t i = 0; i < 1000; i++)
            outbox_fini(&outboxes[i]);
    }
}

static void a_full_bundle_is_followed_by_another(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = 0;
    size_t attached;
    connect_sockets(fixture, 0);
    for (uint64_t i = 0; i < 10; i++)
        put(fixture, i, PACKET_INLINE_BODY_MAX);
    assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_SENT);
    unsigned bundles = 0;
    while (receive(fixture, &id, &attached) > 0)
        bundles++;
    assert_int_equal(id, 10);
    assert_int_equal(bundles, 4); /* of three, three, three and one */
    assert_int_equal(outbox_bytes(&fixture->outbox), 0);
}

static void an_attached_body_travels_alone_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = 0;
    size_t attached;
    static const uint8_t bytes[100000];
    struct blob *blob = blob_copy(bytes, sizeof bytes);
    connect_sockets(fixture, 0);
    put(fixture, 0, 10);
    put_attached(fixture, 1, blob);
    put_attached(fixture, 2, blob);
    put(fixture, 3, 10);
    put(fixture, 4, 10);
    assert_int_equal(atomic_load(&blob->references), 3);
    assert_true(fixture->outbox.waiting > 2 * sizeof bytes);
    assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_SENT);
    assert_int_equal(fixture->outbox.waiting, 0);
    assert_true(outbox_bytes(&fixture->outbox) >= 2 * sizeof bytes); /* libzmq holds them */
    const unsigned packets[] = {1, 1, 1, 2};
    const size_t sizes[] = {0, sizeof bytes, sizeof bytes, 0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(receive(fixture, &id, &attached), packets[i]);
        assert_int_equal(attached, sizes[i]);
    }
    assert_int_equal(outbox_bytes(&fixture->outbox), 0);
    assert_int_equal(atomic_load(&blob->references), 1);
    blob_unref(&blob);
}

static void without_a_connection_everything_waits(void **state)
{
    struct fixture *fixture = *state;
    int one = 1;
    uint64_t id = 0;
    size_t attached;
    static const uint8_t bytes[100000];
    struct blob *blob = blob_copy(bytes, sizeof bytes);
    zmq_setsockopt(fixture->sender, ZMQ_IMMEDIATE, &one, sizeof one);
    put(fixture, 0, 10);
    put_attached(fixture, 1, blob);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_BLOCKED);
    put(fixture, 2, 10);
    assert_int_equal(fixture->outbox.sent, 0);
    connect_sockets(fixture, 0);
    assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_SENT);
    for (int i = 0; i < 3; i++)
        assert_int_equal(receive(fixture, &id, &attached), 1);
    blob_unref(&blob);
}

static void what_was_sent_is_known_by_its_position(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = 0;
    size_t attached;
    connect_sockets(fixture, 2); /* libzmq adds both sides: four messages fit */
    for (uint64_t i = 0; i < 10; i++) {
        put(fixture, i * 2, 10);
        put(fixture, i * 2 + 1, 10);
        if (outbox_flush(&fixture->outbox, fixture->sender, NULL) == OUTBOX_BLOCKED)
            continue;
        assert_int_equal(fixture->outbox.sent, fixture->outbox.put);
    }
    assert_int_equal(fixture->outbox.put, 20);
    assert_int_equal(fixture->outbox.sent, 8);
    outbox_clear(&fixture->outbox);
    assert_int_equal(fixture->outbox.put, 8);
    assert_true(outbox_is_empty(&fixture->outbox));
    while (receive(fixture, &id, &attached) > 0)
        ;
    assert_int_equal(id, 8);
    assert_int_equal(outbox_bytes(&fixture->outbox), 0);
}

static void a_cleared_outbox_gives_its_bodies_back(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t bytes[100000];
    struct blob *blob = blob_copy(bytes, sizeof bytes);
    int one = 1;
    zmq_setsockopt(fixture->sender, ZMQ_IMMEDIATE, &one, sizeof one);
    put_attached(fixture, 0, blob);
    assert_int_equal(outbox_flush(&fixture->outbox, fixture->sender, NULL), OUTBOX_BLOCKED);
    put_attached(fixture, 1, blob);
    put(fixture, 2, PACKET_INLINE_BODY_MAX);
    outbox_clear(&fixture->outbox);
    assert_int_equal(atomic_load(&blob->references), 1);
    assert_int_equal(outbox_bytes(&fixture->outbox), 0);
    blob_unref(&blob);
}

static void a_peer_that_is_not_there_is_gone(void **state)
{
    struct fixture *fixture = *state;
    const struct routing_id nobody = {.size = 5, .bytes = {0, 1, 2, 3, 4}};
    void *router = zmq_socket(fixture->context, ZMQ_ROUTER);
    int one = 1;
    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    assert_int_equal(zmq_bind(router, "inproc://router"), 0);
    put(fixture, 0, 10);
    assert_int_equal(outbox_flush(&fixture->outbox, router, &nobody), OUTBOX_GONE);
    assert_false(outbox_is_empty(&fixture->outbox));
    zmq_close(router);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packets_share_a_bundle),
        TEST(a_bundle_of_any_size_holds_what_was_put),
        TEST(many_outboxes_share_a_pool),
        TEST(a_full_bundle_is_followed_by_another),
        TEST(an_attached_body_travels_alone_and_in_order),
        TEST(without_a_connection_everything_waits),
        TEST(what_was_sent_is_known_by_its_position),
        TEST(a_cleared_outbox_gives_its_bodies_back),
        TEST(a_peer_that_is_not_there_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
