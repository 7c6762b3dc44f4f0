/* For tests: do the structures of the router agree with each other? */
#include "broker/router_calls.h"

#include <assert.h>

static size_t list_length(const struct list *list)
{
    size_t length = 0;
    for (const struct list *node = list->next; node != list; node = node->next)
        length++;
    return length;
}

static void check_call(const struct router *router, const struct call *call)
{
    bool queued = call->state == CALL_QUEUED;
    assert(queued || call->state == CALL_RUNNING);
    assert(queued == (call->lane != NULL));
    assert(queued == (call->worker == NULL));
    assert(wheel_timer_is_set(&call->timer) && call->timer.due <= call->deadline);
    assert(call->is_oneway == (call->client == &router->house));
    assert(!call->is_oneway || !call->is_stream);
    assert(!call->is_streamed || (call->is_stream && !queued));
    assert(!call->is_waiting || queued);
    assert((call->kept != NULL) ==
           (queued || (call_is_kept(call, call->idempotent) && !call->is_streamed)));
}

void router_check_peer(const struct router *router, const struct peer *peer)
{
    size_t kept = 0;
    assert(list_length(&peer->running) == peer->load);
    assert(list_length(&peer->calls) == peer->call_count);
    for (const struct list *node = peer->calls.next; node != &peer->calls; node = node->next) {
        const struct call *call = CONTAINER_OF(node, struct call, of_client);
        assert(call->client == peer);
        check_call(router, call);
        kept += call->kept == NULL ? 0 : kept_size(call->kept);
    }
    assert(kept == peer->kept_bytes);
    assert(router->limits.client_calls == 0 || peer == &router->house ||
           peer->call_count <= router->limits.client_calls);
}

/* Nobody offers it by name, and it has no lane of its own. */
static bool shares_lane(const struct lane *shared, const struct method *method)
{
    LIST_EACH(node, &shared->flow->lanes) {
        if (CONTAINER_OF(node, struct lane, of_flow)->method == method)
            return false;
    }
    return method->provider_count == 0 && method->method_size > 0;
}

/* The calls of one lane; returns how many there are. Calls wait only for what may come. */
static size_t check_lane(const struct lane *lane, size_t *waiting)
{
    size_t length = 0;
    for (const struct list *node = lane->calls.next; node != &lane->calls; node = node->next) {
        const struct call *call = CONTAINER_OF(node, struct call, place);
        bool is_offered = method_is_served(call->method);
        assert(call->lane == lane);
        assert(lane->method == NULL ? shares_lane(lane, call->method)
                                    : lane->method == call->method);
        assert(method_is_open(call->method) || !is_offered);
        assert(is_offered || call->is_waiting);
        *waiting += call->is_waiting;
        length++;
    }
    assert(length > 0);
    return length;
}

static void check_method(struct method *method, size_t index)
{
    const struct provider *providers = method_providers(method);
    size_t draining = 0;
    for (size_t i = 0; i < method->provider_count; i++) {
        const struct provider *provider = &providers[i];
        assert(provider->worker == provider->export->worker);
        assert(provider->draining == provider->export->draining);
        draining += provider->draining;
    }
    assert(draining == method->draining_count);
    assert(method->index == index);
}

static void check_service(const struct service *service, size_t *waiting)
{
    size_t queued = 0;
    for (const struct list *node = service->flows.next; node != &service->flows;
         node = node->next) {
        const struct flow *flow = CONTAINER_OF(node, struct flow, of_service);
        size_t in_lanes = 0;
        LIST_EACH(link, (struct list *)(uintptr_t)&flow->lanes)
            in_lanes += check_lane(CONTAINER_OF(link, struct lane, of_flow), waiting);
        assert(in_lanes == flow->queued);
        queued += in_lanes;
    }
    assert(queued == service->queued);
    assert((queued > 0) == !list_is_empty(&service->waiting));
    for (size_t i = 0; i < service->offered_slots; i++) {
        assert(service->offered[i] != NULL || i >= service->offered_from);
        if (service->offered[i] != NULL)
            check_method(service->offered[i], i);
    }
}

void router_check(const struct router *router)
{
    size_t queued = 0;
    size_t running = 0;
    size_t waiting = 0;
    size_t methods = 0;
    for (struct map_node *node = map_walk(&router->registry.services, NULL); node != NULL;
         node = map_walk(&router->registry.services, node)) {
        const struct service *service = CONTAINER_OF(node, struct service, by_name);
        check_service(service, &waiting);
        queued += service->queued;
        running += service->running;
        methods += service->method_count;
    }
    assert(queued + running == router->calls.count);
    assert(methods == router->registry.methods.count);
    assert(list_length(&router->backlog.waiting) == router->backlog.waiting_count);
    assert(waiting == router->waiting && waiting <= router->limits.waiting_calls);
    router_check_peer(router, &router->house);
    assert(list_is_empty(&router->house.running) && list_is_empty(&router->house.exports));
}
