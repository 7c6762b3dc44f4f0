/* What the router told clients, and workers of their calls, held against the tables. */
#include <busbar/status.h>
#include <string.h>

#include "protocol/packet.h"
#include "tests/simulation/history.h"
#include "tests/simulation/model.h"

static struct model_call *call_held(struct model *model, uint8_t worker, uint64_t worker_id,
                                    const char *what)
{
    const struct model_peer *peer = &model->peers[worker];
    for (uint32_t i = 0; i < peer->held_count; i++) {
        struct model_call *call = &model->calls[peer->held[i]];
        if (call->worker_id == worker_id)
            return call;
    }
    history_fail("worker %u was sent %s of a call it does not have", worker, what);
}

void model_told_cancel(struct model *model, uint8_t worker, uint64_t worker_id)
{
    if (model->quiet)
        history_fail("CANCEL was sent though the event must change nothing");
    if (!model->peers[worker].alive)
        return;
    struct model_call *call = call_held(model, worker, worker_id, "CANCEL");
    if (!call->cancel_due)
        history_fail("worker %u was sent CANCEL of a call that somebody waits for, or twice",
                     worker);
    call->cancel_due = false;
    model->cancels_due--;
}

void model_told_grant(struct model *model, uint8_t worker, uint64_t worker_id, uint32_t parts)
{
    struct model_call *call = call_held(model, worker, worker_id, "GRANT");
    if (call->phase != PHASE_RUNNING || call->told + parts > call->granted)
        history_fail("worker %u was granted %u parts; %llu were granted, it knows of %llu", worker,
                     parts, (unsigned long long)call->granted, (unsigned long long)call->told);
    call->told += parts;
    model->grants_due -= parts;
}

/* How many other calls may wait for what nobody serves, or did so for a while in this event? */
uint64_t model_crowd(const struct model *model, const struct model_call *call)
{
    uint64_t crowd = model->rescued;
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *other = &model->calls[model->live[i]];
        bool placeless = other->phase == PHASE_WAITING || other->phase == PHASE_RETURNED ||
                         other->phase == PHASE_LOST;
        crowd += other != call && placeless &&
                 (other->unserved || !model_is_offered(model, &other->asked));
    }
    return crowd;
}

/* Does it begin to wait for what nobody serves, and may there be too many already? */
static bool may_be_crowded_out(const struct model *model, const struct model_call *call)
{
    bool placeless = call->phase == PHASE_WAITING || call->phase == PHASE_RETURNED ||
                     call->phase == PHASE_LOST;
    return placeless && !call->unserved && !model_is_offered(model, &call->asked) &&
           model_is_patient(model, call) && model_crowd(model, call) >= model->limits.waiting_calls;
}

/* May a queue or an account be full? */
/* Bytes of requests that may be kept for oneway calls, which share one bound. */
static uint64_t kept_for_oneway(const struct model *model, const struct model_call *call)
{
    uint64_t kept = 0;
    for (uint32_t i = 0; i < model->live_count; i++) {
        const struct model_call *other = &model->calls[model->live[i]];
        if (other != call && other->asked.oneway &&
            (other->phase == PHASE_WAITING || model_is_kept(other)))
            kept += other->asked.body_size + HEADER_MOST;
    }
    return kept;
}

static bool may_be_busy(const struct model *model, const struct model_call *call)
{
    const struct model_service *service = &model->services[call->asked.service];
    const struct model_peer *client = &model->peers[call->client];
    uint64_t waiting = service->waiting_calls + model->uncertain;
    uint64_t kept = 0;
    uint64_t unserved = 0;
    if (waiting >= model->limits.queue_calls || model->uncertain > 0 ||
        service->waiting_bytes + waiting * HEADER_MOST >= model->limits.queue_bytes)
        return true;
    for (unsigned i = 0; i < IDS; i++) {
        const struct model_call *other = &model->calls[client->open[i] - (client->open[i] != 0)];
        if (client->open[i] != 0 && other != call &&
            (other->phase == PHASE_WAITING || model_is_kept(other)))
            kept += other->asked.body_size + HEADER_MOST;
    }
    if (call->asked.oneway)
        kept = kept_for_oneway(model, call);
    if (kept >= model->limits.retained_bytes)
        return true;
    for (uint32_t i = 0; i < model->live_count; i++)
        unserved += model->calls[model->live[i]].phase == PHASE_WAITING &&
                    model->calls[model->live[i]].unserved;
    return model_is_patient(model, call) && unserved >= model->limits.waiting_calls;
}

/* It waits, and anybody who is there may be given it: there is nothing to lose patience about. */
static bool awaits_anybody(const struct model *model, const struct model_call *call)
{
    return call->phase == PHASE_WAITING && call->asked.method == WHOLE && call->asked.wait != 0 &&
           model->services[call->asked.service].exports != 0;
}

/* Why a call may end that no worker has. */
static uint64_t placeless_reasons(const struct model *model, const struct model_call *call)
{
    const struct model_limits *limits = &model->limits;
    const struct model_service *service = &model->services[call->asked.service];
    uint64_t reasons = 0;
    if (model_servers(model, &call->asked) == 0 && model_is_offered(model, &call->asked))
        reasons |= bit(BUSBAR_DRAINING);
    else if (!model_is_offered(model, &call->asked) && !model_is_patient(model, call) &&
             !awaits_anybody(model, call))
        reasons |= call->attempts > 0      ? bit(BUSBAR_WORKER_LOST)
                   : service->exports == 0 ? bit(BUSBAR_NO_SERVICE)
                                           : bit(BUSBAR_NO_METHOD);
    if (call->phase == PHASE_WAITING && limits->queue_age != 0 &&
        model->now >= call->queued_at + limits->queue_age)
        reasons |= bit(BUSBAR_BUSY);
    if (call->phase != PHASE_DOOR && model_may_be_hopeless(model, call))
        reasons |= bit(BUSBAR_EXPIRED);
    return reasons;
}

/* What the broker itself may say of a call that nobody answered; of BUSY only if it was that. */
static uint64_t call_reasons(const struct model *model, const struct model_call *call,
                             uint8_t status)
{
    uint64_t reasons = call->reasons;
    if (status == BUSBAR_BUSY && call->phase == PHASE_DOOR &&
        model_is_well_named(model, &call->asked) && may_be_busy(model, call))
        reasons |= bit(BUSBAR_BUSY);
    if (status == BUSBAR_BUSY && may_be_crowded_out(model, call))
        reasons |= bit(BUSBAR_BUSY);
    if (call->must_end && call->phase != PHASE_LOST)
        return reasons;
    if (model->now >= call->deadline)
        reasons |= call->attempts == 0 ? bit(BUSBAR_EXPIRED) : bit(BUSBAR_TIMEOUT);
    if (call->phase != PHASE_RUNNING)
        return reasons | placeless_reasons(model, call);
    if (model->now >= call->stall_at)
        reasons |= bit(BUSBAR_TIMEOUT);
    return reasons;
}

static bool same(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_expected(const struct model *model, const struct told *told)
{
    const struct expected *expected = &model->expected;
    if (told->command != expected->command || told->status != expected->status ||
        told->fate != expected->fate)
        history_fail("what a worker sent became command %#x, status %u, fate %u; "
                     "it should be %#x, %u, %u",
                     told->command, told->status, told->fate, expected->command, expected->status,
                     expected->fate);
    if (expected->by_broker)
        return;
    if (!same((struct bytes){told->body, told->body_size},
              (struct bytes){expected->body, expected->body_size}))
        history_fail("what a worker sent reached its client with another body");
    if (!same((struct bytes){told->metadata, told->metadata_size},
              (struct bytes){expected->metadata, expected->metadata_size}))
        history_fail("what a worker sent reached its client with other metadata");
    if (told->number != expected->number)
        history_fail("what a worker sent reached its client with %u for %u", told->number,
                     expected->number);
    if (told->by_worker != (told->command == PACKET_ERROR))
        history_fail("the flag BY_WORKER is wrong");
}

static void check_end(const struct model *model, const struct model_call *call,
                      const struct told *told)
{
    uint8_t fate = call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
    if (told->command != PACKET_ERROR)
        history_fail("a client was sent command %#x that no worker sent", told->command);
    if (call->phase == PHASE_ANSWERED)
        history_fail("an answered call ended otherwise than by its answer");
    if (told->status > 63 || (call_reasons(model, call, told->status) & bit(told->status)) == 0)
        history_fail("a call in phase %u with %u attempts ended as %s; allowed: %#llx", call->phase,
                     call->attempts, busbar_status_name(told->status),
                     (unsigned long long)call_reasons(model, call, told->status));
    if (told->fate != fate && told->status != BUSBAR_RESULT_TOO_LARGE)
        history_fail("a call given to %u workers ended as %s with fate %u", call->attempts,
                     busbar_status_name(told->status), told->fate);
    if (told->by_worker || told->metadata_size != 0)
        history_fail("an error of the broker is told as of a worker");
    if (told->status == BUSBAR_BUSY && call->phase == PHASE_DOOR && told->number == 0)
        history_fail("BUSY comes without advice when to try again");
}

/* An ERROR lists the workers that had the call. */
static void check_tried(const struct model *model, const struct model_call *call,
                        const struct told *told)
{
    size_t count = told->command == PACKET_ERROR ? call->attempts : 0;
    if (told->tried_count != count)
        history_fail("an outcome lists %zu attempts of %zu", told->tried_count, count);
    for (size_t i = 0; i < count; i++) {
        struct attempt attempt = call->tried[i];
        bool running = call->phase == PHASE_RUNNING && i + 1 == count;
        if (running)
            attempt.ms = model->now - call->given_at;
        /* what time has ended was perhaps due a moment ago */
        bool right = running && !call->must_end ? told->tried[i].ms <= attempt.ms
                                                : told->tried[i].ms == attempt.ms;
        if (told->tried[i].worker != attempt.worker || !right)
            history_fail("attempt %zu is told as of worker %llu, %llu ms; it was %llu, %llu", i,
                         (unsigned long long)told->tried[i].worker,
                         (unsigned long long)told->tried[i].ms, (unsigned long long)attempt.worker,
                         (unsigned long long)attempt.ms);
    }
}

/* A oneway call was accepted: nobody waits for it any more, and it goes on. */
static void accept(struct model *model, struct model_call *call, const struct told *told)
{
    struct model_peer *client = &model->peers[call->client];
    if (!call->asked.oneway || call->house || call->must_end ||
        (call->phase != PHASE_DOOR && call->phase != PHASE_RUNNING))
        history_fail("a call was told as accepted that is not oneway, or had to end");
    if (told->status != BUSBAR_OK || told->fate != BUSBAR_MAYBE_EXECUTED || told->body_size != 0)
        history_fail("an accepted call was told with status %u, fate %u", told->status, told->fate);
    client->open[call->asked.client_id % IDS] = 0;
    client->open_count--;
    call->client = NOBODY;
    call->house = true;
    model->outcomes++;
}

static struct model_call *call_awaited(struct model *model, const struct told *told)
{
    uint16_t open = model->peers[told->client].open[told->client_id % IDS];
    if (model->quiet)
        history_fail("a client was told something though the event must change nothing");
    if (!model->peers[told->client].alive)
        history_fail("client %u is gone and was told something", told->client);
    if (open == 0 || model->calls[open - 1].asked.client_id != told->client_id)
        history_fail("client %u was told of call %llu, which it does not wait for", told->client,
                     (unsigned long long)told->client_id);
    return &model->calls[open - 1];
}

void model_told(struct model *model, const struct told *told)
{
    struct model_call *call = call_awaited(model, told);
    bool expected = model->expected.call == (uint16_t)(call - model->calls + 1);
    if (told->accepted) {
        accept(model, call, told);
        return;
    }
    if (call->asked.oneway && call->phase == PHASE_RUNNING)
        history_fail("a oneway call that a worker has was not told as accepted");
    check_tried(model, call, told);
    if (expected) {
        check_expected(model, told);
        model->expected.call = 0;
    } else {
        check_end(model, call, told);
    }
    if (told->command == PACKET_REPLY || told->command == PACKET_ERROR)
        model_outcome(model, call);
}
