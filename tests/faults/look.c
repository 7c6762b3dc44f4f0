/* What a scene sees of its processes from outside: the broker's counters, and memory. */
#include <busbar/value.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/faults/scene.h"

enum {
    ANSWER_MS = 10000,
};

struct question {
    const char *broker;
    const char *name;
    uint64_t *answer; /* shared */
};

static int ask(const void *argument)
{
    const struct question *question = argument;
    const struct busbar_client_options options = {.broker = question->broker};
    const struct busbar_call call = {.service = "bus", .method = "stats"};
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    struct busbar_value *stats = NULL;
    if (busbar_client_new(&client, &options) != BUSBAR_OK ||
        busbar_client_call(client, &call, &reply) != BUSBAR_OK ||
        busbar_reply_value(reply, &stats) != BUSBAR_OK)
        return 1;
    const struct busbar_value *counter = busbar_value_get(stats, question->name);
    if (counter == NULL)
        return 1;
    *question->answer = busbar_value_as_uint64(counter);
    busbar_value_destroy(&stats);
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
    return 0;
}

uint64_t scene_counter(const struct scene *scene, const char *name)
{
    uint64_t *answer = mmap(NULL, sizeof *answer, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answer == MAP_FAILED)
        soak_die("out of memory");
    struct soak_process asking = soak_fork(
        ask, &(struct question){scene->broker.endpoint, name, answer});
    if (soak_join(&asking, ANSWER_MS) != 0)
        soak_die("the broker does not tell %s", name);
    uint64_t count = *answer;
    munmap(answer, sizeof *answer);
    return count;
}

/* A line of /proc/PID/status, in KiB. */
static size_t status_of(pid_t pid, const char *key)
{
    char path[64], line[256];
    size_t kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        soak_die("process %d is gone", (int)pid);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtoul(line + strlen(key), NULL, 10);
    }
    fclose(file);
    return kib;
}

size_t scene_rss_kib(pid_t pid)
{
    return status_of(pid, "VmRSS:");
}

size_t scene_peak_kib(pid_t pid)
{
    return status_of(pid, "VmHWM:");
}

void scene_peak_reset(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)pid);
    FILE *file = fopen(path, "we");
    if (file == NULL || fputs("5", file) < 0 || fclose(file) != 0)
        soak_die("the peak of process %d stays", (int)pid);
}

static bool is_sanitized(void)
{
    const char *sanitizer = getenv("BUSBAR_SANITIZE");
    return sanitizer != NULL && *sanitizer != '\0';
}

size_t scene_memory(size_t kib)
{
    return is_sanitized() ? kib * 100 : kib;
}

double scene_time(double ms)
{
    return is_sanitized() ? ms * 10 : ms;
}
