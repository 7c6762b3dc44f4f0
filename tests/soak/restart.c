/*
 * Restarts of the broker under a client that keeps calling: SIGKILL, a pause, a new broker at the
 * same endpoint. Each call must have one outcome, calls must succeed again within a second of the
 * new broker listening, and the reply of a handler that slept through it must reach nobody.
 * Options: --rounds N --limit MILLISECONDS --outstanding N --seed N
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/soak/soak.h"

enum {
    OUTSTANDING_MAX = 1000,
    STATUSES = 256,
    CALL_TIMEOUT_MS = 5000,
    LIFE_MS = 300000,
    SETTLE_MS = 300,    /* of calls before each kill */
    SLEEP_MS = 900,     /* a handler sleeps so long … */
    ASLEEP_MS = 100,    /* … and has begun after so long */
    PAUSE_MAX_MS = 300, /* without a broker */
    RECOVERY_MS = 10000,
    END_MS = 15000,
};

static const char echo_service[] = "soak.echo";
static const char sleep_service[] = "soak.sleep";

/* Between the client's process and the one that restarts the broker. */
struct shared {
    atomic_ullong started;
    atomic_ullong finished;
    atomic_ullong unasked;      /* outcomes of calls that had one already */
    atomic_ullong listening_at; /* ns; 0 while the broker is not there */
    atomic_ullong succeeded_at; /* the first success after that */
    atomic_ullong sleeps_wanted;
    atomic_ullong sleeps_ended;
    atomic_ullong sleeps_ok;
    atomic_ullong outcomes[STATUSES];
};

struct plan {
    const char *endpoint;
    uint64_t outstanding;
    struct shared *shared;
};

struct slot {
    struct caller *caller;
    uint64_t id; /* of the call under way; 0 for none */
};

struct caller {
    struct busbar_client *client;
    struct shared *shared;
    uint64_t sleeps;
    struct slot sleep;
    struct slot slots[OUTSTANDING_MAX];
};

static void end_call(struct slot *slot, const struct busbar_reply *reply)
{
    struct shared *shared = slot->caller->shared;
    enum busbar_status status = busbar_reply_status(reply);
    if (slot->id != busbar_reply_id(reply))
        shared->unasked++;
    slot->id = 0;
    shared->finished++;
    shared->outcomes[status % STATUSES]++;
}

static void on_echo(struct busbar_reply **reply, void *context)
{
    struct slot *slot = context;
    struct shared *shared = slot->caller->shared;
    end_call(slot, *reply);
    if (busbar_reply_status(*reply) == BUSBAR_OK && shared->listening_at != 0 &&
        shared->succeeded_at == 0)
        shared->succeeded_at = soak_now_ns();
    busbar_reply_destroy(reply);
}

static void on_sleep(struct busbar_reply **reply, void *context)
{
    struct slot *slot = context;
    struct shared *shared = slot->caller->shared;
    end_call(slot, *reply);
    shared->sleeps_ok += busbar_reply_status(*reply) == BUSBAR_OK;
    shared->sleeps_ended++;
    busbar_reply_destroy(reply);
}

static void start(struct slot *slot, const struct busbar_call *call)
{
    struct caller *caller = slot->caller;
    if (busbar_client_start(caller->client, call, &slot->id) != BUSBAR_OK)
        soak_die("cannot start a call: %s", busbar_client_error(caller->client));
    caller->shared->started++;
}

static void start_echo(struct slot *slot)
{
    start(slot, &(struct busbar_call){.service = echo_service,
                                      .method = "echo",
                                      .body = busbar_body_text("a body"),
                                      .timeout_ms = CALL_TIMEOUT_MS,
                                      .callback = on_echo,
                                      .context = slot});
}

static void start_sleep(struct caller *caller)
{
    char text[16];
    snprintf(text, sizeof text, "%d", SLEEP_MS);
    caller->sleeps++;
    start(&caller->sleep, &(struct busbar_call){.service = sleep_service,
                                                .method = "sleep",
                                                .body = busbar_body_text(text),
                                                .timeout_ms = CALL_TIMEOUT_MS,
                                                .callback = on_sleep,
                                                .context = &caller->sleep});
}

static void turn(struct caller *caller, bool ending, const struct plan *plan)
{
    struct pollfd ready = {.fd = busbar_client_fd(caller->client), .events = POLLIN};
    if (busbar_client_process(caller->client) != BUSBAR_OK)
        soak_die("process: %s", busbar_client_error(caller->client));
    for (uint64_t i = 0; !ending && i < plan->outstanding; i++) {
        if (caller->slots[i].id == 0)
            start_echo(&caller->slots[i]);
    }
    if (!ending && caller->sleeps < caller->shared->sleeps_wanted && caller->sleep.id == 0)
        start_sleep(caller);
    if (busbar_client_flush(caller->client) == BUSBAR_OK)
        poll(&ready, 1, 1);
}

/* Keeps the calls under way until stdin is closed, then waits for the last outcomes. */
static int client_run(const void *argument)
{
    const struct plan *plan = argument;
    const struct busbar_client_options options = {.broker = plan->endpoint};
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    struct caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL || busbar_client_new(&caller->client, &options) != BUSBAR_OK)
        return 1;
    caller->shared = plan->shared;
    caller->sleep.caller = caller;
    for (uint64_t i = 0; i < plan->outstanding; i++)
        caller->slots[i].caller = caller;
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * LIFE_MS;
    while (poll(&end, 1, 0) == 0 && soak_now_ns() < until)
        turn(caller, false, plan);
    until = soak_now_ns() + UINT64_C(1000000) * 2 * CALL_TIMEOUT_MS;
    while (busbar_client_outstanding(caller->client) > 0 && soak_now_ns() < until)
        turn(caller, true, plan);
    busbar_client_destroy(&caller->client);
    free(caller);
    return 0;
}

static void wait_for(const atomic_ullong *number, unsigned long long wanted, const char *what)
{
    uint64_t until = soak_now_ns() + UINT64_C(1000000) * RECOVERY_MS;
    while (*number < wanted) {
        if (soak_now_ns() > until)
            soak_die("%s within %d ms", what, RECOVERY_MS);
        soak_sleep_ms(1);
    }
}

/* Returns how long after the broker listened a call succeeded, in ns. */
static uint64_t restart_once(struct soak_broker *broker, struct shared *shared, unsigned pause_ms)
{
    char endpoint[sizeof broker->endpoint];
    memcpy(endpoint, broker->endpoint, sizeof endpoint);
    shared->listening_at = 0;
    shared->succeeded_at = 0;
    shared->sleeps_wanted++;
    soak_sleep_ms(ASLEEP_MS);
    soak_kill(&broker->process, SIGKILL);
    soak_sleep_ms(pause_ms);
    *broker = soak_broker_start(endpoint);
    shared->listening_at = soak_now_ns();
    wait_for(&shared->succeeded_at, 1, "no call succeeded");
    wait_for(&shared->sleeps_ended, shared->sleeps_wanted, "the sleeper's call had no outcome");
    soak_sleep_ms(SLEEP_MS); /* the handler ends meanwhile */
    return shared->succeeded_at - shared->listening_at;
}

static void print_outcomes(const struct shared *shared)
{
    printf("  outcomes:");
    for (int i = 0; i < STATUSES; i++) {
        if (shared->outcomes[i] > 0)
            printf(" %s=%llu", busbar_status_name((enum busbar_status)i), shared->outcomes[i]);
    }
    puts("");
}

/* What the worker says of itself when it ends. */
static unsigned long long stale_replies(struct soak_process *worker)
{
    unsigned long long stale = 0;
    close(worker->input);
    worker->input = -1;
    const char *told = soak_expect(worker, "replies=", END_MS);
    if (sscanf(told, "%*u stale=%llu", &stale) != 1)
        soak_die("the worker's counts: %s", told);
    soak_kill(worker, SIGTERM);
    return stale;
}

static int judge(const struct shared *shared, struct soak_samples *times, uint64_t limit_ms,
                 unsigned long long stale)
{
    char text[400];
    double longest = (double)soak_quantile(times, 1) / 1e6;
    bool good = shared->started == shared->finished && shared->unasked == 0 &&
                shared->sleeps_ok == 0 && stale == times->count && longest <= (double)limit_ms;
    soak_samples_print("listening to success", times);
    print_outcomes(shared);
    snprintf(text, sizeof text,
             "%zu restarts: %llu calls, %llu outcomes, %llu unasked; calls succeeded again within "
             "%.1f ms, at most %" PRIu64 "; %llu of %zu sleepers answered into the void, %llu "
             "replies of theirs arrived",
             times->count, shared->started, shared->finished, shared->unasked, longest, limit_ms,
             stale, times->count, shared->sleeps_ok);
    return soak_verdict("restart", good, text);
}

static struct shared *shared_new(void)
{
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        soak_die("out of memory");
    return shared;
}

int main(int argc, char **argv)
{
    (void)argc;
    uint64_t rounds = soak_option(argv, "--rounds", 10);
    uint64_t limit = soak_option(argv, "--limit", 1000);
    unsigned seed = (unsigned)soak_option(argv, "--seed", (uint64_t)time(NULL));
    struct plan plan = {.outstanding = soak_option(argv, "--outstanding", 50),
                        .shared = shared_new()};
    struct soak_samples *times = soak_samples_new(rounds);
    if (plan.outstanding > OUTSTANDING_MAX)
        soak_die("--outstanding is at most %d", OUTSTANDING_MAX);
    printf(" seed %u\n", seed);
    struct soak_broker broker = soak_broker_start(NULL);
    char endpoint[sizeof broker.endpoint];
    memcpy(endpoint, broker.endpoint, sizeof endpoint);
    plan.endpoint = endpoint;
    struct soak_process echo = soak_worker_start(&(struct soak_worker){endpoint, echo_service});
    struct soak_process sleeper = soak_worker_start(&(struct soak_worker){endpoint, sleep_service});
    struct soak_process client = soak_fork(client_run, &plan);
    for (uint64_t i = 0; i < rounds; i++) {
        soak_sleep_ms(SETTLE_MS);
        unsigned pause = (unsigned)rand_r(&seed) % PAUSE_MAX_MS;
        uint64_t time = restart_once(&broker, plan.shared, pause);
        soak_samples_add(times, time);
        printf(" restart %" PRIu64 " of %" PRIu64
               ": %u ms without a broker, success after %.1f ms\n",
               i + 1, rounds, pause, (double)time / 1e6);
        fflush(stdout);
    }
    if (soak_join(&client, END_MS) != 0)
        soak_die("the client failed");
    unsigned long long stale = stale_replies(&sleeper);
    soak_kill(&echo, SIGTERM);
    soak_kill(&broker.process, SIGTERM);
    return judge(plan.shared, times, limit, stale);
}
