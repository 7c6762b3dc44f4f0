/* Distributions of times, in memory that several processes share: buckets, each 3 % wide. */
#ifndef TESTS_FAULTS_TIMES_H
#define TESTS_FAULTS_TIMES_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    TIMES_FINE = 32, /* buckets for each power of two */
    TIMES_BUCKETS = 40 * TIMES_FINE,
};

struct times {
    atomic_ullong count;
    atomic_ullong longest; /* ns */
    atomic_uint buckets[TIMES_BUCKETS];
};

void times_add(struct times *times, uint64_t ns);

/* The time in ms that `fraction` of all are not above; 0 if there are none. */
double times_quantile(const struct times *times, double fraction);

/* One line: count, p50, p90, p99, p99.9 and the longest, in ms. */
void times_print(const char *name, const struct times *times);

#endif
