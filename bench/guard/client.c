/*
 * The client library, from busbar_client_start to the outcome. Its broker is a ROUTER of the same
 * process and thread, over inproc, so that no thread of libzmq has a part in it: when the client
 * looks for an answer, that is there.
 *
 * Counted is what the library does: start, flush, receive, the callback or the wait, and the end of
 * the reply, with what the C library does for it. Not counted are libzmq's own instructions, those
 * of the kernel (that is, system calls), and the broker's part. Waiting itself is not reached.
 */
#include <busbar/client.h>

#include <string.h>
#include <zmq.h>

#include "bench/guard/guard.h"
#include "client-lib/context.h"
#include "protocol/session.h"
#include "transport/outbox.h"

#define ENDPOINT "inproc://guard"

enum {
    LOOKS = 100, /* for what must be there at once */
};

static struct busbar_client *client;
static void *broker;
static struct bundle_pool *pool;
static struct outbox outbox;
static struct routing_id peer;
static uint64_t started;
static uint64_t ended;

/* The broker's side --------------------------------------------------------------------------- */

static void broker_put(const struct packet *packet)
{
    guard_expect(outbox_put(&outbox, packet, NULL), "there is memory");
}

static void broker_welcome(void)
{
    uint8_t body[WELCOME_SIZE];
    const struct welcome welcome = {.epoch = 77,
                                    .token = 42,
                                    .body_limit = 1 << 20,
                                    .heartbeat_interval = 1000,
                                    .heartbeat_liveness = 3};
    welcome_write(body, &welcome);
    broker_put(&(struct packet){
        .command = PACKET_WELCOME, .id = welcome.token, .body = {body, sizeof body}});
}

static void broker_hear(struct bytes frame)
{
    struct bundle_reader reader;
    struct packet packet;
    guard_expect(bundle_open(&reader, frame, NULL) == PACKET_ERROR_NONE, "a bundle came");
    while (!bundle_is_done(&reader)) {
        guard_expect(bundle_read(&reader, &packet) == PACKET_ERROR_NONE, "a packet came");
        if (packet.command == PACKET_HELLO)
            broker_welcome();
        else if (packet.command == PACKET_CALL)
            guard_asked(packet.id);
    }
}

static void broker_receive(void)
{
    zmq_msg_t frame;
    int size;
    while ((size = zmq_recv(broker, peer.bytes, sizeof peer.bytes, ZMQ_DONTWAIT)) >= 0) {
        peer.size = (uint8_t)size;
        zmq_msg_init(&frame);
        guard_expect(zmq_msg_recv(&frame, broker, 0) >= 0, "a frame came");
        broker_hear((struct bytes){zmq_msg_data(&frame), zmq_msg_size(&frame)});
        zmq_msg_close(&frame);
    }
}

static void broker_flush(void)
{
    guard_expect(outbox_flush(&outbox, broker, &peer) == OUTBOX_SENT, "the client takes answers");
}

static void broker_answer(unsigned count)
{
    struct packet reply = {
        .command = PACKET_REPLY, .fate = BUSBAR_EXECUTED, .body = {guard_body, GUARD_BODY_SIZE}};
    broker_receive();
    for (unsigned i = 0; i < count; i++) {
        reply.id = guard_oldest();
        broker_put(&reply);
    }
    broker_flush();
}

/* The client's side --------------------------------------------------------------------------- */

static void on_reply(struct busbar_reply **reply, void *context)
{
    (void)context;
    ended += busbar_reply_status(*reply) == BUSBAR_OK;
    busbar_reply_destroy(reply);
}

static void start(unsigned count, busbar_reply_fn *callback)
{
    const struct busbar_call call = {.service = "echo",
                                     .method = "run",
                                     .body = {.data = guard_body, .size = GUARD_BODY_SIZE},
                                     .callback = callback};
    for (unsigned i = 0; i < count; i++)
        started += busbar_client_start(client, &call, NULL) == BUSBAR_OK;
}

/* Calls whose outcomes go to a callback, in bundles. */
static COUNTED void counted_start_bundle(void)
{
    start(GUARD_BUNDLE, on_reply);
    (void)busbar_client_flush(client);
}

static COUNTED void counted_take_bundle(void)
{
    (void)busbar_client_process(client);
}

static void round_of_bundle(void)
{
    counted_start_bundle();
    broker_answer(GUARD_BUNDLE);
    counted_take_bundle();
}

/* One call at a time. */
static COUNTED void counted_start_one(void)
{
    start(1, NULL);
    (void)busbar_client_flush(client);
}

static COUNTED void counted_take_one(void)
{
    struct busbar_reply *reply = NULL;
    if (busbar_client_wait(client, 1000, &reply) == BUSBAR_OK)
        on_reply(&reply, NULL);
}

static void round_of_one(void)
{
    counted_start_one();
    broker_answer(1);
    counted_take_one();
}

/* The first call opens the session. */
static void open_session(void)
{
    start(1, on_reply);
    for (unsigned i = 0; i < LOOKS && ended == 0; i++) {
        (void)busbar_client_process(client);
        broker_receive();
        broker_flush();
        if (guard_unanswered() > 0)
            broker_answer(1);
    }
    guard_expect(ended == 1, "there is a session");
}

static void begin(const struct path *path)
{
    const struct busbar_client_options options = {.broker = ENDPOINT, .timeout_ms = 5000};
    int none = 0;
    broker = zmq_socket(context_ref(), ZMQ_ROUTER);
    guard_expect(broker != NULL && zmq_setsockopt(broker, ZMQ_SNDHWM, &none, sizeof none) == 0 &&
                     zmq_bind(broker, ENDPOINT) == 0,
                 "there is a socket");
    pool = bundle_pool_new();
    guard_expect(pool != NULL, "there is memory");
    outbox_init(&outbox, pool);
    guard_expect(busbar_client_new(&client, &options) == BUSBAR_OK, "there is a client");
    open_session();
    for (unsigned i = 0; i < path->outstanding; i += GUARD_BUNDLE) {
        counted_start_bundle();
        broker_receive();
    }
    guard_expect(guard_unanswered() >= path->outstanding, "as many calls are under way");
}

/* For an event loop, so that its descriptor is kept up to date. */
static void begin_with_descriptor(const struct path *path)
{
    begin(path);
    guard_expect(busbar_client_fd(client) >= 0, "there is a descriptor");
}

static void end(void)
{
    while (guard_unanswered() > 0) {
        broker_answer(1);
        counted_take_bundle();
    }
    guard_expect(ended == started, "each call has its reply");
    guard_expect(busbar_client_outstanding(client) == 0, "no call is left");
    busbar_client_destroy(&client);
    outbox_fini(&outbox);
    bundle_pool_destroy(&pool);
    zmq_close(broker);
    context_unref();
}

const struct path paths[] = {
    {.name = "client/bundles",
     .calls = GUARD_BUNDLE,
     .begin = begin,
     .round = round_of_bundle,
     .end = end,
     .outstanding = GUARD_OUTSTANDING - GUARD_BUNDLE},
    {.name = "client/loop",
     .calls = GUARD_BUNDLE,
     .begin = begin_with_descriptor,
     .round = round_of_bundle,
     .end = end,
     .outstanding = GUARD_OUTSTANDING - GUARD_BUNDLE},
    {.name = "client/one", .calls = 1, .begin = begin, .round = round_of_one, .end = end},
    {0},
};
