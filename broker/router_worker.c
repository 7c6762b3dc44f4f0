/* What workers say of the calls they have: answered, given back, a part, progress. */
#include "broker/router_calls.h"

#include <string.h>

#include "base/blob.h"

enum {
    PROGRESS_TEXT_MAX = 1024,
};

struct call *router_find_running(struct router *router, const struct peer *worker, uint64_t id)
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
    struct call *call = router_find_running(router, worker, packet->id);
    if (call == NULL)
        return;
    peer_answered(worker, now);
    if (call->state != CALL_ABANDONED && packet->body.size > router->limits.body_limit) {
        struct packet error = {.command = PACKET_ERROR,
                               .status = BUSBAR_RESULT_TOO_LARGE,
                               .fate = BUSBAR_EXECUTED,
                               .body = bytes_of_text("the result is over the broker's body limit")};
        call_answer(router, call, error, NULL, now);
    } else {
        call_answer(router, call, *packet, attached, now);
    }
    router_serve(router, worker, now);
}

static bool bytes_are_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/*
 * Takes the request back from the packet that returned it. With the call's own names, since it is
 * sent on under those: with shorter ones a body could be returned that fits no bundle beside them.
 * CALLER, which the broker had put in front, is not the client's, and is put there again.
 */
static bool call_keep_returned(struct call *call, const struct packet *packet,
                               struct blob *attached, uint64_t body_limit)
{
    struct packet request = *packet;
    struct metadata_entry first;
    struct bytes rest = packet->metadata;
    if (!bytes_are_equal(packet->service, method_service(call->method)) ||
        !bytes_are_equal(packet->method, method_name(call->method)) ||
        packet->body.size > body_limit)
        return false;
    if (metadata_next(&rest, &first) && first.key == METADATA_CALLER)
        request.metadata = rest;
    call->kept = kept_new(&request, attached);
    if (call->kept == NULL)
        return false;
    call->client->kept_bytes += kept_size(call->kept);
    return true;
}

/* A call that was given back looks for somebody else, unless there is nobody. */
static void call_move_on(struct router *router, struct call *call, const struct peer *from,
                         uint64_t now)
{
    if (method_is_open(call->method) || call_may_wait(router, call, now)) {
        call_place_again(router, call, from, now);
        return;
    }
    bool is_draining = method_is_served(call->method);
    call_fail(router, call,
              &(struct outcome){
                  .status = is_draining ? BUSBAR_DRAINING : BUSBAR_NO_SERVICE,
                  .fate = call_fate(call),
                  .text = is_draining ? "its worker gave the call back and the others are drained"
                                      : "its worker gave the call back and there is no other",
                  .counter = is_draining ? &router->counters->outcome_draining
                                         : &router->counters->outcome_no_service});
}

/* The worker did what it must not: its call ends, and what still comes of it is dropped. */
static void call_break(struct router *router, struct call *call, enum busbar_status status,
                       const char *text)
{
    call_fail(router, call,
              &(struct outcome){.status = status,
                                .fate = BUSBAR_MAYBE_EXECUTED,
                                .text = text,
                                .counter = &router->counters->outcome_broken});
}

static void call_take_back(struct router *router, struct call *call, const struct packet *packet,
                           struct blob *attached, uint64_t now)
{
    struct peer *worker = call->worker;
    if (call->is_streamed)
        call_note_attempt(call, now);
    call_take_from_worker(call);
    if (call->is_streamed) { /* it had begun, and nobody else may begin anew */
        call_break(router, call, BUSBAR_APP_ERROR,
                   "its worker gave the call back after a part of its result");
        return;
    }
    call_forget_attempt(call);
    if (call->kept != NULL || call_keep_returned(call, packet, attached, router->limits.body_limit))
        call_move_on(router, call, worker, now);
    else
        call_fail(router, call,
                  &(struct outcome){.status = BUSBAR_BUSY,
                                    .fate = call_fate(call),
                                    .text = "its worker gave the call back without its request",
                                    .counter = &router->counters->outcome_busy});
}

void router_return(struct router *router, struct peer *worker, const struct packet *packet,
                   struct blob *attached, uint64_t now)
{
    struct call *call = router_find_running(router, worker, packet->id);
    if (call == NULL)
        return;
    router->counters->returned++;
    bool abandoned = call->state == CALL_ABANDONED;
    if (abandoned)
        call_free(router, call);
    else
        call_take_back(router, call, packet, attached, now);
    if (abandoned || worker->load == 0) /* nothing else would make it be looked at again */
        router_serve(router, worker, now);
}

void router_part(struct router *router, struct peer *worker, const struct packet *packet,
                 struct blob *attached, uint64_t now)
{
    struct call *call = router_find_running(router, worker, packet->id);
    if (call == NULL || call->state == CALL_ABANDONED)
        return;
    if (!call->is_stream || call->window == 0) {
        call_break(router, call, BUSBAR_APP_ERROR, "its worker sent a part that was not granted");
        return;
    }
    if (packet->body.size > router->limits.body_limit) {
        call_break(router, call, BUSBAR_RESULT_TOO_LARGE, "a part is over the broker's body limit");
        return;
    }
    struct packet part = {.command = PACKET_PART,
                          .flags = attached != NULL ? PACKET_ATTACHED : 0,
                          .id = call->client_id,
                          .encoding = packet->encoding,
                          .metadata = packet->metadata,
                          .body = packet->body};
    call->window--;
    call->is_streamed = true;
    call->sign_at = now;
    call_release_kept(call); /* it is not repeated any more */
    router->counters->parts++;
    router_send(router, call->client, &part, attached);
}

/* A character that is cut through is left out whole. */
static struct bytes text_cut(struct bytes text)
{
    if (text.size <= PROGRESS_TEXT_MAX)
        return text;
    text.size = PROGRESS_TEXT_MAX;
    while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

void router_progress(struct router *router, struct peer *worker, const struct packet *packet,
                     uint64_t now)
{
    struct call *call = router_find_running(router, worker, packet->id);
    if (call == NULL || call->state == CALL_ABANDONED)
        return;
    call->sign_at = now;
    if (call->client->congested) {
        router->counters->progress_dropped++;
        return;
    }
    struct packet progress = {.command = PACKET_PROGRESS,
                              .id = call->client_id,
                              .timeout = packet->timeout,
                              .body = text_cut(packet->body)};
    router->counters->progress++;
    router_send(router, call->client, &progress, NULL);
}
