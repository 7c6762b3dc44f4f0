/* The process's ZeroMQ context, its count of users and the process that made it. */
#include "client-lib/context.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>
#include <zmq.h>

#include "base/heap.h"

enum {
    /* A client or worker has three; the 1023 that libzmq allows are too few for an export of 1000
     * instances. Costs 16 bytes of memory each. */
    SOCKETS_MAX = 16383,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *context;
static unsigned references;
static _Atomic pid_t maker; /* 0 while there is no context; read without the lock, which a fork may
                               have left held for ever */

bool context_is_forked(void)
{
    pid_t made_by = atomic_load(&maker);
    return made_by != 0 && made_by != getpid();
}

void *context_ref(void)
{
    if (context_is_forked())
        return NULL;
    pthread_mutex_lock(&lock);
    if (context == NULL) {
        heap_keep();
        context = zmq_ctx_new();
        if (context != NULL)
            zmq_ctx_set(context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
        atomic_store(&maker, context == NULL ? 0 : getpid());
    }
    void *found = context;
    if (found != NULL)
        references++;
    pthread_mutex_unlock(&lock);
    return found;
}

void context_unref(void)
{
    void *ended = NULL;
    if (context_is_forked())
        return;
    pthread_mutex_lock(&lock);
    if (references > 0 && --references == 0) {
        ended = context;
        context = NULL;
        atomic_store(&maker, 0);
    }
    pthread_mutex_unlock(&lock);
    if (ended == NULL)
        return;
    while (zmq_ctx_term(ended) != 0 && zmq_errno() == EINTR) /* outside the lock: it may linger */
        ;
}
