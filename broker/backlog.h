/*
 * The backlog of a service: the calls that wait for a worker, one flow per client, served by deficit
 * round robin in bytes, so that one client's flood does not delay a light caller. Within a flow,
 * calls wait in a lane per method, so that a call never waits behind one no free worker offers.
 * Those that nobody offers by name share a lane: who takes one of them takes them all, and a client
 * may think up a new name for each.
 */
#ifndef BROKER_BACKLOG_H
#define BROKER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"

struct call;
struct export;
struct method;
struct peer;
struct service;

enum {
    BACKLOG_QUANTUM = 1024,  /* bytes a flow may send more per round */
    BACKLOG_CALL_COST = 128, /* what a call counts for besides its bytes */
};

struct flow {
    struct map_node by_pair; /* (service, client) */
    struct list of_service;
    struct list of_client;
    struct service *service;
    struct peer *client;
    struct list lanes;
    int64_t deficit; /* bytes it may still send in this round; negative after a large call */
    size_t queued;
};

struct lane {
    struct list of_flow;
    struct flow *flow;
    struct method *method; /* NULL: the shared one; a method with a lane of its own is not in it */
    struct list calls;     /* call.place, oldest first */
};

struct backlog {
    struct map flows;
    struct list waiting;  /* service.waiting: those that have calls here */
    size_t waiting_count; /* length of waiting */
    uint64_t sequence;
};

bool backlog_init(struct backlog *backlog);
void backlog_fini(struct backlog *backlog);

/* Queues a call whose client, method and kept bytes are set; false when out of memory. */
bool backlog_add(struct backlog *backlog, struct call *call);

/* The same, before all others of its lane: for a call that had its turn already. */
bool backlog_add_first(struct backlog *backlog, struct call *call);

/* Takes a call out, because it ended otherwise. */
void backlog_remove(struct backlog *backlog, struct call *call);

/* Takes the call whose turn it is among those the export takes; NULL if there is none. */
struct call *backlog_take(struct backlog *backlog, const struct export *export);

/* A worker has come: calls that it offers by name leave the shared lanes for lanes of their own.
 * False when out of memory: some may not have left. */
bool backlog_sort_out(const struct export *export);

/* Takes out those that waited for the export, withdrawn or drained, and that nobody else is open
 * for: they are appended to `stranded`, by call.place. */
void backlog_strand(struct backlog *backlog, const struct export *export, struct list *stranded);

#endif
