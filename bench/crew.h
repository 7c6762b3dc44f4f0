/* The clients and workers of one measurement, as threads of children, and how they meet. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load.h"

enum {
    CREW_PROCESSES_MAX = 1024,
};

/* What a client measured; in memory shared with the parent. */
struct crew_result {
    uint64_t calls;
    uint64_t from; /* ns */
    uint64_t to;
};

/* A number of like clients or workers, spread over as many processes. */
struct crew_plan {
    const struct load *load;
    const struct load_place *place;
    const char *service;
    uint64_t count;
    uint64_t processes; /* 0: each has its own */
    uint64_t calls;     /* of each client at most; 0: no end */
    uint64_t seconds;   /* at most; 0: no end */
    uint64_t outstanding;
    bool counts; /* it waits at the gate, and its calls are measured */
    bool idle;   /* they make one call each and stay connected */
};

struct crew {
    struct crew_result *results; /* of each client */
    uint64_t *times;             /* ns, of each call of each client; NULL: not taken */
    uint64_t times_each;         /* room for each client */
    uint64_t clients;
};

/* Before any child is started. */
void crew_init(struct crew *crew, const struct crew_plan *clients);

/* Each starts its children and returns when all of them are ready. */
void crew_start_workers(const struct crew_plan *plan);
void crew_start_clients(struct crew *crew, const struct crew_plan *plan);

/* Lets the clients go, and returns when all have made their calls. */
void crew_measure(const struct crew *crew);
/* Ends the children that were started, each by its id. */
void crew_end(void);

/* For what runs in a child: it is ready. And for the parent: waits for `count` of these. */
void crew_ready(void);
void crew_wait_ready(uint64_t count);

#endif
