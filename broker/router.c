/* How a call begins: admitted, given to the least loaded worker, or queued. */
#include "broker/router.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/blob.h"
#include "broker/router_end.h"
#include "protocol/name.h"

bool router_init(struct router *router, const struct router_limits *limits,
                 const struct router_sink *sink, uint64_t now)
{
    *router = (struct router){.limits = *limits, .sink = *sink};
    if (!registry_init(&router->registry))
        return false;
    if (!backlog_init(&router->backlog)) {
        registry_fini(&router->registry);
        return false;
    }
    wheel_init(&router->wheel, now);
    list_init(&router->paced);
    return call_table_init(&router->calls);
}

void router_fini(struct router *router)
{
    call_table_fini(&router->calls);
    backlog_fini(&router->backlog);
    registry_fini(&router->registry);
}

bool router_peer_init(struct router *router, struct peer *peer)
{
    *peer = (struct peer){.number = ++router->peers, .credit = 1};
    list_init(&peer->calls);
    list_init(&peer->flows);
    list_init(&peer->running);
    list_init(&peer->exports);
    list_init(&peer->paced);
    return true;
}

/* The least loaded of the workers that offer the method and take more; equals take turns. */
static const struct provider *method_pick(struct method *method, const struct peer *except,
                                          uint64_t now)
{
    const struct provider *best = NULL;
    size_t count = method->provider_count;
    size_t at = method->next < count ? method->next : 0;
    size_t best_at = 0;
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < count && least > 0; i++) {
        const struct peer *worker = method->providers[at].export->worker;
        if (worker != except && worker->load < least && peer_has_credit(worker, now)) {
            least = worker->load;
            best = &method->providers[at];
            best_at = at;
        }
        if (++at == count)
            at = 0;
    }
    if (best != NULL)
        method->next = best_at + 1;
    return best;
}

/* Notes whose call the worker is given, and paces it if a light client meets a flood there. */
static void worker_pace(struct router *router, struct peer *worker, const struct peer *client)
{
    if (client->number != worker->last_client &&
        (uint64_t)client->call_count * PEER_PACE_SHARE < worker->last_count) {
        worker->paced_until = router->wheel.now + PEER_PACE_MS;
        list_remove(&worker->paced);
        list_append(&router->paced, &worker->paced);
    }
    worker->last_client = client->number;
    worker->last_count = client->call_count;
}

/* Gives the call to the worker; `packet` holds metadata and body. */
static void call_dispatch(struct router *router, struct call *call, const struct provider *provider,
                          struct packet packet, struct blob *attached)
{
    struct peer *worker = provider->export->worker;
    call->state = CALL_RUNNING;
    call->worker = worker;
    call->idempotent = provider->idempotent;
    call->attempts++;
    worker->load++;
    call->method->service->running++;
    list_append(&worker->running, &call->place);
    worker_pace(router, worker, call->client);
    packet.command = PACKET_CALL;
    packet.id = call_id(call);
    packet.flags = (uint8_t)((provider->idempotent ? PACKET_IDEMPOTENT : 0) |
                             (attached != NULL ? PACKET_ATTACHED : 0));
    packet.status = 0;
    packet.fate = 0;
    router->counters->dispatched++;
    router->sink.send(router->sink.context, worker, &packet, attached);
}

/* The request as it was kept, with the time that is left. */
static struct packet call_packet(const struct call *call, uint64_t now)
{
    const struct kept *kept = call->kept;
    uint64_t due = call->timer.due;
    struct packet packet = {
        .encoding = call->encoding,
        .timeout = (uint32_t)(due > now ? due - now : 0),
        .service = method_service(call->method),
        .method = method_name(call->method),
        .metadata = {.data = kept->data, .size = kept->metadata_size},
        .body = {.data = kept->data + kept->metadata_size, .size = kept->body_size},
    };
    if (kept->attached != NULL)
        packet.body = (struct bytes){.data = kept->attached->data, .size = kept->attached->size};
    return packet;
}

/* Gives a kept call to a worker and lets go of the bytes unless it may be repeated. */
static void call_dispatch_kept(struct router *router, struct call *call,
                               const struct provider *provider, uint64_t now)
{
    call_dispatch(router, call, provider, call_packet(call, now), call->kept->attached);
    if (!call->idempotent)
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

static bool backlog_has_room(const struct router *router, const struct call *call)
{
    const struct service *service = call->method->service;
    return service->queued < router->limits.queue_calls &&
           service->queued_bytes < router->limits.queue_bytes &&
           call->client->kept_bytes < router->limits.retained_bytes;
}

static void call_queue(struct router *router, struct call *call, const struct packet *packet,
                       struct blob *attached)
{
    if (!backlog_has_room(router, call) || !call_keep(call, packet, attached) ||
        !backlog_add(&router->backlog, call)) {
        call_refuse_busy(router, call);
        return;
    }
    call->state = CALL_QUEUED;
    router->counters->queued++;
}

/* A call whose bytes are kept and which is in no list looks for a worker other than `except`. */
void call_place_again(struct router *router, struct call *call, const struct peer *except,
                      uint64_t now)
{
    const struct provider *provider = method_pick(call->method, except, now);
    if (provider != NULL) {
        call_dispatch_kept(router, call, provider, now);
        return;
    }
    call->state = CALL_QUEUED;
    if (!backlog_add_first(&router->backlog, call))
        call_refuse_busy(router, call);
}

/* The provider entry of a worker that was found to offer the method. */
static const struct provider *method_provider(const struct method *method,
                                              const struct export *export)
{
    for (size_t i = 0; i < method->provider_count; i++) {
        if (method->providers[i].export == export)
            return &method->providers[i];
    }
    return NULL;
}

void router_serve(struct router *router, struct peer *worker, uint64_t now)
{
    LIST_EACH(node, &worker->exports) {
        struct export *export = CONTAINER_OF(node, struct export, of_worker);
        bool served = false;
        while (export->service->queued > 0 && peer_has_credit(worker, now)) {
            struct call *call = backlog_take(&router->backlog, export);
            if (call == NULL)
                break;
            served = true;
            call_dispatch_kept(router, call, method_provider(call->method, export), now);
        }
        if (!peer_has_credit(worker, now)) {
            if (served) { /* the other services of this worker go first next time */
                list_remove(node);
                list_append(&worker->exports, node);
            }
            return;
        }
    }
}

static struct call *call_new(struct router *router, struct peer *client, struct method *method,
                             const struct packet *packet)
{
    struct call *call = call_table_take(&router->calls);
    if (call == NULL)
        return NULL;
    call->state = CALL_QUEUED;
    call->client = client;
    call->client_id = packet->id;
    call->encoding = packet->encoding;
    call->method = method;
    method_ref(method);
    list_append(&client->calls, &call->of_client);
    client->call_count++;
    if (client->by_id.buckets != NULL)
        map_insert(&client->by_id, &call->by_id, router_id_hash(router, packet->id));
    return call;
}

/* Why a call cannot be routed: a name outside the grammar, no such service, or no such method. */
static void router_refuse_name(struct router *router, struct peer *client,
                               const struct packet *packet)
{
    struct bytes service = packet->service;
    struct bytes method = packet->method;
    char text[512];
    if (!name_is_service((const char *)service.data, service.size) ||
        !name_is_method((const char *)method.data, method.size)) {
        router->counters->outcome_bad_request++;
        router_refuse(router, client, packet->id, BUSBAR_BAD_REQUEST,
                      "the name of the service or method is outside the grammar");
    } else if (registry_find_service(&router->registry, service) == NULL ||
               list_is_empty(&registry_find_service(&router->registry, service)->exports)) {
        router->counters->outcome_no_service++;
        snprintf(text, sizeof text, "nobody exports the service '%.*s'", (int)service.size,
                 (const char *)service.data);
        router_refuse(router, client, packet->id, BUSBAR_NO_SERVICE, text);
    } else {
        router->counters->outcome_no_method++;
        snprintf(text, sizeof text, "no worker of '%.*s' offers the method '%.*s'",
                 (int)service.size, (const char *)service.data, (int)method.size,
                 (const char *)method.data);
        router_refuse(router, client, packet->id, BUSBAR_NO_METHOD, text);
    }
}

/* Refuses what is wrong with a call whatever its name is. */
static bool router_admit(struct router *router, struct peer *client, const struct packet *packet)
{
    char text[128];
    if (router->draining) {
        router->counters->outcome_draining++;
        router_refuse(router, client, packet->id, BUSBAR_DRAINING, "the broker is stopping");
        return false;
    }
    if (packet->timeout == PACKET_TIMEOUT_NONE) {
        router->counters->outcome_bad_request++;
        router_refuse(router, client, packet->id, BUSBAR_BAD_REQUEST, "a call needs a deadline");
        return false;
    }
    if (packet->body.size > router->limits.body_limit) {
        router->counters->outcome_too_large++;
        snprintf(text, sizeof text, "the body has %zu bytes, the limit is %llu", packet->body.size,
                 (unsigned long long)router->limits.body_limit);
        router_refuse(router, client, packet->id, BUSBAR_TOO_LARGE, text);
        return false;
    }
    return true;
}

void router_call(struct router *router, struct peer *client, const struct packet *packet,
                 struct blob *attached, uint64_t now)
{
    router->counters->calls_received++;
    if (!router_admit(router, client, packet))
        return;
    struct method *method = registry_find_method(&router->registry, packet->service,
                                                 packet->method);
    if (method == NULL) {
        router_refuse_name(router, client, packet);
        return;
    }
    if (packet->timeout == 0) {
        router->counters->outcome_expired++;
        router_refuse(router, client, packet->id, BUSBAR_EXPIRED,
                      "the deadline had passed when the call reached the broker");
        return;
    }
    struct call *call = call_new(router, client, method, packet);
    if (call == NULL) {
        router->counters->outcome_busy++;
        router_refuse(router, client, packet->id, BUSBAR_BUSY, "the in-flight table is full");
        return;
    }
    wheel_set(&router->wheel, &call->timer, now + packet->timeout);
    const struct provider *provider = method_pick(method, NULL, now);
    if (provider == NULL) {
        call_queue(router, call, packet, attached);
        return;
    }
    if (provider->idempotent) {
        if (client->kept_bytes >= router->limits.retained_bytes ||
            !call_keep(call, packet, attached)) {
            call_refuse_busy(router, call);
            return;
        }
    }
    call_dispatch(router, call, provider, *packet, attached);
}
