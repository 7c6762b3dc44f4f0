/* The registrations of services: said, answered, refused, said again. */
#include "worker-lib/registrar.h"

#include <stdio.h>

#include "base/clock.h"
#include "protocol/name.h"
#include "worker-lib/tell.h"

enum {
    BACKOFF_MS = 100, /* after a refusal that may pass; doubled each time */
    BACKOFF_MAX_MS = 2000,
    NO_MEMORY_MS = 100,
};

/* Refusals that are about the moment, not about the service. */
static bool may_pass(uint8_t status)
{
    return status == BUSBAR_UNSUPPORTED || status == BUSBAR_BUSY || status == BUSBAR_DRAINING;
}

/* What a final refusal is told as; the text of the error names what the broker said. */
static enum busbar_status final_status(uint8_t status)
{
    bool named = status == BUSBAR_DENIED || status == BUSBAR_CONFLICT;
    return named ? (enum busbar_status)status : BUSBAR_BAD_REQUEST;
}

static bool say(struct busbar_worker *worker, struct service *service, enum packet_command command)
{
    struct blob *body = command == PACKET_REGISTER ? service->registration : NULL;
    struct packet packet = {
        .command = (uint8_t)command,
        .id = ++worker->services.last_id,
        .service = bytes_of_text(service->name),
    };
    if (body != NULL) {
        packet.encoding = PACKET_MESSAGEPACK;
        packet.body = (struct bytes){.data = body->data, .size = body->size};
    }
    bool attach = packet.body.size > PACKET_INLINE_BODY_MAX;
    packet.flags = attach ? PACKET_ATTACHED : 0;
    service->id = packet.id;
    return connection_put(&worker->leader.connection, &packet, attach ? body : NULL) == BUSBAR_OK;
}

static void step_new(struct busbar_worker *worker, struct service *service)
{
    service_index(&worker->services, service);
    if (service->due > worker->leader.now)
        return;
    if (say(worker, service, PACKET_REGISTER))
        service->state = SERVICE_ASKED;
    else
        service->due = worker->leader.now + NO_MEMORY_MS;
}

static void step_leaving(struct busbar_worker *worker, struct service *service)
{
    if (say(worker, service, PACKET_DEREGISTER))
        service->state = SERVICE_LEFT;
    else
        service->due = worker->leader.now + NO_MEMORY_MS;
}

static void step(struct busbar_worker *worker, struct service *service)
{
    bool open = connection_is_open(&worker->leader.connection);
    if (service->state == SERVICE_NEW && open)
        step_new(worker, service);
    else if (service->state == SERVICE_LEAVING && open)
        step_leaving(worker, service);
    else if (service->state == SERVICE_LEAVING)
        service_remove(&worker->services, service);
}

uint64_t registrar_step(struct busbar_worker *worker)
{
    worker_lock(worker);
    uint64_t next = UINT64_MAX;
    LIST_EACH(node, &worker->services.services)
        step(worker, CONTAINER_OF(node, struct service, link));
    bool open = connection_is_open(&worker->leader.connection);
    LIST_EACH(node, &worker->services.services) {
        const struct service *service = CONTAINER_OF(node, struct service, link);
        bool waits = service->state == SERVICE_NEW || service->state == SERVICE_LEAVING;
        if (open && waits && service->due < next)
            next = service->due;
    }
    worker->services_at = next;
    worker_unlock(worker);
    return next;
}

/* With the lock held. */
static void refused(struct busbar_worker *worker, struct service *service,
                    const struct packet *packet)
{
    if (may_pass(packet->status)) {
        service->backoff = service->backoff == 0 ? BACKOFF_MS : service->backoff * 2;
        if (service->backoff > BACKOFF_MAX_MS)
            service->backoff = BACKOFF_MAX_MS;
        service->state = SERVICE_NEW;
        service->due = worker->leader.now + service->backoff;
        worker->services_at = 0;
        return;
    }
    service->state = SERVICE_REFUSED;
    worker->refusal = final_status(packet->status);
}

/* With the lock held, so that whoever sees the refusal sees its text, too. */
static void keep_reason(struct busbar_worker *worker, const struct service *service,
                        const struct packet *packet)
{
    size_t size = packet->body.size > WORKER_ERROR_SIZE ? WORKER_ERROR_SIZE : packet->body.size;
    bool is_one_of_several = worker->crew != NULL;
    snprintf(worker->error, sizeof worker->error, "%s%sthe broker refuses service %s: %s: %.*s",
             is_one_of_several ? worker->leader.connection.endpoint : "",
             is_one_of_several ? ": " : "", service->name,
             busbar_status_name((enum busbar_status)packet->status), (int)size,
             size == 0 ? "" : (const char *)packet->body.data);
    worker->error_ns = clock_ns();
}

/* With the lock held. Returns true if it was awaited. */
static bool answered(struct busbar_worker *worker, struct service *service,
                     const struct packet *packet)
{
    bool asked = service->state == SERVICE_ASKED;
    bool left = service->state == SERVICE_LEFT;
    if (left && (packet->command == PACKET_DEREGISTERED || packet->command == PACKET_REFUSED)) {
        service_remove(&worker->services, service);
    } else if (asked && packet->command == PACKET_REGISTERED) {
        service->state = SERVICE_REGISTERED;
        service->backoff = 0;
    } else if (asked && packet->command == PACKET_REFUSED) {
        refused(worker, service, packet);
        keep_reason(worker, service, packet);
    }
    return left || asked;
}

void registrar_hear(struct busbar_worker *worker, const struct packet *packet)
{
    if (packet->command != PACKET_REGISTERED && packet->command != PACKET_DEREGISTERED &&
        packet->command != PACKET_REFUSED)
        return;
    char name[NAME_SIZE_MAX + 1] = "";
    worker_lock(worker);
    struct service *service = service_find_id(&worker->services, packet->id);
    if (service != NULL)
        snprintf(name, sizeof name, "%s", service->name);
    bool awaited = service != NULL && answered(worker, service, packet);
    pthread_cond_broadcast(&worker->changed);
    worker_unlock(worker);
    if (awaited)
        tell_answer(worker, name, packet);
}

void registrar_reset(struct busbar_worker *worker)
{
    LIST_EACH(node, &worker->services.services) {
        struct service *service = CONTAINER_OF(node, struct service, link);
        service->due = 0;
        service->id = 0;
        if (service->state >= SERVICE_LEAVING)
            service_remove(&worker->services, service);
        else if (service->state != SERVICE_REFUSED)
            service->state = SERVICE_NEW;
    }
    worker->services_at = 0;
}

void registrar_leave(struct busbar_worker *worker)
{
    LIST_EACH(node, &worker->services.services) {
        struct service *service = CONTAINER_OF(node, struct service, link);
        bool known = service->state == SERVICE_ASKED || service->state == SERVICE_REGISTERED;
        if (known)
            service->state = SERVICE_LEAVING;
        else if (service->state < SERVICE_LEAVING)
            service_remove(&worker->services, service);
    }
    worker->services_at = 0;
}
