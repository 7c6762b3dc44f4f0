/* What bounds a client, a service and a queue, and what the rules of services change of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "broker/rules.h"
#include "tests/unit/router_rig.h"

static void one_client_may_have_so_many_calls_without_outcome(void **state)
{
    (void)state;
    rig.router.limits.client_calls = 2;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (uint64_t id = 0; id < 3; id++)
        rig_call(&client, id, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 2);
    assert_true(rig_last(&client, PACKET_ERROR)->packet.timeout >= 10);
    rig_call(&other, 1, "greeter", "hello");
    assert_int_equal(rig_count(&other, PACKET_ERROR), 0);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    rig_call(&client, 4, "greeter", "hello");
    assert_int_equal(rig_count(&client, PACKET_ERROR), 1);
}

static void a_call_waits_no_longer_than_the_queue_allows(void **state)
{
    (void)state;
    rig.router.limits.queue_age = 500;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    rig_pass(499);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(1);
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 2);
    rig_pass(500); /* the one that runs is not in the queue */
    assert_int_equal(rig_count(&client, PACKET_ERROR), 1);
    rig_call(&client, 3, "greeter", "hello");
    rig_pass(400);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_last(&worker, PACKET_CALL)->packet.timeout, RIG_TIMEOUT_MS - 400);
    rig_pass(400); /* nor is this one any more */
    assert_int_equal(rig_count(&client, PACKET_ERROR), 1);
}

static void calls_through_too_many_handlers_are_refused(void **state)
{
    static const struct {
        uint32_t limit;
        uint8_t hops;
        bool refused;
    } CASES[] = {{32, 32, false}, {32, 33, true}, {0, 255, false}, {1, 0, false}, {1, 2, true}};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        uint8_t metadata[16];
        struct metadata_writer writer = {.data = metadata, .capacity = sizeof metadata};
        struct packet packet = rig_request(i, "greeter", "hello");
        metadata_put_number(&writer, METADATA_HOPS, 1, CASES[i].hops);
        packet.metadata = metadata_written(&writer);
        rig.router.limits.hops = CASES[i].limit;
        rig_forget();
        rig_call_with(&client, &packet);
        assert_int_equal(rig_count(&client, PACKET_ERROR), CASES[i].refused);
        if (CASES[i].refused)
            rig_expect_error(&client, BUSBAR_LOOP, BUSBAR_NOT_EXECUTED);
        else
            rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    }
    assert_int_equal(rig.counters.outcome_loop, 2);
}

static char name_all[] = "*";
static char name_prefix[] = "greet*";
static char name_longer[] = "greeter.*";
static char name_exact[] = "greeter.exact";
static const struct service_rule RULES[] = {
    {.name = name_all, .queue_calls = 5},
    {.name = name_longer, .queue_calls = 3},
    {.name = name_prefix, .queue_calls = 4},
    {.name = name_exact, .queue_calls = 1, .queue_age = 50},
};

static int scene_with_rules(void **state)
{
    rig_limits.rules = RULES;
    rig_limits.rule_count = ARRAY_SIZE(RULES);
    return scene_setup(state);
}

static void the_exact_rule_comes_first_then_the_longest_prefix(void **state)
{
    static const struct {
        const char *name;
        int rule; /* in RULES; -1 for none */
    } CASES[] = {
        {"greeter.exact", 3},
        {"greeter.exactly", 1},
        {"greeter.", 1},
        {"greeter", 2},
        {"greet", 2},
        {"gree", 0},
        {"x", 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_ptr_equal(rules_find(RULES, ARRAY_SIZE(RULES), bytes_of_text(CASES[i].name)),
                         &RULES[CASES[i].rule]);
    assert_null(rules_find(RULES + 1, 3, bytes_of_text("other")));
    assert_null(rules_find(NULL, 0, bytes_of_text("greeter")));
}

static void a_rule_bounds_the_queue_of_its_services(void **state)
{
    static const struct {
        const char *service;
        size_t queued;
    } CASES[] = {{"greeter.exact", 1}, {"greeter.x", 3}, {"greeting", 4}, {"else", 5}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(rig_export(&worker, CASES[i].service, GREETER), BUSBAR_OK);
        router_credit(&rig.router, &worker, 0, rig.now);
        rig_forget();
        for (uint64_t id = 0; id < 10; id++)
            rig_call(&client, id, CASES[i].service, "hello");
        assert_int_equal(rig_count(&client, PACKET_ERROR), 10 - CASES[i].queued);
    }
    rig_forget();
    rig_pass(50);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 1); /* of greeter.exact alone */
    rig_expect_error(&client, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
}

static void a_refused_client_is_told_when_to_come_back(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig.router.limits.queue_calls = 50;
    for (uint64_t id = 0; id < 200; id++) { /* 100 answers a second */
        rig_call(&client, id, "greeter", "hello");
        rig_pass(10);
        rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
        rig_forget();
    }
    for (uint64_t id = 1000; id < 1060; id++)
        rig_call(&client, id, "greeter", "hello");
    uint32_t after = rig_last(&client, PACKET_ERROR)->packet.timeout;
    assert_in_range(after, 400, 600); /* 50 calls wait */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_client_may_have_so_many_calls_without_outcome),
        TEST(a_call_waits_no_longer_than_the_queue_allows),
        TEST(calls_through_too_many_handlers_are_refused),
        TEST(the_exact_rule_comes_first_then_the_longest_prefix),
        cmocka_unit_test_setup_teardown(a_rule_bounds_the_queue_of_its_services, scene_with_rules,
                                        scene_teardown),
        TEST(a_refused_client_is_told_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
