/* The events of a session with the broker, each with what it means for the requests here. */
#include "worker-lib/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "protocol/metadata.h"
#include "protocol/name.h"
#include "worker-lib/registrar.h"
#include "worker-lib/request.h"
#include "worker-lib/tell.h"
#include "worker-lib/wake.h"

enum {
    WINDOW_DEFAULT = 16, /* parts, where the caller names no other number */
};

void session_put(struct busbar_worker *worker, enum packet_command command, uint64_t id)
{
    struct packet packet = {.command = (uint8_t)command, .id = id};
    if (!connection_is_open(&worker->leader.connection))
        return;
    /* Out of memory it is not said, and the broker goes by what it was told before. */
    enum busbar_status status = connection_put(&worker->leader.connection, &packet, NULL);
    (void)status;
}

/* The broker puts CALLER in front, and does so again for the next worker. */
static struct bytes without_caller(struct bytes metadata)
{
    struct bytes rest = metadata;
    struct metadata_entry entry;
    bool is_first = metadata.size > 0 && metadata_next(&rest, &entry);
    return is_first && entry.key == METADATA_CALLER ? rest : metadata;
}

/* With the request, since the broker has kept it only if its method is idempotent. */
static void put_return(struct busbar_worker *worker, struct packet packet, struct blob *attached)
{
    packet.command = PACKET_RETURN;
    packet.flags &= PACKET_IDEMPOTENT | PACKET_ONEWAY | PACKET_STREAM;
    packet.flags |= attached != NULL ? PACKET_ATTACHED : 0;
    packet.metadata = without_caller(packet.metadata);
    if (!connection_is_open(&worker->leader.connection))
        return;
    /* Out of memory it is not said, and the call ends by its deadline. */
    enum busbar_status status = connection_put(&worker->leader.connection, &packet, attached);
    (void)status;
}

void session_return(struct busbar_worker *worker, const struct busbar_request *request)
{
    struct packet packet = {
        .id = request->to.id,
        .flags = request->flags,
        .encoding = request->encoding,
        .service = bytes_of_text(request->method->service->name),
        .method = bytes_of_text(request->method->name),
        .metadata = request->metadata,
        .body = request->body,
    };
    put_return(worker, packet, request->attached ? request->frame : NULL);
}

/* Requests that were not started belong to the session they came in: its end is theirs. */
static void drop_requests(struct busbar_worker *worker)
{
    struct leader *leader = &worker->leader;
    request_list_discard(&leader->arrived, &leader->spare);
    worker_lock(worker);
    request_list_discard(&worker->queue, &leader->spare);
    pthread_cond_broadcast(&worker->granted); /* who waits to send parts has nobody to send to */
    worker_unlock(worker);
}

static void on_opened(void *owner)
{
    struct busbar_worker *worker = owner;
    struct leader *leader = &worker->leader;
    leader->sessions++;
    leader->in_session = true;
    leader->greeting_since = clock_ms();
    answers_session(&worker->answers, leader->sessions);
    drop_requests(worker);
    worker_lock(worker);
    worker->sessions = leader->sessions;
    worker->credit.in_force = 1;
    worker->credit.extra = 0;
    registrar_reset(worker);
    worker_unlock(worker);
    registrar_step(worker);
}

/* For who waits until each broker of a list either has the services or is known not to be there. */
static void note_reach(struct busbar_worker *worker, bool is_reached)
{
    worker_lock(worker);
    worker->is_unreachable = !is_reached;
    pthread_cond_broadcast(&worker->changed);
    worker_unlock(worker);
}

static void on_welcomed(void *owner)
{
    struct busbar_worker *worker = owner;
    const struct welcome *welcome = &worker->leader.connection.welcome;
    struct heartbeat_session session = {
        .number = worker->leader.sessions,
        .token = welcome->token,
        .interval = welcome->heartbeat_interval,
        .liveness = welcome->heartbeat_liveness,
    };
    worker->answers.body_limit = welcome->body_limit;
    heartbeat_set(&worker->heartbeat, &session);
    note_reach(worker, true);
    tell_reached(worker);
}

static void on_lost(void *owner, const char *reason)
{
    struct busbar_worker *worker = owner;
    struct heartbeat_session none = {0};
    worker->leader.in_session = false;
    answers_session(&worker->answers, 0);
    drop_requests(worker);
    worker_lock(worker);
    registrar_reset(worker);
    worker_unlock(worker);
    heartbeat_set(&worker->heartbeat, &none);
    note_reach(worker, false);
    worker_say(worker, "%s", reason);
    tell_lost(worker, reason);
}

static void on_unreachable(void *owner, const char *reason)
{
    note_reach(owner, false);
    worker_say(owner, "%s", reason);
    tell_unreachable(owner, reason);
}

/* What was refused for want of a session belonged to the last one; the next one starts anew. */
static void on_reset(void *owner, uint8_t command, uint64_t id)
{
    (void)owner;
    (void)command;
    (void)id;
}

static void refuse_method(struct busbar_worker *worker, const struct packet *call)
{
    char text[2 * NAME_SIZE_MAX + 64];
    struct answer_to to = {.session = worker->leader.sessions, .id = call->id};
    if (call->method.size == 0) /* of a client whose protocol has no methods */
        snprintf(text, sizeof text, "the call of %.*s names no method", (int)call->service.size,
                 (const char *)call->service.data);
    else
        snprintf(text, sizeof text, "this worker has no method %.*s.%.*s", (int)call->service.size,
                 (const char *)call->service.data, (int)call->method.size,
                 (const char *)call->method.data);
    struct failure failure = {
        .status = BUSBAR_NO_METHOD, .fate = BUSBAR_NOT_EXECUTED, .text = text};
    answers_fail(&worker->answers, to, &failure);
}

/* What the bytes of a packet lie in. */
struct arrival {
    struct blob *frame;
    struct blob *attached; /* NULL if the body is inside */
};

static uint32_t first_window(const struct packet *call)
{
    uint64_t window = WINDOW_DEFAULT;
    if (!(call->flags & PACKET_STREAM))
        return 0;
    if (!metadata_find_number(call->metadata, METADATA_WINDOW, sizeof(uint32_t), &window))
        window = WINDOW_DEFAULT;
    return (uint32_t)(window < PACKET_WINDOW_MAX ? window : PACKET_WINDOW_MAX);
}

static void request_fill(struct busbar_request *request, const struct packet *call,
                         const struct arrival *arrival)
{
    struct busbar_worker *worker = request->worker;
    service_ref(request->method->service);
    request->attached = arrival->attached != NULL;
    request->frame = blob_ref(request->attached ? arrival->attached : arrival->frame);
    request->envelope = call->metadata.size > 0 ? blob_ref(arrival->frame) : NULL;
    request->metadata = call->metadata;
    request->body = call->body;
    request->encoding = call->encoding;
    request->flags = call->flags;
    request->window = first_window(call);
    request->extra = NULL;
    request->kept = false;
    request->to = (struct answer_to){.session = worker->leader.sessions, .id = call->id};
    request->deadline = worker->leader.now + call->timeout;
    request->arrived_ns = worker->leader.now * 1000000;
    atomic_store_explicit(&request->references, 1, memory_order_relaxed);
    atomic_store_explicit(&request->cancelled, false, memory_order_relaxed);
}

static void on_call(struct busbar_worker *worker, const struct packet *call,
                    const struct arrival *arrival)
{
    struct leader *leader = &worker->leader;
    struct method *method = service_method(&worker->services, call);
    if (method == NULL && !leader->draining) {
        refuse_method(worker, call);
        return;
    }
    bool room = method != NULL && leader->arrived.count < leader->room;
    struct busbar_request *request = room ? request_new(leader) : NULL;
    if (request == NULL) {
        put_return(worker, *call, arrival->attached);
        leader->returned++;
        return;
    }
    request->worker = worker;
    request->method = method;
    request_fill(request, call, arrival);
    request_list_append(&leader->arrived, request);
}

static struct busbar_request *find_request(const struct request_list *list, uint64_t id)
{
    LIST_EACH(node, &list->list) {
        struct busbar_request *request = CONTAINER_OF(node, struct busbar_request, link);
        if (request->to.id == id)
            return request;
    }
    return NULL;
}

static bool drop_request(struct request_list *list, uint64_t id, struct request_list *spare)
{
    struct request_list dropped;
    struct busbar_request *request = find_request(list, id);
    if (request == NULL)
        return false;
    request_list_init(&dropped);
    request_list_remove(list, request);
    request_list_append(&dropped, request);
    request_list_discard(&dropped, spare);
    return true;
}

/* Searches, since a cancellation is rare and an index would cost every call. A call that was not
 * started goes back: nobody waits for it, but its place in the credit is free only then. */
static void on_cancel(struct busbar_worker *worker, uint64_t id)
{
    struct leader *leader = &worker->leader;
    bool dropped = drop_request(&leader->arrived, id, &leader->spare);
    worker_lock(worker);
    dropped = dropped || drop_request(&worker->queue, id, &leader->spare);
    struct busbar_request *request = dropped ? NULL : find_request(&worker->active, id);
    if (request != NULL) {
        request->cancelled = true;
        pthread_cond_broadcast(&worker->granted);
    }
    worker_unlock(worker);
    if (dropped)
        session_put(worker, PACKET_RETURN, id);
}

/* A caller may grant before the handler has begun. */
static void on_grant(struct busbar_worker *worker, const struct packet *grant)
{
    struct busbar_request *request = find_request(&worker->leader.arrived, grant->id);
    worker_lock(worker);
    if (request == NULL)
        request = find_request(&worker->active, grant->id);
    if (request == NULL)
        request = find_request(&worker->queue, grant->id);
    if (request != NULL)
        request_grant(request, grant->timeout);
    worker_unlock(worker);
}

/* Anything else is not for a worker, or news that changes nothing here: it is ignored. */
static void on_packet(void *owner, const struct packet *packet, struct blob *frame,
                      struct blob *attached)
{
    struct busbar_worker *worker = owner;
    if (packet->command == PACKET_CALL)
        on_call(worker, packet, &(struct arrival){frame, attached});
    else if (packet->command == PACKET_CANCEL)
        on_cancel(worker, packet->id);
    else if (packet->command == PACKET_GRANT)
        on_grant(worker, packet);
    else
        registrar_hear(worker, packet);
}

const struct connection_handler session_handler = {
    .opened = on_opened,
    .welcomed = on_welcomed,
    .lost = on_lost,
    .unreachable = on_unreachable,
    .reset = on_reset,
    .packet = on_packet,
};

void session_heartbeat_lost(void *owner, uint64_t session, enum heartbeat_verdict verdict)
{
    struct busbar_worker *worker = owner;
    worker_lock(worker);
    worker->heartbeat_lost.session = session;
    worker->heartbeat_lost.verdict = verdict;
    worker_unlock(worker);
    wake_signal(worker->wake_fd);
}

/* Has the broker been heard on the main connection while the heartbeats were not answered? */
static bool was_heard(const struct leader *leader)
{
    const struct welcome *welcome = &leader->connection.welcome;
    uint64_t patience = (uint64_t)welcome->heartbeat_interval * welcome->heartbeat_liveness;
    return leader->now < leader->connection.last_received + patience;
}

void session_heartbeat(struct busbar_worker *worker)
{
    struct leader *leader = &worker->leader;
    worker_lock(worker);
    uint64_t session = worker->heartbeat_lost.session;
    enum heartbeat_verdict verdict = worker->heartbeat_lost.verdict;
    worker->heartbeat_lost.session = 0;
    worker_unlock(worker);
    if (!leader->in_session || session != leader->sessions)
        return;
    if (verdict == HEARTBEAT_UNKNOWN)
        connection_restart(&leader->connection, "the broker does not know this session any more");
    else if (was_heard(leader))
        on_welcomed(worker);
    else
        connection_restart(&leader->connection, "the broker does not answer heartbeats");
}
