/* Exports: how bodies become arguments and results bodies, which exports share a connection, how
 * they come and go while calls run. */
#include "app/exports.h"

#include "tests/unit/exports_scene.h"

static struct busbar_body value_body(struct busbar_value *value)
{
    struct busbar_body body;
    assert_non_null(value);
    assert_int_equal(busbar_body_value(&body, value), BUSBAR_OK);
    busbar_value_destroy(&value);
    return body;
}

static struct busbar_value *list_of(struct busbar_value *element)
{
    struct busbar_value *list = busbar_value_list();
    assert_int_equal(busbar_value_append(list, &element), BUSBAR_OK);
    return list;
}

/* Bodies --------------------------------------------------------------------------------------- */

static void raw_bodies_are_one_argument(void **state)
{
    static const struct {
        const char *method;
        const char *body;
        enum busbar_type argument;
        enum busbar_encoding encoding; /* of the reply */
    } rows[] = {
        {"raw", "bytes", BUSBAR_BYTES, BUSBAR_RAW},
        {"raw", "", BUSBAR_BYTES, BUSBAR_RAW},
        {"anything", "bytes", BUSBAR_BYTES, BUSBAR_RAW},
        {"text", "text", BUSBAR_STRING, BUSBAR_MESSAGEPACK},
        {"text", "", BUSBAR_STRING, BUSBAR_MESSAGEPACK},
        {"text", "\xff", BUSBAR_BYTES, BUSBAR_MESSAGEPACK},
        {"echo", "bytes", BUSBAR_BYTES, BUSBAR_MESSAGEPACK},
        {"null", "", BUSBAR_NULL, BUSBAR_MESSAGEPACK},
    };
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
        CLEANUP(busbar_reply_destroy)
        struct busbar_reply *reply = scene_call(scene, "svc", rows[i].method,
                                                busbar_body_text(rows[i].body));
        assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_encoding(reply), rows[i].encoding);
        if (rows[i].encoding == BUSBAR_RAW) {
            assert_int_equal(busbar_reply_size(reply), strlen(rows[i].body));
            assert_memory_equal(busbar_reply_data(reply), rows[i].body, strlen(rows[i].body));
            continue;
        }
        assert_int_equal(busbar_reply_value(reply, &value), BUSBAR_OK);
        assert_int_equal(busbar_value_type(value), rows[i].argument);
    }
}

static void an_empty_raw_body_is_no_argument_where_none_is_taken(void **state)
{
    struct scene *scene = *state;
    CLEANUP(busbar_value_destroy) struct busbar_value *count = NULL;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, "svc", "none", busbar_body_text(""));
    assert_int_equal(busbar_reply_value(reply, &count), BUSBAR_OK);
    assert_int_equal(busbar_value_as_int64(count), 0);
}

static void lists_are_arguments_and_values_come_back(void **state)
{
    struct scene *scene = *state;
    CLEANUP(busbar_value_destroy) struct busbar_value *sent = busbar_value_text("f\xc3\xbcnf");
    CLEANUP(busbar_value_destroy) struct busbar_value *got = NULL;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, "svc", "echo",
                                            value_body(list_of(busbar_value_copy(sent))));
    assert_int_equal(busbar_reply_value(reply, &got), BUSBAR_OK);
    assert_true(busbar_value_equal(sent, got));
}

static void bodies_that_are_no_arguments_are_refused_and_the_object_is_not_called(void **state)
{
    static const char open_list[] = "\x92\x01";
    const struct {
        struct busbar_body body;
        const char *error;
    } rows[] = {
        {value_body(busbar_value_map()), "the arguments must be a list, not a map"},
        {value_body(busbar_value_text("x")), "the arguments must be a list, not a string"},
        {{open_list, 2, BUSBAR_MESSAGEPACK, NULL, NULL, NULL}, "not one value of MessagePack: "},
        {{"", 0, BUSBAR_MESSAGEPACK, NULL, NULL, NULL}, "not one value of MessagePack: "},
    };
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(busbar_reply_destroy)
        struct busbar_reply *reply = scene_call(scene, "svc", "echo", rows[i].body);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_BAD_REQUEST);
        assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
        if (strstr(busbar_reply_error(reply), rows[i].error) == NULL)
            fail_msg("row %zu: %s", i, busbar_reply_error(reply));
    }
    assert_int_equal(scene->probe.calls, 0);
}

static void a_result_over_the_limit_is_just_that(void **state)
{
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "svc", "many"), BUSBAR_RESULT_TOO_LARGE);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
}

static void failures_keep_their_status_fate_and_text(void **state)
{
    static const struct {
        enum busbar_status status;
        enum busbar_fate fate;
    } rows[] = {
        {BUSBAR_APP_ERROR, BUSBAR_EXECUTED},         {BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED},
        {BUSBAR_NO_MEMBERS, BUSBAR_NOT_EXECUTED},    {BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED},
        {BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED},
    };
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        scene->probe.status = rows[i].status;
        scene->probe.fate = rows[i].fate;
        CLEANUP(busbar_reply_destroy)
        struct busbar_reply *reply = scene_call(scene, "svc", "fail", busbar_body_text(""));
        assert_int_equal(busbar_reply_status(reply), rows[i].status);
        assert_int_equal(busbar_reply_fate(reply), rows[i].fate);
        assert_non_null(strstr(busbar_reply_error(reply), "it failed"));
    }
}

static void the_time_that_is_left_is_passed_on(void **state)
{
    struct scene *scene = *state;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    assert_int_equal(scene_try(scene, "svc", "none"), BUSBAR_OK);
    assert_in_range(scene->probe.timeout_ms, 1, SCENE_PATIENCE_MS);
}

/* A call of svc.slow, which runs until the scene lets go; its number. */
static uint64_t start_slow(struct scene *scene)
{
    uint64_t id = 0;
    const struct busbar_call call = {.service = "svc", .method = "slow"};
    scene->probe.hold = true;
    assert_int_equal(busbar_client_start(scene->client, &call, &id), BUSBAR_OK);
    SCENE_EVENTUALLY(busbar_client_process(scene->client) == BUSBAR_OK && scene->probe.running);
    return id;
}

static void a_cancellation_reaches_the_object(void **state)
{
    struct scene *scene = *state;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    uint64_t id = start_slow(scene);
    assert_int_equal(busbar_client_cancel(scene->client, id), BUSBAR_OK);
    assert_int_equal(busbar_client_wait(scene->client, SCENE_PATIENCE_MS, &reply), BUSBAR_OK);
    SCENE_EVENTUALLY(scene->probe.cancelled && !scene->probe.running);
}

/* What is registered --------------------------------------------------------------------------- */

static void a_description_is_registered_with_the_service(void **state)
{
    struct scene *scene = *state;
    struct export_tag tag = {(char *)(uintptr_t) "room", (char *)(uintptr_t) "two"};
    const struct export_settings settings = {.name = (char *)(uintptr_t) "svc",
                                             .version = (char *)(uintptr_t) "1.2",
                                             .tags = &tag,
                                             .tag_count = 1};
    assert_int_equal(scene_export(scene, &settings, scene_object(scene)), BUSBAR_OK);
    scene_ready(scene);
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, "bus", "describe",
                                            value_body(list_of(busbar_value_text("svc"))));
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    assert_int_equal(busbar_reply_value(reply, &value), BUSBAR_OK);
    const struct busbar_value *first = busbar_value_at(busbar_value_get(value, "registrations"), 0);
    const struct busbar_value *method = busbar_value_at(busbar_value_get(first, "methods"), 0);
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "version")), "1.2");
    assert_string_equal(
        busbar_value_as_text(busbar_value_get(busbar_value_get(first, "tags"), "room")), "two");
    assert_string_equal(busbar_value_as_text(busbar_value_get(method, "name")), "echo");
    assert_string_equal(busbar_value_as_text(busbar_value_get(method, "signature")), "v>v");
    assert_string_equal(busbar_value_as_text(busbar_value_get(method, "text")), "Says it again.");
    assert_true(busbar_value_as_bool(busbar_value_get(method, "idempotent")));
}

/* The sessions of the exports; one more is the client's. */
static uint64_t connections(struct scene *scene)
{
    return scene_counter(scene, "sessions") - 1;
}

static void add(struct scene *scene, const char *name, uint32_t threads, uint32_t instances)
{
    const struct export_settings settings = {
        .name = (char *)(uintptr_t)name, .threads = threads, .instances = instances};
    assert_int_equal(scene_export(scene, &settings, scene_object(scene)), BUSBAR_OK);
    scene_ready(scene);
}

/* Promise 4 */
static void services_with_the_same_settings_share_one_connection(void **state)
{
    struct scene *scene = *state;
    add(scene, "one", 1, 1);
    add(scene, "two", 1, 0);
    add(scene, "three", 0, 1);
    assert_int_equal(connections(scene), 1);
    add(scene, "four", 2, 1);
    assert_int_equal(connections(scene), 2);
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"one", "two", "three", "four"};
        assert_int_equal(scene_try(scene, names[i], "none"), BUSBAR_OK);
    }
}

/* Promise 19 */
static void each_instance_has_a_connection_of_its_own(void **state)
{
    struct scene *scene = *state;
    add(scene, "many", 1, 10);
    assert_int_equal(connections(scene), 10);
    add(scene, "also", 1, 2);
    assert_int_equal(connections(scene), 12);
    assert_int_equal(exports_remove(scene->exports, "many"), BUSBAR_OK);
    SCENE_EVENTUALLY(connections(scene) == 2);
    assert_int_equal(scene_try(scene, "also", "none"), BUSBAR_OK);
}

/* Promise 5 */
static void removing_deregisters_at_once_and_the_last_one_ends_the_connection(void **state)
{
    struct scene *scene = *state;
    add(scene, "one", 1, 1);
    add(scene, "two", 1, 1);
    assert_int_equal(exports_remove(scene->exports, "one"), BUSBAR_OK);
    SCENE_EVENTUALLY(scene_try(scene, "one", "none") == BUSBAR_NO_SERVICE);
    assert_int_equal(scene_try(scene, "two", "none"), BUSBAR_OK);
    assert_int_equal(scene->probe.destroyed, 1);
    assert_int_equal(exports_remove(scene->exports, "two"), BUSBAR_OK);
    SCENE_EVENTUALLY(connections(scene) == 0);
    SCENE_EVENTUALLY(scene->probe.destroyed == 2);
    assert_int_equal(exports_remove(scene->exports, "two"), BUSBAR_NO_SERVICE);
    add(scene, "two", 1, 1);
    assert_int_equal(scene_try(scene, "two", "none"), BUSBAR_OK);
}

static void a_call_that_runs_is_answered_though_its_export_is_removed(void **state)
{
    static const char *const others[] = {"", "other"}; /* that share the worker */
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
        add(scene, "svc", 1, 1);
        if (others[i][0] != '\0')
            add(scene, others[i], 1, 1);
        start_slow(scene);
        assert_int_equal(exports_remove(scene->exports, "svc"), BUSBAR_OK);
        usleep(50000);
        scene->probe.hold = false;
        assert_int_equal(busbar_client_wait(scene->client, SCENE_PATIENCE_MS, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    }
}

static void a_stop_answers_what_runs(void **state)
{
    struct scene *scene = *state;
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    start_slow(scene);
    scene->probe.hold = false;
    assert_int_equal(exports_stop(scene->exports), BUSBAR_OK);
    assert_int_equal(busbar_client_wait(scene->client, SCENE_PATIENCE_MS, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    assert_int_equal(connections(scene), 0);
    const struct export_settings late = {.name = (char *)(uintptr_t) "late"};
    assert_int_equal(scene_export(scene, &late, scene_object(scene)), BUSBAR_DRAINING);
}

static void what_cannot_be_exported_is_refused_with_a_text(void **state)
{
    static const struct {
        const char *name;
        uint32_t instances;
        enum busbar_status status;
        const char *error;
    } rows[] = {
        {NULL, 1, BUSBAR_BAD_ARGUMENT, "export \"\""},
        {"a b", 1, BUSBAR_BAD_ARGUMENT, "export \"a b\""},
        {"bus", 1, BUSBAR_BAD_ARGUMENT, "reserved"},
        {"_x", 1, BUSBAR_BAD_ARGUMENT, "reserved"},
        {"taken", 1, BUSBAR_CONFLICT, "export \"taken\""},
        {"x", 5000, BUSBAR_BAD_ARGUMENT, "5000 instances"},
    };
    struct scene *scene = *state;
    scene_export_named(scene, "taken");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct export_settings settings = {.name = (char *)(uintptr_t)rows[i].name,
                                                 .instances = rows[i].instances};
        assert_int_equal(scene_export(scene, &settings, scene_object(scene)), rows[i].status);
        if (strstr(busbar_last_error(), rows[i].error) == NULL)
            fail_msg("row %zu: %s", i, busbar_last_error());
    }
    assert_int_equal(scene->probe.destroyed, ARRAY_SIZE(rows));
}

/* An object that says nothing of itself can have no registration. */
static void an_object_without_methods_cannot_be_exported(void **state)
{
    static const struct busbar_object_class silent = {.kind = "silent", .call = NULL};
    struct busbar_object_class class_of = silent;
    struct scene *scene = *state;
    struct busbar_object *object = scene_object(scene);
    struct busbar_object *mute = NULL;
    const struct export_settings settings = {.name = (char *)(uintptr_t) "svc"};
    class_of.call = (enum busbar_status(*)(void *, const struct busbar_object_call *,
                                           struct busbar_value **))busbar_object_call;
    assert_int_equal(busbar_object_new(&mute, &class_of, object), BUSBAR_OK);
    assert_int_equal(scene_export(scene, &settings, mute), BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), "export \"svc\": silent: "));
    busbar_object_destroy(&object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(raw_bodies_are_one_argument),
        SCENE_TEST(an_empty_raw_body_is_no_argument_where_none_is_taken),
        SCENE_TEST(lists_are_arguments_and_values_come_back),
        SCENE_TEST(bodies_that_are_no_arguments_are_refused_and_the_object_is_not_called),
        SCENE_TEST(a_result_over_the_limit_is_just_that),
        SCENE_TEST(failures_keep_their_status_fate_and_text),
        SCENE_TEST(the_time_that_is_left_is_passed_on),
        SCENE_TEST(a_cancellation_reaches_the_object),
        SCENE_TEST(a_description_is_registered_with_the_service),
        SCENE_TEST(services_with_the_same_settings_share_one_connection),
        SCENE_TEST(each_instance_has_a_connection_of_its_own),
        SCENE_TEST(removing_deregisters_at_once_and_the_last_one_ends_the_connection),
        SCENE_TEST(a_call_that_runs_is_answered_though_its_export_is_removed),
        SCENE_TEST(a_stop_answers_what_runs),
        SCENE_TEST(what_cannot_be_exported_is_refused_with_a_text),
        SCENE_TEST(an_object_without_methods_cannot_be_exported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
