/* The services of a worker: registered, refused by the library or by the broker, taken away. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
};

static void echo(struct busbar_request **request, void *context)
{
    enum busbar_status status = busbar_request_reply(request, busbar_request_body(*request));
    (void)status;
    (void)context;
}

static const struct busbar_method METHODS[] = {{.name = "echo", .handler = echo}};

static enum busbar_status offer(struct state *state, const char *name)
{
    struct busbar_service service = {.name = name,
                                     .methods = METHODS,
                                     .method_count = ARRAY_SIZE(METHODS),
                                     .version = "1.0",
                                     .context = state};
    return busbar_worker_register(state->worker, &service);
}

static int set_up(void **test)
{
    struct state *state = calloc(1, sizeof *state);
    state->fake = fake_new();
    state->worker = fake_worker(state->fake, 1);
    assert_int_equal(offer(state, "svc"), BUSBAR_OK);
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

static void start(struct state *state)
{
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
}

static char *error_of(struct state *state)
{
    static char text[512];
    busbar_worker_error(state->worker, text, sizeof text);
    return text;
}

static void several_services_share_one_connection(void **test)
{
    struct state *state = *test;
    assert_int_equal(offer(state, "other"), BUSBAR_OK);
    start(state);
    assert_int_equal(state->fake->hellos, 1);
    assert_int_equal(state->fake->registers, 2);
    struct heard *first = fake_expect(state->fake, PACKET_REGISTER);
    assert_memory_equal(first->packet.service.data, "svc", 3);
    assert_int_equal(first->packet.encoding, PACKET_MESSAGEPACK);
    assert_memory_equal(fake_expect(state->fake, PACKET_REGISTER)->packet.service.data, "other", 5);
}

static void services_come_and_go_while_the_worker_runs(void **test)
{
    struct state *state = *test;
    start(state);
    assert_int_equal(offer(state, "late"), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
    assert_int_equal(state->fake->registers, 2);
    assert_int_equal(offer(state, "late"), BUSBAR_CONFLICT);
    assert_int_equal(busbar_worker_deregister(state->worker, "late"), BUSBAR_OK);
    assert_memory_equal(fake_expect(state->fake, PACKET_DEREGISTER)->packet.service.data, "late",
                        4);
    assert_int_equal(busbar_worker_deregister(state->worker, "late"), BUSBAR_NO_SERVICE);
    assert_int_equal(offer(state, "late"), BUSBAR_OK);
    fake_ready(state->fake, state->worker);
    fake_call(state->fake, 1, "echo", "x");
    fake_expect(state->fake, PACKET_REPLY);
}

static void impossible_services_are_refused_at_once(void **test)
{
    static const struct busbar_method TWICE[] = {{.name = "a", .handler = echo},
                                                 {.name = "a", .handler = echo}};
    static const struct busbar_method BAD_NAME[] = {{.name = "a-b", .handler = echo}};
    static const struct busbar_method NO_HANDLER[] = {{.name = "a"}};
    static const struct busbar_method NOT_TEXT[] = {{.name = "a", .handler = echo, .text = "\xff"}};
    static const struct busbar_service CASES[] = {
        {.name = NULL, .methods = METHODS, .method_count = 1},
        {.name = "", .methods = METHODS, .method_count = 1},
        {.name = "a b", .methods = METHODS, .method_count = 1},
        {.name = "bus", .methods = METHODS, .method_count = 1},
        {.name = "_x", .methods = METHODS, .method_count = 1},
        {.name = "a", .methods = METHODS, .method_count = 0},
        {.name = "a", .methods = METHODS, .method_count = 100000},
        {.name = "a", .methods = NULL, .method_count = 1},
        {.name = "a", .methods = TWICE, .method_count = 2},
        {.name = "a", .methods = BAD_NAME, .method_count = 1},
        {.name = "a", .methods = NO_HANDLER, .method_count = 1},
        {.name = "a", .methods = NOT_TEXT, .method_count = 1},
    };
    struct state *state = *test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        assert_int_equal(busbar_worker_register(state->worker, &CASES[i]), BUSBAR_BAD_ARGUMENT);
        assert_true(strlen(error_of(state)) > 0);
    }
    busbar_worker_destroy(&state->worker);
}

static void impossible_workers_are_not_made(void **test)
{
    static const struct busbar_worker_options CASES[] = {
        {.broker = "nonsense"},
        {.broker = "tcp://127.0.0.1:1", .threads = 5000},
        {.broker = "tcp://127.0.0.1:1", .credit = 100000},
        {.broker = "tcp://127.0.0.1:1", .reserved = {(void *)1}},
    };
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct busbar_worker *worker = NULL;
        assert_int_equal(busbar_worker_new(&worker, &CASES[i]), BUSBAR_BAD_ARGUMENT);
        assert_null(worker);
    }
}

static void a_final_refusal_ends_the_worker(void **test)
{
    static const uint8_t CASES[] = {BUSBAR_DENIED, BUSBAR_BAD_REQUEST, BUSBAR_CONFLICT};
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct state *state = NULL;
        set_up((void **)&state);
        state->fake->refuse = CASES[i];
        state->fake->refusals = 1;
        assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
        fake_expect(state->fake, PACKET_BYE);
        assert_int_equal(busbar_worker_run(state->worker), CASES[i]);
        assert_int_equal(busbar_worker_wait_ready(state->worker, 100), CASES[i]);
        assert_non_null(strstr(error_of(state), "svc"));
        assert_non_null(strstr(error_of(state), "because of the test"));
        busbar_worker_destroy(&state->worker);
        tear_down((void **)&state);
    }
}

static void a_refusal_that_may_pass_is_tried_again(void **test)
{
    static const uint8_t CASES[] = {BUSBAR_BUSY, BUSBAR_DRAINING, BUSBAR_UNSUPPORTED};
    (void)test;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct state *state = NULL;
        set_up((void **)&state);
        state->fake->refuse = CASES[i];
        state->fake->refusals = 2;
        start(state);
        assert_int_equal(state->fake->registers, 3);
        tear_down((void **)&state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_services_share_one_connection),
        TEST(services_come_and_go_while_the_worker_runs),
        TEST(impossible_services_are_refused_at_once),
        cmocka_unit_test(impossible_workers_are_not_made),
        cmocka_unit_test(a_final_refusal_ends_the_worker),
        cmocka_unit_test(a_refusal_that_may_pass_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
