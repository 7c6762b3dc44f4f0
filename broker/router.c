/* The router as a whole, and how a call begins: checked, and given a place. */
#include "broker/router.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "broker/router_calls.h"
#include "protocol/name.h"

enum {
    WINDOW_STANDARD = 16, /* parts, of a stream whose client says nothing */
    BUDGET_UNIT = 100,    /* of service.budget: a repetition */
    RETRY_AFTER_MS = 100, /* advice where nothing is known of how long it will take */
};

bool router_init(struct router *router, const struct router_limits *limits,
                 const struct router_sink *sink, uint64_t now)
{
    *router = (struct router){.limits = *limits, .sink = *sink, .random = random_u64()};
    if (!registry_init(&router->registry))
        return false;
    if (!backlog_init(&router->backlog)) {
        registry_fini(&router->registry);
        return false;
    }
    router->registry.rules = limits->rules;
    router->registry.rule_count = limits->rule_count;
    router->registry.budget = limits->retry_reserve * BUDGET_UNIT;
    wheel_init(&router->wheel, now);
    list_init(&router->paced);
    return router_peer_init(router, &router->house) && call_table_init(&router->calls);
}

void router_fini(struct router *router)
{
    router_peer_fini(router, &router->house, router->wheel.now);
    call_table_fini(&router->calls);
    backlog_fini(&router->backlog);
    registry_fini(&router->registry);
}

/* The house is the first, with the number 0, so that numbers of workers begin with 1. */
bool router_peer_init(struct router *router, struct peer *peer)
{
    *peer = (struct peer){.number = router->peers++, .credit = 1};
    list_init(&peer->calls);
    list_init(&peer->flows);
    list_init(&peer->running);
    list_init(&peer->exports);
    list_init(&peer->paced);
    return true;
}

void router_settle(struct router *router, uint64_t until)
{
    router->settle_until = until;
}

static bool names_are_well_formed(const struct peer *client, const struct packet *packet)
{
    struct bytes service = packet->service;
    struct bytes method = packet->method;
    return client->calls_whole || (name_is_service((const char *)service.data, service.size) &&
                                   name_is_method((const char *)method.data, method.size));
}

/* Why a call cannot be routed: a name outside the grammar, no such service, or no such method. */
static void router_refuse_name(struct router *router, struct peer *client,
                               const struct packet *packet)
{
    struct bytes service = packet->service;
    struct bytes method = packet->method;
    const struct service *found = registry_find_service(&router->registry, service);
    char text[512];
    struct outcome outcome = {.text = text};
    if (!names_are_well_formed(client, packet)) {
        outcome.status = BUSBAR_BAD_REQUEST;
        outcome.text = "the name of the service or method is outside the grammar";
        outcome.counter = &router->counters->outcome_bad_request;
    } else if (found == NULL || list_is_empty(&found->exports)) {
        outcome.status = BUSBAR_NO_SERVICE;
        outcome.counter = &router->counters->outcome_no_service;
        snprintf(text, sizeof text, "nobody exports the service '%.*s'", (int)service.size,
                 (const char *)service.data);
    } else {
        outcome.status = BUSBAR_NO_METHOD;
        outcome.counter = &router->counters->outcome_no_method;
        snprintf(text, sizeof text, "no worker of '%.*s' offers the method '%.*s'",
                 (int)service.size, (const char *)service.data, (int)method.size,
                 (const char *)method.data);
    }
    router_refuse(router, client, packet->id, &outcome);
}

/* The metadata that are for the broker, in one walk; of a key that comes twice the first counts. */
static void wishes_read(struct wishes *wishes, struct bytes metadata)
{
    *wishes = (struct wishes){.window = WINDOW_STANDARD};
    if (metadata.size == 0)
        return;
    (void)metadata_find_number(metadata, METADATA_WAIT, 4, &wishes->wait);
    (void)metadata_find_number(metadata, METADATA_WINDOW, 4, &wishes->window);
    (void)metadata_find_number(metadata, METADATA_HOPS, 1, &wishes->hops);
    (void)metadata_find(metadata, METADATA_KEY, &wishes->key);
    if (wishes->window > PACKET_WINDOW_MAX)
        wishes->window = PACKET_WINDOW_MAX;
}

/* An arriving call, and what was found out about it. */
struct arriving {
    struct peer *client;
    const struct packet *packet;
    uint64_t names_hash; /* from router_foresee(), or 0 */
    struct wishes wishes;
};

__attribute__((format(printf, 5, 6))) static bool object(struct router *router,
                                                         const struct arriving *arriving,
                                                         enum busbar_status status,
                                                         uint64_t *counter, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    router_refuse(router, arriving->client, arriving->packet->id,
                  &(struct outcome){.status = status,
                                    .text = text,
                                    .counter = counter,
                                    .retry_after = status == BUSBAR_BUSY ? RETRY_AFTER_MS : 0});
    return false;
}

/* Refuses what is wrong with a call whatever its name is. */
static bool router_admit(struct router *router, const struct arriving *arriving)
{
    const struct router_limits *limits = &router->limits;
    const struct packet *packet = arriving->packet;
    struct counters *counters = router->counters;
    if (router->draining)
        return object(router, arriving, BUSBAR_DRAINING, &counters->outcome_draining,
                      "the broker is stopping");
    if (packet->timeout == PACKET_TIMEOUT_NONE)
        return object(router, arriving, BUSBAR_BAD_REQUEST, &counters->outcome_bad_request,
                      "a call needs a deadline");
    if (packet->body.size > limits->body_limit)
        return object(router, arriving, BUSBAR_TOO_LARGE, &counters->outcome_too_large,
                      "the body has %zu bytes, the limit is %llu", packet->body.size,
                      (unsigned long long)limits->body_limit);
    if (limits->hops != 0 && arriving->wishes.hops > limits->hops)
        return object(router, arriving, BUSBAR_LOOP, &counters->outcome_loop,
                      "the call came through %llu handlers, the limit is %u",
                      (unsigned long long)arriving->wishes.hops, limits->hops);
    if (limits->client_calls != 0 && arriving->client->call_count >= limits->client_calls)
        return object(router, arriving, BUSBAR_BUSY, &counters->outcome_busy,
                      "this client has %u calls under way, the limit is %llu",
                      arriving->client->call_count, (unsigned long long)limits->client_calls);
    return true;
}

/* May the call wait until somebody serves what nobody does? */
static bool may_be_awaited(const struct router *router, const struct arriving *arriving,
                           uint64_t now)
{
    const struct packet *packet = arriving->packet;
    struct bytes service = packet->service;
    bool waits = arriving->wishes.wait != 0 || now < router->settle_until;
    return waits && names_are_well_formed(arriving->client, packet) &&
           (arriving->client->calls_whole ||
            !name_is_reserved((const char *)service.data, service.size));
}

/* A record of the method if workers of the service take whatever nobody offers by name, else NULL. */
static struct method *router_whole_method(struct router *router, const struct packet *packet)
{
    const struct service *service = registry_find_service(&router->registry, packet->service);
    if (service == NULL || service->whole == NULL || service->whole->provider_count == 0 ||
        !name_is_method((const char *)packet->method.data, packet->method.size))
        return NULL;
    return registry_await_method(&router->registry, packet->service, packet->method);
}

/* It was looked up and not used: one that was made for that goes again. */
static void method_let_go(struct router *router, struct method *method)
{
    method_ref(method);
    method_unref(&router->registry, method);
}

/* router_method() for a name under which nothing was found, or nothing that takes calls now. */
__attribute__((cold)) static struct method *router_other_method(struct router *router,
                                                                const struct arriving *arriving,
                                                                struct method *method, uint64_t now)
{
    const struct packet *packet = arriving->packet;
    struct bytes service = packet->service;
    struct bytes name = packet->method;
    if (method == NULL)
        method = router_whole_method(router, packet);
    if (method != NULL && method_is_open(method))
        return method;
    if (method != NULL) {
        object(router, arriving, BUSBAR_DRAINING, &router->counters->outcome_draining,
               "all workers that offer '%.*s%s%.*s' are drained", (int)service.size,
               (const char *)service.data, name.size == 0 ? "" : ".", (int)name.size,
               (const char *)name.data);
        method_let_go(router, method);
        return NULL;
    }
    if (!may_be_awaited(router, arriving, now)) {
        router_refuse_name(router, arriving->client, packet);
        return NULL;
    }
    if (router->waiting < router->limits.waiting_calls)
        method = registry_await_method(&router->registry, service, name);
    if (method == NULL)
        object(router, arriving, BUSBAR_BUSY, &router->counters->outcome_busy,
               "too many calls wait for services that nobody serves");
    return method;
}

/* The method if somebody serves it, or if the call waits for that; NULL after a refusal. */
static struct method *router_method(struct router *router, const struct arriving *arriving,
                                    uint64_t now)
{
    const struct packet *packet = arriving->packet;
    struct method *method = NULL;
    if (packet->method.size > 0 || arriving->client->calls_whole)
        method = registry_find_method(&router->registry, packet->service, packet->method,
                                      arriving->names_hash);
    if (method != NULL && method_is_open(method))
        return method;
    return router_other_method(router, arriving, method, now);
}

static struct call *call_new(struct router *router, const struct arriving *arriving,
                             struct method *method, uint64_t now)
{
    const struct packet *packet = arriving->packet;
    bool is_oneway = (packet->flags & PACKET_ONEWAY) != 0;
    struct peer *client = is_oneway ? &router->house : arriving->client;
    struct caller *caller = is_oneway ? caller_new(arriving->client) : NULL;
    struct call *call = is_oneway && caller == NULL ? NULL : call_table_take(&router->calls);
    if (call == NULL) {
        free(caller);
        return NULL;
    }
    call->state = CALL_QUEUED;
    call->client = client;
    call->client_id = packet->id;
    call->encoding = packet->encoding;
    call->is_oneway = is_oneway;
    if (is_oneway)
        call->caller = caller;
    call->is_stream = (packet->flags & PACKET_STREAM) != 0 && !is_oneway;
    call->idempotent_by_client = (packet->flags & PACKET_IDEMPOTENT) != 0;
    call->idempotent = call->idempotent_by_client;
    call->window = (uint32_t)arriving->wishes.window;
    call->deadline = now + packet->timeout;
    call->wait_until = arriving->wishes.wait == 0 ? 0 : now + arriving->wishes.wait;
    call->wait = arriving->client->calls_whole ? (uint32_t)arriving->wishes.wait : 0;
    call->method = method;
    method_ref(method);
    list_append(&client->calls, &call->of_client);
    client->call_count++;
    peer_called(client, now);
    if (client->by_id.buckets != NULL)
        map_insert(&client->by_id, &call->by_id, router_id_hash(router, packet->id));
    return call;
}

/* An accepted oneway call has its outcome; what becomes of it is nobody's news. */
static void acknowledge(struct router *router, const struct arriving *arriving)
{
    struct packet packet = {.command = PACKET_REPLY,
                            .flags = PACKET_ONEWAY,
                            .fate = BUSBAR_MAYBE_EXECUTED,
                            .id = arriving->packet->id};
    router->counters->outcome_oneway++;
    router_send(router, arriving->client, &packet, NULL);
}

/* The call was not even begun. */
__attribute__((cold)) static void object_unplaced(struct router *router,
                                                  const struct arriving *arriving)
{
    if (arriving->packet->timeout == 0)
        object(router, arriving, BUSBAR_EXPIRED, &router->counters->outcome_expired,
               "the deadline had passed when the call reached the broker");
    else
        object(router, arriving, BUSBAR_BUSY, &router->counters->outcome_busy,
               "the in-flight table is full");
}

/* No room: the call goes as if it had never been, and its client is told. */
__attribute__((cold)) static void turn_away(struct router *router, const struct arriving *arriving,
                                            struct call *call)
{
    char text[512];
    struct outcome outcome = {.status = BUSBAR_BUSY,
                              .text = text,
                              .counter = &router->counters->outcome_busy,
                              .retry_after = method_retry_after(call->method)};
    call_name_text(call, "no room to keep the call until a worker is free", text, sizeof text);
    call_free(router, call);
    router_refuse(router, arriving->client, arriving->packet->id, &outcome);
}

void router_call_foreseen(struct router *router, struct peer *client, const struct packet *packet,
                          uint64_t names_hash, struct blob *attached, uint64_t now)
{
    struct arriving arriving = {.client = client, .packet = packet, .names_hash = names_hash};
    router->counters->calls_received++;
    wishes_read(&arriving.wishes, packet->metadata);
    if (!router_admit(router, &arriving))
        return;
    struct method *method = router_method(router, &arriving, now);
    if (method == NULL)
        return;
    struct call *call = packet->timeout == 0 ? NULL : call_new(router, &arriving, method, now);
    if (call == NULL) {
        object_unplaced(router, &arriving);
        method_let_go(router, method);
    } else if (!call_place(router, call, packet, attached, now)) {
        turn_away(router, &arriving, call);
    } else if (call->is_oneway) {
        acknowledge(router, &arriving);
    }
}
