/* What the router knows of a session: the calls it made, the calls it runs, what it exports. */
#ifndef BROKER_PEER_H
#define BROKER_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "protocol/metadata.h"

struct peer {
    uint64_t number;                          /* in this run of the broker; for people */
    uint8_t instance[METADATA_INSTANCE_SIZE]; /* of its HELLO */
    const char *name;                         /* as authenticated; NULL without */

    /* As a client. */
    struct list calls;   /* struct call.of_client: made and without outcome */
    struct map by_id;    /* the same by the client's id; only once it has cancelled one */
    uint32_t call_count; /* length of calls */
    struct list flows;   /* struct flow.of_client */
    size_t kept_bytes;   /* request bytes kept for its calls */
    bool calls_whole;    /* its protocol has no methods, and names by rules of its own */
    bool congested;      /* much is due to it: what can be done without is not sent */
    bool full;           /* as much: as a worker it gets no more calls until it has taken some */

    /* As a worker. */
    struct list running; /* struct call.place: given to it and not answered */
    struct list exports; /* struct export.of_worker */
    uint32_t load;       /* length of running */
    uint32_t credit;     /* how many it takes at once */
    bool leaving;        /* said GOAWAY: gets no more calls */

    /*
     * A flood fills whatever credit there is, and a light caller then waits behind all of it at the
     * worker. So a worker that unequal clients share is given less at once for a while.
     */
    uint64_t last_client; /* number of the client whose call it was given last … */
    uint32_t last_count;  /* … and how many calls that client had out then */
    uint64_t paced_until; /* ms */
    struct list paced;    /* router.paced, while it is */
    size_t export_count;  /* length of exports */
    size_t export_bytes;  /* memory of what it registered */
};

enum {
    PEER_PACE_CALLS = 128, /* what a paced worker is given at once */
    PEER_PACE_MS = 1000,   /* for how long after a light call beside a flood */
    PEER_PACE_SHARE = 8,   /* a client is light beside one that has so many times its calls out */
};

static inline bool peer_is_worker(const struct peer *peer)
{
    return !list_is_empty(&peer->exports);
}

static inline bool peer_has_credit(const struct peer *peer, uint64_t now)
{
    return peer->load < peer->credit && !peer->leaving && !peer->full &&
           (peer->load < PEER_PACE_CALLS || now >= peer->paced_until);
}

#endif
