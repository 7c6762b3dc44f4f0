/* The clients of the fault tests: processes that keep calls under way and tell the oracle. */
#ifndef TESTS_FAULTS_LOAD_H
#define TESTS_FAULTS_LOAD_H

#include "tests/faults/oracle.h"
#include "tests/faults/times.h"

enum {
    LOAD_PHASES = 8,
};

/* Shared with the process of the load. A call belongs to the phase in which it was started. */
struct load_state {
    atomic_bool stop;              /* start no more, wait for the last outcomes, end */
    atomic_bool pause;             /* start none for now */
    atomic_bool ended;             /* it did, with all outcomes there */
    atomic_uint phase;             /* which of those below */
    atomic_uint rate;              /* calls a second; 0: as many as may be outstanding */
    atomic_ullong made;            /* calls started */
    atomic_ullong succeeded_since; /* set it to 0 … */
    struct {
        atomic_ullong made;
        atomic_ullong outcomes[ORACLE_STATUSES];
        struct times good; /* from start to OK */
        struct times bad;  /* from start to anything else */
        struct times lag;  /* of TIMEOUT and EXPIRED: how far from the deadline */
    } phases[LOAD_PHASES];
};

struct load {
    struct oracle *oracle;
    struct load_state *state;
    const char *broker;
    const char *service;
    const char *method; /* NULL: `count` and `count_again`, as `idempotent` says */
    unsigned outstanding;
    uint32_t timeout_ms;
    uint32_t connect_ms; /* how long calls wait for a broker; 0: the library's default */
    unsigned idempotent; /* percent, marked so by their method or by the caller */
    bool by_caller;      /* they are all marked by the caller */
    unsigned sleepy;     /* percent that sleep in their handler … */
    unsigned sleep_us;   /* … for up to so long; exactly so long at 100 percent */
    unsigned reply_size;
    unsigned seed;
    uint64_t limit; /* of calls; 0: none */
};

struct load_state *load_state_new(void);

/* Runs in a process of its own (soak_fork). */
int load_run(const void *load);

#endif
