/* How calls end: lost, expired, cancelled, returned, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static void lose(struct peer *peer)
{
    router_peer_fini(&rig.router, peer, rig.now);
    assert_true(router_peer_init(&rig.router, peer));
}

static void a_full_queue_says_busy(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (uint64_t id = 0; id < 101; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_call(&client, 101, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
}

static void a_lost_worker_loses_its_calls_unless_they_are_idempotent(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 10, rig.now);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "again");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    lose(&worker);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 1);
    const struct sent *again = rig_last(&second, PACKET_CALL);
    assert_non_null(again);
    assert_string_equal(again->body, "request");
    assert_true(again->packet.flags & PACKET_IDEMPOTENT);
    rig_reply(&second, again->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 2);
}

static void a_call_that_loses_three_workers_is_not_tried_again(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "again");
    for (int i = 0; i < 3; i++) {
        struct peer *loser = worker.load > 0 ? &worker : &second;
        assert_int_equal(loser->load, 1);
        lose(loser);
        assert_int_equal(rig_export(loser, "greeter", GREETER), BUSBAR_OK);
    }
    rig_expect_error(&client, BUSBAR_POISONED, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig.counters.dispatched, 3);
}

static void an_idempotent_call_without_another_worker_is_lost(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "again");
    lose(&worker);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void queued_calls_end_when_the_last_worker_goes(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    lose(&worker);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    assert_int_equal(rig.counters.outcome_no_service, 1);
    assert_int_equal(rig.counters.outcome_worker_lost, 1);
    rig_call(&client, 3, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
}

static void deadlines_end_queued_and_running_calls_with_their_fates(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    uint64_t running = rig_last(&worker, PACKET_CALL)->packet.id;
    rig_call(&client, 2, "greeter", "hello");
    rig.now += RIG_TIMEOUT_MS - 1;
    router_expire(&rig.router, rig.now);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig.now += 1;
    router_expire(&rig.router, rig.now);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    assert_int_equal(rig.counters.outcome_timeout, 1);
    assert_int_equal(rig.counters.outcome_expired, 1);
    assert_non_null(rig_last(&worker, PACKET_CANCEL));
    rig_reply(&worker, running, "late");
    assert_int_equal(rig_count(&client, PACKET_REPLY), 0);
    assert_int_equal(rig.counters.late_replies, 1);
    assert_int_equal(worker.load, 0);
}

static void a_hanging_worker_keeps_its_credit_until_it_answers(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    uint64_t hanging = rig_last(&worker, PACKET_CALL)->packet.id;
    rig.now += RIG_TIMEOUT_MS;
    router_expire(&rig.router, rig.now);
    rig_call(&client, 2, "greeter", "hello");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 1);
    rig_reply(&worker, hanging, "late");
    assert_int_equal(rig_count(&worker, PACKET_CALL), 2);
}

static void replies_nobody_asked_for_reach_nobody(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_reply(&worker, 0, "forged");
    rig_reply(&worker, UINT64_MAX, "forged");
    rig_call(&client, 1, "greeter", "hello");
    struct peer *holder = worker.load > 0 ? &worker : &second;
    struct peer *forger = worker.load > 0 ? &second : &worker;
    uint64_t id = rig_last(holder, PACKET_CALL)->packet.id;
    rig_reply(forger, id, "forged");
    assert_int_equal(rig_count(&client, PACKET_REPLY), 0);
    rig_reply(holder, id, "true");
    rig_reply(holder, id, "twice");
    assert_int_equal(rig_count(&client, PACKET_REPLY), 1);
    assert_int_equal(rig.counters.late_replies, 4);
}

static void a_cancelled_call_has_one_outcome(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    router_cancel(&rig.router, &client, 2, rig.now);
    rig_expect_error(&client, BUSBAR_CANCELLED, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 0);
    router_cancel(&rig.router, &client, 1, rig.now);
    rig_expect_error(&client, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
    router_cancel(&rig.router, &client, 1, rig.now);
    router_cancel(&rig.router, &client, 99, rig.now);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "late");
    assert_int_equal(rig_count(&client, PACKET_ERROR), 2);
    assert_int_equal(rig_count(&client, PACKET_REPLY), 0);
}

static void a_lost_client_cancels_what_it_had_running(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    lose(&client);
    assert_int_equal(rig.counters.outcome_abandoned, 2);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
    assert_int_equal(worker.load, 1);
}

static void a_returned_call_moves_to_another_worker(void **state)
{
    struct packet returned = {.command = PACKET_RETURN,
                              .service = bytes_of_text("greeter"),
                              .method = bytes_of_text("hello"),
                              .body = bytes_of_text("request")};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    returned.id = rig_last(&worker, PACKET_CALL)->packet.id;
    router_return(&rig.router, &worker, &returned, NULL, rig.now);
    const struct sent *moved = rig_last(&second, PACKET_CALL);
    assert_non_null(moved);
    assert_string_equal(moved->body, "request");
    rig_reply(&second, moved->packet.id, "x");
    assert_non_null(rig_last(&client, PACKET_REPLY));
}

static void a_call_returned_under_another_name_is_not_passed_on(void **state)
{
    static uint8_t body[1025];
    static const struct {
        const char *service;
        const char *method;
        size_t size;
    } CASES[] = {
        {"greete", "hello", 7},
        {"greeter", "hell", 7},
        {"g", "h", 7},
        {"greeter", "hello", 1025},
    };
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        rig_forget();
        rig_call(&client, i, "greeter", "hello");
        struct peer *holder = worker.load > 0 ? &worker : &second;
        struct packet returned = {.command = PACKET_RETURN,
                                  .id = rig_last(holder, PACKET_CALL)->packet.id,
                                  .service = bytes_of_text(CASES[i].service),
                                  .method = bytes_of_text(CASES[i].method),
                                  .body = {.data = body, .size = CASES[i].size}};
        router_return(&rig.router, holder, &returned, NULL, rig.now);
        rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
        assert_int_equal(worker.load + second.load, 0);
    }
}

static void what_a_second_worker_refuses_the_first_may_have_executed(void **state)
{
    static const uint8_t TOLD[] = {BUSBAR_EXPIRED, BUSBAR_NO_METHOD, BUSBAR_BAD_REQUEST};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(TOLD); i++) {
        assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
        rig_call(&client, i, "greeter", "again");
        assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
        lose(&worker);
        struct packet error = {.command = PACKET_ERROR,
                               .id = rig_last(&second, PACKET_CALL)->packet.id,
                               .status = TOLD[i]};
        router_reply(&rig.router, &second, &error, NULL, rig.now);
        rig_expect_error(&client, TOLD[i], BUSBAR_MAYBE_EXECUTED);
        lose(&second);
    }
}

static void a_call_returned_without_its_request_is_not_executed(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    struct packet returned = {.command = PACKET_RETURN,
                              .id = rig_last(&worker, PACKET_CALL)->packet.id};
    router_return(&rig.router, &worker, &returned, NULL, rig.now);
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    assert_int_equal(worker.load, 0);
}

static void a_leaving_worker_gets_no_more_calls(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 10, rig.now);
    rig_call(&client, 1, "greeter", "hello");
    router_leaving(&rig.router, &worker);
    rig_call(&client, 2, "greeter", "hello");
    assert_int_equal(worker.load, 1);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(second.load, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_full_queue_says_busy),
        TEST(a_lost_worker_loses_its_calls_unless_they_are_idempotent),
        TEST(a_call_that_loses_three_workers_is_not_tried_again),
        TEST(an_idempotent_call_without_another_worker_is_lost),
        TEST(queued_calls_end_when_the_last_worker_goes),
        TEST(deadlines_end_queued_and_running_calls_with_their_fates),
        TEST(a_hanging_worker_keeps_its_credit_until_it_answers),
        TEST(replies_nobody_asked_for_reach_nobody),
        TEST(a_cancelled_call_has_one_outcome),
        TEST(a_lost_client_cancels_what_it_had_running),
        TEST(a_returned_call_moves_to_another_worker),
        TEST(a_call_returned_under_another_name_is_not_passed_on),
        TEST(what_a_second_worker_refuses_the_first_may_have_executed),
        TEST(a_call_returned_without_its_request_is_not_executed),
        TEST(a_leaving_worker_gets_no_more_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
