/*
 * A light caller beside a flood: its latencies while it is alone and while another client keeps
 * 20,000 calls outstanding on the same service. Rounds of quiet and loaded alternate.
 * Options: --rounds N --samples N --outstanding N --pause MICROSECONDS --limit RATIO
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/soak/soak.h"

enum {
    BODY_SIZE = 64,
    ROUNDS_MAX = 101,
    WARM_UP = 200,
    PHASE_MS = 300000,
    READY_MS = 60000,
    CALL_TIMEOUT_MS = 30000,
};

static const char service[] = "soak.echo";

struct plan {
    const char *endpoint;
    uint64_t samples;
    uint64_t outstanding;
    uint64_t pause_us;
    struct soak_samples *times;
};

struct flood {
    struct busbar_client *client;
    uint64_t finished;
    uint64_t failed;
    bool ending;
};

static const char body[BODY_SIZE] = "a body of 64 bytes";

static void flood_start(struct flood *flood);

static void on_reply(struct busbar_reply **reply, void *context)
{
    struct flood *flood = context;
    flood->finished++;
    if (busbar_reply_status(*reply) != BUSBAR_OK && flood->failed++ == 0)
        fprintf(stderr, "flood: %s\n", busbar_reply_error(*reply));
    busbar_reply_destroy(reply);
    if (!flood->ending)
        flood_start(flood);
}

static void flood_start(struct flood *flood)
{
    const struct busbar_call call = {
        .service = service,
        .method = "echo",
        .body = busbar_body_copied(body, sizeof body),
        .timeout_ms = CALL_TIMEOUT_MS,
        .callback = on_reply,
        .context = flood,
    };
    if (busbar_client_start(flood->client, &call, NULL) != BUSBAR_OK)
        soak_die("flood: %s", busbar_client_error(flood->client));
}

/* Keeps the calls outstanding until its stdin is closed. */
static int flood_run(const void *argument)
{
    const struct plan *plan = argument;
    const struct busbar_client_options options = {.broker = plan->endpoint};
    struct flood flood = {.client = NULL};
    if (busbar_client_new(&flood.client, &options) != BUSBAR_OK)
        return 1;
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = busbar_client_fd(flood.client), .events = POLLIN}};
    for (uint64_t i = 0; i < plan->outstanding; i++)
        flood_start(&flood);
    bool told = false;
    uint64_t from = 0, before = 0, until = soak_now_ns() + UINT64_C(1000000) * PHASE_MS;
    while (!flood.ending && soak_now_ns() < until) {
        if (busbar_client_process(flood.client) != BUSBAR_OK)
            return 1;
        if (!told && flood.finished >= 2 * plan->outstanding) {
            told = true;
            from = soak_now_ns();
            before = flood.finished;
            puts("ready");
            fflush(stdout);
        }
        poll(ready, 2, 1000);
        flood.ending = ready[0].revents != 0;
    }
    double seconds = (double)(soak_now_ns() - from) / 1e9;
    printf("calls_per_second=%.0f failed=%" PRIu64 "\n",
           (double)(flood.finished - before) / seconds, flood.failed);
    flood.ending = true;
    busbar_client_destroy(&flood.client);
    return flood.failed == 0 ? 0 : 1;
}

static bool light_call(struct busbar_client *client, struct soak_samples *times)
{
    const struct busbar_call call = {
        .service = service,
        .method = "echo",
        .body = busbar_body_copied(body, sizeof body),
        .timeout_ms = CALL_TIMEOUT_MS,
    };
    uint64_t from = soak_now_ns();
    if (busbar_client_call(client, &call, NULL) != BUSBAR_OK) {
        fprintf(stderr, "light caller: %s\n", busbar_client_error(client));
        return false;
    }
    if (times != NULL)
        soak_samples_add(times, soak_now_ns() - from);
    return true;
}

static int light_run(const void *argument)
{
    const struct plan *plan = argument;
    const struct busbar_client_options options = {.broker = plan->endpoint};
    const struct timespec pause = {0, (long)plan->pause_us * 1000};
    struct busbar_client *client = NULL;
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        return 1;
    bool good = true;
    for (uint64_t i = 0; good && i < WARM_UP + plan->samples; i++) {
        good = light_call(client, i < WARM_UP ? NULL : plan->times);
        nanosleep(&pause, NULL);
    }
    busbar_client_destroy(&client);
    puts("done");
    return good ? 0 : 1;
}

/* Returns p99 in ns. */
static uint64_t light_phase(struct plan *plan, const char *name)
{
    plan->times->count = 0;
    struct soak_process light = soak_fork(light_run, plan);
    soak_expect(&light, "done", PHASE_MS);
    if (soak_join(&light, READY_MS) != 0)
        soak_die("the light caller failed");
    soak_samples_print(name, plan->times);
    return soak_quantile(plan->times, 0.99);
}

static double round_run(struct plan *plan)
{
    uint64_t quiet = light_phase(plan, "quiet");
    struct soak_process flood = soak_fork(flood_run, plan);
    soak_expect(&flood, "ready", READY_MS);
    uint64_t loaded = light_phase(plan, "beside the flood");
    close(flood.input);
    flood.input = -1;
    const char *told = soak_expect(&flood, "calls_per_second=", READY_MS);
    double ratio = (double)loaded / (double)quiet;
    printf("  flood calls/s=%s; p99 ratio %.2f\n", told, ratio);
    soak_kill(&flood, SIGTERM);
    return ratio;
}

int main(int argc, char **argv)
{
    (void)argc;
    uint64_t rounds = soak_option(argv, "--rounds", 3);
    double limit = (double)soak_option(argv, "--limit", 5);
    struct plan plan = {
        .samples = soak_option(argv, "--samples", 20000),
        .outstanding = soak_option(argv, "--outstanding", 20000),
        .pause_us = soak_option(argv, "--pause", 200),
    };
    double ratios[ROUNDS_MAX];
    char text[160];
    if (rounds < 1 || rounds > ROUNDS_MAX)
        soak_die("--rounds is 1 to %d", ROUNDS_MAX);
    plan.times = soak_samples_new(plan.samples);
    struct soak_broker broker = soak_broker_start(NULL);
    plan.endpoint = broker.endpoint;
    printf(" broker %s\n", broker.endpoint);
    fflush(stdout);
    const struct soak_worker worker = {.endpoint = broker.endpoint, .service = service};
    struct soak_process echo = soak_worker_start(&worker);
    for (uint64_t i = 0; i < rounds; i++) {
        printf(" round %" PRIu64 " of %" PRIu64 "\n", i + 1, rounds);
        ratios[i] = round_run(&plan);
    }
    close(echo.input);
    echo.input = -1;
    printf("  worker: replies=%s\n", soak_expect(&echo, "replies=", READY_MS));
    soak_kill(&echo, SIGTERM);
    soak_kill(&broker.process, SIGTERM);
    double median = soak_median(ratios, rounds);
    snprintf(text, sizeof text,
             "p99 beside %" PRIu64 " outstanding is %.2f times the quiet one (median of %" PRIu64
             ", %.2f to %.2f), at most %.0f",
             plan.outstanding, median, rounds, ratios[0], ratios[rounds - 1], limit);
    return soak_verdict("fairness", median <= limit, text);
}
