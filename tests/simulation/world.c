/* A broker's life: it starts, its peers join and die, what it sends is passed to the model. */
#include "tests/simulation/world.h"

#include <busbar/status.h>
#include <stdlib.h>
#include <string.h>

#include "base/blob.h"
#include "tests/simulation/history.h"

static const char *const SERVICE_NAMES[] = {"alpha", "beta",     "gamma",
                                            "delta", "far/away", "no such name"};
static const char *const METHOD_NAMES[] = {"one", "two", "three", "four", "", "b d"};

uint8_t pick_service(struct world *world)
{
    return one_in(world, 16) ? FOREIGN : (uint8_t)pick(world, FOREIGN);
}

struct bytes service_name(uint8_t service)
{
    return bytes_of_text(SERVICE_NAMES[service]);
}

struct bytes method_name_of(uint8_t method)
{
    return bytes_of_text(METHOD_NAMES[method]);
}

static uint8_t name_index(const char *const *names, uint8_t count, struct bytes name)
{
    for (uint8_t i = 0; i < count; i++) {
        if (strlen(names[i]) == name.size &&
            (name.size == 0 || memcmp(names[i], name.data, name.size) == 0))
            return i;
    }
    history_fail("the router sent a name that nobody has");
}

uint8_t service_of(struct bytes name)
{
    return name_index(SERVICE_NAMES, SERVICES, name);
}

uint8_t method_of(struct bytes name)
{
    return name_index(METHOD_NAMES, NAMES, name);
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

static void world_join(struct world *world, uint8_t peer)
{
    struct peer *joined = &world->peers[peer];
    if (!router_peer_init(&world->router, joined))
        abort();
    memcpy(joined->instance, &joined->number, sizeof joined->number);
    joined->name = joined->number % 2 == 0 ? NULL : "known";
    joined->calls_whole = one_in(world, 4);
    world->outbox[peer] = (struct outbox_state){0};
    model_join(&world->model, peer, joined->number, joined->calls_whole);
}

static struct router_limits random_limits(struct world *world)
{
    static const enum balance BALANCES[] = {BALANCE_UNSET, BALANCE_LEAST_LOADED,
                                            BALANCE_ROUND_ROBIN, BALANCE_RANDOM};
    static char method[] = "m"; /* by whatever name: it tells only that the file names one */
    for (unsigned service = 0; service < SERVICES; service++)
        world->rules[service] = (struct service_rule){
            .name = (char *)(uintptr_t)SERVICE_NAMES[service],
            .balance = service == STICKY ? BALANCE_STICKY : BALANCES[pick(world, 4)],
            .method = service % 2 == 0 ? method : NULL,
        };
    return (struct router_limits){
        .body_limit = BODY_LIMIT,
        .queue_calls = 2 + pick(world, 40),
        .queue_bytes = 500 + pick(world, 20000),
        .queue_age = one_in(world, 2) ? 0 : 1 + pick(world, 100),
        .client_calls = one_in(world, 2) ? 0 : 1 + pick(world, 100),
        .retained_bytes = 500 + pick(world, 20000),
        .waiting_calls = pick(world, 30),
        .attempts = 1 + pick(world, TRIED),
        .retry_percent = pick(world, 20),
        .retry_reserve = one_in(world, 2) ? 0 : 1 + pick(world, 20),
        .hops = one_in(world, 2) ? 0 : 1 + pick(world, 40),
        .rules = world->rules,
        .rule_count = SERVICES,
    };
}

static void model_open(struct world *world, const struct router_limits *limits)
{
    struct model_limits known = {
        .body_limit = limits->body_limit,
        .queue_calls = limits->queue_calls,
        .queue_bytes = limits->queue_bytes,
        .queue_age = limits->queue_age,
        .client_calls = limits->client_calls,
        .retained_bytes = limits->retained_bytes,
        .waiting_calls = limits->waiting_calls,
        .attempts = limits->attempts,
        .retry_percent = limits->retry_percent,
        .retry_reserve = limits->retry_reserve,
        .hops = limits->hops,
    };
    static const enum spread SPREADS[BALANCE_COUNT] = {
        [BALANCE_UNSET] = SPREAD_LEAST,        [BALANCE_LEAST_LOADED] = SPREAD_LEAST,
        [BALANCE_ROUND_ROBIN] = SPREAD_ANYHOW, [BALANCE_RANDOM] = SPREAD_ANYHOW,
        [BALANCE_STICKY] = SPREAD_STICKY,
    };
    model_start(&world->model, &known, world->now);
    for (unsigned service = 0; service < SERVICES; service++) {
        world->model.services[service].spread = SPREADS[world->rules[service].balance];
        world->model.services[service].names_method = world->rules[service].method != NULL;
    }
}

void world_open(struct world *world)
{
    struct router_limits limits = random_limits(world);
    struct router_sink sink = {.context = world, .send = world_sent};
    history_add("a broker starts: queue %llu calls, %llu bytes, %llu ms; %llu attempts",
                limits.queue_calls, limits.queue_bytes, limits.queue_age, limits.attempts);
    history_add("    of a client %llu calls, %llu bytes; %llu waiting; budget %llu",
                limits.client_calls, limits.retained_bytes, limits.waiting_calls,
                limits.retry_reserve);
    if (!router_init(&world->router, &limits, &sink, world->now))
        abort();
    world->router.random = world_random(world) | 1; /* else no run could be replayed */
    world->counters = (struct counters){0};
    world->router.counters = &world->counters;
    model_open(world, &limits);
    for (unsigned peer = 0; peer < PEERS; peer++)
        world_join(world, (uint8_t)peer);
    if (one_in(world, 2)) { /* it was told of a broker before it */
        world->model.settle_until = world->now + pick(world, 200);
        router_settle(&world->router, world->model.settle_until);
    }
    world->run_until = world->events + 1 + pick(world, RUN_EVENTS);
}

/* A call that stands in the outbox never left: it moves on as if the worker had returned it. */
static void outbox_return(struct world *world, uint8_t peer)
{
    struct model *model = &world->model;
    struct space space;
    for (uint32_t i = 0; i < model->peers[peer].held_count;) {
        uint16_t index = model->peers[peer].held[i];
        struct model_call *call = &model->calls[index];
        if (call->reached) {
            i++;
            continue;
        }
        history_add("  never left: %#llx of worker %llu", call->worker_id, peer, 0, 0);
        struct packet packet = world_request(call, &space);
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

/* Of nobody but the house, which the router keeps itself. */
static void check_left(const struct world *world)
{
    const struct model *model = &world->model;
    for (uint32_t i = 0; i < model->live_count; i++) {
        if (!model->calls[model->live[i]].house)
            history_fail("calls are left when all peers are gone");
    }
    if (world->router.calls.count == 0 &&
        (world->router.registry.services.count != 0 || world->router.registry.methods.count != 0))
        history_fail("names are left in the registry");
}

void world_close(struct world *world)
{
    for (unsigned peer = 0; peer < PEERS; peer++)
        world_kill(world, (uint8_t)peer);
    world_check(world);
    check_left(world);
#define ADD(name, text) world->totals.name += world->counters.name;
    COUNTER_TABLE(ADD)
#undef ADD
    for (unsigned peer = 0; peer < PEERS; peer++)
        router_peer_fini(&world->router, &world->peers[peer], world->now);
    router_fini(&world->router);
    if (world->blobs != 0)
        history_fail("%llu bodies are left", (unsigned long long)world->blobs);
}
