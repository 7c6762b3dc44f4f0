/* Clients with several brokers, and brokers that drain: which one gets a call, and what becomes of
 * calls that another one had. */
#include <busbar/client.h>

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "client-lib/broker_list.h"
#include "fake_broker.h"
#include "tests/unit/client_scene.h"

enum {
    BROKERS = 2,
    LIST_SIZE = 400,
};

struct scene {
    struct fake_broker brokers[BROKERS];
    bool is_open[BROKERS];
    struct busbar_client *client;
};

static const struct busbar_call idempotent = {
    .service = "echo", .method = "run", .flags = BUSBAR_IDEMPOTENT};

static void pump(void *hint)
{
    struct scene *scene = hint;
    assert_int_equal(busbar_client_process(scene->client), BUSBAR_OK);
}

static void open_broker(struct scene *scene, size_t index, const char *endpoint)
{
    fake_broker_open(&scene->brokers[index], endpoint);
    scene->brokers[index].idle = pump;
    scene->brokers[index].hint = scene;
    scene->brokers[index].welcome.epoch = 100 + index;
    scene->is_open[index] = true;
}

static void close_broker(struct scene *scene, size_t index)
{
    fake_broker_close(&scene->brokers[index]);
    scene->is_open[index] = false;
}

static void use(struct scene *scene, const char *list)
{
    const struct busbar_client_options options = {.broker = list};
    busbar_client_destroy(&scene->client);
    assert_int_equal(busbar_client_new(&scene->client, &options), BUSBAR_OK);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    char list[LIST_SIZE];
    *state = scene;
    for (size_t i = 0; i < BROKERS; i++)
        open_broker(scene, i, NULL);
    snprintf(list, sizeof list, "%s, %s", scene->brokers[0].endpoint, scene->brokers[1].endpoint);
    use(scene, list);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    busbar_client_destroy(&scene->client);
    for (size_t i = 0; i < BROKERS; i++) {
        if (scene->is_open[i])
            close_broker(scene, i);
    }
    free(scene);
    return 0;
}

static uint64_t start(struct scene *scene, const struct busbar_call *call)
{
    uint64_t id = 0;
    assert_int_equal(busbar_client_start(scene->client, call, &id), BUSBAR_OK);
    return id;
}

/* The next outcome, of any call; its source is returned. */
static enum busbar_source end(struct scene *scene, enum busbar_status status, enum busbar_fate fate)
{
    struct busbar_reply *reply = NULL;
    assert_int_equal(busbar_client_wait(scene->client, 3000, &reply), BUSBAR_OK);
    assert_string_equal(busbar_status_name(busbar_reply_status(reply)), busbar_status_name(status));
    assert_string_equal(busbar_fate_name(busbar_reply_fate(reply)), busbar_fate_name(fate));
    enum busbar_source source = busbar_reply_source(reply);
    busbar_reply_destroy(&reply);
    return source;
}

static struct hello greet(struct scene *scene, size_t index)
{
    struct hello hello = {0};
    struct packet packet = fake_broker_expect(&scene->brokers[index], PACKET_HELLO);
    assert_true(hello_read(packet.body, &hello));
    fake_broker_welcome(&scene->brokers[index]);
    return hello;
}

static uint64_t expect_call(struct scene *scene, size_t index)
{
    return fake_broker_expect(&scene->brokers[index], PACKET_CALL).id;
}

static void answer(struct scene *scene, size_t index, uint64_t id)
{
    fake_broker_reply(&scene->brokers[index], id, bytes_of_text("done"));
}

static void refuse(struct scene *scene, size_t index, uint64_t id)
{
    fake_broker_error(&scene->brokers[index], id, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED, "stopping");
}

static void say(struct scene *scene, size_t index, enum packet_command command)
{
    fake_broker_send(&scene->brokers[index], &(struct packet){.command = (uint8_t)command});
}

/* One call, answered by that broker, with or without a session before it. */
static void open_session(struct scene *scene, size_t index)
{
    (void)start(scene, &client_scene_echo);
    (void)greet(scene, index);
    answer(scene, index, expect_call(scene, index));
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    assert_string_equal(busbar_client_broker(scene->client), scene->brokers[index].endpoint);
}

static void expect_silence(struct scene *scene, size_t index, unsigned ms)
{
    struct packet none;
    assert_false(fake_broker_next(&scene->brokers[index], &none, ms));
}

/* Until the client has heard what was said to it last. */
static void let_hear(struct scene *scene, size_t index)
{
    expect_silence(scene, index, 30);
}

static void lists_are_endpoints_with_commas_and_spaces(void **state)
{
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"tcp://a:1", 1},
        {"tcp://a:1,tcp://b:2", 2},
        {"  tcp://a:1 ,\ttcp://b:2 , ipc:///tmp/x ", 3},
        {"", 0},
        {",", 0},
        {"tcp://a:1,", 0},
        {",tcp://a:1", 0},
        {"tcp://a:1,,tcp://b:2", 0},
        {"tcp://a:1 tcp://b:2", 0},
        {"tcp://a:1,tcp://b:*", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct broker_list list;
        enum busbar_status status = broker_list_init(&list, cases[i].text);
        assert_int_equal(status, cases[i].count > 0 ? BUSBAR_OK : BUSBAR_BAD_ARGUMENT);
        assert_int_equal(list.count, cases[i].count);
        assert_null(list.endpoints[list.count]);
        broker_list_fini(&list);
    }
}

static void a_list_has_at_most_64_brokers(void **state)
{
    char text[BROKER_LIST_MAX * 16 + 16] = "tcp://a:1";
    struct busbar_client *client = NULL;
    const struct busbar_client_options options = {.broker = text};
    (void)state;
    for (size_t i = 1; i < BROKER_LIST_MAX; i++)
        strcat(text, ",tcp://a:1");
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    busbar_client_destroy(&client);
    strcat(text, ",tcp://a:1");
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_BAD_ARGUMENT);
}

static void the_first_broker_that_can_be_reached_is_used(void **state)
{
    struct scene *scene = *state;
    char nobody[128];
    char list[LIST_SIZE];
    unused_endpoint(nobody, sizeof nobody);
    snprintf(list, sizeof list, "%s,%s,%s", nobody, scene->brokers[1].endpoint,
             scene->brokers[0].endpoint);
    use(scene, list);
    assert_string_equal(busbar_client_broker(scene->client), nobody);
    open_session(scene, 1);
    expect_silence(scene, 0, 50);
}

static void a_list_where_nobody_answers_is_given_up_in_time(void **state)
{
    struct scene *scene = *state;
    char nobody[2][128];
    char list[LIST_SIZE];
    struct busbar_reply *reply = NULL;
    for (size_t i = 0; i < 2; i++)
        unused_endpoint(nobody[i], sizeof nobody[i]);
    snprintf(list, sizeof list, "%s,%s", nobody[0], nobody[1]);
    use(scene, list);
    uint64_t began = clock_ms();
    assert_int_equal(busbar_client_call(scene->client, &client_scene_echo, &reply),
                     BUSBAR_BROKER_LOST);
    assert_in_range(clock_ms() - began, 700, 1100);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_non_null(strstr(busbar_reply_error(reply), "any of 2 endpoints (tcp://127.0.0.1:"));
    assert_non_null(strstr(busbar_reply_error(reply), "connection refused; waited 800 ms"));
    busbar_reply_destroy(&reply);
}

/* The kernel takes the connection, and nobody ever says anything. */
static void a_broker_that_hangs_is_passed_over(void **state)
{
    struct scene *scene = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    char list[LIST_SIZE];
    int hanging = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hanging, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(hanging, 8), 0);
    assert_int_equal(getsockname(hanging, (struct sockaddr *)&address, &size), 0);
    snprintf(list, sizeof list, "tcp://127.0.0.1:%u,%s", ntohs(address.sin_port),
             scene->brokers[0].endpoint);
    use(scene, list);
    open_session(scene, 0);
    close(hanging);
}

static void after_a_loss_the_next_broker_is_told_the_same_instance(void **state)
{
    struct scene *scene = *state;
    (void)start(scene, &client_scene_echo);
    struct hello first = greet(scene, 0);
    assert_int_equal(first.last_epoch, 0);
    answer(scene, 0, expect_call(scene, 0));
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    close_broker(scene, 0);
    sleep_ms(20);
    (void)start(scene, &client_scene_echo);
    struct hello second = greet(scene, 1);
    assert_memory_equal(first.instance, second.instance, INSTANCE_SIZE);
    assert_int_equal(second.last_epoch, 100);
    answer(scene, 1, expect_call(scene, 1));
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void idempotent_calls_go_on_with_the_next_broker_under_their_ids(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t plain = start(scene, &client_scene_echo);
    uint64_t again = start(scene, &idempotent);
    assert_int_equal(expect_call(scene, 0), plain);
    assert_int_equal(expect_call(scene, 0), again);
    close_broker(scene, 0);
    (void)end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
    (void)greet(scene, 1);
    struct packet call = fake_broker_expect(&scene->brokers[1], PACKET_CALL);
    assert_int_equal(call.id, again);
    assert_int_equal(call.flags, PACKET_IDEMPOTENT);
    assert_in_range(call.timeout, 1, BUSBAR_DEFAULT_TIMEOUT_MS);
    answer(scene, 1, again);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

/* "Not executed" says the second broker; of the first nobody knows. */
static void what_the_next_broker_refuses_may_have_been_executed_by_the_first(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    (void)start(scene, &idempotent);
    (void)expect_call(scene, 0);
    close_broker(scene, 0);
    (void)greet(scene, 1);
    fake_broker_error(&scene->brokers[1], expect_call(scene, 1), BUSBAR_NO_SERVICE,
                      BUSBAR_NOT_EXECUTED, "nobody");
    (void)end(scene, BUSBAR_NO_SERVICE, BUSBAR_MAYBE_EXECUTED);
    (void)start(scene, &idempotent);
    (void)expect_call(scene, 1);
    close_broker(scene, 1);
    (void)end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED); /* and nobody else is there */
}

static void a_call_is_sent_at_most_three_times(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t id = start(scene, &idempotent);
    for (unsigned sends = 1; sends <= 3; sends++) {
        size_t index = (sends + 1) % 2;
        char endpoint[sizeof scene->brokers[index].endpoint];
        if (sends > 1)
            (void)greet(scene, index);
        assert_int_equal(expect_call(scene, index), id);
        memcpy(endpoint, scene->brokers[index].endpoint, sizeof endpoint);
        close_broker(scene, index);
        open_broker(scene, index, endpoint);
    }
    (void)end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void a_cancelled_call_is_not_sent_to_the_next_broker(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t id = start(scene, &idempotent);
    (void)expect_call(scene, 0);
    assert_int_equal(busbar_client_cancel(scene->client, id), BUSBAR_OK);
    close_broker(scene, 0);
    (void)end(scene, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED);
}

static void calls_under_way_finish_with_the_broker_that_leaves_and_new_ones_go_on(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t old = start(scene, &client_scene_echo);
    assert_int_equal(expect_call(scene, 0), old);
    say(scene, 0, PACKET_GOAWAY);
    let_hear(scene, 0);
    uint64_t new = start(scene, &client_scene_echo);
    (void)greet(scene, 1);
    assert_int_equal(expect_call(scene, 1), new);
    answer(scene, 1, new);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    assert_string_equal(busbar_client_broker(scene->client), scene->brokers[1].endpoint);
    expect_silence(scene, 0, 50);
    answer(scene, 0, old);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    (void)fake_broker_expect(&scene->brokers[0], PACKET_BYE);
    answer(scene, 1, (start(scene, &client_scene_echo), expect_call(scene, 1)));
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void a_cancellation_goes_where_its_call_is(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t old = start(scene, &client_scene_echo);
    (void)expect_call(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    let_hear(scene, 0);
    (void)start(scene, &client_scene_echo);
    (void)greet(scene, 1);
    (void)expect_call(scene, 1);
    assert_int_equal(busbar_client_cancel(scene->client, old), BUSBAR_OK);
    assert_int_equal(fake_broker_expect(&scene->brokers[0], PACKET_CANCEL).id, old);
    answer(scene, 1, old); /* it is not this one's to answer */
    expect_silence(scene, 1, 30);
    assert_int_equal(busbar_client_outstanding(scene->client), 2);
}

static void what_a_draining_broker_refuses_another_one_gets(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t id = start(scene, &client_scene_echo);
    assert_int_equal(expect_call(scene, 0), id);
    refuse(scene, 0, id);
    (void)greet(scene, 1);
    assert_int_equal(expect_call(scene, 1), id);
    answer(scene, 1, id);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void what_all_brokers_refuse_is_told_as_refused(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t id = start(scene, &client_scene_echo);
    for (size_t i = 0; i < 4; i++) {
        size_t index = i % 2;
        if (i > 0)
            (void)greet(scene, index);
        assert_int_equal(expect_call(scene, index), id);
        refuse(scene, index, id);
        if (i < 3 && i > 0) /* the session that was left is ended */
            (void)fake_broker_expect(&scene->brokers[1 - index], PACKET_BYE);
    }
    assert_int_equal(end(scene, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED), BUSBAR_BY_BROKER);
}

/* A worker that drains is no reason to leave its broker. */
static void what_a_worker_says_of_itself_does_not_move_the_client(void **state)
{
    struct scene *scene = *state;
    open_session(scene, 0);
    uint64_t id = start(scene, &client_scene_echo);
    (void)expect_call(scene, 0);
    fake_broker_send(&scene->brokers[0], &(struct packet){.command = PACKET_ERROR,
                                                          .flags = PACKET_BY_HANDLER,
                                                          .id = id,
                                                          .status = BUSBAR_DRAINING});
    assert_int_equal(end(scene, BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED), BUSBAR_BY_HANDLER);
    expect_silence(scene, 1, 50);
}

static void a_broker_that_grants_no_session_is_passed_over(void **state)
{
    struct scene *scene = *state;
    uint64_t id = start(scene, &client_scene_echo);
    (void)fake_broker_expect(&scene->brokers[0], PACKET_HELLO);
    (void)expect_call(scene, 0);
    fake_broker_error(&scene->brokers[0], 0, BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "too many sessions");
    fake_broker_reset(&scene->brokers[0], PACKET_CALL, id);
    (void)greet(scene, 1);
    assert_int_equal(expect_call(scene, 1), id);
    answer(scene, 1, id);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void without_another_broker_calls_wait_for_the_successor_of_the_one_that_leaves(void **state)
{
    struct scene *scene = *state;
    char endpoint[sizeof scene->brokers[0].endpoint];
    memcpy(endpoint, scene->brokers[0].endpoint, sizeof endpoint);
    use(scene, endpoint);
    open_session(scene, 0);
    uint64_t old = start(scene, &client_scene_echo);
    (void)expect_call(scene, 0);
    uint64_t crossed = start(scene, &client_scene_echo);
    (void)expect_call(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    let_hear(scene, 0);
    uint64_t new = start(scene, &client_scene_echo);
    refuse(scene, 0, crossed);
    expect_silence(scene, 0, 50);
    answer(scene, 0, old);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    say(scene, 0, PACKET_BYE);
    sleep_ms(20);
    close_broker(scene, 0);
    open_broker(scene, 0, endpoint);
    (void)greet(scene, 0);
    assert_int_equal(expect_call(scene, 0), new);
    assert_int_equal(expect_call(scene, 0), crossed);
    answer(scene, 0, new);
    answer(scene, 0, crossed);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    (void)end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void a_successor_that_does_not_come_is_awaited_as_long_as_any_broker(void **state)
{
    struct scene *scene = *state;
    struct busbar_reply *reply = NULL;
    use(scene, scene->brokers[0].endpoint);
    open_session(scene, 0);
    say(scene, 0, PACKET_GOAWAY);
    let_hear(scene, 0);
    uint64_t began = clock_ms();
    assert_int_equal(busbar_client_call(scene->client, &client_scene_echo, &reply),
                     BUSBAR_DRAINING);
    assert_in_range(clock_ms() - began, 700, 1100);
    assert_int_equal(busbar_reply_fate(reply), BUSBAR_NOT_EXECUTED);
    assert_int_equal(busbar_reply_source(reply), BUSBAR_BY_CLIENT);
    assert_non_null(strstr(busbar_reply_error(reply), scene->brokers[0].endpoint));
    busbar_reply_destroy(&reply);
}

/* The descriptor alone must lead along the list. */
static void an_event_loop_gets_to_the_next_broker_too(void **state)
{
    struct scene *scene = *state;
    char nobody[128];
    char list[LIST_SIZE];
    struct busbar_reply *reply = NULL;
    unsigned turns = 0;
    unused_endpoint(nobody, sizeof nobody);
    snprintf(list, sizeof list, "%s,%s", nobody, scene->brokers[1].endpoint);
    use(scene, list);
    fake_broker_start(&scene->brokers[1]);
    struct pollfd item = {.fd = busbar_client_fd(scene->client), .events = POLLIN};
    (void)start(scene, &client_scene_echo);
    for (; reply == NULL && turns < 200 && poll(&item, 1, 3000) == 1; turns++) {
        pump(scene);
        (void)!busbar_client_wait(scene->client, 0, &reply);
    }
    assert_non_null(reply);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    busbar_reply_destroy(&reply);
    fake_broker_stop(&scene->brokers[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_endpoints_with_commas_and_spaces),
        cmocka_unit_test(a_list_has_at_most_64_brokers),
        TEST(the_first_broker_that_can_be_reached_is_used),
        TEST(a_list_where_nobody_answers_is_given_up_in_time),
        TEST(a_broker_that_hangs_is_passed_over),
        TEST(after_a_loss_the_next_broker_is_told_the_same_instance),
        TEST(idempotent_calls_go_on_with_the_next_broker_under_their_ids),
        TEST(what_the_next_broker_refuses_may_have_been_executed_by_the_first),
        TEST(a_call_is_sent_at_most_three_times),
        TEST(a_cancelled_call_is_not_sent_to_the_next_broker),
        TEST(calls_under_way_finish_with_the_broker_that_leaves_and_new_ones_go_on),
        TEST(a_cancellation_goes_where_its_call_is),
        TEST(what_a_draining_broker_refuses_another_one_gets),
        TEST(what_all_brokers_refuse_is_told_as_refused),
        TEST(what_a_worker_says_of_itself_does_not_move_the_client),
        TEST(a_broker_that_grants_no_session_is_passed_over),
        TEST(without_another_broker_calls_wait_for_the_successor_of_the_one_that_leaves),
        TEST(a_successor_that_does_not_come_is_awaited_as_long_as_any_broker),
        TEST(an_event_loop_gets_to_the_next_broker_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
