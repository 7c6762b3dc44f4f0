#include "tests/faults/worker.h"

#include <busbar/worker.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/soak/soak.h"

enum {
    READY_MS = 15000,
    HANG_MS = 30000,
};

static struct busbar_worker *running;

static struct fault_body begin(struct busbar_request *request, const struct fault_worker *self)
{
    struct fault_body body = {0};
    if (busbar_request_size(request) >= sizeof body)
        memcpy(&body, busbar_request_data(request), sizeof body);
    oracle_execute(self->oracle, body.id, self->number);
    return body;
}

static void answer(struct busbar_request **request, const struct fault_body *body)
{
    size_t size = body->reply_size > sizeof body->id ? body->reply_size : sizeof body->id;
    uint8_t *bytes = calloc(1, size);
    if (bytes == NULL)
        soak_die("out of memory");
    memcpy(bytes, &body->id, sizeof body->id);
    busbar_request_reply(request, busbar_body_copied(bytes, size));
    free(bytes);
}

static void handle_count(struct busbar_request **request, void *context)
{
    struct fault_body body = begin(*request, context);
    struct timespec time = {body.sleep_us / 1000000, (long)(body.sleep_us % 1000000) * 1000};
    if (body.sleep_us > 0)
        nanosleep(&time, NULL);
    answer(request, &body);
}

static void handle_hang(struct busbar_request **request, void *context)
{
    const struct fault_worker *self = context;
    struct fault_body body = begin(*request, self);
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * HANG_MS;
    while (soak_now_ns() < until && !busbar_request_cancelled(*request))
        soak_sleep_ms(5);
    self->oracle->cancelled += busbar_request_cancelled(*request);
    answer(request, &body);
}

static void handle_gate(struct busbar_request **request, void *context)
{
    const struct fault_worker *self = context;
    struct fault_body body = begin(*request, self);
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * HANG_MS;
    while (soak_now_ns() < until && !self->oracle->gate)
        soak_sleep_ms(2);
    answer(request, &body);
}

static void handle_die(struct busbar_request **request, void *context)
{
    begin(*request, context);
    raise(SIGKILL);
}

static void on_signal(int number)
{
    (void)number;
    busbar_worker_stop(running);
}

int fault_worker_run(const void *argument)
{
    const struct fault_worker *self = argument;
    static const struct busbar_method methods[] = {
        {.name = "count", .handler = handle_count},
        {.name = "count_again", .handler = handle_count, .flags = BUSBAR_IDEMPOTENT},
        {.name = "hang", .handler = handle_hang},
        {.name = "gate", .handler = handle_gate},
        {.name = "die", .handler = handle_die},
    };
    const struct busbar_service service = {.name = self->service,
                                           .methods = methods,
                                           .method_count = sizeof methods / sizeof methods[0],
                                           .context = (void *)(uintptr_t)self};
    const struct busbar_worker_options options = {
        .broker = self->broker, .threads = self->threads, .credit = self->credit};
    if (busbar_worker_new(&running, &options) != BUSBAR_OK ||
        busbar_worker_register(running, &service) != BUSBAR_OK)
        return 1;
    signal(SIGTERM, on_signal);
    enum busbar_status status = busbar_worker_start(running);
    if (status == BUSBAR_OK)
        status = busbar_worker_wait_ready(running,
                                          READY_MS); /* not OK if it is stopped meanwhile */
    if (status == BUSBAR_OK) {
        puts("ready");
        fflush(stdout);
        status = BUSBAR_NOTHING;
    }
    while (status == BUSBAR_NOTHING)
        status = busbar_worker_wait(running, 1000);
    busbar_worker_destroy(&running);
    return status == BUSBAR_OK ? 0 : 1;
}
