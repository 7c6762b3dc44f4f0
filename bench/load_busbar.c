/* Busbar itself, through its public libraries: clients that start calls, workers with one method. */
#include <busbar/client.h>
#include <busbar/worker.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load.h"

enum {
    NAME_SIZE = 32,
};

struct bus_client {
    struct busbar_client *client;
    struct load_place place;
    size_t replies; /* since receive() was entered */
    char (*names)[NAME_SIZE];
    size_t next; /* of the names */
};

/* The names of the services, where there are several. */
static char (*names_new(const struct load_place *place))[NAME_SIZE]
{
    char(*names)[NAME_SIZE] = calloc(place->services, sizeof *names);
    if (names == NULL)
        load_die("busbar", strerror(errno));
    for (unsigned i = 0; i < place->services; i++)
        snprintf(names[i], NAME_SIZE, "bench.service.%u", i);
    return names;
}

static void *client_open(const struct load_place *place)
{
    struct bus_client *client = calloc(1, sizeof *client);
    const struct busbar_client_options options = {.broker = place->endpoint,
                                                  .timeout_ms = LOAD_REPLY_MS};
    if (client == NULL)
        load_die("busbar", strerror(errno));
    client->place = *place;
    if (place->services > 0)
        client->names = names_new(place);
    enum busbar_status status = busbar_client_new(&client->client, &options);
    if (status != BUSBAR_OK)
        load_die("busbar", busbar_status_name(status));
    return client;
}

static void check(const struct bus_client *client, const struct busbar_reply *reply)
{
    if (busbar_reply_status(reply) != BUSBAR_OK)
        load_die("busbar", busbar_reply_error(reply));
    load_check_size(&client->place, busbar_reply_size(reply));
}

static void on_reply(struct busbar_reply **reply, void *context)
{
    struct bus_client *client = context;
    check(client, *reply);
    client->replies++;
}

static struct busbar_call prepare(struct bus_client *client, const void *body)
{
    const char *service = client->place.service;
    if (client->names != NULL)
        service = client->names[client->next++ % client->place.services];
    return (struct busbar_call){.service = service,
                                .method = "echo",
                                .body = busbar_body_copied(body, client->place.size),
                                .context = client};
}

static void client_send(void *owner, const void *body)
{
    struct bus_client *client = owner;
    struct busbar_call call = prepare(client, body);
    call.callback = on_reply;
    if (busbar_client_start(client->client, &call, NULL) != BUSBAR_OK)
        load_die("busbar", busbar_client_error(client->client));
}

static size_t client_receive(void *owner)
{
    struct bus_client *client = owner;
    struct pollfd ready = {.fd = busbar_client_fd(client->client), .events = POLLIN};
    client->replies = 0;
    for (;;) {
        if (busbar_client_process(client->client) != BUSBAR_OK)
            load_die("busbar", busbar_client_error(client->client));
        if (client->replies > 0)
            return client->replies;
        poll(&ready, 1, LOAD_REPLY_MS);
    }
}

static void client_call(void *owner, const void *body)
{
    struct bus_client *client = owner;
    struct busbar_reply *reply = NULL;
    struct busbar_call call = prepare(client, body);
    if (busbar_client_call(client->client, &call, &reply) != BUSBAR_OK)
        load_die("busbar", busbar_client_error(client->client));
    check(client, reply);
    busbar_reply_destroy(&reply);
}

static void handle_echo(struct busbar_request **request, void *context)
{
    (void)context;
    busbar_request_reply(request, busbar_request_body(*request));
}

static const struct busbar_method echo = {.name = "echo", .handler = handle_echo};

static enum busbar_status export(struct busbar_worker *worker, const char *name) {
    const struct busbar_service service = {.name = name, .methods = &echo, .method_count = 1};
    return busbar_worker_register(worker, &service);
}

static enum busbar_status export_all(struct busbar_worker *worker, const struct load_place *place)
{
    if (place->services == 0)
        return export(worker, place->service);
    enum busbar_status status = BUSBAR_OK;
    char(*names)[NAME_SIZE] = names_new(place);
    for (unsigned i = 0; status == BUSBAR_OK && i < place->services; i++)
        status = export(worker, names[i]);
    free(names);
    return status;
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    struct busbar_worker *worker = NULL;
    const struct busbar_worker_options options = {.broker = place->back};
    enum busbar_status status = busbar_worker_new(&worker, &options);
    if (status == BUSBAR_OK)
        status = export_all(worker, place);
    if (status == BUSBAR_OK)
        status = busbar_worker_start(worker);
    if (status == BUSBAR_OK)
        status = busbar_worker_wait_ready(worker, LOAD_REPLY_MS);
    if (status != BUSBAR_OK)
        load_die("busbar worker", busbar_status_name(status));
    ready();
    for (;;)
        pause();
}

const struct load load_busbar = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .call = client_call,
    .serve = serve,
};
