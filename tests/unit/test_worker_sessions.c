/* A worker and its broker: restarts, epochs, heartbeats, the stop, a fork. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

struct state {
    struct fake *fake;
    struct busbar_worker *worker;
    struct busbar_request *kept;
    atomic_int entered;
    atomic_int status;
    atomic_bool go;
};

static void echo(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->entered++;
    state->status = (int)busbar_request_reply(request, busbar_request_body(*request));
}

static void keep(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->kept = busbar_request_keep(request);
    state->entered++;
}

static void dawdle(struct busbar_request **request, void *context)
{
    struct state *state = context;
    state->entered++;
    for (int i = 0; i < 4000 && !state->go; i++)
        usleep(1000);
    state->status = (int)busbar_request_reply(request, busbar_body_text("done"));
}

static const struct busbar_method METHODS[] = {
    {.name = "echo", .handler = echo},
    {.name = "keep", .handler = keep},
    {.name = "dawdle", .handler = dawdle},
};

static struct busbar_service service_of(struct state *state, const char *name)
{
    return (struct busbar_service){.name = name,
                                   .methods = METHODS,
                                   .method_count = ARRAY_SIZE(METHODS),
                                   .version = "1.0",
                                   .context = state};
}

static enum busbar_status offer(struct state *state, const char *name)
{
    struct busbar_service service = service_of(state, name);
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

static void after_a_restart_everything_is_registered_once(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    assert_int_equal(offer(state, "other"), BUSBAR_OK);
    start(state);
    fake_restart(state->fake);
    fake_expect(state->fake, PACKET_REGISTER);
    while (state->fake->registers < 4)
        assert_true(fake_receive(state->fake, FAKE_PATIENCE_MS));
    fake_ready(state->fake, state->worker);
    fake_serve(state->fake, 300);
    assert_int_equal(state->fake->registers, 4);
    assert_int_equal(state->fake->hellos, 2);
    fake_call(state->fake, 1, "echo", "again");
    assert_true(heard_is(fake_expect(state->fake, PACKET_REPLY), "again"));
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.reconnects, 1);
}

static void replies_of_an_earlier_epoch_reach_nobody(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    start(state);
    fake_call(state->fake, 1, "keep", "");
    fake_call(state->fake, 2, "dawdle", "");
    while (state->entered < 2)
        usleep(1000);
    fake_restart(state->fake);
    while (state->fake->hellos < 2)
        assert_true(fake_receive(state->fake, FAKE_PATIENCE_MS));
    fake_ready(state->fake, state->worker);
    assert_true(busbar_request_cancelled(state->kept));
    assert_int_equal(busbar_request_reply(&state->kept, busbar_body_text("")), BUSBAR_CANCELLED);
    state->go = true;
    fake_call(state->fake, 3, "echo", "new");
    assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.id, 3);
    fake_serve(state->fake, 50);
    assert_null(fake_find(state->fake, PACKET_REPLY, NULL));
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.stale_replies, 2);
}

static void a_reset_makes_the_worker_say_everything_again(void **test)
{
    struct state *state = *test;
    start(state);
    fake_call(state->fake, 1, "keep", "");
    while (state->entered < 1)
        usleep(1000);
    state->fake->welcome.epoch++;
    fake_reset(state->fake, &state->fake->peer, PACKET_CREDIT, 5);
    while (state->fake->registers < 2)
        assert_true(fake_receive(state->fake, FAKE_PATIENCE_MS));
    fake_ready(state->fake, state->worker);
    assert_int_equal(state->fake->hellos, 2);
    assert_int_equal(busbar_request_reply(&state->kept, busbar_body_text("")), BUSBAR_CANCELLED);
}

static void a_worker_starts_before_its_broker(void **test)
{
    struct state *state = *test;
    fake_down(state->fake);
    assert_int_equal(busbar_worker_start(state->worker), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait_ready(state->worker, 200), BUSBAR_TIMEOUT);
    assert_non_null(strstr(error_of(state), state->fake->endpoint));
    fake_restart(state->fake);
    fake_ready(state->fake, state->worker);
}

static void *run_inline(void *argument)
{
    struct state *state = argument;
    enum busbar_status status = busbar_worker_run(state->worker);
    return (void *)(uintptr_t)status;
}

static void heartbeats_go_on_while_a_handler_blocks_inline(void **test)
{
    struct state *state = *test;
    pthread_t thread;
    void *result;
    busbar_worker_destroy(&state->worker);
    state->worker = fake_worker(state->fake, BUSBAR_INLINE);
    assert_int_equal(offer(state, "svc"), BUSBAR_OK);
    state->fake->welcome.heartbeat_interval = 50;
    state->fake->welcome.heartbeat_liveness = 60; /* a machine that stalls loses no session */
    pthread_create(&thread, NULL, run_inline, state);
    fake_ready(state->fake, state->worker);
    fake_call(state->fake, 1, "dawdle", "");
    while (state->entered == 0)
        usleep(1000);
    unsigned before = state->fake->heartbeats;
    fake_serve(state->fake, 2000);
    assert_in_range(state->fake->heartbeats - before, 4, 60);
    assert_int_equal(state->fake->hellos, 1);
    state->go = true;
    assert_true(heard_is(fake_expect(state->fake, PACKET_REPLY), "done"));
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_BYE);
    pthread_join(thread, &result);
    assert_int_equal((uintptr_t)result, BUSBAR_OK);
    busbar_worker_destroy(&state->worker);
}

static void a_broker_that_is_silent_is_left(void **test)
{
    struct state *state = *test;
    state->fake->welcome.heartbeat_interval = 50;
    state->fake->mute_heartbeats = true;
    start(state);
    while (state->fake->hellos < 2)
        assert_true(fake_receive(state->fake, FAKE_PATIENCE_MS));
    assert_non_null(strstr(error_of(state), "heartbeat"));
    state->fake->mute_heartbeats = false;
    fake_ready(state->fake, state->worker);
}

static void a_session_the_broker_forgot_is_opened_again(void **test)
{
    struct state *state = *test;
    state->fake->welcome.heartbeat_interval = 200;
    start(state);
    state->fake->unknown_token = true;
    while (state->fake->hellos < 2) {
        assert_true(fake_receive(state->fake, FAKE_PATIENCE_MS));
        if (state->fake->heartbeats > 1)
            state->fake->unknown_token = false;
    }
    state->fake->unknown_token = false;
    fake_ready(state->fake, state->worker);
    fake_call(state->fake, 1, "echo", "x");
    fake_expect(state->fake, PACKET_REPLY);
}

static void a_stop_answers_what_was_started_and_returns_the_rest(void **test)
{
    struct state *state = *test;
    struct busbar_worker_stats stats;
    start(state);
    fake_put_call(state->fake, 1, "dawdle", bytes_of_text(""));
    for (uint64_t id = 2; id <= 10; id++)
        fake_put_call(state->fake, id, "echo", bytes_of_text(""));
    fake_flush(state->fake);
    while (state->entered == 0)
        usleep(1000);
    state->fake->mute_deregister = true;
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_GOAWAY);
    fake_call(state->fake, 11, "echo", "crossed the GOAWAY");
    for (uint64_t id = 2; id <= 11; id++) {
        struct heard *back = fake_expect_id(state->fake, PACKET_RETURN, id);
        assert_int_equal(back->packet.service.size, strlen("svc"));
        assert_int_equal(back->packet.method.size, strlen("echo"));
        assert_true(heard_is(back, id == 11 ? "crossed the GOAWAY" : ""));
    }
    fake_send(state->fake, &state->fake->peer,
              &(struct packet){.command = PACKET_DEREGISTERED,
                               .id = fake_expect(state->fake, PACKET_DEREGISTER)->packet.id});
    fake_call(state->fake, 12, "echo", "against the rules");
    fake_expect_id(state->fake, PACKET_RETURN, 12);
    assert_null(fake_find(state->fake, PACKET_BYE, NULL));
    state->go = true;
    assert_int_equal(fake_expect(state->fake, PACKET_REPLY)->packet.id, 1);
    fake_expect(state->fake, PACKET_BYE);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_OK);
    busbar_worker_stats(state->worker, &stats);
    assert_int_equal(stats.returned, 11);
    assert_int_equal(stats.replies, 1);
    busbar_worker_destroy(&state->worker);
}

static void a_broker_that_does_not_confirm_the_end_is_not_waited_for(void **test)
{
    struct state *state = *test;
    start(state);
    state->fake->mute_deregister = true;
    uint64_t before = clock_ms();
    fake_stop(state->fake, &state->worker);
    assert_in_range(clock_ms() - before, 500, 2500);
}

static void a_handler_that_does_not_end_is_left_running(void **test)
{
    struct state *state = *test;
    struct busbar_worker_options options = {.broker = state->fake->endpoint,
                                            .stop_timeout_ms = 100};
    busbar_worker_destroy(&state->worker);
    assert_int_equal(busbar_worker_new(&state->worker, &options), BUSBAR_OK);
    assert_int_equal(offer(state, "svc"), BUSBAR_OK);
    start(state);
    fake_call(state->fake, 1, "dawdle", "");
    while (state->entered == 0)
        usleep(1000);
    uint64_t before = clock_ms();
    busbar_worker_stop(state->worker);
    fake_expect(state->fake, PACKET_BYE);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_TIMEOUT);
    busbar_worker_destroy(&state->worker);
    assert_in_range(clock_ms() - before, 90, 2000);
    state->status = -1;
    state->go = true;
    while (state->status == -1)
        usleep(1000);
    assert_int_equal(state->status, BUSBAR_CANCELLED);
    usleep(20000); /* for the thread to let go of the worker */
}

static struct busbar_worker *stopped_by_signal;

static void on_signal(int number)
{
    (void)number;
    busbar_worker_stop(stopped_by_signal);
}

static void a_signal_handler_may_stop_a_worker(void **test)
{
    struct state *state = *test;
    struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    start(state);
    stopped_by_signal = state->worker;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    fake_expect(state->fake, PACKET_BYE);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_OK);
    busbar_worker_destroy(&state->worker);
}

static void a_worker_that_was_stopped_before_it_ran_ends_at_once(void **test)
{
    struct state *state = *test;
    busbar_worker_stop(state->worker);
    assert_int_equal(busbar_worker_run(state->worker), BUSBAR_OK);
    busbar_worker_destroy(&state->worker);
}

static void the_child_of_a_fork_can_only_let_go(void **test)
{
    struct state *state = *test;
    int ends[2];
    char outcome = 'x';
    start(state);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        bool refused = busbar_worker_start(state->worker) == BUSBAR_FORKED &&
                       busbar_worker_run(state->worker) == BUSBAR_FORKED &&
                       offer(state, "x") == BUSBAR_FORKED;
        busbar_worker_destroy(&state->worker);
        ssize_t written = write(ends[1], refused && state->worker == NULL ? "y" : "n", 1);
        kill(getpid(), SIGKILL); /* what belongs to the parent is not this child's leak */
        _exit((int)written);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &outcome, 1), 1);
    close(ends[0]);
    assert_int_equal(outcome, 'y');
    assert_int_equal(waitpid(child, NULL, 0), child);
    fake_call(state->fake, 1, "echo", "parent");
    fake_expect(state->fake, PACKET_REPLY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(after_a_restart_everything_is_registered_once),
        TEST(replies_of_an_earlier_epoch_reach_nobody),
        TEST(a_reset_makes_the_worker_say_everything_again),
        TEST(a_worker_starts_before_its_broker),
        TEST(heartbeats_go_on_while_a_handler_blocks_inline),
        TEST(a_broker_that_is_silent_is_left),
        TEST(a_session_the_broker_forgot_is_opened_again),
        TEST(a_stop_answers_what_was_started_and_returns_the_rest),
        TEST(a_broker_that_does_not_confirm_the_end_is_not_waited_for),
        TEST(a_handler_that_does_not_end_is_left_running),
        TEST(a_signal_handler_may_stop_a_worker),
        TEST(a_worker_that_was_stopped_before_it_ran_ends_at_once),
        TEST(the_child_of_a_fork_can_only_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
