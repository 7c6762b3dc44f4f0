/* Results in parts, and progress: who gets them, how many may come, and what ends them. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "protocol/metadata.h"
#include "tests/unit/client_scene.h"

enum {
    LARGE = 100000,
};

static const struct busbar_call stream = {
    .service = "echo", .method = "run", .flags = BUSBAR_STREAM};

static void send_part(struct client_scene *scene, uint64_t id, struct bytes body)
{
    fake_broker_send(&scene->broker,
                     &(struct packet){.command = PACKET_PART, .id = id, .body = body});
}

static void expect_text(const struct busbar_reply *reply, const char *text)
{
    assert_int_equal(busbar_reply_size(reply), strlen(text));
    assert_memory_equal(busbar_reply_data(reply), text, strlen(text));
}

/* Lets the client hear what the broker has said; nothing must come back. */
static void settle(struct client_scene *scene)
{
    struct packet none;
    assert_false(fake_broker_next(&scene->broker, &none, 30));
}

static void expect_grant(struct client_scene *scene, uint64_t id, uint32_t parts)
{
    struct packet grant = fake_broker_expect(&scene->broker, PACKET_GRANT);
    assert_int_equal(grant.id, id);
    assert_int_equal(grant.timeout, parts);
}

static void parts_come_by_wait_in_order_and_before_the_outcome(void **state)
{
    static char large[LARGE];
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    struct packet call = client_scene_send(scene, &stream);
    uint64_t id = call.id;
    assert_int_equal(call.flags, PACKET_STREAM);
    assert_int_equal(call.metadata.size, 0);
    send_part(scene, id, bytes_of_text("one"));
    send_part(scene, id, (struct bytes){(const uint8_t *)large, sizeof large});
    fake_broker_reply(&scene->broker, id, bytes_of_text("last"));
    settle(scene);
    assert_int_equal(busbar_client_outstanding(scene->client), 1); /* parts are no outcomes */
    struct busbar_reply *part = client_scene_take(scene);
    assert_true(busbar_reply_is_part(part));
    assert_int_equal(busbar_reply_status(part), BUSBAR_OK);
    assert_int_equal(busbar_reply_id(part), id);
    expect_text(part, "one");
    busbar_reply_destroy(&part);
    part = client_scene_take(scene);
    assert_true(busbar_reply_is_part(part));
    assert_int_equal(busbar_reply_size(part), LARGE);
    busbar_reply_destroy(&part);
    part = client_scene_take(scene);
    assert_false(busbar_reply_is_part(part));
    expect_text(part, "last");
    busbar_reply_destroy(&part);
    assert_int_equal(busbar_client_outstanding(scene->client), 0);
}

static void a_part_that_is_destroyed_makes_room_for_one_and_turns_grant_together(void **state)
{
    struct client_scene *scene = *state;
    struct busbar_reply *parts[3];
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &stream).id;
    for (size_t i = 0; i < 3; i++)
        send_part(scene, id, bytes_of_text("x"));
    for (size_t i = 0; i < 3; i++)
        parts[i] = client_scene_take(scene);
    settle(scene); /* while they are kept nothing is granted */
    busbar_reply_destroy(&parts[2]);
    busbar_reply_destroy(&parts[0]);
    expect_grant(scene, id, 2);
    busbar_reply_destroy(&parts[1]);
    expect_grant(scene, id, 1);
    fake_broker_reply(&scene->broker, id, bytes_of_text(""));
    client_scene_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void the_window_travels_and_is_kept(void **state)
{
    struct client_scene *scene = *state;
    struct busbar_call call = stream;
    uint64_t window = 0;
    call.window = 2;
    client_scene_open_session(scene);
    struct packet sent = client_scene_send(scene, &call);
    assert_true(metadata_find_number(sent.metadata, METADATA_WINDOW, 4, &window));
    assert_int_equal(window, 2);
    uint64_t id = sent.id;
    for (size_t i = 0; i < 2; i++) {
        send_part(scene, id, bytes_of_text("x"));
        struct busbar_reply *part = client_scene_take(scene);
        busbar_reply_destroy(&part);
        expect_grant(scene, id, 1);
    }
    for (size_t i = 0; i < 2; i++)
        send_part(scene, id, bytes_of_text("kept"));
    settle(scene);
    send_part(scene, id, bytes_of_text("too many"));
    struct packet cancel = fake_broker_expect(&scene->broker, PACKET_CANCEL);
    assert_int_equal(cancel.id, id);
    for (size_t i = 0; i < 2; i++) {
        struct busbar_reply *part = client_scene_take(scene);
        assert_true(busbar_reply_is_part(part));
        busbar_reply_destroy(&part);
    }
    client_scene_end(scene, BUSBAR_APP_ERROR, BUSBAR_MAYBE_EXECUTED);
}

static void a_part_may_outlive_its_call_and_its_client(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &stream).id;
    send_part(scene, id, bytes_of_text("one"));
    send_part(scene, id, bytes_of_text("two"));
    struct busbar_reply *first = client_scene_take(scene);
    struct busbar_reply *second = client_scene_take(scene);
    fake_broker_reply(&scene->broker, id, bytes_of_text("last"));
    client_scene_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    busbar_reply_destroy(&first);
    settle(scene); /* nothing is granted to a call that is over */
    busbar_client_destroy(&scene->client);
    expect_text(second, "two");
    busbar_reply_destroy(&second);
}

/* What a callback is told of, in order: parts as themselves, progress in brackets. */
struct story {
    char text[256];
    unsigned kept_count;
    struct busbar_reply *kept[4];
};

static void tell(struct story *story, const void *text, size_t size)
{
    size_t used = strlen(story->text);
    assert_true(used + size + 2 <= sizeof story->text);
    memcpy(story->text + used, text, size);
    memcpy(story->text + used + size, " ", 2);
}

static void on_part(struct busbar_reply **part, void *context)
{
    assert_true(busbar_reply_is_part(*part));
    assert_ptr_equal(busbar_reply_context(*part), context);
    tell(context, busbar_reply_data(*part), busbar_reply_size(*part));
}

static void keep_part(struct busbar_reply **part, void *context)
{
    struct story *story = context;
    story->kept[story->kept_count++] = *part;
    *part = NULL;
}

static void on_outcome(struct busbar_reply **reply, void *context)
{
    const char *name = busbar_status_name(busbar_reply_status(*reply));
    tell(context, name, strlen(name));
}

static void on_progress(const struct busbar_progress *progress, void *context)
{
    char line[64];
    int size = snprintf(line, sizeof line, "[%d %s]", progress->permille, progress->text);
    assert_int_not_equal(progress->id, 0);
    tell(context, line, (size_t)size);
}

static void send_progress(struct client_scene *scene, uint64_t id, uint32_t permille,
                          const char *text)
{
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_PROGRESS,
                                                      .id = id,
                                                      .timeout = permille,
                                                      .body = bytes_of_text(text)});
}

static void callbacks_are_told_of_parts_progress_and_the_outcome_in_order(void **state)
{
    struct client_scene *scene = *state;
    struct story story = {.text = ""};
    struct busbar_call call = stream;
    call.part = on_part;
    call.progress = on_progress;
    call.callback = on_outcome;
    call.context = &story;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &call).id;
    send_progress(scene, id, 250, "a quarter");
    send_part(scene, id, bytes_of_text("one"));
    send_part(scene, id, bytes_of_text("two"));
    send_progress(scene, id, PACKET_PROGRESS_UNKNOWN, "");
    fake_broker_reply(&scene->broker, id, bytes_of_text("last"));
    for (int i = 0; i < 1000 && strstr(story.text, "OK") == NULL; i++) {
        client_scene_pump(scene);
        sleep_ms(1);
    }
    assert_string_equal(story.text, "[250 a quarter] one two [-1 ] OK ");
}

static void parts_of_callbacks_are_granted_unless_they_are_kept(void **state)
{
    struct client_scene *scene = *state;
    struct story story = {.text = ""};
    struct busbar_call call = stream;
    call.part = on_part;
    call.context = &story;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &call).id;
    send_part(scene, id, bytes_of_text("one"));
    expect_grant(scene, id, 1);
    fake_broker_reply(&scene->broker, id, bytes_of_text(""));
    client_scene_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    call.part = keep_part;
    id = client_scene_send(scene, &call).id;
    send_part(scene, id, bytes_of_text("two"));
    settle(scene);
    assert_int_equal(story.kept_count, 1);
    busbar_reply_destroy(&story.kept[0]);
    expect_grant(scene, id, 1);
}

static void progress_needs_a_callback_and_changes_nothing_without(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &client_scene_echo).id;
    send_progress(scene, id, 500, "half");
    send_part(scene, id, bytes_of_text("nobody asked for parts"));
    fake_broker_reply(&scene->broker, id, bytes_of_text("done"));
    struct busbar_reply *reply = client_scene_take(scene);
    assert_false(busbar_reply_is_part(reply));
    expect_text(reply, "done");
    busbar_reply_destroy(&reply);
}

static void an_error_ends_the_parts(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &stream).id;
    send_part(scene, id, bytes_of_text("1"));
    fake_broker_error(&scene->broker, id, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED, "gone");
    struct busbar_reply *part = client_scene_take(scene);
    assert_true(busbar_reply_is_part(part));
    busbar_reply_destroy(&part);
    client_scene_end(scene, BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

/* However idempotent: its parts would come twice. */
static void a_call_is_never_sent_again_after_a_part(void **state)
{
    struct client_scene *scene = *state;
    struct busbar_call call = stream;
    call.flags |= BUSBAR_IDEMPOTENT;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &call).id;
    send_part(scene, id, bytes_of_text("one"));
    settle(scene);
    fake_broker_send(&scene->broker, &(struct packet){.command = PACKET_BYE});
    struct busbar_reply *part = client_scene_take(scene);
    busbar_reply_destroy(&part);
    client_scene_end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

/* A RESET says "not executed", but there is a part. */
static void a_reset_after_a_part_ends_the_call(void **state)
{
    struct client_scene *scene = *state;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &stream).id;
    send_part(scene, id, bytes_of_text("one"));
    settle(scene);
    fake_broker_reset(&scene->broker, PACKET_CALL, id);
    struct busbar_reply *part = client_scene_take(scene);
    busbar_reply_destroy(&part);
    client_scene_end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void destroying_the_client_hands_over_what_has_come(void **state)
{
    struct client_scene *scene = *state;
    struct story story = {.text = ""};
    struct busbar_call call = stream;
    call.part = keep_part;
    call.callback = on_outcome;
    call.context = &story;
    client_scene_open_session(scene);
    uint64_t id = client_scene_send(scene, &call).id;
    send_part(scene, id, bytes_of_text("one"));
    settle(scene);
    busbar_client_destroy(&scene->client);
    assert_string_equal(story.text, "CANCELLED ");
    assert_int_equal(story.kept_count, 1);
    busbar_reply_destroy(&story.kept[0]);
}

/* The same broker, answering in a thread, so that a call can be waited for. */
static void *answer_in_parts(void *hint)
{
    struct client_scene *scene = hint;
    struct packet packet;
    uint64_t id = fake_broker_expect(&scene->broker, PACKET_CALL).id;
    for (size_t i = 0; i < 4; i++)
        send_part(scene, id, bytes_of_text("x"));
    for (uint32_t granted = 0; granted < 4; granted += packet.timeout)
        packet = fake_broker_expect(&scene->broker, PACKET_GRANT);
    fake_broker_reply(&scene->broker, id, bytes_of_text("end"));
    return NULL;
}

static void a_call_that_is_waited_for_gets_its_parts_before_it_returns(void **state)
{
    struct client_scene *scene = *state;
    struct story story = {.text = ""};
    struct busbar_reply *reply = NULL;
    struct busbar_call call = stream;
    pthread_t thread;
    call.part = on_part;
    call.context = &story;
    client_scene_open_session(scene);
    scene->broker.idle = NULL;
    assert_int_equal(pthread_create(&thread, NULL, answer_in_parts, scene), 0);
    assert_int_equal(busbar_client_call(scene->client, &call, &reply), BUSBAR_OK);
    pthread_join(thread, NULL);
    assert_string_equal(story.text, "x x x x ");
    expect_text(reply, "end");
    busbar_reply_destroy(&reply);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, client_scene_set_up, client_scene_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_come_by_wait_in_order_and_before_the_outcome),
        TEST(a_part_that_is_destroyed_makes_room_for_one_and_turns_grant_together),
        TEST(the_window_travels_and_is_kept),
        TEST(a_part_may_outlive_its_call_and_its_client),
        TEST(callbacks_are_told_of_parts_progress_and_the_outcome_in_order),
        TEST(parts_of_callbacks_are_granted_unless_they_are_kept),
        TEST(progress_needs_a_callback_and_changes_nothing_without),
        TEST(an_error_ends_the_parts),
        TEST(a_call_is_never_sent_again_after_a_part),
        TEST(a_reset_after_a_part_ends_the_call),
        TEST(destroying_the_client_hands_over_what_has_come),
        TEST(a_call_that_is_waited_for_gets_its_parts_before_it_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
