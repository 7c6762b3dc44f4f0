/*
 * The router: decides what becomes of every call. It has no socket and no clock: each function is
 * one event with the time it happened at, and what is to be sent is told to a sink. A simulation
 * can drive it as well as the broker does.
 */
#ifndef BROKER_ROUTER_H
#define BROKER_ROUTER_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wheel.h"
#include "broker/backlog.h"
#include "broker/call.h"
#include "broker/counters.h"
#include "broker/peer.h"
#include "broker/registry.h"
#include "protocol/packet.h"

/*
 * Takes what the router decides to send. The packet's runs, and `attached`, are good until it
 * returns. It must not call the router.
 */
struct router_sink {
    void *context;
    void (*send)(void *context, struct peer *to, const struct packet *packet,
                 struct blob *attached);
};

struct router_limits {
    uint64_t body_limit;     /* bytes of one body */
    uint64_t queue_calls;    /* calls one service may have waiting */
    uint64_t queue_bytes;    /* bytes one service may have waiting */
    uint64_t retained_bytes; /* request bytes kept for one client */
    uint32_t attempts;       /* how often an idempotent call is given to a worker */
};

struct router {
    struct router_limits limits;
    struct router_sink sink;
    struct counters *counters;
    struct registry registry;
    struct call_table calls;
    struct backlog backlog;
    struct wheel wheel;
    struct list paced; /* peer.paced: workers to be looked at again when their pacing ends */
    uint64_t peers;    /* numbers given out */
    bool draining;     /* new calls are refused */
};

bool router_init(struct router *router, const struct router_limits *limits,
                 const struct router_sink *sink, uint64_t now);

/* All peers must be gone. */
void router_fini(struct router *router);

/* A session begins. False when out of memory. */
bool router_peer_init(struct router *router, struct peer *peer);

/* A session is over, in order or not: its queued calls are dropped, its running ones cancelled; its
 * exports go, and the calls it was given move on or are lost. */
void router_peer_fini(struct router *router, struct peer *peer, uint64_t now);

/* A worker registers `name`; takes the registration, on failure too. OK, or why it is refused, with
 * a static text in `reason`. */
enum busbar_status router_register(struct router *router, struct peer *worker, struct bytes name,
                                   struct registration *registration, const char **reason);
enum busbar_status router_deregister(struct router *router, struct peer *worker, struct bytes name,
                                     const char **reason);

/* A registration was acknowledged: calls that wait may go to the worker now. */
void router_serve(struct router *router, struct peer *worker, uint64_t now);

void router_credit(struct router *router, struct peer *worker, uint64_t credit, uint64_t now);

/* The worker takes no more calls; what it has, it will answer. */
void router_leaving(struct router *router, struct peer *worker);

/* A client calls. `attached` is the body if it came as a frame of its own, else NULL. */
void router_call(struct router *router, struct peer *client, const struct packet *packet,
                 struct blob *attached, uint64_t now);

/* A worker answers (REPLY or ERROR). */
void router_reply(struct router *router, struct peer *worker, const struct packet *packet,
                  struct blob *attached, uint64_t now);

/* A worker gives a call back unstarted (RETURN), with the request if the broker has not kept it. */
void router_return(struct router *router, struct peer *worker, const struct packet *packet,
                   struct blob *attached, uint64_t now);

/* A client cancels the call it named `client_id`. */
void router_cancel(struct router *router, struct peer *client, uint64_t client_id, uint64_t now);

/* Time has passed: deadlines, and workers that may be given more again. */
void router_expire(struct router *router, uint64_t now);

/* Milliseconds until router_expire may have something to do; UINT64_MAX for never. */
uint64_t router_wait(const struct router *router, uint64_t now);

/* For tests: aborts if the structures disagree with each other. */
void router_check(const struct router *router);
void router_check_peer(const struct router *router, const struct peer *peer);

#endif
