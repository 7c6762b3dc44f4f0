/* Packets that are foreseen before their turn: the outcome is that of those that are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

enum {
    SERVICES = ROUTER_CROWD + 44,
    BATCH = 15, /* no part of SERVICES */
    NAME_SIZE = 16,
};

static const char *const HELLO[] = {"hello", NULL};
static char names[SERVICES][NAME_SIZE];

static int crowd_setup(void **state)
{
    int status = scene_setup(state);
    for (unsigned i = 0; i < SERVICES; i++) {
        snprintf(names[i], NAME_SIZE, "service.%u", i);
        assert_int_equal(rig_export(&worker, names[i], HELLO), BUSBAR_OK);
    }
    router_credit(&rig.router, &worker, SERVICES, rig.now);
    assert_true(router_is_crowded(&rig.router));
    return status;
}

static uint64_t foresee(const struct packet *packet)
{
    uint64_t hash = router_foresee(&rig.router, packet);
    router_prefetch(&rig.router, packet, hash);
    return hash;
}

static void call_foreseen(const struct packet *packet, uint64_t hash)
{
    router_call_foreseen(&rig.router, &client, packet, hash, NULL, rig.now);
    router_check(&rig.router);
}

static void expect_given(const char *service)
{
    const struct sent *given = rig_last(&worker, PACKET_CALL);
    assert_non_null(given);
    assert_int_equal(given->packet.service.size, strlen(service));
    assert_memory_equal(given->packet.service.data, service, strlen(service));
}

static void calls_foreseen_together_go_where_they_are_for(void **state)
{
    (void)state;
    for (unsigned from = 0; from < SERVICES; from += BATCH) {
        unsigned count = SERVICES - from < BATCH ? SERVICES - from : BATCH;
        struct packet packets[BATCH];
        uint64_t hashes[BATCH];
        for (unsigned i = 0; i < count; i++) {
            packets[i] = rig_request(from + i, names[from + i], "hello");
            hashes[i] = foresee(&packets[i]);
            assert_true(hashes[i] != 0);
        }
        for (unsigned i = 0; i < count; i++) {
            call_foreseen(&packets[i], hashes[i]);
            expect_given(names[from + i]);
        }
    }
    assert_int_equal(rig_count(&worker, PACKET_CALL), SERVICES);
}

static void what_was_found_last_needs_no_hash(void **state)
{
    (void)state;
    struct packet first = rig_request(1, names[7], "hello");
    struct packet between = rig_request(2, names[8], "hello");
    struct packet again = rig_request(3, names[7], "hello");
    call_foreseen(&first, foresee(&first));
    assert_int_equal(foresee(&again), 0);
    call_foreseen(&between, foresee(&between));
    call_foreseen(&again, 0);
    expect_given(names[7]);
}

static void what_comes_or_goes_meanwhile_counts(void **state)
{
    (void)state;
    const char *reason;
    struct packet gone = rig_request(1, names[7], "hello");
    struct packet come = rig_request(2, "new", "hello");
    uint64_t gone_hash = foresee(&gone);
    uint64_t come_hash = foresee(&come);
    assert_int_equal(router_deregister(&rig.router, &worker, gone.service, &reason), BUSBAR_OK);
    assert_int_equal(rig_export(&worker, "new", HELLO), BUSBAR_OK);
    call_foreseen(&gone, gone_hash);
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    call_foreseen(&come, come_hash);
    expect_given("new");
}

static void replies_and_nonsense_are_foreseen(void **state)
{
    (void)state;
    rig_call(&client, 1, names[7], "hello");
    uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
    struct packet reply = {.command = PACKET_REPLY, .id = id};
    assert_int_equal(foresee(&reply), 0);
    rig_reply(&worker, id, "");
    assert_non_null(rig_last(&client, PACKET_REPLY));
    reply.id = id; /* over */
    assert_int_equal(foresee(&reply), 0);
    reply.id = UINT64_MAX; /* no slot */
    assert_int_equal(foresee(&reply), 0);
    assert_int_equal(foresee(&(struct packet){.command = PACKET_CANCEL, .id = 1}), 0);
    struct packet nobody = rig_request(2, "nobody", "hello");
    call_foreseen(&nobody, foresee(&nobody));
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, crowd_setup, scene_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_foreseen_together_go_where_they_are_for),
        TEST(what_was_found_last_needs_no_hash),
        TEST(what_comes_or_goes_meanwhile_counts),
        TEST(replies_and_nonsense_are_foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
