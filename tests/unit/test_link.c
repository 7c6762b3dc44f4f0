/* Connections that any thread may use: how they are shared, and which broker of a list is tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/link_brokers.h"
#include "objects/object.h"
#include "tests/unit/bus_rig.h"

struct state {
    struct bus bus[2];
    struct busbar_worker *worker[2];
    struct links *links;
    struct link *link; /* to both */
    atomic_uint calls[2];
};

static void echo(struct busbar_request **request, void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
    enum busbar_status status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
}

static void nap(struct busbar_request **request, void *context)
{
    (void)context;
    for (int i = 0; i < 400 && !busbar_request_cancelled(*request); i++)
        usleep(5000);
    enum busbar_status status = busbar_request_reply(request, busbar_body_text("slept"));
    (void)status;
}

/* Reports the loss of the broker of a call that it made itself. */
static void lose(struct busbar_request **request, void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
    (void)!busbar_request_fail(request, BUSBAR_BROKER_LOST, "no broker answers at tcp://far:1");
}

static void serve(struct state *state, size_t index)
{
    state->worker[index] = bus_serve(&state->bus[index], "svc",
                                     BUS_METHODS({.name = "echo", .handler = echo},
                                                 {.name = "nap", .handler = nap},
                                                 {.name = "lose", .handler = lose}),
                                     &state->calls[index]);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    for (size_t i = 0; i < 2; i++) {
        bus_start(&state->bus[i]);
        serve(state, i);
    }
    const char *const both[] = {state->bus[0].endpoint, state->bus[1].endpoint, NULL};
    assert_int_equal(links_new(&state->links), BUSBAR_OK);
    assert_int_equal(links_get(state->links, both, &state->link), BUSBAR_OK);
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    link_unref(&state->link);
    links_unref(&state->links);
    for (size_t i = 0; i < 2; i++) {
        busbar_worker_destroy(&state->worker[i]);
        bus_stop(&state->bus[i]);
    }
    free(state);
    return 0;
}

static struct link_call call_of(const char *method, const char *body)
{
    return (struct link_call){
        .call = {.service = "svc", .method = method, .body = busbar_body_text(body)}};
}

/* Whoever asked the broker a moment ago looks for its farewell only after a pause. */
static void stop_bus(struct bus *bus)
{
    bus_stop(bus);
    usleep(50000);
}

static enum busbar_status call(struct link *link, const char *method, uint32_t timeout_ms)
{
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    struct link_call asked = call_of(method, "hello");
    asked.call.timeout_ms = timeout_ms;
    enum busbar_status status = link_call(link, &asked, &reply);
    assert_int_equal(asked.call.body.size, 0);
    if (status == BUSBAR_OK && strcmp(method, "echo") == 0)
        assert_memory_equal(busbar_reply_data(reply.reply), "hello", 5);
    if (status != BUSBAR_OK && reply.reply != NULL)
        busbar_fail(status, busbar_reply_fate(reply.reply), "%s", busbar_reply_error(reply.reply));
    return status;
}

static void equal_lists_are_one_link(void **test)
{
    struct state *state = *test;
    struct link *again = NULL;
    struct link *other = NULL;
    const char *const both[] = {state->bus[0].endpoint, state->bus[1].endpoint, NULL};
    const char *const turned[] = {state->bus[1].endpoint, state->bus[0].endpoint, NULL};
    char name[300];
    assert_int_equal(links_get(state->links, both, &again), BUSBAR_OK);
    assert_ptr_equal(again, state->link);
    assert_int_equal(links_get(state->links, turned, &other), BUSBAR_OK);
    assert_ptr_not_equal(other, state->link);
    snprintf(name, sizeof name, "%s, %s", both[0], both[1]);
    assert_string_equal(link_name(again), name);
    link_unref(&again);
    link_unref(&other);
    assert_null(other);
}

static void none_said_is_the_default_then_the_environment(void **test)
{
    struct state *state = *test;
    struct link *link = NULL;
    const char *const said[] = {"tcp://127.0.0.1:1", NULL};
    const char *const wrong[] = {"tcp://127.0.0.1:1", "elsewhere\n", NULL};
    unsetenv("BUSBAR_BROKER");
    assert_int_equal(links_get(state->links, NULL, &link), BUSBAR_OK);
    assert_string_equal(link_name(link), BUSBAR_DEFAULT_BROKER);
    link_unref(&link);
    setenv("BUSBAR_BROKER", state->bus[1].endpoint, 1);
    assert_int_equal(links_get(state->links, NULL, &link), BUSBAR_OK);
    assert_string_equal(link_name(link), state->bus[1].endpoint);
    link_unref(&link);
    unsetenv("BUSBAR_BROKER");
    assert_int_equal(links_set_default(state->links, wrong), BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), "\"elsewhere\\n\""));
    assert_int_equal(links_set_default(state->links, said), BUSBAR_OK);
    assert_int_equal(links_get(state->links, NULL, &link), BUSBAR_OK);
    assert_string_equal(link_name(link), said[0]);
    link_unref(&link);
    assert_int_equal(links_set_default(state->links, NULL), BUSBAR_OK);
}

static void one_thread_needs_one_connection(void **test)
{
    struct state *state = *test;
    for (int i = 0; i < 20; i++)
        assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    assert_int_equal(state->link->brokers[0].idle_count, 1);
    assert_int_equal(state->link->brokers[1].idle_count, 0);
    assert_int_equal(state->calls[0], 20);
}

static void *call_often(void *argument)
{
    struct state *state = argument;
    for (int i = 0; i < 100; i++) {
        if (call(state->link, "echo", 0) != BUSBAR_OK)
            return (void *)(uintptr_t) "failed";
    }
    return NULL;
}

static void threads_have_connections_of_their_own(void **test)
{
    struct state *state = *test;
    pthread_t threads[8];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_create(&threads[i], NULL, call_often, state);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(state->calls[0], 800);
    assert_in_range(state->link->brokers[0].idle_count, 1, 8);
}

static void the_next_broker_is_tried_when_one_cannot_be_reached(void **test)
{
    struct state *state = *test;
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    busbar_worker_destroy(&state->worker[0]);
    stop_bus(&state->bus[0]);
    uint64_t before = clock_ms();
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    assert_true(clock_ms() - before < 1000 * 3);
    before = clock_ms();
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    assert_true(clock_ms() - before < 400);
    assert_int_equal(state->calls[1], 11);
}

/* Of another broker: the one of the link has answered. */
static void a_broker_that_a_worker_lost_is_the_outcome(void **test)
{
    struct state *state = *test;
    struct busbar_client *client = NULL;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(call(state->link, "lose", 0), BUSBAR_BROKER_LOST);
        assert_string_equal(busbar_last_error(), "no broker answers at tcp://far:1");
        assert_int_equal(state->link->brokers[0].idle_count, 1);
        assert_true(client == NULL || client == state->link->brokers[0].idle[0].client);
        client = state->link->brokers[0].idle[0].client;
    }
    assert_int_equal(state->link->brokers[0].unwanted_til, 0);
    assert_int_equal(state->calls[0], 3);
    assert_int_equal(state->calls[1], 0);
}

static void the_one_that_answered_last_goes_first(void **test)
{
    struct state *state = *test;
    stop_bus(&state->bus[0]);
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    bus_start(&state->bus[0]);
    assert_int_equal(busbar_worker_wait_ready(state->worker[0], 20000), BUSBAR_OK);
    usleep(1100000);
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    assert_int_equal(state->calls[0], 0);
    busbar_worker_destroy(&state->worker[1]);
    stop_bus(&state->bus[1]);
    enum busbar_status status = BUSBAR_SYSTEM;
    for (int i = 0; i < 100 && status != BUSBAR_OK; i++)
        status = call(state->link, "echo", 0);
    assert_int_equal(status, BUSBAR_OK);
    assert_int_equal(state->calls[0], 1);
}

static void all_brokers_gone_is_known_within_a_second(void **test)
{
    struct state *state = *test;
    char nowhere[3][128];
    struct link *link = NULL;
    for (size_t i = 0; i < 3; i++)
        bus_nowhere(nowhere[i]);
    const char *const lists[2][4] = {{nowhere[0], NULL},
                                     {nowhere[0], nowhere[1], nowhere[2], NULL}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(links_get(state->links, lists[i], &link), BUSBAR_OK);
        for (int round = 0; round < 2; round++) {
            uint64_t before = clock_ms();
            assert_int_equal(call(link, "echo", 0), BUSBAR_BROKER_LOST);
            assert_in_range(clock_ms() - before, 500, 1000);
            assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
            assert_non_null(strstr(busbar_last_error(), "tcp://127.0.0.1:"));
        }
        link_unref(&link);
    }
}

static void a_short_deadline_still_reaches_the_second_broker(void **test)
{
    struct state *state = *test;
    char nowhere[128];
    struct link *link = NULL;
    bus_nowhere(nowhere);
    const char *const list[] = {nowhere, state->bus[0].endpoint, NULL};
    assert_int_equal(links_get(state->links, list, &link), BUSBAR_OK);
    assert_int_equal(call(link, "echo", 300), BUSBAR_OK);
    link_unref(&link);
}

static void a_lone_broker_is_always_tried(void **test)
{
    struct state *state = *test;
    struct link *link = NULL;
    const char *const list[] = {state->bus[0].endpoint, NULL};
    assert_int_equal(links_get(state->links, list, &link), BUSBAR_OK);
    stop_bus(&state->bus[0]);
    assert_int_equal(call(link, "echo", 100), BUSBAR_BROKER_LOST);
    bus_start(&state->bus[0]);
    assert_int_equal(busbar_worker_wait_ready(state->worker[0], 20000), BUSBAR_OK);
    enum busbar_status status = BUSBAR_SYSTEM;
    uint64_t until = clock_ms() + 10000;
    while (status != BUSBAR_OK && clock_ms() < until)
        status = call(link, "echo", 1000);
    assert_int_equal(status, BUSBAR_OK);
    link_unref(&link);
}

static bool after_a_while(void *context)
{
    uint64_t *since = context;
    return clock_ms() - *since > 100;
}

static void a_call_that_is_not_wanted_any_more_is_cancelled(void **test)
{
    struct state *state = *test;
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    uint64_t before = clock_ms();
    struct link_call asked = call_of("nap", "");
    asked.cancelled = after_a_while;
    asked.context = &before;
    assert_int_equal(link_call(state->link, &asked, &reply), BUSBAR_CANCELLED);
    assert_int_equal(busbar_reply_status(reply.reply), BUSBAR_CANCELLED);
    assert_in_range(clock_ms() - before, 100, 1000);
    link_reply_fini(&reply);
    asked = call_of("echo", "wanted");
    asked.cancelled = after_a_while;
    before = clock_ms();
    asked.context = &before;
    assert_int_equal(link_call(state->link, &asked, &reply), BUSBAR_OK);
}

static void a_taken_body_is_given_back_once(void **test)
{
    struct state *state = *test;
    static const size_t SIZES[] = {10, 100000};
    stop_bus(&state->bus[0]);
    for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
        CLEANUP(link_reply_fini) struct link_reply reply = {0};
        CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
        char *data = calloc(1, SIZES[i]);
        memset(data, 'x', SIZES[i]);
        struct link_call asked = call_of("echo", "");
        value = busbar_value_bytes(data, SIZES[i]);
        assert_int_equal(busbar_body_value(&asked.call.body, value), BUSBAR_OK);
        assert_int_equal(link_call(state->link, &asked, &reply), BUSBAR_OK);
        assert_true(busbar_reply_size(reply.reply) > SIZES[i]);
        free(data);
    }
}

static void what_cannot_be_called_is_told(void **test)
{
    struct state *state = *test;
    CLEANUP(link_reply_fini) struct link_reply reply = {0};
    struct link_call asked = call_of("echo", "");
    asked.call.service = NULL;
    assert_int_equal(link_call(state->link, &asked, &reply), BUSBAR_BAD_ARGUMENT);
    assert_null(reply.reply);
    assert_int_equal(busbar_last_status(), BUSBAR_BAD_ARGUMENT);
    assert_non_null(strstr(busbar_last_error(), state->bus[0].endpoint));
    asked = call_of("no good", "");
    assert_int_equal(link_call(state->link, &asked, &reply), BUSBAR_BAD_REQUEST);
}

static void a_child_of_a_fork_can_only_let_go(void **test)
{
    struct state *state = *test;
    int outcome = 0;
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
    pthread_mutex_lock(&state->link->brokers[0].lock); /* as if another thread were about to call */
    pid_t child = fork();
    if (child == 0) {
        struct link *other = NULL;
        bool good = call(state->link, "echo", 0) == BUSBAR_FORKED &&
                    links_get(state->links, NULL, &other) == BUSBAR_FORKED;
        link_unref(&state->link);
        links_unref(&state->links);
        _exit(good ? 0 : 1);
    }
    pthread_mutex_unlock(&state->link->brokers[0].lock);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
    assert_int_equal(call(state->link, "echo", 0), BUSBAR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_lists_are_one_link),
        TEST(none_said_is_the_default_then_the_environment),
        TEST(one_thread_needs_one_connection),
        TEST(threads_have_connections_of_their_own),
        TEST(the_next_broker_is_tried_when_one_cannot_be_reached),
        TEST(a_broker_that_a_worker_lost_is_the_outcome),
        TEST(the_one_that_answered_last_goes_first),
        TEST(all_brokers_gone_is_known_within_a_second),
        TEST(a_short_deadline_still_reaches_the_second_broker),
        TEST(a_lone_broker_is_always_tried),
        TEST(a_call_that_is_not_wanted_any_more_is_cancelled),
        TEST(a_taken_body_is_given_back_once),
        TEST(what_cannot_be_called_is_told),
        TEST(a_child_of_a_fork_can_only_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
