/* The clients of one broker's endpoint, lent to one call at a time: the one that came back last goes
 * first, so that few are in use. */
#ifndef OBJECTS_LENDER_H
#define OBJECTS_LENDER_H

#include <busbar/client.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    LENDER_IDLE_MAX = 64, /* clients kept for later calls */
};

/* A client on loan or in store. */
struct lent {
    struct busbar_client *client;
    uint32_t connect_ms; /* how long its calls wait for a broker that cannot be reached */
};

struct lender {
    const char *endpoint;              /* borrowed */
    atomic_uint_fast64_t unwanted_til; /* ms: it failed, others are tried first */
    pthread_mutex_t lock;              /* of what follows */
    struct lent idle[LENDER_IDLE_MAX];
    size_t idle_count;
};

void lender_init(struct lender *lender, const char *endpoint);
/* Nobody may have a client of it any more. Takes no lock: in the child of a fork, where another
 * thread of the parent may have held it, this is the one function that may be called. */
void lender_fini(struct lender *lender);

/* A client for one call, with the patience that `ret->connect_ms` says; a new one if there is none. */
enum busbar_status lender_take(struct lender *lender, struct lent *ret)
    __attribute__((warn_unused_result));

/* Takes a client back, for a later call. One whose broker was lost is better destroyed. */
void lender_give(struct lender *lender, struct lent *lent);

#endif
