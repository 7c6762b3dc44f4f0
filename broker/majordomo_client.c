/* Clients of Majordomo: requests in, answers out, and what the broker answers itself (8/MMI). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "broker/majordomo.h"

enum {
    WISHES_SIZE = 2 * (METADATA_ENTRY_HEADER + 4),
    ANSWER_HEAD_MAX = 4, /* frames before the body */
    FAILURE_QUOTED = 256 /* of a failure's text in the log */
};

static bool begins_with(struct bytes name, const char *prefix)
{
    return name.size >= strlen(prefix) && memcmp(name.data, prefix, strlen(prefix)) == 0;
}

static bool is_text(struct bytes name, const char *text)
{
    return name.size == strlen(text) && begins_with(name, text);
}

/* Requests ------------------------------------------------------------------------------------ */

static struct mdp_request *request_new(struct session *session, struct bytes service)
{
    struct mdp_request *request = malloc(sizeof *request);
    if (request == NULL)
        return NULL;
    request->service_size = (uint8_t)service.size;
    memcpy(request->service, service.data, service.size);
    list_append(&session->majordomo->requests, &request->of_session);
    return request;
}

static void request_free(struct mdp_request *request)
{
    list_remove(&request->of_session);
    free(request);
}

void mdp_requests_drop(struct majordomo *majordomo)
{
    LIST_EACH(node, &majordomo->requests)
        request_free(CONTAINER_OF(node, struct mdp_request, of_session));
}

/* What the router knows a request by: its address, which no peer ever sees. */
static uint64_t request_id(const struct mdp_request *request)
{
    return (uint64_t)(uintptr_t)request;
}

static struct mdp_request *request_of_id(uint64_t id)
{
    return (struct mdp_request *)(uintptr_t)id;
}

/* What the configuration says of the service, whether anybody serves it or not. */
static const struct service_rule *rule_of(const struct broker *broker, struct bytes name,
                                          const struct service *service)
{
    return service != NULL ? service->rule
                           : rules_find(broker->settings.rules, broker->settings.rule_count, name);
}

/* Only workers that know methods serve it, so that the request must name one. */
static bool needs_method(const struct service *service)
{
    return service != NULL && !list_is_empty(&service->exports) &&
           (service->whole == NULL || service->whole->provider_count == 0);
}

/* Nobody will ever come to serve a name of the broker's. */
static struct bytes wishes_of(const struct mdp_arrival *arrival, struct bytes name, uint8_t *space)
{
    struct metadata_writer writer = {.data = space, .capacity = WISHES_SIZE};
    uint32_t wait = arrival->broker->settings.majordomo.wait;
    metadata_put_number(&writer, METADATA_WAIT, 4, mdp_is_reserved(name) ? 0 : wait);
    if (arrival->form->client_partial != 0)
        metadata_put_number(&writer, METADATA_WINDOW, 4, PACKET_WINDOW_MAX);
    return metadata_written(&writer);
}

/* Takes the name of the method off the front of the body; false without memory. */
static bool take_method(struct packet *packet, struct mdp_body *body)
{
    uint8_t *space;
    body->rest = blob_new(packet->body.size, &space);
    if (body->rest == NULL)
        return false;
    packet->method = frames_take_first(&packet->body, &packet->encoding, space);
    if (packet->body.data != space && packet->body.size > 0)
        memcpy(space, packet->body.data, packet->body.size);
    packet->body.data = space;
    body->rest->size = packet->body.size;
    body->attached = packet->body.size > PACKET_INLINE_BODY_MAX ? body->rest : NULL;
    return true;
}

static void refuse_method(struct broker *broker, struct session *session, uint64_t id)
{
    broker->counters.calls_received++;
    broker->counters.outcome_bad_request++;
    session_send(broker, session,
                 &(struct packet){.command = PACKET_ERROR,
                                  .id = id,
                                  .status = BUSBAR_BAD_REQUEST,
                                  .body = bytes_of_text("the first frame names no method")},
                 NULL);
}

static void call(struct mdp_arrival *arrival, struct mdp_request *request, struct bytes name,
                 struct mdp_body *body)
{
    struct broker *broker = arrival->broker;
    const struct service *service = registry_find_service(&broker->router.registry, name);
    const struct service_rule *rule = rule_of(broker, name, service);
    uint8_t wishes[WISHES_SIZE];
    struct packet packet = {.command = PACKET_CALL,
                            .flags = arrival->form->client_partial != 0 ? PACKET_STREAM : 0,
                            .id = request_id(request),
                            .timeout = broker->settings.majordomo.timeout,
                            .encoding = body->encoding,
                            .service = name,
                            .metadata = wishes_of(arrival, name, wishes),
                            .body = body->bytes};
    if (rule != NULL && rule->method != NULL && rule->method[0] != '\0') {
        packet.method = bytes_of_text(rule->method);
    } else if (needs_method(service)) {
        if (!take_method(&packet, body)) {
            session_doom(broker, arrival->session, "out of memory");
            return;
        }
        if (!name_is_method((const char *)packet.method.data, packet.method.size)) {
            refuse_method(broker, arrival->session, packet.id);
            return;
        }
    }
    if (body->attached != NULL)
        packet.flags |= PACKET_ATTACHED;
    router_call(&broker->router, &arrival->session->peer, &packet, body->attached, broker->now);
}

/* 8/MMI ----------------------------------------------------------------------------------------- */

/* Would a request to the service be given to anybody, now or when somebody is free? */
static bool is_served(const struct broker *broker, struct bytes name)
{
    const struct service *service = registry_find_service(&broker->router.registry, name);
    if (service == NULL || broker->router.draining)
        return false;
    LIST_EACH(node, (struct list *)(uintptr_t)&service->exports) {
        const struct export *export = CONTAINER_OF(node, struct export, of_service);
        if (!export->draining && !export->worker->leaving)
            return true;
    }
    return false;
}

static void answer_itself(struct mdp_arrival *arrival, const struct mdp_request *request,
                          struct bytes name)
{
    struct broker *broker = arrival->broker;
    const char *status = "501";
    broker->counters.mmi_requests++;
    if (is_text(name, "mmi.service"))
        status = is_served(broker, message_frame(&broker->message, arrival->at)) ? "200" : "404";
    session_send(broker, arrival->session,
                 &(struct packet){.command = PACKET_REPLY,
                                  .id = request_id(request),
                                  .fate = BUSBAR_EXECUTED,
                                  .body = bytes_of_text(status)},
                 NULL);
}

/* Messages -------------------------------------------------------------------------------------- */

static void request_receive(struct mdp_arrival *arrival, struct bytes name)
{
    struct broker *broker = arrival->broker;
    if (arrival->session == NULL)
        arrival->session = session_open(broker, &arrival->form->dialect, NULL);
    if (arrival->session == NULL)
        return;
    struct mdp_request *request = request_new(arrival->session, name);
    struct mdp_body body = {0};
    if (request != NULL && begins_with(name, "mmi."))
        answer_itself(arrival, request, name);
    else if (request != NULL && mdp_body_take(arrival, &body))
        call(arrival, request, name, &body);
    else
        session_doom(broker, arrival->session, "out of memory");
    mdp_body_fini(&body);
}

void mdp_client_receive(struct mdp_arrival *arrival)
{
    const struct mdp_form *form = arrival->form;
    struct bytes name;
    uint8_t number = 0;
    if (form->client_request != 0 &&
        (!mdp_take_number(arrival, &number) || number != form->client_request))
        mdp_refuse(arrival, "a client's message that is no REQUEST");
    else if (!mdp_take(arrival, &name))
        mdp_refuse(arrival, "a request without a service");
    else if (!name_is_majordomo((const char *)name.data, name.size))
        mdp_refuse(arrival, "the name of the service is none");
    else if (arrival->broker->message.count - arrival->at > FRAMES_MAX)
        mdp_refuse(arrival, "a request of too many frames");
    else
        request_receive(arrival, name);
}

/* Answers --------------------------------------------------------------------------------------- */

/* For those whom the configuration lets know. */
static const char *digits_of(enum busbar_status status)
{
    static const struct {
        enum busbar_status status;
        const char *digits;
    } DIGITS[] = {
        {BUSBAR_DENIED, "403"},      {BUSBAR_NO_SERVICE, "404"},       {BUSBAR_NO_METHOD, "404"},
        {BUSBAR_TOO_LARGE, "413"},   {BUSBAR_RESULT_TOO_LARGE, "413"}, {BUSBAR_APP_ERROR, "500"},
        {BUSBAR_WORKER_LOST, "500"}, {BUSBAR_POISONED, "500"},         {BUSBAR_BUSY, "503"},
        {BUSBAR_DRAINING, "503"},    {BUSBAR_BROKER_LOST, "503"},      {BUSBAR_EXPIRED, "504"},
        {BUSBAR_TIMEOUT, "504"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(DIGITS); i++) {
        if (DIGITS[i].status == status)
            return DIGITS[i].digits;
    }
    return "400";
}

/* The frames that an answer begins with; `number` must outlive them. */
static size_t answer_begin(const struct mdp_form *form, const uint8_t *number,
                           const struct mdp_request *request, struct bytes *frames)
{
    size_t count = 0;
    if (form->enveloped)
        frames[count++] = (struct bytes){0};
    frames[count++] = mdp_header(form->client);
    if (*number != 0)
        frames[count++] = (struct bytes){.data = number, .size = 1};
    if (form->names_service)
        frames[count++] = (struct bytes){.data = (const uint8_t *)request->service,
                                         .size = request->service_size};
    return count;
}

static bool answer_put(struct session *session, const struct packet *packet, struct blob *attached)
{
    const struct mdp_form *form = form_of(session);
    struct bytes frames[ANSWER_HEAD_MAX + FRAMES_MAX];
    bool is_part = packet->command == PACKET_PART;
    size_t count = answer_begin(form, is_part ? &form->client_partial : &form->client_final,
                                request_of_id(packet->id), frames);
    count += frames_of_body(frames + count, packet->body, packet->encoding);
    return mailbox_put(&session->majordomo->mailbox, frames, count, attached);
}

/* Silence, since this protocol has no errors; or the status as a body. */
static bool error_put(struct broker *broker, struct session *session, const struct packet *packet)
{
    enum busbar_status status = (enum busbar_status)packet->status;
    const char *name = busbar_status_name(status);
    struct bytes why = packet->encoding == PACKET_RAW ? packet->body : bytes_of_text("");
    const struct mdp_request *request = request_of_id(packet->id);
    char text[640];
    quote(text, FAILURE_QUOTED, (const char *)why.data, why.size);
    broker_log(broker, BROKER_LOG_DEBUG, "request_failed",
               "service=%.*s peer=%llu status=%s text=%s", (int)request->service_size,
               request->service, (unsigned long long)session->peer.number, name, text);
    if (!broker->settings.majordomo.errors)
        return true;
    snprintf(text, sizeof text, "%s %s %.*s", digits_of(status), name, (int)why.size,
             (const char *)why.data);
    struct packet reply = *packet;
    reply.encoding = PACKET_RAW;
    reply.body = bytes_of_text(text);
    return answer_put(session, &reply, NULL);
}

bool mdp_client_bye(struct broker *broker, struct session *session)
{
    bool put = true;
    session->majordomo->is_over = true;
    LIST_EACH(node, &session->majordomo->requests) {
        struct mdp_request *request = CONTAINER_OF(node, struct mdp_request, of_session);
        const struct packet packet = {.command = PACKET_ERROR,
                                      .id = request_id(request),
                                      .status = BUSBAR_BROKER_LOST,
                                      .body = bytes_of_text("the broker stops")};
        put = error_put(broker, session, &packet) && put;
    }
    return put;
}

bool mdp_client_put(struct broker *broker, struct session *session, const struct packet *packet,
                    struct blob *attached)
{
    bool put = true;
    if (!session->majordomo->is_over)
        put = packet->command == PACKET_ERROR ? error_put(broker, session, packet)
                                              : answer_put(session, packet, attached);
    if (packet->command != PACKET_PART)
        request_free(request_of_id(packet->id));
    return put;
}
