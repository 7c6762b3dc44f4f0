/* A broker inside the process: found, started on a thread that takes no signals, logged, ended. */
#include "app/embed.h"

#include <busbar/client.h>
#include <busbar/object.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/log.h"
#include "base/cleanup.h"

enum {
    TEXT_SIZE = 8192,
    ROUNDS = 20,
};

static enum busbar_status call_bus(const char *endpoint)
{
    CLEANUP(busbar_client_destroy) struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = endpoint, .timeout_ms = 20000};
    const struct busbar_call call = {.service = "bus", .method = "list"};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    return busbar_client_call(client, &call, NULL);
}

static struct embed *embed_at(const char *endpoint, struct app_log *log)
{
    struct embed *embed = NULL;
    app_log_init(log);
    if (embed_start(&embed, &(struct embed_place){.endpoint = endpoint}, log) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return embed;
}

static void endpoints_that_cannot_be_embedded_are_told_what_they_should_be(void **state)
{
    static const struct {
        const char *endpoint;
        const char *expected; /* NULL: it can be */
    } rows[] = {
        {"tcp://127.0.0.1:7766", NULL},
        {"tcp://127.0.0.1:*", NULL},
        {"tcp://[::1]:7766", NULL},
        {"ipc:///run/bus", NULL},
        {"inproc://bus", "inproc reaches nobody"},
        {"tcp://", "tcp://HOST:PORT"},
        {"tcp://127.0.0.1", "tcp://HOST:PORT"},
        {"tcp://127.0.0.1:", "tcp://HOST:PORT"},
        {"ipc://", "ipc://PATH"},
        {"tcp://127.0.0.1:99999", "a port from 1 to 65535"},
        {"ipc:///0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789",
         "1 to 107 bytes"},
        {"", "tcp://HOST:PORT"},
        {"here", "tcp://HOST:PORT"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *expected = embed_check(rows[i].endpoint);
        if ((expected == NULL) != (rows[i].expected == NULL) ||
            (expected != NULL && strstr(expected, rows[i].expected) == NULL))
            fail_msg("%s: %s", rows[i].endpoint, expected == NULL ? "can be" : expected);
    }
}

static void clients_can_connect_when_start_returns(void **state)
{
    struct app_log log;
    struct embed *embed = embed_at("tcp://127.0.0.1:*", &log);
    (void)state;
    assert_null(strchr(embed_endpoint(embed), '*'));
    assert_int_equal(call_bus(embed_endpoint(embed)), BUSBAR_OK);
    embed_stop(&embed);
    assert_null(embed);
    embed_stop(&embed);
}

static void a_broker_is_started_and_ended_many_times(void **state)
{
    struct app_log log;
    char endpoint[128] = "tcp://127.0.0.1:*";
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        struct embed *embed = embed_at(endpoint, &log);
        snprintf(endpoint, sizeof endpoint, "%s", embed_endpoint(embed));
        embed_stop(&embed);
    }
}

static void two_brokers_live_side_by_side(void **state)
{
    struct app_log log;
    struct embed *one = embed_at("tcp://127.0.0.1:*", &log);
    struct embed *two = embed_at("tcp://127.0.0.1:*", &log);
    (void)state;
    assert_string_not_equal(embed_endpoint(one), embed_endpoint(two));
    embed_stop(&one);
    assert_int_equal(call_bus(embed_endpoint(two)), BUSBAR_OK);
    embed_stop(&two);
}

static void an_endpoint_in_use_is_an_error_that_names_it(void **state)
{
    struct app_log log;
    struct embed *embed = embed_at("tcp://127.0.0.1:*", &log);
    struct embed *second = NULL;
    (void)state;
    assert_int_equal(
        embed_start(&second, &(struct embed_place){.endpoint = embed_endpoint(embed)}, &log),
        BUSBAR_SYSTEM);
    assert_null(second);
    assert_int_equal(busbar_last_status(), BUSBAR_SYSTEM);
    assert_non_null(strstr(busbar_last_error(), embed_endpoint(embed)));
    assert_non_null(strstr(busbar_last_error(), "in use"));
    embed_stop(&embed);
}

static void wrong_endpoints_are_refused(void **state)
{
    struct app_log log;
    struct embed *embed = NULL;
    (void)state;
    app_log_init(&log);
    assert_int_equal(embed_start(&embed, &(struct embed_place){.endpoint = "inproc://bus"}, &log),
                     BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), "inproc://bus"));
    assert_int_equal(
        embed_start(&embed, &(struct embed_place){.endpoint = "tcp://0.0.0.0:*"}, &log),
        BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), "other machines could connect"));
    assert_null(embed);
}

static void where_others_can_connect_it_is_embedded_if_that_is_allowed(void **state)
{
    struct app_log log;
    struct embed *embed = NULL;
    (void)state;
    app_log_init(&log);
    assert_true(app_log_set(&log, NULL, "off"));
    const struct embed_place open = {"tcp://0.0.0.0:*", true};
    if (embed_start(&embed, &open, &log) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    embed_stop(&embed);
}

static atomic_int signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

/* A signal for the process waits while this thread blocks it: no other thread takes it. */
static void its_threads_take_no_signals(void **state)
{
    struct app_log log;
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    sigset_t set;
    struct embed *embed = embed_at("tcp://127.0.0.1:*", &log);
    (void)state;
    sigaction(SIGUSR1, &action, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    usleep(50000);
    assert_int_equal(signals, 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    assert_int_equal(signals, 1);
    sigaction(SIGUSR1, &before, NULL);
    embed_stop(&embed);
}

/* Runs it with stderr in a file, and returns what was written. */
static void logged(char text[TEXT_SIZE], enum app_level level)
{
    struct app_log log;
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    app_log_init(&log);
    assert_true(app_log_set(&log, "broker", app_level_name(level)));
    struct embed *embed = NULL;
    enum busbar_status status = embed_start(
        &embed, &(struct embed_place){.endpoint = "tcp://127.0.0.1:*"}, &log);
    embed_stop(&embed);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(status, BUSBAR_OK);
    rewind(file);
    text[fread(text, 1, TEXT_SIZE - 1, file)] = '\0';
    fclose(file);
}

static void its_events_are_in_the_log_at_their_levels(void **state)
{
    char text[TEXT_SIZE];
    (void)state;
    unsetenv("BUSBAR_LOG");
    logged(text, APP_INFO);
    assert_non_null(strstr(text, "info broker broker_ready endpoint=tcp://127.0.0.1:"));
    assert_non_null(strstr(text, "info broker broker_stopped"));
    assert_null(strstr(text, "debug"));
    logged(text, APP_DEBUG);
    assert_non_null(strstr(text, "debug broker the thread of the broker at"));
    logged(text, APP_WARNING);
    assert_string_equal(text, "");
}

static void stopping_it_in_a_child_of_a_fork_does_nothing(void **state)
{
    struct app_log log;
    int status = 0;
    struct embed *embed = embed_at("tcp://127.0.0.1:*", &log);
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        embed_stop(&embed);
        _exit(embed == NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(call_bus(embed_endpoint(embed)), BUSBAR_OK);
    embed_stop(&embed);
}

/* A copy of this program, where the library is not beside it. */
static void a_library_that_is_nowhere_is_an_error_that_names_both_tries(void **state)
{
    char directory[] = "/tmp/busbar-XXXXXX";
    char command[512];
    char text[TEXT_SIZE];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(command, sizeof command,
             "cp /proc/%d/exe %s/alone && LD_LIBRARY_PATH= %s/alone --alone; rm -r %s",
             (int)getpid(), directory, directory, directory);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    text[fread(text, 1, sizeof text - 1, out)] = '\0';
    pclose(out);
    if (strcmp(text, "started\n") == 0)
        skip(); /* this machine has one installed */
    if (strstr(text, "cannot embed a broker at tcp://127.0.0.1:*") == NULL ||
        strstr(text, directory) == NULL || strstr(text, "by its name alone") == NULL)
        fail_msg("%s", text);
}

static int embed_alone(void)
{
    struct app_log log;
    struct embed *embed = NULL;
    app_log_init(&log);
    bool started = embed_start(&embed, &(struct embed_place){.endpoint = "tcp://127.0.0.1:*"},
                               &log) == BUSBAR_OK;
    puts(started ? "started" : busbar_last_error());
    embed_stop(&embed);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_that_cannot_be_embedded_are_told_what_they_should_be),
        cmocka_unit_test(clients_can_connect_when_start_returns),
        cmocka_unit_test(a_broker_is_started_and_ended_many_times),
        cmocka_unit_test(two_brokers_live_side_by_side),
        cmocka_unit_test(an_endpoint_in_use_is_an_error_that_names_it),
        cmocka_unit_test(wrong_endpoints_are_refused),
        cmocka_unit_test(where_others_can_connect_it_is_embedded_if_that_is_allowed),
        cmocka_unit_test(its_threads_take_no_signals),
        cmocka_unit_test(its_events_are_in_the_log_at_their_levels),
        cmocka_unit_test(stopping_it_in_a_child_of_a_fork_does_nothing),
        cmocka_unit_test(a_library_that_is_nowhere_is_an_error_that_names_both_tries),
    };
    if (argc == 2 && strcmp(argv[1], "--alone") == 0)
        return embed_alone();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
