/* Calls with outcomes, on the public API. */
#include "tests/kit/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void kit_calls_init(struct kit_calls *calls, struct kit *kit, size_t capacity)
{
    const struct busbar_client_options options = {.broker = kit->endpoint};
    *calls = (struct kit_calls){.service = "test", .capacity = capacity};
    calls->outcomes = calloc(capacity, sizeof *calls->outcomes);
    assert_non_null(calls->outcomes);
    assert_int_equal(busbar_client_new(&calls->client, &options), BUSBAR_OK);
}

void kit_calls_fini(struct kit_calls *calls)
{
    busbar_client_destroy(&calls->client);
    free(calls->outcomes);
}

static size_t start(struct kit_calls *calls, struct busbar_call *call)
{
    size_t number = calls->started;
    assert_true(number < calls->capacity);
    call->service = calls->service;
    call->context = (void *)(uintptr_t)number;
    enum busbar_status status = busbar_client_start(calls->client, call, NULL);
    if (status != BUSBAR_OK)
        fail_msg("start: %s: %s", busbar_status_name(status), busbar_client_error(calls->client));
    calls->started++;
    return number;
}

size_t kit_calls_start(struct kit_calls *calls, const char *method, uint32_t timeout_ms)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", calls->started);
    struct busbar_call call = {
        .method = method,
        .body = busbar_body_text(text),
        .timeout_ms = timeout_ms,
    };
    return start(calls, &call);
}

size_t kit_calls_start_body(struct kit_calls *calls, const char *method, const char *body)
{
    struct busbar_call call = {.method = method, .body = busbar_body_text(body)};
    return start(calls, &call);
}

static void take(struct kit_calls *calls, const struct busbar_reply *reply)
{
    size_t number = (size_t)(uintptr_t)busbar_reply_context(reply);
    assert_true(number < calls->started);
    struct kit_outcome *outcome = &calls->outcomes[number];
    char text[32];
    int size = snprintf(text, sizeof text, "%zu", number);
    outcome->count++;
    outcome->status = busbar_reply_status(reply);
    outcome->fate = busbar_reply_fate(reply);
    outcome->at = kit_now_ms();
    snprintf(outcome->error, sizeof outcome->error, "%s", busbar_reply_error(reply));
    outcome->same = busbar_reply_size(reply) == (size_t)size &&
                    memcmp(busbar_reply_data(reply), text, (size_t)size) == 0;
    calls->ended++;
}

bool kit_calls_wait_one(struct kit_calls *calls, uint32_t timeout_ms)
{
    struct busbar_reply *reply = NULL;
    if (busbar_client_wait(calls->client, timeout_ms, &reply) != BUSBAR_OK)
        return false;
    take(calls, reply);
    busbar_reply_destroy(&reply);
    return true;
}

void kit_calls_wait_for_text(struct kit_calls *calls, struct kit_process *process, const char *text)
{
    KIT_EVENTUALLY((kit_calls_wait_one(calls, 10), kit_has_said(process, text)), 10000);
}

void kit_calls_check_all_ok(const struct kit_calls *calls)
{
    for (size_t i = 0; i < calls->started; i++) {
        const struct kit_outcome *outcome = &calls->outcomes[i];
        if (outcome->status != BUSBAR_OK || !outcome->same)
            fail_msg("call %zu of %zu: %s, %s: %s", i, calls->started,
                     busbar_status_name(outcome->status), busbar_fate_name(outcome->fate),
                     outcome->error);
    }
}

void kit_calls_finish(struct kit_calls *calls, uint32_t timeout_ms)
{
    uint64_t until = kit_now_ms() + kit_time(timeout_ms);
    while (calls->ended < calls->started && kit_now_ms() < until)
        kit_calls_wait_one(calls, 100);
    /* An outcome too many would come a little later. */
    kit_calls_wait_one(calls, 20);
    for (size_t i = 0; i < calls->started; i++) {
        if (calls->outcomes[i].count != 1)
            fail_msg("call %zu has %u outcomes", i, calls->outcomes[i].count);
    }
}

size_t kit_calls_count(const struct kit_calls *calls, enum busbar_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < calls->started; i++)
        count += calls->outcomes[i].count > 0 && calls->outcomes[i].status == status;
    return count;
}

void kit_calls_read_executions(struct kit_calls *calls, struct kit_process *worker,
                               const char *method)
{
    char mark[64];
    int size = snprintf(mark, sizeof mark, "ran %s ", method);
    kit_read(worker);
    for (const char *line = worker->out; line != NULL && *line != '\0';) {
        if (strncmp(line, mark, (size_t)size) == 0) {
            size_t number = strtoul(line + size, NULL, 10);
            assert_true(number < calls->started);
            calls->outcomes[number].executed++;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
}

void kit_calls_check_fates(const struct kit_calls *calls, bool idempotent)
{
    for (size_t i = 0; i < calls->started; i++) {
        const struct kit_outcome *outcome = &calls->outcomes[i];
        bool good = (outcome->status == BUSBAR_OK) <= (outcome->executed >= 1 && outcome->same) &&
                    (outcome->fate == BUSBAR_NOT_EXECUTED) <= (outcome->executed == 0) &&
                    (idempotent || outcome->executed <= 1);
        if (!good)
            fail_msg("call %zu: %s, %s, executed %u times", i, busbar_status_name(outcome->status),
                     busbar_fate_name(outcome->fate), outcome->executed);
    }
}
