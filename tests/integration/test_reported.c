/* Workers that report what became of calls their handlers made: through a real broker to a client. */
#include "tests/kit/kit.h"

#include <busbar/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct kit_process *start_worker(struct kit *kit)
{
    struct kit_process *worker = kit_start(kit, "tests/programs/test_worker", NULL);
    kit_wait_for_text(worker, "ready", KIT_RUN_MS);
    return worker;
}

static void what_a_worker_reports_of_its_own_calls_reaches_the_client_as_it_is(void **state)
{
    static const struct {
        enum busbar_status status;
        enum busbar_fate fate;
    } CASES[] = {
        {BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED},    {BUSBAR_NO_MEMBERS, BUSBAR_NOT_EXECUTED},
        {BUSBAR_BUSY, BUSBAR_NOT_EXECUTED},          {BUSBAR_DENIED, BUSBAR_NOT_EXECUTED},
        {BUSBAR_TOO_LARGE, BUSBAR_NOT_EXECUTED},     {BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED},
        {BUSBAR_WORKER_LOST, BUSBAR_MAYBE_EXECUTED}, {BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED},
        {BUSBAR_POISONED, BUSBAR_MAYBE_EXECUTED},    {BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED},
    };
    struct kit *kit = *state;
    struct busbar_client *client = NULL;
    kit_broker(kit, NULL);
    struct kit_process *workers[] = {start_worker(kit), start_worker(kit)};
    const struct busbar_client_options options = {.broker = kit->endpoint};
    assert_int_equal(busbar_client_new(&client, &options), BUSBAR_OK);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct busbar_reply *reply = NULL;
        char status[8];
        snprintf(status, sizeof status, "%d", (int)CASES[i].status);
        const struct busbar_call call = {.service = "test",
                                         .method = "report",
                                         .timeout_ms = KIT_RUN_MS,
                                         .body = busbar_body_text(status)};
        assert_int_equal(busbar_client_call(client, &call, &reply), CASES[i].status);
        assert_int_equal(busbar_reply_fate(reply), CASES[i].fate);
        busbar_reply_destroy(&reply);
        size_t told = 0; /* one worker had it, the other was not tried, idempotent as it is */
        for (size_t j = 0; j < COUNT(workers); j++) {
            kit_read(workers[j]);
            for (const char *at = workers[j]->out; (at = strstr(at, "report ")) != NULL; at++)
                told++;
        }
        assert_int_equal(told, i + 1);
    }
    busbar_client_destroy(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(what_a_worker_reports_of_its_own_calls_reaches_the_client_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
