/*
 * Workers behind a bad network, beside others that are not: delays, slices, cuts, and a black hole, which
 * only their silence betrays. Options: --long --seed N
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/proxy.h"
#include "tests/faults/scene.h"

enum {
    FAR = 2, /* workers behind the proxy; as many are not */
    WORKERS = 2 * FAR,
    STAGE_MS = 800,
    LONG_STAGE_MS = 10000,
    DELAY_MS = 20,
    CUT_MS = 300,
    INTERVAL_MS = 100,
    LONG_INTERVAL_MS = 1000,
    LIVENESS = 3,
    LAG_MS = 100,
    BACK_MS = 10000,
};

enum phase {
    BEFORE = 0,
    SILENT = 1,
    AFTER = 2,
};

static unsigned stage_ms(const struct scene *scene)
{
    return scene->is_long ? LONG_STAGE_MS : STAGE_MS;
}

static unsigned interval_ms(const struct scene *scene)
{
    return scene->is_long ? LONG_INTERVAL_MS : INTERVAL_MS;
}

static void start(struct scene *scene, struct proxy *proxy)
{
    char config[80];
    snprintf(config, sizeof config, "heartbeat: {interval: %u, liveness: %d}\n", interval_ms(scene),
             LIVENESS);
    scene->broker = scene_broker(NULL, config);
    proxy_start(proxy, scene->broker.endpoint, scene->seed);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(scene, i,
                   &(struct fault_worker){
                       .threads = 4, .credit = 8, .broker = i < FAR ? proxy->endpoint : NULL});
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(scene, i);
}

static void cut_all_along(struct scene *scene, struct proxy_state *proxy)
{
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * stage_ms(scene);
    while (soak_now_ns() < until) {
        proxy->cuts++;
        soak_sleep_ms(CUT_MS / 2 + (unsigned)rand_r(&scene->seed) % CUT_MS);
    }
}

/* How many calls a worker has executed. */
static size_t executed_by(struct scene *scene, unsigned worker)
{
    size_t count = 0;
    for (uint64_t id = 1; id <= scene->oracle->begun; id++)
        count += oracle_call(scene->oracle, id)->worker == worker;
    return count;
}

/* Nothing comes through until the broker has given the workers up, twice as long as it may take. */
static void be_silent(struct scene *scene, struct proxy_state *proxy, struct load_state *state)
{
    uint64_t silent = scene_counter(scene, "sessions_silent");
    state->phase = SILENT;
    proxy->mode = PROXY_BLACK_HOLE;
    soak_sleep_ms(2 * LIVENESS * interval_ms(scene) + LAG_MS);
    uint64_t lost = scene_counter(scene, "sessions_silent") - silent;
    scene_check(scene, lost == FAR, "%llu of %d silent workers are given up",
                (unsigned long long)lost, FAR);
    state->phase = AFTER;
    proxy->mode = PROXY_PASS;
}

/* All of those behind the proxy: one that is on its way still cannot be given up. */
static bool wait_for_return(struct scene *scene)
{
    size_t before[FAR];
    unsigned back = 0;
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * BACK_MS;
    for (unsigned i = 0; i < FAR; i++)
        before[i] = executed_by(scene, i + 1);
    while (back < FAR && soak_now_ns() < until) {
        if (executed_by(scene, back + 1) > before[back])
            back++;
        else
            soak_sleep_ms(20);
    }
    return back == FAR;
}

static void judge(struct scene *scene, const struct load_state *state)
{
    struct oracle_faults faults = scene_judge(scene, true);
    size_t expected = faults.statuses[BUSBAR_OK] + faults.statuses[BUSBAR_WORKER_LOST];
    double longest = (double)state->phases[SILENT].bad.longest / 1e6;
    double bound = (LIVENESS + 1) * interval_ms(scene) + (scene->is_long ? 1 : 10) * LAG_MS;
    times_print("start to WORKER_LOST", &state->phases[SILENT].bad);
    scene_check(scene, expected == faults.calls, "%zu calls are OK, %zu WORKER_LOST, %zu else",
                faults.statuses[BUSBAR_OK], faults.statuses[BUSBAR_WORKER_LOST],
                faults.calls - expected);
    scene_check(scene, longest <= bound,
                "calls of silent workers are lost after %.0f ms at the latest, at most %.0f",
                longest, bound);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    struct proxy proxy;
    scene_init(&scene, "network of workers", argv, 4000000);
    start(&scene, &proxy);
    struct load_state *state = scene_load(&scene, &(struct load){.outstanding = 100,
                                                                 .idempotent = 50,
                                                                 .timeout_ms = 10000,
                                                                 .sleepy = 50,
                                                                 .sleep_us = 10000});
    state->rate = 1000;
    proxy.state->mode = PROXY_SLICE;
    soak_sleep_ms(stage_ms(&scene));
    proxy.state->mode = PROXY_PASS;
    proxy.state->delay_ms = DELAY_MS;
    soak_sleep_ms(stage_ms(&scene));
    proxy.state->delay_ms = 0;
    cut_all_along(&scene, proxy.state);
    scene_check(&scene, wait_for_return(&scene), "workers whose connections were cut are back");
    be_silent(&scene, proxy.state, state);
    scene_check(&scene, wait_for_return(&scene), "workers that were silent are back");
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    judge(&scene, state);
    proxy_stop(&proxy);
    return scene_finish(&scene);
}
