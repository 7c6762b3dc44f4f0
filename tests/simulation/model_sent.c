/* What the router sent, held against the tables: who may be given a call, who is told what. */
#include <busbar/status.h>
#include <string.h>

#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

static void expect_noise(const struct model *model, const char *what)
{
    if (model->quiet)
        history_fail("%s was sent though the event must change nothing", what);
}

const uint8_t *model_body(const struct model_call *call, uint8_t *buffer)
{
    memset(buffer, (int)(call->serial >> 16 & 0xff), call->body_size);
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
    uint8_t fill = (uint8_t)(serial >> 16);
    bool same = size == call->body_size;
    if (same && size > 8)
        same = body[8] == fill && memcmp(body + 8, body + 9, size - 9) == 0;
    if (!same)
        history_fail("a worker was given another body than the client sent");
    return call;
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
    if (given->service != call->service || given->method != call->method)
        history_fail("a call was given under another name");
    if (call->attempts >= model->limits.attempts)
        history_fail("a call was given to a worker once more after %u attempts", call->attempts);
    if (model->now >= call->deadline)
        history_fail("a call was given to a worker %llu ms after its deadline",
                     (unsigned long long)(model->now - call->deadline));
    if (given->timeout != call->deadline - model->now)
        history_fail("a worker was told of %u ms, left are %llu", given->timeout,
                     (unsigned long long)(call->deadline - model->now));
}

static void check_worker(const struct model *model, const struct model_call *call,
                         const struct given *given)
{
    const struct model_peer *worker = &model->peers[given->worker];
    if (!worker->alive || worker->leaving)
        history_fail("worker %u is %s and was given a call", given->worker,
                     worker->alive ? "leaving" : "gone");
    if ((model->offers[call->service][call->method] & bit(given->worker)) == 0)
        history_fail("worker %u was given a call of a method it does not offer", given->worker);
    if (worker->held_count >= worker->credit)
        history_fail("worker %u has %u calls of %u and was given another", given->worker,
                     worker->held_count, worker->credit);
    bool repeatable = call->asked_idempotent ||
                      (model->repeatable[call->service][call->method] & bit(given->worker)) != 0;
    if (given->idempotent != repeatable)
        history_fail("the flag IDEMPOTENT is %d and should be %d", given->idempotent, repeatable);
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

uint16_t model_given(struct model *model, const struct given *given)
{
    expect_noise(model, "CALL");
    struct model_call *call = call_of_body(model, given->body, given->body_size);
    struct model_peer *worker = &model->peers[given->worker];
    check_call(model, call, given);
    check_worker(model, call, given);
    check_id(model, given->worker_id);
    if (call->phase == PHASE_WAITING) {
        model->waiting[call->service][call->method]--;
        model->waiting_calls[call->service]--;
        model->waiting_bytes[call->service] -= call->body_size;
    }
    call->phase = PHASE_RUNNING;
    call->attempts++;
    call->worker = given->worker;
    call->worker_id = given->worker_id;
    call->idempotent = given->idempotent;
    call->place = (uint16_t)worker->held_count;
    worker->held[worker->held_count++] = (uint16_t)(call - model->calls);
    worker->last_given = model->now;
    return (uint16_t)(call - model->calls);
}

void model_told_cancel(struct model *model, uint8_t worker, uint64_t worker_id)
{
    const struct model_peer *peer = &model->peers[worker];
    expect_noise(model, "CANCEL");
    if (!peer->alive)
        return;
    for (uint32_t i = 0; i < peer->held_count; i++) {
        struct model_call *call = &model->calls[peer->held[i]];
        if (call->worker_id != worker_id)
            continue;
        if (!call->cancel_due)
            history_fail("worker %u was sent CANCEL of a call that somebody waits for, or twice",
                         worker);
        call->cancel_due = false;
        model->cancels_due--;
        return;
    }
    history_fail("worker %u was sent CANCEL of a call it does not have", worker);
}

/* May a queue or an account be full? */
static bool busy_is_true(const struct model *model, const struct model_call *call)
{
    const struct model_peer *client = &model->peers[call->client];
    uint64_t kept = 0;
    uint64_t waiting = model->waiting_calls[call->service];
    if (call->phase == PHASE_DOOR &&
        (waiting >= model->limits.queue_calls ||
         model->waiting_bytes[call->service] + waiting * HEADER_MOST >= model->limits.queue_bytes))
        return true;
    for (unsigned i = 0; i < IDS; i++) {
        const struct model_call *other = &model->calls[client->open[i] - (client->open[i] != 0)];
        if (client->open[i] != 0 && other != call &&
            (other->phase == PHASE_WAITING || other->idempotent))
            kept += other->body_size + HEADER_MOST;
    }
    return call->phase == PHASE_DOOR && kept >= model->limits.retained_bytes;
}

/* What the broker itself may say of a call that nobody answered. */
static uint64_t call_reasons(const struct model *model, const struct model_call *call)
{
    uint64_t reasons = call->reasons;
    bool late = model->now >= call->deadline;
    if (call->must_end && call->phase != PHASE_LOST)
        return reasons;
    if (late)
        reasons |= call->attempts == 0 ? bit(BUSBAR_EXPIRED) : bit(BUSBAR_TIMEOUT);
    if (call->phase == PHASE_RUNNING)
        return reasons;
    if (model->offers[call->service][call->method] == 0) {
        if (call->attempts > 0)
            reasons |= bit(BUSBAR_WORKER_LOST);
        else
            reasons |= bit(model->exports[call->service] == 0 ? BUSBAR_NO_SERVICE
                                                              : BUSBAR_NO_METHOD);
    }
    if (busy_is_true(model, call))
        reasons |= bit(BUSBAR_BUSY);
    return reasons;
}

static void check_expected(const struct model *model, const struct told *told)
{
    const struct expected *expected = &model->expected;
    if (told->reply != expected->reply || told->status != expected->status ||
        told->fate != expected->fate)
        history_fail("a worker's answer became status %u, fate %u; it should be %u, %u",
                     told->status, told->fate, expected->status, expected->fate);
    if (expected->body != NULL && (told->body_size != expected->body_size ||
                                   memcmp(told->body, expected->body, told->body_size) != 0))
        history_fail("a worker's answer reached its client with another body");
}

static void check_end(const struct model *model, const struct model_call *call,
                      const struct told *told)
{
    uint8_t fate = call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
    if (told->reply)
        history_fail("a client was sent a reply that no worker sent");
    if (call->phase == PHASE_ANSWERED)
        history_fail("an answered call ended otherwise than by its answer");
    if (told->status > 63 || (call_reasons(model, call) & bit(told->status)) == 0)
        history_fail("a call in phase %u with %u attempts ended as %s; allowed: %#llx", call->phase,
                     call->attempts, busbar_status_name(told->status),
                     (unsigned long long)call_reasons(model, call));
    if (told->fate != fate)
        history_fail("a call given to %u workers ended as %s with fate %u", call->attempts,
                     busbar_status_name(told->status), told->fate);
}

void model_told(struct model *model, const struct told *told)
{
    uint16_t open = model->peers[told->client].open[told->client_id % IDS];
    expect_noise(model, "an outcome");
    if (!model->peers[told->client].alive)
        history_fail("client %u is gone and was sent an outcome", told->client);
    if (open == 0 || model->calls[open - 1].client_id != told->client_id)
        history_fail("client %u was sent an outcome of call %llu, which it does not wait for",
                     told->client, (unsigned long long)told->client_id);
    struct model_call *call = &model->calls[open - 1];
    if (model->expected.call == open) {
        check_expected(model, told);
        model->expected.call = 0;
    } else {
        check_end(model, call, told);
    }
    model_outcome(model, call);
}
