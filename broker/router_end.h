/* How calls end, between the router's own files: the one place where an outcome is sent. */
#ifndef BROKER_ROUTER_END_H
#define BROKER_ROUTER_END_H

#include "broker/router.h"

/* Hashes what a client chose, keyed, so that it cannot choose a slow table. */
uint64_t router_id_hash(const struct router *router, uint64_t id);

/* How a call ends without a reply. */
struct outcome {
    enum busbar_status status;
    enum busbar_fate fate;
    const char *text;
};

/* Tells the client, naming service and method. A call that a worker has stays as abandoned, any
 * other is freed. */
void call_fail(struct router *router, struct call *call, const struct outcome *outcome);

/* Answers a call that never got a slot, or a packet that is no call: not executed. */
void router_refuse(struct router *router, struct peer *client, uint64_t id,
                   enum busbar_status status, const char *text);

/* Ends a call that waits or was about to wait as BUSY. */
void call_refuse_busy(struct router *router, struct call *call);

/* Frees the request bytes and takes them off the client's account. */
void call_release_kept(struct call *call);

/* In router.c: finds a worker, or a place in the backlog, for a call that was with one before. */
void call_place_again(struct router *router, struct call *call, const struct peer *except,
                      uint64_t now);

/* In router_exports.c: takes an export out and ends the calls that waited for it alone. */
void router_remove_export(struct router *router, struct export *export);

#endif
