/* Promises 9 to 17 of distribution by configuration, with real processes: proxies. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/app.h>

#include "tests/kit/kit.h"

static const char song[] = "You got remote data => Hello\n"
                           "Happy Birthday to you!\n"
                           "Happy Birthday to you!\n"
                           "Happy Birthday Dear Greg!\n"
                           "Happy Birthday to you!\n";

/* A file of the example, by its name. */
static const char *example(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/examples/greeter/%s", kit_build(), name);
    return path;
}

static struct kit_process *run_client(struct kit *kit, const char *file)
{
    return kit_run(kit, "examples/greeter/client", example(file), NULL);
}

static struct kit_process *start_server(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "busbar", "worker", example("server.yaml"), NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    return worker;
}

/* An application of the text, at the broker of the test. */
static struct busbar_app *load(struct kit *kit, const char *text)
{
    struct busbar_app *app = NULL;
    setenv("BUSBAR_BROKER", kit->endpoint, 1);
    enum busbar_status status = busbar_app_load(&app, kit_file(kit, "app.yaml", text));
    unsetenv("BUSBAR_BROKER");
    if (status != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return app;
}

static void promise_09_a_client_gets_a_proxy_by_its_id_and_calls_it_as_a_local_object(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_server(kit);
    struct busbar_app *app = load(kit, "objects:\n  service: {proxy: ServiceName}\n");
    struct busbar_object *service = busbar_app_object(app, "service");
    assert_non_null(service);
    assert_null(busbar_app_object(app, "servcie"));
    KIT_CONTAINS(busbar_last_error(), "service");
    char *(*get_data)(const char *) = busbar_function(service, "get_data");
    assert_non_null(get_data);
    char *data = get_data("Hello");
    assert_string_equal(data, "You got remote data => Hello");
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    free(data);
    busbar_app_destroy(&app);
}

static void promise_10_one_binary_and_three_files_print_the_same_bytes(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_server(kit);
    static const char *const files[] = {"local.yaml", "together.yaml", "client.yaml"};
    for (size_t i = 0; i < 3; i++) {
        struct kit_process *client = run_client(kit, files[i]);
        KIT_CODE(client, 0);
        assert_string_equal(client->out, song);
        assert_string_equal(client->err, "");
    }
}

static void promise_11_no_interface_need_be_declared(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_server(kit);
    struct busbar_app *app = load(kit, "objects:\n  service: {proxy: ServiceName}\n");
    struct busbar_object *service = busbar_app_object(app, "service");
    struct busbar_value *result = NULL;
    assert_int_equal(busbar_call(service, "happy_birthday", &result, "s", "Greg"), BUSBAR_OK);
    assert_int_equal(busbar_value_count(result), 4);
    assert_string_equal(busbar_value_as_text(busbar_value_at(result, 2)),
                        "Happy Birthday Dear Greg!");
    busbar_value_destroy(&result);
    assert_int_equal(busbar_call(service, "no_such_method", &result, "s", "Greg"),
                     BUSBAR_NO_METHOD);
    assert_null(result);
    busbar_app_destroy(&app);
}

static void promise_12_a_client_may_start_before_the_server_and_the_broker(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "%s", kit->endpoint);
    kit_kill(kit->processes, SIGTERM);
    kit_wait(kit->processes, 10000);
    struct busbar_app *app = load(kit, "objects:\n  service: {proxy: ServiceName}\n");
    struct busbar_object *service = busbar_app_object(app, "service");
    assert_int_equal(busbar_call(service, "get_data", NULL, "s", "Hello"), BUSBAR_BROKER_LOST);
    kit_broker_at(kit, endpoint);
    assert_int_equal(busbar_call(service, "get_data", NULL, "s", "Hello"), BUSBAR_NO_SERVICE);
    start_server(kit);
    assert_int_equal(busbar_call(service, "get_data", NULL, "s", "Hello"), BUSBAR_OK);
    busbar_app_destroy(&app);
}

/* Gives back the list of its arguments. */
static enum busbar_status echo(void *context, const struct busbar_object_call *call,
                               struct busbar_value **ret)
{
    (void)context;
    *ret = busbar_value_copy(call->arguments);
    return *ret != NULL ? BUSBAR_OK : BUSBAR_NO_MEMORY;
}

static struct busbar_value *describe_echo(void *context)
{
    (void)context;
    struct busbar_value *list = busbar_value_list(), *map = busbar_value_map();
    struct busbar_value *name = busbar_value_text("echo");
    assert_int_equal(busbar_value_set(map, "name", &name), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    return list;
}

/* [1, "two", [3.5, [null, true]], {"four": [5, {"six": bytes}]}] */
static struct busbar_value *nested(void)
{
    static const unsigned char bytes[] = {0, 255, 1};
    struct busbar_value *list = busbar_value_list(), *map = busbar_value_map();
    struct busbar_value *inner = busbar_value_list(), *innermost = busbar_value_list();
    struct busbar_value *deep = busbar_value_list(), *six = busbar_value_map();
    struct busbar_value *items[] = {
        busbar_value_int64(1),
        busbar_value_text("two"),
        busbar_value_double(3.5),
        busbar_value_null(),
        busbar_value_bool(true),
        busbar_value_int64(5),
        busbar_value_bytes(bytes, sizeof bytes),
    };
    assert_int_equal(busbar_value_append(innermost, &items[3]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(innermost, &items[4]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(inner, &items[2]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(inner, &innermost), BUSBAR_OK);
    assert_int_equal(busbar_value_set(six, "six", &items[6]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(deep, &items[5]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(deep, &six), BUSBAR_OK);
    assert_int_equal(busbar_value_set(map, "four", &deep), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &items[0]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &items[1]), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &inner), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    return list;
}

static void promise_13_several_arguments_lists_and_maps_cross_in_both_directions(void **state)
{
    struct kit *kit = *state;
    static const struct busbar_object_class class_of = {
        .kind = "echo", .call = echo, .describe = describe_echo};
    struct busbar_app *app = NULL;
    struct busbar_object *object = NULL, *proxy = NULL;
    (void)kit;
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_app_embed(app, "tcp://127.0.0.1:*"), BUSBAR_OK);
    assert_int_equal(busbar_object_new(&object, &class_of, NULL), BUSBAR_OK);
    assert_int_equal(busbar_app_add(app, "echo", object), BUSBAR_OK);
    const struct busbar_proxy_options options = {.service = "Echo"};
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    assert_int_equal(busbar_app_add(app, "proxy", proxy), BUSBAR_OK);
    const struct busbar_export exported = {.name = "Echo", .object = "echo"};
    assert_int_equal(busbar_app_export(app, &exported), BUSBAR_OK);
    assert_int_equal(busbar_app_start(app), BUSBAR_OK);

    struct busbar_value *sent = nested(), *received = NULL;
    const struct busbar_object_call call = {.method = "echo", .arguments = sent};
    assert_int_equal(busbar_object_call(proxy, &call, &received), BUSBAR_OK);
    assert_true(busbar_value_equal(sent, received));
    busbar_value_destroy(&sent);
    busbar_value_destroy(&received);
    busbar_object_destroy(&proxy);
    busbar_object_destroy(&object);
    busbar_app_destroy(&app);
}

static void promise_14_export_and_proxy_stand_in_one_file_or_in_two(void **state)
{
    struct kit *kit = *state;
    struct kit_process *together = run_client(kit, "together.yaml");
    KIT_CODE(together, 0);
    assert_string_equal(together->out, song);
    kit_broker(kit, NULL);
    start_server(kit);
    assert_string_equal(run_client(kit, "client.yaml")->out, song);
}

static void promise_15_moving_a_service_changes_nothing_for_its_clients(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *first = start_server(kit);
    assert_string_equal(run_client(kit, "client.yaml")->out, song);
    start_server(kit); /* elsewhere: another process with another connection */
    kit_kill(first, SIGTERM);
    assert_int_equal(kit_wait(first, 10000), 0);
    assert_string_equal(run_client(kit, "client.yaml")->out, song);
    /* Another broker: one line, here that of a variable. */
    kit_broker(kit, NULL);
    start_server(kit);
    assert_string_equal(run_client(kit, "client.yaml")->out, song);
}

static void promise_17_a_wrong_port_or_name_fails_fast_and_names_endpoint_and_service(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct busbar_app *app = load(kit, "objects:\n"
                                       "  lost: {proxy: {service: Any, broker: "
                                       "\"tcp://127.0.0.1:1\"}}\n"
                                       "  unknown: {proxy: Nobody}\n");
    uint64_t started = kit_now_ms();
    assert_int_equal(busbar_call(busbar_app_object(app, "lost"), "any", NULL, ""),
                     BUSBAR_BROKER_LOST);
    assert_true(kit_now_ms() - started < kit_time(1000) * 3);
    KIT_CONTAINS(busbar_last_error(), "tcp://127.0.0.1:1");
    KIT_CONTAINS(busbar_last_error(), "Any");
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    started = kit_now_ms();
    assert_int_equal(busbar_call(busbar_app_object(app, "unknown"), "any", NULL, ""),
                     BUSBAR_NO_SERVICE);
    assert_true(kit_now_ms() - started < kit_time(1000));
    KIT_CONTAINS(busbar_last_error(), kit->endpoint);
    KIT_CONTAINS(busbar_last_error(), "Nobody");
    busbar_app_destroy(&app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(promise_09_a_client_gets_a_proxy_by_its_id_and_calls_it_as_a_local_object),
        KIT_TEST(promise_10_one_binary_and_three_files_print_the_same_bytes),
        KIT_TEST(promise_11_no_interface_need_be_declared),
        KIT_TEST(promise_12_a_client_may_start_before_the_server_and_the_broker),
        KIT_TEST(promise_13_several_arguments_lists_and_maps_cross_in_both_directions),
        KIT_TEST(promise_14_export_and_proxy_stand_in_one_file_or_in_two),
        KIT_TEST(promise_15_moving_a_service_changes_nothing_for_its_clients),
        KIT_TEST(promise_17_a_wrong_port_or_name_fails_fast_and_names_endpoint_and_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
