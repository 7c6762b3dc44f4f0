/*
 * The worker library, from a message with calls to the message with their replies. Its broker is a
 * ROUTER of the same process and thread, over inproc, so that no thread of libzmq has a part in it;
 * and this thread takes the steps of the worker's thread, so that each round takes the same ones: a
 * leader's turn, which sends the replies of the round before and takes in the calls, and then their
 * handlers, which reply with the body of their request.
 *
 * Not counted are libzmq's own instructions, those of the kernel (that is, system calls), and the
 * broker's part. Waiting itself is not reached.
 */
#include <busbar/worker.h>

#include <string.h>
#include <zmq.h>

#include "bench/guard/guard.h"
#include "client-lib/context.h"
#include "protocol/session.h"
#include "transport/outbox.h"
#include "worker-lib/loop.h"

#define ENDPOINT "inproc://guard"

enum {
    STEPS = 1000,               /* in which the worker must have got through with anything */
    QUIET_INTERVAL = 1u << 30u, /* ms: after the first heartbeat there is none */
    BUNDLES_BEFORE = 4,         /* until the credit is what it stays at */
};

static struct busbar_worker *worker;
static struct handler_place place;
static uint64_t now_ns;
static void *broker;
static struct bundle_pool *pool;
static struct outbox outbox;
static struct routing_id peer;
static unsigned calls; /* in a round */
static uint64_t last_id;
static uint64_t handled;
static uint64_t replied;

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
                                    .heartbeat_interval = QUIET_INTERVAL,
                                    .heartbeat_liveness = 3};
    welcome_write(body, &welcome);
    broker_put(&(struct packet){
        .command = PACKET_WELCOME, .id = welcome.token, .body = {body, sizeof body}});
}

static void broker_take_reply(const struct packet *reply)
{
    guard_expect(reply->id == guard_oldest(), "replies come in the order of their calls");
    guard_expect(reply->body.size == GUARD_BODY_SIZE &&
                     memcmp(reply->body.data, guard_body, GUARD_BODY_SIZE) == 0,
                 "a reply has the body of its call");
    replied++;
}

/* Heartbeats come over a socket of their own; all else is of the worker's connection. */
static void broker_hear_packet(const struct packet *packet, const struct routing_id *from)
{
    if (packet->command == PACKET_HELLO) {
        peer = *from;
        broker_welcome();
    } else if (packet->command == PACKET_REGISTER) {
        broker_put(&(struct packet){.command = PACKET_REGISTERED, .id = packet->id});
    } else if (packet->command == PACKET_DEREGISTER) {
        broker_put(&(struct packet){.command = PACKET_DEREGISTERED, .id = packet->id});
    } else if (packet->command == PACKET_REPLY) {
        broker_take_reply(packet);
    }
}

static void broker_hear(struct bytes frame, const struct routing_id *from)
{
    struct bundle_reader reader;
    struct packet packet;
    guard_expect(bundle_open(&reader, frame, NULL) == PACKET_ERROR_NONE, "a bundle came");
    while (!bundle_is_done(&reader)) {
        guard_expect(bundle_read(&reader, &packet) == PACKET_ERROR_NONE, "a packet came");
        broker_hear_packet(&packet, from);
    }
}

static void broker_receive(void)
{
    struct routing_id from;
    zmq_msg_t frame;
    int size;
    while ((size = zmq_recv(broker, from.bytes, sizeof from.bytes, ZMQ_DONTWAIT)) >= 0) {
        from.size = (uint8_t)size;
        zmq_msg_init(&frame);
        guard_expect(zmq_msg_recv(&frame, broker, 0) >= 0, "a frame came");
        broker_hear((struct bytes){zmq_msg_data(&frame), zmq_msg_size(&frame)}, &from);
        zmq_msg_close(&frame);
    }
}

static void broker_flush(void)
{
    guard_expect(outbox_is_empty(&outbox) || outbox_flush(&outbox, broker, &peer) == OUTBOX_SENT,
                 "the worker takes calls");
}

static void broker_call(void)
{
    struct packet call = {.command = PACKET_CALL,
                          .timeout = 5000,
                          .service = bytes_of_text("echo"),
                          .method = bytes_of_text("run"),
                          .body = {guard_body, GUARD_BODY_SIZE}};
    for (unsigned i = 0; i < calls; i++) {
        call.id = ++last_id;
        broker_put(&call);
        guard_asked(call.id);
    }
    broker_flush();
}

/* The worker's side --------------------------------------------------------------------------- */

static void echo(struct busbar_request **request, void *context)
{
    (void)context;
    handled += busbar_request_reply(request, busbar_request_body(*request)) == BUSBAR_OK;
}

/* Steps until all that was asked is handled; the broker has sent it already. */
static COUNTED void counted_serve(void)
{
    uint64_t wanted = last_id;
    for (unsigned i = 0; i < STEPS && handled < wanted; i++)
        worker_step(&place, &now_ns);
}

static void round_of_calls(void)
{
    broker_call();
    counted_serve();
    guard_expect(handled == last_id, "each call is handled at once");
    broker_receive();
}

/* One step; with an answer of the broker to what it said, so that the next one need not wait. */
static void converse(void)
{
    broker_receive();
    broker_flush();
    worker_step(&place, &now_ns);
}

static bool is_ready(void)
{
    enum busbar_status refusal;
    worker_unlock(worker);
    enum worker_readiness readiness = worker_readiness(worker, &refusal);
    worker_lock(worker);
    return readiness == WORKER_READY;
}

static void open_session(void)
{
    bool began;
    guard_expect(worker_start(worker, false, &began) == BUSBAR_OK && began, "the worker starts");
    handler_place_init(&place, worker);
    worker_lock(worker);
    worker->waiting = 1; /* as if its other thread were there, and looked for stuck handlers */
    worker->watched = true;
    for (unsigned i = 0; i < STEPS && !is_ready(); i++)
        converse();
    guard_expect(is_ready(), "the service is registered");
}

static void begin(const struct path *path)
{
    const struct busbar_worker_options options = {.broker = ENDPOINT};
    const struct busbar_method method = {.name = "run", .handler = echo};
    const struct busbar_service service = {.name = "echo", .methods = &method, .method_count = 1};
    int none = 0;
    broker = zmq_socket(context_ref(), ZMQ_ROUTER);
    guard_expect(broker != NULL && zmq_setsockopt(broker, ZMQ_SNDHWM, &none, sizeof none) == 0 &&
                     zmq_bind(broker, ENDPOINT) == 0,
                 "there is a socket");
    pool = bundle_pool_new();
    guard_expect(pool != NULL, "there is memory");
    outbox_init(&outbox, pool);
    calls = path->calls;
    guard_expect(busbar_worker_new(&worker, &options) == BUSBAR_OK &&
                     busbar_worker_register(worker, &service) == BUSBAR_OK,
                 "there is a worker");
    open_session();
    for (unsigned i = 0; i < BUNDLES_BEFORE; i++)
        round_of_calls();
}

static void end(void)
{
    worker_stop(worker);
    for (unsigned i = 0; i < STEPS && worker->phase != WORKER_ENDED; i++)
        converse();
    guard_expect(worker->phase == WORKER_ENDED && worker->result == BUSBAR_OK, "the worker stops");
    worker_unlock(worker);
    broker_receive();
    guard_expect(replied == last_id && guard_unanswered() == 0, "each call has its reply");
    busbar_worker_destroy(&worker);
    outbox_fini(&outbox);
    bundle_pool_destroy(&pool);
    zmq_close(broker);
    context_unref();
}

const struct path paths[] = {
    {.name = "worker/bundles",
     .calls = GUARD_BUNDLE,
     .begin = begin,
     .round = round_of_calls,
     .end = end},
    {.name = "worker/one", .calls = 1, .begin = begin, .round = round_of_calls, .end = end},
    {0},
};
