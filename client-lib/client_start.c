/* From a caller's request to a call: every check that needs no broker, and the request's bytes. */
#include "client-lib/client.h"

#include <string.h>

#include "base/quote.h"
#include "client-lib/body.h"
#include "protocol/name.h"

enum {
    NAME_QUOTE_SIZE = 200,
};

/* A caller's call with the lengths of its names. */
struct request {
    const struct busbar_call *call;
    size_t service_size;
    size_t method_size;
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

static enum busbar_status bad_name(struct busbar_client *client, const char *name, size_t size,
                                   const char *kind)
{
    char quoted[NAME_QUOTE_SIZE];
    return client_fail(client, BUSBAR_BAD_REQUEST, "%s cannot be the name of a %s",
                       quote(quoted, sizeof quoted, name, size), kind);
}

static enum busbar_status check_names(struct busbar_client *client, struct request *request)
{
    const char *service = request->call->service;
    const char *method = request->call->method;
    request->service_size = strlen(service);
    request->method_size = strlen(method);
    if (!name_is_service(service, request->service_size))
        return bad_name(client, service, request->service_size, "service");
    if (!name_is_method(method, request->method_size))
        return bad_name(client, method, request->method_size, "method");
    return BUSBAR_OK;
}

static enum busbar_status check_room(struct busbar_client *client, size_t size)
{
    const struct connection *connection = &client->connection;
    uint64_t limit = connection->welcome.epoch == 0 ? CLIENT_BODY_LIMIT
                                                    : connection->welcome.body_limit;
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

static bool store_request(struct call *call, const struct request *request,
                          struct busbar_body *body)
{
    bool is_attached = body->size > PACKET_INLINE_BODY_MAX;
    size_t inside = is_attached ? 0 : body->size;
    uint8_t *bytes = call_reserve(call, request->service_size + request->method_size + inside);
    if (bytes == NULL)
        return false;
    call->service_size = (uint8_t)request->service_size;
    call->method_size = (uint8_t)request->method_size;
    call->body_size = (uint32_t)inside;
    call->encoding = (uint8_t)body->encoding;
    memcpy(bytes, request->call->service, request->service_size);
    memcpy(bytes + request->service_size, request->call->method, request->method_size);
    if (is_attached)
        call->attached = body_blob(body);
    else if (inside > 0)
        memcpy(bytes + request->service_size + request->method_size, body->data, inside);
    return !is_attached || call->attached != NULL;
}

static struct call *new_call(struct busbar_client *client, const struct request *request,
                             struct busbar_body *body)
{
    if (!reply_pool_reserve(client->replies, client->calls.used + 1))
        return NULL;
    struct call *call = call_table_take(&client->calls);
    if (call == NULL)
        return NULL;
    if (!store_request(call, request, body)) {
        call_table_give_back(&client->calls, call);
        return NULL;
    }
    call->callback = request->call->callback;
    call->context = request->call->context;
    call->timeout = request->call->timeout_ms != 0 ? request->call->timeout_ms : client->timeout_ms;
    return call;
}

static enum busbar_status check_request(struct busbar_client *client, struct request *request)
{
    enum busbar_status status = check_arguments(client, request->call);
    if (status == BUSBAR_OK)
        status = check_names(client, request);
    if (status == BUSBAR_OK)
        status = check_room(client, request->call->body.size);
    if (status == BUSBAR_OK)
        status = open_connection(client);
    return status;
}

enum busbar_status client_start(struct busbar_client *client, const struct busbar_call *call,
                                struct call **ret)
{
    struct request request = {.call = call};
    struct busbar_body body = call->body;
    enum busbar_status status = check_request(client, &request);
    if (status == BUSBAR_OK) {
        *ret = new_call(client, &request, &body);
        if (*ret == NULL)
            status = client_fail(client, BUSBAR_NO_MEMORY, "out of memory");
    }
    busbar_body_release(&body);
    if (status == BUSBAR_OK)
        client_submit(client, *ret);
    return status;
}
