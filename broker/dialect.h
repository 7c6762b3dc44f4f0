/*
 * Dialects: what the broker around the router must know of each protocol that peers speak. The router
 * tells sessions packets; a dialect turns them into messages of its own, and messages into what the
 * router is told. A peer speaks the dialect of its first message.
 */
#ifndef BROKER_DIALECT_H
#define BROKER_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/session.h"
#include "transport/outbox.h"

struct broker;
struct message;
struct session;

struct dialect {
    const char *name; /* for people */

    /* Takes the broker's message apart; its session is that of the sender in this dialect, or NULL. */
    void (*receive)(struct broker *broker, const struct dialect *dialect);

    /* A session begins. False when out of memory, or if the peer is known to be gone already. `hello`
     * is NULL for dialects that have none. */
    bool (*begin)(struct broker *broker, struct session *session, const struct hello *hello);

    /* Adds to what is due to the peer; false when out of memory. It must not call the router. */
    bool (*put)(struct broker *broker, struct session *session, const struct packet *packet,
                struct blob *attached);

    /* Bytes that are due to it. */
    size_t (*due)(const struct session *session);

    /* Gives what is due to libzmq. */
    enum outbox_result (*flush)(struct broker *broker, struct session *session);

    /* From time to time: heartbeats, silence. */
    void (*inspect)(struct broker *broker, struct session *session);

    /* The session ends: calls that never left go back to the router; then what it had is freed. */
    void (*give_back)(struct broker *broker, struct session *session);
    void (*end)(struct session *session);
};

extern const struct dialect native_dialect; /* broker/native_session.c */
void native_receive(struct broker *broker, const struct dialect *dialect); /* broker/native.c */

/*
 * The dialect of the broker's message, NULL if it is in none that this broker speaks. What is in none is
 * taken to be in that of its sender's session. `message.session` is the sender's; if it is of another
 * dialect it is ended.
 */
const struct dialect *dialect_of_message(struct broker *broker);

#endif
