/* Signs of a handler at work: parts of its result, for which its caller must have room; progress. */
#include <errno.h>

#include "base/cleanup.h"
#include "client-lib/body.h"
#include "worker-lib/leader.h"
#include "worker-lib/place.h"
#include "worker-lib/request.h"

enum {
    PERMILLE_MAX = 1000,
};

void request_grant(struct busbar_request *request, uint32_t parts)
{
    uint32_t room = UINT32_MAX - request->window;
    if (!(request->flags & PACKET_STREAM))
        return;
    request->window += parts < room ? parts : room;
    pthread_cond_broadcast(&request->worker->granted);
}

/* With the lock held: what is put now is not to wait for the end of this handler. */
static void lead(struct busbar_worker *worker)
{
    if (!worker->led && worker->waiting > 0)
        pthread_cond_signal(&worker->followers);
}

/* An inline worker has nobody else to send what was put while its handler runs. */
static void send_inline(struct busbar_worker *worker)
{
    if (worker->is_inline && pthread_equal(worker->inline_thread, pthread_self()))
        leader_flush(worker);
}

static int wait_for_grant(struct busbar_request *request)
{
    struct busbar_worker *worker = request->worker;
    const struct timespec due = {
        .tv_sec = (time_t)(request->deadline / 1000),
        .tv_nsec = (long)(request->deadline % 1000) * 1000000,
    };
    return pthread_cond_timedwait(&worker->granted, &worker->lock, &due);
}

/* Takes room for one part out of the window, waiting for it if it may. The handler's place is kept:
 * a caller that reads slowly stops the handler, and nothing else moves in meanwhile. */
static enum busbar_status take_room(struct busbar_request *request)
{
    struct busbar_worker *worker = request->worker;
    bool may_wait = place_is_here(worker);
    enum busbar_status status = BUSBAR_OK;
    worker_lock(worker);
    lead(worker);
    while (request->window == 0 && status == BUSBAR_OK) {
        if (busbar_request_cancelled(request))
            status = BUSBAR_CANCELLED;
        else if (!may_wait)
            status = BUSBAR_BUSY;
        else
            wait_for_grant(request);
    }
    if (status == BUSBAR_OK)
        request->window--;
    worker_unlock(worker);
    return status;
}

/* Before anything is taken for it. */
static enum busbar_status part_check(const struct busbar_request *request,
                                     const struct busbar_body *body)
{
    if (request == NULL || !body_is_sane(body))
        return BUSBAR_BAD_ARGUMENT;
    if (!(request->flags & PACKET_STREAM))
        return BUSBAR_UNSUPPORTED;
    if (busbar_request_cancelled(request))
        return BUSBAR_CANCELLED;
    return body->size > request->worker->answers.body_limit ? BUSBAR_RESULT_TOO_LARGE : BUSBAR_OK;
}

enum busbar_status busbar_request_part(struct busbar_request *request, struct busbar_body body)
{
    enum busbar_status status = part_check(request, &body);
    if (status == BUSBAR_OK)
        status = take_room(request);
    if (status != BUSBAR_OK) {
        busbar_body_release(&body);
        return status;
    }
    status = answers_part(&request->worker->answers, request->to, body);
    send_inline(request->worker);
    return status;
}

uint32_t busbar_request_window(const struct busbar_request *request)
{
    if (!(request->flags & PACKET_STREAM))
        return 0;
    worker_lock(request->worker);
    uint32_t window = request->window;
    worker_unlock(request->worker);
    return window;
}

enum busbar_status busbar_request_progress(struct busbar_request *request, int permille,
                                           const char *text)
{
    if (request == NULL || permille < -1 || permille > PERMILLE_MAX)
        return BUSBAR_BAD_ARGUMENT;
    struct busbar_worker *worker = request->worker;
    if (busbar_request_cancelled(request))
        return BUSBAR_CANCELLED;
    worker_lock(worker);
    lead(worker);
    worker_unlock(worker);
    enum busbar_status status = answers_progress(&worker->answers, request->to, (uint32_t)permille,
                                                 text == NULL ? "" : text);
    send_inline(worker);
    return status;
}
