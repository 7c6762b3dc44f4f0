/* A TCP proxy that does to connections what networks do; its mode can change at any moment. */
#ifndef TESTS_FAULTS_PROXY_H
#define TESTS_FAULTS_PROXY_H

#include <stdatomic.h>
#include <stdint.h>

#include "tests/soak/soak.h"

enum proxy_mode {
    PROXY_PASS = 0,
    PROXY_BLACK_HOLE = 1, /* connections are accepted and kept, and nothing is passed on */
    PROXY_HALF_OPEN = 2,  /* what the broker sends is not passed on */
    PROXY_SLICE = 3,      /* writes of 1 to 7 bytes */
};

/* Shared with the proxy's process. */
struct proxy_state {
    atomic_uint mode;
    atomic_uint delay_ms; /* for what is read from now on */
    atomic_uint cuts;     /* one more: all connections are cut now */
    atomic_uint cut;      /* connections cut so far */
    atomic_ullong passed; /* bytes */
    atomic_bool stop;
};

struct proxy {
    struct proxy_state *state;
    struct soak_process process;
    char endpoint[64]; /* where it listens, on a port that the kernel chose */
};

/* Starts one in front of an endpoint tcp://127.0.0.1:PORT. */
void proxy_start(struct proxy *proxy, const char *broker, unsigned seed);
void proxy_stop(struct proxy *proxy);

#endif
