/* A light caller beside a flood: whose turn it is, and how much a worker that both share is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static void one_clients_flood_does_not_delay_a_light_caller(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (uint64_t id = 0; id < 60; id++)
        rig_call(&client, id, "greeter", "hello");
    rig_call(&other, 1, "greeter", "hello");
    unsigned before = 0;
    while (rig_count(&other, PACKET_REPLY) == 0 && before < 100) {
        rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
        before++;
    }
    assert_true(before < 15);
}

static void a_worker_that_a_flood_and_a_light_caller_share_is_paced(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 1000, rig.now);
    rig_call(&other, 0, "greeter", "hello");
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    rig.now += PEER_NEW_MS;
    router_expire(&rig.router, rig.now);
    for (uint64_t id = 0; id < 200; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(worker.load, 200);
    rig_call(&other, 1, "greeter", "hello");
    assert_int_equal(worker.load, 201);
    rig_call(&client, 200, "greeter", "hello");
    assert_int_equal(worker.load, 201); /* it waits for the load to fall */
    rig.now += PEER_PACE_MS - 1;
    router_expire(&rig.router, rig.now);
    assert_int_equal(worker.load, 201);
    assert_int_equal(router_wait(&rig.router, rig.now), 1);
    rig.now += 1;
    router_expire(&rig.router, rig.now);
    assert_int_equal(worker.load, 202);
}

static void a_flood_that_only_begins_is_not_light(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 1000, rig.now);
    for (uint64_t id = 0; id < 200; id++)
        rig_call(&client, id, "greeter", "hello");
    for (uint64_t id = 0; id < 100; id++)
        rig_call(&other, id, "greeter", "hello");
    rig.now += PEER_NEW_MS;
    router_expire(&rig.router, rig.now);
    rig_call(&client, 200, "greeter", "hello");
    rig_call(&other, 100, "greeter", "hello");
    assert_int_equal(worker.load, 302);
}

/* Its calls may all be on their way back just then. */
static void a_flood_that_has_no_call_for_a_moment_is_not_light(void **state)
{
    uint64_t ids[100];
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 1000, rig.now);
    for (uint64_t id = 0; id < ARRAY_SIZE(ids); id++) {
        rig_call(id % 2 == 0 ? &client : &other, id, "greeter", "hello");
        ids[id] = rig_last(&worker, PACKET_CALL)->packet.id;
    }
    for (uint64_t id = 0; id < ARRAY_SIZE(ids); id++)
        rig_reply(&worker, ids[id], "x");
    for (uint64_t id = 0; id < 200; id++)
        rig_call(&client, id, "greeter", "hello");
    rig_call(&other, 200, "greeter", "hello");
    assert_int_equal(worker.load, 201);
    rig_call(&client, 200, "greeter", "hello");
    assert_int_equal(worker.load, 202);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_clients_flood_does_not_delay_a_light_caller),
        TEST(a_worker_that_a_flood_and_a_light_caller_share_is_paced),
        TEST(a_flood_that_only_begins_is_not_light),
        TEST(a_flood_that_has_no_call_for_a_moment_is_not_light),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
