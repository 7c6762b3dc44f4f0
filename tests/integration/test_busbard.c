/* The program busbard from outside: options, configuration, exit codes, signals, readiness. */
#include "tests/kit/kit.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    ARGUMENTS_MAX = 12,
    WAIT_MS = 20000, /* for anything to happen, on a machine that has other work */
};

static const char ready[] = "broker_ready endpoint=";

/* Options ------------------------------------------------------------------------------------- */

static void wrong_options_are_refused_in_one_line(void **state)
{
    static const struct {
        const char *arguments[ARGUMENTS_MAX];
        const char *error;
    } rows[] = {
        {{"--foo"}, "unknown option --foo; see busbard --help\n"},
        {{"-x"}, "unknown option -x; see busbard --help\n"},
        {{"--check=5"}, "unknown option --check=5; see busbard --help\n"},
        {{"--bind"}, "a value must follow --bind; see busbard --help\n"},
        {{"--config"}, "a value must follow --config; see busbard --help\n"},
        {{"x.yaml"}, "unexpected argument x.yaml; see busbard --help\n"},
        {{"--check", "--", "y"}, "unexpected argument y; see busbard --help\n"},
        {{"--bind", "foo"},
         "bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"foo\"\n"},
        {{"--bind", ""}, "bind must be tcp://HOST:PORT, ipc://PATH or inproc://NAME, not \"\"\n"},
        {{"--bind", "tcp://*:7801"},
         "other machines could connect to \"tcp://*:7801\", and without encryption; bind a "
         "loopback address such as 127.0.0.1, or say allow_plaintext: true in the file that "
         "--config names\n"},
        {{"--log-level", "loud"},
         "the log level must be error, warning, info or debug, not \"loud\"\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *argv[ARGUMENTS_MAX + 2] = {"busbard"};
        memcpy(argv + 1, rows[i].arguments, sizeof rows[i].arguments);
        struct kit_process *busbard = kit_run_command(*state, &(struct kit_command){.argv = argv});
        KIT_CODE(busbard, 2);
        assert_memory_equal(busbard->err, "busbard: ", strlen("busbard: "));
        assert_string_equal(busbard->err + strlen("busbard: "), rows[i].error);
        assert_string_equal(busbard->out, "");
    }
}

static void help_and_version_go_to_stdout(void **state)
{
    struct kit_process *help = kit_run(*state, "busbard", "--help", NULL);
    KIT_CODE(help, 0);
    assert_memory_equal(help->out, "usage: busbard ", strlen("usage: busbard "));
    struct kit_process *version = kit_run(*state, "busbard", "--bind", "nonsense", "--version",
                                          NULL);
    KIT_CODE(version, 0);
    assert_string_equal(version->out, "busbard " BUSBAR_VERSION "\n");
    assert_string_equal(version->err, "");
}

/* Configuration ------------------------------------------------------------------------------- */

static void every_error_of_a_broken_file_is_printed_and_nothing_starts(void **state)
{
    static const char *const extra[] = {NULL, "--check", "--dump"};
    char expected[1024];
    const char *path = kit_file(
        *state, "broken.yaml",
        "bind: tcp://127.0.0.1:*\natempts: 1\nattempts: 9\nlog: {level: loud}\n");
    snprintf(expected, sizeof expected,
             "%s:2:1: unknown key \"atempts\" in the file; did you mean \"attempts\"?\n"
             "%s:3:11: attempts must be a whole number from 1 to 3, not \"9\"\n"
             "%s:4:14: log.level must be error, warning, info or debug, not \"loud\"\n",
             path, path, path);
    for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
        struct kit_process *busbard = kit_run(*state, "busbard", "--config", path, extra[i], NULL);
        KIT_CODE(busbard, 2);
        assert_string_equal(busbard->err, expected);
        assert_string_equal(busbard->out, "");
    }
}

static void a_file_that_is_missing_is_named(void **state)
{
    struct kit_process *busbard = kit_run(*state, "busbard", "--config", "/nonexistent", NULL);
    KIT_CODE(busbard, 2);
    assert_string_equal(busbard->err, "/nonexistent: cannot be read: No such file or directory\n");
}

static void the_annotated_file_is_checked_in_silence(void **state)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/configs/broker.yaml", kit_source());
    struct kit_process *busbard = kit_run(*state, "busbard", "--check", "--config", path, NULL);
    KIT_CODE(busbard, 0);
    assert_string_equal(busbard->err, "");
    assert_string_equal(busbard->out, "");
}

static void a_dump_is_a_configuration_again(void **state)
{
    struct kit_process *first = kit_run(*state, "busbard", "--dump", "--bind", "ipc:///tmp/a b",
                                        "--bind", "tcp://[::1]:*", "--log-level", "debug", NULL);
    KIT_CODE(first, 0);
    KIT_CONTAINS(first->out, "\n  - \"ipc:///tmp/a b\"\n");
    KIT_CONTAINS(first->out, "\n  level: debug\n");
    const char *path = kit_file(*state, "dump.yaml", first->out);
    struct kit_process *second = kit_run(*state, "busbard", "--config", path, "--dump", NULL);
    KIT_CODE(second, 0);
    assert_string_equal(second->out, first->out);
}

static void a_configuration_can_come_from_stdin(void **state)
{
    static const char *const argv[] = {"busbard", "--config", "-", NULL};
    static const char input[] = "attempts: 9\n";
    struct kit_command command = {.argv = argv, .input = input, .input_size = sizeof input - 1};
    struct kit_process *busbard = kit_run_command(*state, &command);
    KIT_CODE(busbard, 2);
    assert_string_equal(busbard->err,
                        "stdin:1:11: attempts must be a whole number from 1 to 3, not \"9\"\n");
}

/* Running ------------------------------------------------------------------------------------- */

/* Copies the endpoint of the first ready line at or after `text`; returns what follows it. */
static const char *ready_endpoint(const char *text, char endpoint[128])
{
    const char *line = strstr(text, ready);
    assert_non_null(line);
    line += strlen(ready);
    size_t length = strcspn(line, "\n");
    assert_true(length < 128);
    memcpy(endpoint, line, length);
    endpoint[length] = '\0';
    return line + length;
}

static struct kit_process *start_anywhere(struct kit *kit, char endpoint[128])
{
    struct kit_process *busbard = kit_start(kit, "busbard", "--bind", "tcp://127.0.0.1:*", NULL);
    kit_wait_for_text(busbard, ready, WAIT_MS);
    ready_endpoint(busbard->err, endpoint);
    return busbard;
}

static void stop(struct kit_process *busbard, int number)
{
    assert_int_equal(kill(busbard->pid, number), 0);
    kit_wait(busbard, WAIT_MS);
    KIT_CODE(busbard, 0);
    assert_string_equal(busbard->out, "");
}

static void signals_end_it_cleanly(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    char endpoint[128];
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        stop(start_anywhere(*state, endpoint), numbers[i]);
}

static void each_bind_is_announced_with_its_real_endpoint(void **state)
{
    static const char tcp[] = "tcp://127.0.0.1:";
    struct kit *kit = *state;
    char bind[128];
    char first[128];
    char second[128];
    snprintf(bind, sizeof bind, "ipc://%s/socket", kit->directory);
    /* The file's endpoint is replaced; at this level only the ready lines are written. */
    const char *path = kit_file(kit, "replaced.yaml",
                                "bind: tcp://127.0.0.1:1\nlog: {level: error}\n");
    struct kit_process *busbard = kit_start(kit, "busbard", "--config", path, "--bind",
                                            "tcp://localhost:*", "--bind", bind, NULL);
    kit_wait_for_text(busbard, "/socket\n", WAIT_MS);
    const char *rest = ready_endpoint(busbard->err, first);
    ready_endpoint(rest, second);
    assert_memory_equal(first, tcp, strlen(tcp));
    assert_true(atoi(first + strlen(tcp)) > 0);
    assert_string_equal(second, bind);
    stop(busbard, SIGTERM);
    assert_null(strstr(busbard->err, "warning"));
}

static void a_port_in_use_is_named(void **state)
{
    char endpoint[128];
    char expected[256];
    struct kit_process *first = start_anywhere(*state, endpoint);
    struct kit_process *second = kit_run(*state, "busbard", "--bind", endpoint, NULL);
    KIT_CODE(second, 1);
    snprintf(expected, sizeof expected, "busbard: cannot bind %s: Address already in use\n",
             endpoint);
    assert_string_equal(second->err, expected);
    stop(first, SIGTERM);
}

/* Nor is the file of an ipc endpoint taken from the broker that has it. */
static void an_ipc_endpoint_in_use_is_named_and_left_alone(void **state)
{
    struct kit *kit = *state;
    char bind[128];
    snprintf(bind, sizeof bind, "ipc://%s/socket", kit->directory);
    struct kit_process *first = kit_broker_at(kit, bind);
    struct kit_process *second = kit_run(kit, "busbard", "--bind", bind, NULL);
    KIT_CODE(second, 1);
    KIT_CONTAINS(second->err, "Address already in use");
    KIT_CODE(kit_run(kit, "busbar", "services", NULL), 0);
    kit_kill(first, SIGKILL);
    kit_wait(first, WAIT_MS);
    stop(kit_broker_at(kit, bind), SIGTERM); /* the file that is left behind is no hindrance */
}

/* In a network namespace of its own, so that no port is really open to anyone. */
static void an_open_endpoint_needs_leave_and_is_warned_of(void **state)
{
    if (kit_run(*state, "unshare", "-n", "true", NULL)->code != 0)
        skip();
    char program[4096];
    const char *path = kit_file(*state, "open.yaml",
                                "bind: tcp://0.0.0.0:*\nallow_plaintext: true\n");
    snprintf(program, sizeof program, "%s/busbard", kit_build());
    struct kit_process *busbard = kit_start(*state, "unshare", "-n", program, "--config", path,
                                            NULL);
    kit_wait_for_text(busbard, "broker_ready endpoint=tcp://0.0.0.0:", WAIT_MS);
    KIT_CONTAINS(busbard->err, " warning plaintext_endpoint endpoint=tcp://0.0.0.0:");
    stop(busbard, SIGTERM);
}

/* The line of a file of /proc that starts with a word. */
static void proc_line(pid_t pid, const char *name, const char *word, char line[256])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, 256, file) != NULL && strncmp(line, word, strlen(word)) != 0) {
    }
    fclose(file);
}

static void it_takes_all_descriptors_and_ignores_broken_pipes(void **state)
{
    char script[4200];
    char line[256];
    char soft[32];
    char hard[32];
    snprintf(script, sizeof script, "ulimit -Sn 200; exec '%s/busbard' --bind 'tcp://127.0.0.1:*'",
             kit_build());
    struct kit_process *busbard = kit_start(*state, "sh", "-c", script, NULL);
    kit_wait_for_text(busbard, ready, WAIT_MS);
    proc_line(busbard->pid, "limits", "Max open files", line);
    assert_int_equal(sscanf(line, "Max open files %31s %31s", soft, hard), 2);
    assert_string_equal(soft, hard);
    proc_line(busbard->pid, "status", "SigIgn:", line);
    unsigned long long ignored = strtoull(line + strlen("SigIgn:"), NULL, 16);
    assert_int_equal(ignored >> (SIGPIPE - 1) & 1, 1);
    stop(busbard, SIGTERM);
}

/* Readiness ----------------------------------------------------------------------------------- */

/* A datagram socket of the name, which starts with @ if it is an abstract one. */
static int notify_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    assert_true(length < sizeof address.sun_path);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void assert_notified(int fd, const char *expected)
{
    char text[64] = "";
    struct pollfd item = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&item, 1, WAIT_MS), 1);
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, expected);
}

static struct kit_process *start_notifying(struct kit *kit, const char *name)
{
    static const char *const argv[] = {"busbard", "--bind", "tcp://127.0.0.1:*", NULL};
    char variable[128];
    snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", name);
    const char *const environment[] = {variable, NULL};
    return kit_start_command(kit, &(struct kit_command){.argv = argv, .environment = environment});
}

static void a_service_manager_is_told(void **state)
{
    struct kit *kit = *state;
    char path[96];
    char abstract[64];
    snprintf(path, sizeof path, "%s/notify", kit->directory);
    snprintf(abstract, sizeof abstract, "@busbard-test-%d", (int)getpid());
    const char *const names[] = {path, abstract};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        int fd = notify_socket(names[i]);
        struct kit_process *busbard = start_notifying(kit, names[i]);
        assert_notified(fd, "READY=1");
        stop(busbard, SIGTERM);
        assert_notified(fd, "STOPPING=1");
        close(fd);
    }
}

static void a_service_manager_that_is_gone_is_a_warning(void **state)
{
    struct kit_process *busbard = start_notifying(*state, "/nonexistent/notify");
    kit_wait_for_text(busbard, " warning notify_failed\n", WAIT_MS);
    stop(busbard, SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(wrong_options_are_refused_in_one_line),
        KIT_TEST(help_and_version_go_to_stdout),
        KIT_TEST(every_error_of_a_broken_file_is_printed_and_nothing_starts),
        KIT_TEST(a_file_that_is_missing_is_named),
        KIT_TEST(the_annotated_file_is_checked_in_silence),
        KIT_TEST(a_dump_is_a_configuration_again),
        KIT_TEST(a_configuration_can_come_from_stdin),
        KIT_TEST(signals_end_it_cleanly),
        KIT_TEST(each_bind_is_announced_with_its_real_endpoint),
        KIT_TEST(a_port_in_use_is_named),
        KIT_TEST(an_ipc_endpoint_in_use_is_named_and_left_alone),
        KIT_TEST(an_open_endpoint_needs_leave_and_is_warned_of),
        KIT_TEST(it_takes_all_descriptors_and_ignores_broken_pipes),
        KIT_TEST(a_service_manager_is_told),
        KIT_TEST(a_service_manager_that_is_gone_is_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
