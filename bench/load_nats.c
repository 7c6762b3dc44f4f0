/* NATS: requests with an inbox to reply to, workers of one queue group; libnats. */
#include <nats/nats.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"

struct nats_client {
    natsConnection *connection;
    natsSubscription *replies;
    natsInbox *inbox;
    struct load_place place;
};

static void check(natsStatus status)
{
    if (status != NATS_OK)
        load_die("nats", natsStatus_GetText(status));
}

/* What waits alone is sent at once; else libnats gathers what it writes for a moment. */
static natsConnection *open_connection(const char *endpoint, const struct load_place *place)
{
    natsConnection *connection = NULL;
    natsOptions *options = NULL;
    check(natsOptions_Create(&options));
    check(natsOptions_SetURL(options, endpoint));
    check(natsOptions_SetSendAsap(options, place->outstanding == 1));
    check(natsConnection_Connect(&connection, options));
    natsOptions_Destroy(options);
    return connection;
}

static void *client_open(const struct load_place *place)
{
    struct nats_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        load_die("nats", "no memory");
    client->place = *place;
    client->connection = open_connection(place->endpoint, place);
    check(natsInbox_Create(&client->inbox));
    check(natsConnection_SubscribeSync(&client->replies, client->connection, client->inbox));
    check(natsSubscription_SetPendingLimits(client->replies, -1, -1));
    return client;
}

static void client_send(void *owner, const void *body)
{
    const struct nats_client *client = owner;
    check(natsConnection_PublishRequest(client->connection, client->place.service, client->inbox,
                                        body, (int)client->place.size));
}

static size_t client_receive(void *owner)
{
    const struct nats_client *client = owner;
    natsMsg *message = NULL;
    size_t count = 0;
    check(natsSubscription_NextMsg(&message, client->replies, LOAD_REPLY_MS));
    do {
        load_check_size(&client->place, (size_t)natsMsg_GetDataLength(message));
        natsMsg_Destroy(message);
        count++;
    } while (natsSubscription_NextMsg(&message, client->replies, 0) == NATS_OK);
    return count;
}

static void client_call(void *owner, const void *body)
{
    const struct nats_client *client = owner;
    natsMsg *reply = NULL;
    check(natsConnection_Request(&reply, client->connection, client->place.service, body,
                                 (int)client->place.size, LOAD_REPLY_MS));
    load_check_size(&client->place, (size_t)natsMsg_GetDataLength(reply));
    natsMsg_Destroy(reply);
}

static void on_request(natsConnection *connection, natsSubscription *requests, natsMsg *message,
                       void *context)
{
    (void)requests;
    (void)context;
    check(natsConnection_Publish(connection, natsMsg_GetReply(message), natsMsg_GetData(message),
                                 natsMsg_GetDataLength(message)));
    natsMsg_Destroy(message);
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    natsConnection *connection = open_connection(place->back, place);
    natsSubscription *requests = NULL;
    check(natsConnection_QueueSubscribe(&requests, connection, place->service, "workers",
                                        on_request, NULL));
    check(natsSubscription_SetPendingLimits(requests, -1, -1));
    check(natsConnection_Flush(connection));
    ready();
    for (;;)
        pause();
}

const struct load load_nats = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .call = client_call,
    .serve = serve,
};
