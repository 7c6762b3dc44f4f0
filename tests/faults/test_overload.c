/*
 * More calls than a service can do, twice and ten times as many: handlers that sleep set the capacity.
 * What is done in time stays near the peak, nothing waits too long, and it is over when it is over.
 * Options: --long --seed N --seconds N
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/faults/scene.h"

enum {
    THREADS = 4,
    SLEEP_US = 5000,
    CAPACITY = THREADS * 1000000 / SLEEP_US, /* calls a second */
    NORMAL_RATE = CAPACITY / 2,
    LONG_SECONDS = 60,
    SHORT_SECONDS = 2,
    PEAK_OUTSTANDING = 32,
    RECOVERY_MS = 2000,
    SHORT_RECOVERY_MS = 1000,
    GOODPUT = 90, /* percent of the peak */
    SHORT_GOODPUT = 60,
    SLACK_MS = 50, /* of the bound of age, in a long run */
};

/* Numbers of phases; the three of an overload follow each other. */
enum phase {
    NORMAL = 0,
    TWICE = 1,
    TEN_TIMES = 4,
    AFTER = 1, /* the first seconds after it */
    BACK = 2,
};

struct variant {
    const char *name;
    const char *config;
    uint32_t timeout_ms;
    uint32_t age_ms; /* nothing waits longer */
};

static const struct variant variants[] = {
    {"overload, 1 s, age 500 ms", "queue: {age: 500ms}\n", 1000, 500},
    {"overload, 250 ms", "", 250, 250},
};

static unsigned long long succeeded(const struct load_state *state)
{
    unsigned long long sum = 0;
    for (int i = 0; i < LOAD_PHASES; i++)
        sum += state->phases[i].outcomes[BUSBAR_OK];
    return sum;
}

/* Calls that succeed in a second, measured for some ms. */
static double goodput(const struct load_state *state, unsigned ms)
{
    unsigned long long before = succeeded(state);
    uint64_t from = soak_now_ns();
    soak_sleep_ms(ms);
    return (double)(succeeded(state) - before) * 1e9 / (double)(soak_now_ns() - from);
}

static double measure_peak(struct scene *scene, const struct variant *variant)
{
    struct load_state *state = scene_load(scene, &(struct load){.outstanding = PEAK_OUTSTANDING,
                                                                .timeout_ms = variant->timeout_ms,
                                                                .sleepy = 100,
                                                                .sleep_us = SLEEP_US});
    soak_sleep_ms(300);
    double peak = goodput(state, scene->is_long ? 5000 : 600);
    scene_end_loads(scene);
    printf("  the peak is %.0f calls/s, of %d\n", peak, CAPACITY);
    return peak;
}

static void check_recovery(struct scene *scene, const struct load_state *state, enum phase phase,
                           const char *what)
{
    double normal = times_quantile(&state->phases[NORMAL].good, 0.9);
    double now = times_quantile(&state->phases[phase].good, 0.9);
    unsigned long long made = state->phases[phase].made;
    unsigned long long ok = state->phases[phase].outcomes[BUSBAR_OK];
    double bound = scene->is_long ? 2 * normal : 10 * normal + scene_time(100);
    scene_check(scene, made > 0 && ok == made && now <= bound,
                "soon after %s %llu of %llu calls are OK, with a p90 of %.1f ms, normally %.1f",
                what, ok, made, now, normal);
}

/* Offers `factor` times the capacity for a while, and looks at what came of it. */
static void overload(struct scene *scene, struct load_state *state, unsigned factor, double peak)
{
    enum phase phase = factor == 2 ? TWICE : TEN_TIMES;
    unsigned seconds = scene->is_long ? LONG_SECONDS : SHORT_SECONDS;
    double least = peak * (scene->is_long ? GOODPUT : SHORT_GOODPUT) / 100;
    char what[32];
    snprintf(what, sizeof what, "%u times the capacity", factor);
    state->phase = phase;
    state->rate = factor * CAPACITY;
    double good = goodput(state, seconds * 1000);
    state->phase = phase + AFTER;
    state->rate = NORMAL_RATE;
    soak_sleep_ms(scene->is_long ? RECOVERY_MS : SHORT_RECOVERY_MS);
    state->phase = phase + BACK;
    soak_sleep_ms(scene->is_long ? 5000 : 600);
    state->phase = NORMAL;
    soak_sleep_ms(200);
    printf("  %u times, %llu calls\n", factor, (unsigned long long)state->phases[phase].made);
    times_print("OK", &state->phases[phase].good);
    times_print("refused or expired", &state->phases[phase].bad);
    scene_check(scene, good >= least, "at %s %.0f calls/s succeed, at least %.0f, %.0f at the peak",
                what, good, least, peak);
    check_recovery(scene, state, phase + BACK, what);
}

/* What was answered or refused had not waited longer than the bound, and what it takes without. */
static void check_age(struct scene *scene, const struct load_state *state,
                      const struct variant *variant)
{
    double bound = variant->age_ms + (scene->is_long ? SLACK_MS : 10 * SLACK_MS) +
                   times_quantile(&state->phases[NORMAL].good, 0.99);
    double longest = 0;
    for (enum phase phase = TWICE; phase <= TEN_TIMES; phase += TEN_TIMES - TWICE) {
        double good = times_quantile(&state->phases[phase].good, 0.99);
        double bad = times_quantile(&state->phases[phase].bad, 0.99);
        longest = good > longest ? good : longest;
        longest = bad > longest ? bad : longest;
    }
    scene_check(scene, longest <= bound, "no call waited longer than %.0f ms (p99), at most %.0f",
                longest, bound);
}

static unsigned run(const struct variant *variant, char **argv)
{
    struct scene scene;
    scene_init(&scene, variant->name, argv, 4000000);
    scene.broker = scene_broker(NULL, variant->config);
    scene_work(&scene, 0, &(struct fault_worker){.threads = THREADS});
    scene_ready(&scene, 0);
    double peak = measure_peak(&scene, variant);
    struct load_state *state = load_state_new();
    state->rate = NORMAL_RATE;
    scene_load(&scene, &(struct load){.state = state,
                                      .outstanding = 20000,
                                      .timeout_ms = variant->timeout_ms,
                                      .sleepy = 100,
                                      .sleep_us = SLEEP_US});
    soak_sleep_ms(scene.is_long ? 5000 : 600);
    if (scene.is_long)
        overload(&scene, state, 2, peak);
    overload(&scene, state, 10, peak);
    scene_end_loads(&scene);
    scene_end_workers(&scene);
    times_print("normal", &state->phases[NORMAL].good);
    check_age(&scene, state, variant);
    scene_judge(&scene, false);
    return (unsigned)scene_finish(&scene);
}

int main(int argc, char **argv)
{
    (void)argc;
    unsigned failed = 0;
    for (unsigned i = 0; i < sizeof variants / sizeof variants[0]; i++)
        failed |= run(&variants[i], argv);
    return (int)failed;
}
