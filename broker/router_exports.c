/* What workers export: registered, withdrawn, and what that does to the calls that wait. */
#include "broker/router_end.h"

#include <assert.h>

#include "protocol/name.h"

enum {
    CREDIT_MAX = 65535,                  /* more calls than anyone should hold at once */
    EXPORT_BYTES_MAX = 16 * 1024 * 1024, /* what the registrations of one session may take */
};

/* Calls that wait for a method nobody offers any more. */
static void router_drop_queued(struct router *router, struct method *method)
{
    struct call *call;
    bool service_gone = list_is_empty(&method->service->exports);
    method_ref(method);
    while ((call = backlog_find(method)) != NULL) {
        enum busbar_fate fate = call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
        if (call->attempts > 0) {
            router->counters->outcome_worker_lost++;
            call_fail(router, call,
                      &(struct outcome){BUSBAR_WORKER_LOST, fate,
                                        "its worker was lost and there is no other"});
        } else if (service_gone) {
            router->counters->outcome_no_service++;
            call_fail(router, call,
                      &(struct outcome){BUSBAR_NO_SERVICE, fate,
                                        "the last worker of the service is gone"});
        } else {
            router->counters->outcome_no_method++;
            call_fail(router, call,
                      &(struct outcome){BUSBAR_NO_METHOD, fate,
                                        "the last worker that offered the method is gone"});
        }
    }
    method_unref(&router->registry, method);
}

void router_remove_export(struct router *router, struct export *export)
{
    registry_withdraw(export);
    for (size_t i = 0; i < export->registration.method_count; i++) {
        if (export->methods[i]->provider_count == 0)
            router_drop_queued(router, export->methods[i]);
    }
    export_destroy(&router->registry, &export);
}

static enum busbar_status refuse(const char **reason, enum busbar_status status, const char *text)
{
    *reason = text;
    return status;
}

static enum busbar_status register_check(const struct router *router, const struct peer *worker,
                                         struct bytes name, const char **reason)
{
    if (!name_is_service((const char *)name.data, name.size))
        return refuse(reason, BUSBAR_BAD_REQUEST, "the service name is outside the grammar");
    if (name_is_reserved((const char *)name.data, name.size))
        return refuse(reason, BUSBAR_DENIED, "the service name is reserved for the bus");
    if (router->draining)
        return refuse(reason, BUSBAR_DRAINING, "the broker is stopping");
    const struct service *service = registry_find_service(&router->registry, name);
    if (service != NULL && registry_find_export(worker, service) != NULL)
        return refuse(reason, BUSBAR_CONFLICT, "this session exports the service already");
    if (worker->export_bytes >= EXPORT_BYTES_MAX)
        return refuse(reason, BUSBAR_BUSY, "this session has registered too much");
    return BUSBAR_OK;
}

enum busbar_status router_register(struct router *router, struct peer *worker, struct bytes name,
                                   struct registration *registration, const char **reason)
{
    enum busbar_status status = register_check(router, worker, name, reason);
    if (status != BUSBAR_OK)
        registration_fini(registration);
    else if (registry_add(&router->registry, worker, name, registration) == NULL)
        status = refuse(reason, BUSBAR_BUSY, "the broker is out of memory");
    if (status == BUSBAR_OK)
        router->counters->registrations++;
    else
        router->counters->registrations_refused++;
    return status;
}

enum busbar_status router_deregister(struct router *router, struct peer *worker, struct bytes name,
                                     const char **reason)
{
    const struct service *service = registry_find_service(&router->registry, name);
    struct export *export = service == NULL ? NULL : registry_find_export(worker, service);
    if (export == NULL)
        return refuse(reason, BUSBAR_NO_SERVICE, "this session does not export the service");
    router_remove_export(router, export);
    return BUSBAR_OK;
}

void router_credit(struct router *router, struct peer *worker, uint64_t credit, uint64_t now)
{
    worker->credit = credit < CREDIT_MAX ? (uint32_t)credit : CREDIT_MAX;
    router_serve(router, worker, now);
}

void router_leaving(struct router *router, struct peer *worker)
{
    (void)router;
    worker->leaving = true;
}

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
