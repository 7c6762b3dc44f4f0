/* Which dialect a message is in, by its first frames. */
#include "broker/dialect.h"

#include <string.h>

#include "broker/core.h"
#include "broker/majordomo.h"

static bool begins_with(struct bytes frame, const char *text, size_t size)
{
    return frame.size >= size && memcmp(frame.data, text, size) == 0;
}

static bool is_allowed(const struct broker *broker, enum majordomo_dialect dialect)
{
    const struct majordomo_settings *settings = &broker->settings.majordomo;
    for (size_t i = 0; i < settings->compat_count; i++) {
        if (settings->compat[i].dialect == dialect)
            return true;
    }
    return false;
}

bool mdp_is_ambiguous(const struct broker *broker, const struct mdp_form *form)
{
    return (form == &mdp_d1 || form == &mdp_d4) && is_allowed(broker, MAJORDOMO_D1) &&
           is_allowed(broker, MAJORDOMO_D4);
}

static bool is_undecided(const struct session *session)
{
    return session->majordomo != NULL && session->majordomo->undecided;
}

/*
 * D1 or D4, of a worker that may speak either: their READYs are the same, the number of a HEARTBEAT in
 * one is that of something longer, or of the last word, in the other. NULL if this message cannot tell.
 */
static const struct dialect *dialect_of_command(struct broker *broker)
{
    struct message *message = &broker->message;
    const struct session *session = message->session;
    struct bytes command = message_frame(message, 2);
    bool is_bare = message->count == 3;
    if (session != NULL && !is_undecided(session) &&
        (session->dialect == &mdp_d1.dialect || session->dialect == &mdp_d4.dialect))
        return session->dialect;
    if (command.size != 1)
        return NULL;
    if (command.data[0] == mdp_d1.commands[MDP_READY])
        return &mdp_d1.dialect;
    if (command.data[0] == mdp_d1.commands[MDP_HEARTBEAT])
        return is_bare ? &mdp_d1.dialect : &mdp_d4.dialect;
    return command.data[0] == mdp_d4.commands[MDP_HEARTBEAT] ? &mdp_d4.dialect : NULL;
}

/* Of a message that has an envelope as in 0.1 and the strings of 0.2. */
static const struct dialect *dialect_of_compat(struct broker *broker, bool is_worker)
{
    bool d1 = is_allowed(broker, MAJORDOMO_D1);
    bool d4 = is_allowed(broker, MAJORDOMO_D4);
    struct bytes third = message_frame(&broker->message, 2);
    if (!d1 || !d4)
        return d1 ? &mdp_d1.dialect : d4 ? &mdp_d4.dialect : NULL;
    if (is_worker)
        return dialect_of_command(broker);
    return third.size == 1 && third.data[0] == mdp_d4.client_request ? &mdp_d4.dialect
                                                                     : &mdp_d1.dialect;
}

static const struct dialect *dialect_of_envelope(struct broker *broker)
{
    struct bytes second = message_frame(&broker->message, 1);
    if (mdp_is_header(second, mdp_01.client) || mdp_is_header(second, mdp_01.worker))
        return &mdp_01.dialect;
    if (mdp_is_header(second, mdp_d1.client) || mdp_is_header(second, mdp_d1.worker))
        return dialect_of_compat(broker, mdp_is_header(second, mdp_d1.worker));
    return NULL;
}

static const struct dialect *dialect_of_frames(struct broker *broker)
{
    struct message *message = &broker->message;
    struct bytes first = message_frame(message, 0);
    if (first.size == 0)
        return dialect_of_envelope(broker);
    if (begins_with(first, "BUSB", 4))
        return &native_dialect;
    if (mdp_is_header(first, mdp_02.client) || mdp_is_header(first, mdp_02.worker))
        return &mdp_02.dialect;
    return begins_with(first, "MDP", 3) || message->session != NULL ? NULL : &native_dialect;
}

/* A worker that was not known to speak D1 or D4 has shown it. */
static bool is_a_decision(const struct session *session, const struct dialect *dialect)
{
    return is_undecided(session) && (dialect == &mdp_d1.dialect || dialect == &mdp_d4.dialect);
}

const struct dialect *dialect_of_message(struct broker *broker)
{
    struct message *message = &broker->message;
    message->session = session_find(&broker->sessions, &message->from);
    const struct dialect *dialect = dialect_of_frames(broker);
    struct session *session = message->session;
    if (session == NULL || session->dialect == dialect)
        return dialect;
    if (dialect == NULL)
        return session->dialect;
    if (is_a_decision(session, dialect)) {
        session->dialect = dialect;
    } else {
        broker->counters.sessions_ended++;
        session_end(broker, session, "it speaks another dialect now");
    }
    return dialect;
}
