/* Results in parts: windows, grants, what a worker may not do, progress and handlers that hang. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static uint8_t room[64];

/* Calls for parts; window 0: says none. */
static uint64_t call_stream(uint64_t id, const char *method, uint32_t window)
{
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    struct packet packet = rig_request(id, "greeter", method);
    if (window > 0)
        metadata_put_number(&writer, METADATA_WINDOW, 4, window);
    packet.flags = PACKET_STREAM;
    packet.metadata = metadata_written(&writer);
    rig_call_with(&client, &packet);
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    return call == NULL ? 0 : call->packet.id;
}

static void send_part(uint64_t id, const char *body)
{
    struct packet packet = {
        .command = PACKET_PART, .id = id, .encoding = 1, .body = bytes_of_text(body)};
    router_part(&rig.router, &worker, &packet, NULL, rig.now);
}

static void send_progress(uint64_t id, const char *text)
{
    struct packet packet = {
        .command = PACKET_PROGRESS, .id = id, .timeout = 250, .body = bytes_of_text(text)};
    router_progress(&rig.router, &worker, &packet, rig.now);
}

static void parts_reach_the_client_under_its_id_and_the_reply_ends_them(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    uint64_t id = call_stream(7, "hello", 0);
    assert_true(rig_last(&worker, PACKET_CALL)->packet.flags & PACKET_STREAM);
    for (int i = 0; i < 16; i++)
        send_part(id, "piece");
    assert_int_equal(rig_count(&client, PACKET_PART), 16);
    const struct sent *part = rig_last(&client, PACKET_PART);
    assert_int_equal(part->packet.id, 7);
    assert_int_equal(part->packet.encoding, 1);
    assert_int_equal(part->packet.service.size + part->packet.method.size, 0);
    assert_string_equal(part->body, "piece");
    rig_reply(&worker, id, "last"); /* needs no room in the window */
    assert_string_equal(rig_last(&client, PACKET_REPLY)->body, "last");
    assert_int_equal(rig.counters.parts, 16);
    send_part(id, "late");
    assert_int_equal(rig_count(&client, PACKET_PART), 16);
}

static void a_worker_may_send_what_was_granted_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    uint64_t id = call_stream(7, "hello", 1);
    send_part(id, "1");
    router_grant(&rig.router, &client, 7, 2, rig.now);
    assert_int_equal(rig_last(&worker, PACKET_GRANT)->packet.id, id);
    assert_int_equal(rig_last(&worker, PACKET_GRANT)->packet.timeout, 2);
    send_part(id, "2");
    send_part(id, "3");
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    send_part(id, "4");
    rig_expect_error(&client, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&client, PACKET_PART), 3);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
    assert_int_equal(rig.counters.outcome_broken, 1);
}

static void a_part_nobody_asked_for_ends_the_call(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    send_part(rig_last(&worker, PACKET_CALL)->packet.id, "piece");
    rig_expect_error(&client, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&client, PACKET_PART), 0);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
}

static void a_part_over_the_body_limit_ends_the_call(void **state)
{
    static uint8_t body[1025];
    struct packet packet = {.command = PACKET_PART, .body = {.data = body, .size = sizeof body}};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    packet.id = call_stream(1, "hello", 0);
    router_part(&rig.router, &worker, &packet, NULL, rig.now);
    rig_expect_error(&client, BUSBAR_RESULT_TOO_LARGE, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
}

static void a_part_of_another_workers_call_changes_nothing(void **state)
{
    struct packet packet = {.command = PACKET_PART, .body = bytes_of_text("forged")};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    packet.id = call_stream(1, "hello", 0);
    router_part(&rig.router, &second, &packet, NULL, rig.now);
    router_progress(&rig.router, &second, &packet, rig.now);
    assert_int_equal(rig_count(&client, PACKET_PART) + rig_count(&client, PACKET_PROGRESS), 0);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
}

static void a_grant_for_a_call_that_waits_is_told_with_it(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    uint64_t first = call_stream(2, "hello", 1);
    router_grant(&rig.router, &client, 2, 4, rig.now);
    router_grant(&rig.router, &client, 1, 4, rig.now); /* a call without parts */
    router_grant(&rig.router, &client, 99, 4, rig.now);
    assert_int_equal(rig_count(&worker, PACKET_GRANT), 0);
    rig_reply(&worker, first, "x");
    uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
    assert_int_equal(rig_last(&worker, PACKET_GRANT)->packet.id, id);
    assert_int_equal(rig_last(&worker, PACKET_GRANT)->packet.timeout, 4);
    for (int i = 0; i < 5; i++)
        send_part(id, "piece");
    assert_int_equal(rig_count(&client, PACKET_PART), 5);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
}

static void after_a_part_no_other_worker_gets_the_call(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    uint64_t id = call_stream(1, "again", 0);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    send_part(id, "piece");
    assert_int_equal(client.kept_bytes, 0);
    rig_lose(&worker);
    rig_expect_error(&client, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    router_leaving(&rig.router, &second);
    send_part(call_stream(2, "again", 0), "piece");
    rig_return(&worker, rig_last(&worker, PACKET_CALL));
    rig_expect_error(&client, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(rig_count(&second, PACKET_CALL), 0);
}

static void without_a_part_it_goes_to_another_worker_with_its_whole_window(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    call_stream(1, "again", 1);
    router_grant(&rig.router, &client, 1, 1, rig.now);
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_lose(&second);
    uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
    assert_int_equal(rig_last(&worker, PACKET_GRANT)->packet.timeout, 1);
    send_part(id, "1");
    send_part(id, "2");
    assert_int_equal(rig_count(&client, PACKET_PART), 2);
}

static void progress_is_passed_on_unless_much_is_due_to_the_client(void **state)
{
    char text[1100];
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 5, "greeter", "hello");
    uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
    send_progress(id, "a quarter");
    const struct sent *progress = rig_last(&client, PACKET_PROGRESS);
    assert_int_equal(progress->packet.id, 5);
    assert_int_equal(progress->packet.timeout, 250);
    assert_string_equal(progress->body, "a quarter");
    memset(text, 'x', sizeof text);
    memcpy(text + 1023, "\xc3\xa4", 2); /* a letter that the bound would cut in two */
    text[sizeof text - 1] = '\0';
    send_progress(id, text);
    assert_int_equal(rig_last(&client, PACKET_PROGRESS)->packet.body.size, 1023);
    client.congested = true;
    send_progress(id, "half");
    assert_int_equal(rig_count(&client, PACKET_PROGRESS), 2);
    assert_int_equal(rig.counters.progress_dropped, 1);
    assert_int_equal(rig.counters.progress, 2);
}

static void a_handler_without_a_sign_is_given_up(void **state)
{
    (void)state;
    rig.stall = 100;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    uint64_t id = call_stream(1, "hello", 0);
    rig_pass(90);
    send_progress(id, "at it");
    rig_pass(90);
    send_part(id, "piece");
    rig_pass(99);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(1);
    rig_expect_error(&client, BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED);
    assert_non_null(strstr(rig_last(&client, PACKET_ERROR)->body, "no sign"));
    assert_int_equal(rig_count(&worker, PACKET_CANCEL), 1);
    assert_int_equal(rig.counters.outcome_stalled, 1);
    assert_int_equal(rig.counters.outcome_timeout, 0);
}

static void the_time_in_the_queue_is_no_stall(void **state)
{
    (void)state;
    rig.stall = 100;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    uint64_t first = rig_last(&worker, PACKET_CALL)->packet.id;
    rig_call(&client, 2, "greeter", "hello");
    rig_pass(99);
    rig_reply(&worker, first, "x");
    rig_pass(99);
    assert_int_equal(rig_count(&client, PACKET_ERROR), 0);
    rig_pass(1);
    assert_int_equal(rig_last(&client, PACKET_ERROR)->packet.id, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(parts_reach_the_client_under_its_id_and_the_reply_ends_them),
        TEST(a_worker_may_send_what_was_granted_and_no_more),
        TEST(a_part_nobody_asked_for_ends_the_call),
        TEST(a_part_over_the_body_limit_ends_the_call),
        TEST(a_part_of_another_workers_call_changes_nothing),
        TEST(a_grant_for_a_call_that_waits_is_told_with_it),
        TEST(after_a_part_no_other_worker_gets_the_call),
        TEST(without_a_part_it_goes_to_another_worker_with_its_whole_window),
        TEST(progress_is_passed_on_unless_much_is_due_to_the_client),
        TEST(a_handler_without_a_sign_is_given_up),
        TEST(the_time_in_the_queue_is_no_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
