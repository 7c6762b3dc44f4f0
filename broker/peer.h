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
    struct list calls;      /* struct call.of_client: made and without outcome */
    struct map by_id;       /* the same by the client's id; only once it has cancelled one */
    uint32_t call_count;    /* length of calls */
    struct list flows;      /* struct flow.of_client */
    size_t kept_bytes;      /* request bytes kept for its calls */
    uint32_t most_calls[2]; /* call_count at most: since `most_since`, and in the second before */
    uint64_t most_since;    /* ms */
    uint64_t calling_since; /* ms: its first call after seconds without any */
    bool calls_whole;       /* its protocol has no methods, and names by rules of its own */
    bool congested;         /* much is due to it: what can be done without is not sent */
    bool full;              /* as much: as a worker it gets no more calls until it has taken some */

    /* As a worker. */
    struct list running;    /* struct call.place: given to it and not answered */
    struct list exports;    /* struct export.of_worker */
    uint32_t load;          /* length of running */
    uint32_t credit;        /* how many it takes at once */
    bool leaving;           /* said GOAWAY: gets no more calls */
    uint32_t row;           /* calls that it may be given in a row, for as many that it answered */
    uint32_t answers[2];    /* how many since `answers_since`, and in the PEER_ROW_MS before */
    uint64_t answers_since; /* ms */
    uint64_t row_at;        /* ms: when it answered last */

    /*
     * A flood fills whatever credit there is, and a light caller then waits behind all of it at the
     * worker. So a worker that unequal clients share is given less at once for a while.
     */
    uint64_t last_client; /* number of the client whose call it was given last … */
    uint32_t last_count;  /* … and how many calls that client has out at times */
    uint64_t paced_until; /* ms */
    struct list paced;    /* router.paced, while it is */
    size_t export_count;  /* length of exports */
    size_t export_bytes;  /* memory of what it registered */
};

enum {
    PEER_PACE_CALLS = 128,  /* what a paced worker is given at once */
    PEER_PACE_MS = 1000,    /* for how long after a light call beside a flood */
    PEER_PACE_SHARE = 8,    /* a client is light beside one that has so many times its calls out */
    PEER_NEW_MS = 100,      /* before that nobody knows: each flood begins with one call */
    PEER_ROW_CREDIT = 1024, /* see peer_answered() */
    PEER_ROW_MS = 16,
    PEER_MOST_MS = 1000, /* a moment without calls does not make a client a light one */
};

static inline bool peer_is_worker(const struct peer *peer)
{
    return !list_is_empty(&peer->exports);
}

/* Notes how many calls the client has out. */
static inline void peer_called(struct peer *client, uint64_t now)
{
    if (now - client->most_since >= PEER_MOST_MS) {
        bool goes_on = client->most_since != 0 && now - client->most_since < 2 * PEER_MOST_MS;
        client->most_calls[1] = goes_on ? client->most_calls[0] : 0;
        client->most_calls[0] = 0;
        if (!goes_on)
            client->calling_since = now;
        client->most_since = now;
    }
    if (client->call_count > client->most_calls[0])
        client->most_calls[0] = client->call_count;
}

static inline uint32_t peer_most_calls(const struct peer *client)
{
    return client->most_calls[0] > client->most_calls[1] ? client->most_calls[0]
                                                         : client->most_calls[1];
}

/* Has it few calls out beside one that has `flood`? */
static inline bool peer_is_light(const struct peer *client, uint32_t flood, uint64_t now)
{
    return (uint64_t)peer_most_calls(client) * PEER_PACE_SHARE < flood &&
           now - client->calling_since >= PEER_NEW_MS;
}

static inline void peer_count_answer(struct peer *worker, uint64_t now)
{
    uint64_t passed = now - worker->answers_since;
    if (passed >= PEER_ROW_MS) {
        worker->answers[1] = passed < UINT64_C(2) * PEER_ROW_MS ? worker->answers[0] : 0;
        worker->answers[0] = 0;
        worker->answers_since = now;
    }
    worker->answers[0]++;
}

/* Answers in the last PEER_ROW_MS, or in those before them. */
static inline uint32_t peer_pace(const struct peer *worker)
{
    return worker->answers[0] > worker->answers[1] ? worker->answers[0] : worker->answers[1];
}

/*
 * Calls that are spread one by one over many workers make small bundles, each with the cost of a
 * message and of waking a process. So a worker that has answered calls just now may be given as many
 * in a row. The credit that it adapts tells how quick its handlers are, and bounds the row: to 1024
 * calls where they take half a microsecond, to 64 where they take two, and to none from twenty up.
 * What waits behind a row waits no longer than behind the credit itself.
 *
 * A credit that was fixed does not tell that. So a row is for who answers more than one call in a
 * millisecond, and no longer than what was answered in the last PEER_ROW_MS.
 */
static inline void peer_answered(struct peer *worker, uint64_t now)
{
    peer_count_answer(worker, now);
    uint64_t most = (uint64_t)worker->credit * worker->credit / PEER_ROW_CREDIT;
    most = most < PEER_ROW_CREDIT ? most : PEER_ROW_CREDIT;
    most = most < peer_pace(worker) ? most : peer_pace(worker);
    if (now - worker->row_at > PEER_ROW_MS)
        worker->row = 0;
    worker->row_at = now;
    worker->row = worker->row < most ? worker->row + 1 : (uint32_t)most;
}

static inline bool peer_has_row(const struct peer *worker, uint64_t now)
{
    return worker->row > 0 && now - worker->row_at <= PEER_ROW_MS &&
           peer_pace(worker) > PEER_ROW_MS;
}

static inline bool peer_has_credit(const struct peer *peer, uint64_t now)
{
    return peer->load < peer->credit && !peer->leaving && !peer->full &&
           (peer->load < PEER_PACE_CALLS || now >= peer->paced_until);
}

#endif
