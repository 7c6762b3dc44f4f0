/*
 * A worker that dies: `busbar serve` is killed with SIGKILL, and the next call must be told at once
 * that nobody exports the service. Options: --rounds N --limit MILLISECONDS
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/soak.h"

enum {
    START_MS = 15000,
    CALL_TIMEOUT_MS = 5000,
};

static const char service[] = "soak.cat";

static enum busbar_status call_once(struct busbar_client *client)
{
    const struct busbar_call call = {
        .service = service,
        .method = "run",
        .body = busbar_body_text("a body"),
        .timeout_ms = CALL_TIMEOUT_MS,
    };
    return busbar_client_call(client, &call, NULL);
}

static struct soak_process start_worker(const char *endpoint)
{
    char name[] = "busbar", option[] = "--broker", command[] = "serve", dashes[] = "--";
    char broker[128], exported[sizeof service], program[] = "cat";
    snprintf(broker, sizeof broker, "%s", endpoint);
    snprintf(exported, sizeof exported, "%s", service);
    char *const argv[] = {name, option, broker, command, exported, dashes, program, NULL};
    return soak_exec(name, argv);
}

static void wait_for_service(struct busbar_client *client)
{
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * START_MS;
    while (call_once(client) != BUSBAR_OK) {
        if (soak_now_ns() > until)
            soak_die("the worker does not answer: %s", busbar_client_error(client));
        soak_sleep_ms(5);
    }
}

/* Returns true if the call after the death said NO_SERVICE; the time counts from the signal. */
static bool kill_once(struct busbar_client *client, const char *endpoint,
                      struct soak_samples *times)
{
    struct soak_process worker = start_worker(endpoint);
    wait_for_service(client);
    uint64_t from = soak_now_ns();
    soak_kill(&worker, SIGKILL);
    enum busbar_status status = call_once(client);
    soak_samples_add(times, soak_now_ns() - from);
    if (status != BUSBAR_NO_SERVICE)
        printf("  the next call said %s: %s\n", busbar_status_name(status),
               status == BUSBAR_OK ? "" : busbar_client_error(client));
    return status == BUSBAR_NO_SERVICE;
}

int main(int argc, char **argv)
{
    (void)argc;
    uint64_t rounds = soak_option(argv, "--rounds", 50);
    uint64_t limit = soak_option(argv, "--limit", 100);
    struct soak_samples *times = soak_samples_new(rounds);
    struct soak_broker broker = soak_broker_start(NULL);
    const struct busbar_client_options options = {.broker = broker.endpoint};
    struct busbar_client *client = NULL;
    char text[160];
    uint64_t good = 0;
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        soak_die("no client");
    for (uint64_t i = 0; i < rounds; i++)
        good += kill_once(client, broker.endpoint, times);
    busbar_client_destroy(&client);
    soak_kill(&broker.process, SIGTERM);
    soak_samples_print("SIGKILL to NO_SERVICE", times);
    double longest = (double)soak_quantile(times, 1) / 1e6;
    snprintf(text, sizeof text,
             "%" PRIu64 " of %" PRIu64 " next calls said NO_SERVICE, the slowest %.1f ms after the "
             "signal, at most %" PRIu64 " ms",
             good, rounds, longest, limit);
    return soak_verdict("death", good == rounds && longest <= (double)limit, text);
}
