/* Applications that run: an embedded broker, exports that come and go, signals, the log. */
#include <busbar/app.h>

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/app_rig.h"

#define EMBED "broker: {embed: \"tcp://127.0.0.1:*\"}\n"

static const char together[] = EMBED
    "objects:\n"
    "  up: " RIG_LIBRARY("ceil") "\n"
                                 "  down: " RIG_LIBRARY("floor") "\n"
                                                                 "  service: {proxy: Up}\n"
                                                                 "exports:\n"
                                                                 "- {name: Up, object: up}\n"
                                                                 "- {name: Down, object: down}\n";

/* Promises 8, 14: broker, exports and proxy in one process and one file. */
static void one_process_holds_broker_exports_and_proxy(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(together);
    assert_non_null(strstr(busbar_app_broker(app), "tcp://127.0.0.1:"));
    assert_null(strchr(busbar_app_broker(app), '*'));
    assert_true(rig_call(busbar_app_object(app, "service"), 1.5) == 2);
    assert_true(rig_call(busbar_app_object(app, "down"), 1.5) == 1);
    assert_true(rig_call_service(app, "Down", 1.5) == 1);
}

static void what_was_read_is_started_later(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read(together);
    assert_int_equal(busbar_app_start(app), BUSBAR_OK);
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    assert_true(rig_call(busbar_app_object(app, "service"), 1.5) == 2);
}

/* Promise 5, and the words of busbar_app_export about applications that run. */
static void exports_come_and_go_while_it_runs(void **state)
{
    (void)state;
    const struct busbar_export more = {.name = "More", .object = "down"};
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(together);
    assert_int_equal(busbar_app_export(app, &more), BUSBAR_OK);
    double result = 0;
    for (int i = 0; i < 200 && !(result == 2); i++) {
        result = rig_call_service(app, "More", 2.5);
        usleep(10000);
    }
    assert_true(result == 2);
    assert_int_equal(busbar_app_unexport(app, "More"), BUSBAR_OK);
    assert_int_equal(busbar_app_unexport(app, "Up"), BUSBAR_OK);
    for (int i = 0; i < 200 && busbar_last_status() != BUSBAR_NO_SERVICE; i++) {
        (void)!rig_call_service(app, "Up", 1.5);
        usleep(10000);
    }
    assert_int_equal(busbar_last_status(), BUSBAR_NO_SERVICE);
    assert_true(rig_call_service(app, "Down", 1.5) == 1);
}

/* Promise 12. */
static void it_starts_without_its_broker(void **state)
{
    (void)state;
    rig_capture();
    uint64_t before = clock_ms();
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load("broker: tcp://127.0.0.1:1\nobjects:\n  up: " RIG_LIBRARY(
        "ceil") "\nexports: [{name: Up, object: up}]\n");
    uint64_t took = clock_ms() - before;
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_true(took >= 900 && took < 20000);
    assert_non_null(strstr(log, " warning exports not all are registered within 1000 ms"));
    assert_string_equal(busbar_app_broker(app), "tcp://127.0.0.1:1");
}

static void nothing_is_left_when_the_broker_cannot_be_embedded(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *first = rig_load(EMBED);
    struct busbar_app *second = NULL;
    char text[200];
    snprintf(text, sizeof text, "broker: {embed: \"%s\"}\n", busbar_app_broker(first));
    rig_write("f", text);
    assert_int_not_equal(busbar_app_load(&second, "f"), BUSBAR_OK);
    assert_non_null(strstr(busbar_last_error(), busbar_app_broker(first)));
    assert_null(second);
}

/* Signals ------------------------------------------------------------------------------------- */

static void *stop_later(void *app)
{
    usleep(50000);
    busbar_app_stop(app);
    return NULL;
}

static void former_handler(int number)
{
    (void)number;
}

static void it_runs_until_it_is_stopped(void **state)
{
    (void)state;
    pthread_t thread;
    struct sigaction now;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(together);
    struct sigaction former = {.sa_handler = former_handler};
    assert_int_equal(sigaction(SIGHUP, &former, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_later, app), 0);
    assert_int_equal(busbar_app_run(app), BUSBAR_OK);
    pthread_join(thread, NULL);
    sigaction(SIGHUP, NULL, &now);
    assert_ptr_equal(now.sa_handler, former_handler);
    sigaction(SIGTERM, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    (void)!rig_call_service(app, "Up", 1.5);
    assert_int_equal(busbar_last_status(), BUSBAR_NO_SERVICE);
    assert_true(rig_call(busbar_app_object(app, "up"), 1.5) == 2);
    assert_int_equal(busbar_app_run(app), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_ARGUMENT);
}

static void a_stop_before_it_runs_counts(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(together);
    busbar_app_stop(app);
    assert_int_equal(busbar_app_run(app), BUSBAR_OK);
}

static void *signal_later(void *number)
{
    usleep(50000);
    kill(getpid(), *(int *)number);
    return NULL;
}

static void the_signals_of_an_end_stop_it(void **state)
{
    (void)state;
    int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        pthread_t thread;
        CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(together);
        assert_int_equal(pthread_create(&thread, NULL, signal_later, &numbers[i]), 0);
        assert_int_equal(busbar_app_run(app), BUSBAR_OK);
        pthread_join(thread, NULL);
    }
}

/* A call that takes longer than any test: only a second signal ends the process then. */
static void *call_for_long(void *app)
{
    struct busbar_value *value = NULL;
    (void)!busbar_call(busbar_app_object(app, "long"), "run", &value, "");
    return NULL;
}

static void sleep_in_child(void)
{
    pthread_t thread;
    struct busbar_app *app = NULL;
    rig_write("f", EMBED "objects:\n"
                         "  sleeper:\n"
                         "    command: [sh, -c, \"touch begun; sleep 8\"]\n"
                         "    functions: {run: \">\"}\n"
                         "  long: {proxy: {service: Sleep, timeout: 30s}}\n"
                         "exports: [{name: Sleep, object: sleeper}]\n");
    if (busbar_app_load(&app, "f") != BUSBAR_OK ||
        pthread_create(&thread, NULL, call_for_long, app) != 0)
        _exit(1);
    (void)!busbar_app_run(app);
    _exit(2);
}

static void a_second_signal_ends_the_process(void **state)
{
    (void)state;
    int code = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        sleep_in_child();
    for (int i = 0; i < 1000 && access("begun", F_OK) != 0; i++)
        usleep(20000);
    usleep(300000);
    assert_int_equal(kill(pid, SIGTERM), 0);
    usleep(300000);
    assert_int_equal(waitpid(pid, &code, WNOHANG), 0);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &code, 0), pid);
    assert_true(WIFSIGNALED(code));
    assert_int_equal(WTERMSIG(code), SIGTERM);
}

static void one_application_runs_at_a_time(void **state)
{
    (void)state;
    pthread_t thread;
    CLEANUP(busbar_app_destroy) struct busbar_app *one = rig_load("");
    CLEANUP(busbar_app_destroy) struct busbar_app *other = rig_load("");
    assert_int_equal(pthread_create(&thread, NULL, (void *(*)(void *))(void *)busbar_app_run, one),
                     0);
    usleep(200000);
    busbar_app_stop(other);
    assert_int_equal(busbar_app_run(other), BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), "another application"));
    busbar_app_stop(one);
    pthread_join(thread, NULL);
    assert_int_equal(busbar_app_run(other), BUSBAR_OK);
}

/* The log ------------------------------------------------------------------------------------- */

static void assert_in_order(const char *text, const char *const *parts)
{
    const char *at = text;
    for (size_t i = 0; parts[i] != NULL; i++) {
        const char *found = strstr(at, parts[i]);
        if (found == NULL)
            fail_msg("not there, or not in order: %s\nin:\n%s", parts[i], text);
        else
            at = found + strlen(parts[i]);
    }
}

/* Promise 18. */
static void debug_shows_each_step(void **state)
{
    (void)state;
    static const char *const steps[] = {
        " debug config f read\n",
        " debug config over.yaml read, as an overlay\n",
        " debug objects up found: library, f:4:3\n",
        " debug objects up created\n",
        " debug objects all found: pool, f:5:3\n",
        " debug objects all created\n",
        " debug exports Up found: object all, f:7:3\n",
        " debug objects all has the member up\n",
        " broker ",
        " exports ",
        "Up",
        " debug exports all are registered\n",
        " info config started: 2 objects, 1 exports\n",
        NULL,
    };
    rig_write("over.yaml", "log: debug\n");
    rig_capture();
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(
        EMBED "overlay: over.yaml\n"
              "objects:\n  up: " RIG_LIBRARY("ceil") "\n"
                                                     "  all: {pool: [up]}\nexports:\n"
                                                     "- {name: Up, object: all}\n");
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_in_order(log, steps);
    assert_non_null(strstr(log, "thread"));
    assert_non_null(strstr(log, busbar_app_broker(app)));
}

static void levels_are_each_components_own(void **state)
{
    (void)state;
    rig_capture();
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(
        "log: {objects: debug}\nobjects:\n  up: " RIG_LIBRARY("ceil") "\n");
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_non_null(app);
    assert_non_null(strstr(log, " debug objects up created\n"));
    assert_null(strstr(log, " config "));
}

static void the_variable_comes_before_file_and_code(void **state)
{
    (void)state;
    setenv("BUSBAR_LOG", "off,objects=info,pools=debug", 1);
    rig_capture();
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load("log: debug\n");
    assert_int_equal(busbar_app_set_log(app, NULL, "debug"), BUSBAR_OK);
    CLEANUP(cleanup_free) char *log = rig_captured();
    CLEANUP(cleanup_free) char *dump = rig_dump(app);
    assert_string_equal(log, "");
    assert_non_null(strstr(dump, "log:\n  config: \"off\"\n  objects: info\n  exports: \"off\"\n"
                                 "  broker: \"off\"\n  pools: debug\n"));
}

static void a_wrong_variable_is_warned_of(void **state)
{
    (void)state;
    setenv("BUSBAR_LOG", "info,object=debug", 1);
    rig_capture();
    CLEANUP(busbar_app_destroy) struct busbar_app *app = NULL;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_non_null(strstr(log, " warning config BUSBAR_LOG should be as in \"debug\" or "
                                "\"info,objects=debug\", not \"info,object=debug\"\n"));
}

/* Promise 20, seen from outside; the pool outlives its application. */
static void the_log_tells_of_members_set_aside(void **state)
{
    (void)state;
    rig_capture();
    struct busbar_app *app = rig_load(
        "broker: tcp://127.0.0.1:1\nobjects:\n  far: {proxy: Nobody}\n  near: " RIG_LIBRARY(
            "ceil") "\n  all: {pool: [far, near]}\n");
    struct busbar_object *pool = busbar_object_ref(busbar_app_object(app, "all"));
    double result = rig_call(pool, 1.5);
    busbar_app_destroy(&app);
    (void)!rig_call(pool, 1.5);
    busbar_object_destroy(&pool);
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_true(result == 2);
    assert_non_null(strstr(log, " warning pools all: far is set aside: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(a_second_signal_ends_the_process), /* before there are threads here to fork */
        TEST(one_process_holds_broker_exports_and_proxy),
        TEST(what_was_read_is_started_later),
        TEST(exports_come_and_go_while_it_runs),
        TEST(it_starts_without_its_broker),
        TEST(nothing_is_left_when_the_broker_cannot_be_embedded),
        TEST(it_runs_until_it_is_stopped),
        TEST(a_stop_before_it_runs_counts),
        TEST(the_signals_of_an_end_stop_it),
        TEST(one_application_runs_at_a_time),
        TEST(debug_shows_each_step),
        TEST(levels_are_each_components_own),
        TEST(the_variable_comes_before_file_and_code),
        TEST(a_wrong_variable_is_warned_of),
        TEST(the_log_tells_of_members_set_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
