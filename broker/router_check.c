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

void router_check_peer(const struct router *router, const struct peer *peer)
{
    size_t kept = 0;
    (void)router;
    assert(list_length(&peer->running) == peer->load);
    assert(list_length(&peer->calls) == peer->call_count);
    for (const struct list *node = peer->calls.next; node != &peer->calls; node = node->next) {
        const struct call *call = CONTAINER_OF(node, struct call, of_client);
        assert(call->client == peer);
        assert(call->state == CALL_QUEUED || call->state == CALL_RUNNING);
        assert((call->state == CALL_QUEUED) == (call->lane != NULL));
        assert((call->state == CALL_RUNNING) == (call->worker != NULL));
        assert(wheel_timer_is_set(&call->timer));
        kept += call->kept == NULL ? 0 : kept_size(call->kept);
    }
    assert(kept == peer->kept_bytes);
}

void router_check(const struct router *router)
{
    size_t queued = 0;
    size_t running = 0;
    for (struct map_node *node = map_walk(&router->registry.services, NULL); node != NULL;
         node = map_walk(&router->registry.services, node)) {
        const struct service *service = CONTAINER_OF(node, struct service, by_name);
        size_t in_flows = 0;
        LIST_EACH(link, (struct list *)(uintptr_t)&service->flows)
            in_flows += CONTAINER_OF(link, struct flow, of_service)->queued;
        assert(in_flows == service->queued);
        queued += service->queued;
        running += service->running;
    }
    assert(queued + running == router->calls.count);
}
