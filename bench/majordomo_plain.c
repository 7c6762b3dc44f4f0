/*
 * The least that can be called a Majordomo 0.1 broker: one ROUTER, one service, a queue of requests
 * and one of idle workers; no heartbeats, no deadlines, nothing checked. What it reaches is what
 * ZeroMQ and the kernel leave to any broker of these frames on this machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "bench/zmq_socket.h"

enum {
    FRAMES = 7, /* of a reply: worker, ∅, MDPW01, command, client, ∅, body */
    QUEUE = 65536,
    WORKERS = 1024,
    READY = 1,
    REQUEST = 2,
    REPLY = 3,
};

struct request {
    zmq_msg_t client;
    zmq_msg_t body;
};

struct plain_broker {
    void *socket;
    struct request queue[QUEUE];
    size_t first, next;
    zmq_msg_t idle[WORKERS];
    size_t idle_count;
    char service[LOAD_ENDPOINT_SIZE];
    size_t service_size;
};

static void send_frame(void *socket, zmq_msg_t *frame, int flags)
{
    if (zmq_msg_send(frame, socket, flags) < 0)
        load_die("majordomo_plain", zmq_strerror(zmq_errno()));
}

static void keep(zmq_msg_t *place, zmq_msg_t *frame)
{
    zmq_msg_init(place);
    zmq_msg_move(place, frame);
}

static void dispatch(struct plain_broker *broker)
{
    static const char command = REQUEST;
    while (broker->first != broker->next && broker->idle_count > 0) {
        struct request *request = &broker->queue[broker->first++ % QUEUE];
        send_frame(broker->socket, &broker->idle[--broker->idle_count], ZMQ_SNDMORE);
        bench_send(broker->socket, "", 0, ZMQ_SNDMORE);
        bench_send(broker->socket, "MDPW01", 6, ZMQ_SNDMORE);
        bench_send(broker->socket, &command, 1, ZMQ_SNDMORE);
        send_frame(broker->socket, &request->client, ZMQ_SNDMORE);
        bench_send(broker->socket, "", 0, ZMQ_SNDMORE);
        send_frame(broker->socket, &request->body, 0);
    }
}

/* Frames: client, ∅, MDPC01, service, body. */
static void on_client(struct plain_broker *broker, zmq_msg_t frames[FRAMES])
{
    struct request *request = &broker->queue[broker->next++ % QUEUE];
    broker->service_size = zmq_msg_size(&frames[3]);
    if (broker->next - broker->first > QUEUE || broker->service_size > sizeof broker->service)
        load_die("majordomo_plain", "more than it can hold");
    memcpy(broker->service, zmq_msg_data(&frames[3]), broker->service_size);
    keep(&request->client, &frames[0]);
    keep(&request->body, &frames[4]);
}

static void on_worker(struct plain_broker *broker, zmq_msg_t frames[FRAMES])
{
    char command = *(const char *)zmq_msg_data(&frames[3]);
    if ((command != READY && command != REPLY) || broker->idle_count == WORKERS)
        return;
    keep(&broker->idle[broker->idle_count++], &frames[0]);
    if (command == READY)
        return;
    send_frame(broker->socket, &frames[4], ZMQ_SNDMORE);
    bench_send(broker->socket, "", 0, ZMQ_SNDMORE);
    bench_send(broker->socket, "MDPC01", 6, ZMQ_SNDMORE);
    bench_send(broker->socket, broker->service, broker->service_size, ZMQ_SNDMORE);
    send_frame(broker->socket, &frames[6], 0);
}

void majordomo_plain_run(struct load_place *place, void (*ready)(void))
{
    zmq_msg_t frames[FRAMES];
    struct plain_broker *broker = calloc(1, sizeof *broker);
    if (broker == NULL)
        load_die("majordomo_plain", "no memory");
    broker->socket = bench_bind(ZMQ_ROUTER, place->endpoint, sizeof place->endpoint);
    memcpy(place->back, place->endpoint, sizeof place->back);
    for (size_t i = 0; i < FRAMES; i++)
        zmq_msg_init(&frames[i]);
    ready();
    for (;;) {
        size_t count = 0;
        do
            bench_receive(broker->socket, &frames[count], 0);
        while (zmq_msg_more(&frames[count]) && ++count < FRAMES);
        if (count == 4 && memcmp(zmq_msg_data(&frames[2]), "MDPC01", 6) == 0)
            on_client(broker, frames);
        else if (count >= 3)
            on_worker(broker, frames);
        dispatch(broker);
    }
}
