/* Results in parts and progress: their order, their window, and what ends the wait for it. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <stdatomic.h>

#include "protocol/metadata.h"

enum {
    LARGE = 100 * 1000,
};

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
    struct busbar_request *kept;
    atomic_int sent;   /* parts */
    atomic_int status; /* of the last part or progress; -1: none ended */
    atomic_int freed;
    atomic_bool over; /* the handler is */
};

static void give_back(void *data, void *hint)
{
    struct state *state = hint;
    state->freed++;
    free(data);
}

static enum busbar_status send_number(struct state *state, struct busbar_request *request,
                                      int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    enum busbar_status status = busbar_request_part(request, busbar_body_text(text));
    state->status = (int)status;
    state->sent += status == BUSBAR_OK;
    return status;
}

/* Handlers ------------------------------------------------------------------------------------- */

/* As many parts as the body's letters. */
static void count(struct busbar_request **request, void *context)
{
    struct state *state = context;
    int most = (int)busbar_request_size(*request);
    for (int i = 1; i <= most; i++) {
        if (send_number(state, *request, i) != BUSBAR_OK)
            break;
    }
    busbar_request_reply(request, busbar_body_text("end"));
    state->over = true;
}

static void send_for_ever(struct busbar_request **request, void *context)
{
    struct state *state = context;
    while (send_number(state, *request, 1) == BUSBAR_OK)
        continue;
    busbar_request_reply(request, busbar_body_text("end"));
    state->over = true;
}

static void send_large(struct busbar_request **request, void *context)
{
    struct state *state = context;
    struct busbar_body body = busbar_body_taken(calloc(1, LARGE), LARGE, give_back, state);
    body.encoding = BUSBAR_MESSAGEPACK;
    state->status = (int)busbar_request_part(*request, body);
    busbar_request_reply(request, busbar_body_text("end"));
}

static void keep(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->kept = busbar_request_keep(request);
    state->over = true;
}

static void report(struct busbar_request **request, void *context)
{
    struct state *state = context;
    char text[1026];
    memset(text, 'x', sizeof text);
    memcpy(text + 1023, "\xc3\xa4", 3);
    assert_int_equal(busbar_request_progress(*request, 1001, ""), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_request_progress(*request, 250, "a quarter"), BUSBAR_OK);
    assert_int_equal(busbar_request_progress(*request, -1, NULL), BUSBAR_OK);
    assert_int_equal(busbar_request_progress(*request, 1000, text), BUSBAR_OK);
    for (int i = 0; i < 500 && !busbar_request_cancelled(*request); i++)
        usleep(10000);
    state->status = (int)busbar_request_progress(*request, 1000, "too late");
    busbar_request_reply(request, busbar_body_text("end"));
    state->over = true;
}

static const struct busbar_method METHODS[] = {
    {.name = "count", .handler = count},      {.name = "for_ever", .handler = send_for_ever},
    {.name = "large", .handler = send_large}, {.name = "keep", .handler = keep},
    {.name = "report", .handler = report},
};

/* Scene ---------------------------------------------------------------------------------------- */

static void start(struct state *state, uint32_t threads)
{
    const struct busbar_service service = {
        .name = "svc", .methods = METHODS, .method_count = ARRAY_SIZE(METHODS), .context = state};
    state->fake = fake_new();
    state->worker = fake_worker(state->fake, threads);
    state->status = -1;
    assert_int_equal(busbar_worker_register(state->worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    start(state, 1);
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

static void call_stream(struct state *state, uint64_t id, const char *method, uint32_t window,
                        const char *body)
{
    uint8_t buffer[16];
    struct metadata_writer writer = {.data = buffer, .capacity = sizeof buffer};
    if (window > 0)
        metadata_put_number(&writer, METADATA_WINDOW, 4, window);
    const struct packet packet = {
        .command = PACKET_CALL,
        .flags = PACKET_STREAM,
        .id = id,
        .timeout = 5000,
        .service = bytes_of_text("svc"),
        .method = bytes_of_text(method),
        .metadata = metadata_written(&writer),
        .body = bytes_of_text(body),
    };
    fake_send(state->fake, &state->fake->peer, &packet);
}

static void grant(struct state *state, uint64_t id, uint32_t parts)
{
    fake_send(state->fake, &state->fake->peer,
              &(struct packet){.command = PACKET_GRANT, .id = id, .timeout = parts});
}

static void expect_parts(struct state *state, uint64_t id, int from, int to)
{
    for (int i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_true(heard_is(fake_expect_id(state->fake, PACKET_PART, id), text));
    }
}

static void await_over(struct state *state)
{
    for (int i = 0; i < 500 && !state->over; i++)
        fake_serve(state->fake, 10);
    assert_true(state->over);
}

/* Tests ---------------------------------------------------------------------------------------- */

static void parts_come_in_order_and_the_reply_after_them(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "count", 0, "0123456789");
    expect_parts(state, 7, 1, 10);
    struct heard *last = fake_expect_id(state->fake, PACKET_REPLY, 7);
    assert_true(heard_is(last, "end"));
    assert_ptr_equal(last, &state->fake->heard[state->fake->count - 1]);
    assert_int_equal(last->packet.flags, 0);
}

static void a_handler_waits_for_room_and_its_only_thread_does_not_keep_the_grant_away(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "count", 2, "01234567");
    expect_parts(state, 7, 1, 2);
    fake_serve(state->fake, 100);
    assert_int_equal(fake_count(state->fake, PACKET_PART), 2);
    assert_int_equal(state->sent, 2);
    grant(state, 99, 5); /* of nobody */
    grant(state, 7, 1);
    expect_parts(state, 7, 3, 3);
    fake_serve(state->fake, 100);
    assert_int_equal(state->sent, 3);
    grant(state, 7, UINT32_MAX);
    grant(state, 7, UINT32_MAX);
    expect_parts(state, 7, 4, 8);
    fake_expect_id(state->fake, PACKET_REPLY, 7);
}

static void without_a_window_there_are_sixteen_and_calls_wait_behind(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "for_ever", 0, "");
    expect_parts(state, 7, 1, 1);
    fake_call(state->fake, 8, "count", "");
    fake_serve(state->fake, 200);
    assert_int_equal(fake_count(state->fake, PACKET_PART), 16);
    assert_int_equal(fake_count(state->fake, PACKET_REPLY), 0); /* the place is kept */
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 7});
    fake_expect_id(state->fake, PACKET_REPLY, 7);
}

static void a_grant_before_the_handler_began_counts(void **test)
{
    struct state *state = *test;
    call_stream(state, 6, "count", 1, "01");
    expect_parts(state, 6, 1, 1);
    call_stream(state, 7, "count", 1, "012");
    grant(state, 7, 2);
    fake_serve(state->fake, 5);
    grant(state, 6, 1);
    fake_expect_id(state->fake, PACKET_REPLY, 6);
    if (fake_find(state->fake, PACKET_RETURN, NULL) == NULL) { /* a slow machine gives it back */
        expect_parts(state, 7, 1, 3);
        fake_expect_id(state->fake, PACKET_REPLY, 7);
    }
}

static void a_wait_for_room_ends_when_the_call_is_cancelled(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "for_ever", 1, "");
    expect_parts(state, 7, 1, 1);
    fake_serve(state->fake, 50);
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 7});
    fake_expect_id(state->fake, PACKET_REPLY, 7);
    assert_int_equal(state->status, BUSBAR_CANCELLED);
}

static void a_wait_for_room_ends_with_the_deadline(void **test)
{
    struct state *state = *test;
    uint64_t began = clock_ms();
    const struct packet packet = {
        .command = PACKET_CALL,
        .flags = PACKET_STREAM,
        .id = 7,
        .timeout = 300,
        .service = bytes_of_text("svc"),
        .method = bytes_of_text("for_ever"),
    };
    fake_send(state->fake, &state->fake->peer, &packet);
    await_over(state);
    assert_int_equal(state->status, BUSBAR_CANCELLED);
    assert_true(clock_ms() - began >= 300);
}

static void a_wait_for_room_ends_with_the_session(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "for_ever", 1, "");
    expect_parts(state, 7, 1, 1);
    fake_serve(state->fake, 50);
    fake_restart(state->fake);
    await_over(state);
    assert_int_equal(state->status, BUSBAR_CANCELLED);
    fake_ready(state->fake, state->worker);
    assert_int_equal(fake_count(state->fake, PACKET_REPLY), 0);
}

static void a_call_that_takes_no_parts_is_sent_none(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 7, "count", "012");
    fake_expect_id(state->fake, PACKET_REPLY, 7);
    assert_int_equal(state->status, BUSBAR_UNSUPPORTED);
    fake_call(state->fake, 8, "large", "");
    fake_expect_id(state->fake, PACKET_REPLY, 8);
    assert_int_equal(state->freed, 1);
    assert_int_equal(fake_count(state->fake, PACKET_PART), 0);
}

static void a_large_part_is_attached_and_one_over_the_limit_is_not_sent(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "large", 0, "");
    struct heard *heard = fake_expect_id(state->fake, PACKET_PART, 7);
    assert_int_equal(heard->packet.body.size, LARGE);
    assert_int_equal(heard->packet.flags, PACKET_ATTACHED);
    assert_int_equal(heard->packet.encoding, PACKET_MESSAGEPACK);
    fake_expect_id(state->fake, PACKET_REPLY, 7);
    state->fake->welcome.body_limit = LARGE - 1;
    fake_succeed(state->fake, state->worker);
    call_stream(state, 8, "large", 0, "");
    fake_expect_id(state->fake, PACKET_REPLY, 8);
    assert_int_equal(state->status, BUSBAR_RESULT_TOO_LARGE);
    assert_null(fake_find(state->fake, PACKET_PART, NULL));
    for (int i = 0; i < 200 && state->freed < 2; i++)
        fake_serve(state->fake, 10);
    assert_int_equal(state->freed, 2);
}

static void a_kept_request_is_told_that_there_is_no_room(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "keep", 1, "");
    await_over(state);
    assert_int_equal(busbar_request_window(state->kept), 1);
    assert_int_equal(send_number(state, state->kept, 1), BUSBAR_OK);
    assert_int_equal(busbar_request_window(state->kept), 0);
    assert_int_equal(send_number(state, state->kept, 2), BUSBAR_BUSY);
    grant(state, 7, 1);
    for (int i = 0; i < 200 && busbar_request_window(state->kept) == 0; i++)
        fake_serve(state->fake, 10);
    assert_int_equal(send_number(state, state->kept, 2), BUSBAR_OK);
    busbar_request_reply(&state->kept, busbar_body_text("end"));
    expect_parts(state, 7, 1, 2);
    fake_expect_id(state->fake, PACKET_REPLY, 7);
}

static void progress_leaves_while_the_handler_runs(void **test)
{
    struct state *state = *test;
    fake_call(state->fake, 7, "report", "");
    struct heard *heard = fake_expect_id(state->fake, PACKET_PROGRESS, 7);
    assert_int_equal(heard->packet.timeout, 250);
    assert_true(heard_is(heard, "a quarter"));
    heard = fake_expect_id(state->fake, PACKET_PROGRESS, 7);
    assert_int_equal(heard->packet.timeout, UINT32_MAX);
    assert_true(heard_is(heard, ""));
    heard = fake_expect_id(state->fake, PACKET_PROGRESS, 7);
    assert_int_equal(heard->packet.body.size, 1023);
    assert_false(state->over);
    fake_send(state->fake, &state->fake->peer, &(struct packet){.command = PACKET_CANCEL, .id = 7});
    await_over(state);
    assert_int_equal(state->status, BUSBAR_CANCELLED);
    fake_expect_id(state->fake, PACKET_REPLY, 7);
}

static void a_worker_that_stops_lets_parts_be_read_to_the_end(void **test)
{
    struct state *state = *test;
    call_stream(state, 7, "count", 1, "012");
    expect_parts(state, 7, 1, 1);
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_GOAWAY);
    grant(state, 7, 5);
    expect_parts(state, 7, 2, 3);
    fake_expect_id(state->fake, PACKET_REPLY, 7);
    fake_stop(state->fake, &state->worker);
}

static void an_inline_worker_sends_at_once_and_never_waits(void **test)
{
    struct state *state = *test;
    fake_stop(state->fake, &state->worker);
    fake_destroy(&state->fake);
    start(state, BUSBAR_INLINE);
    call_stream(state, 7, "count", 2, "0123");
    fake_expect_id(state->fake, PACKET_REPLY, 7);
    assert_int_equal(fake_count(state->fake, PACKET_PART), 2);
    assert_int_equal(state->status, BUSBAR_BUSY);
    fake_call(state->fake, 8, "report", "");
    fake_expect_id(state->fake, PACKET_PROGRESS, 8);
    assert_null(fake_find(state->fake, PACKET_REPLY, &(uint64_t){8}));
    fake_expect_id(state->fake, PACKET_REPLY, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_come_in_order_and_the_reply_after_them),
        TEST(a_handler_waits_for_room_and_its_only_thread_does_not_keep_the_grant_away),
        TEST(without_a_window_there_are_sixteen_and_calls_wait_behind),
        TEST(a_grant_before_the_handler_began_counts),
        TEST(a_wait_for_room_ends_when_the_call_is_cancelled),
        TEST(a_wait_for_room_ends_with_the_deadline),
        TEST(a_wait_for_room_ends_with_the_session),
        TEST(a_call_that_takes_no_parts_is_sent_none),
        TEST(a_large_part_is_attached_and_one_over_the_limit_is_not_sent),
        TEST(a_kept_request_is_told_that_there_is_no_room),
        TEST(progress_leaves_while_the_handler_runs),
        TEST(a_worker_that_stops_lets_parts_be_read_to_the_end),
        TEST(an_inline_worker_sends_at_once_and_never_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
