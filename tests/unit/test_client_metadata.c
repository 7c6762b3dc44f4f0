/* What travels besides the body: keys, waits and items of a call; items and attempts of a reply. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-lib/client.h"
#include "fake_broker.h"
#include "protocol/metadata.h"
#include "tests/unit/client_scene.h"

static void expect_item(struct bytes metadata, const char *name, const char *value)
{
    struct bytes found;
    assert_true(metadata_find_item(metadata, bytes_of_text(name), &found));
    assert_int_equal(found.size, strlen(value));
    assert_memory_equal(found.data, value, found.size);
}

static void a_plain_call_has_neither_flags_nor_metadata(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    struct packet call = client_scene_send(scene, &client_scene_echo);
    assert_int_equal(call.flags, 0);
    assert_int_equal(call.metadata.size, 0);
}

static void what_a_call_says_travels_with_its_body(void **state)
{
    static const char *const pairs[] = {"user", "Grüße", "empty", "", "user", "second", NULL};
    struct client_scene *scene = *state;
    struct bytes key;
    uint64_t wait = 0;
    const struct busbar_call call = {
        .service = "echo",
        .method = "run",
        .body = busbar_body_text("the body"),
        .flags = BUSBAR_IDEMPOTENT | BUSBAR_DETACHED,
        .wait_ms = 2500,
        .key = "customer-7",
        .metadata = pairs,
    };
    client_scene_open_session(scene);
    struct packet sent = client_scene_send(scene, &call);
    assert_int_equal(sent.flags,
                     PACKET_IDEMPOTENT); /* where the call was made is nobody's business */
    assert_int_equal(sent.body.size, 8);
    assert_memory_equal(sent.body.data, "the body", 8);
    assert_true(metadata_find(sent.metadata, METADATA_KEY, &key));
    assert_int_equal(key.size, 10);
    assert_memory_equal(key.data, "customer-7", 10);
    assert_true(metadata_find_number(sent.metadata, METADATA_WAIT, 4, &wait));
    assert_int_equal(wait, 2500);
    expect_item(sent.metadata, "user", "Grüße");
    expect_item(sent.metadata, "empty", "");
    assert_false(metadata_find(sent.metadata, METADATA_HOPS, &key));
    assert_false(metadata_find(sent.metadata, METADATA_WINDOW, &key));
}

/* More than fits into the call itself, with a body that travels alone. */
static void large_metadata_go_with_large_bodies(void **state)
{
    static char value[3000];
    static char body[50000];
    const char *const pairs[] = {"large", value, NULL};
    struct client_scene *scene = *state;
    struct busbar_call call = client_scene_echo;
    memset(value, 'v', sizeof value - 1);
    call.metadata = pairs;
    call.body = busbar_body_copied(body, sizeof body);
    client_scene_open_session(scene);
    struct packet sent = client_scene_send(scene, &call);
    expect_item(sent.metadata, "large", value);
    assert_int_equal(sent.body.size, sizeof body);
}

static void metadata_that_cannot_travel_are_refused(void **state)
{
    static char name[257];
    static char value[4000];
    static const char *const nameless[] = {"", "x", NULL};
    static const char *const single[] = {"a", "1", "b", NULL};
    static const char *const latin[] = {"a", "Gr\xfc\xdf", NULL};
    const char *const named_long[] = {name, "x", NULL};
    const char *const large[] = {"large", value, NULL};
    static char key[257];
    const struct {
        const char *const *metadata;
        const char *key;
        enum busbar_status status;
        const char *named;
    } cases[] = {
        {nameless, NULL, BUSBAR_BAD_ARGUMENT, "names of 1 to 255"},
        {single, NULL, BUSBAR_BAD_ARGUMENT, "no value"},
        {latin, NULL, BUSBAR_BAD_ARGUMENT, "UTF-8"},
        {named_long, NULL, BUSBAR_BAD_ARGUMENT, "names of 1 to 255"},
        {large, NULL, BUSBAR_TOO_LARGE, "4000"},
        {NULL, "", BUSBAR_BAD_ARGUMENT, "key"},
        {NULL, key, BUSBAR_BAD_ARGUMENT, "key"},
    };
    struct client_scene *scene = *state;
    memset(name, 'n', 256);
    memset(value, 'v', 3999);
    memset(key, 'k', 256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct busbar_call call = client_scene_echo;
        call.metadata = cases[i].metadata;
        call.key = cases[i].key;
        assert_int_equal(busbar_client_start(scene->client, &call, NULL), cases[i].status);
        assert_non_null(strstr(busbar_client_error(scene->client), cases[i].named));
    }
    assert_int_equal(busbar_client_outstanding(scene->client), 0);
}

static void metadata_of_just_the_limit_travel(void **state)
{
    static char value[CLIENT_ITEMS_MAX];
    const char *const pairs[] = {"n", value, NULL};
    struct client_scene *scene = *state;
    struct busbar_call call = client_scene_echo;
    memset(value, 'v', CLIENT_ITEMS_MAX - 6);
    call.metadata = pairs;
    client_scene_open_session(scene);
    struct packet sent = client_scene_send(scene, &call);
    assert_int_equal(sent.metadata.size, CLIENT_ITEMS_MAX);
    value[CLIENT_ITEMS_MAX - 6] = 'v';
    assert_int_equal(busbar_client_start(scene->client, &call, NULL), BUSBAR_TOO_LARGE);
}

static void a_reply_tells_the_items_of_its_handler(void **state)
{
    uint8_t room[256];
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    struct client_scene *scene = *state;
    metadata_put_item(&writer, bytes_of_text("pages"), bytes_of_text("12"));
    metadata_put_number(&writer, 0x8001, 4, 7); /* an application's own */
    metadata_put_item(&writer, bytes_of_text("bad"), (struct bytes){(const uint8_t *)"a\0b", 3});
    metadata_put_item(&writer, bytes_of_text("pages"), bytes_of_text("13"));
    metadata_put_item(&writer, bytes_of_text("last"), bytes_of_text(""));
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &client_scene_echo).id;
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_REPLY,
                                                      .id = id,
                                                      .metadata = metadata_written(&writer),
                                                      .body = bytes_of_text("body")});
    struct busbar_reply *reply = client_scene_take(scene);
    busbar_client_destroy(&scene->client);
    assert_string_equal(busbar_reply_metadata(reply, "pages"), "12");
    assert_string_equal(busbar_reply_metadata(reply, "last"), "");
    assert_null(busbar_reply_metadata(reply, "bad"));
    assert_null(busbar_reply_metadata(reply, "12"));
    assert_null(busbar_reply_metadata(reply, NULL));
    assert_null(busbar_reply_metadata(NULL, "pages"));
    assert_memory_equal(busbar_reply_data(reply), "body", 4);
    busbar_reply_destroy(&reply);
}

static void an_error_tells_who_reported_it_and_who_had_the_call(void **state)
{
    static const struct {
        uint8_t flags;
        enum busbar_source source;
    } cases[] = {
        {0, BUSBAR_BY_BROKER},
        {PACKET_BY_WORKER, BUSBAR_BY_WORKER},
        {PACKET_BY_HANDLER, BUSBAR_BY_HANDLER},
        {PACKET_BY_WORKER | PACKET_BY_HANDLER, BUSBAR_BY_HANDLER},
    };
    static const struct metadata_attempt told[] = {{7, 250}, {UINT64_MAX, UINT32_MAX}};
    uint8_t room[256];
    struct metadata_writer writer = {.data = room, .capacity = sizeof room};
    struct client_scene *scene = *state;
    metadata_put_attempts(&writer, told, 2);
    metadata_put_attempts(&writer, told, 1); /* a worker's own, not the broker's */
    metadata_put_item(&writer, bytes_of_text("line"), bytes_of_text("17"));
    client_scene_open_session(scene);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct busbar_attempt attempts[2] = {{0}};
        uint64_t id = client_scene_send(scene, &client_scene_echo).id;
        fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_ERROR,
                                                          .flags = cases[i].flags,
                                                          .id = id,
                                                          .status = BUSBAR_APP_ERROR,
                                                          .fate = BUSBAR_EXECUTED,
                                                          .metadata = metadata_written(&writer)});
        struct busbar_reply *reply = client_scene_take(scene);
        assert_int_equal(busbar_reply_source(reply), cases[i].source);
        assert_int_equal(busbar_reply_attempts(reply, NULL, 0), 2);
        assert_int_equal(busbar_reply_attempts(reply, attempts, 1), 2);
        assert_int_equal(attempts[0].worker, 7);
        assert_int_equal(attempts[0].ms, 250);
        assert_int_equal(attempts[1].worker, 0);
        assert_int_equal(busbar_reply_attempts(reply, attempts, 2), 2);
        assert_true(attempts[1].worker == UINT64_MAX && attempts[1].ms == UINT32_MAX);
        assert_string_equal(busbar_reply_metadata(reply, "line"), "17");
        busbar_reply_destroy(&reply);
    }
    assert_int_equal(busbar_reply_attempts(NULL, NULL, 0), 0);
}

/* Whatever bytes a broker sends as metadata, the reply is a reply. */
static void broken_metadata_of_a_reply_are_left_alone(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x01", 1},
        {"\x01\0\xff\xff", 4},
        {"\x01\0\0\0", 4},
        {"\x01\0\x01\0\0", 5},
        {"\x01\0\x02\0\x05"
         "a",
         6},
        {"\x07\0\x05\0abcde", 9},
        {"\x07\0\0\0\x07\0\x0c\0aaaaaaaabbbb", 20},
    };
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t id = client_scene_send(scene, &client_scene_echo).id;
        fake_broker_send(
            &scene->broker,
            &(struct packet){.command = PACKET_ERROR,
                             .id = id,
                             .status = BUSBAR_APP_ERROR,
                             .fate = BUSBAR_EXECUTED,
                             .metadata = {(const uint8_t *)cases[i].bytes, cases[i].size}});
        struct busbar_reply *reply = client_scene_take(scene);
        assert_int_equal(busbar_reply_status(reply), BUSBAR_APP_ERROR);
        assert_int_equal(busbar_reply_attempts(reply, NULL, 0), 0);
        assert_null(busbar_reply_metadata(reply, "a"));
        busbar_reply_destroy(&reply);
    }
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_call_has_neither_flags_nor_metadata),
        TEST(what_a_call_says_travels_with_its_body),
        TEST(large_metadata_go_with_large_bodies),
        TEST(metadata_that_cannot_travel_are_refused),
        TEST(metadata_of_just_the_limit_travel),
        TEST(a_reply_tells_the_items_of_its_handler),
        TEST(an_error_tells_who_reported_it_and_who_had_the_call),
        TEST(broken_metadata_of_a_reply_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
