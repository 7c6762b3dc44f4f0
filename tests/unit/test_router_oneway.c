/* Oneway calls: accepted, then the router's own until they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static void call_oneway(uint64_t id, const char *method)
{
    struct packet packet = rig_request(id, "greeter", method);
    packet.flags = PACKET_ONEWAY;
    rig_call_with(&client, &packet);
}

static void an_accepted_call_has_its_outcome_at_once_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    call_oneway(2, "hello"); /* this one is queued */
    const struct sent *reply = rig_last(&client, PACKET_REPLY);
    assert_int_equal(reply->packet.id, 2);
    assert_int_equal(reply->packet.flags, PACKET_ONEWAY);
    assert_int_equal(reply->packet.status, BUSBAR_OK);
    assert_int_equal(reply->packet.fate, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(reply->packet.body.size, 0);
    assert_int_equal(client.call_count, 0);
    for (int i = 0; i < 2; i++) {
        const struct sent *call = rig_last(&worker, PACKET_CALL);
        assert_true(call->packet.flags & PACKET_ONEWAY);
        rig_reply(&worker, call->packet.id, "nobody reads this");
    }
    assert_int_equal(rig_count(&client, PACKET_REPLY), 2);
    assert_int_equal(rig.counters.outcome_oneway, 2);
    assert_int_equal(rig.counters.oneway_done, 2);
    assert_int_equal(rig.counters.outcome_ok, 0);
    assert_int_equal(rig.router.calls.count, 0);
}

static void what_is_not_accepted_is_refused_as_any_call(void **state)
{
    (void)state;
    call_oneway(1, "hello");
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig.router.limits.queue_calls = 0;
    call_oneway(2, "hello");
    call_oneway(3, "hello");
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    assert_int_equal(rig_count(&client, PACKET_REPLY), 1);
    assert_int_equal(rig.counters.outcome_oneway, 1);
    assert_int_equal(rig.counters.outcome_busy, 1);
}

static void neither_the_end_nor_a_cancel_of_its_client_ends_it(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    call_oneway(2, "again");
    router_cancel(&rig.router, &client, 1, rig.now);
    router_cancel(&rig.router, &client, 2, rig.now);
    rig_lose(&client);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 0);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 2);
    assert_int_equal(rig.counters.outcome_abandoned + rig.counters.outcome_cancelled, 0);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig.counters.oneway_done, 2);
}

static void its_deadline_ends_it(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    call_oneway(2, "hello");
    rig_pass(RIG_TIMEOUT_MS);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
    assert_int_equal(rig.counters.oneway_failed, 2);
    assert_int_equal(rig.counters.outcome_expired + rig.counters.outcome_timeout, 0);
}

static void a_returned_one_moves_on_and_a_lost_one_is_repeated_if_that_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_return(&worker, rig_last(&worker, PACKET_CALL));
    const struct sent *moved = rig_last(&second, PACKET_CALL);
    assert_non_null(moved);
    assert_true(moved->packet.flags & PACKET_ONEWAY);
    assert_string_equal(moved->body, "request");
    call_oneway(2, "again"); /* at the first worker */
    rig_reply(&second, moved->packet.id, "x");
    rig_lose(&worker);
    assert_string_equal(rig_last(&second, PACKET_CALL)->body, "request");
    assert_int_equal(rig_count(&second, PACKET_CALL), 2);
    rig_lose(&second);
    assert_int_equal(rig.counters.oneway_failed, 1);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
}

static void an_error_of_its_worker_is_counted_and_reaches_nobody(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    rig_error(&worker, rig_last(&worker, PACKET_CALL)->packet.id, BUSBAR_APP_ERROR);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    assert_int_equal(rig.counters.oneway_failed, 1);
    assert_int_equal(rig.counters.outcome_worker_error, 0);
}

static void its_worker_learns_who_called_even_if_it_waited(void **state)
{
    struct metadata_caller caller;
    (void)state;
    memset(client.instance, 7, sizeof client.instance);
    rig.words.caller = true;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    call_oneway(1, "hello");
    call_oneway(2, "hello");
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    assert_true(metadata_find_caller(call->packet.metadata, &caller));
    assert_int_equal(caller.session, client.number);
    assert_memory_equal(caller.instance, client.instance, sizeof caller.instance);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_call_has_its_outcome_at_once_and_no_other),
        TEST(what_is_not_accepted_is_refused_as_any_call),
        TEST(neither_the_end_nor_a_cancel_of_its_client_ends_it),
        TEST(its_deadline_ends_it),
        TEST(a_returned_one_moves_on_and_a_lost_one_is_repeated_if_that_is_allowed),
        TEST(an_error_of_its_worker_is_counted_and_reaches_nobody),
        TEST(its_worker_learns_who_called_even_if_it_waited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
