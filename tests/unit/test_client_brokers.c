/* Clients with several brokers: which one gets a call, and what becomes of calls that another one
 * had. */
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
#include "tests/unit/brokers_scene.h"
#include "tests/unit/client_scene.h"

static const struct busbar_call idempotent = {
    .service = "echo", .method = "run", .flags = BUSBAR_IDEMPOTENT};

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
    struct brokers_scene *scene = *state;
    char nobody[128];
    char list[LIST_SIZE];
    unused_endpoint(nobody, sizeof nobody);
    snprintf(list, sizeof list, "%s,%s,%s", nobody, scene->brokers[1].endpoint,
             scene->brokers[0].endpoint);
    brokers_use(scene, list);
    assert_string_equal(busbar_client_broker(scene->client), nobody);
    brokers_open_session(scene, 1);
    brokers_expect_silence(scene, 0, 50);
}

static void a_list_where_nobody_answers_is_given_up_in_time(void **state)
{
    struct brokers_scene *scene = *state;
    char nobody[2][128];
    char list[LIST_SIZE];
    struct busbar_reply *reply = NULL;
    for (size_t i = 0; i < 2; i++)
        unused_endpoint(nobody[i], sizeof nobody[i]);
    snprintf(list, sizeof list, "%s,%s", nobody[0], nobody[1]);
    brokers_use(scene, list);
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
    struct brokers_scene *scene = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    char list[LIST_SIZE];
    int hanging = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hanging, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(hanging, 8), 0);
    assert_int_equal(getsockname(hanging, (struct sockaddr *)&address, &size), 0);
    snprintf(list, sizeof list, "tcp://127.0.0.1:%u,%s", ntohs(address.sin_port),
             scene->brokers[0].endpoint);
    brokers_use(scene, list);
    brokers_open_session(scene, 0);
    close(hanging);
}

static void after_a_loss_the_next_broker_is_told_the_same_instance(void **state)
{
    struct brokers_scene *scene = *state;
    (void)brokers_start(scene, &client_scene_echo);
    struct hello first = brokers_greet(scene, 0);
    assert_int_equal(first.last_epoch, 0);
    brokers_answer(scene, 0, brokers_expect_call(scene, 0));
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
    brokers_close(scene, 0);
    sleep_ms(20);
    (void)brokers_start(scene, &client_scene_echo);
    struct hello second = brokers_greet(scene, 1);
    assert_memory_equal(first.instance, second.instance, INSTANCE_SIZE);
    assert_int_equal(second.last_epoch, 100);
    brokers_answer(scene, 1, brokers_expect_call(scene, 1));
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

static void idempotent_calls_go_on_with_the_next_broker_under_their_ids(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t plain = brokers_start(scene, &client_scene_echo);
    uint64_t again = brokers_start(scene, &idempotent);
    assert_int_equal(brokers_expect_call(scene, 0), plain);
    assert_int_equal(brokers_expect_call(scene, 0), again);
    brokers_close(scene, 0);
    (void)brokers_end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
    (void)brokers_greet(scene, 1);
    struct packet call = fake_broker_expect(&scene->brokers[1], PACKET_CALL);
    assert_int_equal(call.id, again);
    assert_int_equal(call.flags, PACKET_IDEMPOTENT);
    assert_in_range(call.timeout, 1, BUSBAR_DEFAULT_TIMEOUT_MS);
    brokers_answer(scene, 1, again);
    (void)brokers_end(scene, BUSBAR_OK, BUSBAR_EXECUTED);
}

/* "Not executed" says the second broker; of the first nobody knows. */
static void what_the_next_broker_refuses_may_have_been_executed_by_the_first(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    (void)brokers_start(scene, &idempotent);
    (void)brokers_expect_call(scene, 0);
    brokers_close(scene, 0);
    (void)brokers_greet(scene, 1);
    fake_broker_error(&scene->brokers[1], brokers_expect_call(scene, 1), BUSBAR_NO_SERVICE,
                      BUSBAR_NOT_EXECUTED, "nobody");
    (void)brokers_end(scene, BUSBAR_NO_SERVICE, BUSBAR_MAYBE_EXECUTED);
    (void)brokers_start(scene, &idempotent);
    (void)brokers_expect_call(scene, 1);
    brokers_close(scene, 1);
    (void)brokers_end(scene, BUSBAR_BROKER_LOST,
                      BUSBAR_MAYBE_EXECUTED); /* and nobody else is there */
}

static void a_call_is_sent_at_most_three_times(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &idempotent);
    for (unsigned sends = 1; sends <= 3; sends++) {
        size_t index = (sends + 1) % 2;
        char endpoint[sizeof scene->brokers[index].endpoint];
        if (sends > 1)
            (void)brokers_greet(scene, index);
        assert_int_equal(brokers_expect_call(scene, index), id);
        memcpy(endpoint, scene->brokers[index].endpoint, sizeof endpoint);
        brokers_close(scene, index);
        brokers_open(scene, index, endpoint);
    }
    (void)brokers_end(scene, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
}

static void a_cancelled_call_is_not_sent_to_the_next_broker(void **state)
{
    struct brokers_scene *scene = *state;
    brokers_open_session(scene, 0);
    uint64_t id = brokers_start(scene, &idempotent);
    (void)brokers_expect_call(scene, 0);
    assert_int_equal(busbar_client_cancel(scene->client, id), BUSBAR_OK);
    brokers_close(scene, 0);
    (void)brokers_end(scene, BUSBAR_CANCELLED, BUSBAR_MAYBE_EXECUTED);
}

/* The descriptor alone must lead along the list. */
static void an_event_loop_gets_to_the_next_broker_too(void **state)
{
    struct brokers_scene *scene = *state;
    char nobody[128];
    char list[LIST_SIZE];
    struct busbar_reply *reply = NULL;
    unsigned turns = 0;
    unused_endpoint(nobody, sizeof nobody);
    snprintf(list, sizeof list, "%s,%s", nobody, scene->brokers[1].endpoint);
    brokers_use(scene, list);
    fake_broker_start(&scene->brokers[1]);
    struct pollfd item = {.fd = busbar_client_fd(scene->client), .events = POLLIN};
    (void)brokers_start(scene, &client_scene_echo);
    for (; reply == NULL && turns < 200 && poll(&item, 1, 3000) == 1; turns++) {
        brokers_pump(scene);
        (void)!busbar_client_wait(scene->client, 0, &reply);
    }
    assert_non_null(reply);
    assert_int_equal(busbar_reply_status(reply), BUSBAR_OK);
    busbar_reply_destroy(&reply);
    fake_broker_stop(&scene->brokers[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, brokers_set_up, brokers_tear_down)

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
        TEST(an_event_loop_gets_to_the_next_broker_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
