/* What a worker hears from the broker within a session: calls, cancellations, the session's end. */
#ifndef WORKER_LIB_SESSION_H
#define WORKER_LIB_SESSION_H

#include "worker-lib/worker.h"

/* What the connection tells; its owner is the worker. */
extern const struct connection_handler session_handler;

/* Acts, as the leader, on what the heartbeats found out. */
void session_heartbeat(struct busbar_worker *worker);

/* The verdict of the heartbeat's thread, kept for the leader. */
void session_heartbeat_lost(void *worker, uint64_t session, enum heartbeat_verdict verdict);

/* Gives a request that was not started back to the broker. */
struct busbar_request;
void session_return(struct busbar_worker *worker, const struct busbar_request *request);

/* CREDIT or GOAWAY, or RETURN of a call nobody waits for: packets without body or names. */
void session_put(struct busbar_worker *worker, enum packet_command command, uint64_t id);

#endif
