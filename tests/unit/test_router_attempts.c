/* What an error says of where it came from, and what a worker is told of who calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static struct metadata_attempt attempts[8];

static size_t last_attempts(void)
{
    return metadata_attempts(rig_last(&client, PACKET_ERROR)->packet.metadata, attempts, 8);
}

static void an_error_says_who_reported_it(void **state)
{
    static const struct {
        uint8_t written;
        uint8_t told;
    } CASES[] = {
        {0, PACKET_BY_WORKER},
        {PACKET_BY_HANDLER, PACKET_BY_WORKER | PACKET_BY_HANDLER},
        {0x0b, PACKET_BY_WORKER},
    };
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        rig_call(&client, i, "greeter", "hello");
        struct packet error = {.command = PACKET_ERROR,
                               .flags = CASES[i].written,
                               .status = BUSBAR_APP_ERROR,
                               .id = rig_last(&worker, PACKET_CALL)->packet.id};
        router_reply(&rig.router, &worker, &error, NULL, rig.now);
        assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.flags, CASES[i].told);
    }
    rig_call(&client, 9, "nobody", "hello");
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.flags, 0);
}

static void an_error_lists_the_workers_that_had_the_call(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    uint64_t lost = worker.number;
    rig_call(&client, 1, "greeter", "again");
    rig_pass(30);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_lose(&worker);
    rig_pass(40);
    rig_error(&second, rig_last(&second, PACKET_CALL)->packet.id, BUSBAR_APP_ERROR);
    assert_int_equal(last_attempts(), 2);
    assert_int_equal(attempts[0].worker, lost);
    assert_int_equal(attempts[0].ms, 30);
    assert_int_equal(attempts[1].worker, second.number);
    assert_int_equal(attempts[1].ms, 40);
}

static void so_do_the_errors_that_the_broker_makes(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig_call(&client, 2, "greeter", "hello");
    rig_pass(20);
    router_cancel(&rig.router, &client, 2, rig.now);
    assert_int_equal(last_attempts(), 0); /* no worker had it */
    router_cancel(&rig.router, &client, 1, rig.now);
    assert_int_equal(last_attempts(), 1);
    assert_int_equal(attempts[0].worker, worker.number);
    assert_int_equal(attempts[0].ms, 20);
    uint64_t lost = second.number;
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 3, "greeter", "hello");
    rig_pass(5);
    rig_lose(&second);
    assert_int_equal(last_attempts(), 1);
    assert_int_equal(attempts[0].worker, lost);
    assert_int_equal(attempts[0].ms, 5);
}

static void a_returned_call_was_no_attempt(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_return(&worker, rig_last(&worker, PACKET_CALL));
    rig_error(&second, rig_last(&second, PACKET_CALL)->packet.id, BUSBAR_APP_ERROR);
    assert_int_equal(last_attempts(), 1);
    assert_int_equal(attempts[0].worker, second.number);
}

static void metadata_of_the_worker_follow_and_come_first_when_there_is_no_room(void **state)
{
    static uint8_t metadata[PACKET_METADATA_MAX];
    static const size_t SIZES[] = {20, PACKET_METADATA_MAX - 16, PACKET_METADATA_MAX - 15,
                                   PACKET_METADATA_MAX};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(SIZES); i++) {
        rig_call(&client, i, "greeter", "hello");
        struct packet error = {.command = PACKET_ERROR,
                               .status = BUSBAR_APP_ERROR,
                               .metadata = {.data = metadata, .size = SIZES[i]},
                               .id = rig_last(&worker, PACKET_CALL)->packet.id};
        router_reply(&rig.router, &worker, &error, NULL, rig.now);
        bool room = SIZES[i] + 16 <= PACKET_METADATA_MAX;
        assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.metadata.size,
                         SIZES[i] + (room ? 16 : 0));
    }
}

/* Both metadata and text may be so long that what is put in front fits no bundle any more. */
static void an_error_that_fills_its_bundle_stays_as_it_is(void **state)
{
    static uint8_t text[BUNDLE_SIZE_MAX - BUNDLE_HEADER_SIZE - PACKET_HEADER_SIZE];
    (void)state;
    rig.router.limits.body_limit = sizeof text;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t spare = 0; spare <= 16; spare += 8) {
        rig_call(&client, 1, "greeter", "hello");
        struct packet error = {.command = PACKET_ERROR,
                               .status = BUSBAR_APP_ERROR,
                               .body = {.data = text, .size = sizeof text - spare},
                               .id = rig_last(&worker, PACKET_CALL)->packet.id};
        router_reply(&rig.router, &worker, &error, NULL, rig.now);
        assert_int_equal(last_attempts(), spare >= 16);
    }
}

static void a_worker_that_asks_learns_who_calls(void **state)
{
    struct metadata_caller caller;
    uint8_t room[32];
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    struct packet packet = rig_request(1, "greeter", "hello");
    (void)state;
    metadata_put_item(&writer, bytes_of_text("name"), bytes_of_text("value"));
    packet.metadata = metadata_written(&writer);
    memset(client.instance, 9, sizeof client.instance);
    client.name = "alice";
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call_with(&client, &packet);
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    assert_false(metadata_find_caller(call->packet.metadata, &caller));
    rig.words.caller = true;
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    rig_return(&worker, call);
    call = rig_last(&second, PACKET_CALL);
    assert_true(metadata_find_caller(call->packet.metadata, &caller));
    assert_int_equal(caller.session, client.number);
    assert_memory_equal(caller.instance, client.instance, sizeof caller.instance);
    assert_int_equal(caller.name.size, 5);
    assert_int_equal(call->packet.metadata.size, 4 + 24 + 5 + writer.size);
    router_credit(&rig.router, &worker, 5, rig.now);
    rig_return(&second, call); /* and what the broker put in is not told to the next */
    call = rig_last(&worker, PACKET_CALL);
    assert_int_equal(call->packet.metadata.size, writer.size);
    assert_memory_equal(call->metadata, room, writer.size);
}

static void a_body_that_would_fit_no_bundle_beside_the_caller_is_attached(void **state)
{
    static uint8_t body[BUNDLE_SIZE_MAX - BUNDLE_HEADER_SIZE - PACKET_HEADER_SIZE - 12];
    static uint8_t full[PACKET_METADATA_MAX];
    struct packet packet = rig_request(1, "greeter", "hello");
    (void)state;
    rig.words.caller = true;
    rig.router.limits.body_limit = sizeof body;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    packet.body = (struct bytes){.data = body, .size = sizeof body};
    rig_call_with(&client, &packet);
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    assert_true(call->packet.flags & PACKET_ATTACHED);
    assert_int_equal(call->packet.body.size, sizeof body);
    assert_int_equal(call->packet.metadata.size, 28);
    rig_reply(&worker, call->packet.id, "x");
    packet.metadata = (struct bytes){.data = full, .size = sizeof full};
    packet.body.size = 10;
    rig_call_with(&client, &packet);
    assert_int_equal(rig_last(&worker, PACKET_CALL)->packet.metadata.size, sizeof full);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_error_says_who_reported_it),
        TEST(an_error_lists_the_workers_that_had_the_call),
        TEST(so_do_the_errors_that_the_broker_makes),
        TEST(a_returned_call_was_no_attempt),
        TEST(metadata_of_the_worker_follow_and_come_first_when_there_is_no_room),
        TEST(an_error_that_fills_its_bundle_stays_as_it_is),
        TEST(a_worker_that_asks_learns_who_calls),
        TEST(a_body_that_would_fit_no_bundle_beside_the_caller_is_attached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
