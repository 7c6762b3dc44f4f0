/*
 * What time does: deadlines pass, queues become too old, workers too silent, waits too long; and
 * paced workers may be given more again. A call has one timer, set to the earliest of its moments;
 * which of them it was is asked when it fires, so that moments may be put off without touching it.
 */
#include "broker/router_calls.h"

static uint64_t queue_age(const struct router *router, const struct call *call)
{
    const struct service_rule *rule = call->method->service->rule;
    return rule != NULL && rule->queue_age != 0 ? rule->queue_age : router->limits.queue_age;
}

static bool is_unserved(const struct call *call)
{
    const struct method *method = call->method;
    bool awaits_any = method->method_size == 0 && method->service->export_count > 0;
    return call->state == CALL_QUEUED && !awaits_any && !method_is_served(call->method);
}

/* How long an unserved call waits. */
static uint64_t patience_end(const struct router *router, const struct call *call)
{
    return call->wait_until > router->settle_until ? call->wait_until : router->settle_until;
}

static uint64_t age_end(const struct router *router, const struct call *call)
{
    uint64_t age = queue_age(router, call);
    return age == 0 || call->is_waiting ? UINT64_MAX : call->queued_at + age;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_moment(const struct router *router, const struct call *call)
{
    if (call->state == CALL_RUNNING)
        return call->stall == 0 ? call->deadline
                                : earlier(call->deadline, call->sign_at + call->stall);
    if (is_unserved(call))
        return earlier(call->deadline, patience_end(router, call));
    return earlier(call->deadline, age_end(router, call));
}

void call_arm(struct router *router, struct call *call)
{
    uint64_t due = next_moment(router, call);
    if (wheel_timer_is_set(&call->timer)) {
        if (call->timer.due == due)
            return;
        wheel_stop(&router->wheel, &call->timer);
    }
    wheel_set(&router->wheel, &call->timer, due);
}

void call_pass_deadline(struct router *router, struct call *call)
{
    struct outcome outcome = {.status = BUSBAR_EXPIRED,
                              .fate = call_fate(call),
                              .text = "the deadline passed before a worker was free",
                              .counter = &router->counters->outcome_expired};
    if (is_unserved(call))
        outcome.text = "the deadline passed and nobody came to serve it";
    if (call->attempts > 0) {
        outcome.status = BUSBAR_TIMEOUT;
        outcome.text = "the deadline passed before its worker answered";
        outcome.counter = &router->counters->outcome_timeout;
    }
    call_fail(router, call, &outcome);
}

static void call_pass_stall(struct router *router, struct call *call)
{
    call_fail(router, call,
              &(struct outcome){.status = BUSBAR_TIMEOUT,
                                .fate = BUSBAR_MAYBE_EXECUTED,
                                .text = "its worker gave no sign of working on it for too long",
                                .counter = &router->counters->outcome_stalled});
}

static void call_pass_age(struct router *router, struct call *call)
{
    call_fail(router, call,
              &(struct outcome){.status = BUSBAR_BUSY,
                                .fate = call_fate(call),
                                .text = "it waited too long for a free worker",
                                .counter = &router->counters->outcome_busy,
                                .retry_after = method_retry_after(call->method)});
}

static void call_pass_patience(struct router *router, struct call *call)
{
    bool has_service = !list_is_empty(&call->method->service->exports);
    struct outcome outcome = {.status = has_service ? BUSBAR_NO_METHOD : BUSBAR_NO_SERVICE,
                              .fate = call_fate(call),
                              .text = has_service ? "nobody came to offer the method"
                                                  : "nobody came to export the service",
                              .counter = has_service ? &router->counters->outcome_no_method
                                                     : &router->counters->outcome_no_service};
    if (call->attempts > 0) {
        outcome.status = BUSBAR_WORKER_LOST;
        outcome.text = "its worker was lost and no other came";
        outcome.counter = &router->counters->outcome_worker_lost;
    }
    call_fail(router, call, &outcome);
}

static void call_time(struct router *router, struct call *call, uint64_t now)
{
    if (now >= call->deadline)
        call_pass_deadline(router, call);
    else if (call->state == CALL_RUNNING && call->stall != 0 && now >= call->sign_at + call->stall)
        call_pass_stall(router, call);
    else if (is_unserved(call) && now >= patience_end(router, call))
        call_pass_patience(router, call);
    else if (call->state == CALL_QUEUED && now >= age_end(router, call))
        call_pass_age(router, call);
    else
        call_arm(router, call);
}

/* The list is in the order of its times. */
static void router_end_pacing(struct router *router, uint64_t now)
{
    struct list *first;
    while ((first = list_first(&router->paced)) != NULL) {
        struct peer *worker = CONTAINER_OF(first, struct peer, paced);
        if (now < worker->paced_until)
            return;
        list_remove(&worker->paced);
        router_serve(router, worker, now);
    }
}

uint64_t router_wait(const struct router *router, uint64_t now)
{
    uint64_t wait = wheel_wait(&router->wheel, now);
    const struct list *first = list_first(&router->paced);
    if (first == NULL)
        return wait;
    uint64_t until = CONTAINER_OF(first, struct peer, paced)->paced_until;
    uint64_t pacing = until > now ? until - now : 0;
    return pacing < wait ? pacing : wait;
}

void router_expire(struct router *router, uint64_t now)
{
    struct wheel_timer *timer;
    while ((timer = wheel_expired(&router->wheel, now)) != NULL)
        call_time(router, CONTAINER_OF(timer, struct call, timer), now);
    router_end_pacing(router, now);
}
