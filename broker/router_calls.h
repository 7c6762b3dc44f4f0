/* What the files of the router share: a call from its admission to its one outcome. */
#ifndef BROKER_ROUTER_CALLS_H
#define BROKER_ROUTER_CALLS_H

#include "broker/router.h"

/* What the metadata of a CALL ask the broker for. */
struct wishes {
    uint64_t wait;   /* ms */
    uint64_t window; /* parts */
    uint64_t hops;
    struct bytes key;
};

/* How a call ends without a reply. */
struct outcome {
    enum busbar_status status;
    enum busbar_fate fate;
    const char *text;
    uint64_t *counter;
    uint32_t retry_after; /* ms; 0 for no advice */
};

/* router_place.c: from a packet to a worker, or into a queue ------------------------------------- */

/* Gives a new call to a worker, or queues it. False if there is no room: it is still in no list. */
bool call_place(struct router *router, struct call *call, const struct packet *packet,
                struct blob *attached, uint64_t now);

/* A call whose bytes are kept and which is in no list looks for a worker other than `except`. */
void call_place_again(struct router *router, struct call *call, const struct peer *except,
                      uint64_t now);

/* Is the request kept while a worker has it? One that is idempotent may be repeated. Of one without a
 * method a worker that knows methods gives back another: he found the name in the body. */
static inline bool call_is_kept(const struct call *call, bool idempotent)
{
    return idempotent || call->method->method_size == 0;
}

/* Counts a call among those that wait for somebody to serve them; false if too many do. */
bool call_begin_waiting(struct router *router, struct call *call);

/* Does nobody offer its method, and may it wait until somebody does? */
bool call_may_wait(const struct router *router, struct call *call, uint64_t now);

/* Gives a kept call to a worker and lets go of the bytes unless it may be repeated. */
void call_dispatch_kept(struct router *router, struct call *call, const struct provider *provider,
                        uint64_t now);

/* router_serve.c: from a queue to a worker; router_serve is there too ----------------------------- */

/* Calls of the service that nobody offers by name wait: whoever is free and takes such calls is given
 * them, but for `except`. For when they became anybody's after those workers were looked at last. */
void router_serve_rest(struct router *router, struct service *service, const struct peer *except,
                       uint64_t now);

/* router_end.c: the one place where an outcome is sent ------------------------------------------- */

/* To a peer; what is for clients of oneway calls goes nowhere. */
static inline void router_send(struct router *router, struct peer *to, const struct packet *packet,
                               struct blob *attached)
{
    if (to != &router->house)
        router->sink.send(router->sink.context, to, packet, attached);
}

/* Counts the end of a call, whose client may have its outcome already. */
void router_count(struct router *router, const struct call *call, uint64_t *counter);

/* Maybe executed once a worker was lost with it, or has it. */
enum busbar_fate call_fate(const struct call *call);

/* Tells the client, naming service and method. A call that a worker has stays as abandoned, any
 * other is freed. */
void call_fail(struct router *router, struct call *call, const struct outcome *outcome);

/* Passes an answer of its worker on to the client, as ERROR with the attempts in front. */
void call_answer(struct router *router, struct call *call, struct packet packet,
                 struct blob *attached, uint64_t now);

/* Answers a call that never got a slot, or a packet that is no call: not executed. */
void router_refuse(struct router *router, struct peer *client, uint64_t id,
                   const struct outcome *outcome);

/* The text of an outcome with service and method in front. */
void call_name_text(const struct call *call, const char *what, char *text, size_t size);

/* Ends a call that waits or was about to wait as BUSY. */
void call_refuse_busy(struct router *router, struct call *call);

/* When to try a service again that has no room: how long its queue will take, 10 to 5000 ms. */
uint32_t method_retry_after(const struct method *method);

/* Takes the call from the worker that has it, to go on without: nothing that this worker still says
 * of it counts. */
void call_take_from_worker(struct call *call);

/* Before it is taken from a worker that had begun with it: errors tell of it. */
void call_note_attempt(struct call *call, uint64_t now);

/* Takes back the attempt that was made last, because it was none. */
void call_forget_attempt(struct call *call);

/* Takes the call out of everything it is in, and tells nobody. */
void call_free(struct router *router, struct call *call);

/* Nobody waits any more, but the worker has it and its place stays taken until it answers. */
void call_abandon(struct router *router, struct call *call);

/* Frees the request bytes and takes them off the client's account. */
void call_release_kept(struct call *call);

/* router_worker.c: the running call that a packet of this worker is about; NULL, and counted. */
struct call *router_find_running(struct router *router, const struct peer *worker, uint64_t id);

/* router_client.c: the call that a client named so; NULL if it is over. */
struct call *router_find_named(struct router *router, struct peer *client, uint64_t client_id);

/* Tells the worker that has the call of `parts` more. */
void call_tell_grant(struct router *router, const struct call *call, uint32_t parts);

/* Hashes what a client chose, keyed, so that it cannot choose a slow table. */
uint64_t router_id_hash(const struct router *router, uint64_t id);

/* router_time.c: sets the timer to the next moment that matters for the call. */
void call_arm(struct router *router, struct call *call);

/* Ends a call as EXPIRED, or as TIMEOUT if a worker has it or was lost with it. */
void call_pass_deadline(struct router *router, struct call *call);

/* router_exports.c: takes an export out and ends the calls that waited for it alone. */
void router_remove_export(struct router *router, struct export *export, uint64_t now);

#endif
