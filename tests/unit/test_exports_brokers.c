/* Exports and their brokers: absent ones, several, those that refuse; and objects on the bus, of
 * which nothing is known at first. */
#include "app/exports.h"

#include <pthread.h>

#include "tests/unit/exports_scene.h"
#include "tests/unit/test_worker_broker.h"

/* Exports with other brokers than the scene's. */
static void set_brokers(struct scene *scene, const char *one, const char *two)
{
    const char *const brokers[] = {one, two, NULL};
    assert_int_equal(exports_set_brokers(scene->exports, brokers), BUSBAR_OK);
}

/* An endpoint where nobody listens any more. */
static void free_endpoint(struct scene *scene, char endpoint[128])
{
    struct embed *embed = NULL;
    assert_int_equal(
        embed_start(&embed, &(struct embed_place){.endpoint = "tcp://127.0.0.1:*"}, &scene->log),
        BUSBAR_OK);
    snprintf(endpoint, 128, "%s", embed_endpoint(embed));
    embed_stop(&embed);
}

/* Promise 12, from the other side */
static void an_absent_broker_only_delays(void **state)
{
    struct scene *scene = *state;
    struct embed *late = NULL;
    char endpoint[128];
    free_endpoint(scene, endpoint);
    set_brokers(scene, endpoint, NULL);
    scene_export_named(scene, "svc");
    assert_int_equal(exports_wait_ready(scene->exports, 300), BUSBAR_TIMEOUT);
    assert_non_null(strstr(busbar_last_error(), "export \"svc\" is not registered yet"));
    assert_non_null(strstr(busbar_last_error(), endpoint));
    assert_int_equal(embed_start(&late, &(struct embed_place){.endpoint = endpoint}, &scene->log),
                     BUSBAR_OK);
    scene_ready(scene);
    embed_stop(&late);
}

static void exports_are_ready_when_one_of_several_brokers_has_them(void **state)
{
    struct scene *scene = *state;
    struct embed *late = NULL;
    char endpoint[128];
    free_endpoint(scene, endpoint);
    set_brokers(scene, endpoint, embed_endpoint(scene->embed));
    scene_export_named(scene, "svc");
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_int_equal(embed_start(&late, &(struct embed_place){.endpoint = endpoint}, &scene->log),
                     BUSBAR_OK);
    busbar_client_destroy(&scene->client);
    const struct busbar_client_options options = {.broker = endpoint,
                                                  .timeout_ms = SCENE_PATIENCE_MS};
    assert_int_equal(busbar_client_new(&scene->client, &options), BUSBAR_OK);
    SCENE_EVENTUALLY(scene_try(scene, "svc", "none") == BUSBAR_OK);
    embed_stop(&late);
}

/* Objects on the bus --------------------------------------------------------------------------- */

static struct busbar_object *proxy_of(struct scene *scene, const char *service,
                                      const struct busbar_function *functions, size_t count)
{
    struct busbar_object *proxy = NULL;
    const char *const brokers[] = {embed_endpoint(scene->embed), NULL};
    const struct busbar_proxy_options options = {
        .service = service, .brokers = brokers, .functions = functions, .function_count = count};
    if (busbar_proxy_new(&proxy, &options) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return proxy;
}

static void methods_that_nobody_knows_are_asked_for_until_they_are_known(void **state)
{
    struct scene *scene = *state;
    const struct export_settings chained = {.name = (char *)(uintptr_t) "chained", .threads = 2};
    assert_int_equal(scene_export(scene, &chained, proxy_of(scene, "svc", NULL, 0)), BUSBAR_OK);
    scene_ready(scene); /* which does not wait for it */
    usleep(100000);
    assert_int_equal(scene_try(scene, "chained", "none"), BUSBAR_NO_SERVICE);
    scene_export_named(scene, "svc");
    SCENE_EVENTUALLY(scene_try(scene, "chained", "none") == BUSBAR_OK);
    assert_true(scene->probe.calls > 0);
    assert_int_equal(exports_remove(scene->exports, "chained"), BUSBAR_OK);
    SCENE_EVENTUALLY(scene_try(scene, "chained", "none") == BUSBAR_NO_SERVICE);
}

static void declared_methods_need_no_asking(void **state)
{
    static const struct busbar_function none = {.name = "none", .signature = ">l"};
    struct scene *scene = *state;
    const struct export_settings chained = {.name = (char *)(uintptr_t) "chained"};
    assert_int_equal(scene_export(scene, &chained, proxy_of(scene, "svc", &none, 1)), BUSBAR_OK);
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "chained", "none"), BUSBAR_NO_SERVICE);
    assert_int_equal(scene_counter(scene, "services"), 1);
}

static void an_export_that_is_still_unknown_can_be_removed(void **state)
{
    struct scene *scene = *state;
    const struct export_settings chained = {.name = (char *)(uintptr_t) "chained"};
    assert_int_equal(scene_export(scene, &chained, proxy_of(scene, "svc", NULL, 0)), BUSBAR_OK);
    assert_int_equal(exports_remove(scene->exports, "chained"), BUSBAR_OK);
    scene_export_named(scene, "chained");
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "chained", "none"), BUSBAR_OK);
}

static void a_pool_without_members_is_exported_when_it_has_some(void **state)
{
    struct scene *scene = *state;
    struct busbar_object *pool = NULL;
    struct busbar_object *member = scene_object(scene);
    const struct busbar_pool_options options = {.member_count = 0};
    const struct export_settings settings = {.name = (char *)(uintptr_t) "all"};
    assert_int_equal(busbar_pool_new(&pool, &options), BUSBAR_OK);
    assert_int_equal(scene_export(scene, &settings, busbar_object_ref(pool)), BUSBAR_OK);
    assert_int_equal(scene_try(scene, "all", "none"), BUSBAR_NO_SERVICE);
    assert_int_equal(busbar_pool_add(pool, member), BUSBAR_OK);
    SCENE_EVENTUALLY(scene_try(scene, "all", "none") == BUSBAR_OK);
    busbar_object_destroy(&member);
    busbar_object_destroy(&pool);
}

/* Refusals ------------------------------------------------------------------------------------- */

/* A broker that answers as a test says, on a thread of its own. */
struct refuser {
    struct fake *fake;
    pthread_t thread;
    atomic_bool stop;
};

static void *refuse(void *argument)
{
    struct refuser *refuser = argument;
    while (!refuser->stop)
        fake_receive(refuser->fake, 10);
    return NULL;
}

static void refuser_start(struct refuser *refuser, uint8_t status)
{
    *refuser = (struct refuser){.fake = fake_new()};
    refuser->fake->refuse = status;
    refuser->fake->refusals = 1;
    assert_int_equal(pthread_create(&refuser->thread, NULL, refuse, refuser), 0);
}

static void refuser_end(struct refuser *refuser)
{
    refuser->stop = true;
    pthread_join(refuser->thread, NULL);
    fake_destroy(&refuser->fake);
}

static void note_refusal(void *context)
{
    atomic_uint *count = context;
    (*count)++;
}

static void a_refusal_is_told_once_with_service_endpoint_and_reason(void **state)
{
    struct scene *scene = *state;
    struct refuser refuser;
    atomic_uint told = 0;
    refuser_start(&refuser, BUSBAR_DENIED);
    set_brokers(scene, refuser.fake->endpoint, NULL);
    exports_on_refusal(scene->exports, note_refusal, &told);
    scene_export_named(scene, "svc");
    assert_int_equal(exports_wait_ready(scene->exports, SCENE_PATIENCE_MS), BUSBAR_DENIED);
    assert_int_equal(busbar_last_status(), BUSBAR_DENIED);
    assert_non_null(strstr(busbar_last_error(), refuser.fake->endpoint));
    assert_non_null(strstr(busbar_last_error(), "service svc: DENIED: because of the test"));
    SCENE_EVENTUALLY(told == 1);
    assert_int_equal(exports_stop(scene->exports), BUSBAR_DENIED);
    assert_int_equal(told, 1);
    exports_on_refusal(scene->exports, note_refusal, &told);
    assert_int_equal(told, 2); /* whoever asks late is told at once */
    refuser_end(&refuser);
}

static void a_refusal_that_may_pass_only_delays(void **state)
{
    struct scene *scene = *state;
    struct refuser refuser;
    refuser_start(&refuser, BUSBAR_BUSY);
    set_brokers(scene, refuser.fake->endpoint, NULL);
    scene_export_named(scene, "svc");
    scene_ready(scene);
    assert_int_equal(exports_stop(scene->exports), BUSBAR_OK);
    refuser_end(&refuser);
}

/* Coming and going ----------------------------------------------------------------------------- */

/* Calls from another thread, while services come and go. */
struct caller {
    pthread_t thread;
    const char *endpoint;
    atomic_bool stop;
    unsigned calls;
    unsigned failures;
};

static void *call_on(void *argument)
{
    struct caller *caller = argument;
    struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = caller->endpoint,
                                                  .timeout_ms = SCENE_PATIENCE_MS};
    const struct busbar_call call = {.service = "stays", .method = "none"};
    if (busbar_client_new(&client, &options) != BUSBAR_OK)
        return NULL;
    while (!caller->stop) {
        caller->calls++;
        caller->failures += busbar_client_call(client, &call, NULL) != BUSBAR_OK;
    }
    busbar_client_destroy(&client);
    return NULL;
}

static void add(struct scene *scene, const char *name, uint32_t threads)
{
    const struct export_settings settings = {.name = (char *)(uintptr_t)name, .threads = threads};
    assert_int_equal(scene_export(scene, &settings, scene_object(scene)), BUSBAR_OK);
    scene_ready(scene);
}

static void services_come_and_go_beside_one_that_is_called(void **state)
{
    struct scene *scene = *state;
    struct caller caller = {.endpoint = embed_endpoint(scene->embed)};
    add(scene, "stays", 1);
    assert_int_equal(pthread_create(&caller.thread, NULL, call_on, &caller), 0);
    for (int i = 0; i < 30; i++) {
        add(scene, "shares", 1);
        add(scene, "alone", 3);
        assert_int_equal(scene_try(scene, "shares", "none"), BUSBAR_OK);
        assert_int_equal(scene_try(scene, "alone", "none"), BUSBAR_OK);
        assert_int_equal(exports_remove(scene->exports, "shares"), BUSBAR_OK);
        assert_int_equal(exports_remove(scene->exports, "alone"), BUSBAR_OK);
    }
    caller.stop = true;
    pthread_join(caller.thread, NULL);
    assert_true(caller.calls > 0);
    assert_int_equal(caller.failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_absent_broker_only_delays),
        SCENE_TEST(exports_are_ready_when_one_of_several_brokers_has_them),
        SCENE_TEST(methods_that_nobody_knows_are_asked_for_until_they_are_known),
        SCENE_TEST(declared_methods_need_no_asking),
        SCENE_TEST(an_export_that_is_still_unknown_can_be_removed),
        SCENE_TEST(a_pool_without_members_is_exported_when_it_has_some),
        SCENE_TEST(a_refusal_is_told_once_with_service_endpoint_and_reason),
        SCENE_TEST(a_refusal_that_may_pass_only_delays),
        SCENE_TEST(services_come_and_go_beside_one_that_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
