/* How a call ends: answered, returned, cancelled, expired, or lost with its worker. */
#include "broker/router_end.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/blob.h"
#include "protocol/worker_error.h"

uint64_t router_id_hash(const struct router *router, uint64_t id)
{
    return siphash(&router->registry.key, &id, sizeof id);
}

static void send_error(struct router *router, struct peer *client, uint64_t id,
                       const struct outcome *outcome)
{
    struct packet packet = {
        .command = PACKET_ERROR,
        .id = id,
        .status = (uint8_t)outcome->status,
        .fate = (uint8_t)outcome->fate,
        .body = bytes_of_text(outcome->text),
    };
    router->sink.send(router->sink.context, client, &packet, NULL);
}

static void send_cancel(struct router *router, const struct call *call)
{
    struct packet packet = {.command = PACKET_CANCEL, .id = call_id(call)};
    router->sink.send(router->sink.context, call->worker, &packet, NULL);
}

void router_refuse(struct router *router, struct peer *client, uint64_t id,
                   enum busbar_status status, const char *text)
{
    struct outcome outcome = {status, BUSBAR_NOT_EXECUTED, text};
    send_error(router, client, id, &outcome);
}

void call_release_kept(struct call *call)
{
    if (call->kept == NULL)
        return;
    call->client->kept_bytes -= kept_size(call->kept);
    kept_destroy(&call->kept);
}

/* Takes the call from whoever waits for it: after this its end is nobody's news. */
static void call_forget_client(struct router *router, struct call *call)
{
    struct peer *client = call->client;
    if (client == NULL)
        return;
    wheel_stop(&router->wheel, &call->timer);
    call_release_kept(call);
    list_remove(&call->of_client);
    client->call_count--;
    if (client->by_id.buckets != NULL)
        map_remove(&client->by_id, &call->by_id);
    call->client = NULL;
}

/* Takes the call from the worker that has it: a slot of its credit is free again. */
static void call_leave_worker(struct call *call)
{
    assert(call->worker->load > 0 && call->method->service->running > 0);
    list_remove(&call->place);
    call->worker->load--;
    call->method->service->running--;
    call->worker = NULL;
}

static void call_free(struct router *router, struct call *call)
{
    if (call->worker != NULL)
        call_leave_worker(call);
    if (call->lane != NULL)
        backlog_remove(&router->backlog, call);
    call_forget_client(router, call);
    method_unref(&router->registry, call->method);
    call_table_put(&router->calls, call);
}

/* Nobody waits any more, but the worker still has it and its slot stays taken until it answers. */
static void call_abandon(struct router *router, struct call *call)
{
    send_cancel(router, call);
    call_forget_client(router, call);
    call->state = CALL_ABANDONED;
}

void call_fail(struct router *router, struct call *call, const struct outcome *outcome)
{
    struct bytes service = method_service(call->method);
    struct bytes method = method_name(call->method);
    char text[512];
    snprintf(text, sizeof text, "%.*s.%.*s: %s", (int)service.size, (const char *)service.data,
             (int)method.size, (const char *)method.data, outcome->text);
    struct outcome named = {outcome->status, outcome->fate, text};
    send_error(router, call->client, call->client_id, &named);
    if (call->worker != NULL)
        call_abandon(router, call);
    else
        call_free(router, call);
}

void call_refuse_busy(struct router *router, struct call *call)
{
    router->counters->outcome_busy++;
    call_fail(router, call,
              &(struct outcome){BUSBAR_BUSY,
                                call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED,
                                "no room to keep the call until a worker is free"});
}

/* Passes a worker's answer on to the client. */
static void send_answer(struct router *router, const struct call *call, struct packet packet,
                        struct blob *attached)
{
    packet.id = call->client_id;
    packet.service.size = 0;
    packet.method.size = 0;
    if (packet.command == PACKET_REPLY) {
        router->counters->outcome_ok++;
        packet.status = BUSBAR_OK;
        packet.fate = BUSBAR_EXECUTED;
        packet.timeout = 0;
    } else {
        struct worker_error error = worker_error_of(packet.status, packet.fate);
        router->counters->outcome_worker_error++;
        packet.status = (uint8_t)error.status;
        packet.fate = (uint8_t)error.fate;
        if (call->attempts > 1 && error.fate == BUSBAR_NOT_EXECUTED)
            packet.fate = BUSBAR_MAYBE_EXECUTED; /* by a worker that was lost with it */
    }
    packet.flags = attached != NULL ? PACKET_ATTACHED : 0;
    router->sink.send(router->sink.context, call->client, &packet, attached);
}

/* The call that a packet of this worker is about; NULL, and counted, if it is about none. */
static struct call *router_find(struct router *router, const struct peer *worker, uint64_t id)
{
    struct call *call = call_table_find(&router->calls, id);
    if (call != NULL && call->worker == worker)
        return call;
    router->counters->late_replies++;
    return NULL;
}

void router_reply(struct router *router, struct peer *worker, const struct packet *packet,
                  struct blob *attached, uint64_t now)
{
    struct call *call = router_find(router, worker, packet->id);
    if (call == NULL)
        return;
    if (call->state == CALL_ABANDONED) {
        router->counters->late_replies++;
    } else if (packet->body.size > router->limits.body_limit) {
        router->counters->outcome_worker_error++;
        send_error(router, call->client, call->client_id,
                   &(struct outcome){BUSBAR_RESULT_TOO_LARGE, BUSBAR_EXECUTED,
                                     "the result is over the broker's body limit"});
    } else {
        send_answer(router, call, *packet, attached);
    }
    call_free(router, call);
    router_serve(router, worker, now);
}

static bool bytes_are_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/*
 * Takes the request back from the packet that returned it. With the call's own names, since it is
 * sent on under those: with shorter ones a body could be returned that fits no bundle beside them.
 */
static bool call_keep_returned(struct call *call, const struct packet *packet,
                               struct blob *attached, uint64_t body_limit)
{
    if (!bytes_are_equal(packet->service, method_service(call->method)) ||
        !bytes_are_equal(packet->method, method_name(call->method)) ||
        packet->body.size > body_limit)
        return false;
    call->kept = kept_new(packet, attached);
    if (call->kept == NULL)
        return false;
    call->client->kept_bytes += kept_size(call->kept);
    return true;
}

void router_return(struct router *router, struct peer *worker, const struct packet *packet,
                   struct blob *attached, uint64_t now)
{
    struct call *call = router_find(router, worker, packet->id);
    if (call == NULL)
        return;
    router->counters->returned++;
    if (call->state == CALL_ABANDONED) {
        call_free(router, call);
        router_serve(router, worker, now);
        return;
    }
    call_leave_worker(call);
    call->attempts--;
    enum busbar_fate fate = call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
    if (call->kept == NULL &&
        !call_keep_returned(call, packet, attached, router->limits.body_limit)) {
        router->counters->outcome_busy++;
        call_fail(router, call,
                  &(struct outcome){BUSBAR_BUSY, fate,
                                    "its worker gave the call back without its request"});
        return;
    }
    if (call->method->provider_count > 0) {
        call_place_again(router, call, worker, now);
        if (worker->load == 0) /* nothing else would make the worker be looked at again */
            router_serve(router, worker, now);
        return;
    }
    router->counters->outcome_no_service++;
    call_fail(router, call,
              &(struct outcome){BUSBAR_NO_SERVICE, fate,
                                "its worker gave the call back and there is no other"});
}

/* The index by the client's ids is made when it cancels for the first time. */
static bool peer_index(struct router *router, struct peer *client)
{
    if (client->by_id.buckets != NULL)
        return true;
    if (!map_init(&client->by_id))
        return false;
    LIST_EACH(node, &client->calls) {
        struct call *call = CONTAINER_OF(node, struct call, of_client);
        map_insert(&client->by_id, &call->by_id, router_id_hash(router, call->client_id));
    }
    return true;
}

void router_cancel(struct router *router, struct peer *client, uint64_t client_id, uint64_t now)
{
    (void)now;
    if (!peer_index(router, client))
        return;
    uint64_t hash = router_id_hash(router, client_id);
    for (struct map_node *node = map_first(&client->by_id, hash); node != NULL;
         node = map_next(node)) {
        struct call *call = CONTAINER_OF(node, struct call, by_id);
        if (call->client_id != client_id)
            continue;
        router->counters->outcome_cancelled++;
        call_fail(
            router, call,
            &(struct outcome){BUSBAR_CANCELLED,
                              call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED,
                              "cancelled by its client"});
        return;
    }
}

/* A call whose worker is gone: again with another if that is allowed, else lost. */
static void call_lose_worker(struct router *router, struct call *call, uint64_t now)
{
    bool poisoned = call->attempts >= router->limits.attempts;
    if (call->state == CALL_ABANDONED) {
        call_free(router, call);
        return;
    }
    call_leave_worker(call);
    if (call->idempotent && !poisoned && call->method->provider_count > 0) {
        router->counters->redispatched++;
        call_place_again(router, call, NULL, now);
    } else if (call->idempotent && poisoned) {
        router->counters->outcome_poisoned++;
        call_fail(router, call,
                  &(struct outcome){BUSBAR_POISONED, BUSBAR_MAYBE_EXECUTED,
                                    "every worker that was given the call was lost"});
    } else {
        router->counters->outcome_worker_lost++;
        call_fail(router, call,
                  &(struct outcome){BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED,
                                    "its worker was lost before it answered"});
    }
}

static void peer_drop_calls(struct router *router, struct peer *client)
{
    LIST_EACH(node, &client->calls) {
        struct call *call = CONTAINER_OF(node, struct call, of_client);
        router->counters->outcome_abandoned++;
        if (call->worker != NULL)
            call_abandon(router, call);
        else
            call_free(router, call);
    }
    if (client->by_id.buckets != NULL)
        map_fini(&client->by_id);
}

void router_peer_fini(struct router *router, struct peer *peer, uint64_t now)
{
    peer->leaving = true;
    list_remove(&peer->paced);
    peer_drop_calls(router, peer);
    LIST_EACH(node, &peer->exports)
        router_remove_export(router, CONTAINER_OF(node, struct export, of_worker));
    LIST_EACH(node, &peer->running)
        call_lose_worker(router, CONTAINER_OF(node, struct call, place), now);
    assert(peer->load == 0 && peer->kept_bytes == 0);
    assert(list_is_empty(&peer->calls) && list_is_empty(&peer->flows));
}
