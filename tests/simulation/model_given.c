/* A call that the router gave to a worker, held against the tables. */
#include <busbar/status.h>
#include <string.h>

#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

const uint8_t *model_body(const struct model_call *call, uint8_t *buffer)
{
    memset(buffer, (int)(call->serial >> 16 & 0xff), call->asked.body_size);
    memcpy(buffer, &call->serial, sizeof call->serial);
    return buffer;
}

/* The call that a request's body names. */
static struct model_call *call_of_body(struct model *model, const uint8_t *body, size_t size)
{
    uint64_t serial;
    if (size < sizeof serial)
        history_fail("a worker was given a body of %zu bytes that no client sent", size);
    memcpy(&serial, body, sizeof serial);
    struct model_call *call = &model->calls[serial % CALLS];
    if (call->phase == PHASE_NONE || call->serial != serial)
        history_fail("a worker was given call #%llu, which is over",
                     (unsigned long long)(serial >> 16));
    bool same = size == call->asked.body_size;
    if (same && size > 8)
        same = body[8] == (uint8_t)(serial >> 16) && memcmp(body + 8, body + 9, size - 9) == 0;
    if (!same)
        history_fail("a worker was given another body than the client sent");
    return call;
}

/* Who knows no methods is not told one that only the configuration named. */
static bool is_blank(const struct model *model, const struct model_call *call, uint8_t worker)
{
    const struct model_service *service = &model->services[call->asked.service];
    return call->asked.nameless && service->names_method &&
           (service->offers[WHOLE] & bit(worker)) != 0;
}

static void check_call(const struct model *model, const struct model_call *call,
                       const struct given *given)
{
    if (call->phase != PHASE_DOOR && call->phase != PHASE_WAITING &&
        call->phase != PHASE_RETURNED && call->phase != PHASE_LOST)
        history_fail("a call was given to a worker in phase %u", call->phase);
    if (call->must_end)
        history_fail("a call was given to a worker that had to end (reasons %#llx)",
                     (unsigned long long)call->reasons);
    bool blank = is_blank(model, call, given->worker);
    if (given->service != call->asked.service ||
        given->method != (blank ? WHOLE : call->asked.method))
        history_fail("a call was given under another name (of a method: %u)", given->method);
    if (call->attempts >= model->limits.attempts)
        history_fail("a call was given to a worker once more after %u attempts", call->attempts);
    if (model->now >= call->deadline)
        history_fail("a call was given to a worker %llu ms after its deadline",
                     (unsigned long long)(model->now - call->deadline));
    if (given->timeout != call->deadline - model->now)
        history_fail("a worker was told of %u ms, left are %llu", given->timeout,
                     (unsigned long long)(call->deadline - model->now));
    if (given->oneway != call->asked.oneway ||
        given->stream != (call->asked.stream && !call->asked.oneway))
        history_fail("a worker was told of another kind of call");
}

static void check_worker(const struct model *model, const struct model_call *call,
                         const struct given *given)
{
    const struct model_peer *worker = &model->peers[given->worker];
    const struct model_service *service = &model->services[call->asked.service];
    if (!worker->alive || worker->leaving)
        history_fail("worker %u is %s and was given a call", given->worker,
                     worker->alive ? "leaving" : "gone");
    if (worker->full)
        history_fail("worker %u has not taken what is due to it and was given a call",
                     given->worker);
    if ((service->drained & bit(given->worker)) != 0)
        history_fail("worker %u is drained and was given a call", given->worker);
    if ((model_takers(service, call->asked.method) & bit(given->worker)) == 0)
        history_fail("worker %u was given a call of a method it does not take", given->worker);
    if (worker->held_count >= worker->credit)
        history_fail("worker %u has %u calls of %u and was given another", given->worker,
                     worker->held_count, worker->credit);
    unsigned source = model_source(service, call->asked.method);
    bool repeatable = call->asked.idempotent ||
                      (service->repeatable[source] & bit(given->worker)) != 0;
    if (given->idempotent != repeatable)
        history_fail("the flag IDEMPOTENT is %d and should be %d", given->idempotent, repeatable);
}

/* May the worker be given a call that would be another's by what they have? Once for each answer. */
static bool spend_row(const struct model *model, struct model_peer *worker)
{
    bool is_quick = worker->answers[0] > ROW_MS || worker->answers[1] > ROW_MS;
    if (worker->row == 0 || model->now > worker->row_at + ROW_MS || !is_quick)
        return false;
    worker->row--;
    return true;
}

/* Is it the right one among those that were free? Not for a call out of a queue: that goes to the
 * one that became free. */
static void check_choice(struct model *model, const struct model_call *call, uint8_t chosen)
{
    enum spread spread = model->services[call->asked.service].spread;
    uint32_t free = model_free_workers(model) & model_servers(model, &call->asked);
    uint32_t *behind = model->behind[call->asked.key];
    free &= ~(uint32_t)bit(chosen);
    if (model->giver != NOBODY)
        free &= ~(uint32_t)bit(model->giver);
    if (call->phase == PHASE_WAITING || spread == SPREAD_ANYHOW)
        return;
    bool sticky = spread == SPREAD_STICKY && call->asked.key != 0;
    bool in_row = false;
    for (unsigned other = 0; other < PEERS && free != 0; other++) {
        if ((free & bit(other)) == 0)
            continue;
        if (sticky && (behind[other] & bit(chosen)) != 0)
            history_fail("a call of key %u went to worker %u, before that to %u, which is free",
                         call->asked.key, chosen, other);
        bool is_passed_over = !sticky &&
                              model->peers[other].held_count < model->peers[chosen].held_count;
        if (is_passed_over && !in_row)
            in_row = spend_row(model, &model->peers[chosen]);
        if (is_passed_over && !in_row)
            history_fail("worker %u was given a call and has %u, worker %u has %u", chosen,
                         model->peers[chosen].held_count, other, model->peers[other].held_count);
    }
    if (sticky)
        behind[chosen] |= free;
}

/* Notes the id; a second time is a failure. */
static void check_id(struct model *model, uint64_t id)
{
    size_t at = (id * UINT64_C(0x9e3779b97f4a7c15)) >> 46;
    while (model->used[at] != 0) {
        if (model->used[at] == id)
            history_fail("the id %#llx was used twice", (unsigned long long)id);
        at = (at + 1) % USED;
    }
    model->used[at] = id;
    if (++model->used_count > USED - USED / 8)
        history_fail("the model's table of ids is full");
}

/* What is over the bound is lost: not known when others spend in the same event. */
static void earn(const struct model *model, struct model_service *service)
{
    uint64_t bound = (uint64_t)model->limits.retry_reserve * BUDGET;
    service->budget_most += model->limits.retry_percent;
    if (model->losing)
        return;
    service->budget_least += model->limits.retry_percent;
    if (service->budget_least > bound)
        service->budget_least = bound;
    if (service->budget_most > bound)
        service->budget_most = bound;
}

void model_spend(struct model *model, const struct model_call *call)
{
    struct model_service *service = &model->services[call->asked.service];
    if (model->limits.retry_reserve == 0)
        return;
    if (service->budget_most < BUDGET)
        history_fail("a call was repeated though the budget of service %u is spent",
                     call->asked.service);
    service->budget_most -= BUDGET;
}

static void note_worker(struct model *model, struct model_call *call, const struct given *given)
{
    struct model_peer *worker = &model->peers[given->worker];
    struct model_service *service = &model->services[call->asked.service];
    unsigned source = model_source(service, call->asked.method);
    bool offered = (service->offers[source] & bit(given->worker)) != 0;
    uint32_t stall = offered ? service->stall[source][given->worker] : 0;
    call->worker = given->worker;
    call->worker_id = given->worker_id;
    call->idempotent = given->idempotent;
    call->given_at = model->now;
    call->stall = stall;
    call->stall_at = stall == 0 ? UINT64_MAX : model->now + stall;
    call->named = (service->named & bit(given->worker)) != 0;
    call->blank = is_blank(model, call, given->worker);
    call->place = (uint16_t)worker->held_count;
    call->told = 0;
    model->grants_due += call->granted;
    worker->held[worker->held_count++] = (uint16_t)(call - model->calls);
    worker->last_given = model->now;
    call->attempts++;
    if (!call->was_given)
        earn(model, service);
    call->was_given = true;
    call->tried[call->attempts - 1].worker = worker->number;
}

struct model_call *model_given(struct model *model, const struct given *given)
{
    if (model->quiet)
        history_fail("CALL was sent though the event must change nothing");
    struct model_call *call = call_of_body(model, given->body, given->body_size);
    check_call(model, call, given);
    check_worker(model, call, given);
    check_choice(model, call, given->worker);
    check_id(model, given->worker_id);
    if (call->phase == PHASE_WAITING)
        model_unqueue(model, call);
    if (call->phase == PHASE_LOST)
        model_spend(model, call);
    model->rescued += call->unserved || !model_is_offered(model, &call->asked);
    call->phase = PHASE_RUNNING;
    call->unserved = false;
    call->had_servers = true;
    call->reasons = 0;
    note_worker(model, call, given);
    return call;
}
