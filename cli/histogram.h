/* Latencies counted in buckets that are less than one percent wide, so that many processes' add up. */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_FINE_BITS = 7, /* each power of two is divided into 2^7 buckets */
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS,
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t value)
{
    if (value < (1u << HISTOGRAM_FINE_BITS))
        return value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_FINE_BITS;
    return ((size_t)shift << HISTOGRAM_FINE_BITS) + (value >> shift);
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_bucket(value)]++;
}

/* The value that `fraction` of all are not above, as the middle of its bucket; 0 if there is none. */
double histogram_quantile(const struct histogram *histogram, double fraction);

#endif
