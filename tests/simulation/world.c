/* A broker's life: it starts, its peers join and die, what it sends is passed to the model. */
#include "tests/simulation/world.h"

#include <busbar/status.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "tests/simulation/history.h"

static const char *const SERVICE_NAMES[] = {"alpha", "beta", "gamma", "delta", "no such name"};
static const char *const METHOD_NAMES[] = {"one", "two", "three", "four", "b d"};

struct bytes service_name(uint8_t service)
{
    return bytes_of_text(SERVICE_NAMES[service]);
}

struct bytes method_name_of(uint8_t method)
{
    return bytes_of_text(METHOD_NAMES[method]);
}

/* Told apart by the first letter, or two. */
static uint8_t name_index(const char *const *names, uint8_t count, struct bytes name)
{
    for (uint8_t i = 0; i < count; i++) {
        if (strlen(names[i]) == name.size && memcmp(names[i], name.data, name.size) == 0)
            return i;
    }
    history_fail("the router sent a name that nobody has");
}

struct counted_blob {
    struct blob blob;
    struct world *world;
    uint8_t bytes[];
};

static void blob_release(struct blob *blob)
{
    struct counted_blob *counted = CONTAINER_OF(blob, struct counted_blob, blob);
    counted->world->blobs--;
    free(counted);
}

struct blob *world_blob(struct world *world, const uint8_t *bytes, size_t size)
{
    struct counted_blob *counted = malloc(sizeof *counted + size);
    if (counted == NULL)
        abort();
    memcpy(counted->bytes, bytes, size);
    counted->blob = (struct blob){
        .references = 1, .data = counted->bytes, .size = size, .release = blob_release};
    counted->world = world;
    world->blobs++;
    return &counted->blob;
}

void world_remember(struct world *world, uint64_t id)
{
    world->stale[world->stale_count++ % STALE] = id;
}

struct packet world_request(const struct world *world, const struct model_call *call,
                            uint8_t *buffer)
{
    (void)world;
    return (struct packet){
        .id = call->worker_id,
        .service = service_name(call->service),
        .method = method_name_of(call->method),
        .body = {.data = model_body(call, buffer), .size = call->body_size},
    };
}

/* What is sent to a peer whose queue is full stays in the broker; too much of it ends the peer. */
static bool outbox_put(struct world *world, uint8_t peer)
{
    struct outbox_state *outbox = &world->outbox[peer];
    if (!outbox->blocked)
        return true;
    if (++outbox->due > DUE_MOST)
        outbox->cut = true;
    return false;
}

static void sent_call(struct world *world, uint8_t peer, const struct packet *packet,
                      const struct blob *attached)
{
    struct given given = {
        .worker = peer,
        .worker_id = packet->id,
        .timeout = packet->timeout,
        .service = name_index(SERVICE_NAMES, SERVICES, packet->service),
        .method = name_index(METHOD_NAMES, METHODS, packet->method),
        .idempotent = (packet->flags & PACKET_IDEMPOTENT) != 0,
        .body = packet->body.data,
        .body_size = packet->body.size,
    };
    if (((packet->flags & PACKET_ATTACHED) != 0) != (attached != NULL))
        history_fail("the flag ATTACHED does not say whether a body is attached");
    uint16_t index = model_given(&world->model, &given);
    history_add("    -> worker %llu: CALL %#llx, #%llu of client %llu", peer, packet->id,
                world->model.calls[index].serial >> 16, world->model.calls[index].client);
    world->model.calls[index].reached = outbox_put(world, peer);
}

static void sent_outcome(struct world *world, uint8_t peer, const struct packet *packet)
{
    struct told told = {
        .client = peer,
        .client_id = packet->id,
        .reply = packet->command == PACKET_REPLY,
        .status = packet->status,
        .fate = packet->fate,
        .body = packet->body.data,
        .body_size = packet->body.size,
    };
    history_add("    -> client %llu: outcome of %llu, status %llu, fate %llu", peer, packet->id,
                packet->status, packet->fate);
    model_told(&world->model, &told);
    (void)outbox_put(world, peer);
}

static void world_sent(void *context, struct peer *to, const struct packet *packet,
                       struct blob *attached)
{
    struct world *world = context;
    uint8_t peer = (uint8_t)(to - world->peers);
    switch (packet->command) {
    case PACKET_CALL:
        sent_call(world, peer, packet, attached);
        break;
    case PACKET_REPLY:
    case PACKET_ERROR:
        sent_outcome(world, peer, packet);
        break;
    case PACKET_CANCEL:
        history_add("    -> worker %llu: CANCEL %#llx", peer, packet->id, 0, 0);
        model_told_cancel(&world->model, peer, packet->id);
        (void)outbox_put(world, peer);
        break;
    default:
        history_fail("the router sent the command %#x", packet->command);
    }
}

static void world_join(struct world *world, uint8_t peer)
{
    if (!router_peer_init(&world->router, &world->peers[peer]))
        abort();
    world->outbox[peer] = (struct outbox_state){0};
    model_join(&world->model, peer);
}

void world_open(struct world *world)
{
    struct router_limits limits = {
        .body_limit = BODY_LIMIT,
        .queue_calls = 2 + pick(world, 40),
        .queue_bytes = 500 + pick(world, 20000),
        .retained_bytes = 500 + pick(world, 20000),
        .attempts = 1 + pick(world, 4),
    };
    struct model_limits known = {
        .body_limit = limits.body_limit,
        .queue_calls = limits.queue_calls,
        .queue_bytes = limits.queue_bytes,
        .retained_bytes = limits.retained_bytes,
        .attempts = limits.attempts,
    };
    struct router_sink sink = {.context = world, .send = world_sent};
    history_add("a broker starts: queue %llu calls, %llu bytes, %llu kept, %llu attempts",
                limits.queue_calls, limits.queue_bytes, limits.retained_bytes, limits.attempts);
    if (!router_init(&world->router, &limits, &sink, world->now))
        abort();
    world->counters = (struct counters){0};
    world->router.counters = &world->counters;
    model_start(&world->model, &known, world->now);
    for (uint8_t peer = 0; peer < PEERS; peer++)
        world_join(world, peer);
    world->run_until = world->events + 1 + pick(world, RUN_EVENTS);
}

/* A call that stands in the outbox never left: it moves on as if the worker had returned it. */
static void outbox_return(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    uint8_t buffer[BODY_MOST];
    for (uint32_t i = 0; i < model->peers[peer].held_count;) {
        uint16_t index = model->peers[peer].held[i];
        struct model_call *call = &model->calls[index];
        if (call->reached) {
            i++;
            continue;
        }
        history_add("  never left: %#llx of worker %llu", call->worker_id, peer, 0, 0);
        struct packet packet = world_request(world, call, buffer);
        packet.command = PACKET_CALL;
        world_remember(world, call->worker_id);
        model_return(model, index, true);
        router_return(&world->router, &world->peers[peer], &packet, NULL, world->now);
        model_settle(model);
    }
}

void world_kill(struct world *world, uint8_t peer)
{
    struct model_peer *dying = &world->model.peers[peer];
    history_add("peer %llu dies with %llu calls, credit %llu", peer, dying->held_count,
                dying->credit, 0);
    model_leave(&world->model, peer);
    world->peers[peer].leaving = true;
    outbox_return(world, peer);
    for (uint32_t i = 0; i < dying->held_count; i++)
        world_remember(world, world->model.calls[dying->held[i]].worker_id);
    model_die(&world->model, peer);
    router_peer_fini(&world->router, &world->peers[peer], world->now);
    model_settle(&world->model);
    world->deaths++;
    world_join(world, peer);
}

void world_close(struct world *world)
{
    for (uint8_t peer = 0; peer < PEERS; peer++) {
        world_kill(world, peer);
        model_leave(&world->model, peer); /* the new session is not to be used */
    }
    world_check(world);
    if (world->model.live_count != 0 || world->router.calls.count != 0)
        history_fail("%u calls are left of %zu", world->model.live_count,
                     world->router.calls.count);
    if (world->router.registry.services.count != 0 || world->router.registry.methods.count != 0)
        history_fail("names are left in the registry");
    if (world->blobs != 0)
        history_fail("%llu bodies are left", (unsigned long long)world->blobs);
    for (uint8_t peer = 0; peer < PEERS; peer++)
        router_peer_fini(&world->router, &world->peers[peer], world->now);
    router_fini(&world->router);
}
