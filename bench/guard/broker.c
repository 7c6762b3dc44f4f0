/*
 * The broker's part of a call between sessions: from the bundle that a client sent to the one that its
 * worker is given, and back. Clients, worker and broker share a thread, over inproc: what one has sent
 * is there when the other looks.
 *
 * Counted are whole turns of the broker's loop: messages in, their dialect, packets, the router,
 * outboxes, messages out, with what the C library does for it and for libzmq. Not counted are libzmq's
 * own instructions, the kernel's, and the peers' part. The loop never sleeps here.
 */
#include "broker/core.h"

#include <stdlib.h>
#include <string.h>

#include "bench/guard/guard.h"
#include "protocol/registration.h"
#include "protocol/session.h"

#define ENDPOINT "inproc://guard"

enum {
    CLIENTS = 60, /* that have one call each */
    CREDIT = 10000,
};

/* A peer of the broker: a DEALER, and what it sends next. */
struct side {
    void *socket;
    struct outbox outbox;
};

static struct broker_settings settings;
static struct broker *broker;
static void *context;
static struct bundle_pool *pool;
static struct side worker;
static struct side clients[CLIENTS];
static unsigned client_count;
static unsigned each; /* calls of each client in a round */
static uint64_t asked;
static uint64_t answered;

static COUNTED void counted_turns(void)
{
    while (broker_turn(broker))
        continue;
}

/* The peers ------------------------------------------------------------------------------------ */

static void side_put(struct side *side, const struct packet *packet)
{
    guard_expect(outbox_put(&side->outbox, packet, NULL), "there is memory");
}

static void side_flush(struct side *side)
{
    guard_expect(outbox_flush(&side->outbox, side->socket, NULL) == OUTBOX_SENT,
                 "the broker takes what is sent");
}

static void side_hear(struct bytes frame)
{
    struct bundle_reader reader;
    struct packet packet;
    guard_expect(bundle_open(&reader, frame, NULL) == PACKET_ERROR_NONE, "a bundle came");
    while (!bundle_is_done(&reader)) {
        guard_expect(bundle_read(&reader, &packet) == PACKET_ERROR_NONE, "a packet came");
        if (packet.command == PACKET_CALL)
            guard_asked(packet.id);
        answered += packet.command == PACKET_REPLY;
    }
}

static void side_receive(struct side *side)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (zmq_msg_recv(&frame, side->socket, ZMQ_DONTWAIT) >= 0)
        side_hear((struct bytes){zmq_msg_data(&frame), zmq_msg_size(&frame)});
    zmq_msg_close(&frame);
}

static void side_open(struct side *side)
{
    uint8_t body[HELLO_SIZE];
    side->socket = zmq_socket(context, ZMQ_DEALER);
    guard_expect(side->socket != NULL && zmq_connect(side->socket, ENDPOINT) == 0,
                 "there is a connection");
    outbox_init(&side->outbox, pool);
    hello_write(body, &(struct hello){.instance = {1}});
    side_put(side, &(struct packet){.command = PACKET_HELLO, .body = {body, sizeof body}});
    side_flush(side);
    counted_turns();
    side_receive(side);
}

static void side_close(struct side *side)
{
    outbox_fini(&side->outbox);
    zmq_close(side->socket);
}

static void worker_register(void)
{
    char run[] = "run";
    char none[] = "";
    struct registration_method method = {.name = run, .signature = none, .text = none};
    const struct registration registration = {
        .version = none, .methods = &method, .method_count = 1};
    void *data;
    size_t size;
    guard_expect(registration_encode(&registration, &data, &size) == BUSBAR_OK,
                 "it can be encoded");
    side_put(
        &worker,
        &(struct packet){.command = PACKET_CREDIT, .id = CREDIT, .service = bytes_of_text("echo")});
    side_put(&worker, &(struct packet){.command = PACKET_REGISTER,
                                       .service = bytes_of_text("echo"),
                                       .body = {data, size}});
    free(data);
    side_flush(&worker);
    counted_turns();
    side_receive(&worker);
}

/* Rounds --------------------------------------------------------------------------------------- */

static void ask(void)
{
    struct packet call = {.command = PACKET_CALL,
                          .timeout = 5000,
                          .service = bytes_of_text("echo"),
                          .method = bytes_of_text("run"),
                          .body = {guard_body, GUARD_BODY_SIZE}};
    for (unsigned i = 0; i < client_count; i++) {
        for (unsigned j = 0; j < each; j++) {
            call.id = ++asked;
            side_put(&clients[i], &call);
        }
        side_flush(&clients[i]);
    }
    counted_turns();
    side_receive(&worker);
}

static void answer(void)
{
    struct packet reply = {
        .command = PACKET_REPLY, .fate = BUSBAR_EXECUTED, .body = {guard_body, GUARD_BODY_SIZE}};
    for (unsigned i = 0; i < client_count * each; i++) {
        reply.id = guard_oldest();
        side_put(&worker, &reply);
    }
    side_flush(&worker);
    counted_turns();
    for (unsigned i = 0; i < client_count; i++)
        side_receive(&clients[i]);
}

static void begin(const struct path *path)
{
    const char *endpoint = ENDPOINT;
    char error[256];
    context = zmq_ctx_new();
    pool = bundle_pool_new();
    guard_expect(context != NULL && pool != NULL && broker_settings_init(&settings) == BUSBAR_OK &&
                     broker_settings_set_binds(&settings, &endpoint, 1) == BUSBAR_OK,
                 "there is memory");
    const struct broker_hooks hooks = {.zmq_context = context};
    guard_expect(broker_new(&broker, &settings, &hooks, error, sizeof error) == BUSBAR_OK,
                 "there is a broker");
    /* The same places in any run. */
    broker->router.registry.key = broker->sessions.key = (struct siphash_key){1, 2};
    client_count = path->clients;
    each = path->calls / path->clients;
    side_open(&worker);
    worker_register();
    for (unsigned i = 0; i < client_count; i++)
        side_open(&clients[i]);
    while (guard_unanswered() < path->outstanding)
        ask();
}

static void round_of_calls(void)
{
    ask();
    answer();
}

static void end(void)
{
    while (guard_unanswered() > 0)
        answer();
    guard_expect(answered == asked, "each call has its reply");
    broker_destroy(&broker);
    for (unsigned i = 0; i < client_count; i++)
        side_close(&clients[i]);
    side_close(&worker);
    bundle_pool_destroy(&pool);
    broker_settings_fini(&settings);
    zmq_ctx_term(context);
}

#define PATH .begin = begin, .round = round_of_calls, .end = end

const struct path paths[] = {
    {.name = "broker/native",
     PATH,
     .calls = GUARD_BUNDLE,
     .clients = 1,
     .outstanding = GUARD_OUTSTANDING - 2 * GUARD_BUNDLE},
    {.name = "broker/one", PATH, .calls = CLIENTS, .clients = CLIENTS},
    {0},
};
