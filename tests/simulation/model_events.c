/* What each event does to the tables, before the router is told of it. */
#include <busbar/status.h>
#include <string.h>

#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

void model_start(struct model *model, const struct model_limits *limits, uint64_t now)
{
    uint64_t serial = model->serial;
    memset(model, 0, sizeof *model);
    model->serial = serial;
    model->limits = *limits;
    model->now = now;
    model->giver = NOBODY;
    for (uint32_t i = 0; i < CALLS; i++)
        model->free[i] = (uint16_t)(CALLS - 1 - i);
    model->free_count = CALLS;
    for (unsigned service = 0; service < SERVICES; service++)
        model->services[service].budget_least = model->services[service].budget_most =
            (uint64_t)limits->retry_reserve * BUDGET;
}

/* The worker's place in the order of each key is not known any more. */
static void forget_order(struct model *model, uint8_t worker)
{
    for (unsigned key = 0; key <= KEYS; key++) {
        model->behind[key][worker] = 0;
        for (unsigned other = 0; other < PEERS; other++)
            model->behind[key][other] &= ~(uint32_t)bit(worker);
    }
}

void model_join(struct model *model, uint8_t peer, uint64_t number, bool nameless)
{
    model->peers[peer] = (struct model_peer){
        .alive = true, .credit = 1, .number = number, .nameless = nameless};
    forget_order(model, peer);
}

void model_register(struct model *model, const struct offer *offer)
{
    struct model_service *service = &model->services[offer->service];
    uint32_t worker = (uint32_t)bit(offer->worker);
    service->exports |= worker;
    if (offer->named)
        service->named |= worker;
    for (unsigned method = 0; method < NAMES; method++) {
        if ((offer->methods & bit(method)) == 0)
            continue;
        service->offers[method] |= worker;
        if ((offer->repeatable & bit(method)) != 0)
            service->repeatable[method] |= worker;
        service->stall[method][offer->worker] = offer->stall;
    }
    model->peers[offer->worker].resting = false;
    model->changed = true;
    forget_order(model, offer->worker);
}

void model_deregister(struct model *model, uint8_t worker, uint8_t number)
{
    struct model_service *service = &model->services[number];
    uint32_t others = ~(uint32_t)bit(worker);
    service->exports &= others;
    service->drained &= others;
    service->named &= others;
    for (unsigned method = 0; method < NAMES; method++) {
        service->offers[method] &= others;
        service->repeatable[method] &= others;
    }
    if (service->exports == 0) /* it may be forgotten with all that it spent */
        service->budget_most = (uint64_t)model->limits.retry_reserve * BUDGET;
    model->changed = true;
}

void model_drain(struct model *model, uint8_t service, uint32_t workers, bool drain)
{
    uint32_t concerned = model->services[service].exports & workers;
    if (drain)
        model->services[service].drained |= concerned;
    else
        model->services[service].drained &= ~concerned;
    for (unsigned worker = 0; worker < PEERS && !drain; worker++) {
        if ((concerned & bit(worker)) != 0)
            model->peers[worker].resting = false;
    }
    model->changed = true;
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
static uint64_t door_reasons(const struct model *model, const struct model_call *call)
{
    const struct request *asked = &call->asked;
    const struct model_limits *limits = &model->limits;
    bool named = model_is_well_named(model, asked);
    uint64_t reasons = 0;
    if (model->draining)
        reasons |= bit(BUSBAR_DRAINING);
    if (asked->timeout == UINT32_MAX || !named)
        reasons |= bit(BUSBAR_BAD_REQUEST);
    if (asked->timeout == 0)
        reasons |= bit(BUSBAR_EXPIRED);
    if (asked->body_size > limits->body_limit)
        reasons |= bit(BUSBAR_TOO_LARGE);
    if (limits->hops != 0 && asked->hops > limits->hops)
        reasons |= bit(BUSBAR_LOOP);
    if (limits->client_calls != 0 && model->peers[call->client].open_count >= limits->client_calls)
        reasons |= bit(BUSBAR_BUSY);
    if (!named || model_servers(model, asked) != 0)
        return reasons;
    if (model_is_offered(model, asked))
        reasons |= bit(BUSBAR_DRAINING);
    else if (!model_is_patient(model, call))
        reasons |= bit(model->services[asked->service].exports == 0 ? BUSBAR_NO_SERVICE
                                                                    : BUSBAR_NO_METHOD);
    return reasons;
}

uint16_t model_call(struct model *model, const struct request *request)
{
    if (model->free_count == 0)
        history_fail("the model's table of calls is full");
    uint16_t index = model->free[--model->free_count];
    struct model_call *call = &model->calls[index];
    struct model_peer *client = &model->peers[request->client];
    *call = (struct model_call){
        .asked = *request,
        .serial = ++model->serial << 16 | index,
        .deadline = model->now + request->timeout,
        .wait_until = request->wait == 0 ? 0 : model->now + request->wait,
        .stall_at = UINT64_MAX,
        .window = request->window == 0 ? WINDOW : request->window,
        .at = model->live_count,
        .client = request->client,
        .worker = NOBODY,
    };
    call->reasons = door_reasons(model, call);
    call->must_end = call->reasons != 0;
    model->live[model->live_count++] = index;
    client->open[request->client_id % IDS] = (uint16_t)(index + 1);
    client->open_count++;
    model->received++;
    model_loosen(model, call, PHASE_DOOR);
    return index;
}

/* The call that a client names and waits for, or NULL: then nothing may happen. */
static struct model_call *call_named(struct model *model, uint8_t client, uint64_t client_id)
{
    uint16_t open = model->peers[client].open[client_id % IDS];
    if (open != 0 && model->calls[open - 1].asked.client_id == client_id)
        return &model->calls[open - 1];
    model->quiet = true;
    return NULL;
}

void model_cancel(struct model *model, uint8_t client, uint64_t client_id)
{
    struct model_call *call = call_named(model, client, client_id);
    if (call == NULL)
        return;
    call->reasons = bit(BUSBAR_CANCELLED);
    call->must_end = true;
    model->loose[model->loose_count++] = (uint16_t)(call - model->calls);
}

void model_grant(struct model *model, uint8_t client, uint64_t client_id, uint32_t parts)
{
    struct model_call *call = call_named(model, client, client_id);
    if (call == NULL)
        return;
    model->quiet = !call->asked.stream;
    if (!call->asked.stream)
        return;
    call->granted += parts;
    call->window += parts;
    if (call->phase == PHASE_RUNNING)
        model->grants_due += parts;
}

void model_die(struct model *model, uint8_t peer)
{
    struct model_peer *dead = &model->peers[peer];
    for (unsigned i = 0; i < IDS; i++) {
        if (dead->open[i] != 0)
            model_outcome(model, &model->calls[dead->open[i] - 1]);
    }
    dead->leaving = true;
    for (unsigned service = 0; service < SERVICES; service++)
        model_deregister(model, peer, (uint8_t)service);
    model->losing = true;
    while (dead->held_count > 0)
        model_lose(model, &model->calls[dead->held[0]]);
    model_spend_all(model);
    dead->alive = false;
}

/* Of calls of the house nobody is told: what ends them is known beforehand. */
void model_time(struct model *model, uint64_t now)
{
    model->now = now;
    model->changed = true;
    for (uint32_t i = 0; i < model->live_count; i++) {
        struct model_call *call = &model->calls[model->live[i]];
        if (!call->house || call->phase != PHASE_RUNNING ||
            (now < call->deadline && now < call->stall_at))
            continue;
        call->phase = PHASE_ORPHAN;
        call->cancel_due = true;
        model->cancels_due++;
        model->house_over++;
    }
}

size_t model_drop_waiting(struct model *model, bool accepted)
{
    size_t dropped = 0;
    for (uint32_t i = model->live_count; i-- > 0;) {
        struct model_call *call = &model->calls[model->live[i]];
        if (call->phase != PHASE_WAITING || (call->house && !accepted))
            continue;
        dropped += !call->uncertain;
        if (call->house) {
            model_unqueue(model, call);
            model_end(model, call);
            continue;
        }
        call->reasons = bit(BUSBAR_DRAINING);
        call->must_end = true;
        model->loose[model->loose_count++] = (uint16_t)(call - model->calls);
    }
    return dropped;
}
