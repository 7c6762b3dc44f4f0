/*
 * Clients behind a bad network: their bytes delayed, sliced, their connections cut again and again, and
 * in the end nothing passed on at all. Options: --long --seed N
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/proxy.h"
#include "tests/faults/scene.h"

enum {
    WORKERS = 2,
    STAGE_MS = 600,
    LONG_STAGE_MS = 10000,
    DELAY_MS = 20,
    CUT_MS = 300,
    DEADLINE_MS = 300, /* of calls that meet a black hole */
    LAG_MS = 50,
};

enum phase {
    NORMAL = 0,
    SILENT = 1, /* nothing is passed on, or nothing back */
    CALM = 2,
    BACK = 3,
};

static unsigned stage_ms(const struct scene *scene)
{
    return scene->is_long ? LONG_STAGE_MS : STAGE_MS;
}

static void start_workers(struct scene *scene)
{
    scene->broker = scene_broker(NULL, "");
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(scene, i, &(struct fault_worker){.threads = 4});
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

static unsigned delays_and_cuts(char **argv)
{
    struct scene scene;
    struct proxy proxy;
    scene_init(&scene, "network of clients", argv, 4000000);
    start_workers(&scene);
    proxy_start(&proxy, scene.broker.endpoint, scene.seed);
    struct load_state *state = scene_load(&scene, &(struct load){.broker = proxy.endpoint,
                                                                 .outstanding = 50,
                                                                 .idempotent = 50,
                                                                 .by_caller = true,
                                                                 .sleepy = 30,
                                                                 .sleep_us = 10000});
    state->rate = 2000;
    soak_sleep_ms(STAGE_MS / 4);
    proxy.state->mode = PROXY_SLICE;
    soak_sleep_ms(stage_ms(&scene));
    proxy.state->mode = PROXY_PASS;
    proxy.state->delay_ms = DELAY_MS;
    soak_sleep_ms(stage_ms(&scene));
    proxy.state->delay_ms = 0;
    cut_all_along(&scene, proxy.state);
    proxy.state->mode = PROXY_SLICE;
    cut_all_along(&scene, proxy.state);
    proxy.state->mode = PROXY_PASS;
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    struct oracle_faults faults = scene_judge(&scene, true);
    size_t expected = faults.statuses[BUSBAR_OK] + faults.statuses[BUSBAR_BROKER_LOST];
    unsigned cut = proxy.state->cut;
    scene_check(&scene, cut > 0 && expected == faults.calls,
                "%u connections cut: %zu calls are OK, %zu BROKER_LOST, %zu else", cut,
                faults.statuses[BUSBAR_OK], faults.statuses[BUSBAR_BROKER_LOST],
                faults.calls - expected);
    proxy_stop(&proxy);
    return (unsigned)scene_finish(&scene);
}

static void be_silent(const struct scene *scene, struct proxy_state *proxy, enum proxy_mode mode)
{
    proxy->mode = mode;
    soak_sleep_ms(stage_ms(scene));
    proxy->mode = PROXY_PASS;
    soak_sleep_ms(DEADLINE_MS);
}

static void judge_silence(struct scene *scene, const struct load_state *state)
{
    const struct times *lag = &state->phases[SILENT].lag;
    double bound = scene->is_long ? LAG_MS : scene_time(10 * LAG_MS);
    unsigned long long made = state->phases[BACK].made;
    unsigned long long good = state->phases[BACK].outcomes[BUSBAR_OK];
    times_print("deadline to TIMEOUT", lag);
    times_print("other ends", &state->phases[SILENT].bad);
    scene_check(scene, lag->count > 0 && (double)lag->longest / 1e6 <= bound,
                "%llu calls into silence ended within %.1f ms of their deadlines, at most %.0f",
                (unsigned long long)lag->count, (double)lag->longest / 1e6, bound);
    scene_check(scene, made > 0 && good == made, "afterwards %llu of %llu calls are OK", good,
                made);
    scene_judge(scene, false);
}

static unsigned black_holes(char **argv)
{
    struct scene scene;
    struct proxy proxy;
    scene_init(&scene, "silence before clients", argv, 1000000);
    start_workers(&scene);
    proxy_start(&proxy, scene.broker.endpoint, scene.seed);
    struct load_state *state = scene_load(
        &scene,
        &(struct load){.broker = proxy.endpoint, .outstanding = 500, .timeout_ms = DEADLINE_MS});
    state->rate = 500;
    soak_sleep_ms(STAGE_MS / 2);
    state->phase = SILENT;
    be_silent(&scene, proxy.state, PROXY_BLACK_HOLE);
    be_silent(&scene, proxy.state, PROXY_HALF_OPEN);
    state->phase = CALM;
    soak_sleep_ms(STAGE_MS);
    state->phase = BACK;
    soak_sleep_ms(STAGE_MS / 2);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    judge_silence(&scene, state);
    proxy_stop(&proxy);
    return (unsigned)scene_finish(&scene);
}

int main(int argc, char **argv)
{
    (void)argc;
    unsigned failed = delays_and_cuts(argv);
    failed |= black_holes(argv);
    return (int)failed;
}
