/* Exports exchanged for others: what is registered anew and what is not, and what becomes of calls
 * that run and of an exchange that comes to nothing. */
#include "app/exports.h"

#include <pthread.h>

#include "tests/unit/exports_scene.h"
#include "tests/unit/test_worker_broker.h"

static const struct export_settings plain = {.name = (char *)(uintptr_t) "svc"};
static const struct export_settings wide = {.name = (char *)(uintptr_t) "svc", .threads = 2};

static void put(struct exports_exchange *exchange, const struct export_settings *settings,
                struct busbar_object *object)
{
    if (exports_exchange_put(exchange, settings, object) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    busbar_object_destroy(&object);
}

static struct exports_exchange *begin(struct scene *scene)
{
    struct exports_exchange *exchange = NULL;
    assert_int_equal(exports_exchange_new(&exchange, scene->exports), BUSBAR_OK);
    return exchange;
}

static void commit(struct exports_exchange **exchange)
{
    if (exports_exchange_commit(*exchange) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    exports_exchange_destroy(exchange);
}

static void exchange_one(struct scene *scene, const struct export_settings *settings,
                         struct busbar_object *object)
{
    struct exports_exchange *exchange = begin(scene);
    put(exchange, settings, object);
    commit(&exchange);
}

static void start_slow(struct scene *scene)
{
    const struct busbar_call call = {.service = "svc", .method = "slow"};
    scene->probe.hold = true;
    assert_int_equal(busbar_client_start(scene->client, &call, NULL), BUSBAR_OK);
    SCENE_EVENTUALLY(busbar_client_process(scene->client) == BUSBAR_OK && scene->probe.running);
}

static void end_slow(struct scene *scene)
{
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    scene->probe.hold = false;
    assert_int_equal(busbar_client_wait(scene->client, SCENE_PATIENCE_MS, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
}

/* The sessions of the exports; one more is the client's. */
static uint64_t connections(struct scene *scene)
{
    return scene_counter(scene, "sessions") - 1;
}

static void another_object_with_the_same_methods_is_called_without_a_registration(void **state)
{
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    uint64_t registrations = scene_counter(scene, "registrations");
    start_slow(scene);
    exchange_one(scene, &plain, scene_object(scene));
    assert_int_equal(scene->probe.destroyed, 0); /* the call that runs has it */
    end_slow(scene);
    SCENE_EVENTUALLY(scene->probe.destroyed == 1);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_int_equal(scene_counter(scene, "registrations"), registrations);
    assert_int_equal(connections(scene), 1);
}

static void what_is_the_same_is_not_touched(void **state)
{
    struct scene *scene = *state;
    struct busbar_object *object = scene_object(scene);
    assert_int_equal(scene_export(scene, &plain, busbar_object_ref(object)), BUSBAR_OK);
    scene_ready(scene);
    uint64_t registrations = scene_counter(scene, "registrations");
    exchange_one(scene, &plain, object);
    assert_int_equal(scene_counter(scene, "registrations"), registrations);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_int_equal(scene->probe.destroyed, 0);
}

/* Longer than the keeper needs to see that nobody else needs the worker. */
static void a_worker_without_exports_stays_until_its_calls_are_answered(void **state)
{
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    start_slow(scene);
    exchange_one(scene, &wide, scene_object(scene));
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    usleep(3500000);
    assert_int_equal(connections(scene), 2);
    end_slow(scene);
    SCENE_EVENTUALLY(connections(scene) == 1);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
}

static void exports_come_and_go_in_one_exchange(void **state)
{
    struct scene *scene = *state;
    const struct export_settings fresh = {.name = (char *)(uintptr_t) "new"};
    scene_export_named(scene, "svc");
    scene_export_named(scene, "old");
    scene_ready(scene);
    struct exports_exchange *exchange = begin(scene);
    put(exchange, &wide, scene_object(scene));
    put(exchange, &fresh, scene_object(scene));
    assert_int_equal(exports_exchange_remove(exchange, "old"), BUSBAR_OK);
    assert_int_equal(scene_try(scene, "old", "none"), BUSBAR_OK); /* nothing is gone yet */
    commit(&exchange);
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_int_equal(scene_try(scene, "new", "none"), BUSBAR_OK);
    SCENE_EVENTUALLY(scene_try(scene, "old", "none") == BUSBAR_NO_SERVICE);
    assert_int_equal(exports_remove(scene->exports, "old"), BUSBAR_NO_SERVICE);
    assert_int_equal(exports_remove(scene->exports, "new"), BUSBAR_OK);
}

static struct busbar_object *mute_object(struct busbar_object_class *class_of)
{
    struct busbar_object *mute = NULL;
    assert_int_equal(busbar_object_new(&mute, class_of, NULL), BUSBAR_OK);
    return mute;
}

static enum busbar_status call_nothing(void *context, const struct busbar_object_call *call,
                                       struct busbar_value **ret)
{
    (void)context;
    (void)call;
    (void)ret;
    return BUSBAR_OK;
}

static void an_exchange_that_comes_to_nothing_leaves_all_as_it_was(void **state)
{
    struct scene *scene = *state;
    struct busbar_object_class silent = {.kind = "silent", .call = call_nothing};
    const struct export_settings other = {.name = (char *)(uintptr_t) "other"};
    struct busbar_object *mute = mute_object(&silent);
    scene_export_named(scene, "svc");
    scene_ready(scene);
    struct exports_exchange *exchange = begin(scene);
    put(exchange, &wide, scene_object(scene));
    assert_int_equal(exports_exchange_put(exchange, &other, mute), BUSBAR_BAD_ARGUMENT);
    exports_exchange_destroy(&exchange);
    busbar_object_destroy(&mute);
    assert_non_null(strstr(busbar_last_error(), "export \"other\": silent: "));
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    SCENE_EVENTUALLY(connections(scene) == 1);
    SCENE_EVENTUALLY(scene->probe.destroyed == 1);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_int_equal(exports_remove(scene->exports, "svc"), BUSBAR_OK);
}

/* What the exports were stopped under has nothing left to take back. */
static void an_exchange_does_not_outlive_its_exports(void **state)
{
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    struct exports_exchange *exchange = begin(scene);
    put(exchange, &wide, scene_object(scene));
    assert_int_equal(exports_stop(scene->exports), BUSBAR_OK);
    assert_int_equal(exports_exchange_commit(exchange), BUSBAR_DRAINING);
    struct busbar_object *late = scene_object(scene);
    assert_int_equal(exports_exchange_put(exchange, &wide, late), BUSBAR_DRAINING);
    busbar_object_destroy(&late);
    exports_exchange_destroy(&exchange);
    assert_int_equal(scene->probe.destroyed, 3);
}

static void a_broker_that_is_absent_is_not_waited_for(void **state)
{
    struct scene *scene = *state;
    struct embed *late = NULL;
    char endpoint[128];
    const struct embed_place place = {.endpoint = "tcp://127.0.0.1:*"};
    assert_int_equal(embed_start(&late, &place, &scene->log), BUSBAR_OK);
    snprintf(endpoint, sizeof endpoint, "%s", embed_endpoint(late));
    embed_stop(&late);
    const char *const brokers[] = {endpoint, embed_endpoint(scene->embed), NULL};
    assert_int_equal(exports_set_brokers(scene->exports, brokers), BUSBAR_OK);
    scene_export_named(scene, "svc");
    scene_ready(scene);
    uint64_t before = clock_ms();
    exchange_one(scene, &wide, scene_object(scene));
    assert_in_range(clock_ms() - before, 0, 4000);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
}

/* A broker driven by a thread. */
struct driver {
    struct fake *fake;
    pthread_t thread;
    atomic_bool stop;
};

static void *drive(void *argument)
{
    struct driver *driver = argument;
    while (!driver->stop)
        fake_receive(driver->fake, 10);
    return NULL;
}

/* Refuses registrations from now on, for as often as is said. */
static void drive_on(struct driver *driver, unsigned refusals)
{
    driver->fake->refuse = BUSBAR_BUSY;
    driver->fake->refusals = refusals;
    driver->stop = false;
    assert_int_equal(pthread_create(&driver->thread, NULL, drive, driver), 0);
}

static void drive_end(struct driver *driver)
{
    driver->stop = true;
    pthread_join(driver->thread, NULL);
}

static void a_broker_that_does_not_take_a_registration_keeps_the_old_one(void **state)
{
    struct scene *scene = *state;
    struct driver driver = {.fake = fake_new()};
    driver.fake->welcome.heartbeat_interval = 60000;
    const char *const brokers[] = {driver.fake->endpoint, NULL};
    assert_int_equal(exports_set_brokers(scene->exports, brokers), BUSBAR_OK);
    drive_on(&driver, 0);
    scene_export_named(scene, "svc");
    scene_ready(scene);
    drive_end(&driver);
    drive_on(&driver, 1000);
    struct exports_exchange *exchange = begin(scene);
    put(exchange, &wide, scene_object(scene));
    assert_int_equal(exports_exchange_commit(exchange), BUSBAR_TIMEOUT);
    exports_exchange_destroy(&exchange);
    assert_int_equal(busbar_last_status(), BUSBAR_TIMEOUT);
    assert_non_null(strstr(busbar_last_error(), "export \"svc\": tcp://127.0.0.1:"));
    scene_ready(scene);
    assert_in_range(scene->probe.destroyed, 0, 1); /* the new object alone may be gone */
    drive_end(&driver);
    fake_destroy(&driver.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(another_object_with_the_same_methods_is_called_without_a_registration),
        SCENE_TEST(what_is_the_same_is_not_touched),
        SCENE_TEST(a_worker_without_exports_stays_until_its_calls_are_answered),
        SCENE_TEST(exports_come_and_go_in_one_exchange),
        SCENE_TEST(an_exchange_that_comes_to_nothing_leaves_all_as_it_was),
        SCENE_TEST(an_exchange_does_not_outlive_its_exports),
        SCENE_TEST(a_broker_that_is_absent_is_not_waited_for),
        SCENE_TEST(a_broker_that_does_not_take_a_registration_keeps_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
