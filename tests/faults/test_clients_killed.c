/*
 * Clients killed while they call: what was queued for them is dropped, what runs is told that it is
 * cancelled, and the broker keeps nothing. Options: --long --seed N --rounds N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    WORKERS = 4,
    THREADS = 4,
    RUNNING = WORKERS * THREADS,
    CALLS = 48, /* in a round; more than can run */
    MANY = 6,   /* clients that have them, in every second round; else one has all */
    LONG_ROUNDS = 100,
    SHORT_ROUNDS = 4,
    WAIT_MS = 10000,
    TOLD_MS = 50,
    SHORT_TOLD_MS = 1000,
};

static unsigned long long executions(struct oracle *oracle)
{
    unsigned long long sum = 0;
    for (uint64_t id = 1; id <= oracle->begun; id++)
        sum += oracle_call(oracle, id)->executed;
    return sum;
}

static bool wait_in_flight(const struct scene *scene, uint64_t wanted)
{
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * WAIT_MS;
    while (scene_counter(scene, "calls_in_flight") != wanted) {
        if (soak_now_ns() > until)
            return false;
        soak_sleep_ms(5);
    }
    return true;
}

/* The time from the signals until all handlers that run have been told, in ns. */
static uint64_t kill_clients(struct scene *scene)
{
    uint64_t from = soak_now_ns();
    for (unsigned i = 0; i < scene->load_count; i++)
        kill(scene->load_processes[i].pid, SIGKILL);
    while (scene->oracle->cancelled < executions(scene->oracle) &&
           soak_now_ns() < from + UINT64_C(1000000) * WAIT_MS)
        soak_sleep_ms(1);
    uint64_t took = soak_now_ns() - from;
    for (unsigned i = 0; i < scene->load_count; i++)
        soak_kill(&scene->load_processes[i], SIGKILL);
    scene->load_count = 0;
    return took;
}

/*
 * False if something went wrong: not as many ran as can, or something was under way in the end. What was
 * queued for a client that dies is dropped, so nothing more runs; but of several that die one after the
 * other the last may still get what the first leaves.
 */
static bool one_round(struct scene *scene, unsigned clients, struct times *told)
{
    unsigned long long before = executions(scene->oracle);
    for (unsigned i = 0; i < clients; i++)
        scene_load(scene, &(struct load){.method = "hang",
                                         .outstanding = CALLS / clients,
                                         .limit = CALLS / clients,
                                         .timeout_ms = 20000});
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * WAIT_MS;
    bool under_way = wait_in_flight(scene, CALLS);
    while (executions(scene->oracle) < before + RUNNING && soak_now_ns() < until)
        soak_sleep_ms(1);
    times_add(told, kill_clients(scene));
    bool gone = wait_in_flight(scene, 0);
    unsigned long long ran = executions(scene->oracle) - before;
    return under_way && gone && (clients == 1 ? ran == RUNNING : ran >= RUNNING);
}

static void judge(struct scene *scene, uint64_t rounds, const struct times *told)
{
    unsigned long long ran = executions(scene->oracle), cancelled = scene->oracle->cancelled;
    double usual = times_quantile(told, 0.9);
    double bound = scene->is_long ? TOLD_MS : scene_time(SHORT_TOLD_MS);
    times_print("SIGKILL to cancelled", told);
    scene_check(
        scene, cancelled == ran && ran >= rounds * RUNNING && usual <= bound,
        "%llu of %llu handlers were told, the last %.1f ms after the signal (p90), at most %.0f",
        cancelled, ran, usual, bound);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "clients killed", argv, 100000);
    struct times *told = calloc(1, sizeof *told);
    uint64_t rounds = soak_option(argv, "--rounds", scene.is_long ? LONG_ROUNDS : SHORT_ROUNDS);
    uint64_t good = 0;
    scene.broker = scene_broker(NULL, "");
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(&scene, i, &(struct fault_worker){.threads = THREADS, .credit = THREADS});
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(&scene, i);
    for (uint64_t i = 0; i < rounds; i++)
        good += one_round(&scene, i % 2 == 0 ? 1 : MANY, told);
    uint64_t abandoned = scene_counter(&scene, "outcome_abandoned");
    scene_end_workers(&scene);
    scene_check(&scene, good == rounds,
                "in %llu of %llu rounds what ran ended, and what was queued was dropped",
                (unsigned long long)good, (unsigned long long)rounds);
    judge(&scene, rounds, told);
    scene_check(&scene, abandoned == rounds * CALLS, "%llu of %llu calls count as abandoned",
                (unsigned long long)abandoned, (unsigned long long)rounds * CALLS);
    free(told);
    return scene_finish(&scene);
}
