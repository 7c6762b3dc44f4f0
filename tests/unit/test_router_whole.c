/* Workers of protocols without methods, which take services as a whole; and clients of such ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static const char *const HELLO[] = {"hello", NULL};

static int whole_setup(void **state)
{
    rig_limits.waiting_calls = 10;
    int status = scene_setup(state);
    client.calls_whole = true; /* `other` knows methods */
    return status;
}

static void export_whole(struct peer *exporter)
{
    assert_int_equal(rig_export_whole(exporter, "echo"), BUSBAR_OK);
}

static void call_waiting(struct peer *caller, uint64_t id, const char *method)
{
    rig_call_waiting(caller, rig_request(id, "echo", method), 1000);
}

/* The call that the worker has must be of this method. */
static void expect_given(const struct peer *exporter, size_t count, const char *method)
{
    assert_int_equal(rig_count(exporter, PACKET_CALL), count);
    const struct sent *call = rig_last(exporter, PACKET_CALL);
    assert_int_equal(call->packet.method.size, strlen(method));
    if (method[0] != '\0')
        assert_memory_equal(call->packet.method.data, method, strlen(method));
    router_check(&rig.router);
}

static void answer(struct peer *exporter)
{
    rig_reply(exporter, rig_last(exporter, PACKET_CALL)->packet.id, "x");
}

static void calls_with_and_without_a_method_go_to_it(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&client, 1, "echo", "");
    expect_given(&worker, 1, "");
    answer(&worker);
    rig_call(&other, 2, "echo", "anything");
    expect_given(&worker, 2, "anything");
    answer(&worker);
    assert_int_equal(rig_count(&client, PACKET_REPLY) + rig_count(&other, PACKET_REPLY), 2);
    assert_int_equal(rig.router.registry.methods.count,
                     1); /* what was called left nothing behind */
}

static void a_call_that_waits_for_it_keeps_its_method(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "two");
    rig_call(&client, 3, "echo", "");
    expect_given(&worker, 1, "one");
    answer(&worker);
    expect_given(&worker, 2, "two");
    answer(&worker);
    expect_given(&worker, 3, "");
    answer(&worker);
}

static void a_method_that_somebody_offers_goes_to_him(void **state)
{
    (void)state;
    export_whole(&worker);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_call(&other, 1, "echo", "hello");
    expect_given(&second, 1, "hello");
    rig_call(&other, 2, "echo", "else");
    expect_given(&worker, 1, "else");
    rig_lose(&second); /* and now nobody does */
    rig_expect_error(&other, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    answer(&worker);
    rig_call(&other, 3, "echo", "hello");
    expect_given(&worker, 2, "hello");
}

static void calls_that_wait_go_to_the_first_that_takes_the_service(void **state)
{
    (void)state;
    call_waiting(&client, 1, "");
    call_waiting(&other, 2, "named");
    export_whole(&worker);
    expect_given(&worker, 1, "");
    answer(&worker);
    expect_given(&worker, 2, "named");
    answer(&worker);
    assert_int_equal(rig.router.waiting, 0);
}

static void a_call_without_a_method_may_go_to_one_that_finds_it_in_the_body(void **state)
{
    (void)state;
    call_waiting(&client, 1, "");
    call_waiting(&other, 2, "else");
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    expect_given(&second, 1, "");
    answer(&second);
    assert_int_equal(rig_count(&second, PACKET_CALL), 1);
    rig_pass(1000);
    rig_expect_error(&other, BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED);
}

static void a_lost_worker_leaves_its_call_to_the_next(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "named");
    export_whole(&second);
    rig_lose(&worker);
    expect_given(&second, 1, "named");
    rig_lose(&second);
    rig_expect_error(&other, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&other, PACKET_ERROR), 1);
}

static void with_the_last_one_go_the_calls_that_waited_for_it(void **state)
{
    (void)state;
    export_whole(&worker);
    rig_call(&client, 1, "echo", "");
    rig_call(&client, 2, "echo", "");
    rig_call(&other, 3, "echo", "named");
    rig_lose(&worker);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    rig_expect_error(&other, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig.router.registry.services.count, 0);
}

static void withdraw(struct peer *exporter)
{
    const char *reason;
    assert_int_equal(router_deregister(&rig.router, exporter, bytes_of_text("echo"), &reason),
                     BUSBAR_OK);
}

static void what_the_last_that_offered_it_leaves_goes_to_one_that_is_free(void **state)
{
    (void)state;
    export_whole(&worker);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    rig_call(&other, 1, "echo", "hello");
    rig_call(&other, 2, "echo", "hello");
    expect_given(&second, 1, "hello");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 0);
    withdraw(&second);
    expect_given(&worker, 1, "hello");
    answer(&second);
    answer(&worker);
    assert_int_equal(rig_count(&other, PACKET_REPLY), 2);
}

static void calls_without_a_method_that_it_leaves_go_to_one_that_is_free(void **state)
{
    (void)state;
    export_whole(&worker);
    assert_int_equal(rig_export(&second, "echo", HELLO), BUSBAR_OK);
    call_waiting(&client, 1, "");
    call_waiting(&client, 2, "");
    expect_given(&worker, 1, "");
    assert_int_equal(rig_count(&second, PACKET_CALL), 0);
    withdraw(&worker); /* and has one still */
    expect_given(&second, 1, "");
    answer(&second);
    rig_lose(&worker);
    expect_given(&second, 2, "");
    answer(&second);
    assert_int_equal(rig_count(&client, PACKET_REPLY), 2);
    assert_int_equal(rig.router.waiting, 0);
}

static void a_call_without_a_method_is_not_given_back_to_one_that_returned_it(void **state)
{
    struct peer *first = &worker;
    struct peer *next = &second;
    (void)state;
    call_waiting(&client, 1, "");
    call_waiting(&client, 2, "");
    assert_int_equal(rig_export(first, "echo", HELLO), BUSBAR_OK);
    router_credit(&rig.router, first, 2, rig.now);
    expect_given(first, 2, "");
    rig_return(first, rig_last(first, PACKET_CALL));
    assert_int_equal(rig_count(first, PACKET_CALL), 2);
    assert_int_equal(rig.router.waiting, 1);
    assert_int_equal(rig_export(next, "echo", HELLO), BUSBAR_OK);
    expect_given(next, 1, "");
    rig_return(next, rig_last(next, PACKET_CALL));
    expect_given(first, 3, "");
    rig_lose(first);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void a_call_whose_method_was_found_in_its_body_goes_on_as_it_came(void **state)
{
    (void)state;
    call_waiting(&client, 1, "");
    assert_int_equal(rig_export(&worker, "echo", HELLO), BUSBAR_OK);
    expect_given(&worker, 1, "");
    size_t size = rig_last(&worker, PACKET_CALL)->packet.body.size;
    struct packet back = rig_request(rig_last(&worker, PACKET_CALL)->packet.id, "echo", "hello");
    back.command = PACKET_RETURN;
    back.body.size = 0;
    export_whole(&second);
    router_return(&rig.router, &worker, &back, NULL, rig.now);
    expect_given(&second, 1, "");
    assert_int_equal(rig_last(&second, PACKET_CALL)->packet.body.size, size);
    answer(&second);
    assert_int_equal(rig_count(&client, PACKET_REPLY), 1);
}

static void one_that_is_drained_gets_none_and_leaves_no_record_of_what_was_asked(void **state)
{
    struct router_drained drained;
    (void)state;
    export_whole(&worker);
    rig_call(&other, 1, "echo", "one");
    rig_call(&other, 2, "echo", "two");
    assert_int_equal(router_drain(&rig.router, bytes_of_text("echo"), 0, true, &drained, rig.now),
                     BUSBAR_OK);
    rig_expect_error(&other, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    rig_call(&other, 3, "echo", "three");
    rig_call(&client, 4, "echo", "");
    assert_int_equal(rig_count(&other, PACKET_ERROR), 2);
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    answer(&worker);
    assert_int_equal(rig.router.registry.methods.count, 1);
    assert_int_equal(rig_count(&worker, PACKET_CALL), 1);
}

static void only_names_of_other_protocols_are_beyond_the_grammar(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&second, "a/b", HELLO), BUSBAR_BAD_REQUEST);
    assert_int_equal(rig_export_whole(&worker, "a/b"), BUSBAR_OK);
    rig_call(&client, 1, "a/b", "");
    expect_given(&worker, 1, "");
    answer(&worker);
    rig_call(&other, 2, "a/b", "named");
    expect_given(&worker, 2, "named");
    rig_call(&other, 3, "a/b", "");
    rig_expect_error(&other, BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED);
    rig_call(&other, 4, "a/c", "named");
    rig_expect_error(&other, BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, whole_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_with_and_without_a_method_go_to_it),
        TEST(a_call_that_waits_for_it_keeps_its_method),
        TEST(a_method_that_somebody_offers_goes_to_him),
        TEST(calls_that_wait_go_to_the_first_that_takes_the_service),
        TEST(a_call_without_a_method_may_go_to_one_that_finds_it_in_the_body),
        TEST(a_lost_worker_leaves_its_call_to_the_next),
        TEST(with_the_last_one_go_the_calls_that_waited_for_it),
        TEST(what_the_last_that_offered_it_leaves_goes_to_one_that_is_free),
        TEST(calls_without_a_method_that_it_leaves_go_to_one_that_is_free),
        TEST(a_call_without_a_method_is_not_given_back_to_one_that_returned_it),
        TEST(a_call_whose_method_was_found_in_its_body_goes_on_as_it_came),
        TEST(one_that_is_drained_gets_none_and_leaves_no_record_of_what_was_asked),
        TEST(only_names_of_other_protocols_are_beyond_the_grammar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
