/* Calls that wait for a service or method that nobody serves, and a broker that settles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static void call_waiting(uint64_t id, const char *service, const char *method, uint32_t ms)
{
    rig_call_waiting(&client, rig_request(id, service, method), ms);
}

static int wait_setup(void **state)
{
    rig_limits.waiting_calls = 3;
    return scene_setup(state);
}

static void a_call_waits_for_a_service_and_goes_to_its_first_worker(void **state)
{
    (void)state;
    call_waiting(1, "greeter", "hello", 1000);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(600);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    assert_non_null(call);
    assert_int_equal(call->packet.timeout, RIG_TIMEOUT_MS - 600);
    rig_pass(600); /* past the wait, which is over */
    rig_reply(&worker, call->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 1);
    assert_int_equal(rig.counters.waited, 1);
}

static void it_waits_as_long_as_it_said_or_until_its_deadline(void **state)
{
    static const char *const OTHER[] = {"other", NULL};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", OTHER), BUSBAR_OK);
    call_waiting(1, "nobody", "hello", 300);
    call_waiting(2, "greeter", "hello", 400);
    call_waiting(3, "nobody", "hello", UINT32_MAX);
    rig_pass(299);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(1);
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    rig_pass(100);
    rig_expect_error(&client, BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED);
    rig_pass(RIG_TIMEOUT_MS - 400);
    rig_expect_error(&client, BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 3);
}

static void only_so_many_may_wait(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 3; id++)
        call_waiting(id, "nobody", "hello", 1000);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    call_waiting(3, "else", "hello", 1000);
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.timeout, 100);
    router_cancel(&rig.router, &client, 0, rig.now);
    rig_expect_error(&client, BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED);
    call_waiting(4, "else", "hello", 1000);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
}

static void names_outside_the_grammar_are_not_waited_for(void **state)
{
    (void)state;
    call_waiting(1, "bad name", "hello", 1000);
    rig_expect_error(&client, BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED);
    call_waiting(2, "greeter", "he.llo", 1000);
    rig_expect_error(&client, BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig.router.registry.services.count, 0);
}

static void what_is_waited_for_is_known_to_nobody_and_gone_afterwards(void **state)
{
    (void)state;
    call_waiting(1, "greeter", "hello", 1000);
    assert_null(registry_find_method(&rig.router.registry, bytes_of_text("greeter"),
                                     bytes_of_text("hello"), 0));
    rig_call(&other, 1, "greeter", "hello");
    rig_expect_error(&other, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    rig_pass(1000);
    assert_int_equal(rig.router.registry.services.count, 0);
    assert_int_equal(rig.router.registry.methods.count, 0);
}

static void when_the_last_worker_goes_those_that_wait_stay(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    call_waiting(3, "greeter", "hello", 1000);
    rig_lose(&worker);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    assert_int_equal(rig.counters.outcome_no_service, 1);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_reply(&second, rig_last(&second, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 3);
}

static void of_those_left_behind_only_as_many_wait_as_may(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    call_waiting(2, "elsewhere", "hello", 1000);
    for (uint64_t id = 10; id < 14; id++)
        call_waiting(id, "greeter", "hello", 1000);
    rig_lose(&worker);
    assert_int_equal(rig.counters.outcome_busy, 2);
    assert_int_equal(rig.counters.outcome_worker_lost, 1);
    assert_int_equal(rig.router.waiting, 3);
}

static void an_idempotent_call_whose_only_worker_is_lost_may_wait_for_another(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_waiting(1, "greeter", "again", 500);
    call_waiting(2, "greeter", "again", 500); /* queued */
    rig_lose(&worker);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_reply(&second, rig_last(&second, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 1); /* it had its turn already */
    rig_lose(&second);
    rig_pass(500);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void a_broker_that_settles_lets_every_call_wait(void **state)
{
    (void)state;
    router_settle(&rig.router, rig.now + 1000);
    rig_call(&client, 1, "greeter", "hello");
    rig_pass(999);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_call(&client, 2, "greeter", "hello");
    rig_pass(1);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    rig_call(&client, 3, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 3);
}

static void a_method_that_comes_later_is_waited_for_like_a_service(void **state)
{
    static const char *const OTHER[] = {"other", NULL};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", OTHER), BUSBAR_OK);
    call_waiting(1, "greeter", "hello", 1000);
    assert_int_equal(rig_count(&worker, PACKET_CALL), 0);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_count(&second, PACKET_CALL), 1);
    assert_int_equal(rig.router.waiting, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, wait_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_waits_for_a_service_and_goes_to_its_first_worker),
        TEST(it_waits_as_long_as_it_said_or_until_its_deadline),
        TEST(only_so_many_may_wait),
        TEST(names_outside_the_grammar_are_not_waited_for),
        TEST(what_is_waited_for_is_known_to_nobody_and_gone_afterwards),
        TEST(when_the_last_worker_goes_those_that_wait_stay),
        TEST(of_those_left_behind_only_as_many_wait_as_may),
        TEST(an_idempotent_call_whose_only_worker_is_lost_may_wait_for_another),
        TEST(a_broker_that_settles_lets_every_call_wait),
        TEST(a_method_that_comes_later_is_waited_for_like_a_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
