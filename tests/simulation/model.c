/* What each event does to the tables, before the router is told of it. */
#include "tests/simulation/model.h"

#include <busbar/status.h>
#include <string.h>

#include "tests/simulation/history.h"

void model_start(struct model *model, const struct model_limits *limits, uint64_t now)
{
    uint64_t serial = model->serial;
    memset(model, 0, sizeof *model);
    model->serial = serial;
    model->limits = *limits;
    model->now = now;
    for (uint32_t i = 0; i < CALLS; i++)
        model->free[i] = (uint16_t)(CALLS - 1 - i);
    model->free_count = CALLS;
}

void model_join(struct model *model, uint8_t peer)
{
    model->peers[peer] = (struct model_peer){.alive = true, .credit = 1};
}

void model_register(struct model *model, uint8_t worker, uint8_t service, uint32_t methods,
                    uint32_t repeatable)
{
    model->exports[service] |= (uint32_t)bit(worker);
    for (unsigned method = 0; method < METHODS; method++) {
        if ((methods & bit(method)) != 0)
            model->offers[service][method] |= (uint32_t)bit(worker);
        if ((methods & repeatable & bit(method)) != 0)
            model->repeatable[service][method] |= (uint32_t)bit(worker);
    }
    model->peers[worker].resting = false;
}

void model_deregister(struct model *model, uint8_t worker, uint8_t service)
{
    uint32_t others = ~(uint32_t)bit(worker);
    model->exports[service] &= others;
    for (unsigned method = 0; method < METHODS; method++) {
        model->offers[service][method] &= others;
        model->repeatable[service][method] &= others;
    }
}

void model_credit(struct model *model, uint8_t worker, uint32_t credit)
{
    model->peers[worker].credit = credit;
    model->peers[worker].resting = false;
}

void model_leave(struct model *model, uint8_t worker)
{
    model->peers[worker].leaving = true;
}

/* Everything a broker may refuse the call for whoever is free; none of them: it must not. */
static uint64_t door_reasons(const struct model *model, const struct request *request)
{
    uint64_t reasons = 0;
    if (model->draining)
        reasons |= bit(BUSBAR_DRAINING);
    if (request->timeout == UINT32_MAX)
        reasons |= bit(BUSBAR_BAD_REQUEST);
    if (request->timeout == 0)
        reasons |= bit(BUSBAR_EXPIRED);
    if (request->body_size > model->limits.body_limit)
        reasons |= bit(BUSBAR_TOO_LARGE);
    if (request->service == SERVICES || request->method == METHODS)
        return reasons | bit(BUSBAR_BAD_REQUEST);
    if (model->exports[request->service] == 0)
        reasons |= bit(BUSBAR_NO_SERVICE);
    else if (model->offers[request->service][request->method] == 0)
        reasons |= bit(BUSBAR_NO_METHOD);
    return reasons;
}

uint16_t model_call(struct model *model, const struct request *request)
{
    if (model->free_count == 0)
        history_fail("the model's table of calls is full");
    uint16_t index = model->free[--model->free_count];
    struct model_call *call = &model->calls[index];
    *call = (struct model_call){
        .serial = ++model->serial << 16 | index,
        .client_id = request->client_id,
        .deadline = model->now + request->timeout,
        .reasons = door_reasons(model, request),
        .body_size = request->body_size,
        .at = model->live_count,
        .client = request->client,
        .worker = NOBODY,
        .service = request->service,
        .method = request->method,
        .asked_idempotent = request->idempotent,
    };
    call->must_end = call->reasons != 0;
    model->live[model->live_count++] = index;
    model->peers[call->client].open[call->client_id % IDS] = (uint16_t)(index + 1);
    model->received++;
    model_loosen(model, call, PHASE_DOOR);
    return index;
}

void model_loosen(struct model *model, struct model_call *call, enum phase phase)
{
    call->phase = (uint8_t)phase;
    model->loose[model->loose_count++] = (uint16_t)(call - model->calls);
}

void model_release(struct model *model, struct model_call *call)
{
    struct model_peer *worker = &model->peers[call->worker];
    uint16_t last = worker->held[--worker->held_count];
    worker->held[call->place] = last;
    model->calls[last].place = call->place;
    call->worker = NOBODY;
}

void model_end(struct model *model, struct model_call *call)
{
    uint16_t index = (uint16_t)(call - model->calls);
    uint16_t last = model->live[--model->live_count];
    model->live[call->at] = last;
    model->calls[last].at = call->at;
    call->phase = PHASE_NONE;
    call->serial = 0;
    model->free[model->free_count++] = index;
}

static void leave_queue(struct model *model, const struct model_call *call)
{
    model->waiting[call->service][call->method]--;
    model->waiting_calls[call->service]--;
    model->waiting_bytes[call->service] -= call->body_size;
}

void model_outcome(struct model *model, struct model_call *call)
{
    model->outcomes++;
    model->peers[call->client].open[call->client_id % IDS] = 0;
    call->client = NOBODY;
    if (call->phase == PHASE_WAITING)
        leave_queue(model, call);
    if (call->phase != PHASE_RUNNING) {
        model_end(model, call);
        return;
    }
    call->phase = PHASE_ORPHAN;
    call->cancel_due = true;
    model->cancels_due++;
}

void model_answer(struct model *model, uint16_t index, const struct expected *expected)
{
    struct model_call *call = &model->calls[index];
    model->peers[call->worker].resting = false;
    model_release(model, call);
    if (call->phase == PHASE_ORPHAN) {
        model_end(model, call);
        return;
    }
    call->phase = PHASE_ANSWERED;
    model->expected = *expected;
    model->expected.call = (uint16_t)(index + 1);
    if (!expected->reply && expected->fate == BUSBAR_NOT_EXECUTED && call->attempts > 1)
        model->expected.fate = BUSBAR_MAYBE_EXECUTED; /* by a worker that was lost with it */
}

void model_return(struct model *model, uint16_t index, bool whole)
{
    struct model_call *call = &model->calls[index];
    struct model_peer *worker = &model->peers[call->worker];
    model_release(model, call);
    worker->resting = call->phase != PHASE_ORPHAN && worker->held_count > 0;
    if (call->phase == PHASE_ORPHAN) {
        model_end(model, call);
        return;
    }
    call->attempts--;
    if (!whole && !call->idempotent)
        call->reasons = bit(BUSBAR_BUSY);
    else if (model->offers[call->service][call->method] == 0)
        call->reasons = bit(BUSBAR_NO_SERVICE);
    call->must_end = call->reasons != 0;
    model_loosen(model, call, PHASE_RETURNED);
}

void model_cancel(struct model *model, uint8_t client, uint64_t client_id)
{
    uint16_t open = model->peers[client].open[client_id % IDS];
    if (open == 0 || model->calls[open - 1].client_id != client_id) {
        model->quiet = true;
        return;
    }
    struct model_call *call = &model->calls[open - 1];
    call->reasons = bit(BUSBAR_CANCELLED);
    call->must_end = true;
    model->loose[model->loose_count++] = (uint16_t)(open - 1);
}

/* A call whose worker is gone: by whose word may it be given to another? */
static void model_lose(struct model *model, struct model_call *call)
{
    model_release(model, call);
    if (call->phase == PHASE_ORPHAN) {
        model->cancels_due -= call->cancel_due; /* its own call: there is nobody to tell */
        model_end(model, call);
        return;
    }
    if (call->idempotent && call->attempts >= model->limits.attempts)
        call->reasons = bit(BUSBAR_POISONED);
    else if (!call->idempotent || model->offers[call->service][call->method] == 0)
        call->reasons = bit(BUSBAR_WORKER_LOST);
    call->must_end = call->reasons != 0;
    model_loosen(model, call, PHASE_LOST);
}

void model_die(struct model *model, uint8_t peer)
{
    struct model_peer *dead = &model->peers[peer];
    for (unsigned i = 0; i < IDS; i++) {
        if (dead->open[i] != 0)
            model_outcome(model, &model->calls[dead->open[i] - 1]);
    }
    dead->leaving = true;
    for (uint8_t service = 0; service < SERVICES; service++)
        model_deregister(model, peer, service);
    while (dead->held_count > 0)
        model_lose(model, &model->calls[dead->held[0]]);
    dead->alive = false;
}
