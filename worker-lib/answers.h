/*
 * What a worker answers: any thread puts its reply here, and parts and progress before it; the
 * leader sends them in bundles, in this order. Drops what belongs to a session that is over; wakes
 * the leader if it sleeps.
 */
#ifndef WORKER_LIB_ANSWERS_H
#define WORKER_LIB_ANSWERS_H

#include <busbar/client.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/outbox.h"

struct answers {
    int wake_fd;
    atomic_uint_fast64_t session; /* of the worker; 0 while there is none. Written under the lock */
    atomic_uint_fast64_t body_limit;
    struct bundle_pool *pool;
    atomic_bool asleep; /* the leader polls and has to be woken for what is put now */
    atomic_bool is_due; /* there is something in `filling`; written under the lock */

    pthread_mutex_t lock; /* of what follows */
    struct outbox *filling;
    uint64_t filled; /* answers in `filling` */
    uint64_t replies;
    uint64_t stale;

    struct outbox *sending; /* the leader's, so that nobody waits for libzmq with the lock held */
    uint64_t under_way;     /* answers in `sending` */
    struct outbox outboxes[2];
};

/* Names a request in an answer. */
struct answer_to {
    uint64_t session;
    uint64_t id;
};

struct failure {
    enum busbar_status status;
    enum busbar_fate fate;
    const char *text;
    bool by_handler;       /* and not by the library, which never entered or judged it */
    struct bytes metadata; /* that go with it */
};

/* False when out of memory; `wake_fd` is an eventfd, borrowed. */
bool answers_init(struct answers *answers, int wake_fd);
void answers_fini(struct answers *answers);

/* Takes the body, on failure too. CANCELLED if the session is over, RESULT_TOO_LARGE if that was
 * answered instead; NO_MEMORY, and BAD_ARGUMENT for a body that is none, if APP_ERROR was. */
enum busbar_status answers_reply(struct answers *answers, struct answer_to to,
                                 struct bytes metadata, struct busbar_body *body)
    __attribute__((warn_unused_result));
enum busbar_status answers_fail(struct answers *answers, struct answer_to to,
                                const struct failure *failure);

/* Before the answer. Takes the body, on failure too. CANCELLED if the session is over,
 * RESULT_TOO_LARGE, NO_MEMORY; then nothing is sent. */
enum busbar_status answers_part(struct answers *answers, struct answer_to to,
                                struct busbar_body body) __attribute__((warn_unused_result));
/* The text is cut where it is too long. Dropped, as OK, while very much waits to be sent. */
enum busbar_status answers_progress(struct answers *answers, struct answer_to to, uint32_t permille,
                                    const char *text);

/* The leader's part. A new session, or 0 for none: what waits for the one before is dropped. */
void answers_session(struct answers *answers, uint64_t session);
enum outbox_result answers_flush(struct answers *answers, void *socket);

/* True if nothing waits to be sent; what is put from now on wakes the leader, until told awake. */
bool answers_sleep(struct answers *answers);
void answers_awake(struct answers *answers);

#endif
