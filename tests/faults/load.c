#include "tests/faults/load.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/faults/worker.h"
#include "tests/soak/soak.h"

enum {
    LIFE_MS = 1800000,
    LINGER_MS = 3000, /* for outcomes after the last deadline */
};

static const struct load *load;
static struct busbar_client *client;
static unsigned seed;
static uint64_t next_at; /* ns; when the next call of a rate is due */

struct load_state *load_state_new(void)
{
    struct load_state *state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        soak_die("out of memory");
    return state;
}

/* The phase is kept in the high bits of what a call carries for its callback. */
static void *context_of(uint64_t id, unsigned phase)
{
    return (void *)(uintptr_t)(id << 3 | phase); // NOLINT(performance-no-int-to-ptr)
}

static void on_reply(struct busbar_reply **reply, void *context)
{
    uint64_t id = (uintptr_t)context >> 3;
    unsigned phase = (uintptr_t)context & 7;
    struct load_state *state = load->state;
    oracle_end(load->oracle, id, *reply);
    const struct oracle_call *call = oracle_call(load->oracle, id);
    uint64_t took = call->ended - call->began;
    uint64_t allowed = UINT64_C(1000000) * call->timeout_ms;
    state->phases[phase].outcomes[call->status]++;
    times_add(call->status == BUSBAR_OK ? &state->phases[phase].good : &state->phases[phase].bad,
              took);
    if (call->status == BUSBAR_TIMEOUT || call->status == BUSBAR_EXPIRED)
        times_add(&state->phases[phase].lag, took > allowed ? took - allowed : allowed - took);
    if (call->status == BUSBAR_OK && state->succeeded_since == 0)
        state->succeeded_since = call->ended;
    busbar_reply_destroy(reply);
}

static unsigned percent(void)
{
    return (unsigned)rand_r(&seed) % 100;
}

static unsigned sleep_of_a_call(void)
{
    if (load->sleep_us == 0 || percent() >= load->sleepy)
        return 0;
    return load->sleepy >= 100 ? load->sleep_us : (unsigned)rand_r(&seed) % load->sleep_us;
}

static bool start(void)
{
    bool idempotent = percent() < load->idempotent;
    bool by_caller = load->by_caller || percent() < 50;
    unsigned phase = load->state->phase;
    struct fault_body body = {.id = oracle_begin(load->oracle, idempotent, load->timeout_ms),
                              .sleep_us = sleep_of_a_call(),
                              .reply_size = load->reply_size};
    const struct busbar_call call = {
        .service = load->service,
        .method = load->method != NULL       ? load->method
                  : idempotent && !by_caller ? "count_again"
                                             : "count",
        .body = busbar_body_copied(&body, sizeof body),
        .timeout_ms = load->timeout_ms,
        .flags = idempotent && by_caller ? BUSBAR_IDEMPOTENT : 0,
        .callback = on_reply,
        .context = context_of(body.id, phase),
    };
    struct oracle_call *known = oracle_call(load->oracle, body.id);
    known->made = true;
    if (busbar_client_start(client, &call, NULL) != BUSBAR_OK) {
        known->made = false;
        return false;
    }
    load->state->made++;
    load->state->phases[phase].made++;
    return true;
}

/* Is another call due now? */
static bool is_due(uint64_t now)
{
    unsigned rate = load->state->rate;
    if (load->state->pause)
        return false;
    if (load->limit != 0 && load->state->made >= load->limit)
        return false;
    if (busbar_client_outstanding(client) >= load->outstanding) {
        next_at = rate == 0 || next_at < now ? now : next_at;
        return false;
    }
    if (rate == 0)
        return true;
    if (next_at + 100000000 < now) /* what could not be started in time is not made up for */
        next_at = now;
    if (next_at > now)
        return false;
    next_at += 1000000000u / rate;
    return true;
}

static void turn(bool ending)
{
    struct pollfd ready = {.fd = busbar_client_fd(client), .events = POLLIN};
    if (busbar_client_process(client) != BUSBAR_OK)
        soak_die("process: %s", busbar_client_error(client));
    uint64_t now = soak_now_ns();
    for (unsigned i = 0; i < 4096 && !ending && is_due(now); i++) {
        if (!start())
            break;
    }
    busbar_client_flush(client);
    poll(&ready, 1, 1);
}

int load_run(const void *argument)
{
    load = argument;
    seed = load->seed;
    const struct busbar_client_options options = {.broker = load->broker,
                                                  .connect_timeout_ms = load->connect_ms};
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        return 1;
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * LIFE_MS;
    next_at = soak_now_ns();
    puts("ready");
    fflush(stdout);
    while (!load->state->stop && soak_now_ns() < until)
        turn(false);
    until = soak_now_ns() + UINT64_C(1000000) * (load->timeout_ms + LINGER_MS);
    while (busbar_client_outstanding(client) > 0 && soak_now_ns() < until)
        turn(true);
    load->state->ended = busbar_client_outstanding(client) == 0;
    busbar_client_destroy(&client);
    return 0;
}
