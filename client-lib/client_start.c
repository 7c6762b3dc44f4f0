/* From a caller's request to a call: every check that needs no broker, and the request's bytes. */
#include "client-lib/client.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/quote.h"
#include "client-lib/ambient.h"
#include "client-lib/body.h"
#include "protocol/metadata.h"
#include "protocol/name.h"

enum {
    NAME_QUOTE_SIZE = 200,
    COARSE_TIMEOUT_MIN_MS = 500, /* so that the grace of client_calls.c is at its full length */
};

/* A caller's call with the lengths of its names, and what else of it travels. */
struct request {
    const struct busbar_call *call;
    size_t service_size;
    size_t method_size;
    struct bytes metadata;
    const struct ambient *ambient; /* of this thread's handler; NULL outside of one */
    uint32_t timeout_ms;
    bool is_plain; /* says nothing but what to call, with what, and how long */
};

static bool is_plain(const struct busbar_call *call)
{
    return (call->flags | call->wait_ms | call->window) == 0 && call->key == NULL &&
           call->metadata == NULL && call->part == NULL;
}

static bool is_reserved_set(const struct busbar_call *request)
{
    for (size_t i = 0; i < sizeof request->reserved / sizeof request->reserved[0]; i++) {
        if (request->reserved[i] != NULL)
            return true;
    }
    return false;
}

/* What contradicts itself, or would be ignored in silence; NULL if nothing does. */
static const char *fault_of_kind(const struct busbar_call *request)
{
    const unsigned known = BUSBAR_IDEMPOTENT | BUSBAR_ONEWAY | BUSBAR_STREAM | BUSBAR_DETACHED;
    bool has_parts = request->part != NULL || request->window != 0;
    if (request->flags & ~known)
        return "the flags of a call are BUSBAR_IDEMPOTENT and enum busbar_call_flags";
    if ((request->flags & BUSBAR_ONEWAY) && (request->flags & BUSBAR_STREAM))
        return "a oneway call has no result that could come in parts";
    if (has_parts && !(request->flags & BUSBAR_STREAM))
        return "only a call with BUSBAR_STREAM has parts and a window";
    if (request->key != NULL &&
        (request->key[0] == '\0' || strlen(request->key) > METADATA_KEY_MAX))
        return "a key has 1 to 255 bytes";
    return NULL;
}

static enum busbar_status check_kind(struct busbar_client *client,
                                     const struct busbar_call *request)
{
    const char *fault = fault_of_kind(request);
    return fault == NULL ? BUSBAR_OK : client_fail(client, BUSBAR_BAD_ARGUMENT, "%s", fault);
}

static enum busbar_status check_arguments(struct busbar_client *client,
                                          const struct busbar_call *request)
{
    if (request->service == NULL || request->method == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "a call needs a service and a method");
    if (!body_is_sane(&request->body))
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "the body has no bytes or no encoding");
    if (request->timeout_ms == PACKET_TIMEOUT_NONE)
        return client_fail(client, BUSBAR_BAD_ARGUMENT,
                           "every call has a deadline: a timeout of "
                           "%u ms is none",
                           request->timeout_ms);
    if (is_reserved_set(request))
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "reserved members must be 0");
    if (client->is_closing)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "the client is being destroyed");
    return BUSBAR_OK;
}

static enum busbar_status bad_name(struct busbar_client *client, const char *name, const char *kind)
{
    char quoted[NAME_QUOTE_SIZE];
    return client_fail(client, BUSBAR_BAD_REQUEST, "%s cannot be the name of a %s",
                       quote(quoted, sizeof quoted, name, strlen(name)), kind);
}

static enum busbar_status check_names(struct busbar_client *client, struct request *request)
{
    request->service_size = name_service_size(request->call->service);
    request->method_size = name_method_size(request->call->method);
    if (request->service_size == 0)
        return bad_name(client, request->call->service, "service");
    if (request->method_size == 0)
        return bad_name(client, request->call->method, "method");
    return BUSBAR_OK;
}

static enum busbar_status check_room(struct busbar_client *client, size_t size)
{
    const struct connection *connection = client_connection(client);
    size_t backlog = outbox_bytes(&connection->outbox) + client->waiting_bytes;
    uint64_t limit = connection->welcome.epoch == 0 ? CLIENT_BODY_LIMIT
                                                    : connection->welcome.body_limit;
    if (size > limit)
        return client_fail(client, BUSBAR_TOO_LARGE,
                           "the body of %zu bytes is over the limit of %llu bytes of %s", size,
                           (unsigned long long)limit, connection->endpoint);
    if (backlog > CLIENT_BACKLOG_MAX)
        return client_fail(client, BUSBAR_BUSY, "%zu bytes wait to be sent to %s already", backlog,
                           connection->endpoint);
    if (client->calls.used >= CALLS_MAX)
        return client_fail(client, BUSBAR_BUSY, "%u calls are outstanding already",
                           client->calls.used);
    return BUSBAR_OK;
}

static enum busbar_status open_connection(struct busbar_client *client)
{
    if (client_connection(client)->state != CONNECTION_CLOSED)
        return BUSBAR_OK;
    enum busbar_status status = client_open(client);
    if (status != BUSBAR_OK)
        return client_fail(client, status, "%s: no connection can be made",
                           client_connection(client)->endpoint);
    return BUSBAR_OK;
}

static uint8_t *append(uint8_t *to, const void *data, size_t size)
{
    if (size > 0)
        memcpy(to, data, size);
    return to + size;
}

static bool store_request(struct call *call, const struct request *request,
                          struct busbar_body *body)
{
    bool is_attached = body->size > PACKET_INLINE_BODY_MAX;
    size_t inside = is_attached ? 0 : body->size;
    size_t names_size = request->service_size + request->method_size;
    uint8_t *end = call_reserve(call, names_size + request->metadata.size + inside);
    if (end == NULL)
        return false;
    call->service_size = (uint8_t)request->service_size;
    call->method_size = (uint8_t)request->method_size;
    call->metadata_size = (uint16_t)request->metadata.size;
    call->body_size = (uint32_t)inside;
    call->encoding = (uint8_t)body->encoding;
    memcpy(end, request->call->service, request->service_size);
    memcpy(end + request->service_size, request->call->method, request->method_size);
    end = append(end + names_size, request->metadata.data, request->metadata.size);
    (void)append(end, body->data, inside);
    if (is_attached)
        call->attached = body_blob(body);
    return !is_attached || call->attached != NULL;
}

static struct call *new_call(struct busbar_client *client, const struct request *request,
                             struct busbar_body *body)
{
    const struct busbar_call *wanted = request->call;
    if (!reply_pool_reserve(client->replies, client->calls.used + 1))
        return NULL;
    struct call *call = call_table_take(&client->calls);
    if (call == NULL)
        return NULL;
    if (!store_request(call, request, body)) {
        call_table_give_back(&client->calls, call);
        return NULL;
    }
    call->callback = wanted->callback;
    call->progress = wanted->progress;
    call->context = wanted->context;
    call->flags = (uint8_t)wanted->flags;
    if (wanted->flags & BUSBAR_STREAM) {
        call->part = wanted->part;
        call->room = wanted->window != 0 ? wanted->window : CLIENT_WINDOW;
    }
    call->timeout = request->timeout_ms;
    return call;
}

static enum busbar_status check_request(struct busbar_client *client, struct request *request)
{
    enum busbar_status status = check_arguments(client, request->call);
    if (status == BUSBAR_OK && !request->is_plain)
        status = check_kind(client, request->call);
    if (status == BUSBAR_OK)
        status = check_names(client, request);
    if (status == BUSBAR_OK)
        status = check_room(client, request->call->body.size);
    if (status == BUSBAR_OK)
        status = open_connection(client);
    return status;
}

/* Within a handler the request that is handled sets a limit: false if there is no time left. */
static bool limit_time(struct busbar_client *client, struct request *request)
{
    const struct ambient *ambient = request->ambient;
    request->timeout_ms = request->call->timeout_ms != 0 ? request->call->timeout_ms
                                                         : client->timeout_ms;
    if (ambient == NULL || (request->call->flags & BUSBAR_DETACHED))
        return true;
    uint64_t now = clock_ms();
    uint64_t left = now < ambient->deadline ? ambient->deadline - now : 0;
    if (left < request->timeout_ms)
        request->timeout_ms = (uint32_t)left;
    return left > 0;
}

/* Cheap and up to 10 ms late; exact where that would show. */
static uint64_t approximate_ms(uint32_t timeout)
{
    struct timespec now;
    if (timeout < COARSE_TIMEOUT_MIN_MS)
        return clock_ms();
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What is put at once tells the broker its timeout as it is; its timer here fires later by more
 * than the clock's error. What waits is timed by this side alone, from the next full millisecond. */
static void client_submit(struct busbar_client *client, struct call *call)
{
    if (client_is_ready(client) && list_is_empty(&client->waiting)) {
        client->now = approximate_ms(call->timeout);
        call->deadline = client->now + call->timeout;
        if (client_put(client, call, call->timeout))
            return;
    }
    client->now = clock_ms();
    call->deadline = client->now + 1 + call->timeout;
    client_queue(client, call, client->now);
}

/* Becomes a call and, unless its time is over, leaves with the next turn. */
static enum busbar_status launch(struct busbar_client *client, struct request *request,
                                 struct busbar_reply **answer, uint64_t *ret_id)
{
    static const struct call_outcome expired = {BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED};
    struct busbar_body body = request->call->body;
    bool in_time = limit_time(client, request);
    struct call *call = new_call(client, request, &body);
    if (body.free != NULL)
        busbar_body_release(&body);
    if (call == NULL)
        return client_fail(client, BUSBAR_NO_MEMORY, "out of memory");
    call->answer = answer;
    if (answer != NULL)
        client->awaited++;
    if (ret_id != NULL)
        *ret_id = call->id;
    if (in_time)
        client_submit(client, call);
    else
        client_finish(client, call, expired, "the time of the request that is handled is over");
    return BUSBAR_OK;
}

static enum busbar_status write_metadata(struct busbar_client *client, struct request *request,
                                         uint8_t room[PACKET_METADATA_MAX])
{
    struct metadata_writer writer = {.data = room, .capacity = PACKET_METADATA_MAX};
    enum busbar_status status = client_write_metadata(client, request->call, &writer);
    request->metadata = metadata_written(&writer);
    return status;
}

/* The plain call has nothing to be written, and touches none of the room for it. */
enum busbar_status client_start(struct busbar_client *client, const struct busbar_call *call,
                                struct busbar_reply **answer, uint64_t *ret_id)
{
    uint8_t room[PACKET_METADATA_MAX];
    struct request request = {
        .call = call, .ambient = ambient_current(), .is_plain = is_plain(call)};
    enum busbar_status status = check_request(client, &request);
    if (status == BUSBAR_OK && (!request.is_plain || request.ambient != NULL))
        status = write_metadata(client, &request, room);
    if (status != BUSBAR_OK)
        return client_decline(call, status);
    return launch(client, &request, answer, ret_id);
}
