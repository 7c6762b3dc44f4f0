/* Draining registrations: they finish what they have and get no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static struct router_drained drained;

static enum busbar_status drain(uint64_t number, bool on)
{
    return router_drain(&rig.router, bytes_of_text("greeter"), number, on, &drained, rig.now);
}

static void a_draining_worker_finishes_what_it_has_and_gets_no_more(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 10, rig.now);
    rig_call(&client, 1, "greeter", "hello");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(drain(worker.number, true), BUSBAR_OK);
    assert_int_equal(drained.workers, 1);
    assert_int_equal(drained.running, 1);
    for (uint64_t id = 2; id < 5; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(worker.load, 1);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 1);
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 1);
    assert_int_equal(second.load, 1);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
}

static void where_all_drain_new_and_waiting_calls_end(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    for (uint64_t id = 1; id < 5; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(drain(0, true), BUSBAR_OK);
    assert_int_equal(drained.workers, 2);
    assert_int_equal(drained.running, 2);
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    rig_call(&client, 6, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 6);
    assert_int_equal(rig.counters.outcome_draining, 3);
}

static void when_the_last_that_does_not_drain_goes_the_waiting_calls_end(void **state)
{
    const char *reason;
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(drain(worker.number, true), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    assert_int_equal(router_deregister(&rig.router, &second, bytes_of_text("greeter"), &reason),
                     BUSBAR_OK);
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    rig_return(&second, rig_last(&second, PACKET_CALL));
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 1);
}

static void a_call_lost_with_its_worker_does_not_go_to_a_draining_one(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "again");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(drain(second.number, true), BUSBAR_OK);
    rig_lose(&worker);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&second, PACKET_CALL), 0);
}

static void draining_ends_by_word_or_with_the_registration(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(drain(worker.number, true), BUSBAR_OK);
    assert_int_equal(drain(worker.number, true), BUSBAR_OK); /* once more is nothing more */
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    assert_int_equal(worker.load, 0);
    assert_int_equal(drain(worker.number, false), BUSBAR_OK);
    assert_int_equal(worker.load, 1); /* it gets what waited */
    assert_int_equal(drain(second.number, true), BUSBAR_OK);
    rig_lose(&second);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 3, "greeter", "hello");
    assert_int_equal(second.load, 1);
}

static void other_services_of_the_worker_go_on(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&worker, "another", GREETER), BUSBAR_OK);
    assert_int_equal(drain(0, true), BUSBAR_OK);
    rig_call(&client, 1, "another", "hello");
    rig_call(&client, 2, "another", "hello");
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 2);
}

static void what_is_not_there_cannot_be_drained(void **state)
{
    (void)state;
    assert_int_equal(drain(0, true), BUSBAR_NO_SERVICE);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(drain(second.number, true), BUSBAR_NO_SERVICE);
    assert_int_equal(drained.workers, 0);
    rig_call(&client, 1, "greeter", "hello");
    assert_int_equal(worker.load, 1);
}

static void a_broker_that_ends_refuses_what_waits_and_accepted_calls_last_of_all(void **state)
{
    struct packet oneway = rig_request(3, "greeter", "hello");
    (void)state;
    oneway.flags = PACKET_ONEWAY;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    rig_call_with(&client, &oneway);
    assert_int_equal(router_drop_waiting(&rig.router, false), 1);
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 2);
    assert_int_equal(router_drop_waiting(&rig.router, true), 1);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 1);
    assert_int_equal(rig.counters.oneway_failed, 1);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_draining_worker_finishes_what_it_has_and_gets_no_more),
        TEST(where_all_drain_new_and_waiting_calls_end),
        TEST(when_the_last_that_does_not_drain_goes_the_waiting_calls_end),
        TEST(a_call_lost_with_its_worker_does_not_go_to_a_draining_one),
        TEST(draining_ends_by_word_or_with_the_registration),
        TEST(other_services_of_the_worker_go_on),
        TEST(what_is_not_there_cannot_be_drained),
        TEST(a_broker_that_ends_refuses_what_waits_and_accepted_calls_last_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
