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

void connection_check_dismissal(struct connection *connection, uint64_t now);

#endif
