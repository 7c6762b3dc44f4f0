/* Flows and lanes, and whose turn it is. */
#include "broker/backlog.h"

#include <assert.h>
#include <stdlib.h>

#include "broker/call.h"
#include "broker/peer.h"
#include "broker/registry.h"

bool backlog_init(struct backlog *backlog)
{
    backlog->sequence = 1; /* before it are those that had their turn */
    backlog->waiting_count = 0;
    list_init(&backlog->waiting);
    return map_init(&backlog->flows);
}

void backlog_fini(struct backlog *backlog)
{
    map_fini(&backlog->flows);
}

/* Addresses are not the peers' to choose, so mixing is enough. */
static uint64_t pair_hash(const struct service *service, const struct peer *client)
{
    uint64_t mixed = (uint64_t)(uintptr_t)service * 0x9e3779b97f4a7c15u ^ (uintptr_t)client;
    mixed *= 0xd6e8feb86659fd93u;
    return mixed ^ mixed >> 32;
}

static struct flow *flow_find(const struct backlog *backlog, const struct call *call)
{
    const struct service *service = call->method->service;
    uint64_t hash = pair_hash(service, call->client);
    for (struct map_node *node = map_first(&backlog->flows, hash); node != NULL;
         node = map_next(node)) {
        struct flow *flow = CONTAINER_OF(node, struct flow, by_pair);
        if (flow->service == service && flow->client == call->client)
            return flow;
    }
    return NULL;
}

static struct flow *flow_new(struct backlog *backlog, const struct call *call)
{
    struct flow *flow = calloc(1, sizeof *flow);
    if (flow == NULL)
        return NULL;
    flow->service = call->method->service;
    flow->client = call->client;
    flow->deficit = BACKLOG_QUANTUM;
    list_init(&flow->lanes);
    list_append(&flow->service->flows, &flow->of_service);
    list_append(&call->client->flows, &flow->of_client);
    map_insert(&backlog->flows, &flow->by_pair, pair_hash(flow->service, flow->client));
    return flow;
}

static void flow_collect(struct backlog *backlog, struct flow *flow)
{
    if (!list_is_empty(&flow->lanes))
        return;
    assert(flow->queued == 0);
    map_remove(&backlog->flows, &flow->by_pair);
    list_remove(&flow->of_service);
    list_remove(&flow->of_client);
    free(flow);
}

static struct lane *lane_find(const struct flow *flow, const struct method *method)
{
    LIST_EACH(node, (struct list *)(uintptr_t)&flow->lanes) {
        struct lane *lane = CONTAINER_OF(node, struct lane, of_flow);
        if (lane->method == method)
            return lane;
    }
    return NULL;
}

static struct lane *lane_new(struct flow *flow, struct method *method)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return NULL;
    lane->flow = flow;
    lane->method = method;
    list_init(&lane->calls);
    list_append(&flow->lanes, &lane->of_flow);
    return lane;
}

static struct lane *lane_get(struct flow *flow, struct method *method)
{
    struct lane *lane = lane_find(flow, method);
    return lane != NULL ? lane : lane_new(flow, method);
}

static void lane_destroy(struct lane *lane)
{
    list_remove(&lane->of_flow);
    free(lane);
}

/* Does nobody offer it by name? One without a name may go to those who offer others. */
static bool method_may_share(const struct method *method)
{
    return method->provider_count == 0 && method->method_size > 0;
}

/* The lane a call belongs to, made with its flow if need be. */
static struct lane *lane_for(struct backlog *backlog, const struct call *call)
{
    struct flow *flow = flow_find(backlog, call);
    if (flow == NULL)
        flow = flow_new(backlog, call);
    if (flow == NULL)
        return NULL;
    struct lane *lane = lane_find(flow, call->method);
    if (lane == NULL)
        lane = method_may_share(call->method) ? lane_get(flow, NULL) : lane_new(flow, call->method);
    if (lane == NULL)
        flow_collect(backlog, flow);
    return lane;
}

static void lane_count(struct backlog *backlog, struct lane *lane, struct call *call)
{
    struct service *service = lane->flow->service;
    call->lane = lane;
    lane->flow->queued++;
    if (service->queued++ == 0) {
        list_append(&backlog->waiting, &service->waiting);
        backlog->waiting_count++;
    }
    service->queued_bytes += kept_size(call->kept);
}

bool backlog_add(struct backlog *backlog, struct call *call)
{
    struct lane *lane = lane_for(backlog, call);
    if (lane == NULL)
        return false;
    call->sequence = backlog->sequence++;
    list_append(&lane->calls, &call->place);
    lane_count(backlog, lane, call);
    return true;
}

bool backlog_add_first(struct backlog *backlog, struct call *call)
{
    struct lane *lane = lane_for(backlog, call);
    if (lane == NULL)
        return false;
    call->sequence = 0;
    list_append(lane->calls.next, &call->place); /* in front of what is first now */
    lane_count(backlog, lane, call);
    return true;
}

void backlog_remove(struct backlog *backlog, struct call *call)
{
    struct lane *lane = call->lane;
    struct flow *flow = lane->flow;
    call->lane = NULL;
    list_remove(&call->place);
    flow->queued--;
    if (--flow->service->queued == 0) {
        list_remove(&flow->service->waiting);
        backlog->waiting_count--;
    }
    flow->service->queued_bytes -= kept_size(call->kept);
    if (!list_is_empty(&lane->calls))
        return;
    lane_destroy(lane);
    flow_collect(backlog, flow);
}

/* A worker has come who offers some of the shared lane's calls by name. */
static bool flow_sort_out(struct flow *flow, struct lane *shared)
{
    LIST_EACH(node, &shared->calls) {
        struct call *call = CONTAINER_OF(node, struct call, place);
        if (method_may_share(call->method))
            continue;
        struct lane *lane = lane_get(flow, call->method);
        if (lane == NULL)
            return false;
        list_remove(node);
        list_append(&lane->calls, node);
        call->lane = lane;
    }
    if (list_is_empty(&shared->calls))
        lane_destroy(shared);
    return true;
}

/* Does a call refer to a method that nobody but the export offers? */
static bool export_is_awaited(const struct export *export)
{
    for (size_t i = 0; i < export->registration.method_count; i++) {
        const struct method *method = export->methods[i];
        if (method->provider_count == 1 && method->references > 1 && method->method_size > 0)
            return true;
    }
    return false;
}

bool backlog_sort_out(const struct export *export)
{
    if (export->service->queued == 0 || !export_is_awaited(export))
        return true;
    LIST_EACH(node, &export->service->flows) {
        struct flow *flow = CONTAINER_OF(node, struct flow, of_service);
        struct lane *shared = lane_find(flow, NULL);
        if (shared != NULL && !flow_sort_out(flow, shared))
            return false;
    }
    return true;
}

/* What holds for the first call of a lane holds for the others. */
static struct call *lane_first(const struct lane *lane)
{
    return LIST_FIRST(&lane->calls, struct call, place);
}

static bool lane_is_stranded(const struct lane *lane, const struct export *export)
{
    struct method *method = lane_first(lane)->method;
    bool is_last = export->service->export_count == 0;
    return !method_is_open(method) &&
           (export->registration.whole || export_offers(export, method) ||
            (method->method_size == 0 && is_last));
}

/* The lane goes with its last call. */
static void lane_strand(struct backlog *backlog, struct lane *lane, struct list *stranded)
{
    bool is_last;
    do {
        struct call *call = lane_first(lane);
        assert(call->lane == lane);
        is_last = call->place.next == &lane->calls;
        backlog_remove(backlog, call);
        list_append(stranded, &call->place);
    } while (!is_last);
}

/* The flow goes with its last lane. */
static void flow_strand(struct backlog *backlog, const struct flow *flow,
                        const struct export *export, struct list *stranded)
{
    const struct list *next = flow->lanes.next;
    bool is_last;
    do {
        struct lane *lane = CONTAINER_OF(next, struct lane, of_flow);
        next = next->next;
        is_last = next == &flow->lanes;
        if (lane_is_stranded(lane, export))
            lane_strand(backlog, lane, stranded);
    } while (!is_last);
}

void backlog_strand(struct backlog *backlog, const struct export *export, struct list *stranded)
{
    LIST_EACH(node, &export->service->flows)
        flow_strand(backlog, CONTAINER_OF(node, struct flow, of_service), export, stranded);
}

/* The oldest call of the flow that the export offers. */
static struct call *flow_oldest(const struct flow *flow, const struct export *export)
{
    struct call *oldest = NULL;
    LIST_EACH(node, (struct list *)(uintptr_t)&flow->lanes) {
        struct lane *lane = CONTAINER_OF(node, struct lane, of_flow);
        struct call *call = lane_first(lane);
        if (!export_takes(export, call->method))
            continue;
        if (oldest == NULL || call->sequence < oldest->sequence)
            oldest = call;
    }
    return oldest;
}

static void flow_to_back(struct flow *flow)
{
    struct service *service = flow->service;
    list_remove(&flow->of_service);
    list_append(&service->flows, &flow->of_service);
}

/*
 * Deficit round robin that charges after the fact: a flow with something left may send a call of any
 * size, and pays for it with the rounds it then sits out. The round ends when every flow was seen
 * once without a call that can be sent: `unfit` counts those in a row.
 */
struct call *backlog_take(struct backlog *backlog, const struct export *export)
{
    struct service *service = export->service;
    const struct flow *stop = NULL;
    while (!list_is_empty(&service->flows)) {
        struct flow *flow = LIST_FIRST(&service->flows, struct flow, of_service);
        struct call *call = flow_oldest(flow, export);
        bool alone = flow->of_service.next == flow->of_service.previous;
        if (call == NULL) {
            if (flow == stop)
                return NULL;
            if (stop == NULL)
                stop = flow;
        } else if (flow->deficit > 0 || alone) {
            int64_t cost = (int64_t)kept_size(call->kept) + BACKLOG_CALL_COST;
            flow->deficit = alone ? BACKLOG_QUANTUM : flow->deficit - cost;
            backlog_remove(backlog, call);
            return call;
        } else {
            flow->deficit += BACKLOG_QUANTUM;
            stop = NULL;
        }
        flow_to_back(flow);
    }
    return NULL;
}
