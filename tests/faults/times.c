#include "tests/faults/times.h"

#include <stdio.h>

/* Below 32 ns each has a bucket of its own; above, five bits after the highest choose it. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns < TIMES_FINE)
        return (unsigned)ns;
    unsigned high = 63 - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (high - 4) * TIMES_FINE + (unsigned)(ns >> (high - 5)) % TIMES_FINE;
    return bucket < TIMES_BUCKETS ? bucket : TIMES_BUCKETS - 1;
}

/* The longest time that falls into it. */
static double bucket_end(unsigned bucket)
{
    if (bucket < TIMES_FINE)
        return bucket;
    unsigned high = bucket / TIMES_FINE + 4;
    uint64_t step = UINT64_C(1) << (high - 5);
    return (double)((UINT64_C(1) << high) + (bucket % TIMES_FINE + 1) * step);
}

void times_add(struct times *times, uint64_t ns)
{
    unsigned long long longest = times->longest;
    times->buckets[bucket_of(ns)]++;
    times->count++;
    while (ns > longest && !atomic_compare_exchange_weak(&times->longest, &longest, ns))
        continue;
}

double times_quantile(const struct times *times, double fraction)
{
    double wanted = fraction * (double)times->count;
    double seen = 0;
    for (unsigned i = 0; i < TIMES_BUCKETS; i++) {
        seen += times->buckets[i];
        if (seen > 0 && seen >= wanted) {
            double end = bucket_end(i), longest = (double)times->longest;
            return (end < longest ? end : longest) / 1e6;
        }
    }
    return (double)times->longest / 1e6;
}

void times_print(const char *name, const struct times *times)
{
    printf("  %-26s %8llu: p50 %.3f  p90 %.3f  p99 %.3f  p99.9 %.3f  max %.3f ms\n", name,
           (unsigned long long)times->count, times_quantile(times, 0.5), times_quantile(times, 0.9),
           times_quantile(times, 0.99), times_quantile(times, 0.999), (double)times->longest / 1e6);
    fflush(stdout);
}
