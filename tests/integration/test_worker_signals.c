/* `busbar worker` and its signals, at any time and from anybody; and `check` of odd files. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <busbar/object.h>

#include "tests/kit/kit.h"

enum {
    STARTS = 10,
};

static const char slow[] = "objects:\n"
                           "  slow: {command: [sh, -c, \"sleep 0.7; echo done\"]}\n"
                           "exports:\n"
                           "  - {name: slow, object: slow}\n";

static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fscanf(file, "%d", &child) != 1)
        child = 0;
    if (file != NULL)
        fclose(file);
    return child;
}

/* As Ctrl-C does, and a service manager that tells all processes of a service. */
static void a_signal_to_parent_and_child_ends_a_respawned_worker_in_order(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *worker = kit_start(kit, "busbar", "worker", "--respawn",
                                           kit_file(kit, "slow.yaml", slow), NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    struct kit_process *call = kit_start(kit, "busbar", "call", "--timeout", "20s", "slow", "run",
                                         "", NULL);
    kit_sleep_ms(300);
    pid_t child = child_of(worker->pid);
    assert_true(child > 0);
    kit_kill(worker, SIGINT);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(kit_wait(worker, KIT_RUN_MS), 0);
    assert_int_equal(kit_wait(call, KIT_RUN_MS), 0);
    KIT_CONTAINS(call->out, "done");
}

static void a_second_signal_ends_a_respawned_worker_at_once(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *worker = kit_start(kit, "busbar", "worker", "--respawn",
                                           kit_file(kit, "slow.yaml", slow), NULL);
    kit_wait_for_text(worker, "running", KIT_RUN_MS);
    struct kit_process *call = kit_start(kit, "busbar", "call", "--timeout", "20s", "slow", "run",
                                         "", NULL);
    kit_sleep_ms(300);
    kit_kill(worker, SIGTERM);
    kit_sleep_ms(50);
    kit_kill(worker, SIGTERM);
    assert_int_equal(kit_wait(worker, KIT_RUN_MS), 128 + SIGTERM);
    assert_int_equal(kit_wait(call, KIT_RUN_MS), 5);
}

/* Once it says that it runs, a signal ends it in order; SIGHUP before that does not kill it. */
static void signals_at_the_start_are_not_lost(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    const char *file = kit_file(kit, "slow.yaml", slow);
    for (unsigned i = 0; i < STARTS; i++) {
        const char *option = i % 2 == 0 ? "--respawn" : "--";
        const char *const argv[] = {"busbar", "worker", option, file, NULL};
        static const char *const environment[] = {"BUSBAR_LOG=debug", NULL};
        const struct kit_command command = {.argv = argv, .environment = environment};
        struct kit_process *worker = kit_start_command(kit, &command);
        kit_wait_for_text(worker, "slow.yaml read", KIT_RUN_MS);
        kit_kill(worker, SIGHUP);
        kit_wait_for_text(worker, i < STARTS / 2 ? "SIGHUP: reading" : "running, broker",
                          KIT_RUN_MS);
        kit_kill(worker, SIGTERM);
        assert_int_equal(kit_wait(worker, KIT_RUN_MS), 0);
    }
}

static void what_can_be_read_once_cannot_be_respawned(void **state)
{
    struct kit *kit = *state;
    struct kit_process *worker = kit_run(kit, "busbar", "worker", "--respawn", "-", NULL);
    KIT_CODE(worker, 2);
    KIT_CONTAINS(worker->err, "--respawn needs a FILE");
}

static void check_takes_an_application_from_a_pipe_or_in_any_form(void **state)
{
    struct kit *kit = *state;
    static const char *const texts[] = {
        "{objects: {a: {proxy: s}}}\n",
        "{\n  version: 1, objects: {a: {proxy: s}}}\n",
        "\"objects\" : {a: {proxy: s}}\n",
        "\xef\xbb\xbfobjects: {a: {proxy: s}}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *const argv[] = {"busbar", "check", "-", NULL};
        const struct kit_command command = {
            .argv = argv, .input = texts[i], .input_size = strlen(texts[i])};
        struct kit_process *piped = kit_run_command(kit, &command);
        KIT_CODE(piped, 0);
        KIT_CONTAINS(piped->out, "proxy: s\n");
        struct kit_process *named = kit_run(kit, "busbar", "check",
                                            kit_file(kit, "a.yaml", texts[i]), NULL);
        KIT_CODE(named, 0);
        KIT_CONTAINS(named->out, "proxy: s\n");
    }
    /* A misspelt key is told as one of this kind of file. */
    struct kit_process *misspelt = kit_run(kit, "busbar", "check",
                                           kit_file(kit, "a.yaml", "exprts: []\n"), NULL);
    KIT_CODE(misspelt, 2);
    KIT_CONTAINS(misspelt->err, "did you mean \"exports\"?");
    struct kit_process *endless = kit_run(kit, "busbar", "check", "/dev/zero", NULL);
    KIT_CODE(endless, 2);
    KIT_CONTAINS(endless->err, "/dev/zero: is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_signal_to_parent_and_child_ends_a_respawned_worker_in_order),
        KIT_TEST(a_second_signal_ends_a_respawned_worker_at_once),
        KIT_TEST(signals_at_the_start_are_not_lost),
        KIT_TEST(what_can_be_read_once_cannot_be_respawned),
        KIT_TEST(check_takes_an_application_from_a_pipe_or_in_any_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
