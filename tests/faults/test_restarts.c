/*
 * Brokers killed all along, each back at the same endpoint after a pause: first the only one, then one
 * of two in turn. Options: --long --seed N --rounds N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/scene.h"

enum {
    WORKERS = 4,
    LONG_ROUNDS = 15,
    SHORT_ROUNDS = 2,
    ROUND_MS = 2000,
    SHORT_ROUND_MS = 1200,
    PAUSE_MS = 300, /* at most, without the broker */
    BACK_MS = 1000,
    WAIT_MS = 10000,
    CONNECT_MS = 4000, /* a program may start slowly on a busy machine */
};

static const struct fault_worker usual = {.threads = 4};

/* Kills one and starts it again; how long after it listened a call succeeded, in ns. */
static uint64_t restart(struct scene *scene, struct soak_broker *broker, struct load_state *state)
{
    char endpoint[sizeof broker->endpoint];
    memcpy(endpoint, broker->endpoint, sizeof endpoint);
    soak_kill(&broker->process, SIGKILL);
    soak_sleep_ms((unsigned)rand_r(&scene->seed) % PAUSE_MS);
    *broker = scene_broker(endpoint, "");
    uint64_t listened = soak_now_ns();
    state->succeeded_since = 0;
    while (state->succeeded_since == 0 && soak_now_ns() < listened + UINT64_C(1000000) * WAIT_MS)
        soak_sleep_ms(1);
    if (state->succeeded_since == 0)
        return UINT64_C(1000000) * WAIT_MS;
    return state->succeeded_since > listened ? state->succeeded_since - listened : 0;
}

/* Restarts one broker after the other, or the only one, each time at the end of a round. */
static void restart_all_along(struct scene *scene, struct soak_broker *brokers[2],
                              struct load_state *state)
{
    struct times *back = calloc(1, sizeof *back);
    unsigned rounds = scene->is_long ? LONG_ROUNDS : SHORT_ROUNDS;
    uint64_t next = soak_now_ns();
    if (back == NULL)
        soak_die("out of memory");
    for (unsigned i = 0; i < rounds; i++) {
        next += UINT64_C(1000000) * (scene->is_long ? ROUND_MS : SHORT_ROUND_MS);
        while (soak_now_ns() < next)
            soak_sleep_ms(1);
        times_add(back, restart(scene, brokers[i % 2], state));
    }
    soak_sleep_ms(SHORT_ROUND_MS / 2);
    times_print("listening to success", back);
    double longest = (double)back->longest / 1e6, bound = scene->is_long ? BACK_MS : 5 * BACK_MS;
    scene_check(scene, longest <= bound,
                "calls succeed %.0f ms after each of %u returns at the latest, at most %.0f",
                longest, rounds, bound);
    free(back);
}

static struct load_state *start(struct scene *scene, const char *brokers)
{
    struct fault_worker told = usual;
    told.broker = brokers;
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(scene, i, &told);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(scene, i);
    return scene_load(scene, &(struct load){.broker = brokers,
                                            .outstanding = 50,
                                            .connect_ms = CONNECT_MS,
                                            .idempotent = 50,
                                            .by_caller = true,
                                            .sleepy = 50,
                                            .sleep_us = 20000});
}

static unsigned one_broker(char **argv)
{
    struct scene scene;
    scene_init(&scene, "restarts", argv, 4000000);
    scene.broker = scene_broker(NULL, "");
    struct load_state *state = start(&scene, NULL);
    restart_all_along(&scene, (struct soak_broker *[2]){&scene.broker, &scene.broker}, state);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    scene_judge(&scene, true);
    return (unsigned)scene_finish(&scene);
}

static unsigned two_brokers(char **argv)
{
    struct scene scene;
    char brokers[300];
    scene_init(&scene, "restarts of one of two", argv, 4000000);
    scene.broker = scene_broker(NULL, "");
    struct soak_broker second = scene_broker(NULL, "");
    snprintf(brokers, sizeof brokers, "%s,%s", scene.broker.endpoint, second.endpoint);
    struct load_state *state = start(&scene, brokers);
    restart_all_along(&scene, (struct soak_broker *[2]){&scene.broker, &second}, state);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    scene_judge(&scene, true);
    soak_kill(&second.process, SIGTERM);
    return (unsigned)scene_finish(&scene);
}

int main(int argc, char **argv)
{
    (void)argc;
    unsigned failed = one_broker(argv);
    failed |= two_brokers(argv);
    return (int)failed;
}
