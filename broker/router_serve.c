/* How workers that are free are given calls that wait. */
#include "broker/router_calls.h"

/* The provider entry of a worker that was found to take calls of the method. One that offers it under no
 * name has none: nothing is known of the method then. */
static struct provider provider_of(struct method *method, struct export *export)
{
    const struct provider *found = method_provider(method_source(method), export);
    return found != NULL ? *found
                         : (struct provider){.worker = export->worker,
                                             .export = export,
                                             .caller = export->registration.caller};
}

/* A call that will be too late has waited in vain, and the next one would too if a worker spent its
 * time on it: under overload that would be all of them. One that has waited for less than a quarter of
 * its time is never among them, whatever a standstill of the workers made of the tempo. */
static bool call_is_hopeless(const struct call *call, uint64_t now)
{
    uint64_t left = call->deadline - now;
    uint64_t waited = now - call->queued_at;
    return call->attempts == 0 && left < 3 * waited && left < tempo_need(&call->method->tempo);
}

static void call_end_hopeless(struct router *router, struct call *call, uint64_t now)
{
    struct outcome outcome = {.status = BUSBAR_EXPIRED,
                              .text = "too little time was left when a worker was free",
                              .counter = &router->counters->outcome_expired,
                              .retry_after = method_retry_after(call->method)};
    router->counters->hopeless++;
    tempo_doubt(&call->method->tempo, now);
    call_fail(router, call, &outcome);
}

/* False when the queue has nothing for the export. */
static bool export_serve_one(struct router *router, struct export *export, uint64_t now)
{
    struct call *call = backlog_take(&router->backlog, export);
    if (call == NULL)
        return false;
    if (now >= call->deadline)
        call_pass_deadline(router, call);
    else if (call_is_hopeless(call, now))
        call_end_hopeless(router, call, now);
    else {
        struct provider provider = provider_of(call->method, export);
        call_dispatch_kept(router, call, &provider, now);
    }
    return true;
}

/* Gives the worker what waits for one of its services; true if it was given anything. */
static bool export_serve(struct router *router, struct export *export, uint64_t now)
{
    struct peer *worker = export->worker;
    bool served = false;
    while (!export->draining && export->service->queued > 0 && peer_has_credit(worker, now) &&
           export_serve_one(router, export, now))
        served = true;
    return served;
}

/* What was served last comes last the next time, so that nothing is passed over for ever. */
static void go_last(struct list *ring, struct list *node)
{
    list_remove(node);
    list_append(ring, node);
}

/* By what the worker exports. */
static void serve_exports(struct router *router, struct peer *worker, uint64_t now)
{
    LIST_EACH(node, &worker->exports) {
        bool served = export_serve(router, CONTAINER_OF(node, struct export, of_worker), now);
        if (!peer_has_credit(worker, now)) {
            if (served)
                go_last(&worker->exports, node);
            return;
        }
    }
}

/* By what waits. */
static void serve_waiting(struct router *router, struct peer *worker, uint64_t now)
{
    struct list *waiting = &router->backlog.waiting;
    LIST_EACH(node, waiting) {
        struct service *service = CONTAINER_OF(node, struct service, waiting);
        struct export *export = registry_find_export(worker, service);
        bool served = export != NULL && export_serve(router, export, now);
        if (!peer_has_credit(worker, now)) {
            if (served && service->queued > 0)
                go_last(waiting, node);
            return;
        }
    }
}

/* Walks the shorter of the two lists: a worker may export thousands of services, and thousands may
 * have calls that wait. */
void router_serve(struct router *router, struct peer *worker, uint64_t now)
{
    if (router->backlog.waiting_count == 0 || !peer_has_credit(worker, now))
        return;
    if (router->backlog.waiting_count < worker->export_count)
        serve_waiting(router, worker, now);
    else
        serve_exports(router, worker, now);
}

/* Without a record of the empty name nobody is given anything but what he offers by name. */
void router_serve_rest(struct router *router, struct service *service, const struct peer *except,
                       uint64_t now)
{
    if (service->whole == NULL)
        return;
    LIST_EACH(node, &service->exports) {
        struct peer *worker = CONTAINER_OF(node, struct export, of_service)->worker;
        if (service->queued == 0)
            return;
        if (worker != except)
            router_serve(router, worker, now);
    }
}
