/* The life of one worker: made, started, stopped, freed. What is public is in brokers.c. */
#include "worker-lib/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker-lib/crew.h"
#include "worker-lib/request.h"
#include "worker-lib/session.h"
#include "worker-lib/threads.h"
#include "worker-lib/wake.h"

enum {
    STOP_TIMEOUT_MS = 10000,
};

static void worker_set(struct busbar_worker *worker, const struct busbar_worker_options *options)
{
    worker->is_inline = options->threads == BUSBAR_INLINE;
    worker->threads = worker->is_inline || options->threads == 0 ? 1 : options->threads;
    worker->stop_timeout = options->stop_timeout_ms == 0 ? STOP_TIMEOUT_MS
                                                         : options->stop_timeout_ms;
    worker->log = options->log;
    worker->log_context = options->log_context;
    worker->services_at = UINT64_MAX;
    worker->references = 1;
    credit_init(&worker->credit, worker->threads, options->credit);
    request_list_init(&worker->queue);
    request_list_init(&worker->active);
    request_list_init(&worker->spare);
    request_list_init(&worker->leader.arrived);
    request_list_init(&worker->leader.spare);
}

static void locks_init(struct busbar_worker *worker)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->followers, &monotonic);
    pthread_cond_init(&worker->changed, &monotonic);
    pthread_cond_init(&worker->places, &monotonic);
    pthread_cond_init(&worker->granted, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static enum busbar_status worker_fill(struct busbar_worker *worker, const char *endpoint)
{
    bool made = service_table_init(&worker->services) &&
                answers_init(&worker->answers, worker->wake_fd);
    if (!made || !threads_init(worker))
        return BUSBAR_NO_MEMORY;
    if (worker->wake_fd < 0)
        return BUSBAR_SYSTEM;
    return connection_init(&worker->leader.connection, endpoint, &session_handler, worker);
}

enum busbar_status worker_new(struct busbar_worker **ret,
                              const struct busbar_worker_options *options, const char *endpoint)
{
    struct busbar_worker *worker = calloc(1, sizeof *worker);
    *ret = NULL;
    if (worker == NULL)
        return BUSBAR_NO_MEMORY;
    worker_set(worker, options);
    locks_init(worker);
    fork_mark_init(&worker->fork_mark);
    heartbeat_init(&worker->heartbeat, session_heartbeat_lost, worker);
    worker->wake_fd = wake_open();
    enum busbar_status status = worker_fill(worker, endpoint);
    if (status != BUSBAR_OK)
        worker_destroy(&worker);
    *ret = worker;
    return status;
}

static void worker_free(struct busbar_worker *worker)
{
    crew_quit(worker);
    answers_fini(&worker->answers);
    service_table_fini(&worker->services);
    request_list_free(&worker->spare);
    request_list_free(&worker->leader.spare);
    pthread_cond_destroy(&worker->followers);
    pthread_cond_destroy(&worker->changed);
    pthread_cond_destroy(&worker->places);
    pthread_cond_destroy(&worker->granted);
    pthread_mutex_destroy(&worker->lock);
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    fork_mark_fini(&worker->fork_mark);
    free(worker->all_threads);
    free(worker);
}

void worker_unref(struct busbar_worker *worker)
{
    if (atomic_fetch_sub_explicit(&worker->references, 1, memory_order_acq_rel) == 1)
        worker_free(worker);
}

void worker_destroy(struct busbar_worker **worker)
{
    struct busbar_worker *destroyed = STEAL(*worker);
    if (destroyed == NULL)
        return;
    worker_stop(destroyed);
    threads_end(destroyed);
    heartbeat_fini(&destroyed->heartbeat);
    connection_fini(&destroyed->leader.connection);
    worker_unref(destroyed);
}

/* With the lock held: from NEW to RUNNING, or to ENDED if that fails. */
static enum busbar_status worker_begin(struct busbar_worker *worker, bool with_threads)
{
    struct connection *connection = &worker->leader.connection;
    enum busbar_status status = connection_open(connection);
    if (status == BUSBAR_OK)
        status = heartbeat_start(&worker->heartbeat, connection->endpoint);
    worker->phase = status == BUSBAR_OK ? WORKER_RUNNING : WORKER_ENDED;
    worker->services_at = 0;
    if (status == BUSBAR_OK && with_threads && !threads_start(worker)) {
        status = BUSBAR_SYSTEM;
        worker->phase = WORKER_ENDED;
    }
    if (status != BUSBAR_OK)
        worker->result = status;
    return status;
}

enum busbar_status worker_start(struct busbar_worker *worker, bool with_threads, bool *began)
{
    enum busbar_status status = BUSBAR_OK;
    worker_lock(worker);
    *began = worker->phase == WORKER_NEW;
    if (*began)
        status = worker_begin(worker, with_threads);
    worker_unlock(worker);
    return status;
}

/* With the lock held. */
static enum worker_readiness readiness_of(const struct busbar_worker *worker)
{
    enum worker_readiness readiness = WORKER_READY;
    if (worker->phase == WORKER_ENDED)
        return WORKER_OVER;
    LIST_EACH(node, &worker->services.services) {
        const struct service *service = CONTAINER_OF(node, struct service, link);
        bool put_off = worker->is_unreachable || service->backoff > 0;
        if (service->state >= SERVICE_REGISTERED)
            continue;
        if (!put_off)
            return WORKER_WAITS;
        readiness = WORKER_PUT_OFF;
    }
    return readiness;
}

enum worker_readiness worker_readiness(struct busbar_worker *worker, enum busbar_status *refusal)
{
    worker_lock(worker);
    enum worker_readiness readiness = readiness_of(worker);
    *refusal = worker->refusal;
    worker_unlock(worker);
    return readiness;
}

void worker_wait_change(struct busbar_worker *worker, enum worker_readiness readiness,
                        uint64_t due_ns)
{
    const struct timespec due = {
        .tv_sec = (time_t)(due_ns / 1000000000),
        .tv_nsec = (long)(due_ns % 1000000000),
    };
    int waited = 0;
    worker_lock(worker);
    while (readiness_of(worker) == readiness && worker->refusal == BUSBAR_OK && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&worker->changed, &worker->lock, &due);
    worker_unlock(worker);
}

enum busbar_status worker_wait(struct busbar_worker *worker, const struct timespec *due)
{
    int waited = 0;
    worker_lock(worker);
    while (worker->phase != WORKER_ENDED && waited != ETIMEDOUT) {
        if (due == NULL)
            waited = pthread_cond_wait(&worker->changed, &worker->lock);
        else
            waited = pthread_cond_timedwait(&worker->changed, &worker->lock, due);
    }
    enum busbar_status status = worker->phase == WORKER_ENDED ? worker->result : BUSBAR_NOTHING;
    worker_unlock(worker);
    return status;
}

void worker_stop(struct busbar_worker *worker)
{
    worker->stop_wanted = true;
    wake_signal(worker->wake_fd);
}

void worker_say(struct busbar_worker *worker, const char *format, ...)
{
    va_list arguments;
    worker_lock(worker);
    va_start(arguments, format);
    vsnprintf(worker->error, sizeof worker->error, format, arguments);
    va_end(arguments);
    worker->error_ns = clock_ns();
    worker_unlock(worker);
}

void worker_add_stats(struct busbar_worker *worker, struct busbar_worker_stats *stats)
{
    worker_lock(worker);
    stats->requests += worker->requests;
    stats->returned += worker->returned;
    stats->reconnects += worker->sessions > 0 ? worker->sessions - 1 : 0;
    stats->credit += worker->credit.in_force + worker->credit.extra;
    worker_unlock(worker);
    pthread_mutex_lock(&worker->answers.lock);
    stats->replies += worker->answers.replies;
    stats->stale_replies += worker->answers.stale;
    pthread_mutex_unlock(&worker->answers.lock);
}
