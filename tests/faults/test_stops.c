/*
 * Workers that stop without going away: one SIGSTOPped, one whose handler hangs. Their calls end at
 * their deadlines, and the others hardly notice. Options: --long --seed N
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    WORKERS = 4,
    STOPPED = 0, /* the place of the one that is stopped */
    DEADLINE_MS = 400,
    SETTLE_MS = 50, /* until what a worker holds when it is stopped was called in that phase */
    LONG_MS = 10000,
    SHORT_MS = 1500,
    LAG_MS = 50,
    RATE = 1000,
    HANGING = 6,
};

/* A fault has normal times before and after it. */
enum phase {
    CALM = 0,
    NORMAL_BEFORE = 1,
    STOPPING = 2,
    NORMAL_BETWEEN = 3,
    HANGS = 4,
    NORMAL_AFTER = 5,
};

/* A stopped worker must not be found out by its silence before its calls have met their deadlines. */
static const char config[] = "heartbeat: {interval: 1s, liveness: 30}\n";

static const struct fault_worker usual = {.threads = 4, .credit = 8};

static unsigned time_of(const struct scene *scene)
{
    return scene->is_long ? LONG_MS : SHORT_MS;
}

static void check_lag(struct scene *scene, const struct times *lag, const char *what)
{
    double longest = (double)lag->longest / 1e6,
           bound = scene->is_long ? LAG_MS : scene_time(10 * LAG_MS);
    scene_check(scene, longest <= bound,
                "calls of %s ended within %.1f ms of their deadlines, at most %.0f", what, longest,
                bound);
}

/* The worse of the normal times before and after a fault. */
static double normal_p99(const struct load_state *state, enum phase phase)
{
    double before = times_quantile(&state->phases[phase - 1].good, 0.99);
    double after = times_quantile(&state->phases[phase + 1].good, 0.99);
    return before > after ? before : after;
}

static void check_others(struct scene *scene, const struct load_state *state, enum phase phase,
                         const char *what)
{
    double normal = normal_p99(state, phase);
    double now = times_quantile(&state->phases[phase].good, 0.99);
    double bound = scene->is_long ? 2 * normal : 10 * normal + scene_time(100);
    scene_check(scene, now <= bound, "p99 of the others beside %s is %.3f ms, normally %.3f", what,
                now, normal);
}

/* No call may end as anything but OK or TIMEOUT, and of these there must be some. */
static void check_outcomes(struct scene *scene, const struct load_state *state, enum phase phase)
{
    unsigned long long ok = state->phases[phase].outcomes[BUSBAR_OK];
    unsigned long long late = state->phases[phase].outcomes[BUSBAR_TIMEOUT];
    unsigned long long made = state->phases[phase].made;
    scene_check(scene, ok + late == made && late > 0,
                "of %llu calls beside a stopped worker %llu end as OK, %llu as TIMEOUT", made, ok,
                late);
}

/* A time without faults, since a machine is not the same at all times. */
static void be_normal(const struct scene *scene, struct load_state *state, enum phase phase)
{
    state->phase = phase;
    soak_sleep_ms(time_of(scene) / 2);
    state->phase = CALM;
}

static void stop_one(struct scene *scene, struct load_state *state)
{
    pid_t pid = scene->places[STOPPED].process.pid;
    state->phase = STOPPING;
    soak_sleep_ms(SETTLE_MS);
    kill(pid, SIGSTOP);
    soak_sleep_ms(time_of(scene));
    kill(pid, SIGCONT);
    state->phase = CALM;
    soak_sleep_ms(DEADLINE_MS);
}

static struct load_state *hang_some(struct scene *scene, struct load_state *state)
{
    struct load_state *hanging = scene_load(
        scene, &(struct load){.method = "hang", .outstanding = HANGING, .timeout_ms = DEADLINE_MS});
    soak_sleep_ms(DEADLINE_MS / 2);
    state->phase = HANGS;
    soak_sleep_ms(time_of(scene));
    state->phase = CALM;
    hanging->stop = true;
    soak_sleep_ms(2 * DEADLINE_MS);
    return hanging;
}

static void judge(struct scene *scene, const struct load_state *state,
                  const struct load_state *hanging)
{
    unsigned long long made = hanging->made;
    unsigned long long late = hanging->phases[0].outcomes[BUSBAR_TIMEOUT];
    times_print("normal, before", &state->phases[NORMAL_BEFORE].good);
    times_print("normal, between", &state->phases[NORMAL_BETWEEN].good);
    times_print("normal, afterwards", &state->phases[NORMAL_AFTER].good);
    times_print("beside a stopped worker", &state->phases[STOPPING].good);
    times_print("beside hanging handlers", &state->phases[HANGS].good);
    times_print("deadline to TIMEOUT", &state->phases[STOPPING].lag);
    times_print("the same, hanging handlers", &hanging->phases[0].lag);
    check_outcomes(scene, state, STOPPING);
    check_lag(scene, &state->phases[STOPPING].lag, "a stopped worker");
    check_lag(scene, &hanging->phases[0].lag, "hanging handlers");
    check_others(scene, state, STOPPING, "a stopped worker");
    check_others(scene, state, HANGS, "hanging handlers");
    scene_check(scene, late == made && made >= HANGING,
                "%llu of %llu calls that hang end as TIMEOUT", late, made);
    scene_check(scene, scene->oracle->cancelled == made, "%llu of %llu hanging handlers are told",
                (unsigned long long)scene->oracle->cancelled, made);
}

int main(int argc, char **argv)
{
    (void)argc;
    struct scene scene;
    scene_init(&scene, "stops", argv, 200000);
    scene.broker = scene_broker(NULL, config);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_work(&scene, i, &usual);
    for (unsigned i = 0; i < WORKERS; i++)
        scene_ready(&scene, i);
    struct load_state *state = scene_load(&scene, &(struct load){.timeout_ms = DEADLINE_MS,
                                                                 .sleepy = 100,
                                                                 .sleep_us = 1000,
                                                                 .outstanding = 500});
    state->rate = RATE;
    be_normal(&scene, state, NORMAL_BEFORE);
    stop_one(&scene, state);
    be_normal(&scene, state, NORMAL_BETWEEN);
    struct load_state *hanging = hang_some(&scene, state);
    be_normal(&scene, state, NORMAL_AFTER);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    judge(&scene, state, hanging);
    scene_judge(&scene, false);
    return scene_finish(&scene);
}
