/* How a call finds a worker when it comes, or when it was lost or given back; else it waits. */
#include "broker/router_calls.h"

#include <string.h>

#include "base/blob.h"
#include "base/cleanup.h"
#include "broker/balance.h"
#include "protocol/metadata.h"

/* Notes whose call the worker is given, and paces it if a light client meets a flood there. */
static void worker_pace(struct router *router, struct peer *worker, const struct peer *client)
{
    if (client->number != worker->last_client &&
        peer_is_light(client, worker->last_count, router->wheel.now)) {
        worker->paced_until = router->wheel.now + PEER_PACE_MS;
        list_remove(&worker->paced);
        list_append(&router->paced, &worker->paced);
    }
    worker->last_client = client->number;
    worker->last_count = peer_most_calls(client);
}

/* A call that is given to a worker for the first time earns a part of a repetition. */
static void budget_earn(const struct router *router, struct service *service)
{
    uint32_t most = router->limits.retry_reserve * 100;
    uint32_t more = service->budget + router->limits.retry_percent;
    service->budget = more < most ? more : most;
}

static void call_begin(struct router *router, struct call *call, const struct provider *provider,
                       uint64_t now)
{
    struct peer *worker = provider->worker;
    call->state = CALL_RUNNING;
    call->worker = worker;
    call->idempotent = provider->idempotent || call->idempotent_by_client;
    call->stall = provider->stall;
    call->dispatched_at = now;
    if (call->stall != 0)
        call->sign_at = now;
    call->attempts++;
    if (!call->is_given) /* else one that is returned again and again would fill the budget */
        budget_earn(router, call->method->service);
    call->is_given = true;
    if (call->is_waiting) {
        call->is_waiting = false;
        router->waiting--;
    }
    worker->load++;
    call->method->service->running++;
    list_append(&worker->running, &call->place);
    worker_pace(router, worker, call->client);
    call_arm(router, call);
}

static struct metadata_caller caller_of(const struct call *call)
{
    const struct peer *client = call->client;
    const struct caller *noted = call->is_oneway ? call->caller : NULL;
    struct metadata_caller caller = {.session = noted == NULL ? client->number : noted->session};
    memcpy(caller.instance, noted == NULL ? client->instance : noted->instance,
           sizeof caller.instance);
    if (noted != NULL)
        caller.name = (struct bytes){.data = (const uint8_t *)noted->name, noted->name_size};
    else if (client->name != NULL)
        caller.name = bytes_of_text(client->name);
    return caller;
}

/*
 * Puts CALLER in front, unless that makes the metadata too long. A body that fits no bundle beside it
 * is attached, as `copy`: else clients could hide who they are behind it.
 */
static void add_caller(const struct call *call, struct packet *packet, uint8_t *space,
                       struct blob **copy)
{
    struct metadata_writer writer = {.data = space, .capacity = PACKET_METADATA_MAX};
    struct metadata_caller caller = caller_of(call);
    metadata_put_caller(&writer, &caller);
    metadata_put_all(&writer, packet->metadata);
    struct packet longer = *packet;
    longer.metadata = metadata_written(&writer);
    if (writer.full)
        return;
    if (BUNDLE_HEADER_SIZE + packet_size(&longer) > BUNDLE_SIZE_MAX) {
        *copy = blob_copy(packet->body.data, packet->body.size);
        if (*copy == NULL)
            return;
        longer.flags |= PACKET_ATTACHED;
    }
    *packet = longer;
}

/* Was it the configuration that named the method of a call of a whole service? */
static bool is_named_by_rule(const struct call *call)
{
    const struct service_rule *rule = call->method->service->rule;
    return rule != NULL && rule->method != NULL && rule->method[0] != '\0';
}

static void send_with_caller(struct router *router, const struct call *call, struct packet *packet,
                             struct blob *attached)
{
    uint8_t space[PACKET_METADATA_MAX];
    CLEANUP(blob_unref) struct blob *copy = NULL;
    add_caller(call, packet, space, &copy);
    router_send(router, call->worker, packet, copy != NULL ? copy : attached);
}

/* Gives the call to the worker; `request` holds metadata and body. */
static void call_dispatch(struct router *router, struct call *call, const struct provider *provider,
                          const struct packet *request, struct blob *attached)
{
    struct packet packet = *request;
    packet.command = PACKET_CALL;
    packet.id = call_id(call);
    packet.flags = (uint8_t)((call->idempotent ? PACKET_IDEMPOTENT : 0) |
                             (call->is_oneway ? PACKET_ONEWAY : 0) |
                             (call->is_stream ? PACKET_STREAM : 0) |
                             (attached != NULL ? PACKET_ATTACHED : 0));
    packet.status = 0;
    packet.fate = 0;
    if (call->client->calls_whole && provider->export->registration.whole) {
        if (is_named_by_rule(call)) /* to find a worker */
            packet.method.size = 0;
        else
            packet.flags |= PACKET_METHOD_FRAME;
    }
    router->counters->dispatched++;
    if (provider->caller)
        send_with_caller(router, call, &packet, attached);
    else
        router_send(router, call->worker, &packet, attached);
    if (call->is_stream && call->granted > 0) /* while it waited, or to another worker */
        call_tell_grant(router, call, call->granted);
}

/* The request as it was kept, with the time that is left. */
static struct packet call_packet(const struct call *call, uint64_t now)
{
    const struct kept *kept = call->kept;
    struct packet packet = {
        .encoding = call->encoding,
        .timeout = (uint32_t)(call->deadline > now ? call->deadline - now : 0),
        .service = method_service(call->method),
        .method = method_name(call->method),
        .metadata = {.data = kept->data, .size = kept->metadata_size},
        .body = {.data = kept->data + kept->metadata_size, .size = kept->body_size},
    };
    if (kept->attached != NULL)
        packet.body = (struct bytes){.data = kept->attached->data, .size = kept->attached->size};
    return packet;
}

void call_dispatch_kept(struct router *router, struct call *call, const struct provider *provider,
                        uint64_t now)
{
    struct packet packet = call_packet(call, now);
    struct blob *attached = call->kept->attached;
    call_begin(router, call, provider, now);
    call_dispatch(router, call, provider, &packet, attached);
    if (!call_is_kept(call, call->idempotent))
        call_release_kept(call);
}

static bool call_keep(struct call *call, const struct packet *packet, struct blob *attached)
{
    call->kept = kept_new(packet, attached);
    if (call->kept == NULL)
        return false;
    call->client->kept_bytes += kept_size(call->kept);
    return true;
}

static uint64_t bound_of(uint64_t general, uint64_t particular)
{
    return particular != 0 ? particular : general;
}

/* All oneway calls share the bound of one client: they are the house's. */
static bool may_keep(const struct router *router, const struct call *call)
{
    return call->client->kept_bytes < router->limits.retained_bytes;
}

static bool backlog_has_room(const struct router *router, const struct call *call)
{
    const struct service *service = call->method->service;
    const struct service_rule *rule = service->rule;
    return service->queued <
               bound_of(router->limits.queue_calls, rule == NULL ? 0 : rule->queue_calls) &&
           service->queued_bytes <
               bound_of(router->limits.queue_bytes, rule == NULL ? 0 : rule->queue_bytes) &&
           may_keep(router, call);
}

bool call_begin_waiting(struct router *router, struct call *call)
{
    if (call->is_waiting)
        return true;
    if (router->waiting >= router->limits.waiting_calls)
        return false;
    call->is_waiting = true;
    router->waiting++;
    router->counters->waited++;
    return true;
}

static bool call_enqueue(struct router *router, struct call *call, uint64_t now)
{
    call->state = CALL_QUEUED;
    call->queued_at = now;
    if (!method_is_served(call->method) && !call_begin_waiting(router, call))
        return false;
    if (!backlog_add(&router->backlog, call))
        return false;
    router->counters->queued++;
    call_arm(router, call);
    return true;
}

static struct bytes key_of(const struct call *call, struct bytes metadata)
{
    struct bytes key = {0};
    if (call->method->service->balance == BALANCE_STICKY)
        (void)metadata_find(metadata, METADATA_KEY, &key);
    return key;
}

/* Who is given the call now; NULL for nobody. Of one there is nothing to choose. */
static inline const struct provider *call_pick(struct router *router, const struct call *call,
                                               struct bytes metadata, const struct peer *except,
                                               uint64_t now)
{
    struct method *source = method_source(call->method);
    if (source->provider_count == 1)
        return provider_may_take(&source->only, except, now) ? &source->only : NULL;
    return balance_pick(source, &(struct pick){.except = except,
                                               .now = now,
                                               .key = key_of(call, metadata),
                                               .random = &router->random});
}

bool call_place(struct router *router, struct call *call, const struct packet *packet,
                struct blob *attached, uint64_t now)
{
    const struct provider *provider = call_pick(router, call, packet->metadata, NULL, now);
    if (provider == NULL)
        return backlog_has_room(router, call) && call_keep(call, packet, attached) &&
               call_enqueue(router, call, now);
    if (call_is_kept(call, provider->idempotent || call->idempotent) &&
        (!may_keep(router, call) || !call_keep(call, packet, attached)))
        return false;
    call_begin(router, call, provider, now);
    call_dispatch(router, call, provider, packet, attached);
    return true;
}

void call_place_again(struct router *router, struct call *call, const struct peer *except,
                      uint64_t now)
{
    if (now >= call->deadline) {
        call_pass_deadline(router, call);
        return;
    }
    struct bytes metadata = {.data = call->kept->data, .size = call->kept->metadata_size};
    const struct provider *provider = call_pick(router, call, metadata, except, now);
    if (provider != NULL) {
        call_dispatch_kept(router, call, provider, now);
        return;
    }
    call->state = CALL_QUEUED;
    if (!method_is_served(call->method) && !call_begin_waiting(router, call)) {
        call_refuse_busy(router, call);
        return;
    }
    call->queued_at = now;
    call->stall = 0;
    if (!backlog_add_first(&router->backlog, call)) {
        call_refuse_busy(router, call);
        return;
    }
    call_arm(router, call);
    if (!method_is_served(call->method)) /* without a name it is anybody's now */
        router_serve_rest(router, call->method->service, except, now);
}

bool call_may_wait(const struct router *router, struct call *call, uint64_t now)
{
    if (method_is_served(call->method))
        return false;
    if (call->wait != 0) /* its client cannot ask anew, and its worker may be back in a moment */
        call->wait_until = now + call->wait;
    return now < call->wait_until || now < router->settle_until;
}
