/* What must hold after an event: nothing forgotten, nobody idle while calls wait. */
#include <busbar/status.h>

#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

/* Workers that must be given a call if one waits. */
uint32_t model_free_workers(const struct model *model)
{
    uint32_t free = 0;
    for (unsigned i = 0; i < PEERS; i++) {
        const struct model_peer *worker = &model->peers[i];
        bool paced = worker->held_count >= PACED_CALLS &&
                     model->now < worker->last_given + PACED_MS;
        if (worker->alive && !worker->leaving && !worker->full && !worker->resting && !paced &&
            worker->held_count < worker->credit)
            free |= (uint32_t)bit(i);
    }
    return free;
}

/* Is there anybody whom it would be given to, once he is free? Without a method that may be anyone. */
static bool has_hope(const struct model *model, const struct model_call *call)
{
    const struct model_service *service = &model->services[call->asked.service];
    return model_servers(model, &call->asked) != 0 ||
           (call->asked.method == WHOLE && !model_is_offered(model, &call->asked) &&
            service->exports != 0);
}

/* It must not wait any longer: nobody serves it, or too long already. */
static bool is_overdue(const struct model *model, const struct model_call *call)
{
    const struct model_limits *limits = &model->limits;
    if (!has_hope(model, call) && !model_is_patient(model, call))
        return true;
    return limits->queue_age != 0 && !call->unserved &&
           model->now >= call->queued_at + limits->queue_age;
}

static bool may_be_over(const struct model *model, const struct model_call *call)
{
    const struct model_limits *limits = &model->limits;
    if (call->unserved && model_crowd(model, call) >= limits->waiting_calls)
        return true;
    return model_may_be_hopeless(model, call) ||
           (limits->queue_age != 0 && model->now >= call->queued_at + limits->queue_age);
}

/* Of the house nobody is told: such a call is over when it must be, and is not counted on when it
 * may be. */
static void look_at(struct model *model, struct model_call *call)
{
    if (call->phase != PHASE_WAITING)
        return;
    if (!model_is_offered(model, &call->asked))
        call->unserved = true;
    bool has_servers = has_hope(model, call);
    if (call->had_servers && !has_servers && call->asked.nameless && call->asked.wait != 0)
        call->wait_until = model->now + call->asked.wait;
    call->had_servers = has_servers;
    if (is_overdue(model, call) || (call->house && model->now >= call->deadline)) {
        if (!call->house)
            history_fail("call #%llu waits for service %u, method %u, and must not any longer",
                         (unsigned long long)(call->serial >> 16), call->asked.service,
                         call->asked.method);
        model_unqueue(model, call);
        model_end(model, call);
    } else if (call->house && !call->uncertain && may_be_over(model, call)) {
        model_unqueue(model, call);
        call->uncertain = true;
        model->uncertain++;
    }
}

static void check_room(struct model *model, struct model_call *call)
{
    const struct model_service *service = &model->services[call->asked.service];
    if (service->waiting_calls >= model->limits.queue_calls)
        history_fail("a queue took more than %llu calls",
                     (unsigned long long)model->limits.queue_calls);
    if (service->waiting_bytes >= model->limits.queue_bytes)
        history_fail("a queue took more than %llu bytes",
                     (unsigned long long)model->limits.queue_bytes);
    if (model_is_offered(model, &call->asked))
        return;
    if (model->unserved >= model->limits.waiting_calls)
        history_fail("more than %llu calls wait for what nobody serves",
                     (unsigned long long)model->limits.waiting_calls);
    call->counted = true;
    model->unserved++;
}

/* A call that was accepted and given to nobody waits from now on. */
static void settle_waiting(struct model *model, struct model_call *call)
{
    struct model_service *service = &model->services[call->asked.service];
    if (call->phase == PHASE_DOOR)
        check_room(model, call);
    if (call->asked.oneway && !call->house)
        history_fail("a oneway call was accepted and its client was not told");
    if (call->phase == PHASE_LOST && !call->house)
        model_spend(model, call);
    call->uncertain = call->house && call->phase == PHASE_LOST && call->reasons != 0;
    call->phase = PHASE_WAITING;
    call->queued_at = model->now;
    if (call->uncertain) {
        model->uncertain++;
        return;
    }
    service->waiting[call->asked.method]++;
    service->waiting_calls++;
    service->waiting_bytes += call->asked.body_size;
    look_at(model, call);
}

static void settle_loose(struct model *model)
{
    for (uint32_t i = 0; i < model->loose_count; i++) {
        struct model_call *call = &model->calls[model->loose[i]];
        bool loose = call->phase == PHASE_DOOR || call->phase == PHASE_RETURNED ||
                     call->phase == PHASE_LOST;
        if (call->must_end && call->phase != PHASE_NONE && call->phase != PHASE_ORPHAN)
            history_fail("a call had to end and did not (reasons %#llx, phase %u)",
                         (unsigned long long)call->reasons, call->phase);
        if (call->phase == PHASE_NONE)
            continue;
        if (call->asked.oneway && !call->house)
            history_fail("a oneway call was accepted and its client was not told");
        if (loose)
            settle_waiting(model, call);
        call->reasons = 0;
        call->must_end = false;
    }
    model->loose_count = 0;
}

static void settle_changes(struct model *model)
{
    for (uint32_t i = model->live_count; i-- > 0;)
        look_at(model, &model->calls[model->live[i]]);
    for (unsigned i = 0; i < SERVICES; i++) {
        struct model_service *service = &model->services[i];
        uint64_t bound = (uint64_t)model->limits.retry_reserve * BUDGET;
        if (service->exports == 0 || service->budget_most > bound)
            service->budget_most = bound;
    }
    model->losing = false;
    model->changed = false;
}

static void settle_queues(const struct model *model)
{
    uint32_t free = model_free_workers(model);
    for (unsigned i = 0; i < SERVICES; i++) {
        const struct model_service *service = &model->services[i];
        for (unsigned method = 0; method < NAMES && service->waiting_calls > 0; method++) {
            uint32_t idle = service->waiting[method] == 0 ? 0
                                                          : model_takers(service, method) & free;
            if (idle != 0)
                history_fail("calls wait for method %u of service %u, the workers %#x are free",
                             method, i, idle);
        }
    }
}

void model_settle(struct model *model)
{
    if (model->expected.call != 0)
        history_fail("what a worker sent reached nobody");
    if (model->cancels_due != 0)
        history_fail("a worker was not told that nobody waits for its call");
    if (model->grants_due != 0)
        history_fail("a worker was not told of %llu parts that were granted",
                     (unsigned long long)model->grants_due);
    settle_loose(model);
    if (model->changed)
        settle_changes(model);
    settle_queues(model);
    model->rescued = 0;
    model->quiet = false;
    model->giver = NOBODY;
}

void model_settle_time(struct model *model)
{
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *call = &model->calls[model->live[i]];
        if (call->phase == PHASE_ORPHAN || (call->house && call->phase == PHASE_WAITING))
            continue;
        if (model->now >= call->deadline)
            history_fail("call #%llu of client %u stays %llu ms after its deadline",
                         (unsigned long long)(call->serial >> 16), call->client,
                         (unsigned long long)(model->now - call->deadline));
        if (call->phase == PHASE_RUNNING && model->now >= call->stall_at)
            history_fail("call #%llu of worker %u stays though its handler is silent",
                         (unsigned long long)(call->serial >> 16), call->worker);
    }
    model_settle(model);
}

uint64_t model_next_deadline(const struct model *model)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *call = &model->calls[model->live[i]];
        if (call->phase != PHASE_ORPHAN && !call->uncertain && call->deadline < next)
            next = call->deadline;
    }
    return next;
}
