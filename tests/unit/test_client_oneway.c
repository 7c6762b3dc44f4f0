/* Calls without a result: what their outcome tells, and what it does not. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "tests/unit/client_scene.h"

static const struct busbar_call oneway = {
    .service = "echo", .method = "run", .flags = BUSBAR_ONEWAY};

static void an_accepted_oneway_call_may_have_been_executed_says_the_broker(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    struct packet call = client_scene_send(scene, &oneway);
    assert_int_equal(call.flags, PACKET_ONEWAY);
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_REPLY,
                                                      .flags = PACKET_ONEWAY,
                                                      .id = call.id,
                                                      .fate = 1});
    struct busbar_reply *reply = client_scene_take(scene);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_BROKER);
    assert_int_equal(busbar_reply_size(reply), 0);
    busbar_reply_destroy(&reply);
}

/* A flag of another command's meaning, or of a later version, does not change what a reply says. */
static void the_reply_to_a_plain_call_is_a_result_whatever_its_flags(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &client_scene_echo).id;
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_REPLY,
                                                      .flags = PACKET_ONEWAY,
                                                      .id = id,
                                                      .fate = BUSBAR_EXECUTED});
    client_scene_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void a_oneway_call_that_is_refused_ends_like_any(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &oneway).id;
    fake_broker_error(&scene->broker, id, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED, "nobody");
    client_scene_end(scene, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
}

static void a_oneway_call_is_lost_with_its_broker_as_any(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    (void)client_scene_send(scene, &oneway);
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_BYE});
    client_scene_end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void an_idempotent_oneway_call_is_sent_again(void **state)
{
    struct client_scene *scene = *state;
    struct busbar_call call = oneway;
    call.flags |= BUSBAR_IDEMPOTENT;
    client_scene_open_session(scene);
    struct packet first = client_scene_send(scene, &call);
    uint64_t id = first.id;
    assert_int_equal(first.flags, PACKET_ONEWAY | PACKET_IDEMPOTENT);
    uint64_t refused = client_scene_send(scene, &oneway).id;
    fake_broker_reset(&scene->broker, PACKET_CALL, refused);
    (void)fake_broker_expect(&scene->broker, PACKET_HELLO);
    fake_broker_welcome(&scene->broker);
    struct packet again = fake_broker_expect(&scene->broker, PACKET_CALL);
    assert_int_equal(again.id, refused);
    again = fake_broker_expect(&scene->broker, PACKET_CALL);
    assert_int_equal(again.id, id);
    assert_int_equal(again.flags, PACKET_ONEWAY | PACKET_IDEMPOTENT);
}

/* It leaves with the goodbye, and nobody is asked to cancel it. */
static void a_started_oneway_call_leaves_although_its_client_is_destroyed(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_start(scene, &oneway);
    busbar_client_destroy(&scene->client);
    scene->broker.idle = NULL;
    struct packet call = fake_broker_expect(&scene->broker, PACKET_CALL);
    assert_int_equal(call.id, id);
    (void)fake_broker_expect(&scene->broker, PACKET_BYE);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_accepted_oneway_call_may_have_been_executed_says_the_broker),
        TEST(the_reply_to_a_plain_call_is_a_result_whatever_its_flags),
        TEST(a_oneway_call_that_is_refused_ends_like_any),
        TEST(a_oneway_call_is_lost_with_its_broker_as_any),
        TEST(an_idempotent_oneway_call_is_sent_again),
        TEST(a_started_oneway_call_leaves_although_its_client_is_destroyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
