/* The random events of clients. */
#include <busbar/status.h>

#include "base/blob.h"
#include "tests/simulation/events.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

/* What is asked for only now and then. */
static void add_wishes(struct world *world, struct request *request)
{
    request->idempotent = one_in(world, 8);
    request->oneway = one_in(world, 10);
    request->stream = one_in(world, 6);
    request->item = one_in(world, 8);
    if (one_in(world, 8))
        request->hops = (uint8_t)pick(world, 50);
    if (one_in(world, 2))
        request->key = (uint8_t)pick(world, KEYS + 1);
    if (one_in(world, 8))
        request->wait = 1 + pick(world, 100);
    if (request->stream && one_in(world, 2))
        request->window = 1 + pick(world, 4);
    if (one_in(world, 2000))
        request->timeout = one_in(world, 2) ? UINT32_MAX : UINT32_MAX - 1 - pick(world, 1000);
}

/* A name that nobody has, or none. */
static void misspell(struct world *world, struct request *request)
{
    if (one_in(world, 100))
        request->service = SERVICES;
    if (one_in(world, 100))
        request->method = one_in(world, 2) ? NAMES : WHOLE;
}

/* A client without methods asks for the service as a whole, unless its configuration names a method,
 * or there are only workers that know methods: then one is found in the body before the router sees
 * the call. Its protocol has no oneway calls. */
static void be_nameless(struct world *world, struct request *request)
{
    const struct model_service *service = &world->model.services[request->service];
    bool must_name = service->exports != 0 && service->offers[WHOLE] == 0;
    if (one_in(world, 2))
        request->wait = 1 + pick(world, 100);
    request->nameless = true;
    request->oneway = false;
    if (!must_name && !one_in(world, 4))
        request->method = WHOLE;
}

void do_call(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    struct space space;
    if (world->loud != NOBODY && !one_in(world, 16))
        peer = world->loud;
    uint64_t id = world->next_id[peer]++;
    struct request request = {
        .client = peer,
        .client_id = id,
        .session = world->peers[peer].number,
        .service = pick_service(world),
        .method = (uint8_t)pick(world, METHODS),
        .timeout = pick(world, 1 + pick(world, world->timeout_most)),
        .body_size = 8 + pick(world, one_in(world, 16) ? BODY_MOST - 8 : 64),
    };
    add_wishes(world, &request);
    if (model->peers[peer].nameless)
        be_nameless(world, &request);
    else
        misspell(world, &request);
    if (model->peers[peer].open[id % IDS] != 0)
        return;
    const struct model_call *call = &model->calls[model_call(model, &request)];
    struct packet packet = world_asked(call, &space);
    history_add("client %llu calls %llu: #%llu, %llu ms", peer, id, call->serial >> 16,
                request.timeout);
    history_add("    service %llu method %llu, flags %#llx, wait %llu", request.service,
                request.method, packet.flags, request.wait);
    struct blob *attached = one_in(world, 16)
                                ? world_blob(world, packet.body.data, packet.body.size)
                                : NULL;
    if (attached != NULL)
        packet.body.data = attached->data;
    router_call(&world->router, &world->peers[peer], &packet, attached, world->now);
    blob_unref(&attached);
    model_settle(model);
}

void do_cancel(struct world *world, uint8_t peer)
{
    uint64_t id = world->next_id[peer] - pick(world, 60);
    history_add("client %llu cancels %llu", peer, id, 0, 0);
    model_cancel(&world->model, peer, id);
    router_cancel(&world->router, &world->peers[peer], id, world->now);
    model_settle(&world->model);
}

void do_grant(struct world *world, uint8_t peer)
{
    uint64_t id = world->next_id[peer] - pick(world, 60);
    uint32_t parts = 1 + pick(world, 5);
    history_add("client %llu grants %llu %llu parts", peer, id, parts, 0);
    model_grant(&world->model, peer, id, parts);
    router_grant(&world->router, &world->peers[peer], id, parts, world->now);
    model_settle(&world->model);
}

/* Much is due to the client, or not any more. */
void do_congest(struct world *world, uint8_t peer)
{
    bool congested = one_in(world, 3);
    history_add("client %llu: congested %llu", peer, congested, 0, 0);
    world->model.peers[peer].congested = congested;
    world->peers[peer].congested = congested;
}
