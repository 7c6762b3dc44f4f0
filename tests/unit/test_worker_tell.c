/* What a worker tells of broker and services, of contexts that are not needed any more, and of its
 * end. */
#include "worker-lib/tell.h"

#include "tests/unit/test_worker_broker.h"

/* What the hook was told; written by one thread of the worker at a time. */
struct told {
    pthread_mutex_t lock;
    char text[8192];
};

static void on_event(void *context, const char *level, const char *event, const char *fields)
{
    struct told *told = context;
    pthread_mutex_lock(&told->lock);
    size_t used = strlen(told->text);
    snprintf(told->text + used, sizeof told->text - used, "%s %s %s\n", level, event, fields);
    pthread_mutex_unlock(&told->lock);
}

static size_t count_of(struct told *told, const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&told->lock);
    for (const char *at = told->text; (at = strstr(at, text)) != NULL; at++)
        count++;
    pthread_mutex_unlock(&told->lock);
    return count;
}

/* With the broker at work. */
static void await_told(struct fake *fake, struct told *told, const char *text)
{
    uint64_t until = clock_ms() + FAKE_PATIENCE_MS;
    while (count_of(told, text) == 0) {
        if (clock_ms() > until)
            fail_msg("not told of %s, but of %s", text, told->text);
        if (fake->socket != NULL)
            fake_receive(fake, 10);
        else
            usleep(10000);
    }
}

static struct busbar_worker *told_worker(const struct fake *fake, struct told *told)
{
    struct busbar_worker *worker = NULL;
    const struct busbar_worker_options options = {
        .broker = fake->endpoint, .stop_timeout_ms = 3000, .log = on_event, .log_context = told};
    pthread_mutex_init(&told->lock, NULL);
    assert_int_equal(busbar_worker_new(&worker, &options), BUSBAR_OK);
    return worker;
}

static void echo(struct busbar_request **request, void *context)
{
    (void)context;
    busbar_request_reply(request, busbar_request_body(*request));
}

static _Atomic(struct busbar_request *) kept;

static void keep(struct busbar_request **request, void *context)
{
    (void)context;
    kept = busbar_request_keep(request);
}

static void note_freed(void *context)
{
    atomic_uint *freed = context;
    (*freed)++;
}

/* Registers the service "svc". */
static enum busbar_status put_service(struct busbar_worker *worker, busbar_handler_fn *handler,
                                      atomic_uint *freed)
{
    const struct busbar_method method = {.name = "m", .handler = handler};
    const struct busbar_service service = {.name = "svc",
                                           .methods = &method,
                                           .method_count = 1,
                                           .context = freed,
                                           .context_free = freed == NULL ? NULL : note_freed};
    return busbar_worker_register(worker, &service);
}

static void registrations_are_told_with_their_broker(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    char expected[300];
    (void)state;
    assert_int_equal(put_service(worker, echo, NULL), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    snprintf(expected, sizeof expected, "info service_registered broker=%s service=svc\n",
             fake->endpoint);
    await_told(fake, &told, expected);
    assert_int_equal(busbar_worker_deregister(worker, "svc"), BUSBAR_OK);
    snprintf(expected, sizeof expected, "info service_deregistered broker=%s service=svc\n",
             fake->endpoint);
    await_told(fake, &told, expected);
    fake_stop(fake, &worker);
    fake_destroy(&fake);
}

static void a_refusal_that_ends_the_worker_is_an_error(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    (void)state;
    fake->refuse = BUSBAR_DENIED;
    fake->refusals = 1;
    assert_int_equal(put_service(worker, echo, NULL), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    await_told(fake, &told, "error service_refused ");
    assert_int_equal(count_of(&told, "service=svc status=DENIED reason=\"because of the test\""),
                     1);
    fake_expect(fake, PACKET_BYE);
    assert_int_equal(busbar_worker_wait(worker, FAKE_PATIENCE_MS), BUSBAR_DENIED);
    busbar_worker_destroy(&worker);
    fake_destroy(&fake);
}

static void a_refusal_that_may_pass_is_news(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    (void)state;
    fake->refuse = BUSBAR_BUSY;
    fake->refusals = 1;
    assert_int_equal(put_service(worker, echo, NULL), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    await_told(fake, &told, "info service_deferred ");
    await_told(fake, &told, "info service_registered ");
    fake_stop(fake, &worker);
    fake_destroy(&fake);
}

static void a_lost_broker_is_told_once_and_so_is_its_return(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    (void)state;
    assert_int_equal(put_service(worker, echo, NULL), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    await_told(fake, &told, "service_registered");
    fake_down(fake);
    await_told(fake, &told, "warning broker_lost ");
    await_told(fake, &told, "warning broker_unreachable ");
    usleep(700000); /* some attempts more */
    assert_int_equal(count_of(&told, "broker_unreachable"), 1);
    assert_int_equal(count_of(&told, "reason=\"tcp://"), 0);
    fake_restart(fake);
    await_told(fake, &told, "info broker_reached ");
    fake_ready(fake, worker);
    assert_int_equal(count_of(&told, "service_registered"), 2);
    fake_stop(fake, &worker);
    fake_destroy(&fake);
}

/* The end -------------------------------------------------------------------------------------- */

static void a_worker_that_runs_has_not_ended(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    (void)state;
    assert_int_equal(put_service(worker, echo, NULL), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    assert_int_equal(busbar_worker_wait(worker, 0), BUSBAR_NOTHING);
    assert_int_equal(busbar_worker_wait(worker, 30), BUSBAR_NOTHING);
    busbar_worker_stop(worker);
    fake_expect(fake, PACKET_BYE);
    assert_int_equal(busbar_worker_wait(worker, UINT32_MAX), BUSBAR_OK);
    assert_int_equal(busbar_worker_wait(worker, 0), BUSBAR_OK);
    busbar_worker_destroy(&worker);
    fake_destroy(&fake);
}

static void the_context_of_a_service_is_freed_when_it_is_gone(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    atomic_uint freed = 0;
    (void)state;
    assert_int_equal(put_service(worker, echo, &freed), BUSBAR_OK);
    /* What is refused stays the caller's. */
    assert_int_equal(put_service(worker, echo, &freed), BUSBAR_CONFLICT);
    assert_int_equal(freed, 0);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    assert_int_equal(busbar_worker_deregister(worker, "svc"), BUSBAR_OK);
    await_told(fake, &told, "service_deregistered");
    assert_int_equal(freed, 1);
    assert_int_equal(put_service(worker, echo, &freed), BUSBAR_OK);
    fake_ready(fake, worker);
    assert_int_equal(freed, 1);
    fake_stop(fake, &worker);
    assert_int_equal(freed, 2);
    fake_destroy(&fake);
}

static void the_context_outlives_the_last_request(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    atomic_uint freed = 0;
    (void)state;
    assert_int_equal(put_service(worker, keep, &freed), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    fake_call(fake, 7, "m", "body");
    assert_int_equal(busbar_worker_deregister(worker, "svc"), BUSBAR_OK);
    await_told(fake, &told, "service_deregistered");
    assert_int_equal(freed, 0);
    while (kept == NULL)
        fake_receive(fake, 10);
    struct busbar_request *late = kept;
    assert_int_equal(busbar_request_reply(&late, busbar_body_text("late")), BUSBAR_OK);
    assert_int_equal(freed, 1);
    fake_stop(fake, &worker);
    assert_int_equal(freed, 1);
    fake_destroy(&fake);
}

static void a_worker_that_never_ran_frees_the_contexts_too(void **state)
{
    struct fake *fake = fake_new();
    struct told told = {.text = ""};
    struct busbar_worker *worker = told_worker(fake, &told);
    atomic_uint freed = 0;
    (void)state;
    assert_int_equal(put_service(worker, echo, &freed), BUSBAR_OK);
    busbar_worker_destroy(&worker);
    assert_int_equal(freed, 1);
    assert_string_equal(told.text, "");
    fake_destroy(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registrations_are_told_with_their_broker),
        cmocka_unit_test(a_refusal_that_ends_the_worker_is_an_error),
        cmocka_unit_test(a_refusal_that_may_pass_is_news),
        cmocka_unit_test(a_lost_broker_is_told_once_and_so_is_its_return),
        cmocka_unit_test(a_worker_that_runs_has_not_ended),
        cmocka_unit_test(the_context_of_a_service_is_freed_when_it_is_gone),
        cmocka_unit_test(the_context_outlives_the_last_request),
        cmocka_unit_test(a_worker_that_never_ran_frees_the_contexts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
