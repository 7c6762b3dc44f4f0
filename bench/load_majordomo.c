/* Majordomo 0.1 (7/MDP) as its own peers speak it: one DEALER for each client and each worker. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench/zmq_socket.h"

enum {
    HEARTBEAT_MS = 2500,
    FRAMES = 6, /* of a request: ∅, MDPW01, command, client, ∅, body */
};

enum command { READY = 1, REQUEST, REPLY, HEARTBEAT, DISCONNECT };

struct majordomo_client {
    void *socket;
    struct load_place place;
    size_t service_size;
};

static void *client_open(const struct load_place *place)
{
    struct majordomo_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        load_die("majordomo", strerror(errno));
    client->place = *place;
    client->service_size = strlen(place->service);
    client->socket = bench_connect(place->endpoint, LOAD_REPLY_MS);
    return client;
}

static void client_send(void *owner, const void *body)
{
    const struct majordomo_client *client = owner;
    bench_send(client->socket, "", 0, ZMQ_SNDMORE);
    bench_send(client->socket, "MDPC01", 6, ZMQ_SNDMORE);
    bench_send(client->socket, client->place.service, client->service_size, ZMQ_SNDMORE);
    bench_send(client->socket, body, client->place.size, 0);
}

static size_t client_receive(void *owner)
{
    const struct majordomo_client *client = owner;
    return bench_replies(client->socket, &client->place);
}

static void tell(void *socket, enum command command, const char *service)
{
    const char byte = (char)command;
    bench_send(socket, "", 0, ZMQ_SNDMORE);
    bench_send(socket, "MDPW01", 6, ZMQ_SNDMORE);
    bench_send(socket, &byte, 1, service != NULL ? ZMQ_SNDMORE : 0);
    if (service != NULL)
        bench_send(socket, service, strlen(service), 0);
}

/* Takes a whole message that is there; returns the number of its frames, 0 if there is none. */
static size_t take(void *socket, zmq_msg_t frames[FRAMES])
{
    size_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t *frame = &frames[count < FRAMES ? count : FRAMES - 1];
        if (!bench_receive(socket, frame, ZMQ_DONTWAIT))
            return 0; /* messages come whole, so it was the first frame */
        more = zmq_msg_more(frame);
        count++;
    }
    return count;
}

/* The frames of the request, with another command. */
static void answer(void *socket, zmq_msg_t frames[FRAMES])
{
    *(char *)zmq_msg_data(&frames[2]) = REPLY;
    for (size_t i = 0; i < FRAMES; i++) {
        if (zmq_msg_send(&frames[i], socket, i + 1 < FRAMES ? ZMQ_SNDMORE : 0) < 0)
            load_die("zmq_msg_send", zmq_strerror(errno));
    }
}

/* All that is there: the descriptor tells of what comes once, and not again. */
static void turn(void *socket, const struct load_place *place, zmq_msg_t frames[FRAMES])
{
    size_t count;
    while ((count = take(socket, frames)) > 0) {
        char command = HEARTBEAT;
        if (count >= 3 && zmq_msg_size(&frames[2]) == 1)
            command = *(const char *)zmq_msg_data(&frames[2]);
        if (command == REQUEST && count == FRAMES)
            answer(socket, frames);
        else if (command == DISCONNECT)
            tell(socket, READY, place->service);
    }
}

/* The descriptors are polled themselves: zmq_poll asks the kernel for each of its sockets alone. */
static void serve_sockets(const struct load_place *place, void *const sockets[], struct pollfd *fds)
{
    zmq_msg_t frames[FRAMES];
    for (size_t i = 0; i < FRAMES; i++)
        zmq_msg_init(&frames[i]);
    for (unsigned i = 0; i < place->count; i++)
        turn(sockets[i], place, frames);
    for (;;) {
        int active = poll(fds, place->count, HEARTBEAT_MS);
        for (unsigned i = 0; i < place->count; i++) {
            if (active == 0) /* nothing came for an interval */
                tell(sockets[i], HEARTBEAT, NULL);
            if (active == 0 || fds[i].revents != 0)
                turn(sockets[i], place, frames);
        }
    }
}

/* All workers of a process on one thread, each with a socket of its own. */
static void serve(const struct load_place *place, void (*ready)(void))
{
    void **sockets = calloc(place->count, sizeof *sockets);
    struct pollfd *fds = calloc(place->count, sizeof *fds);
    if (sockets == NULL || fds == NULL)
        load_die("majordomo", strerror(errno));
    for (unsigned i = 0; i < place->count; i++) {
        size_t size = sizeof fds[i].fd;
        sockets[i] = bench_connect(place->back, LOAD_REPLY_MS);
        fds[i].events = POLLIN;
        if (zmq_getsockopt(sockets[i], ZMQ_FD, &fds[i].fd, &size) != 0)
            load_die("majordomo", zmq_strerror(errno));
        tell(sockets[i], READY, place->service);
        ready();
    }
    serve_sockets(place, sockets, fds);
}

const struct load load_majordomo = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .serve = serve,
    .serves_all = true,
};
