/*
 * Calls that kill whoever executes them, beside others: one that may be repeated takes three workers
 * with it and no more, one that may not takes one. Options: --long --seed N --rounds N
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    WORKERS = 5,
    ATTEMPTS = 3,
    LONG_ROUNDS = 30,
    SHORT_ROUNDS = 2,
    WAIT_MS = 10000,
    MORE_MS = 50,
};

static const struct fault_worker usual = {.threads = 4, .service = "poisoned"};

static unsigned count_dead(const struct scene *scene)
{
    unsigned dead = 0;
    for (unsigned i = 0; i < WORKERS; i++)
        dead += !scene_is_running(scene, i);
    return dead;
}

static void replace_dead(struct scene *scene)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        if (scene_is_running(scene, i))
            continue;
        scene_kill_worker(scene, i);
        scene_work(scene, i, &usual);
        scene_ready(scene, i);
    }
}

/* Calls `die` once: does it end so, and take so many workers with it? */
static bool poison(struct scene *scene, enum busbar_status expected, unsigned workers)
{
    struct load_state *state = scene_load(
        scene, &(struct load){.service = "poisoned",
                              .method = "die",
                              .limit = 1,
                              .idempotent = expected == BUSBAR_POISONED ? 100 : 0,
                              .by_caller = true});
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * WAIT_MS;
    while (state->phases[0].bad.count == 0 && soak_now_ns() < until)
        soak_sleep_ms(1);
    state->stop = true;
    soak_join(&scene->load_processes[scene->load_count - 1], WAIT_MS);
    scene->load_count--;
    /* A process ends a little after its connections do; and one more must not. */
    while (count_dead(scene) < workers && soak_now_ns() < until)
        soak_sleep_ms(1);
    soak_sleep_ms(MORE_MS);
    unsigned dead = count_dead(scene);
    replace_dead(scene);
    return state->phases[0].outcomes[expected] == 1 && dead == workers;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "poison", argv, 1000000);
    uint64_t rounds = soak_option(argv, "--rounds", scene.is_long ? LONG_ROUNDS : SHORT_ROUNDS);
    uint64_t good = 0, single = 0;
    scene.broker = scene_broker(NULL, "");
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(&scene, i, &usual);
    scene_work(&scene, WORKERS, &(struct fault_worker){.threads = 4});
    for (unsigned i = 0; i <= WORKERS; i++)
        scene_ready(&scene, i);
    struct load_state *others = scene_load(&scene, &(struct load){.outstanding = 50});
    others->rate = 500;
    for (uint64_t i = 0; i < rounds; i++) {
        good += poison(&scene, BUSBAR_POISONED, ATTEMPTS);
        single += poison(&scene, BUSBAR_WORKER_LOST, 1);
    }
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    scene_check(&scene, good == rounds,
                "%llu of %llu idempotent calls end as POISONED, after %d workers",
                (unsigned long long)good, (unsigned long long)rounds, ATTEMPTS);
    scene_check(&scene, single == rounds, "%llu of %llu others end as WORKER_LOST, after one",
                (unsigned long long)single, (unsigned long long)rounds);
    scene_check(&scene, others->phases[0].outcomes[BUSBAR_OK] == others->made,
                "%llu of %llu calls of others are OK",
                (unsigned long long)others->phases[0].outcomes[BUSBAR_OK],
                (unsigned long long)others->made);
    scene_judge(&scene, false);
    return scene_finish(&scene);
}
