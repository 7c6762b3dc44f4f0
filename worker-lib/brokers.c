/* What an application holds: a worker for each broker of its list, which are as one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client-lib/broker_list.h"
#include "worker-lib/crew.h"
#include "worker-lib/loop.h"
#include "worker-lib/wake.h"
#include "worker-lib/worker.h"

enum {
    THREADS_MAX = 1024,
    LOOK_NS = 20 * 1000 * 1000, /* how often several workers are looked at, while one is awaited */
};

static bool is_forked(const struct busbar_worker *worker)
{
    return fork_mark_is_forked(&worker->fork_mark);
}

/* The worker itself is the first. */
static struct busbar_worker *worker_at(struct busbar_worker *worker, size_t index)
{
    return index == 0 ? worker : worker->others[index - 1];
}

static size_t worker_count(const struct busbar_worker *worker)
{
    return worker->other_count + 1;
}

/* Making and freeing --------------------------------------------------------------------------- */

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

static enum busbar_status make_others(struct busbar_worker *worker,
                                      const struct busbar_worker_options *options,
                                      const struct broker_list *brokers)
{
    struct crew *crew = crew_new(worker->threads, brokers->count);
    enum busbar_status status = BUSBAR_OK;
    worker->others = calloc(brokers->count - 1, sizeof worker->others[0]);
    if (crew == NULL || worker->others == NULL)
        status = BUSBAR_NO_MEMORY;
    else
        crew_join(crew, worker, 0);
    for (size_t i = 1; i < brokers->count && status == BUSBAR_OK; i++) {
        struct busbar_worker **other = &worker->others[i - 1];
        status = worker_new(other, options, brokers->endpoints[i]);
        if (status != BUSBAR_OK)
            break;
        crew_join(crew, *other, i);
        worker->other_count++;
    }
    crew_unref(&crew);
    return status;
}

/* One thread cannot wait for several brokers at once. */
static enum busbar_status make_all(struct busbar_worker **ret,
                                   const struct busbar_worker_options *options,
                                   const struct broker_list *brokers)
{
    if (brokers->count > 1 && options->threads == BUSBAR_INLINE)
        return BUSBAR_BAD_ARGUMENT;
    enum busbar_status status = worker_new(ret, options, brokers->endpoints[0]);
    if (status == BUSBAR_OK && brokers->count > 1)
        status = make_others(*ret, options, brokers);
    if (status != BUSBAR_OK)
        busbar_worker_destroy(ret);
    return status;
}

enum busbar_status busbar_worker_new(struct busbar_worker **ret,
                                     const struct busbar_worker_options *options)
{
    static const struct busbar_worker_options defaults;
    struct broker_list brokers;
    options = options == NULL ? &defaults : options;
    if (ret == NULL || !options_are_sane(options))
        return BUSBAR_BAD_ARGUMENT;
    *ret = NULL;
    enum busbar_status status = broker_list_init(&brokers, broker_of(options));
    if (status != BUSBAR_OK)
        return status;
    status = make_all(ret, options, &brokers);
    broker_list_fini(&brokers);
    return status;
}

/* In the child of a fork the threads are gone, and with them whatever they had locked. All are told
 * to stop before any is waited for. */
void busbar_worker_destroy(struct busbar_worker **worker)
{
    struct busbar_worker *destroyed = STEAL(*worker);
    if (destroyed == NULL || is_forked(destroyed))
        return;
    busbar_worker_stop(destroyed);
    for (size_t i = 0; i < destroyed->other_count; i++)
        worker_destroy(&destroyed->others[i]);
    destroyed->other_count = 0;
    free(STEAL(destroyed->others));
    worker_destroy(&destroyed);
}

/* Running -------------------------------------------------------------------------------------- */

/* If one cannot be started, all are stopped; so all begin, since only what has begun can end. */
static enum busbar_status start_all(struct busbar_worker *worker, bool with_threads, bool *began)
{
    enum busbar_status status = worker_start(worker, with_threads, began);
    for (size_t i = 0; i < worker->other_count; i++) {
        bool other_began;
        enum busbar_status other = worker_start(worker->others[i], true, &other_began);
        status = status == BUSBAR_OK ? other : status;
    }
    if (status != BUSBAR_OK)
        busbar_worker_stop(worker);
    return status;
}

enum busbar_status busbar_worker_start(struct busbar_worker *worker)
{
    bool began;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    return start_all(worker, true, &began);
}

/* The worse of two results: a refusal comes before calls that were left running. */
static enum busbar_status worse(enum busbar_status one, enum busbar_status other)
{
    return one == BUSBAR_OK || one == BUSBAR_TIMEOUT ? (other == BUSBAR_OK ? one : other) : one;
}

/* NOTHING if one has not ended by then. */
static enum busbar_status wait_for_all(struct busbar_worker *worker, const struct timespec *due)
{
    enum busbar_status result = BUSBAR_OK;
    for (size_t i = 0; i < worker_count(worker); i++) {
        enum busbar_status status = worker_wait(worker_at(worker, i), due);
        if (status == BUSBAR_NOTHING)
            return status;
        result = worse(result, status);
    }
    return result;
}

enum busbar_status busbar_worker_run(struct busbar_worker *worker)
{
    bool began;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    enum busbar_status status = start_all(worker, !worker->is_inline, &began);
    if (status == BUSBAR_OK && began && worker->is_inline)
        worker_loop(worker);
    enum busbar_status result = wait_for_all(worker, NULL);
    return status != BUSBAR_OK ? status : result;
}

enum busbar_status busbar_worker_wait(struct busbar_worker *worker, uint32_t timeout_ms)
{
    uint64_t due_ns = clock_ns() + (uint64_t)timeout_ms * 1000000;
    const struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                                 .tv_nsec = (long)(due_ns % 1000000000)};
    return is_forked(worker) ? BUSBAR_FORKED : wait_for_all(worker, &due);
}

void busbar_worker_stop(struct busbar_worker *worker)
{
    if (is_forked(worker))
        return;
    for (size_t i = 0; i < worker_count(worker); i++)
        worker_stop(worker_at(worker, i));
}

/* Readiness ------------------------------------------------------------------------------------ */

/* One that has not got its services registered, and what it is at. */
struct unready {
    struct busbar_worker *worker;
    enum worker_readiness readiness;
};

/* The first refusal of a broker; OK if there is none. */
static enum busbar_status find_refusal(struct busbar_worker *worker)
{
    enum busbar_status refusal = BUSBAR_OK;
    for (size_t i = 0; i < worker_count(worker) && refusal == BUSBAR_OK; i++)
        (void)worker_readiness(worker_at(worker, i), &refusal);
    return refusal;
}

/*
 * NOTHING if there is something to wait for. A broker that is not there holds nobody up as long as
 * another one has the services. A refusal ends all workers, so it is looked for after one has ended.
 */
static enum busbar_status look_at_all(struct busbar_worker *worker, struct unready *ret)
{
    size_t counts[WORKER_OVER + 1] = {0};
    *ret = (struct unready){worker, WORKER_WAITS};
    for (size_t i = 0; i < worker_count(worker); i++) {
        enum busbar_status refusal;
        enum worker_readiness readiness = worker_readiness(worker_at(worker, i), &refusal);
        counts[readiness]++;
        if (readiness == WORKER_WAITS || readiness == WORKER_PUT_OFF)
            *ret = (struct unready){worker_at(worker, i), readiness};
    }
    enum busbar_status refusal = find_refusal(worker);
    if (refusal != BUSBAR_OK)
        return refusal;
    if (counts[WORKER_OVER] > 0)
        return BUSBAR_TIMEOUT;
    return counts[WORKER_READY] > 0 && counts[WORKER_WAITS] == 0 ? BUSBAR_OK : BUSBAR_NOTHING;
}

enum busbar_status busbar_worker_wait_ready(struct busbar_worker *worker, uint32_t timeout_ms)
{
    uint64_t due_ns = clock_ns() + (uint64_t)timeout_ms * 1000000;
    struct unready unready;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    for (;;) {
        enum busbar_status status = look_at_all(worker, &unready);
        if (status != BUSBAR_NOTHING)
            return status;
        uint64_t now_ns = clock_ns();
        if (now_ns >= due_ns)
            return BUSBAR_TIMEOUT;
        bool is_one_of_several = worker->other_count > 0;
        uint64_t until_ns = is_one_of_several && now_ns + LOOK_NS < due_ns ? now_ns + LOOK_NS
                                                                           : due_ns;
        worker_wait_change(unready.worker, unready.readiness, until_ns);
    }
}

/* Services ------------------------------------------------------------------------------------- */

/* Takes the service, unless it is refused. */
static enum busbar_status service_add(struct busbar_worker *worker, struct service **service,
                                      struct context_owner *owner)
{
    enum busbar_status status = BUSBAR_OK;
    worker_lock(worker);
    if (worker->phase >= WORKER_DRAINING)
        status = BUSBAR_DRAINING;
    else if (service_find(&worker->services, (*service)->name) != NULL)
        status = BUSBAR_CONFLICT;
    if (status == BUSBAR_OK) {
        (*service)->owner = context_owner_ref(owner);
        list_append(&worker->services.services, &(*service)->link);
        *service = NULL;
        worker->services_at = 0;
    }
    worker_unlock(worker);
    return status;
}

static enum busbar_status service_withdraw(struct busbar_worker *worker, const char *name)
{
    worker_lock(worker);
    struct service *found = service_find(&worker->services, name);
    if (found != NULL) {
        found->state = SERVICE_LEAVING;
        found->due = 0;
        worker->services_at = 0;
    }
    worker_unlock(worker);
    wake_signal(worker->wake_fd);
    return found != NULL ? BUSBAR_OK : BUSBAR_NO_SERVICE;
}

/* To all or to none; then the context is still the caller's. */
static enum busbar_status add_to_all(struct busbar_worker *worker,
                                     const struct busbar_service *from, struct context_owner *owner,
                                     const char **reason)
{
    enum busbar_status status = BUSBAR_OK;
    size_t done = 0;
    while (done < worker_count(worker) && status == BUSBAR_OK) {
        CLEANUP(service_unref) struct service *service = NULL;
        status = service_new(&service, from, reason);
        if (status != BUSBAR_OK)
            break;
        *reason = NULL;
        status = service_add(worker_at(worker, done), &service, owner);
        done += status == BUSBAR_OK;
    }
    if (status != BUSBAR_OK) {
        owner->free = NULL;
        while (done-- > 0)
            service_withdraw(worker_at(worker, done), from->name);
        return status;
    }
    for (size_t i = 0; i < worker_count(worker); i++)
        wake_signal(worker_at(worker, i)->wake_fd);
    return BUSBAR_OK;
}

enum busbar_status busbar_worker_register(struct busbar_worker *worker,
                                          const struct busbar_service *service)
{
    const char *reason = NULL;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    if (service == NULL) {
        worker_say(worker, "there is no service");
        return BUSBAR_BAD_ARGUMENT;
    }
    struct context_owner *owner = context_owner_new(service);
    enum busbar_status status = owner == NULL ? BUSBAR_NO_MEMORY
                                              : add_to_all(worker, service, owner, &reason);
    context_owner_unref(&owner);
    if (reason != NULL)
        worker_say(worker, "%s", reason);
    else if (status != BUSBAR_OK)
        worker_say(worker, "service %s: %s", service->name, busbar_status_text(status));
    return status;
}

enum busbar_status busbar_worker_deregister(struct busbar_worker *worker, const char *service)
{
    enum busbar_status result = BUSBAR_NO_SERVICE;
    if (is_forked(worker))
        return BUSBAR_FORKED;
    for (size_t i = 0; i < worker_count(worker); i++) {
        if (service_withdraw(worker_at(worker, i), service) == BUSBAR_OK)
            result = BUSBAR_OK;
    }
    return result;
}

/* Looking -------------------------------------------------------------------------------------- */

/* That of the worker that said something last. */
void busbar_worker_error(const struct busbar_worker *worker, char *text, size_t size)
{
    struct busbar_worker *owner = (struct busbar_worker *)(uintptr_t)worker;
    uint64_t latest_ns = 0;
    snprintf(text, size, "%s", "");
    for (size_t i = 0; i < worker_count(owner); i++) {
        struct busbar_worker *looked_at = worker_at(owner, i);
        worker_lock(looked_at);
        if (looked_at->error_ns > latest_ns) {
            latest_ns = looked_at->error_ns;
            snprintf(text, size, "%s", looked_at->error);
        }
        worker_unlock(looked_at);
    }
}

void busbar_worker_stats(const struct busbar_worker *worker, struct busbar_worker_stats *ret)
{
    struct busbar_worker *owner = (struct busbar_worker *)(uintptr_t)worker;
    *ret = (struct busbar_worker_stats){0};
    for (size_t i = 0; i < worker_count(owner); i++)
        worker_add_stats(worker_at(owner, i), ret);
}
