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

/* Where a rule of a service says something else, that holds for it. */
struct router_limits {
    uint64_t body_limit;     /* bytes of one body */
    uint64_t queue_calls;    /* calls one service may have waiting */
    uint64_t queue_bytes;    /* bytes one service may have waiting */
    uint64_t queue_age;      /* ms a call may wait; 0: until its deadline */
    uint64_t client_calls;   /* calls one client may have without outcome; 0: any number */
    uint64_t retained_bytes; /* request bytes kept for one client */
    uint64_t waiting_calls;  /* calls that may wait for services that nobody serves */
    uint32_t attempts;       /* how often an idempotent call is given to a worker */
    uint32_t retry_percent;  /* of the calls of a service: so many may be given to another worker
                                after a loss; with retry_reserve 0 there is no such bound */
    uint32_t retry_reserve;  /* that a service has at first, and at most saves up */
    uint32_t hops;           /* handlers a call may come through; 0: any number */
    const struct service_rule *rules; /* borrowed */
    size_t rule_count;
};

enum {
    ROUTER_CROWD = 256, /* methods; fewer stay in the caches by themselves */
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
    struct peer house; /* stands for the clients of oneway calls, once these have been accepted */
    size_t waiting;    /* calls that began to wait for somebody to serve them, and still do */
    uint64_t settle_until; /* ms: till then every call waits for workers of the broker's last run */
    uint64_t random;       /* state of a generator, for choices that nobody has to foresee */
    uint64_t peers;        /* numbers given out */
    bool draining;         /* new calls are refused */
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

/*
 * For packets that come together, before the first of them is handled: with thousands of methods what a
 * packet is about lies in no cache, and the processor can fetch it for several at once. The first
 * step returns the hash of a CALL's names, which is 0 if it is not needed, for the second; between
 * them should be the first steps of others. Nothing depends on whether it is done.
 */
static inline bool router_is_crowded(const struct router *router)
{
    return router->registry.methods.count >= ROUTER_CROWD;
}

uint64_t router_foresee(const struct router *router, const struct packet *packet);
void router_prefetch(const struct router *router, const struct packet *packet, uint64_t names_hash);

/* A client calls. `attached` is the body if it came as a frame of its own, else NULL. */
void router_call_foreseen(struct router *router, struct peer *client, const struct packet *packet,
                          uint64_t names_hash, struct blob *attached, uint64_t now);

static inline void router_call(struct router *router, struct peer *client,
                               const struct packet *packet, struct blob *attached, uint64_t now)
{
    router_call_foreseen(router, client, packet, 0, attached, now);
}

/* A worker answers (REPLY or ERROR). */
void router_reply(struct router *router, struct peer *worker, const struct packet *packet,
                  struct blob *attached, uint64_t now);

/* A worker gives a call back unstarted (RETURN), with the request if the broker has not kept it. */
void router_return(struct router *router, struct peer *worker, const struct packet *packet,
                   struct blob *attached, uint64_t now);

/* A worker sends a part of a result (PART), or tells how far it has come (PROGRESS). */
void router_part(struct router *router, struct peer *worker, const struct packet *packet,
                 struct blob *attached, uint64_t now);
void router_progress(struct router *router, struct peer *worker, const struct packet *packet,
                     uint64_t now);

/* A client cancels the call it named `client_id`. */
void router_cancel(struct router *router, struct peer *client, uint64_t client_id, uint64_t now);

/* A client takes `parts` more of the call it named `client_id`. */
void router_grant(struct router *router, struct peer *client, uint64_t client_id, uint32_t parts,
                  uint64_t now);

/* Until that moment calls of what nobody serves wait as if each had asked for it. */
void router_settle(struct router *router, uint64_t until);

/* What router_drain found. */
struct router_drained {
    uint64_t workers; /* registrations concerned */
    uint64_t running; /* calls of the service that those workers still have */
    bool changed;     /* one of them was not as is wished before */
};

/*
 * Takes a worker's registration of a service (all of them: `worker` 0) out of service, or puts it
 * back. Calls that only such registrations could take end as DRAINING. NO_SERVICE if there is none.
 */
enum busbar_status router_drain(struct router *router, struct bytes service, uint64_t worker,
                                bool drain, struct router_drained *ret, uint64_t now);

/*
 * The broker ends: calls that wait end as DRAINING, not executed, so that their clients take them
 * elsewhere. Oneway calls have nobody who would: they end so only if `accepted` too are to. Returns
 * how many ended.
 */
size_t router_drop_waiting(struct router *router, bool accepted);

/* Time has passed: deadlines, and workers that may be given more again. */
void router_expire(struct router *router, uint64_t now);

/* Milliseconds until router_expire may have something to do; UINT64_MAX for never. */
uint64_t router_wait(const struct router *router, uint64_t now);

/* For tests: aborts if the structures disagree with each other. */
void router_check(const struct router *router);
void router_check_peer(const struct router *router, const struct peer *peer);

#endif
