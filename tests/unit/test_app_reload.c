/* Reloading: what changes with the file, what stays, and that an error changes nothing. */
#include <busbar/app.h>

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/app_rig.h"

#define EMBED "broker: {embed: \"tcp://127.0.0.1:*\"}\n"
#define UP "  up: " RIG_LIBRARY("ceil") "\n"
#define DOWN "  down: " RIG_LIBRARY("floor") "\n"

static void reload(struct busbar_app *app, const char *text)
{
    rig_write("f", text);
    if (busbar_app_reload(app) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
}

/* Until a service gives the result, or NaN: nobody exports it any more. */
static bool comes_to(const struct busbar_app *app, const char *service, double expected)
{
    for (int i = 0; i < 300; i++) {
        double result = rig_call_service(app, service, 1.5);
        if (isnan(expected) ? busbar_last_status() == BUSBAR_NO_SERVICE : result == expected)
            return true;
        usleep(10000);
    }
    return false;
}

/* Promise 23 and the words of busbar_app_reload. */
static void exports_become_as_the_file_says(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP "exports:\n- {name: A, object: up}\n"
                                            "- {name: B, object: up}\n");
    assert_true(comes_to(app, "A", 2));
    reload(app, EMBED "objects:\n" UP DOWN "exports:\n- {name: B, object: down, version: 2}\n"
                      "- {name: C, object: up}\n");
    assert_true(comes_to(app, "A", NAN));
    assert_true(comes_to(app, "B", 1));
    assert_true(comes_to(app, "C", 2));
    reload(app, EMBED);
    assert_true(comes_to(app, "B", NAN));
    assert_true(comes_to(app, "C", NAN));
    reload(app, EMBED "objects:\n" UP "exports:\n- {name: A, object: up}\n");
    assert_true(comes_to(app, "A", 2));
}

static void the_first_export_may_come_by_a_reload(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(EMBED);
    reload(app, EMBED "objects:\n" UP "exports:\n- {name: A, object: up}\n");
    assert_true(comes_to(app, "A", 2));
}

static void unchanged_objects_stay_and_changed_ones_live_on(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP DOWN "  far: {proxy: A}\n");
    struct busbar_object *up = busbar_app_object(app, "up");
    struct busbar_object *down = busbar_app_object(app, "down");
    struct busbar_object *far = busbar_app_object(app, "far");
    reload(app, EMBED "objects:\n  far: {proxy: A}\n" UP "  down: " RIG_LIBRARY("sqrt") "\n");
    assert_ptr_equal(busbar_app_object(app, "up"), up);
    assert_ptr_equal(busbar_app_object(app, "far"), far);
    assert_ptr_not_equal(busbar_app_object(app, "down"), down);
    assert_true(rig_call(down, 4.5) == 4);
    assert_true(rig_call(busbar_app_object(app, "down"), 4) == 2);
    reload(app, EMBED);
    assert_null(busbar_app_object(app, "up"));
    assert_true(rig_call(up, 1.5) == 2);
    assert_true(rig_call(down, 4.5) == 4);
}

static void an_export_follows_its_object(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP "exports: [{name: A, object: up}]\n");
    assert_true(comes_to(app, "A", 2));
    reload(app,
           EMBED "objects:\n  up: " RIG_LIBRARY("floor") "\nexports: [{name: A, object: up}]\n");
    assert_true(comes_to(app, "A", 1));
}

/* The dump after a reload is that of the file. */
static void assert_dump_is_of_the_file(const struct busbar_app *app)
{
    CLEANUP(busbar_app_destroy) struct busbar_app *fresh = NULL;
    assert_int_equal(busbar_app_read(&fresh, "f"), BUSBAR_OK);
    CLEANUP(cleanup_free) char *expected = rig_dump(fresh);
    CLEANUP(cleanup_free) char *dump = rig_dump(app);
    assert_string_equal(dump, expected);
}

static void pools_stay_and_get_and_lose_members(void **state)
{
    (void)state;
    static const char *const members[] = {"up, down", "down, up",        "down",     "[]",
                                          "up",       "down, other, up", "other, up"};
    struct busbar_pool_stats stats;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP DOWN "  all: {pool: [up]}\n"
                                            "exports: [{name: A, object: all}]\n");
    struct busbar_object *pool = busbar_app_object(app, "all");
    assert_true(comes_to(app, "A", 2));
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 EMBED "objects:\n" UP DOWN "  other: " RIG_LIBRARY(
                     "trunc") "\n  all: {pool: %s%s%s}\nexports: [{name: A, object: all}]\n",
                 members[i][0] == '[' ? "" : "[", members[i], members[i][0] == '[' ? "" : "]");
        reload(app, text);
        assert_ptr_equal(busbar_app_object(app, "all"), pool);
        assert_dump_is_of_the_file(app);
    }
    assert_int_equal(busbar_pool_stats(pool, &stats), BUSBAR_OK);
    assert_int_equal(stats.members, 2);
}

static void pools_follow_members_that_are_replaced(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load("objects:\n" UP "  all: {pool: [up]}\n");
    struct busbar_object *pool = busbar_app_object(app, "all");
    assert_true(rig_call(pool, 1.5) == 2);
    reload(app, "objects:\n  up: " RIG_LIBRARY("floor") "\n  all: {pool: [up]}\n");
    assert_ptr_equal(busbar_app_object(app, "all"), pool);
    assert_true(rig_call(pool, 1.5) == 1);
}

static void a_pool_with_other_settings_is_another(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load("objects:\n" UP "  all: {pool: [up]}\n");
    struct busbar_object *pool = busbar_app_object(app, "all");
    struct busbar_object *up = busbar_app_object(app, "up");
    reload(app, "objects:\n" UP "  all: {pool: {members: [up], probe: 1s}}\n");
    assert_ptr_not_equal(busbar_app_object(app, "all"), pool);
    assert_ptr_equal(busbar_app_object(app, "up"), up);
    assert_true(rig_call(busbar_app_object(app, "all"), 1.5) == 2);
    assert_dump_is_of_the_file(app);
}

/* What was above is below afterwards: for a moment each pool would be the other's member. */
static void pools_can_change_places(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load("objects:\n" UP "  a: {pool: [b]}\n  b: {pool: [up]}\n");
    struct busbar_object *a = busbar_app_object(app, "a");
    assert_true(rig_call(a, 1.5) == 2);
    reload(app, "objects:\n" UP "  a: {pool: [up]}\n  b: {pool: [a]}\n");
    assert_ptr_equal(busbar_app_object(app, "a"), a);
    assert_true(rig_call(busbar_app_object(app, "b"), 1.5) == 2);
    assert_dump_is_of_the_file(app);
}

static void an_error_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {EMBED "objects:\n" DOWN "exports:\n- {name: A, object: up}\n",
         "f:5:21: exports.object: no object has the id \"up\"; known are down"},
        {"objects: [\n", "f:2:1: "},
        {EMBED "objects:\n  a: {library: libnobody.so, functions: {f: \">\"}}\n", "libnobody.so"},
        {"broker: tcp://127.0.0.1:1\n",
         "f: broker was changed; for that the application must be restarted"},
        {"", "the file is empty; is it being written?"},
    };
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP "  all: {pool: [up]}\n"
                                            "exports:\n- {name: A, object: all}\n");
    CLEANUP(cleanup_free) char *before = rig_dump(app);
    struct busbar_object *up = busbar_app_object(app, "up");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        rig_write("f", cases[i].text);
        assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_CONFIG);
        if (strstr(busbar_last_error(), cases[i].expected) == NULL)
            fail_msg("%s\nis not in\n%s", cases[i].expected, busbar_last_error());
        CLEANUP(cleanup_free) char *after = rig_dump(app);
        assert_string_equal(after, before);
        assert_ptr_equal(busbar_app_object(app, "up"), up);
        assert_true(comes_to(app, "A", 2));
    }
}

static void what_code_added_stays(void **state)
{
    (void)state;
    static const struct busbar_function functions[] = {
        {.name = "f", .symbol = "floor", .signature = "d>d"}};
    const struct busbar_library_options options = {"libm.so.6", functions, 1, {NULL}};
    const struct busbar_export mine = {.name = "Mine", .object = "mine"};
    const struct busbar_export upwards = {.name = "Upwards", .object = "up"};
    CLEANUP(busbar_object_destroy) struct busbar_object *object = NULL;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(EMBED "objects:\n" UP);
    assert_int_equal(busbar_library_new(&object, &options), BUSBAR_OK);
    assert_int_equal(busbar_app_add(app, "mine", object), BUSBAR_OK);
    assert_int_equal(busbar_app_export(app, &mine), BUSBAR_OK);
    assert_int_equal(busbar_app_export(app, &upwards), BUSBAR_OK);
    reload(app, EMBED "objects:\n  up: " RIG_LIBRARY("sqrt") "\n");
    assert_ptr_equal(busbar_app_object(app, "mine"), object);
    assert_true(comes_to(app, "Mine", 1));
    assert_true(comes_to(app, "Upwards", sqrt(1.5)));
    rig_write("f", EMBED "objects:\n" UP "  mine: {proxy: x}\n");
    assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(),
                        "f: objects.mine: code has added an object with this id");
    rig_write("f", EMBED);
    assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(),
                        "f: code has exported up, which the file no longer has");
    rig_write("f", EMBED "objects:\n" UP "exports: [{name: Mine, object: up}]\n");
    assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_CONFIG);
    assert_string_equal(busbar_last_error(), "f: code has exported Mine already");
}

static void levels_are_taken_over_but_for_those_of_code(void **state)
{
    (void)state;
    rig_capture();
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_read("log: error\n");
    assert_int_equal(busbar_app_set_log(app, "pools", "off"), BUSBAR_OK);
    reload(app, "log: {level: info, objects: debug}\n");
    CLEANUP(cleanup_free) char *dump = rig_dump(app);
    reload(app, "");
    CLEANUP(cleanup_free) char *log = rig_captured();
    CLEANUP(cleanup_free) char *last = rig_dump(app);
    assert_non_null(log);
    assert_non_null(strstr(dump, "log:\n  config: info\n  objects: debug\n  exports: info\n"
                                 "  broker: info\n  pools: \"off\"\n"));
    assert_non_null(strstr(last, "  config: warning\n"));
}

static void the_log_tells_what_a_reload_decided(void **state)
{
    (void)state;
    static const char *const lines[] = {
        " debug objects up is unchanged\n",
        " debug objects down is replaced\n",
        " debug objects new is new\n",
        " info exports B changed\n",
        " info exports C added\n",
        " info exports A removed\n",
        " debug objects gone is gone\n",
        " info config f reloaded: 3 objects, of which 1 are unchanged, 2 exports\n",
    };
    rig_capture();
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "log: debug\nobjects:\n" UP DOWN "  gone: {proxy: x}\n"
                                            "exports:\n- {name: A, object: up}\n"
                                            "- {name: B, object: down}\n");
    reload(app, EMBED "log: debug\nobjects:\n" UP "  down: " RIG_LIBRARY(
                    "sqrt") "\n  new: {proxy: x}\n"
                            "exports:\n- {name: B, object: down}\n- {name: C, object: up}\n");
    CLEANUP(cleanup_free) char *log = rig_captured();
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        if (strstr(log, lines[i]) == NULL)
            fail_msg("%sis not in\n%s", lines[i], log);
    }
}

/* SIGHUP ---------------------------------------------------------------------------------------- */

static void *hang_up(void *context)
{
    const struct busbar_app *app = context;
    static const char good[] = EMBED "objects:\n" UP "exports: [{name: A, object: up}]\n";
    intptr_t done = 1;
    usleep(100000);
    rig_write("f", good);
    kill(getpid(), SIGHUP);
    done = done && comes_to(app, "A", 2);
    rig_write("f", "objects: {a: {proxy: 1, pool: 2}, b: 7}\n");
    kill(getpid(), SIGHUP);
    usleep(200000);
    done = done && comes_to(app, "A", 2);
    kill(getpid(), SIGTERM);
    return (void *)done;
}

static void a_running_application_reloads_on_sighup(void **state)
{
    (void)state;
    pthread_t thread;
    void *done = NULL;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(EMBED);
    rig_capture();
    assert_int_equal(pthread_create(&thread, NULL, hang_up, app), 0);
    assert_int_equal(busbar_app_run(app), BUSBAR_OK);
    pthread_join(thread, &done);
    CLEANUP(cleanup_free) char *log = rig_captured();
    assert_non_null(done);
    assert_non_null(strstr(log, " error config nothing changed: f:1:25: objects.a has two kinds"));
    assert_non_null(strstr(log, " error config nothing changed: f:1:38: objects.b must be a map"));
}

/* Threads --------------------------------------------------------------------------------------- */

struct callers {
    struct busbar_app *app;
    atomic_bool over;
    atomic_uint calls;
    atomic_uint wrong;
};

static void *look_up_and_call(void *context)
{
    struct callers *callers = context;
    while (!atomic_load(&callers->over)) {
        double one = rig_call(busbar_app_object(callers->app, "up"), 1.5);
        double all = rig_call(busbar_app_object(callers->app, "all"), 1.5);
        if ((one != 1 && one != 2) || (all != 1 && all != 2))
            atomic_fetch_add(&callers->wrong, 1);
        atomic_fetch_add(&callers->calls, 1);
    }
    return NULL;
}

static void objects_are_called_while_they_are_exchanged(void **state)
{
    (void)state;
    pthread_t threads[3];
    struct callers callers = {.app = rig_load("objects:\n" UP DOWN "  all: {pool: [up]}\n")};
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up_and_call, &callers), 0);
    for (int i = 0; i < 40; i++)
        reload(callers.app, i % 2 == 0 ? "objects:\n  up: " RIG_LIBRARY(
                                             "floor") "\n" DOWN "  all: {pool: [down, up]}\n"
                                       : "objects:\n" UP DOWN "  all: {pool: [up]}\n");
    atomic_store(&callers.over, true);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(callers.wrong, 0);
    assert_true(callers.calls > 0);
    busbar_app_destroy(&callers.app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(exports_become_as_the_file_says),
        TEST(the_first_export_may_come_by_a_reload),
        TEST(unchanged_objects_stay_and_changed_ones_live_on),
        TEST(an_export_follows_its_object),
        TEST(pools_stay_and_get_and_lose_members),
        TEST(pools_follow_members_that_are_replaced),
        TEST(a_pool_with_other_settings_is_another),
        TEST(pools_can_change_places),
        TEST(an_error_changes_nothing),
        TEST(what_code_added_stays),
        TEST(levels_are_taken_over_but_for_those_of_code),
        TEST(the_log_tells_what_a_reload_decided),
        TEST(a_running_application_reloads_on_sighup),
        TEST(objects_are_called_while_they_are_exchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
