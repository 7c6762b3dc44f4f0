/* Reloads while services are called: not one call may fail. */
#include <busbar/app.h>

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/app.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/app_rig.h"

#define EMBED "broker: {embed: \"tcp://127.0.0.1:*\"}\n"
#define UP "  up: " RIG_LIBRARY("ceil") "\n"

enum {
    RELOADS = 50,
    CALLERS = 4,
    ERROR_SIZE = 400,
};

static void reload(struct busbar_app *app, const char *text)
{
    rig_write("f", text);
    if (busbar_app_reload(app) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
}

/* Callers --------------------------------------------------------------------------------------- */

/* Threads that call "f" of a service through one proxy, until they are told to end. */
struct callers {
    struct busbar_object *proxy;
    pthread_t threads[CALLERS];
    atomic_bool over;
    atomic_uint calls;
    atomic_uint failures;
    char error[ERROR_SIZE]; /* of the first failure */
};

static void *call_on(void *argument)
{
    struct callers *callers = argument;
    while (!atomic_load(&callers->over)) {
        double result = rig_call(callers->proxy, 1.5);
        atomic_fetch_add(&callers->calls, 1);
        if (result == 1 || result == 2)
            continue;
        if (atomic_fetch_add(&callers->failures, 1) == 0)
            snprintf(callers->error, sizeof callers->error, "%f, %s", result, busbar_last_error());
    }
    return NULL;
}

static void callers_start(struct callers *callers, const struct busbar_app *app,
                          const char *service)
{
    const char *const brokers[] = {busbar_app_broker(app), NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    *callers = (struct callers){.over = false};
    assert_int_equal(busbar_proxy_new(&callers->proxy, &options), BUSBAR_OK);
    assert_true(rig_call(callers->proxy, 1.5) == 2);
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers->threads[i], NULL, call_on, callers), 0);
}

static void callers_end(struct callers *callers)
{
    atomic_store(&callers->over, true);
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers->threads[i], NULL);
    busbar_object_destroy(&callers->proxy);
    if (callers->failures > 0)
        fail_msg("%u of %u calls failed, first: %s", callers->failures, callers->calls,
                 callers->error);
    assert_true(callers->calls > 0);
}

/* Tests ----------------------------------------------------------------------------------------- */

#define FLOOR_AND_MORE                                                                             \
    "{library: libm.so.6, functions: {f: {symbol: floor, signature: \"d>d\"}, cos: \"d>d\", "      \
    "sqrt: \"d>d\"}}"
#define TEXT_FOR_F                                                                                 \
    "{library: libm.so.6, functions: {f: {symbol: ceil, signature: \"d>d\", text: upwards}}}"

/* What the service A is in turn; B shares the connection of A's first form. */
static const char *const forms[][2] = {
    {RIG_LIBRARY("ceil"), ""},
    {RIG_LIBRARY("ceil"), ", version: \"2\""},
    {RIG_LIBRARY("ceil"), ", version: \"2\", tags: {zone: a}"},
    {RIG_LIBRARY("ceil"), ", threads: 3"},
    {RIG_LIBRARY("floor"), ", threads: 3"},
    {"{library: libm.so.6, functions: {cos: {symbol: sqrt, signature: \"d>d\"}, f: {symbol: ceil, "
     "signature: \"d>d\"}}}",
     ", threads: 3"},
    {TEXT_FOR_F, ""},
    {TEXT_FOR_F, ", instances: 2"},
    {RIG_LIBRARY("floor"), ", instances: 2, credit: 4"},
    {RIG_LIBRARY("floor"), ", credit: 4"},
};

static void write_form(char text[2000], size_t form)
{
    snprintf(text, 2000,
             EMBED "objects:\n" UP "  a: %s\nexports:\n- {name: A, object: a%s}\n"
                   "- {name: B, object: up}\n",
             forms[form][0], forms[form][1]);
}

static void no_call_fails_while_its_export_is_exchanged(void **state)
{
    (void)state;
    char text[2000];
    struct callers callers;
    struct callers beside;
    write_form(text, 0);
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(text);
    callers_start(&callers, app, "A");
    callers_start(&beside, app, "B");
    for (size_t i = 1; i <= RELOADS; i++) {
        write_form(text, i % ARRAY_SIZE(forms));
        reload(app, text);
        usleep(2000);
    }
    callers_end(&beside);
    callers_end(&callers);
}

static void no_call_fails_while_the_methods_of_a_pool_change(void **state)
{
    (void)state;
    struct callers callers;
    static const char *const members[] = {"up", "up, more", "inner", "more"};
    CLEANUP(busbar_app_destroy)
    struct busbar_app *app = rig_load(EMBED "objects:\n" UP "  all: {pool: up}\n"
                                            "exports: [{name: A, object: all}]\n");
    struct busbar_object *pool = busbar_app_object(app, "all");
    callers_start(&callers, app, "A");
    for (size_t i = 1; i <= RELOADS; i++) {
        char text[2000];
        snprintf(text, sizeof text,
                 EMBED "objects:\n" UP "  more: %s\n  inner: {pool: [%s]}\n  all: {pool: [%s]}\n"
                       "exports: [{name: A, object: all}]\n",
                 FLOOR_AND_MORE, i % 3 == 0 ? "up" : "more", members[i % ARRAY_SIZE(members)]);
        reload(app, text);
        assert_ptr_equal(busbar_app_object(app, "all"), pool);
    }
    callers_end(&callers);
}

/* Of "sqrt" of a service, or NaN. */
static double root(const struct busbar_app *app, const char *service)
{
    const char *const brokers[] = {busbar_app_broker(app), NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    if (busbar_call(proxy, "sqrt", &value, "d", 9.0) != BUSBAR_OK)
        return NAN;
    return busbar_value_as_double(value);
}

#define POOLS(inner)                                                                               \
    EMBED "objects:\n" UP "  more: " FLOOR_AND_MORE "\n  inner: {pool: [" inner "]}\n"             \
          "  all: {pool: [inner]}\nexports: [{name: A, object: all}]\n"

static void an_export_of_a_pool_offers_what_its_members_do_after_a_reload(void **state)
{
    (void)state;
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(POOLS("up"));
    assert_true(isnan(root(app, "A")));
    assert_int_equal(busbar_last_status(), BUSBAR_NO_METHOD);
    reload(app, POOLS("up, more"));
    assert_true(root(app, "A") == 3);
    reload(app, POOLS("up"));
    for (int i = 0; i < 300 && !isnan(root(app, "A")); i++)
        usleep(10000);
    assert_true(isnan(root(app, "A")));
    assert_int_equal(busbar_last_status(), BUSBAR_NO_METHOD);
}

static void *call_slowly(void *argument)
{
    static const char expected[] = "slept";
    struct busbar_value *value = NULL;
    bool good = busbar_call(argument, "sleep", &value, "") == BUSBAR_OK &&
                strcmp(busbar_value_as_text(value), expected) == 0;
    if (!good)
        fprintf(stderr, "%s\n", busbar_last_error());
    busbar_value_destroy(&value);
    return good ? NULL : (void *)(uintptr_t) "failed";
}

static void calls_that_run_on_the_old_registration_are_answered(void **state)
{
    (void)state;
    static const char *const changes[] = {", threads: 2", ", threads: 2, version: \"3\"", ""};
    static const char slow[] =
        "objects:\n  a: {command: [sh], functions: {sleep: {signature: \">s\", "
        "arguments: [-c, \"sleep 2; printf slept\"]}}}\nexports: [{name: A, object: a%s}]\n";
    char text[1000];
    pthread_t threads[ARRAY_SIZE(changes)];
    snprintf(text, sizeof text, slow, "");
    char whole[1200];
    snprintf(whole, sizeof whole, EMBED "%s", text);
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(whole);
    const char *const brokers[] = {busbar_app_broker(app), NULL};
    const struct busbar_proxy_options options = {
        .service = "A", .brokers = brokers, .timeout_ms = 20000};
    CLEANUP(busbar_object_destroy) struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_slowly, proxy), 0);
        usleep(200000);
        snprintf(text, sizeof text, slow, changes[i]);
        snprintf(whole, sizeof whole, EMBED "%s", text);
        reload(app, whole);
    }
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

/* Only what somebody may still call is kept of what reloads replace. */
static void replaced_objects_are_kept_for_those_who_have_them_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"objects:\n  up: " RIG_LIBRARY("floor") "\n",
                                        "objects:\n  up: " RIG_LIBRARY("ceil") "\n"};
    CLEANUP(busbar_app_destroy) struct busbar_app *app = rig_load(texts[1]);
    for (size_t i = 0; i < 10; i++)
        reload(app, texts[i % 2]);
    assert_int_equal(app->retired_count, 0);
    struct busbar_object *up = busbar_app_object(app, "up");
    reload(app, texts[1]);
    reload(app, texts[0]);
    assert_int_equal(app->retired_count, 1);
    assert_true(rig_call(up, 1.5) == 2);
    assert_true(rig_call(busbar_app_object(app, "up"), 1.5) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_enter, rig_leave)
        TEST(no_call_fails_while_its_export_is_exchanged),
        TEST(no_call_fails_while_the_methods_of_a_pool_change),
        TEST(an_export_of_a_pool_offers_what_its_members_do_after_a_reload),
        TEST(replaced_objects_are_kept_for_those_who_have_them_alone),
        TEST(calls_that_run_on_the_old_registration_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
