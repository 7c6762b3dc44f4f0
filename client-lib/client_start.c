/* From a caller's request to a call: every check that needs no broker, and the request's bytes. */
#include "client-lib/client.h"

#include <string.h>

#include "base/clock.h"
#include "base/quote.h"
#include "client-lib/body.h"
#include "protocol/name.h"

enum {
    NAME_QUOTE_SIZE = 200,
};

static bool is_reserved_set(const struct busbar_call *request)
{
    for (size_t i = 0; i < sizeof request->reserved / sizeof request->reserved[0]; i++) {
        if (request->reserved[i] != NULL)
            return true;
    }
    return false;
}

static enum busbar_status check_arguments(struct busbar_client *client,
                                          const struct busbar_call *request)
{
    if (request->service == NULL || request->method == NULL)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "a call needs a service and a method");
    if (!body_is_sane(&request->body))
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "the body has no bytes or no encoding");
    if (request->timeout_ms == PACKET_TIMEOUT_NONE)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "every call has a deadline: a timeout of "
                                                        "%u ms is none", request->timeout_ms);
    if (is_reserved_set(request))
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "reserved members must be 0");
    if (client->is_closing)
        return client_fail(client, BUSBAR_BAD_ARGUMENT, "the client is being destroyed");
    return BUSBAR_OK;
}

static enum busbar_status check_names(struct busbar_client *client,
                                      const struct busbar_call *request)
{
    char quoted[NAME_QUOTE_SIZE];
    size_t service = strnlen(request->service, NAME_QUOTE_SIZE);
    size_t method = strnlen(request->method, NAME_QUOTE_SIZE);
    if (!name_is_service(request->service, service))
        return client_fail(client, BUSBAR_BAD_REQUEST, "%s cannot be the name of a service",
                           quote(quoted, sizeof quoted, request->service, service));
    if (!name_is_method(request->method, method))
        return client_fail(client, BUSBAR_BAD_REQUEST, "%s cannot be the name of a method",
                           quote(quoted, sizeof quoted, request->method, method));
    return BUSBAR_OK;
}

static enum busbar_status check_room(struct busbar_client *client, size_t size)
{
    const struct connection *connection = &client->connection;
    uint64_t limit =
        connection->welcome.epoch == 0 ? CLIENT_BODY_LIMIT : connection->welcome.body_limit;
    size_t backlog = outbox_bytes(&connection->outbox) + client->waiting_bytes;
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
    if (client->connection.state != CONNECTION_CLOSED)
        return BUSBAR_OK;
    enum busbar_status status = connection_open(&client->connection);
    if (status != BUSBAR_OK)
        return client_fail(client, status, "%s: no connection can be made",
                           client->connection.endpoint);
    return BUSBAR_OK;
}

static bool store_request(struct call *call, const struct busbar_call *request,
                          struct busbar_body *body)
{
    call->service_size = (uint8_t)strlen(request->service);
    call->method_size = (uint8_t)strlen(request->method);
    call->encoding = (uint8_t)body->encoding;
    bool is_attached = body->size > PACKET_INLINE_BODY_MAX;
    size_t inside = is_attached ? 0 : body->size;
    uint8_t *bytes =
        call_reserve(call, (size_t)call->service_size + call->method_size + inside);
    if (bytes == NULL)
        return false;
    memcpy(bytes, request->service, call->service_size);
    memcpy(bytes + call->service_size, request->method, call->method_size);
    if (is_attached) {
        call->attached = body_blob(body);
        return call->attached != NULL;
    }
    if (inside > 0)
        memcpy(bytes + call->service_size + call->method_size, body->data, inside);
    call->body_size = (uint32_t)inside;
    return true;
}

static struct call *new_call(struct busbar_client *client, const struct busbar_call *request,
                             struct busbar_body *body)
{
    struct call *call = call_table_take(&client->calls);
    if (call == NULL)
        return NULL;
    call->reply = reply_new(client->replies);
    if (call->reply == NULL || !store_request(call, request, body)) {
        busbar_reply_destroy(&call->reply);
        call_table_give_back(&client->calls, call);
        return NULL;
    }
    call->reply->id = call->id;
    call->reply->callback = request->callback;
    call->reply->context = request->context;
    return call;
}

static enum busbar_status client_check_request(struct busbar_client *client,
                                               const struct busbar_call *request)
{
    enum busbar_status status = check_arguments(client, request);
    if (status == BUSBAR_OK)
        status = check_names(client, request);
    if (status == BUSBAR_OK)
        status = check_room(client, request->body.size);
    if (status == BUSBAR_OK)
        status = open_connection(client);
    return status;
}

enum busbar_status client_start(struct busbar_client *client, const struct busbar_call *request,
                                struct call **ret)
{
    struct busbar_body body = request->body;
    struct call *call = NULL;
    enum busbar_status status = client_check_request(client, request);
    if (status == BUSBAR_OK) {
        call = new_call(client, request, &body);
        if (call == NULL)
            status = client_fail(client, BUSBAR_NO_MEMORY, "out of memory");
    }
    busbar_body_release(&body);
    if (call == NULL)
        return status;
    uint64_t now_ns = clock_ns();
    uint64_t now = now_ns / 1000000;
    call->timeout = request->timeout_ms != 0 ? request->timeout_ms : client->timeout_ms;
    call->deadline = (now_ns + 999999) / 1000000 + call->timeout;
    client_submit(client, call, now);
    *ret = call;
    return BUSBAR_OK;
}
