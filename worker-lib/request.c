/* Requests: their lists, their references, and what an application does with one. */
#include "worker-lib/request.h"

#include <stdlib.h>

#include "base/clock.h"
#include "client-lib/ambient.h"
#include "protocol/worker_error.h"
#include "worker-lib/wake.h"

void request_list_move(struct request_list *to, struct request_list *from)
{
    if (from->count == 0)
        return;
    struct list *first = from->list.next;
    struct list *last = from->list.previous;
    first->previous = to->list.previous;
    to->list.previous->next = first;
    last->next = &to->list;
    to->list.previous = last;
    to->count += from->count;
    request_list_init(from);
}

void request_release(struct busbar_request *request)
{
    struct service *service = request->method->service;
    blob_unref(&request->frame);
    blob_unref(&request->envelope);
    if (request->extra != NULL)
        request_extra_free(&request->extra);
    service_unref(&service);
}

static void request_spare(struct busbar_request *request, struct request_list *spare)
{
    if (spare->count < WORKER_SPARE_MAX)
        request_list_append(spare, request);
    else
        free(request);
}

void request_recycle(struct busbar_request *request)
{
    struct busbar_worker *worker = request->worker;
    request_list_remove(&worker->active, request);
    request_spare(request, &worker->spare);
    if (worker->phase == WORKER_DRAINING && worker->active.count == 0)
        wake_signal(worker->wake_fd);
}

void request_list_discard(struct request_list *list, struct request_list *spare)
{
    struct busbar_request *request;
    while ((request = request_list_first(list)) != NULL) {
        request_list_remove(list, request);
        request_release(request);
        request_spare(request, spare);
    }
}

void request_list_free(struct request_list *list)
{
    struct busbar_request *request;
    while ((request = request_list_first(list)) != NULL) {
        request_list_remove(list, request);
        free(request);
    }
}

/* The end of its owner's part in a request that was answered; of one that was not kept the thread
 * that runs it has the only reference. */
static void request_end(struct busbar_request *request)
{
    struct busbar_worker *worker = request->worker;
    if (!request->kept)
        return;
    if (request_unref(request)) {
        worker_lock(worker);
        request_recycle(request);
        worker_unlock(worker);
    }
    worker_unref(worker);
}

static void request_answer(struct busbar_request *request, struct failure *failure)
{
    failure->metadata = request_answer_metadata(request);
    answers_fail(&request->worker->answers, request->to, failure);
    request_end(request);
}

/* Calls that the handler makes meanwhile take over from the request what <busbar/client.h> says. */
static void request_handle(struct busbar_request *request)
{
    const struct ambient ambient = {
        .deadline = request->deadline,
        .items = request->metadata,
        .hops = request->metadata.size == 0 ? 0 : (uint8_t)busbar_request_hops(request),
    };
    struct busbar_request *owned = request;
    const struct ambient *before = ambient_set(&ambient);
    request->method->handler(&owned, request->method->service->context);
    ambient_set(before);
    if (owned != NULL)
        request_answer(request, &(struct failure){.status = BUSBAR_APP_ERROR,
                                                  .fate = BUSBAR_EXECUTED,
                                                  .text = "the handler gave no answer",
                                                  .by_handler = true});
}

void request_run(struct busbar_request *request, uint64_t now_ms)
{
    if (now_ms < request->deadline)
        request_handle(request);
    else
        request_answer(request,
                       &(struct failure){.status = BUSBAR_EXPIRED,
                                         .fate = BUSBAR_NOT_EXECUTED,
                                         .text = "the deadline passed before the handler began"});
}

const char *busbar_request_service(const struct busbar_request *request)
{
    return request->method->service->name;
}

const char *busbar_request_method(const struct busbar_request *request)
{
    return request->method->name;
}

const void *busbar_request_data(const struct busbar_request *request)
{
    return request->body.data;
}

size_t busbar_request_size(const struct busbar_request *request)
{
    return request->body.size;
}

enum busbar_encoding busbar_request_encoding(const struct busbar_request *request)
{
    return (enum busbar_encoding)request->encoding;
}

struct busbar_body busbar_request_body(const struct busbar_request *request)
{
    return (struct busbar_body){
        .data = request->body.data,
        .size = request->body.size,
        .encoding = (enum busbar_encoding)request->encoding,
        .owner = request->frame,
    };
}

enum busbar_status busbar_request_value(const struct busbar_request *request,
                                        struct busbar_value **ret)
{
    if (request->encoding != BUSBAR_MESSAGEPACK)
        return BUSBAR_BAD_REQUEST;
    return busbar_value_decode(ret, request->body.data, request->body.size, NULL);
}

uint32_t busbar_request_remaining(const struct busbar_request *request)
{
    uint64_t now = clock_ms();
    return now >= request->deadline ? 0 : (uint32_t)(request->deadline - now);
}

bool busbar_request_cancelled(const struct busbar_request *request)
{
    return request->cancelled || request->to.session != request->worker->answers.session ||
           clock_ms() >= request->deadline;
}

struct busbar_request *busbar_request_keep(struct busbar_request **request)
{
    struct busbar_request *kept = STEAL(*request);
    if (kept != NULL && !kept->kept) {
        kept->kept = true;
        atomic_fetch_add_explicit(&kept->references, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&kept->worker->references, 1, memory_order_relaxed);
    }
    return kept;
}

enum busbar_status busbar_request_reply(struct busbar_request **request, struct busbar_body body)
{
    struct busbar_request *answered = STEAL(*request);
    if (answered == NULL) {
        busbar_body_release(&body);
        return BUSBAR_BAD_ARGUMENT;
    }
    bool cancelled = answered->cancelled;
    if (request_is_oneway(answered)) {
        busbar_body_release(&body);
        body = (struct busbar_body){.encoding = BUSBAR_RAW};
    }
    enum busbar_status status = answers_reply(&answered->worker->answers, answered->to,
                                              request_answer_metadata(answered), &body);
    request_end(answered);
    return status == BUSBAR_OK && cancelled ? BUSBAR_CANCELLED : status;
}

/* The usual texts speak of a call of the reader's own; these are of one that the handler made. */
static const char *failure_text(enum busbar_status status)
{
    static const struct {
        enum busbar_status status;
        const char *text;
    } OF_ITS_CALL[] = {
        {BUSBAR_NO_SERVICE, "the handler called a service that nobody exports"},
        {BUSBAR_WORKER_LOST, "the worker that the handler called was lost"},
        {BUSBAR_BROKER_LOST, "the broker that the handler called cannot be reached or was lost"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(OF_ITS_CALL); i++) {
        if (status == OF_ITS_CALL[i].status)
            return OF_ITS_CALL[i].text;
    }
    return busbar_status_text(status);
}

enum busbar_status request_fail(struct busbar_request **request, const struct failure *failure)
{
    struct busbar_request *answered = STEAL(*request);
    if (answered == NULL)
        return BUSBAR_BAD_ARGUMENT;
    struct worker_error error = worker_error_of(
        failure->status < BUSBAR_FORKED ? (uint8_t)failure->status : BUSBAR_APP_ERROR,
        (uint8_t)failure->fate);
    struct failure told = {
        .status = error.status,
        .fate = error.fate,
        .text = failure->text == NULL ? failure_text(error.status) : failure->text,
        .by_handler = failure->by_handler,
        .metadata = request_answer_metadata(answered),
    };
    bool cancelled = answered->cancelled;
    enum busbar_status result = answers_fail(&answered->worker->answers, answered->to, &told);
    request_end(answered);
    return result == BUSBAR_OK && cancelled ? BUSBAR_CANCELLED : result;
}

enum busbar_status busbar_request_fail(struct busbar_request **request, enum busbar_status status,
                                       const char *text)
{
    struct failure failure = {
        .status = status,
        .fate = status == BUSBAR_BROKER_LOST ? BUSBAR_MAYBE_EXECUTED : BUSBAR_NOT_EXECUTED,
        .text = text,
        .by_handler = true,
    };
    return request_fail(request, &failure);
}
