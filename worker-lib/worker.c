/* A worker's life: made, started, stopped, freed; and what may be asked of it meanwhile. */
#include "worker-lib/worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "worker-lib/loop.h"
#include "worker-lib/request.h"
#include "worker-lib/session.h"
#include "worker-lib/threads.h"
#include "worker-lib/wake.h"

enum {
    THREADS_MAX = 1024,
    STOP_TIMEOUT_MS = 10000,
};

static bool options_are_sane(const struct busbar_worker_options *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++) {
        if (options->reserved[i] != NULL)
            return false;
    }
    return (options->threads <= THREADS_MAX || options->threads == BUSBAR_INLINE) &&
           options->credit <= WORKER_QUEUE_MAX;
}

static const char *broker_of(const struct busbar_worker_options *options)
{
    if (options->broker != NULL)
        return options->broker;
    const char *named = getenv("BUSBAR_BROKER");
    return named != NULL && *named != '\0' ? named : BUSBAR_DEFAULT_BROKER;
}

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

enum busbar_status busbar_worker_new(struct busbar_worker **ret,
                                     const struct busbar_worker_options *options)
{
    static const struct busbar_worker_options defaults;
    options = options == NULL ? &defaults : options;
    if (ret == NULL || !options_are_sane(options))
        return BUSBAR_BAD_ARGUMENT;
    struct busbar_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return BUSBAR_NO_MEMORY;
    worker_set(worker, options);
    locks_init(worker);
    fork_mark_init(&worker->fork_mark);
    heartbeat_init(&worker->heartbeat, session_heartbeat_lost, worker);
    worker->wake_fd = wake_open();
    enum busbar_status status = worker_fill(worker, broker_of(options));
    if (status != BUSBAR_OK)
        busbar_worker_destroy(&worker);
    *ret = worker;
    return status;
}

static void worker_free(struct busbar_worker *worker)
{
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

static bool is_forked(const struct busbar_worker *worker)
{
    return fork_mark_is_forked(&worker->fork_mark);
}

void busbar_worker_destroy(struct busbar_worker **worker)
{
    struct busbar_worker *destroyed = STEAL(*worker);
    /* In the child of a fork the threads are gone, and with them whatever they had locked. */
    if (destroyed == NULL || is_forked(destroyed))
        return;
    busbar_worker_stop(destroyed);
    threads_end(destroyed);
    heartbeat_fini(&destroyed->heartbeat);
    connection_fini(&destroyed->leader.connection);
    worker_unref(destroyed);
}

/* With the lock held: from NEW to RUNNING, or to ENDED if that fails. */
static enum busbar_status worker_begin(struct busbar_worker *worker, bool with_threads)
{
    if (worker->phase != WORKER_NEW)
        return BUSBAR_OK;
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

enum busbar_status busbar_worker_start(struct busbar_worker *worker)
{
    if (is_forked(worker))
        return BUSBAR_FORKED;
    worker_lock(worker);
    enum busbar_status status = worker_begin(worker, true);
    worker_unlock(worker);
    return status;
}

enum busbar_status busbar_worker_run(struct busbar_worker *worker)
{
    if (is_forked(worker))
        return BUSBAR_FORKED;
    worker_lock(worker);
    bool here = worker->is_inline && worker->phase == WORKER_NEW;
    enum busbar_status status = worker_begin(worker, !here);
    if (status == BUSBAR_OK && here) {
        worker_unlock(worker);
        worker_loop(worker);
        worker_lock(worker);
    }
    while (worker->phase != WORKER_ENDED)
        pthread_cond_wait(&worker->changed, &worker->lock);
    status = worker->result;
    worker_unlock(worker);
    return status;
}

void busbar_worker_stop(struct busbar_worker *worker)
{
    if (is_forked(worker))
        return;
    worker->stop_wanted = true;
    wake_signal(worker->wake_fd);
}

/* With the lock held. */
static bool is_ready(const struct busbar_worker *worker)
{
    LIST_EACH(node, &worker->services.services) {
        const struct service *service = CONTAINER_OF(node, struct service, link);
        if (service->state < SERVICE_REGISTERED)
            return false;
    }
    return true;
}

static struct timespec due_in(uint32_t timeout_ms)
{
    uint64_t due_ns = clock_ns() + (uint64_t)timeout_ms * 1000000;
    return (struct timespec){.tv_sec = (time_t)(due_ns / 1000000000),
                             .tv_nsec = (long)(due_ns % 1000000000)};
}

enum busbar_status busbar_worker_wait(struct busbar_worker *worker, uint32_t timeout_ms)
{
    struct timespec due = due_in(timeout_ms);
    int waited = 0;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    worker_lock(worker);
    while (worker->phase != WORKER_ENDED && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&worker->changed, &worker->lock, &due);
    enum busbar_status status = worker->phase == WORKER_ENDED ? worker->result : BUSBAR_NOTHING;
    worker_unlock(worker);
    return status;
}

enum busbar_status busbar_worker_wait_ready(struct busbar_worker *worker, uint32_t timeout_ms)
{
    struct timespec due = due_in(timeout_ms);
    if (is_forked(worker))
        return BUSBAR_FORKED;
    enum busbar_status status = BUSBAR_NOTHING;
    worker_lock(worker);
    while (status == BUSBAR_NOTHING) {
        if (worker->refusal != BUSBAR_OK)
            status = worker->refusal;
        else if (worker->phase == WORKER_ENDED)
            status = BUSBAR_TIMEOUT;
        else if (is_ready(worker))
            status = BUSBAR_OK;
        else if (pthread_cond_timedwait(&worker->changed, &worker->lock, &due) == ETIMEDOUT)
            status = is_ready(worker) ? BUSBAR_OK : BUSBAR_TIMEOUT;
    }
    worker_unlock(worker);
    return status;
}

/* With the lock held; takes the service, and its context if that was not refused. */
static enum busbar_status service_add(struct busbar_worker *worker, struct service **service,
                                      void (*context_free)(void *context))
{
    if (worker->phase >= WORKER_DRAINING)
        return BUSBAR_DRAINING;
    if (service_find(&worker->services, (*service)->name) != NULL)
        return BUSBAR_CONFLICT;
    (*service)->context_free = context_free;
    list_append(&worker->services.services, &(*service)->link);
    *service = NULL;
    worker->services_at = 0;
    return BUSBAR_OK;
}

enum busbar_status busbar_worker_register(struct busbar_worker *worker,
                                          const struct busbar_service *service)
{
    const char *reason = NULL;
    CLEANUP(service_unref) struct service *added = NULL;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    enum busbar_status status = service_new(&added, service, &reason);
    if (status != BUSBAR_OK) {
        worker_say(worker, "%s", reason == NULL ? busbar_status_text(status) : reason);
        return status;
    }
    worker_lock(worker);
    status = service_add(worker, &added, service->context_free);
    worker_unlock(worker);
    if (status == BUSBAR_OK)
        wake_signal(worker->wake_fd);
    else
        worker_say(worker, "service %s: %s", service->name, busbar_status_text(status));
    return status;
}

enum busbar_status busbar_worker_deregister(struct busbar_worker *worker, const char *service)
{
    if (is_forked(worker))
        return BUSBAR_FORKED;
    worker_lock(worker);
    struct service *found = service_find(&worker->services, service);
    if (found != NULL) {
        found->state = SERVICE_LEAVING;
        found->due = 0;
        worker->services_at = 0;
    }
    worker_unlock(worker);
    wake_signal(worker->wake_fd);
    return found != NULL ? BUSBAR_OK : BUSBAR_NO_SERVICE;
}

void worker_say(struct busbar_worker *worker, const char *format, ...)
{
    va_list arguments;
    worker_lock(worker);
    va_start(arguments, format);
    vsnprintf(worker->error, sizeof worker->error, format, arguments);
    va_end(arguments);
    worker_unlock(worker);
}

void busbar_worker_error(const struct busbar_worker *worker, char *text, size_t size)
{
    struct busbar_worker *locked = (struct busbar_worker *)(uintptr_t)worker;
    worker_lock(locked);
    snprintf(text, size, "%s", worker->error);
    worker_unlock(locked);
}

void busbar_worker_stats(const struct busbar_worker *worker, struct busbar_worker_stats *ret)
{
    struct busbar_worker *locked = (struct busbar_worker *)(uintptr_t)worker;
    *ret = (struct busbar_worker_stats){0};
    worker_lock(locked);
    ret->requests = worker->requests;
    ret->returned = worker->returned;
    ret->reconnects = worker->sessions > 0 ? worker->sessions - 1 : 0;
    ret->credit = worker->credit.in_force + worker->credit.extra;
    worker_unlock(locked);
    pthread_mutex_lock(&locked->answers.lock);
    ret->replies = worker->answers.replies;
    ret->stale_replies = worker->answers.stale;
    pthread_mutex_unlock(&locked->answers.lock);
}
