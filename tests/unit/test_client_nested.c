/* Calls that a handler makes: what they take over from the request it handles. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client-lib/ambient.h"
#include "fake_broker.h"
#include "protocol/metadata.h"
#include "tests/unit/client_scene.h"

struct request {
    struct ambient ambient;
    uint8_t metadata[PACKET_METADATA_MAX];
};

/* As a worker would: all of the request's metadata, of which only the items are passed on. */
static void handle(struct request *request, uint32_t left_ms, uint8_t hops)
{
    struct metadata_writer writer = {.data = request->metadata,
                                     .capacity = sizeof request->metadata};
    metadata_put_number(&writer, METADATA_HOPS, 1, hops);
    metadata_put_item(&writer, bytes_of_text("user"), bytes_of_text("ada"));
    metadata_put(&writer, METADATA_KEY, bytes_of_text("k"));
    metadata_put_item(&writer, bytes_of_text("trace"), bytes_of_text("t-1"));
    request->ambient = (struct ambient){
        .deadline = clock_ms() + left_ms, .items = metadata_written(&writer), .hops = hops};
    assert_null(ambient_set(&request->ambient));
}

static int set_up(void **state)
{
    assert_null(ambient_current());
    return client_scene_set_up(state);
}

static int tear_down(void **state)
{
    (void)ambient_set(NULL);
    return client_scene_tear_down(state);
}

static const char *item_of(struct bytes metadata, const char *name)
{
    static char text[64];
    struct bytes value;
    if (!metadata_find_item(metadata, bytes_of_text(name), &value))
        return "(none)";
    assert_true(value.size < sizeof text);
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    return text;
}

static uint64_t hops_of(struct bytes metadata)
{
    uint64_t hops = 0;
    assert_true(metadata_find_number(metadata, METADATA_HOPS, 1, &hops));
    return hops;
}

static void a_call_takes_over_deadline_items_and_hops(void **state)
{
    struct client_scene *scene = *state;
    struct request request = {0};
    struct bytes none;
    client_scene_open_session(scene);
    handle(&request, 700, 4);
    struct packet call = client_scene_send(scene, &client_scene_echo);
    assert_in_range(call.timeout, 300, 700);
    assert_int_equal(hops_of(call.metadata), 5);
    assert_string_equal(item_of(call.metadata, "user"), "ada");
    assert_string_equal(item_of(call.metadata, "trace"), "t-1");
    assert_false(metadata_find(call.metadata, METADATA_KEY, &none));
}

static void an_earlier_deadline_and_items_of_the_call_itself_come_first(void **state)
{
    static const char *const pairs[] = {"user", "bob", "own", "1", NULL};
    struct client_scene *scene = *state;
    struct request request = {0};
    struct busbar_call own = client_scene_echo;
    own.metadata = pairs;
    own.timeout_ms = 600;
    client_scene_open_session(scene);
    handle(&request, 60000, 0);
    struct packet call = client_scene_send(scene, &own);
    assert_in_range(call.timeout, 300, 600);
    assert_int_equal(hops_of(call.metadata), 1);
    assert_string_equal(item_of(call.metadata, "user"), "bob");
    assert_string_equal(item_of(call.metadata, "own"), "1");
    assert_string_equal(item_of(call.metadata, "trace"), "t-1");
}

static void a_detached_call_takes_over_nothing_but_the_hops(void **state)
{
    struct client_scene *scene = *state;
    struct request request = {0};
    struct busbar_call detached = client_scene_echo;
    detached.flags = BUSBAR_DETACHED;
    client_scene_open_session(scene);
    handle(&request, 0, 7);
    struct packet call = client_scene_send(scene, &detached);
    assert_in_range(call.timeout, 3000, BUSBAR_DEFAULT_TIMEOUT_MS);
    assert_int_equal(hops_of(call.metadata), 8);
    assert_string_equal(item_of(call.metadata, "user"), "(none)");
}

static void hops_stay_at_the_most_that_can_be_told(void **state)
{
    struct client_scene *scene = *state;
    struct request request = {0};
    client_scene_open_session(scene);
    handle(&request, 5000, 255);
    struct packet call = client_scene_send(scene, &client_scene_echo);
    assert_int_equal(hops_of(call.metadata), 255);
}

static void a_request_without_time_left_has_no_call_sent(void **state)
{
    struct client_scene *scene = *state;
    struct request request = {0};
    struct busbar_reply *reply = NULL;
    client_scene_open_session(scene);
    handle(&request, 0, 0);
    (void)client_scene_start(scene, &client_scene_echo);
    client_scene_end(scene, BUSBAR_EXPIRED, BUSBAR_NOT_EXECUTED);
    assert_int_equal(busbar_client_call(scene->client, &client_scene_echo, &reply), BUSBAR_EXPIRED);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_CLIENT);
    assert_non_null(strstr(busbar_reply_error(reply), "time of the request"));
    busbar_reply_destroy(&reply);
    struct packet none;
    assert_false(fake_broker_next(&scene->broker, &none, 30));
    assert_int_equal(busbar_client_outstanding(scene->client), 0);
}

static void items_that_do_not_fit_together_are_refused(void **state)
{
    static char value[3990];
    const char *const pairs[] = {"own", value, NULL};
    struct client_scene *scene = *state;
    struct request request = {0};
    struct busbar_call call = client_scene_echo;
    memset(value, 'v', sizeof value - 1);
    call.metadata = pairs;
    handle(&request, 5000, 0);
    assert_int_equal(busbar_client_start(scene->client, &call, NULL), BUSBAR_TOO_LARGE);
    assert_non_null(strstr(busbar_client_error(scene->client), "request that is handled"));
    call.flags = BUSBAR_DETACHED;
    assert_int_equal(busbar_client_start(scene->client, &call, NULL), BUSBAR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_takes_over_deadline_items_and_hops),
        TEST(an_earlier_deadline_and_items_of_the_call_itself_come_first),
        TEST(a_detached_call_takes_over_nothing_but_the_hops),
        TEST(hops_stay_at_the_most_that_can_be_told),
        TEST(a_request_without_time_left_has_no_call_sent),
        TEST(items_that_do_not_fit_together_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
