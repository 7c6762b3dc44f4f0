/* How a call ends: the one place where outcomes are sent, counted, and calls are freed. */
#include "broker/router_calls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/blob.h"
#include "protocol/worker_error.h"

enum {
    RETRY_AFTER_LEAST_MS = 10,
    RETRY_AFTER_MOST_MS = 5000,
    RETRY_AFTER_UNKNOWN_MS = 100,
};

void router_count(struct router *router, const struct call *call, uint64_t *counter)
{
    if (!call->is_oneway)
        ++*counter;
    else if (counter == &router->counters->outcome_ok)
        router->counters->oneway_done++;
    else
        router->counters->oneway_failed++;
}

enum busbar_fate call_fate(const struct call *call)
{
    return call->attempts > 0 ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED;
}

void router_refuse(struct router *router, struct peer *client, uint64_t id,
                   const struct outcome *outcome)
{
    struct packet packet = {
        .command = PACKET_ERROR,
        .id = id,
        .status = (uint8_t)outcome->status,
        .fate = (uint8_t)outcome->fate,
        .timeout = outcome->retry_after,
        .body = bytes_of_text(outcome->text),
    };
    ++*outcome->counter;
    router_send(router, client, &packet, NULL);
}

/* The attempts so far; the last is the one that ends now, if a worker has the call. */
static size_t attempts_of(const struct call *call, uint64_t now, struct metadata_attempt *attempts)
{
    size_t last = call->worker != NULL ? 1 : 0;
    size_t count = call->attempts - last;
    if (count > CALL_ATTEMPTS_TOLD - last)
        count = CALL_ATTEMPTS_TOLD - last;
    if (call->tried == NULL)
        count = 0;
    for (size_t i = 0; i < count; i++)
        attempts[i] = call->tried[i];
    if (call->worker != NULL)
        attempts[count++] = (struct metadata_attempt){.worker = call->worker->number,
                                                      .ms = (uint32_t)(now - call->dispatched_at)};
    return count;
}

/* Sends an ERROR with the attempts in front of its metadata, where they fit. */
static void send_error(struct router *router, const struct call *call, struct packet packet,
                       struct blob *attached)
{
    uint8_t space[PACKET_METADATA_MAX];
    struct metadata_attempt attempts[CALL_ATTEMPTS_TOLD];
    struct metadata_writer writer = {.data = space, .capacity = sizeof space};
    size_t count = attempts_of(call, router->wheel.now, attempts);
    struct packet longer = packet;
    if (count > 0) {
        metadata_put_attempts(&writer, attempts, count);
        metadata_put_all(&writer, packet.metadata);
        longer.metadata = metadata_written(&writer);
    }
    if (!writer.full && BUNDLE_HEADER_SIZE + packet_size(&longer) <= BUNDLE_SIZE_MAX)
        packet = longer;
    router_send(router, call->client, &packet, attached);
}

static void send_cancel(struct router *router, const struct call *call)
{
    struct packet packet = {.command = PACKET_CANCEL, .id = call_id(call)};
    router_send(router, call->worker, &packet, NULL);
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

/* A place of the worker's credit is free again. */
static void call_leave_worker(struct call *call)
{
    assert(call->worker->load > 0 && call->method->service->running > 0);
    list_remove(&call->place);
    call->worker->load--;
    call->method->service->running--;
    call->worker = NULL;
}

void call_take_from_worker(struct call *call)
{
    call_leave_worker(call);
    call_renew_id(call);
}

void call_note_attempt(struct call *call, uint64_t now)
{
    size_t at = call->attempts < CALL_ATTEMPTS_TOLD ? call->attempts - 1u : CALL_ATTEMPTS_TOLD - 1u;
    if (call->tried == NULL)
        call->tried = calloc(CALL_ATTEMPTS_TOLD, sizeof *call->tried);
    if (call->tried != NULL)
        call->tried[at] = (struct metadata_attempt){.worker = call->worker->number,
                                                    .ms = (uint32_t)(now - call->dispatched_at)};
}

void call_forget_attempt(struct call *call)
{
    assert(call->worker == NULL && call->attempts > 0);
    call->attempts--;
}

void call_free(struct router *router, struct call *call)
{
    if (call->worker != NULL)
        call_leave_worker(call);
    if (call->lane != NULL)
        backlog_remove(&router->backlog, call);
    if (call->is_waiting)
        router->waiting--;
    call_forget_client(router, call);
    method_unref(&router->registry, call->method);
    call_table_put(&router->calls, call);
}

void call_abandon(struct router *router, struct call *call)
{
    send_cancel(router, call);
    call_forget_client(router, call);
    call->state = CALL_ABANDONED;
}

void call_name_text(const struct call *call, const char *what, char *text, size_t size)
{
    struct bytes service = method_service(call->method);
    struct bytes method = method_name(call->method);
    snprintf(text, size, "%.*s%s%.*s: %s", (int)service.size, (const char *)service.data,
             method.size == 0 ? "" : ".", (int)method.size, (const char *)method.data, what);
}

void call_fail(struct router *router, struct call *call, const struct outcome *outcome)
{
    char text[512];
    call_name_text(call, outcome->text, text, sizeof text);
    router_count(router, call, outcome->counter);
    send_error(router, call,
               (struct packet){
                   .command = PACKET_ERROR,
                   .id = call->client_id,
                   .status = (uint8_t)outcome->status,
                   .fate = (uint8_t)outcome->fate,
                   .timeout = outcome->retry_after,
                   .body = bytes_of_text(text),
               },
               NULL);
    if (call->worker != NULL)
        call_abandon(router, call);
    else
        call_free(router, call);
}

void call_refuse_busy(struct router *router, struct call *call)
{
    call_fail(router, call,
              &(struct outcome){.status = BUSBAR_BUSY,
                                .fate = call_fate(call),
                                .text = "no room to keep the call until a worker is free",
                                .counter = &router->counters->outcome_busy,
                                .retry_after = method_retry_after(call->method)});
}

/* As long as the calls of the service that wait will take, by what such calls needed lately. */
uint32_t method_retry_after(const struct method *method)
{
    const struct service *service = method->service;
    uint64_t at_once = service->running == 0 ? 1 : service->running;
    if (method->tempo.mean == 0)
        return RETRY_AFTER_UNKNOWN_MS;
    uint64_t wait = (uint64_t)service->queued * method->tempo.mean / TEMPO_UNIT / at_once;
    if (wait < RETRY_AFTER_LEAST_MS)
        return RETRY_AFTER_LEAST_MS;
    return wait > RETRY_AFTER_MOST_MS ? RETRY_AFTER_MOST_MS : (uint32_t)wait;
}

/* What an ERROR of a worker is worth to the client. */
static void translate_error(const struct call *call, struct packet *packet)
{
    struct worker_error error = worker_error_of(packet->status, packet->fate);
    packet->status = (uint8_t)error.status;
    packet->fate = (uint8_t)error.fate;
    if (call->attempts > 1 && error.fate == BUSBAR_NOT_EXECUTED)
        packet->fate = BUSBAR_MAYBE_EXECUTED; /* by a worker that was lost with it */
    packet->flags = (uint8_t)(PACKET_BY_WORKER | (packet->flags & PACKET_BY_HANDLER));
}

void call_answer(struct router *router, struct call *call, struct packet packet,
                 struct blob *attached, uint64_t now)
{
    bool is_reply = packet.command == PACKET_REPLY;
    if (is_reply)
        tempo_note(&call->method->tempo, now - call->dispatched_at, now);
    if (call->state == CALL_ABANDONED) {
        router->counters->late_replies++;
        call_free(router, call);
        return;
    }
    router_count(router, call,
                 is_reply ? &router->counters->outcome_ok
                          : &router->counters->outcome_worker_error);
    packet.id = call->client_id;
    packet.service.size = 0;
    packet.method.size = 0;
    if (is_reply) {
        packet.status = BUSBAR_OK;
        packet.fate = BUSBAR_EXECUTED;
        packet.timeout = 0;
        packet.flags = 0;
    } else {
        translate_error(call, &packet);
    }
    if (attached != NULL)
        packet.flags |= PACKET_ATTACHED;
    if (is_reply)
        router_send(router, call->client, &packet, attached);
    else
        send_error(router, call, packet, attached);
    call_free(router, call);
}
