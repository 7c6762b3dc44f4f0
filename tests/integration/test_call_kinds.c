/* `busbar call` and what may be said of a call: parts, oneway, waiting, keys, metadata. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kit/kit.h"

static struct kit_process *serve(struct kit *kit, const char *command)
{
    struct kit_process *process = kit_start(kit, "busbar", "serve", "it", "--", "/bin/sh", "-c",
                                            command, NULL);
    kit_wait_for_text(process, "serving it (run) at tcp://127.0.0.1:", KIT_RUN_MS);
    return process;
}

static void what_a_program_writes_is_printed_as_it_comes(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    serve(kit, "echo one; sleep 98767; echo two");
    struct kit_process *call = kit_start(kit, "busbar", "call", "--stream", "--timeout", "60s",
                                         "it", "run", "", NULL);
    kit_wait_for_text(call, "one\n", KIT_RUN_MS);
    assert_true(kit_is_running(call));
    kit_kill(call, SIGTERM);
    KIT_EVENTUALLY(kit_count_processes("sleep 98767") == 1, 2000); /* the server's own */
}

static void a_stream_ends_with_the_program(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    serve(kit,
          "read word; case $word in good) yes | head -c 1000000;; *) echo some; exit 3;; esac");
    struct kit_process *call = kit_run(kit, "busbar", "call", "--stream", "it", "run", "good\n",
                                       NULL);
    KIT_CODE(call, 0);
    assert_int_equal(call->out_size, 1000000);
    call = kit_run(kit, "busbar", "call", "--stream", "it", "run", "bad\n", NULL);
    KIT_CODE(call, 1);
    assert_string_equal(call->out, "some\n");
    KIT_CONTAINS(call->err, "exit status 3");
}

static void a_oneway_call_ends_at_once_and_is_executed(void **state)
{
    struct kit *kit = *state;
    char command[256];
    const char *file = kit_file(kit, "done", "");
    kit_broker(kit, NULL);
    snprintf(command, sizeof command, "sleep 2; echo done >%s", file);
    serve(kit, command);
    struct kit_process *call = kit_run(kit, "busbar", "call", "--oneway", "it", "run", "", NULL);
    KIT_CODE(call, 0);
    assert_string_equal(call->out, "");
    snprintf(command, sizeof command, "grep -q done %s", file);
    assert_int_not_equal(system(command), 0);
    KIT_EVENTUALLY(system(command) == 0, 10000);
}

static void a_call_may_wait_for_its_service(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    struct kit_process *call = kit_start(kit, "busbar", "call", "--wait", "20s", "--timeout", "20s",
                                         "--string", "it", "run", "x", NULL);
    kit_sleep_ms(300);
    assert_true(kit_is_running(call));
    serve(kit, "cat");
    assert_int_equal(kit_wait(call, 20000), 0);
}

static void what_cannot_be_said_is_refused(void **state)
{
    struct kit *kit = *state;
    kit_broker(kit, NULL);
    static const struct {
        const char *option;
        const char *value;
        const char *says;
    } cases[] = {
        {"--meta", "novalue", "NAME=VALUE"},
        {"--meta", "=x", "NAME=VALUE"},
        {"--oneway", "--stream", "--oneway"},
        {"--oneway", "--progress", "--oneway"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kit_process *call = kit_run(kit, "busbar", "call", cases[i].option, cases[i].value,
                                           "it", "run", NULL);
        KIT_CODE(call, 2);
        KIT_CONTAINS(call->err, cases[i].says);
    }
    struct kit_process *call = kit_run(kit, "busbar", "call", "--meta", "a=b", "--meta", "c=d=e",
                                       "--key", "k", "--idempotent", "bus", "list", NULL);
    KIT_CODE(call, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_a_program_writes_is_printed_as_it_comes),
        KIT_TEST(a_stream_ends_with_the_program),
        KIT_TEST(a_oneway_call_ends_at_once_and_is_executed),
        KIT_TEST(a_call_may_wait_for_its_service),
        KIT_TEST(what_cannot_be_said_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
