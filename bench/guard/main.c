/* Runs one path for so many rounds, with a clock that is the same in each run. */
#include "bench/guard/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RING = 1024, /* at least GUARD_OUTSTANDING */
    CLOCK_STEP_NS = 500,
    NS_PER_S = 1000000000,
};

const uint8_t guard_body[GUARD_BODY_SIZE] = "as good as any other";

static struct {
    uint64_t ids[RING];
    unsigned first;
    unsigned count;
} ring;

static _Atomic uint64_t clock_looks;

/* In place of the C library's: so many looks, so much time has passed, on every machine. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    uint64_t ns = UINT64_C(1000) * NS_PER_S + clock_looks++ * CLOCK_STEP_NS;
    (void)clock;
    *now = (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    return 0;
}

void guard_fail(const char *sentence)
{
    fprintf(stderr, "guard: it does not hold that %s\n", sentence);
    exit(1);
}

void guard_asked(uint64_t id)
{
    guard_expect(ring.count < RING, "no more calls are under way than were started");
    ring.ids[(ring.first + ring.count++) % RING] = id;
}

uint64_t guard_oldest(void)
{
    guard_expect(ring.count > 0, "a call is under way");
    uint64_t id = ring.ids[ring.first];
    ring.first = (ring.first + 1) % RING;
    ring.count--;
    return id;
}

unsigned guard_unanswered(void)
{
    return ring.count;
}

static const struct path *find(const char *name)
{
    for (const struct path *path = paths; path->name != NULL; path++) {
        if (strcmp(path->name, name) == 0)
            return path;
    }
    return NULL;
}

static int list(void)
{
    for (const struct path *path = paths; path->name != NULL; path++)
        printf("%s %u\n", path->name, path->calls);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return list();
    const struct path *path = argc == 3 ? find(argv[1]) : NULL;
    unsigned long rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (path == NULL || rounds == 0) {
        fprintf(stderr, "usage: %s [PATH ROUNDS]; without them: the paths, calls per round\n",
                argv[0]);
        return 2;
    }
    path->begin(path);
    for (unsigned long i = 0; i < rounds; i++)
        path->round();
    if (path->end != NULL)
        path->end();
    return 0;
}
