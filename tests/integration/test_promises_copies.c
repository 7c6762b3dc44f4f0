/* Promises 18 to 28 of distribution by configuration, with real processes: many copies, the log,
 * and what an application does not pay. Those of pools in one process are in tests/unit. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <busbar/app.h>

#include "tests/kit/kit.h"

enum {
    COPIES = 10,
};

static const char pid_file[] =
    "broker: ${BUSBAR_BROKER}\n"
    "objects:\n  plain:\n"
    "    library: ${PLAIN}\n"
    "    functions: {worker_pid: {signature: \">i\", idempotent: true}}\n"
    "exports:\n  - {name: pids, object: plain%s}\n";

/* The file that exports `pids`, with more keys for the export. */
static const char *pids(struct kit *kit, const char *keys)
{
    char text[1024], plain[512];
    snprintf(plain, sizeof plain, "%s/tests/programs/libplain.so", kit_build());
    setenv("PLAIN", plain, 1);
    snprintf(text, sizeof text, pid_file, keys); /* NOLINT */
    return kit_file(kit, "pids.yaml", text);
}

static struct kit_process *start_worker(struct kit *kit, const char *file)
{
    struct kit_process *worker = kit_start(kit, "busbar", "worker", file, NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    return worker;
}

static struct busbar_object *proxy_of(const char *service, const char *endpoint)
{
    const char *const brokers[] = {endpoint, NULL};
    const struct busbar_proxy_options options = {.service = service, .brokers = brokers};
    struct busbar_object *proxy = NULL;
    assert_int_equal(busbar_proxy_new(&proxy, &options), BUSBAR_OK);
    return proxy;
}

/* The process that answers; 0 if the call fails. */
static pid_t answering(struct busbar_object *object)
{
    struct busbar_value *result = NULL;
    if (busbar_call(object, "worker_pid", &result, "") != BUSBAR_OK)
        print_message("%s\n", busbar_last_error());
    pid_t pid = (pid_t)busbar_value_as_int64(result);
    busbar_value_destroy(&result);
    return pid;
}

static void promise_18_the_log_shows_each_step_of_the_wiring(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    static const char *const variables[] = {"BUSBAR_LOG=debug", NULL};
    static const char *const quiet[] = {"BUSBAR_LOG=off,exports=debug", NULL};
    const char *const argv[] = {"busbar", "worker", pids(kit, ""), NULL};
    struct kit_command command = {.argv = argv, .environment = variables};
    struct kit_process *worker = kit_start_command(kit, &command);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    static const char *const steps[] = {"pids.yaml",  "plain",    "created", "pids",
                                        "registered", "thread",   " debug ", " config ",
                                        " objects ",  " exports "};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        KIT_CONTAINS(worker->err, steps[i]);
    KIT_CONTAINS(worker->err, kit->endpoint);
    kit_kill(worker, SIGTERM);
    kit_wait(worker, 10000);
    command.environment = quiet;
    worker = kit_start_command(kit, &command);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    KIT_CONTAINS(worker->err, " exports ");
    assert_null(strstr(worker->err, " objects "));
}

static void promise_19_ten_processes_of_one_name_are_killed_one_by_one_and_no_call_is_lost(
    void **state)
{
    struct kit *kit = *state;
    struct kit_process *workers[COPIES];
    kit_broker(kit, NULL);
    const char *file = pids(kit, "");
    for (size_t i = 0; i < COPIES; i++)
        workers[i] = start_worker(kit, file);
    struct busbar_object *proxy = proxy_of("pids", kit->endpoint);
    for (size_t i = 0; i < COPIES; i++) {
        for (size_t call = 0; call < 100; call++) {
            if (call == 50 && i < COPIES - 1)
                kit_kill(workers[i], SIGKILL);
            pid_t pid = answering(proxy);
            assert_int_not_equal(pid, 0);
            for (size_t dead = 0; dead < i; dead++)
                assert_int_not_equal(pid, workers[dead]->pid);
        }
    }
    kit_kill(workers[COPIES - 1], SIGKILL);
    kit_wait(workers[COPIES - 1], 5000);
    KIT_EVENTUALLY(busbar_call(proxy, "worker_pid", NULL, "") == BUSBAR_NO_SERVICE, 1000);
    struct kit_process *fresh = start_worker(kit, file);
    assert_int_equal(answering(proxy), fresh->pid);
    busbar_object_destroy(&proxy);
}

static void promise_19_instances_are_copies_in_one_process(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *worker = start_worker(kit, pids(kit, ", instances: 10"));
    struct kit_process *services = kit_run(kit, "busbar", "services", NULL);
    char first[64] = "";
    unsigned count = 0;
    const char *row = strstr(services->out, "pids");
    assert_non_null(row);
    assert_int_equal(sscanf(row, "%63s %u", first, &count), 2);
    assert_int_equal(count, 10);
    struct busbar_object *proxy = proxy_of("pids", kit->endpoint);
    assert_int_equal(answering(proxy), worker->pid);
    busbar_object_destroy(&proxy);
}

/* An application with the pool of the example: two services, at a broker each. */
static struct busbar_app *load_pool(const char *first, const char *second)
{
    struct busbar_app *app = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/examples/two-brokers/client.yaml", kit_build());
    setenv("FIRST", first, 1);
    setenv("SECOND", second, 1);
    if (busbar_app_load(&app, path) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return app;
}

static unsigned fine_calls(struct busbar_object *service, unsigned count)
{
    unsigned fine = 0;
    for (unsigned i = 0; i < count; i++) {
        enum busbar_status status = busbar_call(service, "get_data", NULL, "s", "Hello");
        if (status != BUSBAR_OK)
            print_message("%s: %s\n", busbar_status_name(status), busbar_last_error());
        fine += status == BUSBAR_OK;
    }
    return fine;
}

static bool uses_both(struct busbar_app *app)
{
    return busbar_call(busbar_app_object(app, "first"), "get_data", NULL, "s", "x") == BUSBAR_OK &&
           busbar_call(busbar_app_object(app, "second"), "get_data", NULL, "s", "x") == BUSBAR_OK;
}

static bool nobody_is_aside(struct busbar_object *pool)
{
    struct busbar_pool_stats stats;
    assert_int_equal(busbar_pool_stats(pool, &stats), BUSBAR_OK);
    return stats.members == 2 && stats.aside == 0;
}

static void promise_20_a_pool_over_two_brokers_answers_while_either_is_down(void **state)
{
    struct kit *kit = *state;
    char path[512], endpoints[2][128];
    struct kit_process *brokers[2];
    snprintf(path, sizeof path, "%s/examples/greeter/server.yaml", kit_build());
    for (size_t i = 0; i < 2; i++) {
        brokers[i] = kit_broker(kit, NULL);
        snprintf(endpoints[i], sizeof endpoints[i], "%s", kit->endpoint);
        start_worker(kit, path);
    }
    struct busbar_app *app = load_pool(endpoints[0], endpoints[1]);
    struct busbar_object *service = busbar_app_object(app, "service");
    assert_int_equal(fine_calls(service, 20), 20);
    for (size_t i = 0; i < 2; i++) {
        kit_kill(brokers[i], SIGKILL);
        kit_wait(brokers[i], 5000);
        assert_int_equal(fine_calls(service, 20), 20);
        assert_false(nobody_is_aside(service));
        brokers[i] = kit_broker_at(kit, endpoints[i]);
        KIT_EVENTUALLY(uses_both(app) && nobody_is_aside(service), 20000);
        assert_int_equal(fine_calls(service, 20), 20);
    }
    busbar_app_destroy(&app);
}

static void promise_22_no_member_that_can_be_reached_is_an_error_of_its_own(void **state)
{
    struct kit *kit = *state;
    (void)kit;
    struct busbar_app *app = load_pool("tcp://127.0.0.1:1", "tcp://127.0.0.1:2");
    struct busbar_object *service = busbar_app_object(app, "service");
    uint64_t started = kit_now_ms();
    assert_int_equal(busbar_call(service, "get_data", NULL, "s", "x"), BUSBAR_NO_MEMBERS);
    assert_true(kit_now_ms() - started < kit_time(5000)); /* 250 ms for each where all is well */
    KIT_CONTAINS(busbar_last_error(), "first");
    KIT_CONTAINS(busbar_last_error(), "second");
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    busbar_app_destroy(&app);
}

static void promise_23_a_pool_grows_when_its_file_is_reloaded(void **state)
{
    struct kit *kit = *state;
    static const char text[] = "objects:\n"
                               "  a: {library: libm.so.6, functions: {pow: dd>d}}\n"
                               "  b: {library: libm.so.6, functions: {pow: dd>d}}\n"
                               "  all: {pool: [%s]}\n";
    struct busbar_app *app = NULL;
    struct busbar_pool_stats stats;
    char buffer[512];
    snprintf(buffer, sizeof buffer, text, "a"); /* NOLINT */
    assert_int_equal(busbar_app_load(&app, kit_file(kit, "pool.yaml", buffer)), BUSBAR_OK);
    struct busbar_object *all = busbar_app_object(app, "all");
    assert_int_equal(busbar_pool_stats(all, &stats), BUSBAR_OK);
    assert_int_equal(stats.members, 1);
    snprintf(buffer, sizeof buffer, text, "a, b"); /* NOLINT */
    kit_file(kit, "pool.yaml", buffer);
    assert_int_equal(busbar_app_reload(app), BUSBAR_OK);
    assert_ptr_equal(busbar_app_object(app, "all"), all);
    assert_int_equal(busbar_pool_stats(all, &stats), BUSBAR_OK);
    assert_int_equal(stats.members, 2);
    snprintf(buffer, sizeof buffer, text, "a, c"); /* NOLINT */
    kit_file(kit, "pool.yaml", buffer);
    assert_int_equal(busbar_app_reload(app), BUSBAR_BAD_CONFIG);
    KIT_CONTAINS(busbar_last_error(), "pool.yaml:4:");
    assert_int_equal(busbar_pool_stats(all, &stats), BUSBAR_OK);
    assert_int_equal(stats.members, 2);
    busbar_app_destroy(&app);
}

static void promise_26_a_kind_whose_library_is_missing_fails_at_load_by_name(void **state)
{
    struct kit *kit = *state;
    static const struct {
        const char *text;
        const char *error;
        const char *name;
    } files[] = {
        {"objects:\n  a: {library: libnowhere.so.9, functions: {f: \">i\"}}\n",
         "bad.yaml:2:16: ", "libnowhere.so.9"},
        {"objects:\n  a: {hessian: \"http://127.0.0.1:1/\"}\n", "bad.yaml:2:7: ", "hessian"},
        {"objects:\n  a: {pyro: x}\n", "bad.yaml:2:7: ", "pyro"},
        {"objects:\n  a: {command: no-such-program-here}\n",
         "bad.yaml:2:16: ", "no-such-program-here"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct kit_process *check = kit_run(kit, "busbar", "check",
                                            kit_file(kit, "bad.yaml", files[i].text), NULL);
        KIT_CODE(check, 2);
        KIT_CONTAINS(check->err, files[i].error);
        KIT_CONTAINS(check->err, files[i].name);
    }
}

/* No source of the example knows where anything is, so there is nothing in them to be changed: the
 * client's own words of Busbar are those a local object needs, the service has none. */
static void promise_27_distribution_costs_no_line_of_the_service_or_the_client(void **state)
{
    struct kit *kit = *state;
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s/examples/greeter && grep -nEi 'tcp:|proxy|broker|export|worker|remote_' *.c; "
             "grep -n busbar libgreeter.c; ls *.c | tr '\\n' ' '",
             kit_source());
    struct kit_process *sources = kit_run(kit, "sh", "-c", command, NULL);
    KIT_CODE(sources, 0);
    assert_string_equal(sources->out, "client.c libgreeter.c ");
}

static void promise_28_production_differs_from_development_in_configuration_alone(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    char file[256], overlay[300], path[512];
    snprintf(path, sizeof path, "%s/examples/greeter/server.yaml", kit_build());
    start_worker(kit, path);
    snprintf(path, sizeof path,
             "overlay: \"${OVERLAY:-}\"\nobjects:\n  service:\n"
             "    library: %s/examples/greeter/libgreeter.so\n"
             "    functions: {get_data: \"s>S\", happy_birthday: \"s>AS\"}\n",
             kit_build());
    snprintf(file, sizeof file, "%s", kit_file(kit, "app.yaml", path));
    snprintf(overlay, sizeof overlay, "OVERLAY=%s",
             kit_file(kit, "production.yaml",
                      "broker: ${BUSBAR_BROKER}\n"
                      "objects:\n  service: {library: ~, functions: ~, proxy: ServiceName}\n"));
    const char *const argv[] = {"examples/greeter/client", file, NULL};
    const char *const check[] = {"busbar", "check", file, NULL};
    const char *const production[] = {overlay, NULL};
    struct kit_process *here = kit_run(kit, argv[0], file, NULL);
    KIT_CODE(here, 0);
    struct kit_process *there = kit_run_command(
        kit, &(struct kit_command){.argv = argv, .environment = production});
    KIT_CODE(there, 0);
    assert_string_equal(here->out, there->out);
    KIT_CONTAINS(kit_run(kit, "busbar", "check", file, NULL)->out, "library:");
    struct kit_process *checked = kit_run_command(
        kit, &(struct kit_command){.argv = check, .environment = production});
    KIT_CONTAINS(checked->out, "proxy: ServiceName");
    assert_null(strstr(checked->out, "library:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(promise_18_the_log_shows_each_step_of_the_wiring),
        KIT_TEST(promise_19_ten_processes_of_one_name_are_killed_one_by_one_and_no_call_is_lost),
        KIT_TEST(promise_19_instances_are_copies_in_one_process),
        KIT_TEST(promise_20_a_pool_over_two_brokers_answers_while_either_is_down),
        KIT_TEST(promise_22_no_member_that_can_be_reached_is_an_error_of_its_own),
        KIT_TEST(promise_23_a_pool_grows_when_its_file_is_reloaded),
        KIT_TEST(promise_26_a_kind_whose_library_is_missing_fails_at_load_by_name),
        KIT_TEST(promise_27_distribution_costs_no_line_of_the_service_or_the_client),
        KIT_TEST(promise_28_production_differs_from_development_in_configuration_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
