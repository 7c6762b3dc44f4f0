/* A bound on how many threads do something at once; the others wait in the order they came. */
#ifndef OBJECTS_TURNS_H
#define OBJECTS_TURNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct turns {
    uint32_t count;
    atomic_int pid; /* whose threads have the turns; 0 while the child of a fork begins anew */
    pthread_mutex_t lock;
    uint32_t free;
    struct list waiting; /* of struct waiter, the first to come first */
};

struct turns_wait {
    uint64_t deadline_ms;             /* by clock_ms(); UINT64_MAX: none */
    bool (*cancelled)(void *context); /* asked all the time: no longer needed? NULL: it is */
    void *context;
};

enum turns_outcome { TURNS_TAKEN, TURNS_CANCELLED, TURNS_EXPIRED };

/* `count` 0: no bound. */
void turns_init(struct turns *turns, uint32_t count);
void turns_fini(struct turns *turns);

/* Each turn that was taken is given back. In the child of a fork all are free again. */
enum turns_outcome turns_take(struct turns *turns, const struct turns_wait *wait);
void turns_give(struct turns *turns);

#endif
