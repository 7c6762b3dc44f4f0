/* What workers export: registered, drained, withdrawn; what that does to the calls that wait. */
#include "broker/router_calls.h"

#include "protocol/name.h"

enum {
    CREDIT_MAX = 65535,                  /* more calls than anyone should hold at once */
    EXPORT_BYTES_MAX = 16 * 1024 * 1024, /* what the registrations of one session may take */
};

/* Why a call cannot wait any longer for a method that nobody, or nobody open, offers. */
static struct outcome queued_outcome(const struct router *router, const struct call *call)
{
    struct counters *counters = router->counters;
    if (method_is_served(call->method))
        return (struct outcome){.status = BUSBAR_DRAINING,
                                .fate = call_fate(call),
                                .text = "all workers that offer the method are drained",
                                .counter = &counters->outcome_draining};
    if (call->attempts > 0)
        return (struct outcome){.status = BUSBAR_WORKER_LOST,
                                .fate = BUSBAR_MAYBE_EXECUTED,
                                .text = "its worker was lost and there is no other",
                                .counter = &counters->outcome_worker_lost};
    if (list_is_empty(&call->method->service->exports))
        return (struct outcome){.status = BUSBAR_NO_SERVICE,
                                .text = "the last worker of the service is gone",
                                .counter = &counters->outcome_no_service};
    return (struct outcome){.status = BUSBAR_NO_METHOD,
                            .text = "the last worker that offered the method is gone",
                            .counter = &counters->outcome_no_method};
}

static void call_wait_unserved(struct router *router, struct call *call)
{
    if (call_begin_waiting(router, call) && backlog_add(&router->backlog, call))
        call_arm(router, call);
    else
        call_refuse_busy(router, call);
}

/* May calls have waited for it that nobody can be given any more? */
static bool export_is_missed(const struct export *export)
{
    if (export->service->queued == 0)
        return false;
    for (size_t i = 0; i < export->registration.method_count; i++) {
        if (!method_is_open(export->methods[i]))
            return true;
    }
    return false;
}

/* The calls that it leaves to nobody end, but for those that may go on waiting. */
static void export_drop_queued(struct router *router, const struct export *export, uint64_t now)
{
    struct list stranded;
    list_init(&stranded);
    if (export_is_missed(export))
        backlog_strand(&router->backlog, export, &stranded);
    LIST_EACH(node, &stranded) {
        struct call *call = CONTAINER_OF(node, struct call, place);
        list_remove(node);
        if (call_may_wait(router, call, now)) {
            call_wait_unserved(router, call);
        } else {
            struct outcome outcome = queued_outcome(router, call);
            call_fail(router, call, &outcome);
        }
    }
}

void router_remove_export(struct router *router, struct export *export, uint64_t now)
{
    registry_withdraw(export);
    export_drop_queued(router, export, now);
    router_serve_rest(router, export->service, NULL, now);
    export_destroy(&router->registry, &export);
}

/* Calls of the export's service that its worker has; walked, since draining is rare. */
static uint64_t export_running(const struct export *export)
{
    uint64_t running = 0;
    LIST_EACH(node, &export->worker->running)
        running += CONTAINER_OF(node, struct call, place)->method->service == export->service;
    return running;
}

enum busbar_status router_drain(struct router *router, struct bytes name, uint64_t worker,
                                bool drain, struct router_drained *ret, uint64_t now)
{
    struct service *service = registry_find_service(&router->registry, name);
    *ret = (struct router_drained){0};
    if (service == NULL)
        return BUSBAR_NO_SERVICE;
    LIST_EACH(node, &service->exports) {
        struct export *export = CONTAINER_OF(node, struct export, of_service);
        if (worker != 0 && export->worker->number != worker)
            continue;
        ret->changed |= export->draining != drain;
        export_drain(export, drain);
        ret->workers++;
        ret->running += export_running(export);
        if (drain)
            export_drop_queued(router, export, now);
        else
            router_serve(router, export->worker, now);
    }
    return ret->workers > 0 ? BUSBAR_OK : BUSBAR_NO_SERVICE;
}

static enum busbar_status refuse(const char **reason, enum busbar_status status, const char *text)
{
    *reason = text;
    return status;
}

/* Whoever registers a whole service has checked the name by its own protocol's rules. */
static enum busbar_status name_check(struct bytes name, const char **reason)
{
    if (!name_is_service((const char *)name.data, name.size))
        return refuse(reason, BUSBAR_BAD_REQUEST, "the service name is outside the grammar");
    if (name_is_reserved((const char *)name.data, name.size))
        return refuse(reason, BUSBAR_DENIED, "the service name is reserved for the bus");
    return BUSBAR_OK;
}

static enum busbar_status register_check(const struct router *router, const struct peer *worker,
                                         struct bytes name, const char **reason)
{
    if (router->draining)
        return refuse(reason, BUSBAR_DRAINING, "the broker is stopping");
    const struct service *service = registry_find_service(&router->registry, name);
    if (service != NULL && registry_find_export(worker, service) != NULL)
        return refuse(reason, BUSBAR_CONFLICT, "this session exports the service already");
    if (worker->export_bytes >= EXPORT_BYTES_MAX)
        return refuse(reason, BUSBAR_BUSY, "this session has registered too much");
    return BUSBAR_OK;
}

static bool export_begin(struct router *router, struct peer *worker, struct bytes name,
                         struct registration *registration)
{
    struct export *export = registry_add(&router->registry, worker, name, registration);
    if (export == NULL)
        return false;
    if (backlog_sort_out(export))
        return true;
    registry_withdraw(export);
    export_destroy(&router->registry, &export);
    return false;
}

enum busbar_status router_register(struct router *router, struct peer *worker, struct bytes name,
                                   struct registration *registration, const char **reason)
{
    enum busbar_status status = registration->whole ? BUSBAR_OK : name_check(name, reason);
    if (status == BUSBAR_OK)
        status = register_check(router, worker, name, reason);
    if (status != BUSBAR_OK)
        registration_fini(registration);
    else if (!export_begin(router, worker, name, registration))
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
    router_remove_export(router, export, router->wheel.now);
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
