/* A broker of a few lines for tests of the other side. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"
#include "transport/frame.h"

void sleep_ms(unsigned ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

void fake_broker_open(struct fake_broker *broker, const char *endpoint)
{
    int one = 1;
    int none = 0;
    size_t size = sizeof broker->endpoint;
    *broker = (struct fake_broker){
        .welcome = {.epoch = 77,
                    .token = 42,
                    .body_limit = FAKE_BODY_LIMIT,
                    .heartbeat_interval = 1000,
                    .heartbeat_liveness = 3},
    };
    broker->context = zmq_ctx_new();
    broker->router = zmq_socket(broker->context, ZMQ_ROUTER);
    assert_non_null(broker->router);
    zmq_setsockopt(broker->router, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(broker->router, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(broker->router, ZMQ_SNDHWM, &none, sizeof none);
    int rc = zmq_bind(broker->router, endpoint == NULL ? "tcp://127.0.0.1:*" : endpoint);
    assert_int_equal(rc, 0);
    zmq_getsockopt(broker->router, ZMQ_LAST_ENDPOINT, broker->endpoint, &size);
    broker->pool = bundle_pool_new();
    outbox_init(&broker->outbox, broker->pool);
    zmq_msg_init(&broker->frame);
    zmq_msg_init(&broker->body);
}

void fake_broker_close(struct fake_broker *broker)
{
    zmq_msg_close(&broker->frame);
    zmq_msg_close(&broker->body);
    outbox_fini(&broker->outbox);
    bundle_pool_destroy(&broker->pool);
    zmq_close(broker->router);
    zmq_ctx_term(broker->context);
}

/* One message into `frame` and `body`; false if none is there. */
static bool fake_broker_receive(struct fake_broker *broker)
{
    struct bytes attached;
    int size = zmq_recv(broker->router, broker->peer.bytes, ROUTING_ID_MAX, ZMQ_DONTWAIT);
    if (size < 0)
        return false;
    broker->peer.size = (uint8_t)size;
    assert_true(zmq_msg_recv(&broker->frame, broker->router, 0) >= 0);
    bool more = zmq_msg_more(&broker->frame);
    if (more) {
        assert_true(zmq_msg_recv(&broker->body, broker->router, 0) >= 0);
        assert_false(zmq_msg_more(&broker->body));
        attached = (struct bytes){zmq_msg_data(&broker->body), zmq_msg_size(&broker->body)};
    }
    struct bytes frame = {zmq_msg_data(&broker->frame), zmq_msg_size(&broker->frame)};
    enum packet_error error = bundle_open(&broker->reader, frame, more ? &attached : NULL);
    assert_int_equal(error, PACKET_ERROR_NONE);
    broker->bundles++;
    return true;
}

bool fake_broker_next(struct fake_broker *broker, struct packet *packet, unsigned timeout_ms)
{
    uint64_t until = clock_ms() + timeout_ms;
    zmq_pollitem_t item = {.socket = broker->router, .events = ZMQ_POLLIN};
    while (bundle_is_done(&broker->reader) && !fake_broker_receive(broker)) {
        if (clock_ms() >= until)
            return false;
        if (broker->idle != NULL)
            broker->idle(broker->hint);
        zmq_poll(&item, 1, 1);
    }
    enum packet_error error = bundle_read(&broker->reader, packet);
    assert_int_equal(error, PACKET_ERROR_NONE);
    return true;
}

struct packet fake_broker_expect(struct fake_broker *broker, enum packet_command command)
{
    struct packet packet = {0};
    bool came = fake_broker_next(broker, &packet, 3000);
    assert_true(came);
    assert_string_equal(packet_command_name(packet.command), packet_command_name(command));
    return packet;
}

static void fake_broker_put(struct fake_broker *broker, struct packet packet)
{
    struct blob *attached = NULL;
    if (packet.body.size > PACKET_INLINE_BODY_MAX) {
        attached = blob_copy(packet.body.data, packet.body.size);
        packet.flags = PACKET_ATTACHED;
    }
    assert_true(outbox_put(&broker->outbox, &packet, attached));
    blob_unref(&attached);
}

void fake_broker_send(struct fake_broker *broker, const struct packet *packet)
{
    fake_broker_put(broker, *packet);
    enum outbox_result result = outbox_flush(&broker->outbox, broker->router, &broker->peer);
    if (result != OUTBOX_SENT)
        outbox_clear(&broker->outbox);
}

void fake_broker_send_bytes(struct fake_broker *broker, const void *data, size_t size, bool more)
{
    static _Thread_local bool is_inside;
    if (!is_inside)
        zmq_send(broker->router, broker->peer.bytes, broker->peer.size, ZMQ_SNDMORE);
    zmq_send(broker->router, data, size, more ? ZMQ_SNDMORE : 0);
    is_inside = more;
}

static void fake_broker_put_welcome(struct fake_broker *broker)
{
    uint8_t body[WELCOME_SIZE];
    welcome_write(body, &broker->welcome);
    fake_broker_put(broker, (struct packet){.command = PACKET_WELCOME,
                                            .id = broker->welcome.token,
                                            .body = {body, sizeof body}});
}

static void fake_broker_flush(struct fake_broker *broker)
{
    if (outbox_flush(&broker->outbox, broker->router, &broker->peer) == OUTBOX_GONE)
        outbox_clear(&broker->outbox);
}

void fake_broker_welcome(struct fake_broker *broker)
{
    fake_broker_put_welcome(broker);
    fake_broker_flush(broker);
}

void fake_broker_reset(struct fake_broker *broker, uint8_t command, uint64_t id)
{
    uint8_t body[RESET_SIZE];
    const struct reset reset = {.epoch = broker->welcome.epoch, .command = command};
    reset_write(body, &reset);
    fake_broker_send(
        broker, &(struct packet){.command = PACKET_RESET, .id = id, .body = {body, sizeof body}});
}

void fake_broker_reply(struct fake_broker *broker, uint64_t id, struct bytes body)
{
    fake_broker_send(
        broker,
        &(struct packet){.command = PACKET_REPLY, .id = id, .fate = BUSBAR_EXECUTED, .body = body});
}

void fake_broker_error(struct fake_broker *broker, uint64_t id, uint8_t status, uint8_t fate,
                       const char *text)
{
    fake_broker_send(broker, &(struct packet){.command = PACKET_ERROR,
                                              .id = id,
                                              .status = status,
                                              .fate = fate,
                                              .body = bytes_of_text(text)});
}

static bool is_named(const struct packet *packet, const char *service)
{
    return packet->service.size == strlen(service) &&
           memcmp(packet->service.data, service, packet->service.size) == 0;
}

static void echo_call(struct fake_broker *broker, const struct packet *packet)
{
    atomic_fetch_add(&broker->calls, 1);
    if (is_named(packet, "silent"))
        return;
    if (is_named(packet, "slow"))
        sleep_ms(100);
    if (is_named(packet, "echo") || is_named(packet, "slow"))
        fake_broker_put(broker, (struct packet){.command = PACKET_REPLY,
                                                .id = packet->id,
                                                .fate = BUSBAR_EXECUTED,
                                                .encoding = packet->encoding,
                                                .body = packet->body});
    else
        fake_broker_put(broker, (struct packet){.command = PACKET_ERROR,
                                                .id = packet->id,
                                                .status = BUSBAR_NO_SERVICE,
                                                .body = bytes_of_text("nobody is called that")});
}

static void echo_packet(struct fake_broker *broker, const struct packet *packet)
{
    switch (packet->command) {
    case PACKET_HELLO:
        fake_broker_put_welcome(broker);
        break;
    case PACKET_CALL:
        echo_call(broker, packet);
        break;
    case PACKET_CANCEL:
        atomic_fetch_add(&broker->cancels, 1);
        fake_broker_put(broker, (struct packet){.command = PACKET_ERROR,
                                                .id = packet->id,
                                                .status = BUSBAR_CANCELLED,
                                                .fate = BUSBAR_MAYBE_EXECUTED});
        break;
    case PACKET_HEARTBEAT:
        atomic_fetch_add(&broker->heartbeats, 1);
        fake_broker_put(broker, *packet);
        break;
    case PACKET_BYE:
        atomic_fetch_add(&broker->byes, 1);
        break;
    }
}

static void *echo_run(void *hint)
{
    struct fake_broker *broker = hint;
    struct packet packet;
    while (!atomic_load(&broker->is_stopping)) {
        zmq_pollitem_t item = {.socket = broker->router, .events = ZMQ_POLLIN};
        zmq_poll(&item, 1, 20);
        while (fake_broker_receive(broker)) {
            while (!bundle_is_done(&broker->reader)) {
                if (bundle_read(&broker->reader, &packet) != PACKET_ERROR_NONE)
                    break;
                echo_packet(broker, &packet);
            }
            fake_broker_flush(broker);
        }
    }
    return NULL;
}

void fake_broker_start(struct fake_broker *broker)
{
    atomic_store(&broker->is_stopping, false);
    assert_int_equal(pthread_create(&broker->thread, NULL, echo_run, broker), 0);
}

void fake_broker_stop(struct fake_broker *broker)
{
    atomic_store(&broker->is_stopping, true);
    pthread_join(broker->thread, NULL);
}

void unused_endpoint(char *endpoint, size_t size)
{
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    assert_int_equal(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    zmq_close(socket);
    zmq_ctx_term(context);
}
