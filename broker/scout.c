/* The ids that come next, looked at one by one. */
#include "broker/scout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "broker/core.h"

enum {
    HANDSHAKES = 256,  /* between two scouts */
    ID_SIZE = 5,       /* of those that libzmq gives */
    UNDER_WAY = 256,   /* peers that may have got an id whose handshake was not heard of yet */
    LOOKS = 8192,      /* ids looked at: more peers than ever come between two scouts */
    EVICTIONS_MAX = 64 /* of one look; what is farther off is found by the next */
};

static void id_write(struct routing_id *id, uint32_t number)
{
    uint32_t ordered = htonl(number);
    id->size = ID_SIZE;
    id->bytes[0] = 0;
    memcpy(id->bytes + 1, &ordered, sizeof ordered);
}

static uint32_t id_number(const struct routing_id *id)
{
    uint32_t ordered;
    memcpy(&ordered, id->bytes + 1, sizeof ordered);
    return ntohl(ordered);
}

bool scout_open(struct broker *broker)
{
    struct scout *scout = &broker->scout;
    random_bytes(scout->word, sizeof scout->word);
    snprintf(scout->endpoint, sizeof scout->endpoint, "inproc://busbar-scout-%016llx",
             (unsigned long long)random_u64());
    return zmq_bind(broker->socket, scout->endpoint) == 0;
}

void scout_close(struct broker *broker)
{
    if (broker->scout.socket != NULL)
        zmq_close(broker->scout.socket);
    broker->scout.socket = NULL;
}

/* Connected to the ROUTER, with an id of its own or with NULL for none; NULL if it cannot be made. */
static void *connect_inside(struct broker *broker, const struct routing_id *id)
{
    int none = 0;
    void *socket = zmq_socket(broker->context, ZMQ_DEALER);
    if (socket == NULL)
        return NULL;
    if (zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) == 0 &&
        (id == NULL || zmq_setsockopt(socket, ZMQ_ROUTING_ID, id->bytes, id->size) == 0) &&
        zmq_connect(socket, broker->scout.endpoint) == 0)
        return socket;
    zmq_close(socket);
    return NULL;
}

void scout_count(struct broker *broker)
{
    struct scout *scout = &broker->scout;
    scout->handshakes++;
    if (scout->socket != NULL || scout->handshakes - scout->sent_at < HANDSHAKES)
        return;
    scout->sent_at = scout->handshakes;
    scout->socket = connect_inside(broker, NULL);
    if (scout->socket != NULL)
        (void)zmq_send(scout->socket, scout->word, sizeof scout->word, ZMQ_DONTWAIT);
    broker->socket_is_dry = false;
}

/* Whoever has it gets an empty message. */
static bool is_taken(struct broker *broker, const struct routing_id *id)
{
    if (zmq_send(broker->socket, id->bytes, id->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno == EAGAIN;
    (void)zmq_send(broker->socket, "", 0, ZMQ_DONTWAIT);
    return true;
}

/*
 * Takes the id over and leaves. No other may be: while that is possible nothing is done but to let this
 * one in. libzmq hears the peer no more then, but keeps its connection, which is as well: cut off, it
 * would come again at once with the same id.
 */
static void evict(struct broker *broker, const struct routing_id *id)
{
    int on = 1;
    int off = 0;
    int events;
    size_t size = sizeof events;
    (void)zmq_getsockopt(broker->socket, ZMQ_EVENTS, &events, &size); /* who came before */
    void *socket = connect_inside(broker, id);
    if (socket == NULL)
        return;
    (void)zmq_setsockopt(broker->socket, ZMQ_ROUTER_HANDOVER, &on, sizeof on);
    (void)zmq_getsockopt(broker->socket, ZMQ_EVENTS, &events, &size);
    (void)zmq_setsockopt(broker->socket, ZMQ_ROUTER_HANDOVER, &off, sizeof off);
    zmq_close(socket);
    broker->counters.ids_evicted++;
    broker_log(broker, BROKER_LOG_WARNING, "peer_evicted",
               "number=%u reason=\"a peer had taken a routing id that libzmq was to give\"",
               id_number(id));
}

/* Ids up to that of the last peer that can have come are those peers'; from there on all must be free. */
static void look_ahead(struct broker *broker, uint32_t number)
{
    struct scout *scout = &broker->scout;
    unsigned evictions = 0;
    socket_watch(broker);
    number += (uint32_t)(scout->handshakes - scout->sent_at) + UNDER_WAY;
    for (uint32_t i = 1; i <= LOOKS && evictions < EVICTIONS_MAX; i++) {
        struct routing_id id;
        id_write(&id, number + i);
        if (!is_taken(broker, &id))
            continue;
        evict(broker, &id);
        evictions++;
    }
    broker->socket_is_dry = false;
}

bool scout_receive(struct broker *broker)
{
    struct message *message = &broker->message;
    struct scout *scout = &broker->scout;
    struct bytes word = message_frame(message, 0);
    if (message->count != 1 || word.size != sizeof scout->word ||
        memcmp(word.data, scout->word, word.size) != 0 || message->from.size != ID_SIZE)
        return false;
    look_ahead(broker, id_number(&message->from));
    scout_close(broker);
    return true;
}
