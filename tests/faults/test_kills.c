/*
 * Workers killed all along: eight of them, one SIGKILLed every 200 ms and replaced, under calls of
 * both kinds. Options: --long --seed N --calls N --kills N
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    WORKERS = 8,
    KILL_MS = 200,
    SHORT_KILLS = 15,
    LONG_KILLS = 310,
    LONG_CALLS = 1000000,
    RATE = 18000, /* calls a second, of a long run */
    SHORT_RATE = 4000,
    LOST_MS = 50, /* p99 from the signal to the outcome */
    FLAT_KIB = 4096,
    SHORT_FLAT_KIB = 32768,
    CLIENTS = 2,
};

static const struct fault_worker usual = {.threads = 8};

struct plan {
    uint64_t calls;
    unsigned kills;
    size_t warm_kib; /* of the broker, after a fifth of the kills */
    size_t last_kib;
};

static uint64_t calls_made(const struct scene *scene)
{
    return scene->oracle->begun;
}

static void kill_all_along(struct scene *scene, struct plan *plan)
{
    unsigned kills = 0;
    uint64_t next = soak_now_ns();
    while (kills < plan->kills || calls_made(scene) < plan->calls) {
        unsigned place = (unsigned)rand_r(&scene->seed) % WORKERS;
        next += UINT64_C(1000000) * KILL_MS;
        while (soak_now_ns() < next)
            soak_sleep_ms(1);
        scene_kill_worker(scene, place);
        scene_work(scene, place, &usual);
        kills++;
        if (kills == plan->kills / 5)
            plan->warm_kib = scene_rss_kib(scene->broker.process.pid);
    }
    plan->kills = kills;
    plan->last_kib = scene_rss_kib(scene->broker.process.pid);
}

/* When the worker was killed that lost the call: of one that never began there, the last that was. */
static uint64_t killed_at(struct oracle *oracle, const struct oracle_call *call)
{
    uint64_t last = call->worker != 0 ? oracle->killed_at[call->worker] : 0;
    for (unsigned i = 1; call->worker == 0 && i < ORACLE_WORKERS; i++) {
        uint64_t at = oracle->killed_at[i];
        if (at > last && at < call->ended)
            last = at;
    }
    return last;
}

/* From the signal to the outcome, of the calls that were lost with their worker. */
static struct times *lost_times(struct oracle *oracle)
{
    struct times *times = calloc(1, sizeof *times);
    for (uint64_t id = 1; times != NULL && id <= oracle->begun; id++) {
        const struct oracle_call *call = oracle_call(oracle, id);
        uint64_t killed = call->status == BUSBAR_WORKER_LOST ? killed_at(oracle, call) : 0;
        if (killed != 0 && killed < call->ended)
            times_add(times, call->ended - killed);
    }
    return times;
}

static void judge(struct scene *scene, const struct plan *plan)
{
    struct oracle_faults faults = scene_judge(scene, true);
    struct times *lost = lost_times(scene->oracle);
    size_t expected = faults.statuses[BUSBAR_OK] + faults.statuses[BUSBAR_WORKER_LOST];
    size_t more = plan->last_kib > plan->warm_kib ? plan->last_kib - plan->warm_kib : 0;
    size_t most = scene->is_long ? plan->warm_kib / 10 + FLAT_KIB : SHORT_FLAT_KIB;
    double bound = scene->is_long ? LOST_MS : scene_time(10 * LOST_MS);
    times_print("SIGKILL to WORKER_LOST", lost);
    scene_check(scene, expected == faults.calls, "%zu calls are OK, %zu WORKER_LOST, %zu else",
                faults.statuses[BUSBAR_OK], faults.statuses[BUSBAR_WORKER_LOST],
                faults.calls - expected);
    scene_check(scene, lost->count > 0 && times_quantile(lost, 0.99) <= bound,
                "WORKER_LOST came %.1f ms after the signal (p99 of %llu), at most %.0f",
                times_quantile(lost, 0.99), (unsigned long long)lost->count, bound);
    scene_check(
        scene, more <= scene_memory(most),
        "the broker has %zu KiB after %u kills, %zu after a fifth of them, at most %zu more",
        plan->last_kib, plan->kills, plan->warm_kib, most);
    free(lost);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "kills", argv, 8000000);
    struct plan plan = {
        .calls = soak_option(argv, "--calls", scene.is_long ? LONG_CALLS : 0),
        .kills = (unsigned)soak_option(argv, "--kills", scene.is_long ? LONG_KILLS : SHORT_KILLS),
    };
    scene.broker = scene_broker(NULL, "");
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(&scene, i, &usual);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(&scene, i);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct load_state *state = scene_load(&scene, &(struct load){.outstanding = 500,
                                                                     .timeout_ms = 20000,
                                                                     .idempotent = 50,
                                                                     .sleepy = 40,
                                                                     .sleep_us = 10000});
        state->rate = (scene.is_long ? RATE : SHORT_RATE) / CLIENTS;
    }
    kill_all_along(&scene, &plan);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    judge(&scene, &plan);
    return scene_finish(&scene);
}
