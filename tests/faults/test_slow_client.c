/*
 * A client that stops reading when 100,000 replies are due to it: it is cut off at the configured
 * bound, the broker's memory stays within it, and other clients notice nothing.
 * Options: --long --seed N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    REPLIES = 100000,
    REPLY_SIZE = 1000,
    OUTBOX_KIB = 4096,
    CHANGE_KIB = 3072, /* what else the broker may take meanwhile */
    RATE = 500,
    BEFORE_MS = 1500,
    LONG_BEFORE_MS = 5000,
    WAIT_MS = 20000,
};

enum phase {
    NORMAL = 0,
    BESIDE = 1,
    CALM = 2,
};

static const char config[] = "outbox_bytes: 4 MiB\nbody_limit: 64 KiB\nqueue: {calls: 200000}\n";

static bool wait_for_counter(const struct scene *scene, const char *name, uint64_t wanted)
{
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * WAIT_MS;
    while (scene_counter(scene, name) < wanted) {
        if (soak_now_ns() > until)
            return false;
        soak_sleep_ms(20);
    }
    return true;
}

/* Lets all replies come at once while their client is stopped; by how much the broker grew, in KiB. */
static size_t flood(struct scene *scene, struct load_state *others)
{
    pid_t broker = scene->broker.process.pid, client = scene->load_processes[1].pid;
    kill(client, SIGSTOP);
    soak_sleep_ms(100);
    scene_peak_reset(broker);
    size_t before = scene_rss_kib(broker);
    others->phase = BESIDE;
    scene->oracle->gate = true;
    scene_check(scene, wait_for_counter(scene, "sessions_cut", 1), "the slow client is cut off");
    soak_sleep_ms(scene->is_long ? LONG_BEFORE_MS : BEFORE_MS);
    others->phase = CALM;
    size_t peak = scene_peak_kib(broker);
    kill(client, SIGCONT);
    return peak > before ? peak - before : 0;
}

static void check_others(struct scene *scene, const struct load_state *others)
{
    double normal = times_quantile(&others->phases[NORMAL].good, 0.99);
    double beside = times_quantile(&others->phases[BESIDE].good, 0.99);
    double bound = scene->is_long ? 2 * normal : 10 * normal + scene_time(100);
    unsigned long long made = others->made, ok = 0;
    for (int i = 0; i < LOAD_PHASES; i++)
        ok += others->phases[i].outcomes[BUSBAR_OK];
    times_print("others, normal", &others->phases[NORMAL].good);
    times_print("others, beside it", &others->phases[BESIDE].good);
    scene_check(scene, ok == made && beside <= bound,
                "%llu of %llu calls of others are OK; their p99 is %.2f ms, normally %.2f", ok,
                made, beside, normal);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "slow client", argv, 400000);
    scene.broker = scene_broker(NULL, config);
    scene_work(&scene, 0, &(struct fault_worker){.threads = 4});
    scene_work(&scene, 1, &(struct fault_worker){.threads = 2, .service = "slow"});
    scene_ready(&scene, 0);
    scene_ready(&scene, 1);
    struct load_state *others = load_state_new();
    others->rate = RATE;
    others->phase = CALM;
    scene_load(&scene, &(struct load){.state = others});
    struct load_state *slow = scene_load(&scene, &(struct load){.service = "slow",
                                                                .method = "gate",
                                                                .outstanding = REPLIES,
                                                                .limit = REPLIES,
                                                                .reply_size = REPLY_SIZE,
                                                                .timeout_ms = 25000});
    bool queued = wait_for_counter(&scene, "calls_in_flight", REPLIES);
    soak_sleep_ms(100);
    scene_check(&scene, queued, "%d calls are under way", REPLIES);
    others->phase = NORMAL;
    soak_sleep_ms(scene.is_long ? LONG_BEFORE_MS : BEFORE_MS);
    others->phase = CALM;
    size_t grown = flood(&scene, others);
    scene_check(&scene, grown <= scene_memory(OUTBOX_KIB + CHANGE_KIB),
                "the broker grew by %zu KiB, at most %d due to the client and %d else", grown,
                OUTBOX_KIB, CHANGE_KIB);
    uint64_t cut = scene_counter(&scene, "sessions_cut");
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    scene_check(&scene, cut == 1, "%llu session was cut", (unsigned long long)cut);
    printf("  the slow client had %llu replies in the end\n",
           (unsigned long long)slow->phases[0].outcomes[BUSBAR_OK]);
    check_others(&scene, others);
    scene_judge(&scene, false);
    return scene_finish(&scene);
}
