/* Quantiles of a histogram. */
#include "cli/histogram.h"

static double bucket_middle(size_t bucket)
{
    size_t fine = (size_t)1 << HISTOGRAM_FINE_BITS;
    if (bucket < 2 * fine)
        return (double)bucket;
    unsigned shift = (unsigned)(bucket >> HISTOGRAM_FINE_BITS) - 1;
    uint64_t least = (uint64_t)(bucket - ((size_t)shift << HISTOGRAM_FINE_BITS)) << shift;
    return (double)least + (double)((uint64_t)1 << shift) / 2;
}

double histogram_quantile(const struct histogram *histogram, double fraction)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    if (total == 0)
        return 0;
    uint64_t wanted = (uint64_t)(fraction * (double)(total - 1)) + 1;
    uint64_t seen = 0;
    size_t bucket = 0;
    for (; seen + histogram->counts[bucket] < wanted; bucket++)
        seen += histogram->counts[bucket];
    return bucket_middle(bucket);
}
