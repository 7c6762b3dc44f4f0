/* Time and turns of commands: deadlines, cancellation, and how many run at once. */
#include "objects/object.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/command_made.h"

enum {
    SOON_MS = 20000, /* far less than what the programs would sleep */
    MANY = 8,
};

static bool is_set(void *context)
{
    return atomic_load((atomic_bool *)context);
}

static bool after_a_moment(void *context)
{
    return clock_ms() >= *(const uint64_t *)context;
}

static void time_ends_a_run_whoever_set_it(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint32_t timeout;
    } rows[] = {
        {"{command: [sleep, '98763']}", 200},
        {"{command: [sleep, '98763'], timeout: 200ms}", 0},
        {"{command: [sleep, '98763'], timeout: 200ms}", 60000},
        {"{command: [sleep, '98763'], timeout: 60s}", 200},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(busbar_object_destroy) struct busbar_object *object = command_good(rows[i].yaml);
        const struct busbar_object_call call = {.method = "run", .timeout_ms = rows[i].timeout};
        uint64_t start = clock_ms();
        command_called(object, &call, "");
        assert_last(BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED, "sleep: killed, its time was over");
        assert_true(clock_ms() - start >= 200 && clock_ms() - start < SOON_MS);
    }
}

static void a_cancelled_call_kills_its_program(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: [sleep, '98763']}");
    uint64_t moment = clock_ms() + 200;
    const struct busbar_object_call call = {
        .method = "run",
        .cancelled = after_a_moment,
        .context = &moment,
    };
    command_called(object, &call, "");
    assert_last(BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED, "sleep: killed, the call was cancelled");
    assert_true(clock_ms() - moment < SOON_MS);
    command_called(object, &call, "");
    assert_last(BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED, "the call was cancelled");
}

/* A call on a thread of its own. */
struct caller {
    struct busbar_object *object;
    struct busbar_object_call call;
    const char *text;
    pthread_t thread;
    enum busbar_status status;
    enum busbar_fate fate;
    struct busbar_value *value;
};

static void *caller_run(void *context)
{
    struct caller *caller = context;
    struct command_answer answer = command_called(caller->object, &caller->call, caller->text);
    caller->value = answer.value;
    caller->status = answer.status;
    caller->fate = busbar_last_fate();
    return NULL;
}

static void caller_start(struct caller *caller)
{
    assert_int_equal(pthread_create(&caller->thread, NULL, caller_run, caller), 0);
}

static void caller_join(struct caller *caller, enum busbar_status status, enum busbar_fate fate)
{
    pthread_join(caller->thread, NULL);
    assert_int_equal(caller->status, status);
    assert_int_equal(caller->fate, fate);
    busbar_value_destroy(&caller->value);
}

/* Each run makes a directory and fails if it is there already. */
static void only_as_many_run_at_once_as_may(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "command: [sh, -c, 'd=/tmp/busbar-test-turns-$PPID; mkdir $d && sleep 0.02; rmdir $d']\n"
        "concurrency: 1\n");
    struct caller callers[MANY] = {0};
    for (size_t i = 0; i < MANY; i++) {
        callers[i] = (struct caller){.object = object, .call = {.method = "run"}, .text = ""};
        caller_start(&callers[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        caller_join(&callers[i], BUSBAR_OK, BUSBAR_EXECUTED);
}

static void without_a_bound_all_run_at_once(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("command: [sleep, '1']");
    struct caller callers[MANY] = {0};
    uint64_t start = clock_ms();
    for (size_t i = 0; i < MANY; i++) {
        callers[i] = (struct caller){.object = object, .call = {.method = "run"}, .text = ""};
        caller_start(&callers[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        caller_join(&callers[i], BUSBAR_OK, BUSBAR_EXECUTED);
    assert_true(clock_ms() - start < MANY * 1000 - 1000);
}

/* One run holds the only turn until it is told to end. */
static void who_waits_too_long_was_not_executed(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: [sleep, '98763'], concurrency: 1}");
    atomic_bool done = false;
    uint64_t moment = clock_ms() + 300;
    struct caller holder = {
        .object = object,
        .call = {.method = "run", .cancelled = is_set, .context = &done},
        .text = "",
    };
    struct caller waiters[] = {
        {.object = object, .call = {.method = "run", .timeout_ms = 100}, .text = ""},
        {.object = object,
         .call = {.method = "run", .cancelled = after_a_moment, .context = &moment},
         .text = ""},
        {.object = object, .call = {.method = "run", .timeout_ms = 1500}, .text = ""},
    };
    caller_start(&holder);
    usleep(100000);
    for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
        caller_start(&waiters[i]);
    caller_join(&waiters[0], BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED);
    caller_join(&waiters[1], BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED);
    atomic_store(&done, true);
    caller_join(&holder, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED);
    caller_join(&waiters[2], BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED);
}

/* Many that give up and many that do not: no turn is lost, and none is made up. */
static void turns_survive_those_who_give_up(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good("{command: [sleep, '0.01'], concurrency: 2}");
    for (int round = 0; round < 5; round++) {
        struct caller callers[MANY] = {0};
        for (size_t i = 0; i < MANY; i++) {
            callers[i] = (struct caller){.object = object, .call = {.method = "run"}, .text = ""};
            callers[i].call.timeout_ms = i % 2 == 0 ? 0 : (uint32_t)(5 + 5 * i);
            caller_start(&callers[i]);
        }
        for (size_t i = 0; i < MANY; i++) {
            pthread_join(callers[i].thread, NULL);
            busbar_value_destroy(&callers[i].value);
            assert_true(callers[i].status == BUSBAR_OK ||
                        (i % 2 == 1 && callers[i].status == BUSBAR_EXPIRED &&
                         callers[i].fate == BUSBAR_NOT_EXECUTED) ||
                        (i % 2 == 1 && callers[i].status == BUSBAR_TIMEOUT));
        }
    }
}

static void the_child_of_a_fork_has_all_turns(void **state)
{
    (void)state;
    CLEANUP(busbar_object_destroy)
    struct busbar_object *object = command_good(
        "{command: sleep, concurrency: 1, functions: {long: {arguments: '98763', signature: '>'},"
        " short: {arguments: '0', signature: '>'}}}");
    atomic_bool done = false;
    int status = 0;
    struct caller holder = {
        .object = object,
        .call = {.method = "long", .cancelled = is_set, .context = &done},
    };
    caller_start(&holder);
    usleep(100000);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct busbar_object_call call = {.method = "short", .timeout_ms = SOON_MS};
        _exit(busbar_object_call(object, &call, NULL) == BUSBAR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    atomic_store(&done, true);
    caller_join(&holder, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_ends_a_run_whoever_set_it),
        cmocka_unit_test(a_cancelled_call_kills_its_program),
        cmocka_unit_test(only_as_many_run_at_once_as_may),
        cmocka_unit_test(without_a_bound_all_run_at_once),
        cmocka_unit_test(who_waits_too_long_was_not_executed),
        cmocka_unit_test(turns_survive_those_who_give_up),
        cmocka_unit_test(the_child_of_a_fork_has_all_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
