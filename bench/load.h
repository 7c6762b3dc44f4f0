/*
 * What the driver of the benchmark asks of a system: clients that send requests and receive
 * replies, and workers that answer each request with its own body. One file for each system.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_ENDPOINT_SIZE = 256,
    LOAD_REPLY_MS = 30000, /* a reply that takes longer is a failure */
};

/* Where, and what is going to happen there: a system may prepare itself for that. */
struct load_place {
    char endpoint[LOAD_ENDPOINT_SIZE]; /* for clients */
    char back[LOAD_ENDPOINT_SIZE];     /* for workers; mostly the same */
    const char *service;
    size_t size;          /* of every body */
    uint64_t outstanding; /* of each client */
    unsigned index;       /* of this client or worker among its kind */
    unsigned count;       /* workers that one serve() is; 1 unless `load.serves_all` */
    unsigned services;    /* more services that each worker has and calls go round; Busbar only */
};

/* Each function that fails ends the process through load_die(). */
struct load {
    void *(*open)(const struct load_place *place);
    /* Sends a request or keeps it for the next receive(). */
    void (*send)(void *client, const void *body);
    /* Waits for a reply, takes those that are there as well; how many of the right size came. */
    size_t (*receive)(void *client);
    /* One request and its reply; NULL: send() and receive(). */
    void (*call)(void *client, const void *body);
    /* Answers until the process is ended; calls `ready` when requests can come, once for each worker
     * that it is. */
    void (*serve)(const struct load_place *place, void (*ready)(void));
    bool serves_all; /* one serve() is all workers of a process, else each has a thread */
};

/* NULL where the library was missing when this was built. */
extern const struct load load_busbar __attribute__((weak));
extern const struct load load_gearman __attribute__((weak));
extern const struct load load_majordomo __attribute__((weak));
extern const struct load load_majordomo_lean __attribute__((weak));
extern const struct load load_nats __attribute__((weak));
extern const struct load load_rabbitmq __attribute__((weak));
extern const struct load load_redis __attribute__((weak));
extern const struct load load_zmq __attribute__((weak));

/*
 * Servers that are no program but a loop of ours in a child. Such a function fills in the endpoints
 * of the place, whose `endpoint` says at first what to bind, calls `ready` and never returns.
 */
typedef void server_run_fn(struct load_place *place, void (*ready)(void));
server_run_fn zmq_proxy_run;
server_run_fn majordomo_plain_run;

__attribute__((noreturn)) void load_die(const char *what, const char *why);

/* A reply of another size than the request ends the process. */
void load_check_size(const struct load_place *place, size_t size);

#endif
