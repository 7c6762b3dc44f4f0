/*
 * How many calls a worker takes at once: adapted to the measured time of its handlers, so that a
 * fraction of a millisecond of work waits here, and to the size of the bodies, so that those which wait
 * are still in the processor's cache when they are read. Knows neither packets nor clocks.
 */
#ifndef WORKER_LIB_CREDIT_H
#define WORKER_LIB_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CREDIT_MAX = 1024,             /* of what is adapted; a fixed one may be larger */
    CREDIT_TARGET_NS = 500 * 1000, /* of handler time that waits here, for each thread */
    CREDIT_BYTES = 1024 * 1024,    /* of bodies on their way here and waiting */
    CREDIT_SAMPLES_MIN = 4,        /* before that nothing is known */
};

struct credit {
    uint32_t threads;
    uint32_t fixed;    /* 0: adapted */
    uint32_t in_force; /* what the broker was told last; 1 before it was told anything */
    uint32_t extra;    /* what it was told besides, for handlers that wait for calls of their own */
    uint32_t samples;
    uint64_t handler_ns; /* moving average of the time one handler takes */
    uint64_t body_size;  /* the same of the bytes it is given */
};

void credit_init(struct credit *credit, uint32_t threads, uint32_t fixed);

/* Takes in the time that one handler took, and the size of its request's body. */
void credit_measure(struct credit *credit, uint64_t handler_ns, uint64_t body_size);

/* Have there been enough of them for the average to say something? */
static inline bool credit_is_known(const struct credit *credit)
{
    return credit->samples >= CREDIT_SAMPLES_MIN;
}

/* The average as it would be if the handler that has been running for `busy_ns` ended now. */
uint64_t credit_handler_ns(const struct credit *credit, uint64_t busy_ns);

/* What there should be: always one more than there are threads, and at most four times what is in
 * force, so that a few quick calls do not fetch a thousand. */
uint32_t credit_wanted(const struct credit *credit, uint64_t busy_ns);

/* Worth a packet: is it off by more than a quarter? */
bool credit_is_off(const struct credit *credit, uint32_t wanted);

#endif
