/* What workers say of calls they have, and what the loss of one means; the life of a call. */
#include <busbar/status.h>

#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

unsigned model_source(const struct model_service *service, unsigned method)
{
    return service->offers[method] != 0 ? method : WHOLE;
}

static uint32_t offers_of(const struct model *model, const struct request *asked)
{
    const struct model_service *service = &model->services[asked->service];
    return service->offers[model_source(service, asked->method)];
}

uint32_t model_servers(const struct model *model, const struct request *asked)
{
    return offers_of(model, asked) & ~model->services[asked->service].drained;
}

uint32_t model_takers(const struct model_service *service, unsigned method)
{
    uint32_t takers = service->offers[model_source(service, method)];
    if (takers == 0 && method == WHOLE)
        takers = service->exports;
    return takers & ~service->drained;
}

bool model_is_offered(const struct model *model, const struct request *asked)
{
    return offers_of(model, asked) != 0;
}

bool model_is_well_named(const struct model *model, const struct request *asked)
{
    if (asked->service >= SERVICES || asked->method >= NAMES)
        return false;
    return asked->nameless || (asked->method != WHOLE &&
                               (asked->service != FOREIGN || model_is_offered(model, asked)));
}

void model_count_methods(const struct model *model, uint8_t service, size_t *least, size_t *most)
{
    uint64_t sure = 0;
    uint64_t perhaps = 0;
    for (unsigned method = 0; method < NAMES; method++) {
        if (model->services[service].offers[method] != 0)
            sure |= bit(method);
    }
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *call = &model->calls[model->live[i]];
        if (call->asked.service == service)
            *(call->uncertain ? &perhaps : &sure) |= bit(call->asked.method);
    }
    *least = (size_t)__builtin_popcountll(sure);
    *most = (size_t)__builtin_popcountll(sure | perhaps);
}

/* A client without methods cannot ask again: its call waits anew when the last that served it goes. */
bool model_is_patient(const struct model *model, const struct model_call *call)
{
    bool anew = call->asked.nameless && call->asked.wait != 0 && call->had_servers;
    return !model_is_offered(model, &call->asked) &&
           (anew || model->now < call->wait_until || model->now < model->settle_until);
}

/* Too little time left, by what calls needed lately? By which rule is the broker's affair. */
bool model_may_be_hopeless(const struct model *model, const struct model_call *call)
{
    const struct model_service *service = &model->services[call->asked.service];
    uint64_t needed = service->needed[call->asked.method];
    uint64_t left = call->deadline > model->now ? call->deadline - model->now : 0;
    return call->attempts == 0 && service->answered[call->asked.method] != 0 &&
           left <= 2 * needed + 1;
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
    if (call->attempts > 0)
        call->tried[call->attempts - 1].ms = model->now - call->given_at;
}

void model_end(struct model *model, struct model_call *call)
{
    uint16_t index = (uint16_t)(call - model->calls);
    uint16_t last = model->live[--model->live_count];
    if (call->house && call->phase != PHASE_ORPHAN)
        model->house_over++;
    model->live[call->at] = last;
    model->calls[last].at = call->at;
    call->phase = PHASE_NONE;
    call->serial = 0;
    model->free[model->free_count++] = index;
}

void model_unqueue(struct model *model, struct model_call *call)
{
    struct model_service *service = &model->services[call->asked.service];
    model->unserved -= call->counted;
    call->counted = false;
    if (call->uncertain) {
        call->uncertain = false;
        model->uncertain--;
        return;
    }
    service->waiting[call->asked.method]--;
    service->waiting_calls--;
    service->waiting_bytes -= call->asked.body_size;
}

void model_outcome(struct model *model, struct model_call *call)
{
    struct model_peer *client = &model->peers[call->client];
    model->outcomes++;
    client->open[call->asked.client_id % IDS] = 0;
    client->open_count--;
    call->client = NOBODY;
    if (call->phase == PHASE_WAITING)
        model_unqueue(model, call);
    if (call->phase != PHASE_RUNNING) {
        model_end(model, call);
        return;
    }
    call->phase = PHASE_ORPHAN;
    call->cancel_due = true;
    model->cancels_due++;
}

static void learn(struct model *model, const struct model_call *call)
{
    struct model_service *service = &model->services[call->asked.service];
    uint64_t took = model->now - call->given_at;
    if (took > service->needed[call->asked.method] || service->answered[call->asked.method] == 0) {
        service->needed[call->asked.method] = took;
        model->changed = true;
    }
    service->answered[call->asked.method] = model->now;
}

static void expect(struct model *model, const struct model_call *call,
                   const struct expected *expected)
{
    model->expected = *expected;
    model->expected.call = (uint16_t)(call - model->calls + 1);
}

/* Quick is who answers more than one call in a millisecond. */
static void count_answer(const struct model *model, struct model_peer *worker)
{
    if (model->now >= worker->answers_since + ROW_MS) {
        bool follows = model->now < worker->answers_since + 2 * ROW_MS;
        worker->answers[1] = follows ? worker->answers[0] : 0;
        worker->answers[0] = 0;
        worker->answers_since = model->now;
    }
    worker->answers[0]++;
}

/* Who answers quickly may be given as many calls in a row. */
static void note_answer(const struct model *model, struct model_peer *worker)
{
    uint64_t most = (uint64_t)worker->credit * worker->credit / ROW_CREDIT;
    count_answer(model, worker);
    if (model->now > worker->row_at + ROW_MS)
        worker->row = 0;
    worker->row_at = model->now;
    if (worker->row < most)
        worker->row++;
}

void model_answer(struct model *model, uint16_t index, const struct expected *expected)
{
    struct model_call *call = &model->calls[index];
    model->peers[call->worker].resting = false;
    note_answer(model, &model->peers[call->worker]);
    learn(model, call);
    model_release(model, call);
    if (call->phase == PHASE_ORPHAN || call->house) {
        model_end(model, call);
        return;
    }
    call->phase = PHASE_ANSWERED;
    expect(model, call, expected);
    if (expected->status != BUSBAR_OK && expected->fate == BUSBAR_NOT_EXECUTED &&
        call->attempts > 1)
        model->expected.fate = BUSBAR_MAYBE_EXECUTED; /* by a worker that was lost with it */
}

/* A call that must end, and of which nobody is told, has ended. */
static void loosen_or_end(struct model *model, struct model_call *call, enum phase phase)
{
    call->must_end = call->reasons != 0;
    if (call->must_end && call->house)
        model_end(model, call);
    else
        model_loosen(model, call, phase);
}

void model_return(struct model *model, uint16_t index, bool whole)
{
    struct model_call *call = &model->calls[index];
    struct model_peer *worker = &model->peers[call->worker];
    model->giver = call->worker;
    model_release(model, call);
    worker->resting = call->phase != PHASE_ORPHAN && worker->held_count > 0;
    if (call->phase == PHASE_ORPHAN) {
        model_end(model, call);
        return;
    }
    if (!call->streamed)
        call->attempts--;
    if (call->streamed) /* it had begun */
        call->reasons = bit(BUSBAR_APP_ERROR);
    else if (!whole && !model_is_kept(call))
        call->reasons = bit(BUSBAR_BUSY);
    else if (model_servers(model, &call->asked) == 0 && model_is_offered(model, &call->asked))
        call->reasons = bit(BUSBAR_DRAINING);
    else if (model_servers(model, &call->asked) == 0 && !model_is_patient(model, call))
        call->reasons = bit(BUSBAR_NO_SERVICE);
    loosen_or_end(model, call, PHASE_RETURNED);
}

void model_part(struct model *model, uint16_t index, const struct expected *expected)
{
    struct model_call *call = &model->calls[index];
    if (call->phase == PHASE_ORPHAN) {
        model->quiet = true;
        return;
    }
    if (!call->asked.stream || call->house || call->window == 0)
        call->reasons = bit(BUSBAR_APP_ERROR);
    else if (expected->body_size > model->limits.body_limit)
        call->reasons = bit(BUSBAR_RESULT_TOO_LARGE);
    call->must_end = call->reasons != 0;
    if (call->must_end && call->house) {
        call->reasons = 0;
        call->phase = PHASE_ORPHAN;
        call->cancel_due = true;
        model->cancels_due++;
        model->house_over++;
        return;
    }
    if (call->must_end) {
        model->loose[model->loose_count++] = index;
        return;
    }
    call->window--;
    call->streamed = true;
    if (call->stall != 0)
        call->stall_at = model->now + call->stall;
    expect(model, call, expected);
}

void model_progress(struct model *model, uint16_t index, const struct expected *expected)
{
    struct model_call *call = &model->calls[index];
    if (call->phase == PHASE_ORPHAN || call->house || model->peers[call->client].congested)
        model->quiet = true;
    else
        expect(model, call, expected);
    if (call->phase != PHASE_ORPHAN && call->stall != 0)
        call->stall_at = model->now + call->stall;
}

/* A call whose worker is gone: by whose word may it be given to another? */
void model_lose(struct model *model, struct model_call *call)
{
    model_release(model, call);
    if (call->phase == PHASE_ORPHAN) {
        model->cancels_due -= call->cancel_due; /* its own call: there is nobody to tell */
        model_end(model, call);
        return;
    }
    bool poisoned = call->attempts >= model->limits.attempts;
    bool nobody = model_servers(model, &call->asked) == 0 && !model_is_patient(model, call);
    if (!call->idempotent || call->streamed || (nobody && !poisoned))
        call->reasons = bit(BUSBAR_WORKER_LOST);
    else if (poisoned)
        call->reasons = bit(BUSBAR_POISONED);
    loosen_or_end(model, call, PHASE_LOST);
    if (call->phase == PHASE_LOST && !call->must_end)
        model->services[call->asked.service].losing++;
}

/* May the retry budgets be used up before all are repeated that may be? Which are is not foreseen. */
void model_spend_all(struct model *model)
{
    for (uint32_t i = 0; i < model->loose_count && model->limits.retry_reserve != 0; i++) {
        struct model_call *call = &model->calls[model->loose[i]];
        const struct model_service *service = &model->services[call->asked.service];
        if (call->phase == PHASE_LOST && service->budget_least < service->losing * BUDGET)
            call->reasons |= bit(BUSBAR_WORKER_LOST);
    }
    for (unsigned i = 0; i < SERVICES; i++) {
        struct model_service *service = &model->services[i];
        uint64_t spent = service->losing * BUDGET;
        service->budget_least = service->budget_least > spent ? service->budget_least - spent : 0;
        service->losing = 0;
    }
}
