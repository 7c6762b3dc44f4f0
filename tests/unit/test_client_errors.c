/* Errors that a broker sends: what the client makes of statuses, fates and texts. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "fake_broker.h"
#include "tests/unit/client_scene.h"

/* Statuses and fates as a broker may send them, whatever it may be. */
static void errors_of_the_broker_are_handed_on_as_they_are(void **state)
{
    static const struct {
        uint8_t status;
        uint8_t fate;
        enum busbar_status seen;
        enum busbar_fate seen_fate;
    } cases[] = {
        {BUSBAR_NO_SERVICE, 0, BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED},
        {BUSBAR_NO_METHOD, 0, BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED},
        {BUSBAR_BUSY, 0, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED},
        {BUSBAR_EXPIRED, 0, BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED},
        {BUSBAR_TIMEOUT, 1, BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED},
        {BUSBAR_WORKER_LOST, 1, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED},
        {BUSBAR_BROKER_LOST, 0, BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED},
        {BUSBAR_BROKER_LOST, 1, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED},
        {BUSBAR_RESULT_TOO_LARGE, 2, BUSBAR_RESULT_TOO_LARGE, BUSBAR_EXECUTED},
        {BUSBAR_DRAINING, 0, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED},
        {BUSBAR_UNSUPPORTED, 0, BUSBAR_UNSUPPORTED, BUSBAR_NOT_EXECUTED},
        {BUSBAR_OK, 2, BUSBAR_UNSUPPORTED, BUSBAR_EXECUTED},
        {63, 0, BUSBAR_UNSUPPORTED, BUSBAR_NOT_EXECUTED},
        {BUSBAR_FORKED, 0, BUSBAR_UNSUPPORTED, BUSBAR_NOT_EXECUTED},
        {255, 15, BUSBAR_UNSUPPORTED, BUSBAR_MAYBE_EXECUTED},
    };
    struct client_scene *fixture = *state;
    client_scene_open_session(fixture);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct busbar_reply *reply = NULL;
        uint64_t id = client_scene_start(fixture, &client_scene_echo);
        (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
        fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_ERROR,
                                                            .id = id,
                                                            .timeout = 250,
                                                            .status = cases[i].status,
                                                            .fate = cases[i].fate});
        assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_status(reply), cases[i].seen);
        assert_int_equal(busbar_reply_fate(reply), cases[i].seen_fate);
        assert_int_equal(busbar_reply_retry_after(reply), 250);
        assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_BROKER);
        assert_string_not_equal(busbar_reply_error(reply), "");
        busbar_reply_destroy(&reply);
    }
}

/* A worker says it of a call that its handler made; this session has lost nothing. */
static void a_broker_that_a_worker_lost_is_not_the_one_of_this_session(void **state)
{
    struct client_scene *fixture = *state;
    static const char *const TOLD[] = {"", "no broker answers at tcp://far.away:1"};
    client_scene_open_session(fixture);
    for (size_t i = 0; i < ARRAY_SIZE(TOLD); i++) {
        struct busbar_reply *reply = NULL;
        uint64_t kept = client_scene_start(fixture, &client_scene_echo);
        uint64_t failed = client_scene_start(fixture, &client_scene_echo);
        (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
        (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
        fake_broker_error(&fixture->broker, failed, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED,
                          TOLD[i]);
        assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_id(reply), failed);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_BROKER_LOST);
        assert_string_equal(busbar_reply_error(reply),
                            i == 0 ? "the worker lost the broker of a call that it made" : TOLD[i]);
        busbar_reply_destroy(&reply);
        fake_broker_reply(&fixture->broker, kept, bytes_of_text("still here"));
        assert_int_equal(busbar_client_wait(fixture->client, 1000, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_id(reply), kept);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
        busbar_reply_destroy(&reply);
    }
}

static struct busbar_reply *finished(struct client_scene *fixture)
{
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_wait(fixture->client, 5000, &reply), BUSBAR_OK);
    return reply;
}

/* Status and fate alone are the same when a worker reports them. */
static void a_reply_tells_whether_the_client_itself_made_it(void **state)
{
    struct client_scene *fixture = *state;
    const struct busbar_call hasty = {.service = "echo", .method = "run", .timeout_ms = 20};
    client_scene_open_session(fixture);
    uint64_t id = client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_reply(&fixture->broker, id, bytes_of_text("done"));
    CLEANUP(busbar_reply_destroy) struct busbar_reply *answered = finished(fixture);
    assert_int_equal(busbar_reply_status(answered), BUSBAR_OK);
    assert_int_equal(busbar_reply_source(answered), BUSBAR_BY_HANDLER);
    (void)client_scene_start(fixture, &hasty);
    CLEANUP(busbar_reply_destroy) struct busbar_reply *late = finished(fixture);
    assert_int_equal(busbar_reply_status(late), BUSBAR_TIMEOUT);
    assert_int_equal(busbar_reply_source(late), BUSBAR_BY_CLIENT);
    (void)client_scene_start(fixture, &client_scene_echo);
    (void)fake_broker_expect(&fixture->broker, PACKET_CALL);
    fake_broker_send(&fixture->broker, &(struct packet){.command = PACKET_BYE});
    CLEANUP(busbar_reply_destroy) struct busbar_reply *lost = finished(fixture);
    assert_int_equal(busbar_reply_status(lost), BUSBAR_BROKER_LOST);
    assert_int_equal(busbar_reply_source(lost), BUSBAR_BY_CLIENT);
    assert_int_equal(busbar_reply_source(NULL), BUSBAR_BY_CLIENT);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_of_the_broker_are_handed_on_as_they_are),
        TEST(a_broker_that_a_worker_lost_is_not_the_one_of_this_session),
        TEST(a_reply_tells_whether_the_client_itself_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
