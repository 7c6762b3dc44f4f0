/* Applications whose broker refuses an export for good. */
#include <busbar/app.h>

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/app_rig.h"
#include "tests/unit/test_worker_broker.h"

/* A broker that refuses the first service it hears of, on a thread of its own. */
struct refuser {
    struct fake *fake;
    pthread_t thread;
    atomic_bool stop;
};

static void *refuse(void *context)
{
    struct refuser *refuser = context;
    while (!refuser->stop)
        fake_receive(refuser->fake, 10);
    return NULL;
}

static void refuser_start(struct refuser *refuser)
{
    *refuser = (struct refuser){.fake = fake_new()};
    refuser->fake->refuse = BUSBAR_DENIED;
    refuser->fake->refusals = 1;
    assert_int_equal(pthread_create(&refuser->thread, NULL, refuse, refuser), 0);
}

static void refuser_end(struct refuser *refuser)
{
    refuser->stop = true;
    pthread_join(refuser->thread, NULL);
    fake_destroy(&refuser->fake);
}

/* A file "f" with the refuser's endpoint, one object, and what follows. */
static void write_file(const struct refuser *refuser, const char *more)
{
    char text[1000];
    snprintf(text, sizeof text, "broker: %s\nlog: \"off\"\nobjects:\n  up: %s\n%s",
             refuser->fake->endpoint, RIG_LIBRARY("ceil"), more);
    rig_write("f", text);
}

static void a_refusal_fails_the_load(void **state)
{
    (void)state;
    struct refuser refuser;
    struct busbar_app *app = NULL;
    refuser_start(&refuser);
    write_file(&refuser, "exports: [{name: A, object: up}]\n");
    assert_int_equal(busbar_app_load(&app, "f"), BUSBAR_DENIED);
    assert_int_equal(busbar_last_status(), BUSBAR_DENIED);
    assert_non_null(strstr(busbar_last_error(), "A: DENIED: because of the test"));
    assert_non_null(strstr(busbar_last_error(), refuser.fake->endpoint));
    assert_null(app);
    refuser_end(&refuser);
}

static void *export_later(void *app)
{
    const struct busbar_export export_ = {.name = "A", .object = "up"};
    usleep(100000);
    return (void *)(intptr_t)(busbar_app_export(app, &export_) == BUSBAR_OK);
}

static void a_refusal_ends_what_runs(void **state)
{
    (void)state;
    pthread_t thread;
    void *exported = NULL;
    struct refuser refuser;
    struct busbar_app *app = NULL;
    refuser_start(&refuser);
    write_file(&refuser, "");
    assert_int_equal(busbar_app_load(&app, "f"), BUSBAR_OK);
    assert_int_equal(pthread_create(&thread, NULL, export_later, app), 0);
    assert_int_equal(busbar_app_run(app), BUSBAR_DENIED);
    assert_int_equal(busbar_last_status(), BUSBAR_DENIED);
    assert_non_null(strstr(busbar_last_error(), "A: DENIED: because of the test"));
    pthread_join(thread, &exported);
    assert_non_null(exported);
    busbar_app_destroy(&app);
    refuser_end(&refuser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refusal_fails_the_load, rig_enter, rig_leave),
        cmocka_unit_test_setup_teardown(a_refusal_ends_what_runs, rig_enter, rig_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
