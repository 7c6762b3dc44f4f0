/*
 * The unit of the benchmark: ZeroMQ's own zmq_proxy between DEALER clients and DEALER workers, each
 * call a header frame of 16 bytes and a body.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/zmq_socket.h"

struct zmq_client {
    void *socket;
    struct load_place place;
};

static void *client_open(const struct load_place *place)
{
    struct zmq_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        load_die("zmq_proxy", strerror(errno));
    client->place = *place;
    client->socket = bench_connect(place->endpoint, LOAD_REPLY_MS);
    return client;
}

static void client_send(void *owner, const void *body)
{
    static const char header[16] = "a header, 16 B.";
    const struct zmq_client *client = owner;
    bench_send(client->socket, header, sizeof header, ZMQ_SNDMORE);
    bench_send(client->socket, body, client->place.size, 0);
}

static size_t client_receive(void *owner)
{
    const struct zmq_client *client = owner;
    return bench_replies(client->socket, &client->place);
}

/* Sends back each frame as it came. */
static void serve(const struct load_place *place, void (*ready)(void))
{
    void *socket = bench_connect(place->back, -1);
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    ready();
    while (bench_receive(socket, &frame, 0)) {
        if (zmq_msg_send(&frame, socket, zmq_msg_more(&frame) ? ZMQ_SNDMORE : 0) < 0)
            load_die("zmq_msg_send", zmq_strerror(errno));
    }
}

void zmq_proxy_run(struct load_place *place, void (*ready)(void))
{
    if (strncmp(place->endpoint, "ipc:", 4) == 0)
        snprintf(place->back, sizeof place->back, "%.*s.back", LOAD_ENDPOINT_SIZE - 8,
                 place->endpoint);
    else
        memcpy(place->back, place->endpoint, sizeof place->back);
    void *clients = bench_bind(ZMQ_ROUTER, place->endpoint, sizeof place->endpoint);
    void *workers = bench_bind(ZMQ_DEALER, place->back, sizeof place->back);
    ready();
    zmq_proxy(clients, workers, NULL);
    load_die("zmq_proxy", zmq_strerror(errno));
}

const struct load load_zmq = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .serve = serve,
};
