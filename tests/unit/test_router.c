/* The router by scenarios, one event after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "broker/router.h"
#include "tests/unit/router_rig.h"

static void a_call_reaches_the_worker_and_its_reply_the_client(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 7, "greeter", "hello");
    const struct sent *call = rig_last(&worker, PACKET_CALL);
    assert_non_null(call);
    assert_int_equal(call->packet.timeout, RIG_TIMEOUT_MS);
    assert_string_equal(call->body, "request");
    rig_reply(&worker, call->packet.id, "answer");
    const struct sent *reply = rig_last(&client, PACKET_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->packet.id, 7);
    assert_int_equal(reply->packet.fate, BUSBAR_EXECUTED);
    assert_string_equal(reply->body, "answer");
    assert_int_equal(rig.router.calls.count, 0);
}

static void names_nobody_offers_are_refused_at_once(void **state)
{
    static const struct {
        const char *service;
        const char *method;
        enum busbar_status status;
    } CASES[] = {
        {"nobody", "hello", BUSBAR_NO_SERVICE},    {"greeter", "missing", BUSBAR_NO_METHOD},
        {"bad name", "hello", BUSBAR_BAD_REQUEST}, {"", "hello", BUSBAR_BAD_REQUEST},
        {"greeter", "he.llo", BUSBAR_BAD_REQUEST}, {"greeter", "", BUSBAR_BAD_REQUEST},
        {"greeterh", "ello", BUSBAR_NO_SERVICE},   {".greeter", "hello", BUSBAR_BAD_REQUEST},
    };
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        rig_call(&client, i, CASES[i].service, CASES[i].method);
        rig_expect_error(&client, CASES[i].status, BUSBAR_NOT_EXECUTED);
    }
    assert_int_equal(rig_count(&worker, PACKET_CALL), 0);
}

static void calls_without_a_usable_deadline_are_refused(void **state)
{
    struct packet packet = {.command = PACKET_CALL,
                            .timeout = PACKET_TIMEOUT_NONE,
                            .service = bytes_of_text("greeter"),
                            .method = bytes_of_text("hello")};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call_with(&client, &packet);
    rig_expect_error(&client, BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED);
    packet.timeout = 0;
    rig_call_with(&client, &packet);
    rig_expect_error(&client, BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED);
    assert_int_equal(rig_count(&worker, PACKET_CALL), 0);
}

static void a_body_over_the_limit_is_refused(void **state)
{
    uint8_t body[1025] = {0};
    struct packet packet = {.command = PACKET_CALL,
                            .timeout = 10,
                            .service = bytes_of_text("greeter"),
                            .method = bytes_of_text("hello"),
                            .body = {.data = body, .size = sizeof body}};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call_with(&client, &packet);
    rig_expect_error(&client, BUSBAR_TOO_LARGE, BUSBAR_NOT_EXECUTED);
}

static void the_least_loaded_worker_is_chosen(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 10, rig.now);
    router_credit(&rig.router, &second, 10, rig.now);
    for (uint64_t id = 0; id < 8; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(worker.load, 4);
    assert_int_equal(second.load, 4);
    rig_reply(&second, rig_last(&second, PACKET_CALL)->packet.id, "x");
    rig_forget();
    rig_call(&client, 100, "greeter", "hello");
    assert_int_equal(rig_count(&second, PACKET_CALL), 1);
    assert_int_equal(rig_count(&worker, PACKET_CALL), 0);
}

static void credit_bounds_what_a_worker_is_given(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (uint64_t id = 0; id < 5; id++)
        rig_call(&client, id, "greeter", "hello");
    assert_int_equal(worker.load, 1);
    router_credit(&rig.router, &worker, 3, rig.now);
    assert_int_equal(worker.load, 3);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(worker.load, 3);
    assert_int_equal(rig_count(&worker, PACKET_CALL), 4);
}

static void methods_belong_to_registrations(void **state)
{
    static const char *const NEWER[] = {"hello", "shiny", NULL};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", NEWER), BUSBAR_OK);
    router_credit(&rig.router, &worker, 10, rig.now);
    router_credit(&rig.router, &second, 10, rig.now);
    for (uint64_t id = 0; id < 5; id++)
        rig_call(&client, id, "greeter", "shiny");
    assert_int_equal(second.load, 5);
    assert_int_equal(worker.load, 0);
}

static void a_queued_call_does_not_wait_behind_a_method_no_free_worker_offers(void **state)
{
    static const char *const NEWER[] = {"shiny", NULL};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", NEWER), BUSBAR_OK);
    for (uint64_t id = 0; id < 5; id++)
        rig_call(&client, id, "greeter", "hello");
    rig_call(&client, 5, "greeter", "shiny");
    rig_call(&client, 6, "greeter", "shiny");
    uint64_t first = rig_last(&second, PACKET_CALL)->packet.id;
    rig_reply(&second, first, "x");
    assert_int_equal(rig_count(&second, PACKET_CALL), 2);
}

static void one_session_may_not_register_without_bound(void **state)
{
    char name[32];
    enum busbar_status status = BUSBAR_OK;
    size_t count = 0;
    (void)state;
    while (status == BUSBAR_OK && count < 1000000) {
        snprintf(name, sizeof name, "service%zu", count++);
        status = rig_export(&worker, name, GREETER);
    }
    assert_int_equal(status, BUSBAR_BUSY);
    assert_true(count > 10000);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
}

static void registrations_are_checked(void **state)
{
    static const struct {
        const char *name;
        enum busbar_status status;
    } CASES[] = {
        {"fine.name:1-2", BUSBAR_OK},
        {"fine.name:1-2", BUSBAR_CONFLICT},
        {"bad name", BUSBAR_BAD_REQUEST},
        {"", BUSBAR_BAD_REQUEST},
        {"a@b", BUSBAR_BAD_REQUEST},
        {"bus", BUSBAR_DENIED},
        {"bus.x", BUSBAR_DENIED},
        {"mmi.service", BUSBAR_DENIED},
        {"titanic.request", BUSBAR_DENIED},
        {"_mine", BUSBAR_DENIED},
        {"busy", BUSBAR_OK},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++)
        assert_int_equal(rig_export(&worker, CASES[i].name, GREETER), CASES[i].status);
}

static void deregistering_one_service_leaves_the_other(void **state)
{
    const char *reason;
    (void)state;
    assert_int_equal(rig_export(&worker, "one", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&worker, "two", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "one", "hello");
    uint64_t id = rig_last(&worker, PACKET_CALL)->packet.id;
    assert_int_equal(router_deregister(&rig.router, &worker, bytes_of_text("one"), &reason),
                     BUSBAR_OK);
    assert_int_equal(router_deregister(&rig.router, &worker, bytes_of_text("one"), &reason),
                     BUSBAR_NO_SERVICE);
    rig_reply(&worker, id, "still mine");
    assert_non_null(rig_last(&client, PACKET_REPLY));
    rig_call(&client, 2, "one", "hello");
    rig_expect_error(&client, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    rig_call(&client, 3, "two", "hello");
    assert_int_equal(worker.load, 1);
}

static void a_draining_broker_refuses_new_calls(void **state)
{
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    rig_call(&client, 1, "greeter", "hello");
    rig.router.draining = true;
    rig_call(&client, 2, "greeter", "hello");
    rig_expect_error(&client, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
    assert_int_equal(rig_last(&client, PACKET_REPLY)->packet.id, 1);
}

/* The worker has a call of greeter.hello, and answers it with an error. */
static void fail_call(uint64_t id, uint8_t status, uint8_t fate)
{
    rig_call(&client, id, "greeter", "hello");
    struct packet error = {.command = PACKET_ERROR,
                           .id = rig_last(&worker, PACKET_CALL)->packet.id,
                           .status = status,
                           .fate = fate,
                           .body = bytes_of_text("why")};
    router_reply(&rig.router, &worker, &error, NULL, rig.now);
    assert_string_equal(rig_last(&client, PACKET_ERROR)->body, "why");
}

static void errors_of_workers_are_passed_on_as_what_they_may_be(void **state)
{
    enum { NOT = BUSBAR_NOT_EXECUTED, MAYBE = BUSBAR_MAYBE_EXECUTED, DONE = BUSBAR_EXECUTED };
    static const struct {
        uint8_t told;
        uint8_t status;
        uint8_t fates[3]; /* where the worker wrote 0, 1, 7 */
    } CASES[] = {
        {BUSBAR_APP_ERROR, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
        {BUSBAR_RESULT_TOO_LARGE, BUSBAR_RESULT_TOO_LARGE, {DONE, DONE, DONE}},
        {BUSBAR_BAD_REQUEST, BUSBAR_BAD_REQUEST, {NOT, MAYBE, MAYBE}},
        {BUSBAR_NO_METHOD, BUSBAR_NO_METHOD, {NOT, MAYBE, MAYBE}},
        {BUSBAR_EXPIRED, BUSBAR_EXPIRED, {NOT, MAYBE, MAYBE}},
        {BUSBAR_NO_SERVICE, BUSBAR_NO_SERVICE, {NOT, MAYBE, MAYBE}},
        {BUSBAR_NO_MEMBERS, BUSBAR_NO_MEMBERS, {NOT, MAYBE, MAYBE}},
        {BUSBAR_BUSY, BUSBAR_BUSY, {NOT, MAYBE, MAYBE}},
        {BUSBAR_DENIED, BUSBAR_DENIED, {NOT, MAYBE, MAYBE}},
        {BUSBAR_TOO_LARGE, BUSBAR_TOO_LARGE, {NOT, MAYBE, MAYBE}},
        {BUSBAR_DRAINING, BUSBAR_DRAINING, {NOT, MAYBE, MAYBE}},
        {BUSBAR_BROKER_LOST, BUSBAR_BROKER_LOST, {NOT, MAYBE, MAYBE}},
        {BUSBAR_WORKER_LOST, BUSBAR_WORKER_LOST, {MAYBE, MAYBE, MAYBE}},
        {BUSBAR_POISONED, BUSBAR_POISONED, {MAYBE, MAYBE, MAYBE}},
        {BUSBAR_CANCELLED, BUSBAR_CANCELLED, {MAYBE, MAYBE, MAYBE}},
        {BUSBAR_TIMEOUT, BUSBAR_TIMEOUT, {MAYBE, MAYBE, MAYBE}},
        {BUSBAR_UNSUPPORTED, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
        {BUSBAR_CONFLICT, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
        {BUSBAR_OK, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
        {BUSBAR_FORKED, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
        {200, BUSBAR_APP_ERROR, {DONE, DONE, DONE}},
    };
    static const uint8_t WRITTEN[] = {0, 1, 7};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(WRITTEN); j++) {
            fail_call(10 * i + j, CASES[i].told, WRITTEN[j]);
            rig_expect_error(&client, CASES[i].status, CASES[i].fates[j]);
        }
    }
}

/* They are of a call that its handler made: this one is not given to another worker. */
static void what_a_worker_says_of_its_own_calls_ends_this_one_and_nothing_else(void **state)
{
    static const uint8_t STATUSES[] = {BUSBAR_NO_SERVICE, BUSBAR_NO_MEMBERS,  BUSBAR_BUSY,
                                       BUSBAR_DRAINING,   BUSBAR_WORKER_LOST, BUSBAR_BROKER_LOST};
    (void)state;
    assert_int_equal(rig_export(&worker, "greeter", GREETER), BUSBAR_OK);
    assert_int_equal(rig_export(&second, "greeter", GREETER), BUSBAR_OK);
    for (size_t i = 0; i < ARRAY_SIZE(STATUSES); i++) {
        rig_call(&client, i, "greeter", "again");
        struct peer *has_it = worker.load > 0 ? &worker : &second;
        struct packet error = {.command = PACKET_ERROR,
                               .id = rig_last(has_it, PACKET_CALL)->packet.id,
                               .status = STATUSES[i]};
        router_reply(&rig.router, has_it, &error, NULL, rig.now);
        assert_int_equal(rig_count(&client, PACKET_ERROR), i + 1);
        assert_int_equal(rig_count(&worker, PACKET_CALL) + rig_count(&second, PACKET_CALL), i + 1);
        assert_int_equal(worker.load + second.load, 0);
    }
    assert_int_equal(rig.counters.outcome_worker_error, ARRAY_SIZE(STATUSES));
    assert_int_equal(rig.counters.outcome_no_service + rig.counters.outcome_busy, 0);
}

/* Two of them have calls that wait, which is less than the worker exports; then all three. */
static void services_of_one_worker_take_turns(void **state)
{
    static const char *const SERVICES[] = {"one", "two", "three"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(rig_export(&worker, SERVICES[i], GREETER), BUSBAR_OK);
    for (size_t waiting = 2; waiting <= 3; waiting++) {
        unsigned given[3] = {0};
        rig_forget();
        rig_call(&client, 1, "three", "hello"); /* takes the worker's one place */
        for (uint64_t id = 10; id < 10 + 4 * waiting; id++)
            rig_call(&client, id, SERVICES[(id - 10) / 4], "hello");
        for (size_t i = 0; i < 2 * waiting; i++) {
            rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
            const struct bytes name = rig_last(&worker, PACKET_CALL)->packet.service;
            given[name.size == 5 ? 2 : name.data[0] == 't']++;
        }
        for (size_t i = 0; i < waiting; i++)
            assert_int_equal(given[i], 2);
        for (size_t i = 0; i <= 2 * waiting; i++)
            rig_reply(&worker, rig_last(&worker, PACKET_CALL)->packet.id, "x");
        assert_int_equal(rig.router.calls.count, 0);
    }
}
int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_reaches_the_worker_and_its_reply_the_client),
        TEST(names_nobody_offers_are_refused_at_once),
        TEST(calls_without_a_usable_deadline_are_refused),
        TEST(a_body_over_the_limit_is_refused),
        TEST(the_least_loaded_worker_is_chosen),
        TEST(credit_bounds_what_a_worker_is_given),
        TEST(methods_belong_to_registrations),
        TEST(services_of_one_worker_take_turns),
        TEST(a_queued_call_does_not_wait_behind_a_method_no_free_worker_offers),
        TEST(one_session_may_not_register_without_bound),
        TEST(registrations_are_checked),
        TEST(deregistering_one_service_leaves_the_other),
        TEST(a_draining_broker_refuses_new_calls),
        TEST(errors_of_workers_are_passed_on_as_what_they_may_be),
        TEST(what_a_worker_says_of_its_own_calls_ends_this_one_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
