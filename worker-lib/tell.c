#include "worker-lib/tell.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "worker-lib/crew.h"

enum {
    FIELDS_SIZE = 3 * WORKER_ERROR_SIZE,
};

__attribute__((format(printf, 4, 5))) static void tell(struct busbar_worker *worker,
                                                       const char *level, const char *event,
                                                       const char *format, ...)
{
    char what[2 * WORKER_ERROR_SIZE];
    char fields[FIELDS_SIZE];
    va_list arguments;
    if (worker->log == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(fields, sizeof fields, "broker=%s %s", worker->leader.connection.endpoint, what);
    if (worker->crew != NULL)
        pthread_mutex_lock(&worker->crew->telling);
    worker->log(worker->log_context, level, event, fields);
    if (worker->crew != NULL)
        pthread_mutex_unlock(&worker->crew->telling);
}

/* A refusal is an error if it ends the worker. */
static void tell_refused(struct busbar_worker *worker, const char *service,
                         const struct packet *packet)
{
    char quoted[WORKER_ERROR_SIZE];
    const char *text = packet->body.size == 0 ? "" : (const char *)packet->body.data;
    worker_lock(worker);
    bool final = worker->refusal != BUSBAR_OK;
    worker_unlock(worker);
    tell(worker, final ? "error" : "info", final ? "service_refused" : "service_deferred",
         "service=%s status=%s reason=%s", service,
         busbar_status_name((enum busbar_status)packet->status),
         quote(quoted, sizeof quoted, text, packet->body.size));
}

void tell_answer(struct busbar_worker *worker, const char *service, const struct packet *packet)
{
    if (packet->command == PACKET_REGISTERED)
        tell(worker, "info", "service_registered", "service=%s", service);
    else if (packet->command == PACKET_DEREGISTERED)
        tell(worker, "info", "service_deregistered", "service=%s", service);
    else
        tell_refused(worker, service, packet);
}

/* Of a reason that begins with the endpoint, which is told anyway, the rest. */
static void tell_reason(struct busbar_worker *worker, const char *event, const char *reason)
{
    char quoted[WORKER_ERROR_SIZE];
    const char *endpoint = worker->leader.connection.endpoint;
    size_t size = strlen(endpoint);
    if (strncmp(reason, endpoint, size) == 0 && strncmp(reason + size, ": ", 2) == 0)
        reason += size + 2;
    tell(worker, "warning", event, "reason=%s",
         quote(quoted, sizeof quoted, reason, strlen(reason)));
}

void tell_lost(struct busbar_worker *worker, const char *reason)
{
    tell_reason(worker, "broker_lost", reason);
}

void tell_unreachable(struct busbar_worker *worker, const char *reason)
{
    if (worker->leader.unreachable_told)
        return;
    worker->leader.unreachable_told = true;
    tell_reason(worker, "broker_unreachable", reason);
}

void tell_reached(struct busbar_worker *worker)
{
    if (worker->leader.unreachable_told)
        tell(worker, "info", "broker_reached", "sessions=%" PRIu64, worker->leader.sessions);
    worker->leader.unreachable_told = false;
}
