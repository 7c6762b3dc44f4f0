/* A request from its arrival to its answer: who owns it, and when its memory is used again. */
#ifndef WORKER_LIB_REQUEST_H
#define WORKER_LIB_REQUEST_H

#include <busbar/worker.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "protocol/packet.h"
#include "worker-lib/worker.h"

struct busbar_request {
    struct list link; /* in one of the worker's lists */
    struct busbar_worker *worker;
    const struct method *method;
    struct blob *frame;    /* what the body lies in */
    struct blob *envelope; /* what the metadata lie in, if there are any */
    struct bytes metadata; /* as they came */
    struct bytes body;
    uint8_t encoding;
    uint8_t flags; /* of the CALL */
    bool attached; /* the body came as a frame of its own */
    bool kept;     /* by its owner, who has a reference to it and one to the worker */
    atomic_bool cancelled;
    struct answer_to to;
    uint64_t deadline; /* ms */
    uint64_t arrived_ns;
    uint32_t window;             /* parts that may be sent now; for the worker's lock */
    atomic_uint references;      /* the thread that runs it, and who keeps it to answer */
    struct request_extra *extra; /* request_metadata.c; NULL until it is needed */
};

static inline void request_list_append(struct request_list *list, struct busbar_request *request)
{
    list_append(&list->list, &request->link);
    list->count++;
}

static inline void request_list_prepend(struct request_list *list, struct busbar_request *request)
{
    list_append(list->list.next, &request->link);
    list->count++;
}

static inline void request_list_remove(struct request_list *list, struct busbar_request *request)
{
    list_remove(&request->link);
    list->count--;
}

static inline struct busbar_request *request_list_first(const struct request_list *list)
{
    return list->count == 0 ? NULL : CONTAINER_OF(list->list.next, struct busbar_request, link);
}

static inline struct busbar_request *request_list_last(const struct request_list *list)
{
    return list->count == 0 ? NULL : CONTAINER_OF(list->list.previous, struct busbar_request, link);
}

/* Moves all of `from` to the end of `to`. */
void request_list_move(struct request_list *to, struct request_list *from);

/* For one that the leader received; NULL when out of memory. */
static inline struct busbar_request *request_new(struct leader *leader)
{
    struct busbar_request *request = request_list_last(&leader->spare);
    if (request == NULL)
        return malloc(sizeof *request);
    request_list_remove(&leader->spare, request);
    return request;
}

/* Runs the handler, or answers that it is too late. The thread's own reference stays. */
void request_run(struct busbar_request *request, uint64_t now_ms);

/* With the worker's lock held, as the leader: the caller takes so many parts more. */
void request_grant(struct busbar_request *request, uint32_t parts);

/* What was set for the answer of a request that has an extra. */
struct bytes request_extra_answer(const struct request_extra *extra);
void request_extra_free(struct request_extra **extra);

static inline bool request_is_oneway(const struct busbar_request *request)
{
    return (request->flags & PACKET_ONEWAY) != 0;
}

/* What was set for the answer; empty where its caller is told nothing. */
static inline struct bytes request_answer_metadata(const struct busbar_request *request)
{
    if (request->extra == NULL || request_is_oneway(request))
        return (struct bytes){0};
    return request_extra_answer(request->extra);
}

/* Frees what a request refers to. */
void request_release(struct busbar_request *request);

/* Drops a reference; true if it was the last. What the request refers to is then free already, the
 * request itself is to be given to request_recycle. A request that nobody keeps has one. */
static inline bool request_unref(struct busbar_request *request)
{
    if (request->kept &&
        atomic_fetch_sub_explicit(&request->references, 1, memory_order_acq_rel) != 1)
        return false;
    request_release(request);
    return true;
}

/* busbar_request_fail for who knows the fate of what the handler did: a status with the fate "not
 * executed" in <busbar/worker.h> may be "maybe executed" as well, and BROKER_LOST either. A fate
 * that cannot be is corrected. */
enum busbar_status request_fail(struct busbar_request **request, const struct failure *failure);

/* With the worker's lock held: out of `active` and into the spare ones. */
void request_recycle(struct busbar_request *request);

/* For requests that were never started and are in no list but `list`: they go to the spare ones. */
void request_list_discard(struct request_list *list, struct request_list *spare);

void request_list_free(struct request_list *list);

#endif
