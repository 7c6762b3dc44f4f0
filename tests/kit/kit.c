/* The frame of a test, its broker, clocks and measures. */
#include "tests/kit/kit.h"

#include <ctype.h>
#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <busbar/client.h>

#include "tests/kit/internal.h"

int kit_setup(void **state)
{
    struct kit *kit = calloc(1, sizeof *kit);
    if (kit == NULL)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    snprintf(kit->directory, sizeof kit->directory, "/tmp/busbar-test-XXXXXX");
    *state = kit;
    return mkdtemp(kit->directory) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *state, int type, struct FTW *place)
{
    (void)state;
    (void)type;
    (void)place;
    return remove(path);
}

int kit_teardown(void **state)
{
    struct kit *kit = *state;
    if (kit->doing != NULL)
        print_error("it was about: %s\n", kit->doing);
    kit_end_peers(kit);
    kit_end_majordomos(kit);
    bool fault = kit_end_processes(kit);
    nftw(kit->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(kit->endpoint);
    free(kit);
    return fault ? -1 : 0;
}

uint64_t kit_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void kit_sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

bool kit_is_sanitized(void)
{
    const char *sanitizer = getenv("BUSBAR_SANITIZE");
    return sanitizer != NULL && *sanitizer != '\0';
}

unsigned kit_time(unsigned ms)
{
    return kit_is_sanitized() ? ms * 5 : ms;
}

size_t kit_rss_kib(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t all = 0, resident = 0;
    assert_int_equal(fscanf(file, "%zu %zu", &all, &resident), 2);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

/* Is the text within the command line, in one of its words? */
static bool is_in_command_line(const char *pid, const char *text)
{
    char path[300], line[4096];
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t size = fread(line, 1, sizeof line, file);
    fclose(file);
    return memmem(line, size, text, strlen(text)) != NULL;
}

size_t kit_count_processes(const char *text)
{
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        count += isdigit((unsigned char)entry->d_name[0]) &&
                 is_in_command_line(entry->d_name, text);
    closedir(processes);
    return count;
}

/* Waits for the line a broker says when it listens, and keeps the endpoint that it names. */
static struct kit_process *wait_for_broker(struct kit *kit, struct kit_process *broker)
{
    static const char mark[] = "broker_ready endpoint=";
    kit_wait_for_text(broker, mark, KIT_RUN_MS);
    /* The line may have been read before it was whole. */
    const char *found = strstr(broker->err, mark);
    while (found == NULL || strchr(found, '\n') == NULL) {
        kit_sleep_ms(1);
        kit_read(broker);
        found = strstr(broker->err, mark);
    }
    found += sizeof mark - 1;
    free(kit->endpoint);
    kit->endpoint = strndup(found, strcspn(found, " \t\n"));
    return broker;
}

struct kit_process *kit_broker(struct kit *kit, ...)
{
    const char *argv[64] = {"busbard", "--bind", "tcp://127.0.0.1:*"};
    size_t count = 3;
    va_list list;
    va_start(list, kit);
    do
        argv[count] = va_arg(list, const char *);
    while (argv[count++] != NULL && count < 63);
    va_end(list);
    return wait_for_broker(kit, kit_start_command(kit, &(struct kit_command){.argv = argv}));
}

struct kit_process *kit_broker_at(struct kit *kit, const char *endpoint)
{
    return wait_for_broker(kit, kit_start(kit, "busbard", "--bind", endpoint, NULL));
}

void kit_contains(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part) == NULL) {
        print_error("\"%s\" is not in:\n%s\n", part, text);
        _fail(file, line);
    }
}

void kit_code(struct kit_process *process, int expected, const char *file, int line)
{
    if (process->code != expected) {
        print_error("%s ended with %d, not %d; it said:\n%s%s\n", process->name, process->code,
                    expected, process->out, process->err);
        _fail(file, line);
    }
}

/* Follows a dotted name through maps. */
static const struct busbar_value *find_counter(const struct busbar_value *map, const char *name)
{
    while (map != NULL) {
        char part[128];
        size_t size = strcspn(name, ".");
        snprintf(part, sizeof part, "%.*s", (int)size, name);
        map = busbar_value_get(map, part);
        if (name[size] == '\0')
            break;
        name += size + 1;
    }
    return map;
}

uint64_t kit_counter(struct kit *kit, const char *name)
{
    const struct busbar_client_options options = {.broker = kit->endpoint};
    const struct busbar_call call = {.service = "bus", .method = "stats"};
    struct busbar_client *client = NULL;
    struct busbar_reply *reply = NULL;
    struct busbar_value *stats = NULL;
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    assert_int_equal(busbar_client_call(client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_value(reply, &stats), BUSBAR_OK);
    const struct busbar_value *counter = find_counter(stats, name);
    if (counter == NULL)
        fail_msg("no counter %s", name);
    uint64_t value = busbar_value_as_uint64(counter);
    busbar_value_destroy(&stats);
    busbar_reply_destroy(&reply);
    busbar_client_destroy(&client);
    return value;
}

void kit_expect_small(pid_t broker, size_t before)
{
    size_t now = kit_rss_kib(broker);
    if (!kit_is_sanitized() && now > before + KIT_GROWTH_KIB)
        fail_msg("the broker grew from %zu to %zu KiB", before, now);
}

void kit_expect_alive(struct kit *kit, struct kit_process *broker)
{
    assert_true(kit_is_running(broker));
    KIT_CODE(kit_run(kit, "busbar", "services", NULL), 0);
}
