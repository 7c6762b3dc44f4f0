/*
 * The router against the reference model. BUSBAR_SEED=number replays a run, BUSBAR_EVENTS=number is
 * its length; without them there is one run that is always the same and one that never is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/random.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 5 };
#else
enum { SLOWER = 1 };
#endif

enum {
    FIXED_SEED = 20260101,
    FIXED_EVENTS = 10000000 / SLOWER,
    RANDOM_EVENTS = 1000000 / SLOWER,
    EVENTS_FOR_ALL = 5000000,
    LEAST_SHARE = 100000, /* one in so many events, at least, has each kind of end */
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_counters(const struct world *world)
{
#define PRINT(name, text)                                                                          \
    if (world->totals.name > 0)                                                                    \
        printf("%10" PRIu64 " %s\n", world->totals.name, #name);
    COUNTER_TABLE(PRINT)
#undef PRINT
    printf("%10" PRIu64 " unnamed, %" PRIu64 " blanked, %" PRIu64 " by anybody\n",
           world->seen.unnamed, world->seen.blanked, world->seen.by_anybody);
}

/* A run of some length has come across everything that can become of a call. */
static void expect_all(const struct world *world)
{
    const struct counters *totals = &world->totals;
    const struct {
        const char *name;
        uint64_t count;
    } SEEN[] = {
#define ROW(name) {#name, totals->name}
        ROW(outcome_ok),
        ROW(outcome_worker_error),
        ROW(outcome_no_service),
        ROW(outcome_no_method),
        ROW(outcome_bad_request),
        ROW(outcome_too_large),
        ROW(outcome_busy),
        ROW(outcome_draining),
        ROW(outcome_expired),
        ROW(outcome_timeout),
        ROW(outcome_cancelled),
        ROW(outcome_abandoned),
        ROW(outcome_oneway),
        ROW(outcome_loop),
        ROW(outcome_stalled),
        ROW(outcome_broken),
        ROW(outcome_worker_lost),
        ROW(outcome_poisoned),
        ROW(oneway_done),
        ROW(oneway_failed),
        ROW(hopeless),
        ROW(retries_spared),
        ROW(waited),
        ROW(parts),
        ROW(progress),
        ROW(progress_dropped),
        ROW(queued),
        ROW(redispatched),
        ROW(returned),
        ROW(late_replies),
#undef ROW
        {"a call that nobody offers to who takes all", world->seen.unnamed},
        {"a method that its worker was not told", world->seen.blanked},
        {"a call without a method to who knows some alone", world->seen.by_anybody},
    };
    for (size_t i = 0; i < ARRAY_SIZE(SEEN); i++) {
        if (SEEN[i].count * LEAST_SHARE < world->events)
            history_fail("only %" PRIu64 " times in %" PRIu64 " events: %s", SEEN[i].count,
                         world->events, SEEN[i].name);
    }
}

static void simulate(uint64_t seed, uint64_t events)
{
    struct world *world = calloc(1, sizeof *world);
    double started = seconds();
    if (world == NULL)
        abort();
    printf("seed %" PRIu64 ", %" PRIu64 " events\n", seed, events);
    fflush(stdout);
    history_begin(seed);
    world->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    world->now = 1000;
    for (size_t i = 0; i < sizeof world->body; i++)
        world->body[i] = (uint8_t)i;
    world_open(world);
    while (world->events < events)
        world_step(world);
    world_close(world);
    if (getenv("BUSBAR_VERBOSE") != NULL)
        print_counters(world);
    if (events >= EVENTS_FOR_ALL)
        expect_all(world);
    printf("ok - %" PRIu64 " random events with seed %" PRIu64 ": each call one true outcome "
           "(%" PRIu64 " deaths, %" PRIu64 " cut, %" PRIu64 " restarts, %.1f s)\n",
           events, seed, world->deaths, world->cuts, world->restarts, seconds() - started);
    fflush(stdout);
    free(world);
}

int main(void)
{
    const char *seed = getenv("BUSBAR_SEED");
    const char *events = getenv("BUSBAR_EVENTS");
    uint64_t count = events == NULL ? 0 : strtoull(events, NULL, 0);
    history_catch_abort();
    if (seed != NULL) {
        simulate(strtoull(seed, NULL, 0), count > 0 ? count : FIXED_EVENTS);
        return 0;
    }
    simulate(FIXED_SEED, count > 0 ? count : FIXED_EVENTS);
    simulate(random_u64() >> 32, count > 0 ? count : RANDOM_EVENTS);
    return 0;
}
