/* What the two halves of a connection, its life and its input, share with each other only. */
#ifndef CLIENT_LIB_CONNECTION_INTERNAL_H
#define CLIENT_LIB_CONNECTION_INTERNAL_H

#include "client-lib/connection.h"

enum {
    CONNECTION_REASON_SIZE = 384,
};

/* Opens a session on a link: HELLO into the outbox, then the handler's `opened`. */
void connection_greet(struct connection *connection);

/* Ends the session, if there is one, and drops what waits; `what` follows the endpoint. */
void connection_lose(struct connection *connection, const char *what);

/*
 * ZMQ_EVENTS of the socket. libzmq looks for news of its pipes only now and then when it sends;
 * asking for the events makes it look. Without that, what is sent right after a link was renewed
 * vanishes in the pipe of the old one.
 */
int connection_events(struct connection *connection);

/* Closes a link on which the broker said BYE and stayed. */
void connection_check_dismissal(struct connection *connection, uint64_t now);

#endif
