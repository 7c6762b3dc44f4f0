#include "worker-lib/run.h"

#include "worker-lib/request.h"
#include "worker-lib/worker.h"

enum {
    SHORT_HANDLER_NS = 5 * 1000,
    NEAR_MS = 1000, /* who has a nearer deadline begins after a look at the clock of its own */
};

/*
 * There must be somebody who notices a handler that takes long, and nobody who leads already. With
 * more threads, other workers of the handle, or handlers that come back from a call of their own,
 * each request and each place is for whoever is free first.
 */
static unsigned run_most(const struct busbar_worker *worker)
{
    bool others = worker->threads > 1 || worker->crew != NULL || worker->away > 0;
    bool is_short = credit_is_known(&worker->credit) &&
                    worker->credit.handler_ns < SHORT_HANDLER_NS;
    return is_short && !others && worker->watched && !worker->led ? RUN_MAX : 1;
}

static void run_add(struct run *run, struct busbar_worker *worker, struct busbar_request *request)
{
    request_list_remove(&worker->queue, request);
    request_list_append(&worker->active, request);
    run->requests[run->count++] = request;
    run->body_size += request->body.size;
}

void run_take(struct run *run, struct busbar_worker *worker, uint64_t now_ms)
{
    struct busbar_request *request = request_list_first(&worker->queue);
    unsigned most = worker->queue.count > 1 ? run_most(worker) : 1;
    run->count = 0;
    run->body_size = 0;
    run_add(run, worker, request);
    while (run->count < most && (request = request_list_first(&worker->queue)) != NULL &&
           request->deadline > now_ms + NEAR_MS)
        run_add(run, worker, request);
    atomic_store_explicit(&run->next, 0, memory_order_relaxed);
    if (run->count > 1)
        worker->run = run;
}

void run_recall(struct busbar_worker *worker)
{
    struct run *run = worker->run;
    if (run == NULL)
        return;
    worker->run = NULL;
    unsigned first = atomic_exchange_explicit(&run->next, run->count, memory_order_acq_rel);
    for (unsigned i = run->count; i > first; i--) {
        request_list_remove(&worker->active, run->requests[i - 1]);
        request_list_prepend(&worker->queue, run->requests[i - 1]);
    }
}
