/* Brokers that drain: calls under way finish there, new ones go elsewhere or wait. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_broker.h"
#include "tests/unit/brokers_scene.h"
#include "tests/unit/client_scene.h"

static void refuse(struct brokers_scene *scene, size_t index, uint64_t id)
{
    fake_broker_error(&scene->brokers[index], id, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED, "stopping");
}

static void say(struct brokers_scene *scene, size_t index, enum packet_command command)
{
    fake_broker_send(&scene->brokers[index], &(struct packet){.command = (uint8_t)command});
}

static void calls_under_way_finish_with_the_broker_that_leaves_and_new_ones_go_on(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t old = brokers_start(scene, &client_scene_echo);
    assert_int_equal(brokers_expect_call(scene, 0), old);
    say(scene, 0, PACKET_GOAWAY);
    brokers_let_hear(scene, 0);
    uint64_t new = brokers_start(scene, &client_scene_echo);
    (void)brokers_greet(scene, 1);
    assert_int_equal(brokers_expect_call(scene, 1), new);
    brokers_answer(scene, 1, new);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    assert_string_equal(busbar_client_broker(scene->client), scene->brokers[1].endpoint);
    brokers_expect_silence(scene, 0, 50);
    brokers_answer(scene, 0, old);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    (void)fake_broker_expect(&scene->brokers[0], PACKET_BYE);
    brokers_answer(scene, 1,
                   (brokers_start(scene, &client_scene_echo), brokers_expect_call(scene, 1)));
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void a_cancellation_goes_where_its_call_is(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t old = brokers_start(scene, &client_scene_echo);
    (void)brokers_expect_call(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    brokers_let_hear(scene, 0);
    (void)brokers_start(scene, &client_scene_echo);
    (void)brokers_greet(scene, 1);
    (void)brokers_expect_call(scene, 1);
    assert_int_equal(busbar_client_cancel(scene->client, old), BUSBAR_OK);
    assert_int_equal(fake_broker_expect(&scene->brokers[0], PACKET_CANCEL).id, old);
    brokers_answer(scene, 1, old); /* it is not this one's to answer */
    brokers_expect_silence(scene, 1, 30);
    assert_int_equal(busbar_client_outstanding(scene->client), 2);
}

static void what_a_draining_broker_refuses_another_one_gets(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &client_scene_echo);
    assert_int_equal(brokers_expect_call(scene, 0), id);
    refuse(scene, 0, id);
    (void)brokers_greet(scene, 1);
    assert_int_equal(brokers_expect_call(scene, 1), id);
    brokers_answer(scene, 1, id);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

/* As one does whose workers of a service are drained. The connections are all in use, so that the client
 * cannot move once more: that must not keep it from the broker it has. */
static void a_client_that_cannot_move_any_more_goes_on_where_it_is(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &client_scene_echo);
    for (size_t i = 0; i < 3; i++) {
        size_t index = i % 2;
        if (i > 0)
            (void)brokers_greet(scene, index);
        assert_int_equal(brokers_expect_call(scene, index), id);
        (void)brokers_start(scene, &client_scene_echo); /* which is not answered */
        (void)brokers_expect_call(scene, index);
        refuse(scene, index, id);
    }
    assert_int_equal(brokers_expect_call(scene, 0), id);
    refuse(scene, 0, id);
    assert_int_equal(brokers_end(scene, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED), BUSBAR_BY_BROKER);
    uint64_t other = brokers_start(scene, &client_scene_echo);
    assert_int_equal(brokers_expect_call(scene, 0), other);
    brokers_answer(scene, 0, other);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void what_all_brokers_refuse_is_told_as_refused(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &client_scene_echo);
    for (size_t i = 0; i < 4; i++) {
        size_t index = i % 2;
        if (i > 0)
            (void)brokers_greet(scene, index);
        assert_int_equal(brokers_expect_call(scene, index), id);
        refuse(scene, index, id);
        if (i < 3 && i > 0) /* the session that was left is ended */
            (void)fake_broker_expect(&scene->brokers[1 - index], PACKET_BYE);
    }
    assert_int_equal(brokers_end(scene, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED), BUSBAR_BY_BROKER);
}

/* A worker that drains is no reason to leave its broker. */
static void what_a_worker_says_of_itself_does_not_move_the_client(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &client_scene_echo);
    (void)brokers_expect_call(scene, 0);
    fake_broker_send(&scene->brokers[0], &(struct packet){.command = PACKET_ERROR,
                                                          .flags = PACKET_BY_HANDLER,
                                                          .id = id,
                                                          .status = BUSBAR_DRAINING});
    assert_int_equal(brokers_end(scene, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED), BUSBAR_BY_HANDLER);
    brokers_expect_silence(scene, 1, 50);
}

static void a_broker_that_grants_no_session_is_passed_over(void **state)
{
    struct brokers_scene *scene = *state;
    uint64_t id = brokers_start(scene, &client_scene_echo);
    (void)fake_broker_expect(&scene->brokers[0], PACKET_HELLO);
    (void)brokers_expect_call(scene, 0);
    fake_broker_error(&scene->brokers[0], 0, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "too many sessions");
    fake_broker_reset(&scene->brokers[0], PACKET_CALL, id);
    (void)brokers_greet(scene, 1);
    assert_int_equal(brokers_expect_call(scene, 1), id);
    brokers_answer(scene, 1, id);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void without_another_broker_calls_wait_for_the_successor_of_the_one_that_leaves(void **state)
{
    struct brokers_scene *scene = *state;
    char endpoint[sizeof scene->brokers[0].endpoint];
    memcpy(endpoint, scene->brokers[0].endpoint, sizeof endpoint);
    brokers_use(scene, endpoint);
    brokers_open_session(scene, 0);
    uint64_t old = brokers_start(scene, &client_scene_echo);
    (void)brokers_expect_call(scene, 0);
    uint64_t crossed = brokers_start(scene, &client_scene_echo);
    (void)brokers_expect_call(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    brokers_let_hear(scene, 0);
    uint64_t new = brokers_start(scene, &client_scene_echo);
    refuse(scene, 0, crossed);
    brokers_expect_silence(scene, 0, 50);
    brokers_answer(scene, 0, old);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    say(scene, 0, PACKET_BYE);
    sleep_ms(20);
    brokers_close(scene, 0);
    brokers_open(scene, 0, endpoint);
    (void)brokers_greet(scene, 0);
    assert_int_equal(brokers_expect_call(scene, 0), new);
    assert_int_equal(brokers_expect_call(scene, 0), crossed);
    brokers_answer(scene, 0, new);
    brokers_answer(scene, 0, crossed);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void a_successor_that_does_not_come_is_awaited_as_long_as_any_broker(void **state)
{
    struct brokers_scene *scene = *state;
    struct busbar_reply *reply = NULL;
    brokers_use(scene, scene->brokers[0].endpoint);
    brokers_open_session(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    brokers_let_hear(scene, 0);
    uint64_t began = clock_ms();
    assert_int_equal(busbar_client_call(scene->client, &client_scene_echo, &reply),
                     BUSBAR_DRAINING);
    assert_in_range(clock_ms() - began, 700, 1100);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_CLIENT);
    assert_non_null(strstr(busbar_reply_error(reply), scene->brokers[0].endpoint));
    busbar_reply_destroy(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, brokers_set_up, brokers_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_under_way_finish_with_the_broker_that_leaves_and_new_ones_go_on),
        TEST(a_cancellation_goes_where_its_call_is),
        TEST(what_a_draining_broker_refuses_another_one_gets),
        TEST(a_client_that_cannot_move_any_more_goes_on_where_it_is),
        TEST(what_all_brokers_refuse_is_told_as_refused),
        TEST(what_a_worker_says_of_itself_does_not_move_the_client),
        TEST(a_broker_that_grants_no_session_is_passed_over),
        TEST(without_another_broker_calls_wait_for_the_successor_of_the_one_that_leaves),
        TEST(a_successor_that_does_not_come_is_awaited_as_long_as_any_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
