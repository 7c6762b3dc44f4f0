/* The worker of the fault tests: it tells the oracle what it executes. */
#ifndef TESTS_FAULTS_WORKER_H
#define TESTS_FAULTS_WORKER_H

#include "tests/faults/oracle.h"

/* What every call carries; the reply begins with the id. */
struct fault_body {
    uint64_t id;
    uint32_t sleep_us;
    uint32_t reply_size; /* at least that of the id */
};

struct fault_worker {
    struct oracle *oracle;
    const char *broker;
    const char *service;
    unsigned number; /* of this worker, never used again */
    unsigned threads;
    unsigned credit; /* 0: adapted */
};

/*
 * Runs in a process of its own (soak_fork): says `ready`, ends with SIGTERM. Methods: `count` sleeps
 * and answers; `count_again` does, and is idempotent; `hang` ends when it sees that it is cancelled,
 * or after 30 s; `gate` waits for the oracle's gate; `die` kills its process.
 */
int fault_worker_run(const void *fault_worker);

#endif
