/* `busbar drain`: workers of a service get no more of its calls, and what they have may end. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/bus.h"
#include "cli/options.h"
#include "cli/report.h"

enum {
    TIMEOUT_MS = 60000,
    PAUSE_FIRST_MS = 20, /* between looks; doubles */
    PAUSE_MAX_MS = 500,
    TELL_FIRST_MS = 1000, /* until the first line about a wait */
    TELL_AGAIN_MS = 5000,
    SERVICE_SIZE = 128, /* a name that is longer is none */
};

/* What is drained, as the command line says it: SERVICE or SERVICE/WORKER. */
struct target {
    const char *text; /* the argument */
    char service[SERVICE_SIZE];
    int64_t worker; /* 0: all there are */
    bool undo;
};

struct drained {
    int64_t workers;
    int64_t running;
};

/* The numbers of the workers that are waited for. */
struct waited {
    int64_t *workers;
    size_t count;
};

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void pause_ms(uint64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static bool service_set(struct target *target, size_t size)
{
    if (size == 0 || size >= sizeof target->service)
        return false;
    snprintf(target->service, sizeof target->service, "%.*s", (int)size, target->text);
    return true;
}

/* As SERVICE/WORKER. */
static bool worker_read(struct target *target)
{
    char *end;
    const char *slash = strchr(target->text, '/');
    target->worker = strtoll(slash + 1, &end, 10);
    return slash[1] >= '1' && slash[1] <= '9' && *end == '\0' && target->worker < INT64_MAX &&
           service_set(target, (size_t)(slash - target->text));
}

static int report_target(const struct target *target)
{
    report("what is drained must be SERVICE or SERVICE/WORKER, WORKER a number, not \"%s\"",
           target->text);
    return EXIT_CLASS_USAGE;
}

/* The list that bus.drain takes. */
static enum busbar_status arguments_body(struct busbar_body *ret, const struct target *target)
{
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    struct busbar_value *items[] = {busbar_value_text(target->service),
                                    busbar_value_int64(target->worker),
                                    busbar_value_bool(!target->undo)};
    enum busbar_status status = list != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        if (status == BUSBAR_OK)
            status = busbar_value_append(list, &items[i]);
        else
            busbar_value_destroy(&items[i]);
    }
    return status == BUSBAR_OK ? busbar_body_value(ret, list) : status;
}

static enum busbar_status drain(struct busbar_client *client, const struct target *target,
                                struct drained *ret)
{
    struct busbar_call question = {.method = "drain"};
    CLEANUP(busbar_value_destroy) struct busbar_value *answer = NULL;
    enum busbar_status status = arguments_body(&question.body, target);
    if (status == BUSBAR_OK)
        status = bus_ask(client, &question, NULL, &answer);
    ret->workers = busbar_value_as_int64(busbar_value_get(answer, "workers"));
    ret->running = busbar_value_as_int64(busbar_value_get(answer, "running"));
    return status;
}

/* A service of Majordomo workers may have a slash in its name. BAD_ARGUMENT if it is neither such a
 * one nor SERVICE/WORKER. */
static enum busbar_status drain_first(struct busbar_client *client, struct target *target,
                                      struct drained *ret)
{
    enum busbar_status status = BUSBAR_NO_SERVICE;
    if (service_set(target, strlen(target->text)))
        status = drain(client, target, ret);
    if (status != BUSBAR_NO_SERVICE || strchr(target->text, '/') == NULL)
        return status;
    return worker_read(target) ? drain(client, target, ret) : BUSBAR_BAD_ARGUMENT;
}

/* Those that are drained now: others that come later are not, and nobody waits for them. */
static enum busbar_status waited_read(struct busbar_client *client, const struct target *target,
                                      struct waited *waited)
{
    const struct busbar_call question = {.method = "describe"};
    CLEANUP(busbar_value_destroy) struct busbar_value *answer = NULL;
    enum busbar_status status = bus_ask(client, &question, target->service, &answer);
    if (status == BUSBAR_NO_SERVICE)
        return BUSBAR_OK;
    const struct busbar_value *list = busbar_value_get(answer, "registrations");
    size_t count = busbar_value_count(list);
    waited->workers = calloc(count + 1, sizeof *waited->workers);
    if (waited->workers == NULL)
        return BUSBAR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct busbar_value *registration = busbar_value_at(list, i);
        int64_t worker = busbar_value_as_int64(busbar_value_get(registration, "worker"));
        if (busbar_value_as_bool(busbar_value_get(registration, "draining")) &&
            (target->worker == 0 || target->worker == worker))
            waited->workers[waited->count++] = worker;
    }
    return status;
}

/* How many calls the workers still have; those that are through, or gone, are waited for no more. */
static enum busbar_status waited_look(struct busbar_client *client, const struct target *target,
                                      struct waited *waited, int64_t *running)
{
    size_t kept = 0;
    *running = 0;
    for (size_t i = 0; i < waited->count; i++) {
        struct target one = *target;
        struct drained drained;
        one.worker = waited->workers[i];
        enum busbar_status status = drain(client, &one, &drained);
        if (status == BUSBAR_NO_SERVICE)
            continue;
        if (status != BUSBAR_OK)
            return status;
        *running += drained.running;
        if (drained.running > 0)
            waited->workers[kept++] = one.worker;
    }
    waited->count = kept;
    return BUSBAR_OK;
}

static void tell(const char *service, const struct waited *waited, int64_t running)
{
    report("%s: waiting for %" PRId64 " call%s of %zu drained worker%s", service, running,
           running == 1 ? "" : "s", waited->count, waited->count == 1 ? "" : "s");
}

/* Until nothing runs; TIMEOUT if something still does in the end. */
static enum busbar_status wait_for_end(struct busbar_client *client, const struct target *target,
                                       struct waited *waited, uint32_t timeout_ms)
{
    uint64_t begin = now_ms();
    uint64_t tell_at = begin + TELL_FIRST_MS;
    uint64_t pause = PAUSE_FIRST_MS;
    for (;;) {
        int64_t running;
        enum busbar_status status = waited_look(client, target, waited, &running);
        if (status != BUSBAR_OK || waited->count == 0)
            return status;
        uint64_t now = now_ms();
        if (now - begin >= timeout_ms) {
            report("%s: still %" PRId64 " call%s of drained workers after %" PRIu64
                   " ms; they stay drained",
                   target->service, running, running == 1 ? "" : "s", now - begin);
            return BUSBAR_TIMEOUT;
        }
        if (now >= tell_at) {
            tell(target->service, waited, running);
            tell_at = now + TELL_AGAIN_MS;
        }
        uint64_t left = timeout_ms - (now - begin);
        pause_ms(pause < left ? pause : left);
        pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
    }
}

static int wait_drained(struct busbar_client *client, const struct target *target,
                        uint32_t timeout_ms)
{
    struct waited waited = {0};
    enum busbar_status status = waited_read(client, target, &waited);
    if (status == BUSBAR_OK)
        status = wait_for_end(client, target, &waited, timeout_ms);
    free(waited.workers);
    if (status == BUSBAR_OK)
        return 0;
    return status == BUSBAR_TIMEOUT ? exit_code(status) : report_client(status, client);
}

static int run(const struct cli *cli, struct target *target, bool wait, uint32_t timeout_ms)
{
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    struct drained drained;
    int code = bus_connect(&client, cli, 0);
    if (code != 0)
        return code;
    enum busbar_status status = drain_first(client, target, &drained);
    if (status == BUSBAR_BAD_ARGUMENT)
        return report_target(target);
    if (status != BUSBAR_OK)
        return report_client(status, client);
    bool waits = wait && !target->undo && drained.running > 0;
    if (waits)
        code = wait_drained(client, target, timeout_ms);
    if (code != 0)
        return code;
    printf("%s: %" PRId64 " worker%s %s, %" PRId64 " running\n", target->service, drained.workers,
           drained.workers == 1 ? "" : "s", target->undo ? "in service again" : "drained",
           waits ? 0 : drained.running);
    return report_output();
}

int command_drain(struct cli *cli, int argc, char **argv)
{
    bool no_wait = false;
    uint32_t timeout_ms = TIMEOUT_MS;
    struct target target = {0};
    const struct option_row rows[] = {
        {"undo", OPTION_FLAG, &target.undo, NULL, "let the workers have calls again", 0, 0},
        {"no-wait", OPTION_FLAG, &no_wait, NULL, "do not wait for the calls they have", 0, 0},
        {"timeout", OPTION_TIME, &timeout_ms, "TIME", "how long to wait; 60s", 0, 0},
    };
    const struct options options = {
        .usage = "drain [OPTION…] SERVICE[/WORKER]",
        .text =
            "Takes the workers of a service out of it: they get no more of its calls, and those\n"
            "they have may end, which is waited for. WORKER is the number of one of them, as\n"
            "`busbar describe --json` shows it; without it, all that are there now. Calls that\n"
            "then have nobody to go to end as DRAINING.",
        .rows = rows,
        .count = ARRAY_SIZE(rows),
        .least = 1,
        .most = 1,
    };
    struct arguments arguments;
    int code = options_parse(&options, cli, argc, argv, &arguments);
    if (code != OPTIONS_GO_ON)
        return code;
    target.text = arguments.items[0];
    if (target.text[0] == '\0' ||
        (strchr(target.text, '/') == NULL && strlen(target.text) >= sizeof target.service))
        return report_target(&target);
    return run(cli, &target, !no_wait, timeout_ms);
}
