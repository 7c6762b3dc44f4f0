/*
 * The router against the reference model. BUSBAR_SEED=number replays a run, BUSBAR_EVENTS=number is
 * its length; without them there is one run that is always the same and one that never is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "tests/simulation/history.h"
#include "tests/simulation/world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 20 };
#else
enum { SLOWER = 1 };
#endif

enum {
    FIXED_SEED = 20260101,
    FIXED_EVENTS = 10000000 / SLOWER,
    RANDOM_EVENTS = 2000000 / SLOWER,
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_counters(const struct world *world)
{
    const struct counters *counters = &world->counters;
    printf("of the last broker:\n");
#define PRINT(name, text)                                                                          \
    if (counters->name > 0)                                                                        \
        printf("%10" PRIu64 " %s\n", counters->name, #name);
    COUNTER_TABLE(PRINT)
#undef PRINT
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
    if (getenv("BUSBAR_VERBOSE") != NULL)
        print_counters(world);
    world_close(world);
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
