/* What a stop does for handlers that outlive it and ask whether they are still wanted. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>
#include <stdatomic.h>
#include <unistd.h>

struct state {
    atomic_bool entered;
    atomic_bool tidied_up;
};

static void run_until_cancelled(struct busbar_request **request, void *context)
{
    struct state *state = context;
    atomic_store(&state->entered, true);
    while (!busbar_request_cancelled(*request))
        usleep(1000);
    usleep(20000); /* a program that is killed takes a moment to go */
    atomic_store(&state->tidied_up, true);
}

static void a_handler_that_asks_ends_before_the_worker_is_gone(void **test)
{
    (void)test;
    struct state state = {false};
    struct fake *fake = fake_new();
    struct busbar_worker *worker = NULL;
    const struct busbar_worker_options options = {.broker = fake->endpoint, .stop_timeout_ms = 100};
    const struct busbar_method method = {.name = "run", .handler = run_until_cancelled};
    const struct busbar_service service = {
        .name = "svc", .methods = &method, .method_count = 1, .context = &state};
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    assert_int_equal(busbar_worker_register(worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    fake_call(fake, 1, "run", "");
    while (!atomic_load(&state.entered))
        fake_receive(fake, 1);
    busbar_worker_stop(worker);
    fake_expect(fake, PACKET_BYE);
    assert_int_equal(busbar_worker_wait(worker, 10000), BUSBAR_TIMEOUT);
    busbar_worker_destroy(&worker);
    assert_true(atomic_load(&state.tidied_up));
    fake_destroy(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_that_asks_ends_before_the_worker_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
