/* Calls that wait under many names, of services taken whole and of such as nobody serves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

enum {
    MANY = 20000,
    TIMES_MORE = 5, /* so many names may cost at most, beside one */
};

static const char *const HELLO[] = {"hello", NULL};

static int names_setup(void **state)
{
    rig_limits.waiting_calls = 100;
    rig_limits.queue_calls = MANY;
    rig_limits.queue_bytes = SIZE_MAX;
    rig_limits.retained_bytes = SIZE_MAX;
    int status = scene_setup(state);
    client.calls_whole = true; /* `other` knows methods */
    return status;
}

static void export_whole(struct peer *exporter)
{
    assert_int_equal(rig_export_whole(exporter, "echo"), BUSBAR_OK);
}

static void withdraw(struct peer *exporter)
{
    const char *reason;
    assert_int_equal(router_deregister(&rig.router, exporter, bytes_of_text("echo"), &reason),
                     BUSBAR_OK);
}

static void call_waiting(struct peer *caller, uint64_t id, const char *method)
{
    struct packet packet = rig_request(id, "echo", method);
    packet.timeout = 2 * RIG_TIMEOUT_MS;
    rig_call_waiting(caller, packet, 1000);
}

static void answer(struct peer *exporter)
{
    rig_reply(exporter, rig_last(exporter, PACKET_CALL)->packet.id, "x");
    router_check(&rig.router);
}

/* Answers what the worker has, and each that follows: their methods, with a space behind each. */
static void expect_in_turn(struct peer *exporter, const char *methods)
{
    char given[128] = "";
    size_t before = 0;
    for (size_t count; (count = rig_count(exporter, PACKET_CALL)) > before; before = count) {
        struct bytes name = rig_last(exporter, PACKET_CALL)->packet.method;
        size_t length = strlen(given);
        snprintf(given + length, sizeof given - length, "%.*s ", (int)name.size,
                 (const char *)name.data);
        answer(exporter);
    }
    assert_string_equal(given, methods);
}

static size_t lanes_of(const struct peer *caller)
{
    size_t lanes = 0;
    LIST_EACH(node, (struct list *)(uintptr_t)&caller->flows) {
        struct flow *flow = CONTAINER_OF(node, struct flow, of_client);
        LIST_EACH(lane, &flow->lanes)
            lanes++;
    }
    return lanes;
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Queues many calls behind one, and has them all served. */
static double seconds_for(bool is_named_anew)
{
    double begin = processor_seconds();
    for (uint64_t id = 0; id < MANY; id++) {
        char name[16];
        snprintf(name, sizeof name, "m%u", is_named_anew ? (unsigned)id : 0);
        rig_call(&other, id + 1, "echo", name);
    }
    assert_int_equal(rig.router.calls.count, MANY);
    while (rig.router.calls.count > 0) {
        uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
        rig_forget();
        rig_reply(&worker, id, "x");
    }
    return processor_seconds() - begin;
}

static void a_call_costs_the_same_however_many_names_wait(void **state)
{
    double one = 1e9;
    double many = 1e9;
    (void)state;
    export_whole(&worker);
    for (int round = 0; round < 3; round++) { /* the best of a few: something else may have run */
        double seconds = seconds_for(false);
        one = seconds < one ? seconds : one;
        seconds = seconds_for(true);
        many = seconds < many ? seconds : many;
    }
    print_message("%d calls: of one name %.4f s, of as many names %.4f s\n", MANY, one, many);
    assert_true(many < TIMES_MORE * one);
}

static void names_that_nobody_offers_share_a_lane_and_take_no_index(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "two");
    rig_call(&other, 3, "echo", "three");
    rig_call(&other, 4, "echo", "four");
    assert_int_equal(lanes_of(&other), 1);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    assert_int_equal(CONTAINER_OF(second.exports.next, struct export, of_worker)->methods[0]->index,
                     1);
    expect_in_turn(&worker, "one two three four ");
    assert_int_equal(rig_count(&second, PACKET_CALL), 0);
}

static void one_that_comes_takes_his_own_from_among_them(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "hello");
    rig_call(&other, 3, "echo", "two");
    rig_call(&other, 4, "echo", "hello");
    rig_call(&client, 5, "echo", "hello");
    rig_call(&client, 6, "echo", "");
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    router_check(&rig.router);
    assert_int_equal(lanes_of(&other), 2);
    rig_call(&other, 7, "echo", "hello");
    expect_in_turn(&worker, "one two  ");
    expect_in_turn(&second, "hello hello hello hello ");
    assert_int_equal(rig_count(&other, PACKET_REPLY), 5);
    assert_int_equal(rig_count(&client, PACKET_REPLY), 2);
}

static void what_he_leaves_keeps_its_turn(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "hello");
    rig_call(&other, 3, "echo", "two");
    rig_call(&client, 4, "echo", "three");
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_call(&other, 5, "echo", "hello"); /* he has the first */
    rig_call(&other, 6, "echo", "four");
    withdraw(&second);
    rig_call(&other, 7, "echo", "hello");
    rig_call(&client, 8, "echo", "hello"); /* a flow that has no lane for it */
    router_check(&rig.router);
    assert_int_equal(lanes_of(&other), 2);
    assert_int_equal(lanes_of(&client), 1);
    answer(&second);
    expect_in_turn(&worker, "one two hello four hello three hello ");
}

static void who_comes_back_takes_all_that_wait_for_him(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_call(&other, 2, "echo", "hello");
    rig_call(&other, 3, "echo", "hello");
    withdraw(&second);
    rig_call(&other, 4, "echo", "hello");
    rig_call(&client, 5, "echo", "hello");
    rig_call(&other, 6, "echo", "two");
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    router_check(&rig.router);
    expect_in_turn(&second, "hello hello hello hello ");
    expect_in_turn(&worker, "one two ");
}

static void calls_without_a_name_are_not_among_them(void **state)
{
    (void)state;
    call_waiting(&client, 1, "else");
    call_waiting(&client, 2, "");
    call_waiting(&client, 3, "more");
    call_waiting(&client, 4, "hello");
    assert_int_equal(lanes_of(&client), 2);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    expect_in_turn(&second, " hello ");
    export_whole(&worker);
    expect_in_turn(&worker, "else more ");
    assert_int_equal(rig.router.waiting, 0);
}

static void one_that_is_given_back_comes_first(void **state)
{
    (void)state;
    export_whole(&worker);
    router_credit(&rig.router, &worker, 2, rig.now);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "two");
    rig_call(&other, 3, "echo", "three");
    rig_call(&other, 4, "echo", "four");
    rig_return(&worker, rig_last(&worker, PACKET_CALL));
    export_whole(&second);
    expect_in_turn(&second, "two three four ");
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id - 1, "x"); /* the first */
}

static void a_flood_of_names_does_not_delay_another_client(void **state)
{
    char name[16];
    size_t answered = 0;
    (void)state;
    export_whole(&worker);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "m%u", i);
        rig_call(&other, i + 1, "echo", name);
    }
    rig_call(&client, 1, "echo", "");
    for (; rig_count(&client, PACKET_REPLY) == 0; answered++)
        answer(&worker);
    assert_true(answered <= 2 + BACKLOG_QUANTUM / BACKLOG_CALL_COST);
}

static void names_that_wait_for_nobody_end_each_in_its_way(void **state)
{
    (void)state;
    call_waiting(&other, 1, "one");
    call_waiting(&other, 2, "hello");
    call_waiting(&other, 3, "two");
    call_waiting(&other, 4, "three");
    call_waiting(&client, 5, "four");
    assert_int_equal(lanes_of(&other), 1);
    router_cancel(&rig.router, &other, 3, rig.now);
    rig_expect_error(&other, BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED);
    rig_lose(&client);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    expect_in_turn(&second, "hello ");
    router_check(&rig.router);
    rig_pass(1000);
    rig_expect_error(&other, BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&other, PACKET_ERROR), 3);
    assert_int_equal(rig.router.registry.methods.count, 1);
}

static void with_the_last_that_takes_all_they_go_or_wait_on_in_their_order(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "two");
    rig_call(&other, 3, "echo", "three");
    call_waiting(&client, 4, "four");
    call_waiting(&client, 5, "");
    call_waiting(&client, 6, "five");
    answer(&worker); /* and is given another */
    rig_lose(&worker);
    assert_int_equal(rig_count(&other, PACKET_ERROR), 2);
    assert_int_equal(rig.router.waiting, 3);
    router_check(&rig.router);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_forget();
    withdraw(&second);
    export_whole(&worker);
    expect_in_turn(&worker, "four five ");
}

static void one_without_a_name_waits_anew_when_the_last_that_offers_any_goes(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_call(&other, 1, "echo", "hello");
    call_waiting(&client, 2, "");
    rig_pass(1500);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    withdraw(&second);
    rig_pass(999);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(1);
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, names_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_costs_the_same_however_many_names_wait),
        TEST(names_that_nobody_offers_share_a_lane_and_take_no_index),
        TEST(one_that_comes_takes_his_own_from_among_them),
        TEST(what_he_leaves_keeps_its_turn),
        TEST(who_comes_back_takes_all_that_wait_for_him),
        TEST(calls_without_a_name_are_not_among_them),
        TEST(one_that_is_given_back_comes_first),
        TEST(a_flood_of_names_does_not_delay_another_client),
        TEST(names_that_wait_for_nobody_end_each_in_its_way),
        TEST(one_without_a_name_waits_anew_when_the_last_that_offers_any_goes),
        TEST(with_the_last_that_takes_all_they_go_or_wait_on_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
