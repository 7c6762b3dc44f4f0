/* What clients say of the calls they made, and what becomes of everything when a peer goes. */
#include "broker/router_calls.h"

#include <assert.h>

#include "base/blob.h"

enum {
    BUDGET_UNIT = 100, /* of service.budget: a repetition */
};

uint64_t router_id_hash(const struct router *router, uint64_t id)
{
    return siphash(&router->registry.key, &id, sizeof id);
}

/* The index by the client's ids is made when it is needed for the first time. */
static bool peer_index(struct router *router, struct peer *client)
{
    if (client->by_id.buckets != NULL)
        return true;
    if (!map_init(&client->by_id))
        return false;
    LIST_EACH(node, &client->calls) {
        struct call *call = CONTAINER_OF(node, struct call, of_client);
        map_insert(&client->by_id, &call->by_id, router_id_hash(router, call->client_id));
    }
    return true;
}

struct call *router_find_named(struct router *router, struct peer *client, uint64_t client_id)
{
    if (!peer_index(router, client))
        return NULL;
    uint64_t hash = router_id_hash(router, client_id);
    for (struct map_node *node = map_first(&client->by_id, hash); node != NULL;
         node = map_next(node)) {
        struct call *call = CONTAINER_OF(node, struct call, by_id);
        if (call->client_id == client_id)
            return call;
    }
    return NULL;
}

void router_cancel(struct router *router, struct peer *client, uint64_t client_id, uint64_t now)
{
    (void)now;
    struct call *call = router_find_named(router, client, client_id);
    if (call == NULL)
        return;
    call_fail(router, call,
              &(struct outcome){.status = BUSBAR_CANCELLED,
                                .fate = call_fate(call),
                                .text = "cancelled by its client",
                                .counter = &router->counters->outcome_cancelled});
}

void call_tell_grant(struct router *router, const struct call *call, uint32_t parts)
{
    struct packet packet = {.command = PACKET_GRANT, .id = call_id(call), .timeout = parts};
    router_send(router, call->worker, &packet, NULL);
}

void router_grant(struct router *router, struct peer *client, uint64_t client_id, uint32_t parts,
                  uint64_t now)
{
    (void)now;
    struct call *call = router_find_named(router, client, client_id);
    if (call == NULL || !call->is_stream)
        return;
    uint32_t room = PACKET_WINDOW_MAX - call->window;
    if (parts > room)
        parts = room;
    if (parts == 0)
        return;
    call->window += parts;
    call->granted += parts;
    if (call->worker != NULL) /* else whoever is given it is told */
        call_tell_grant(router, call, parts);
}

/* Given to somebody else after a loss: as long as that is a small part of all calls, so that workers
 * which die of what they are given do not bring the others down. */
static bool budget_spend(const struct router *router, struct call *call)
{
    struct service *service = call->method->service;
    if (router->limits.retry_reserve == 0)
        return true;
    if (service->budget < BUDGET_UNIT)
        return false;
    service->budget -= BUDGET_UNIT;
    return true;
}

static void call_lose(struct router *router, struct call *call, const char *text)
{
    call_fail(router, call,
              &(struct outcome){.status = BUSBAR_WORKER_LOST,
                                .fate = BUSBAR_MAYBE_EXECUTED,
                                .text = text,
                                .counter = &router->counters->outcome_worker_lost});
}

/* A call whose worker is gone: again with another if that is allowed, else lost. */
static void call_lose_worker(struct router *router, struct call *call, uint64_t now)
{
    bool poisoned = call->attempts >= router->limits.attempts;
    if (call->state == CALL_ABANDONED) {
        call_free(router, call);
        return;
    }
    call_note_attempt(call, now);
    call_take_from_worker(call);
    if (!call->idempotent || call->is_streamed) {
        call_lose(router, call, "its worker was lost before it answered");
    } else if (poisoned) {
        call_fail(router, call,
                  &(struct outcome){.status = BUSBAR_POISONED,
                                    .fate = BUSBAR_MAYBE_EXECUTED,
                                    .text = "every worker that was given the call was lost",
                                    .counter = &router->counters->outcome_poisoned});
    } else if (!method_is_open(call->method) && !call_may_wait(router, call, now)) {
        call_lose(router, call, "its worker was lost and there is no other");
    } else if (!budget_spend(router, call)) {
        router->counters->retries_spared++;
        call_lose(router, call, "its worker was lost, as were too many others to try again");
    } else {
        router->counters->redispatched++;
        call_place_again(router, call, NULL, now);
    }
}

static void peer_drop_calls(struct router *router, struct peer *client)
{
    LIST_EACH(node, &client->calls) {
        struct call *call = CONTAINER_OF(node, struct call, of_client);
        router_count(router, call, &router->counters->outcome_abandoned);
        if (call->worker != NULL)
            call_abandon(router, call);
        else
            call_free(router, call);
    }
    if (client->by_id.buckets != NULL)
        map_fini(&client->by_id);
}

size_t router_drop_waiting(struct router *router, bool accepted)
{
    size_t dropped = 0;
    for (uint32_t slot = 0; slot < call_table_slots(&router->calls); slot++) {
        struct call *call = call_table_at(&router->calls, slot);
        if (call->state != CALL_QUEUED || (call->is_oneway && !accepted))
            continue;
        dropped++;
        call_fail(router, call,
                  &(struct outcome){.status = BUSBAR_DRAINING,
                                    .fate = call_fate(call),
                                    .text = "the broker stopped before a worker was free",
                                    .counter = &router->counters->outcome_draining});
    }
    return dropped;
}

void router_peer_fini(struct router *router, struct peer *peer, uint64_t now)
{
    peer->leaving = true;
    list_remove(&peer->paced);
    peer_drop_calls(router, peer);
    LIST_EACH(node, &peer->exports)
        router_remove_export(router, CONTAINER_OF(node, struct export, of_worker), now);
    LIST_EACH(node, &peer->running)
        call_lose_worker(router, CONTAINER_OF(node, struct call, place), now);
    assert(peer->load == 0 && peer->kept_bytes == 0);
    assert(list_is_empty(&peer->calls) && list_is_empty(&peer->flows));
}
