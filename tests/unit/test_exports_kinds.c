/* Exports and what a call may ask for besides a result: parts, who reported a failure; and what is
 * registered besides methods. */
#include "tests/unit/exports_scene.h"

#include <busbar/client.h>

static struct busbar_object *shell(const char *command)
{
    static const struct busbar_function function = {.name = "run", .signature = "y>y"};
    const char *words[] = {"sh", "-c", command, NULL};
    const struct busbar_command_options options = {
        .words = words, .functions = &function, .function_count = 1};
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_command_new(&object, &options), BUSBAR_OK);
    return object;
}

struct heap {
    char text[64];
    int parts;
};

static void heap_up(struct busbar_reply **part, void *context)
{
    struct heap *heap = context;
    assert_true(strlen(heap->text) + busbar_reply_size(*part) < sizeof heap->text);
    strncat(heap->text, busbar_reply_data(*part), busbar_reply_size(*part));
    heap->parts++;
}

static void what_a_program_writes_comes_in_parts_to_who_takes_them(void **state)
{
    struct scene *scene = *state;
    struct heap heap = {.parts = 0};
    const struct export_settings settings = {.name = (char *)(uintptr_t) "svc"};
    assert_int_equal(
        scene_export(scene, &settings, shell("cat; sleep 0.1; echo two; exec >&-; sleep 0.1")),
        BUSBAR_OK);
    scene_ready(scene);
    CLEANUP(busbar_reply_destroy) struct busbar_reply *reply = NULL;
    struct busbar_call call = {.service = "svc",
                               .method = "run",
                               .body = busbar_body_text("one\n"),
                               .flags = BUSBAR_STREAM,
                               .part = heap_up,
                               .context = &heap};
    assert_int_equal(busbar_client_call(scene->client, &call, &reply), BUSBAR_OK);
    assert_string_equal(heap.text, "one\ntwo\n");
    assert_true(heap.parts >= 2);
    assert_int_equal(busbar_reply_size(reply), 0);
    busbar_reply_destroy(&reply);
    call = (struct busbar_call){.service = "svc", .method = "run", .body = call.body};
    assert_int_equal(busbar_client_call(scene->client, &call, &reply), BUSBAR_OK);
    assert_memory_equal(busbar_reply_data(reply), "one\ntwo\n", 8);
}

static void a_failure_tells_whether_it_reached_the_object(void **state)
{
    static const struct {
        const char *method;
        enum busbar_encoding encoding;
        enum busbar_source source;
    } CASES[] = {
        {"fail", BUSBAR_RAW, BUSBAR_BY_HANDLER},
        {"echo", BUSBAR_MESSAGEPACK, BUSBAR_BY_WORKER}, /* no list of arguments */
        {"nobody", BUSBAR_RAW, BUSBAR_BY_BROKER},
    };
    struct scene *scene = *state;
    scene->probe.status = BUSBAR_BAD_REQUEST;
    scene_export_named(scene, "svc");
    scene_ready(scene);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct busbar_body body = busbar_body_copied("\xc0",
                                                     CASES[i].encoding == BUSBAR_RAW ? 0 : 1);
        body.encoding = CASES[i].encoding;
        CLEANUP(busbar_reply_destroy)
        struct busbar_reply *reply = scene_call(scene, "svc", CASES[i].method, body);
        assert_int_not_equal(busbar_reply_status(reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_source(reply), CASES[i].source);
    }
}

static void weight_balance_and_stall_are_registered(void **state)
{
    struct scene *scene = *state;
    const struct export_settings settings = {.name = (char *)(uintptr_t) "svc",
                                             .weight = 7,
                                             .balance = (char *)(uintptr_t) "random",
                                             .stall_ms = 1500};
    assert_int_equal(scene_export(scene, &settings, scene_object(scene)), BUSBAR_OK);
    scene_ready(scene);
    CLEANUP(busbar_reply_destroy)
    struct busbar_reply *reply = scene_call(scene, "bus", "describe", busbar_body_text("svc"));
    CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
    assert_int_equal(busbar_reply_value(reply, &value), BUSBAR_OK);
    const struct busbar_value *registration = busbar_value_at(
        busbar_value_get(value, "registrations"), 0);
    assert_int_equal(busbar_value_as_int64(busbar_value_get(registration, "weight")), 7);
    assert_string_equal(busbar_value_as_text(busbar_value_get(registration, "balance")), "random");
    const struct busbar_value *methods = busbar_value_get(registration, "methods");
    for (size_t i = 0; i < busbar_value_count(methods); i++)
        assert_int_equal(
            busbar_value_as_int64(busbar_value_get(busbar_value_at(methods, i), "stall")), 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(what_a_program_writes_comes_in_parts_to_who_takes_them),
        SCENE_TEST(a_failure_tells_whether_it_reached_the_object),
        SCENE_TEST(weight_balance_and_stall_are_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
