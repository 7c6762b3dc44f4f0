/* What a handler may say of a call that it could not answer: statuses, fates and texts. */
#include "tests/unit/test_worker_broker.h"

#include <busbar/worker.h>

#include "worker-lib/request.h"

/* Fails with the status that the body's first byte is, and the fate of its second, if it has one. */
static void report(struct busbar_request **request, void *context)
{
    const unsigned char *told = busbar_request_data(*request);
    (void)context;
    if (busbar_request_size(*request) == 1)
        busbar_request_fail(request, told[0], NULL);
    else
        request_fail(request, &(struct failure){.status = told[0], .fate = told[1], .text = "why"});
}

static void failures_of_a_handlers_own_call_are_told_as_they_are(void **state)
{
    enum { NOT = BUSBAR_NOT_EXECUTED, MAYBE = BUSBAR_MAYBE_EXECUTED, DONE = BUSBAR_EXECUTED };
    static const struct {
        unsigned char status;
        uint8_t fate;     /* of the status alone */
        uint8_t known[3]; /* where the handler knows that it is not, maybe, or was executed */
        bool passed_on;
    } CASES[] = {
        {BUSBAR_APP_ERROR, DONE, {DONE, DONE, DONE}, true},
        {BUSBAR_RESULT_TOO_LARGE, DONE, {DONE, DONE, DONE}, true},
        {BUSBAR_BAD_REQUEST, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_NO_METHOD, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_NO_SERVICE, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_NO_MEMBERS, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_BUSY, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_DENIED, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_TOO_LARGE, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_DRAINING, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_EXPIRED, NOT, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_BROKER_LOST, MAYBE, {NOT, MAYBE, MAYBE}, true},
        {BUSBAR_WORKER_LOST, MAYBE, {MAYBE, MAYBE, MAYBE}, true},
        {BUSBAR_POISONED, MAYBE, {MAYBE, MAYBE, MAYBE}, true},
        {BUSBAR_TIMEOUT, MAYBE, {MAYBE, MAYBE, MAYBE}, true},
        {BUSBAR_CANCELLED, MAYBE, {MAYBE, MAYBE, MAYBE}, true},
        {BUSBAR_UNSUPPORTED, DONE, {DONE, DONE, DONE}, false},
        {BUSBAR_NO_MEMORY, DONE, {DONE, DONE, DONE}, false},
        {BUSBAR_OK, DONE, {DONE, DONE, DONE}, false},
    };
    static const struct busbar_method METHODS[] = {{.name = "report", .handler = report}};
    struct fake *fake = fake_new();
    struct busbar_worker *worker = fake_worker(fake, 1);
    struct busbar_service service = {.name = "svc", .methods = METHODS, .method_count = 1};
    uint64_t id = 0;
    (void)state;
    assert_int_equal(busbar_worker_register(worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        for (int fate = -1; fate < 3; fate++) {
            struct bytes body = {(uint8_t[]){CASES[i].status, (uint8_t)fate}, fate < 0 ? 1 : 2};
            fake_put_call(fake, ++id, "report", body);
            fake_flush(fake);
            struct heard *heard = fake_expect(fake, PACKET_ERROR);
            assert_int_equal(heard->packet.id, id);
            assert_int_equal(heard->packet.status,
                             CASES[i].passed_on ? CASES[i].status : BUSBAR_APP_ERROR);
            assert_int_equal(heard->packet.fate, fate < 0 ? CASES[i].fate : CASES[i].known[fate]);
            assert_true(heard->packet.body.size > 0);
        }
    }
    fake_stop(fake, &worker);
    fake_destroy(&fake);
}

/* Replies with a body that is none: the first byte of the request says which. */
static void blunder(struct busbar_request **request, void *context)
{
    bool is_absent = *(const char *)busbar_request_data(*request) == 'a';
    struct busbar_body body = {.data = "x", .size = 1, .encoding = (enum busbar_encoding)7};
    (void)context;
    if (is_absent)
        body = (struct busbar_body){.size = 5};
    assert_int_equal(busbar_request_reply(request, body), BUSBAR_BAD_ARGUMENT);
}

/* Else its client would wait until the deadline, and its place would be taken for ever. */
static void a_reply_that_cannot_be_sent_is_answered_for(void **state)
{
    static const struct busbar_method METHODS[] = {{.name = "blunder", .handler = blunder}};
    struct fake *fake = fake_new();
    struct busbar_worker *worker = fake_worker(fake, 1);
    struct busbar_service service = {.name = "svc", .methods = METHODS, .method_count = 1};
    (void)state;
    assert_int_equal(busbar_worker_register(worker, &service), BUSBAR_OK);
    assert_int_equal(busbar_worker_start(worker), BUSBAR_OK);
    fake_ready(fake, worker);
    for (uint64_t id = 1; id <= 2; id++) {
        fake_call(fake, id, "blunder", id == 1 ? "absent" : "encoding");
        struct heard *heard = fake_expect(fake, PACKET_ERROR);
        assert_int_equal(heard->packet.id, id);
        assert_int_equal(heard->packet.status, BUSBAR_APP_ERROR);
        assert_int_equal(heard->packet.fate, BUSBAR_EXECUTED);
    }
    fake_stop(fake, &worker);
    fake_destroy(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_that_cannot_be_sent_is_answered_for),
        cmocka_unit_test(failures_of_a_handlers_own_call_are_told_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
