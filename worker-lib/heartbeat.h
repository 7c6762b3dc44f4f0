/*
 * The heartbeats of a worker: a thread and a small connection of their own, so that neither a
 * handler that blocks nor a large body hides a healthy worker, or a dead broker.
 */
#ifndef WORKER_LIB_HEARTBEAT_H
#define WORKER_LIB_HEARTBEAT_H

#include <busbar/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct heartbeat_session {
    uint64_t number; /* the worker's, handed back with the verdict; 0 for no session */
    uint64_t token;
    uint32_t interval; /* ms; 0 for no heartbeats */
    uint32_t liveness; /* intervals of silence after which the broker is lost */
};

enum heartbeat_verdict {
    HEARTBEAT_SILENT,  /* the broker did not answer for too long */
    HEARTBEAT_UNKNOWN, /* the broker does not know the session */
};

typedef void heartbeat_fn(void *owner, uint64_t session, enum heartbeat_verdict verdict);

struct heartbeat {
    const char *endpoint;
    heartbeat_fn
        *verdict; /* called on the heartbeat's thread, at most once for each heartbeat_set */
    void *owner;
    void *context; /* of ZeroMQ */
    int wake_fd;
    bool started;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    struct heartbeat_session wanted;
    uint64_t orders; /* how often it was told what is wanted */
    bool ended;
};

void heartbeat_init(struct heartbeat *heartbeat, heartbeat_fn *verdict, void *owner);

/* The endpoint is borrowed until heartbeat_fini. NO_MEMORY, SYSTEM. */
enum busbar_status heartbeat_start(struct heartbeat *heartbeat, const char *endpoint)
    __attribute__((warn_unused_result));

/* Ends the thread; accepts one that was never started. */
void heartbeat_fini(struct heartbeat *heartbeat);

/* Begins to beat for this session, anew if it is the same; any thread. */
void heartbeat_set(struct heartbeat *heartbeat, const struct heartbeat_session *session);

#endif
