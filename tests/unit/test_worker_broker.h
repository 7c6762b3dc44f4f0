/*
 * A broker for the worker's tests, as small as the protocol allows: a ROUTER that the test itself
 * drives. It answers HELLO, REGISTER, DEREGISTER and HEARTBEAT as it is told, and keeps everything
 * that it hears until the test asks for it.
 */
#ifndef TESTS_UNIT_TEST_WORKER_BROKER_H
#define TESTS_UNIT_TEST_WORKER_BROKER_H

#include <busbar/worker.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/random.h"
#include "client-lib/connection.h"
#include "protocol/session.h"
#include "transport/outbox.h"

enum {
    FAKE_HEARD_MAX = 8192,
    FAKE_PATIENCE_MS = 20000,
};

struct heard {
    struct packet packet; /* points into `bytes` */
    uint8_t *bytes;
    uint64_t at; /* ms */
    bool taken;
};

struct fake {
    void *context;
    void *socket;
    char endpoint[128];
    struct welcome welcome;
    struct routing_id peer; /* the worker's main connection */
    struct bundle_pool *pool;
    struct outbox outbox;
    struct heard heard[FAKE_HEARD_MAX];
    size_t count;
    size_t attached; /* bodies that came in a frame of their own */
    unsigned hellos, registers, heartbeats;
    uint32_t credit;
    uint8_t refuse;    /* the status for REGISTER; 0: accepted */
    unsigned refusals; /* how often, if `refuse` is set */
    bool mute_heartbeats, unknown_token, mute_deregister;
};

static inline void fake_bind(struct fake *fake, const char *endpoint)
{
    size_t size = sizeof fake->endpoint;
    int on = 1;
    int none = 0;
    fake->socket = zmq_socket(fake->context, ZMQ_ROUTER);
    zmq_setsockopt(fake->socket, ZMQ_ROUTER_MANDATORY, &on, sizeof on);
    zmq_setsockopt(fake->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(fake->socket, ZMQ_SNDHWM, &none, sizeof none);
    for (int i = 0; zmq_bind(fake->socket, endpoint) != 0; i++) {
        assert_true(i < 100);
        usleep(10000);
    }
    assert_int_equal(zmq_getsockopt(fake->socket, ZMQ_LAST_ENDPOINT, fake->endpoint, &size), 0);
    outbox_init(&fake->outbox, fake->pool);
    fake->welcome.epoch = random_u64();
    fake->welcome.token = random_u64();
}

static inline struct fake *fake_new(void)
{
    struct fake *fake = calloc(1, sizeof *fake);
    fake->context = zmq_ctx_new();
    fake->pool = bundle_pool_new();
    fake->welcome.body_limit = 16 << 20;
    fake->welcome.heartbeat_interval = 1000;
    fake->welcome.heartbeat_liveness = 3;
    fake_bind(fake, "tcp://127.0.0.1:*");
    return fake;
}

static inline void fake_down(struct fake *fake)
{
    outbox_fini(&fake->outbox);
    zmq_close(fake->socket);
    fake->socket = NULL;
}

/* Forgets what was heard. */
static inline void fake_forget(struct fake *fake)
{
    for (size_t i = 0; i < fake->count; i++)
        free(fake->heard[i].bytes);
    fake->count = 0;
}

/* The broker's successor: another epoch at the same endpoint. */
static inline void fake_restart(struct fake *fake)
{
    char endpoint[sizeof fake->endpoint];
    memcpy(endpoint, fake->endpoint, sizeof endpoint);
    if (fake->socket != NULL)
        fake_down(fake);
    fake_bind(fake, endpoint);
}

static inline void fake_destroy(struct fake **fake)
{
    struct fake *gone = STEAL(*fake);
    fake_forget(gone);
    if (gone->socket != NULL)
        fake_down(gone);
    bundle_pool_destroy(&gone->pool);
    zmq_ctx_term(gone->context);
    free(gone);
}

static inline void fake_flush(struct fake *fake)
{
    assert_int_equal(outbox_flush(&fake->outbox, fake->socket, &fake->peer), OUTBOX_SENT);
}

static inline void fake_send(struct fake *fake, const struct routing_id *to,
                             const struct packet *packet)
{
    CLEANUP(outbox_fini) struct outbox outbox;
    outbox_init(&outbox, fake->pool);
    assert_true(outbox_put(&outbox, packet, NULL));
    outbox_flush(&outbox, fake->socket, to);
}

static inline void fake_welcome(struct fake *fake, const struct routing_id *from)
{
    uint8_t body[WELCOME_SIZE];
    struct packet packet = {.command = PACKET_WELCOME,
                            .id = fake->welcome.token,
                            .body = {.data = body, .size = sizeof body}};
    fake->hellos++;
    fake->peer = *from;
    welcome_write(body, &fake->welcome);
    fake_send(fake, from, &packet);
}

static inline void fake_registered(struct fake *fake, const struct packet *asked)
{
    bool refused = fake->refuse != 0 && fake->refusals > 0;
    struct packet packet = {.command = refused ? PACKET_REFUSED : PACKET_REGISTERED,
                            .status = refused ? fake->refuse : 0,
                            .id = asked->id};
    if (refused) {
        fake->refusals--;
        packet.body = bytes_of_text("because of the test");
    }
    fake->registers++;
    fake_send(fake, &fake->peer, &packet);
}

static inline void fake_reset(struct fake *fake, const struct routing_id *to, uint8_t command,
                              uint64_t id)
{
    uint8_t body[RESET_SIZE];
    struct reset reset = {.epoch = fake->welcome.epoch, .command = command};
    reset_write(body, &reset);
    fake_send(fake, to,
              &(struct packet){
                  .command = PACKET_RESET, .id = id, .body = {.data = body, .size = sizeof body}});
}

static inline void fake_heartbeat(struct fake *fake, const struct routing_id *from, uint64_t id)
{
    fake->heartbeats++;
    if (fake->unknown_token)
        fake_reset(fake, from, PACKET_HEARTBEAT, id);
    else if (!fake->mute_heartbeats)
        fake_send(fake, from, &(struct packet){.command = PACKET_HEARTBEAT, .id = id});
}

static inline void fake_answer(struct fake *fake, const struct routing_id *from,
                               const struct packet *packet)
{
    if (packet->command == PACKET_HELLO)
        fake_welcome(fake, from);
    if (packet->command == PACKET_REGISTER)
        fake_registered(fake, packet);
    if (packet->command == PACKET_DEREGISTER && !fake->mute_deregister)
        fake_send(fake, from, &(struct packet){.command = PACKET_DEREGISTERED, .id = packet->id});
    if (packet->command == PACKET_HEARTBEAT)
        fake_heartbeat(fake, from, packet->id);
    if (packet->command == PACKET_CREDIT)
        fake->credit = (uint32_t)packet->id;
}

static inline void fake_keep(struct fake *fake, const struct packet *packet)
{
    size_t names = packet->service.size + packet->method.size;
    size_t head = names + packet->metadata.size;
    assert_true(fake->count < FAKE_HEARD_MAX);
    struct heard *heard = &fake->heard[fake->count++];
    heard->packet = *packet;
    heard->taken = false;
    heard->at = clock_ms();
    heard->bytes = malloc(head + packet->body.size + 1);
    memcpy(heard->bytes, packet->service.data, head); /* they lie one after the other */
    memcpy(heard->bytes + head, packet->body.data, packet->body.size);
    heard->bytes[head + packet->body.size] = '\0';
    heard->packet.service.data = heard->bytes;
    heard->packet.method.data = heard->bytes + packet->service.size;
    heard->packet.metadata.data = heard->bytes + names;
    heard->packet.body.data = heard->bytes + head;
}

static inline void fake_message(struct fake *fake, const struct routing_id *from, zmq_msg_t *frames,
                                int count)
{
    struct bundle_reader reader;
    struct packet packet;
    struct bytes body = {.data = zmq_msg_data(&frames[1]), .size = zmq_msg_size(&frames[1])};
    struct bytes bundle = {.data = zmq_msg_data(&frames[0]), .size = zmq_msg_size(&frames[0])};
    assert_int_equal(bundle_open(&reader, bundle, count > 1 ? &body : NULL), PACKET_ERROR_NONE);
    fake->attached += count > 1;
    while (!bundle_is_done(&reader)) {
        assert_int_equal(bundle_read(&reader, &packet), PACKET_ERROR_NONE);
        fake_answer(fake, from, &packet);
        if (packet.command != PACKET_HEARTBEAT)
            fake_keep(fake, &packet);
    }
}

/* Takes in one message; false if none came in time. */
static inline bool fake_receive(struct fake *fake, long timeout_ms)
{
    zmq_pollitem_t item = {.socket = fake->socket, .events = ZMQ_POLLIN};
    struct routing_id from;
    zmq_msg_t frames[2];
    int count = 0;
    if (zmq_poll(&item, 1, timeout_ms) <= 0)
        return false;
    from.size = (uint8_t)zmq_recv(fake->socket, from.bytes, sizeof from.bytes, 0);
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    do {
        assert_true(count < 2);
        zmq_msg_recv(&frames[count], fake->socket, 0);
    } while (zmq_msg_more(&frames[count++]));
    fake_message(fake, &from, frames, count);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    return true;
}

/* Serves for a while. */
static inline void fake_serve(struct fake *fake, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;
    for (uint64_t now = clock_ms(); now < until; now = clock_ms())
        fake_receive(fake, (long)(until - now));
}

static inline struct heard *fake_find(struct fake *fake, uint8_t command, const uint64_t *id)
{
    for (size_t i = 0; i < fake->count; i++) {
        struct heard *heard = &fake->heard[i];
        if (!heard->taken && heard->packet.command == command &&
            (id == NULL || heard->packet.id == *id))
            return heard;
    }
    return NULL;
}

static inline size_t fake_count(const struct fake *fake, uint8_t command)
{
    size_t count = 0;
    for (size_t i = 0; i < fake->count; i++)
        count += fake->heard[i].packet.command == command;
    return count;
}

static inline struct heard *fake_await(struct fake *fake, uint8_t command, const uint64_t *id)
{
    uint64_t until = clock_ms() + FAKE_PATIENCE_MS;
    struct heard *heard;
    while ((heard = fake_find(fake, command, id)) == NULL) {
        if (clock_ms() >= until)
            fail_msg("%s %llu did not come", packet_command_name(command),
                     (unsigned long long)(id == NULL ? 0 : *id));
        fake_receive(fake, 100);
    }
    heard->taken = true;
    return heard;
}

/* The next packet of a kind, in the order they came. */
static inline struct heard *fake_expect(struct fake *fake, uint8_t command)
{
    return fake_await(fake, command, NULL);
}

static inline struct heard *fake_expect_id(struct fake *fake, uint8_t command, uint64_t id)
{
    return fake_await(fake, command, &id);
}

/* Puts a call; fake_flush sends it. */
static inline void fake_put_call(struct fake *fake, uint64_t id, const char *method,
                                 struct bytes body)
{
    struct packet packet = {
        .command = PACKET_CALL,
        .id = id,
        .timeout = 5000,
        .service = bytes_of_text("svc"),
        .method = bytes_of_text(method),
        .body = body,
    };
    struct blob *blob = NULL;
    if (body.size > PACKET_INLINE_BODY_MAX) {
        packet.flags = PACKET_ATTACHED;
        blob = blob_copy(body.data, body.size);
    }
    assert_true(outbox_put(&fake->outbox, &packet, blob));
    blob_unref(&blob);
}

/* Sends a call with flags and metadata. */
static inline void fake_call_with(struct fake *fake, uint64_t id, uint8_t flags, const char *method,
                                  struct bytes metadata)
{
    const struct packet packet = {
        .command = PACKET_CALL,
        .flags = flags,
        .id = id,
        .timeout = 5000,
        .service = bytes_of_text("svc"),
        .method = bytes_of_text(method),
        .metadata = metadata,
        .body = bytes_of_text("body"),
    };
    fake_send(fake, &fake->peer, &packet);
}

static inline void fake_call(struct fake *fake, uint64_t id, const char *method, const char *text)
{
    fake_put_call(fake, id, method, bytes_of_text(text));
    fake_flush(fake);
}

static inline bool heard_is(const struct heard *heard, const char *text)
{
    return heard->packet.body.size == strlen(text) &&
           memcmp(heard->packet.body.data, text, strlen(text)) == 0;
}

/* Waits, with the broker at work, until all services are registered. */
static inline void fake_ready(struct fake *fake, struct busbar_worker *worker)
{
    uint64_t until = clock_ms() + FAKE_PATIENCE_MS;
    while (busbar_worker_wait_ready(worker, 0) != BUSBAR_OK) {
        assert_true(clock_ms() < until);
        fake_receive(fake, 10);
    }
}

/* The broker's successor has the worker and its services; what was heard before is forgotten. */
static inline void fake_succeed(struct fake *fake, struct busbar_worker *worker)
{
    fake_forget(fake);
    fake_restart(fake);
    fake_expect(fake, PACKET_REGISTER);
    fake_ready(fake, worker);
}

/* Stops the worker with the broker at work, and waits for its BYE. */
static inline void fake_stop(struct fake *fake, struct busbar_worker **worker)
{
    busbar_worker_stop(*worker);
    fake_expect(fake, PACKET_BYE);
    assert_int_equal(busbar_worker_run(*worker), BUSBAR_OK);
    busbar_worker_destroy(worker);
    assert_null(*worker);
}

static inline struct busbar_worker *fake_worker(const struct fake *fake, uint32_t threads)
{
    struct busbar_worker *worker = NULL;
    struct busbar_worker_options options = {
        .broker = fake->endpoint, .threads = threads, .stop_timeout_ms = 3000};
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    return worker;
}

#endif
