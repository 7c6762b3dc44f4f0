/*
 * A worker whose results come in parts: `primes` sends the prime numbers below the one it is given, a
 * part for each, and tells how far it has come. Usage: worker. SIGTERM stops it in order.
 */
#include <busbar/worker.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the signal handler stops. */
static struct busbar_worker *worker;

static void stop(int number)
{
    (void)number;
    busbar_worker_stop(worker);
}

static bool is_prime(long number)
{
    for (long i = 2; i * i <= number; i++) {
        if (number % i == 0)
            return false;
    }
    return number >= 2;
}

/* The body of the request is the limit, in digits. */
static long limit_of(const struct busbar_request *request)
{
    char digits[16] = "";
    size_t size = busbar_request_size(request);
    if (size > 0 && size < sizeof digits)
        memcpy(digits, busbar_request_data(request), size);
    return strtol(digits, NULL, 10);
}

/* A caller that reads slowly makes busbar_request_part wait; one that goes away ends the work. */
static void primes(struct busbar_request **request, void *context)
{
    char text[32];
    long limit = limit_of(*request);
    int count = 0;
    enum busbar_status status = BUSBAR_OK;
    (void)context;
    for (long i = 2; i < limit && status == BUSBAR_OK; i++) {
        if (!is_prime(i))
            continue;
        count++;
        snprintf(text, sizeof text, "%ld", i);
        status = busbar_request_part(*request, busbar_body_text(text));
        if (count % 100 == 0)
            busbar_request_progress(*request, (int)(1000 * i / limit), "counting");
    }
    snprintf(text, sizeof text, "%d primes", count);
    if (status == BUSBAR_OK)
        busbar_request_reply(request, busbar_body_text(text));
    else if (status == BUSBAR_UNSUPPORTED)
        busbar_request_fail(request, BUSBAR_BAD_REQUEST, "the result comes in parts: ask for them");
    else
        busbar_request_fail(request, BUSBAR_CANCELLED, "the caller does not want the rest");
}

int main(void)
{
    static const struct busbar_method methods[] = {
        {"primes", primes, "y>y", "the primes below a number, one a part", BUSBAR_IDEMPOTENT, 2000},
    };
    const struct busbar_service numbers = {
        .name = "numbers", .methods = methods, .method_count = 1};
    enum busbar_status status = busbar_worker_new(&worker, NULL);
    if (status == BUSBAR_OK)
        status = busbar_worker_register(worker, &numbers);
    if (status == BUSBAR_OK) {
        signal(SIGTERM, stop);
        signal(SIGINT, stop);
        fputs("worker: running\n", stderr);
        status = busbar_worker_run(worker);
    }
    if (status != BUSBAR_OK)
        fprintf(stderr, "worker: %s\n", busbar_status_text(status));
    busbar_worker_destroy(&worker);
    return status != BUSBAR_OK;
}
