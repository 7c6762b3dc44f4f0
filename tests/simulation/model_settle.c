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
        if (worker->alive && !worker->leaving && !worker->resting && !paced &&
            worker->held_count < worker->credit)
            free |= (uint32_t)bit(i);
    }
    return free;
}

/* A call that was accepted and given to nobody waits from now on. */
static void settle_waiting(struct model *model, struct model_call *call)
{
    if (call->phase == PHASE_DOOR) {
        uint8_t service = call->service;
        if (model->waiting_calls[service] >= model->limits.queue_calls)
            history_fail("a queue took more than %llu calls",
                         (unsigned long long)model->limits.queue_calls);
        if (model->waiting_bytes[service] >= model->limits.queue_bytes)
            history_fail("a queue took more than %llu bytes",
                         (unsigned long long)model->limits.queue_bytes);
    }
    call->phase = PHASE_WAITING;
    model->waiting[call->service][call->method]++;
    model->waiting_calls[call->service]++;
    model->waiting_bytes[call->service] += call->body_size;
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
        if (loose)
            settle_waiting(model, call);
        call->reasons = 0;
        call->must_end = false;
    }
    model->loose_count = 0;
}

static void settle_queues(const struct model *model)
{
    uint32_t free = model_free_workers(model);
    for (unsigned service = 0; service < SERVICES; service++) {
        if (model->waiting_calls[service] == 0)
            continue;
        for (unsigned method = 0; method < METHODS; method++) {
            uint32_t offers = model->offers[service][method];
            if (model->waiting[service][method] == 0)
                continue;
            if (offers == 0)
                history_fail("calls wait for method %u of service %u, which nobody offers", method,
                             service);
            if ((offers & free) != 0)
                history_fail("calls wait for method %u of service %u, the workers %#x are free",
                             method, service, offers & free);
        }
    }
}

void model_settle(struct model *model)
{
    if (model->expected.call != 0)
        history_fail("a worker's answer reached nobody");
    if (model->cancels_due != 0)
        history_fail("a worker was not told that nobody waits for its call");
    settle_loose(model);
    settle_queues(model);
    model->quiet = false;
}

void model_settle_time(struct model *model)
{
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *call = &model->calls[model->live[i]];
        if (call->phase != PHASE_ORPHAN && model->now >= call->deadline)
            history_fail("call #%llu of client %u stays %llu ms after its deadline",
                         (unsigned long long)(call->serial >> 16), call->client,
                         (unsigned long long)(model->now - call->deadline));
    }
    model_settle(model);
}

uint64_t model_next_deadline(const struct model *model)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *call = &model->calls[model->live[i]];
        if (call->phase != PHASE_ORPHAN && call->deadline < next)
            next = call->deadline;
    }
    return next;
}
