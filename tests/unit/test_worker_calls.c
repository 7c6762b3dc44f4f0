/* Calls and their answers: every way a handler may end, bodies of every form, bad input. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    LARGE = 1 << 20,
};

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
    struct busbar_request *kept;
    atomic_int freed;
    atomic_int entered;
    atomic_int status;
    atomic_uintptr_t data;
    atomic_bool cancelled;
    atomic_bool go;
};

static void echo(struct busbar_request **request, void *context)
{
    struct state *state = context;
    struct busbar_body body = busbar_request_body(*request);
    state->entered++;
    state->data = (uintptr_t)body.data;
    assert_string_equal(busbar_request_service(*request), "svc");
    assert_string_equal(busbar_request_method(*request), "echo");
    state->status = (int)busbar_request_reply(request, body);
    assert_null(*request);
}

static void copy(struct busbar_request **request, void *context)
{
    struct state *state = context;
    struct busbar_body body = busbar_body_copied(busbar_request_data(*request),
                                                 busbar_request_size(*request));
    body.encoding = busbar_request_encoding(*request);
    state->status = (int)busbar_request_reply(request, body);
}

static void give_back(void *data, void *hint)
{
    struct state *state = hint;
    state->freed++;
    free(data);
}

static void take(struct busbar_request **request, void *context)
{
    size_t size = (size_t)atoi(busbar_request_data(*request));
    struct busbar_body body = busbar_body_taken(calloc(1, size), size, give_back, context);
    ((struct state *)context)->status = (int)busbar_request_reply(request, body);
}

static void nothing(struct busbar_request **request, void *context)
{
    (void)request;
    (void)context;
}

static void refuse(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->status = (int)busbar_request_fail(request, BUSBAR_BAD_REQUEST, "no such thing");
}

static void complain(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->status = (int)busbar_request_fail(request, BUSBAR_CONFLICT, "out of paper");
}

static void keep(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->kept = busbar_request_keep(request);
    assert_null(*request);
    state->entered++;
}

static void dawdle(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->entered++;
    while (!state->go)
        usleep(1000);
    state->cancelled = busbar_request_cancelled(*request);
    state->status = (int)busbar_request_reply(request, busbar_body_text("late"));
}

static const struct busbar_method METHODS[] = {
    {.name = "echo", .handler = echo, .signature = "y>y", .flags = BUSBAR_IDEMPOTENT},
    {.name = "copy", .handler = copy},
    {.name = "take", .handler = take},
    {.name = "nothing", .handler = nothing},
    {.name = "refuse", .handler = refuse},
    {.name = "complain", .handler = complain},
    {.name = "keep", .handler = keep},
    {.name = "dawdle", .handler = dawdle},
};

static void start(struct state *state)
{
    struct busbar_service service = {
        .name = "svc", .methods = METHODS, .method_count = ARRAY_SIZE(METHODS), .context = state};
    assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    state->fake = fake_new();
    state->worker = fake_worker(state->fake, 1);
    start(state);
    *test = state;
    return 0;
}

static int tear_down(void **test)
{
    struct state *state = *test;
    if (state->worker != NULL)
        fake_stop(state->fake, &state->worker);
    fake_destroy(&state->fake);
    free(state);
    return 0;
}

static void a_call_is_answered(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 7, "echo", "hello");
    struct heard *heard = fake_expect(state->fake, PACKET_REPLY);
    assert_int_equal(heard->packet.id, 7);
    assert_int_equal(heard->packet.fate, BUSBAR_EXECUTED);
    assert_true(heard_is(heard, "hello"));
    assert_int_equal(state->status, BUSBAR_OK);
}

static void every_way_to_end_has_its_answer(void **test)
{
    static const struct {
        const char *method;
        uint8_t status;
        uint8_t fate;
        const char *text;
    } CASES[] = {
        {"nothing", BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "the handler gave no answer"},
        {"refuse", BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "no such thing"},
        {"complain", BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "out of paper"},
        {"unheard_of", BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED,
         "this worker has no method svc.unheard_of"},
        {"", BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "the call of svc names no method"},
    };
    struct state *state = *test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        fake_call(state->fake, i + 1, CASES[i].method, "");
        struct heard *heard = fake_expect(state->fake, PACKET_ERROR);
        assert_int_equal(heard->packet.id, i + 1);
        assert_int_equal(heard->packet.status, CASES[i].status);
        assert_int_equal(heard->packet.fate, CASES[i].fate);
        assert_true(heard_is(heard, CASES[i].text));
    }
}

static void many_calls_in_one_bundle_are_each_answered_once(void **test)
{
    struct state *state = *test;
    enum { CALLS = 1000 };
    struct busbar_worker_options options = {.broker = state->fake->endpoint, .credit = CALLS};
    char text[16];
    busbar_worker_destroy(&state->worker);
    assert_int_equal(busbar_worker_new(&state->worker, &options), BUSBAR_OK);
    start(state);
    for (uint64_t id = 1; id <= CALLS; id++) {
        snprintf(text, sizeof text, "body %u", (unsigned)id);
        fake_put_call(state->fake, id, "copy", bytes_of_text(text));
    }
    fake_flush(state->fake);
    for (uint64_t id = 1; id <= CALLS; id++) {
        struct heard *heard = fake_expect(state->fake, PACKET_REPLY);
        snprintf(text, sizeof text, "body %u", (unsigned)id);
        assert_int_equal(heard->packet.id, id);
        assert_true(heard_is(heard, text));
    }
    struct busbar_worker_stats stats;
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.requests, CALLS);
    assert_int_equal(stats.replies, CALLS);
    assert_int_equal(stats.stale_replies, 0);
    assert_int_equal(stats.credit, CALLS);
    assert_int_equal(fake_count(state->fake, PACKET_REPLY), CALLS);
}

static void bodies_of_all_sizes_come_back(void **test)
{
    static const size_t SIZES[] = {
        0,    1, PACKET_INLINE_BODY_MAX - 1, PACKET_INLINE_BODY_MAX, PACKET_INLINE_BODY_MAX + 1,
        LARGE};
    struct state *state = *test;
    uint8_t *data = malloc(LARGE);
    memset(data, 'x', LARGE);
    for (size_t i = 0; i < 2 * ARRAY_SIZE(SIZES); i++) {
        size_t size = SIZES[i / 2];
        size_t attached = state->fake->attached;
        fake_put_call(state->fake, i, i % 2 ? "echo" : "copy",
                      (struct bytes){.data = data, .size = size});
        fake_flush(state->fake);
        struct heard *heard = fake_expect(state->fake, PACKET_REPLY);
        assert_int_equal(heard->packet.body.size, size);
        assert_memory_equal(heard->packet.body.data, data, size);
        assert_int_equal(state->fake->attached - attached, size > PACKET_INLINE_BODY_MAX);
    }
    free(data);
}

static void taken_bodies_are_given_back_once(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 1, "take", "100");
    assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.body.size, 100);
    assert_int_equal(state->freed, 1);
    fake_call(state->fake, 2, "take", "100000");
    assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.body.size, 100000);
    fake_stop(state->fake, &state->worker);
    for (int i = 0; i < 500 && state->freed < 2; i++)
        usleep(1000);
    assert_int_equal(state->freed, 2);
}

static void a_result_over_the_limit_is_told_and_the_worker_lives(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 1, "take", "16777217");
    struct heard *heard = fake_expect(state->fake, PACKET_ERROR);
    assert_int_equal(heard->packet.status, BUSBAR_RESULT_TOO_LARGE);
    assert_int_equal(heard->packet.fate, BUSBAR_EXECUTED);
    assert_non_null(strstr((char *)heard->bytes, "16777216"));
    fake_call(state->fake, 2, "echo", "alive");
    assert_true(heard_is(fake_expect(state->fake, PACKET_REPLY), "alive"));
    assert_int_equal(state->freed, 1);
}

static void *answer_kept(void *argument)
{
    struct state *state = argument;
    while (state->entered == 0)
        usleep(1000);
    state->status = (int)busbar_request_reply(&state->kept, busbar_body_text("later"));
    return NULL;
}

static void a_kept_request_is_answered_from_another_thread(void **test)
{
    struct state *state = *test;
    pthread_t thread;
    pthread_create(&thread, NULL, answer_kept, state);
    fake_call(state->fake, 1, "keep", "");
    assert_true(heard_is(fake_expect(state->fake, PACKET_REPLY), "later"));
    pthread_join(thread, NULL);
    assert_int_equal(state->status, BUSBAR_OK);
    assert_null(state->kept);
}

static void a_kept_request_may_outlive_its_worker(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 1, "keep", "still here");
    while (state->entered == 0)
        fake_receive(state->fake, 1);
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_GOAWAY);
    fake_expect(state->fake, PACKET_BYE);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_TIMEOUT);
    busbar_worker_destroy(&state->worker);
    assert_true(busbar_request_cancelled(state->kept));
    assert_memory_equal(busbar_request_data(state->kept), "still here", 10);
    assert_string_equal(busbar_request_method(state->kept), "keep");
    assert_int_equal(busbar_request_reply(&state->kept, busbar_body_text("")), BUSBAR_CANCELLED);
    assert_null(state->kept);
}

static void a_call_whose_deadline_has_passed_is_not_begun(void **test)
{
    struct state *state = *test;
    struct packet packet = {.command = PACKET_CALL,
                            .id = 3,
                            .timeout = 0,
                            .service = bytes_of_text("svc"),
                            .method = bytes_of_text("echo")};
    fake_send(state->fake, &state->fake->peer, &packet);
    struct heard *heard = fake_expect(state->fake, PACKET_ERROR);
    assert_int_equal(heard->packet.status, BUSBAR_EXPIRED);
    assert_int_equal(heard->packet.fate, BUSBAR_NOT_EXECUTED);
    assert_int_equal(state->entered, 0);
}

static void a_running_call_sees_that_it_was_cancelled_and_a_queued_one_goes_back(void **test)
{
    struct state *state = *test;
    fake_put_call(state->fake, 1, "dawdle", bytes_of_text(""));
    fake_put_call(state->fake, 2, "echo", bytes_of_text("two"));
    fake_put_call(state->fake, 3, "echo", bytes_of_text("three"));
    fake_flush(state->fake);
    while (state->entered == 0)
        usleep(1000);
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 1});
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 2});
    fake_send(state->fake, &state->fake->peer,
              &(struct packet){.command = PACKET_CANCEL, .id = 99});
    fake_serve(state->fake, 60);
    state->go = true;
    assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.id, 1);
    assert_true(state->cancelled);
    fake_serve(state->fake, 30);
    assert_null(fake_find(state->fake, PACKET_REPLY, &(uint64_t){2}));
    struct heard *back = fake_expect_id(state->fake, PACKET_RETURN, 2);
    assert_int_equal(back->packet.service.size, 0); /* nobody wants the request any more */
    assert_int_equal(state->entered + fake_count(state->fake, PACKET_RETURN), 3);
}

static void send_raw(struct fake *fake, const void *data, size_t size, bool more)
{
    zmq_send(fake->socket, fake->peer.bytes, fake->peer.size, ZMQ_SNDMORE);
    zmq_send(fake->socket, data, size, more ? ZMQ_SNDMORE : 0);
    if (more)
        zmq_send(fake->socket, "surplus", 7, 0);
}

static void garbage_from_the_broker_does_no_harm(void **test)
{
    struct state *state = *test;
    uint8_t bytes[256];
    send_raw(state->fake, "", 0, false);
    send_raw(state->fake, "BUSB", 4, false);
    send_raw(state->fake, "BUSB\1\0\0\0\x18\0\0\0", 12, true);
    for (int i = 0; i < 200; i++) {
        random_bytes(bytes, sizeof bytes);
        memcpy(bytes, "BUSB\1\0\0\0", 8);
        bytes[8] = (uint8_t)(i + 24); /* a size that may be right, and the packets there are */
        bytes[9] = bytes[10] = bytes[11] = 0;
        bytes[12] = bytes[12] == PACKET_BYE || bytes[12] == PACKET_RESET ? 0 : bytes[12];
        send_raw(state->fake, bytes, sizeof bytes, i % 3 == 0);
    }
    fake_call(state->fake, UINT64_MAX, "copy", "alive");
    assert_true(heard_is(fake_expect_id(state->fake, PACKET_REPLY, UINT64_MAX), "alive"));
}

static void values_are_decoded_only_where_there_are_some(void **test)
{
    struct state *state = *test;
    struct busbar_value *value = NULL;
    struct packet packet = {.command = PACKET_CALL,
                            .id = 3,
                            .timeout = 1000,
                            .encoding = PACKET_MESSAGEPACK,
                            .service = bytes_of_text("svc"),
                            .method = bytes_of_text("keep"),
                            .body = bytes_of_text("\x2a")};
    fake_send(state->fake, &state->fake->peer, &packet);
    while (state->entered == 0)
        usleep(1000);
    assert_int_equal(busbar_request_value(state->kept, &value), BUSBAR_OK);
    assert_int_equal(busbar_value_as_int64(value), 42);
    busbar_value_destroy(&value);
    assert_in_range(busbar_request_remaining(state->kept), 1, 1000);
    assert_int_equal(busbar_request_fail(&state->kept, BUSBAR_APP_ERROR, NULL), BUSBAR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered),
        TEST(every_way_to_end_has_its_answer),
        TEST(many_calls_in_one_bundle_are_each_answered_once),
        TEST(bodies_of_all_sizes_come_back),
        TEST(taken_bodies_are_given_back_once),
        TEST(a_result_over_the_limit_is_told_and_the_worker_lives),
        TEST(a_kept_request_is_answered_from_another_thread),
        TEST(a_kept_request_may_outlive_its_worker),
        TEST(a_call_whose_deadline_has_passed_is_not_begun),
        TEST(a_running_call_sees_that_it_was_cancelled_and_a_queued_one_goes_back),
        TEST(garbage_from_the_broker_does_no_harm),
        TEST(values_are_decoded_only_where_there_are_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
