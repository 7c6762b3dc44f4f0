/* Promises 1 to 8 of distribution by configuration, with real processes: exporting. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/app.h>

#include "tests/kit/kit.h"

#define PLAIN "    library: %s/tests/programs/libplain.so\n"

/* A file of the test's directory with the path of the build put in for the one %s. */
static const char *file_of(struct kit *kit, const char *name, const char *format)
{
    char text[4096];
    int size = snprintf(text, sizeof text, format, kit_build()); /* NOLINT */
    assert_in_range(size, 1, sizeof text - 1);
    return kit_file(kit, name, text);
}

static struct kit_process *start_worker(struct kit *kit, const char *file)
{
    struct kit_process *worker = kit_start(kit, "busbar", "worker", file, NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    return worker;
}

static const char counting_file[] = "objects:\n  plain:\n" PLAIN
                                    "    functions: {next_number: \">i\", shout: \"s>s\"}\n"
                                    "exports:\n"
                                    "  - {name: first, object: plain}\n"
                                    "  - {name: second, object: plain}\n"
                                    "  - {name: third, object: plain}\n";

static void promise_01_plain_functions_are_exported_by_a_file_alone(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    char source[4096], path[512];
    snprintf(path, sizeof path, "%s/examples/greeter/libgreeter.c", kit_source());
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    source[fread(source, 1, sizeof source - 1, file)] = '\0';
    fclose(file);
    assert_null(strstr(source, "busbar"));
    snprintf(path, sizeof path, "%s/examples/greeter/server.yaml", kit_build());
    start_worker(kit, path);
    struct kit_process *call = kit_run(kit, "busbar", "call", "--raw", "ServiceName", "get_data",
                                       "Hello", NULL);
    KIT_CODE(call, 0);
    assert_string_equal(call->out, "You got remote data => Hello\n");
}

static void promise_02_an_export_needs_an_object_and_a_name(void **state)
{
    struct kit *kit = *state;
    static const struct {
        const char *exports;
        const char *error;
    } files[] = {
        {"exports:\n  - {object: plain}\n", ":5:5: "},
        {"exports:\n  - {name: first}\n", ":5:5: "},
        {"exports:\n  - {name: first, object: plian}\n", ":5:27: "},
        {"exports:\n  - {name: \"a b\", object: plain}\n", ":5:12: "},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "objects:\n  plain: {library: %s/tests/programs/libplain.so,\n"
                 "    functions: {shout: \"s>s\"}}\n%s",
                 kit_build(), files[i].exports);
        struct kit_process *worker = kit_run(kit, "busbar", "worker",
                                             kit_file(kit, "bad.yaml", text), NULL);
        KIT_CODE(worker, 2);
        KIT_CONTAINS(worker->err, "bad.yaml");
        KIT_CONTAINS(worker->err, files[i].error);
        assert_string_equal(worker->out, "");
    }
}

static void expect_broker(struct kit *kit, const char *environment, const char *line,
                          const char *expected)
{
    char text[1024], path[256];
    snprintf(text, sizeof text,
             "%sobjects:\n  math: {library: libm.so.6, functions: {pow: dd>d}}\n", line);
    snprintf(path, sizeof path, "%s", kit_file(kit, "broker.yaml", text));
    const char *const argv[] = {"busbar", "check", path, NULL};
    const char *const variables[] = {environment, NULL};
    const struct kit_command command = {.argv = argv, .environment = variables};
    struct kit_process *check = kit_run_command(kit, &command);
    KIT_CODE(check, 0);
    KIT_CONTAINS(check->out, expected);
}

static void promise_03_the_endpoint_has_a_default_and_file_environment_and_code_override_it(
    void **state)
{
    struct kit *kit = *state;
    expect_broker(kit, "BUSBAR_BROKER=", "", "tcp://127.0.0.1:7766");
    expect_broker(kit, "BUSBAR_BROKER=tcp://127.0.0.1:7001", "", "tcp://127.0.0.1:7001");
    expect_broker(kit, "BUSBAR_BROKER=tcp://127.0.0.1:7001", "broker: tcp://127.0.0.1:7002\n",
                  "tcp://127.0.0.1:7002");
    struct busbar_app *app = NULL;
    static const char *const brokers[] = {"tcp://127.0.0.1:7003", NULL};
    assert_int_equal(busbar_app_new(&app), BUSBAR_OK);
    assert_int_equal(busbar_app_set_brokers(app, brokers), BUSBAR_OK);
    assert_string_equal(busbar_app_broker(app), "tcp://127.0.0.1:7003");
    busbar_app_destroy(&app);
}

static void promise_04_several_services_share_one_connection_and_thread(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    uint64_t before = kit_counter(kit, "sessions");
    start_worker(kit, file_of(kit, "three.yaml", counting_file));
    assert_int_equal(kit_counter(kit, "services"), 3);
    KIT_EVENTUALLY(kit_counter(kit, "sessions") == before + 1, 5000);
}

static enum busbar_status call_shout(struct kit *kit, const char *service)
{
    const char *const brokers[] = {kit->endpoint, NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    enum busbar_status status = busbar_call(proxy, "shout", NULL, "s", "hi");
    busbar_object_destroy(&proxy);
    return status;
}

/* An application in this process with the exports of counting_file at the broker of the test. */
static struct busbar_app *read_app(struct kit *kit)
{
    struct busbar_app *app = NULL;
    setenv("BUSBAR_BROKER", kit->endpoint, 1);
    enum busbar_status status = busbar_app_read(&app, file_of(kit, "three.yaml", counting_file));
    unsetenv("BUSBAR_BROKER");
    if (status != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return app;
}

static void promise_05_removing_an_export_or_destroying_the_worker_deregisters_at_once(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct busbar_app *app = read_app(kit);
    assert_int_equal(busbar_app_start(app), BUSBAR_OK);
    assert_int_equal(call_shout(kit, "first"), BUSBAR_OK);
    assert_int_equal(busbar_app_unexport(app, "first"), BUSBAR_OK);
    assert_int_equal(call_shout(kit, "first"), BUSBAR_NO_SERVICE);
    assert_int_equal(call_shout(kit, "second"), BUSBAR_OK);
    assert_int_equal(busbar_app_unexport(app, "second"), BUSBAR_OK);
    assert_int_equal(busbar_app_unexport(app, "third"), BUSBAR_OK);
    assert_int_equal(call_shout(kit, "third"), BUSBAR_NO_SERVICE);
    const struct busbar_export again = {.name = "first", .object = "plain"};
    assert_int_equal(busbar_app_export(app, &again), BUSBAR_OK);
    KIT_EVENTUALLY(call_shout(kit, "first") == BUSBAR_OK, 5000);
    busbar_app_destroy(&app);
    assert_int_equal(call_shout(kit, "first"), BUSBAR_NO_SERVICE);
}

static void promise_06_starting_is_explicit_in_code_and_done_by_the_loader(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct busbar_app *app = read_app(kit);
    assert_int_equal(busbar_app_run(app), BUSBAR_BAD_ARGUMENT);
    KIT_CONTAINS(busbar_last_error(), "busbar_app_start");
    assert_int_equal(call_shout(kit, "first"), BUSBAR_NO_SERVICE);
    busbar_app_destroy(&app);
    setenv("BUSBAR_BROKER", kit->endpoint, 1);
    assert_int_equal(busbar_app_load(&app, file_of(kit, "three.yaml", counting_file)), BUSBAR_OK);
    unsetenv("BUSBAR_BROKER");
    assert_int_equal(call_shout(kit, "first"), BUSBAR_OK);
    busbar_app_destroy(&app);
}

static void promise_07_objects_are_created_once_and_referred_to_in_any_order(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    start_worker(kit, file_of(kit, "order.yaml",
                              "exports:\n"
                              "  - {name: one, object: both}\n"
                              "  - {name: two, object: plain}\n"
                              "objects:\n"
                              "  both: {pool: [plain]}\n"
                              "  plain:\n" PLAIN "    functions: {next_number: \">i\"}\n"));
    static const char *const services[] = {"one", "two", "one"};
    for (size_t i = 0; i < 3; i++) {
        struct kit_process *call = kit_run(kit, "busbar", "call", services[i], "next_number", NULL);
        char expected[8];
        snprintf(expected, sizeof expected, "%zu\n", i + 1);
        KIT_CODE(call, 0);
        assert_string_equal(call->out, expected);
    }
}

static void promise_08_the_main_of_a_server_loads_a_file_and_waits(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *server = kit_start(kit, "tests/programs/three_lines",
                                           file_of(kit, "three.yaml", counting_file), NULL);
    KIT_EVENTUALLY(call_shout(kit, "first") == BUSBAR_OK, 10000);
    kit_kill(server, SIGTERM);
    assert_int_equal(kit_wait(server, 10000), 0);
    assert_int_equal(call_shout(kit, "first"), BUSBAR_NO_SERVICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(promise_01_plain_functions_are_exported_by_a_file_alone),
        KIT_TEST(promise_02_an_export_needs_an_object_and_a_name),
        KIT_TEST(promise_03_the_endpoint_has_a_default_and_file_environment_and_code_override_it),
        KIT_TEST(promise_04_several_services_share_one_connection_and_thread),
        KIT_TEST(promise_05_removing_an_export_or_destroying_the_worker_deregisters_at_once),
        KIT_TEST(promise_06_starting_is_explicit_in_code_and_done_by_the_loader),
        KIT_TEST(promise_07_objects_are_created_once_and_referred_to_in_any_order),
        KIT_TEST(promise_08_the_main_of_a_server_loads_a_file_and_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
