/* Repetitions of idempotent calls: whose word counts, and what bounds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static struct peer *holder(void)
{
    return worker.load > 0 ? &worker : &second;
}

/* The worker that has the call is lost and comes back. */
static void lose_holder(void)
{
    struct peer *lost = holder();
    rig_lose(lost);
    assert_int_equal(rig_export(lost, "greeter", GREETER), BUSBAR_OK);
}

static int two_workers(void **state)
{
    (void)scene_setup(state);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    return 0;
}

static int two_workers_and_a_budget_of_three(void **state)
{
    rig_limits.retry_percent = 10;
    rig_limits.retry_reserve = 3;
    return two_workers(state);
}

static int two_workers_and_a_budget_of_one(void **state)
{
    rig_limits.retry_percent = 10;
    rig_limits.retry_reserve = 1;
    return two_workers(state);
}

static void the_word_of_the_client_is_enough(void **state)
{
    struct packet packet = rig_request(1, "greeter", "hello");
    (void)state;
    packet.flags = PACKET_IDEMPOTENT;
    rig_call_with(&client, &packet);
    assert_true(rig_last(holder(), PACKET_CALL)->packet.flags & PACKET_IDEMPOTENT);
    struct peer *next = holder() == &worker ? &second : &worker;
    lose_holder();
    const struct sent *again = rig_last(next, PACKET_CALL);
    assert_non_null(again);
    assert_string_equal(again->body, "request");
    rig_reply(next, again->packet.id, "x");
    assert_int_equal(rig_count(&client, PACKET_REPLY), 1);
    assert_int_equal(client.kept_bytes, 0);
}

static void a_call_that_came_back_after_its_deadline_is_not_repeated(void **state)
{
    (void)state;
    rig_call(&client, 1, "greeter", "again");
    rig.now += RIG_TIMEOUT_MS; /* and nobody has looked at the clock yet */
    rig_lose(holder());
    rig_expect_error(&client, BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig.counters.dispatched, 1);
}

static void the_budget_begins_full_and_ends(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 3; id++) { /* each takes one of three, and puts a tenth in */
        rig_call(&client, id, "greeter", "again");
        lose_holder();
        rig_reply(holder(), rig_last(holder(), PACKET_CALL)->packet.id, "x");
    }
    assert_int_equal(rig_count(&client, PACKET_REPLY), 3);
    rig_call(&client, 4, "greeter", "again");
    lose_holder();
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig.counters.retries_spared, 1);
    assert_int_equal(rig.counters.redispatched, 3);
}

static void calls_pay_for_repetitions(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        rig_call(&client, 1, "greeter", "again");
        lose_holder();
        rig_reply(holder(), rig_last(holder(), PACKET_CALL)->packet.id, "x");
        for (uint64_t id = 10; id < 19; id++) {
            rig_call(&client, id, "greeter", "hello");
            rig_reply(holder(), rig_last(holder(), PACKET_CALL)->packet.id, "x");
        }
    }
    assert_int_equal(rig.counters.redispatched, 3);
    assert_int_equal(rig.counters.retries_spared, 0);
}

static void a_call_that_kills_its_workers_is_poisoned_whatever_the_budget(void **state)
{
    (void)state;
    rig_call(&client, 1, "greeter", "again");
    for (int i = 0; i < 3; i++)
        lose_holder();
    rig_expect_error(&client, BUSBAR_POISONED, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig.counters.dispatched, 3);
    assert_int_equal(rig.counters.retries_spared, 0);
}

static void a_returned_call_costs_nothing_and_earns_once(void **state)
{
    (void)state;
    rig_call(&client, 1, "greeter", "again");
    lose_holder(); /* nothing is left */
    for (int i = 0; i < 20; i++)
        rig_return(holder(), rig_last(holder(), PACKET_CALL));
    rig_reply(holder(), rig_last(holder(), PACKET_CALL)->packet.id, "x");
    rig_call(&client, 2, "greeter", "again");
    for (int i = 0; i < 20; i++)
        rig_return(holder(), rig_last(holder(), PACKET_CALL));
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    lose_holder();
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig.counters.redispatched, 1);
}

int main(void)
{
#define TEST(name, scene) cmocka_unit_test_setup_teardown(name, scene, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_word_of_the_client_is_enough, two_workers),
        TEST(a_call_that_came_back_after_its_deadline_is_not_repeated, two_workers),
        TEST(the_budget_begins_full_and_ends, two_workers_and_a_budget_of_three),
        TEST(calls_pay_for_repetitions, two_workers_and_a_budget_of_one),
        TEST(a_call_that_kills_its_workers_is_poisoned_whatever_the_budget,
             two_workers_and_a_budget_of_three),
        TEST(a_returned_call_costs_nothing_and_earns_once, two_workers_and_a_budget_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
