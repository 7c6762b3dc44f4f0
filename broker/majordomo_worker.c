/* Workers of Majordomo: registered by READY, given one request at a time, told when to begin anew. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "broker/majordomo.h"

enum {
    TOKEN_SIZE = 8,       /* the client address: the id of the call */
    REQUEST_HEAD_MAX = 7, /* frames before the body, the name of a method among them */
    WINDOW_STANDARD = 16, /* parts, of a stream whose client says nothing */
};

static void token_write(uint8_t token[TOKEN_SIZE], uint64_t id)
{
    for (size_t i = 0; i < TOKEN_SIZE; i++)
        token[i] = (uint8_t)(id >> (8 * i));
}

/* Commands to a worker -------------------------------------------------------------------------- */

/* The frames that a command begins with. */
static size_t command_begin(const struct mdp_form *form, enum mdp_command command,
                            struct bytes *frames)
{
    size_t count = 0;
    if (form->enveloped)
        frames[count++] = (struct bytes){0};
    frames[count++] = mdp_header(form->worker);
    frames[count++] = (struct bytes){.data = &form->commands[command], .size = 1};
    return count;
}

static bool command_put(struct session *session, enum mdp_command command)
{
    struct bytes frames[REQUEST_HEAD_MAX];
    size_t count = command_begin(form_of(session), command, frames);
    if (session->majordomo->undecided)
        return true; /* its number is not known yet */
    return mailbox_put(&session->majordomo->mailbox, frames, count, NULL);
}

/* Which DISCONNECT a connection has had is known by its descriptor, since a session ends with one. */
static void note_told(struct broker *broker, int fd, const struct dialect *dialect)
{
    if (intake_is_open(&broker->intake, fd))
        broker->intake.by_fd[fd].told = dialect;
}

static int connection_of(const struct mdp_arrival *arrival)
{
    return arrival->session != NULL ? arrival->session->fd : message_fd(&arrival->broker->message);
}

/* A worker says READY for each DISCONNECT, and by a second READY would lose what the first brought. */
static bool was_told(const struct mdp_arrival *arrival)
{
    int fd = connection_of(arrival);
    return intake_is_open(&arrival->broker->intake, fd) &&
           arrival->broker->intake.by_fd[fd].told == &arrival->form->dialect;
}

/* To a peer that is not registered. It is answered as it spoke, if that was in one dialect alone. */
static void say_disconnect(struct mdp_arrival *arrival, enum mdp_command command)
{
    struct broker *broker = arrival->broker;
    struct bytes frames[REQUEST_HEAD_MAX];
    struct mailbox mailbox;
    if (command == MDP_READY && mdp_is_ambiguous(broker, arrival->form))
        return;
    socket_watch(broker); /* the descriptor may have been another's when that looked last */
    if (command != MDP_READY && was_told(arrival))
        return;
    broker->counters.disconnects++;
    broker->socket_is_dry = false;
    mailbox_init(&mailbox);
    if (mailbox_put(&mailbox, frames, command_begin(arrival->form, MDP_DISCONNECT, frames), NULL) &&
        mailbox_flush(&mailbox, broker->socket, &broker->message.from) == OUTBOX_SENT)
        note_told(broker, connection_of(arrival), &arrival->form->dialect);
    mailbox_fini(&mailbox);
}

void mdp_dismiss(struct broker *broker, struct session *session, const char *reason)
{
    if (session->doom != NULL)
        return;
    broker->counters.disconnects++;
    session->peer.leaving = true; /* what is sent on now must not bring it another request */
    if (command_put(session, MDP_DISCONNECT) && session_push(broker, session) == OUTBOX_SENT &&
        !session->majordomo->undecided)
        note_told(broker, session->fd, session->dialect);
    session_doom(broker, session, reason);
}

static bool request_put(struct session *session, const struct packet *packet, struct blob *attached)
{
    struct majordomo *majordomo = session->majordomo;
    struct bytes frames[REQUEST_HEAD_MAX + FRAMES_MAX];
    uint8_t token[TOKEN_SIZE];
    size_t count = command_begin(form_of(session), MDP_REQUEST, frames);
    token_write(token, packet->id);
    frames[count++] = (struct bytes){.data = token, .size = TOKEN_SIZE};
    frames[count++] = (struct bytes){0};
    if (packet->method.size > 0 &&
        (majordomo->method_frame || (packet->flags & PACKET_METHOD_FRAME) != 0))
        frames[count++] = packet->method;
    count += frames_of_body(frames + count, packet->body, packet->encoding);
    if (!mailbox_put(&majordomo->mailbox, frames, count, attached))
        return false;
    majordomo->letter = majordomo->mailbox.put;
    return true;
}

static bool call_put(struct broker *broker, struct session *session, const struct packet *packet,
                     struct blob *attached)
{
    struct majordomo *majordomo = session->majordomo;
    uint64_t window = WINDOW_STANDARD;
    (void)metadata_find_number(packet->metadata, METADATA_WINDOW, 4, &window);
    majordomo->busy = true;
    majordomo->call = packet->id;
    majordomo->busy_at = broker->now;
    majordomo->is_stream = (packet->flags & PACKET_STREAM) != 0;
    majordomo->window = (uint32_t)(window < PACKET_WINDOW_MAX ? window : PACKET_WINDOW_MAX);
    majordomo->is_granted = window < PACKET_WINDOW_MAX; /* who has all of them grants none */
    majordomo->overflow = false;
    majordomo->cancelled = false;
    majordomo->is_answered = false;
    return request_put(session, packet, attached);
}

static void cancel(struct majordomo *majordomo, uint64_t call)
{
    if (!majordomo->busy || majordomo->call != call)
        return;
    majordomo->cancelled = true;
    mdp_parts_drop(majordomo);
}

static void grant(struct majordomo *majordomo, const struct packet *packet)
{
    if (majordomo->busy && majordomo->call == packet->id)
        majordomo->window += packet->timeout;
}

bool mdp_worker_put(struct broker *broker, struct session *session, const struct packet *packet,
                    struct blob *attached)
{
    switch (packet->command) {
    case PACKET_CALL:
        return call_put(broker, session, packet, attached);
    case PACKET_CANCEL: /* the worker is not told, and goes on */
        cancel(session->majordomo, packet->id);
        return true;
    case PACKET_GRANT:
        grant(session->majordomo, packet);
        return true;
    case PACKET_HEARTBEAT:
        return command_put(session, MDP_HEARTBEAT);
    default: /* BYE */
        return !peer_is_worker(&session->peer) || command_put(session, MDP_DISCONNECT);
    }
}

/* Commands of a worker -------------------------------------------------------------------------- */

static const struct service_rule *rule_of(const struct broker *broker, struct bytes name)
{
    return rules_find(broker->settings.rules, broker->settings.rule_count, name);
}

static bool method_fill(struct registration_method *method, const char *name)
{
    *method = (struct registration_method){
        .name = strdup(name), .signature = strdup(""), .text = strdup(""), .idempotent = true};
    return method->name != NULL && method->signature != NULL && method->text != NULL;
}

/* The service as a whole, and the method that the configuration names: both idempotent, since clients
 * repeat their requests by themselves. False when out of memory. */
static bool registration_fill(struct registration *registration, const struct service_rule *rule)
{
    bool named = rule != NULL && rule->method != NULL && rule->method[0] != '\0';
    *registration = (struct registration){.whole = true, .version = strdup("")};
    registration->methods = calloc(2, sizeof *registration->methods);
    if (registration->version == NULL || registration->methods == NULL)
        return false;
    registration->method_count = named ? 2 : 1;
    return method_fill(&registration->methods[0], "") &&
           (!named || method_fill(&registration->methods[1], rule->method));
}

static enum busbar_status serve(struct mdp_arrival *arrival, struct bytes name, const char **reason)
{
    struct broker *broker = arrival->broker;
    struct session *session = arrival->session;
    struct majordomo *majordomo = session->majordomo;
    const struct service_rule *rule = rule_of(broker, name);
    struct registration registration;
    if (!registration_fill(&registration, rule)) {
        registration_fini(&registration);
        *reason = "the broker is out of memory";
        return BUSBAR_NO_MEMORY;
    }
    majordomo->method_frame = rule != NULL && rule->method_frame;
    majordomo->undecided = mdp_is_ambiguous(broker, arrival->form);
    majordomo->beat_at = broker->now + broker->settings.majordomo.heartbeat_interval;
    router_credit(&broker->router, &session->peer, majordomo->undecided ? 0 : 1, broker->now);
    return router_register(&broker->router, &session->peer, name, &registration, reason);
}

static const char *ready_refusal(struct mdp_arrival *arrival, struct bytes *name)
{
    if (!mdp_take(arrival, name))
        return "READY without a service";
    if (arrival->at != arrival->broker->message.count)
        return "READY with more than a service";
    if (!name_is_majordomo((const char *)name->data, name->size))
        return "READY for a name that is none";
    return mdp_is_reserved(*name) ? "READY for a name of the broker's" : NULL;
}

static void on_ready(struct mdp_arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct bytes name = {0};
    const char *reason = ready_refusal(arrival, &name);
    note_told(broker, connection_of(arrival), NULL);
    if (reason != NULL) {
        mdp_refuse(arrival, reason);
        say_disconnect(arrival, MDP_READY);
        return;
    }
    if (arrival->session == NULL)
        arrival->session = session_open(broker, &arrival->form->dialect, NULL);
    if (arrival->session == NULL)
        return;
    struct session *session = arrival->session;
    if (serve(arrival, name, &reason) != BUSBAR_OK) {
        broker_log(broker, BROKER_LOG_WARNING, "registration_refused", "peer=%llu reason=\"%s\"",
                   (unsigned long long)session->peer.number, reason);
        mdp_dismiss(broker, session, reason);
        return;
    }
    broker_log(broker, BROKER_LOG_INFO, "worker_joined", "service=%.*s peer=%llu dialect=%s",
               (int)name.size, (const char *)name.data, (unsigned long long)session->peer.number,
               arrival->form->dialect.name);
    router_serve(&broker->router, &session->peer, broker->now);
}

static void on_second_ready(struct mdp_arrival *arrival)
{
    mdp_dismiss(arrival->broker, arrival->session, "a second READY");
}

static void on_request(struct mdp_arrival *arrival)
{
    mdp_refuse(arrival, "a REQUEST of a worker");
    mdp_dismiss(arrival->broker, arrival->session, "it sent a REQUEST");
}

static bool is_its_call(const struct majordomo *majordomo, struct bytes address)
{
    uint8_t token[TOKEN_SIZE];
    token_write(token, majordomo->call);
    return majordomo->busy && !majordomo->is_answered && address.size == TOKEN_SIZE &&
           memcmp(address.data, token, TOKEN_SIZE) == 0;
}

static void on_result(struct mdp_arrival *arrival, bool is_last)
{
    struct broker *broker = arrival->broker;
    struct session *session = arrival->session;
    struct bytes address;
    struct bytes delimiter;
    struct mdp_body body;
    if (!mdp_take(arrival, &address) || !mdp_take(arrival, &delimiter) || delimiter.size != 0) {
        mdp_refuse(arrival, "a result without its frames");
        mdp_dismiss(broker, session, "it sent a result without its frames");
    } else if (!is_its_call(session->majordomo, address)) {
        broker->counters.late_replies++;
        mdp_dismiss(broker, session, "it sent a result of a request that it does not have");
    } else if (broker->message.count - arrival->at > FRAMES_MAX) {
        mdp_result_too_large(broker, session, is_last);
    } else {
        if (mdp_body_take(arrival, &body))
            mdp_result(broker, session, &body, is_last);
        else
            session_doom(broker, session, "out of memory");
        mdp_body_fini(&body);
    }
}

static void on_partial(struct mdp_arrival *arrival)
{
    on_result(arrival, false);
}

static void on_final(struct mdp_arrival *arrival)
{
    on_result(arrival, true);
}

/* It was heard, which is all; from a worker of D1 or D4 it tells which of them it is. */
static void on_heartbeat(struct mdp_arrival *arrival)
{
    struct broker *broker = arrival->broker;
    struct session *session = arrival->session;
    broker->counters.heartbeats++;
    if (!session->majordomo->undecided)
        return;
    session->majordomo->undecided = false;
    router_credit(&broker->router, &session->peer, 1, broker->now);
}

static void on_disconnect(struct mdp_arrival *arrival)
{
    arrival->broker->counters.sessions_ended++;
    session_doom(arrival->broker, arrival->session, "it said DISCONNECT");
}

static void (*const HANDLERS[MDP_COMMANDS])(struct mdp_arrival *arrival) = {
    [MDP_READY] = on_second_ready, [MDP_REQUEST] = on_request,     [MDP_PARTIAL] = on_partial,
    [MDP_FINAL] = on_final,        [MDP_HEARTBEAT] = on_heartbeat, [MDP_DISCONNECT] = on_disconnect,
};

/* MDP_COMMANDS for what is none. */
static enum mdp_command command_take(struct mdp_arrival *arrival)
{
    uint8_t number = 0;
    unsigned command = 0;
    if (!mdp_take_number(arrival, &number) || number == 0)
        return MDP_COMMANDS;
    while (command < MDP_COMMANDS && arrival->form->commands[command] != number)
        command++;
    return (enum mdp_command)command;
}

void mdp_worker_receive(struct mdp_arrival *arrival)
{
    struct session *session = arrival->session;
    enum mdp_command command = command_take(arrival);
    bool registered = session != NULL && peer_is_worker(&session->peer);
    if (registered && command != MDP_COMMANDS) {
        HANDLERS[command](arrival);
    } else if (registered) {
        mdp_refuse(arrival, "a command that is none");
        mdp_dismiss(arrival->broker, session, "it sent a command that is none");
    } else if (command == MDP_READY) {
        on_ready(arrival);
    } else if (command != MDP_DISCONNECT) {
        if (command == MDP_COMMANDS)
            mdp_refuse(arrival, "a command that is none");
        else if (command != MDP_REQUEST)
            sessions_settle(arrival->broker); /* the broker's last run knew it */
        say_disconnect(arrival, command);
    }
}
