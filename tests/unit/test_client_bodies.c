/* The three forms of a body, small and large, and who gives the bytes back when. */
#include <busbar/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/blob.h"
#include "fake_broker.h"

struct fixture {
    struct fake_broker broker;
    struct busbar_client *client;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    *state = fixture;
    fake_broker_open(&fixture->broker, NULL);
    fake_broker_start(&fixture->broker);
    const struct busbar_client_options options = {.broker = fixture->broker.endpoint};
    return busbar_client_new(&fixture->client, &options);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    busbar_client_destroy(&fixture->client);
    fake_broker_stop(&fixture->broker);
    fake_broker_close(&fixture->broker);
    free(fixture);
    return 0;
}

static atomic_uint given_back;

static void give_back(void *data, void *hint)
{
    assert_ptr_equal(data, hint);
    atomic_fetch_add(&given_back, 1);
    free(data);
}

static uint8_t *pattern(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    return bytes;
}

static void wait_given_back(unsigned count)
{
    for (int i = 0; i < 400 && atomic_load(&given_back) != count; i++)
        sleep_ms(5);
    assert_int_equal(atomic_load(&given_back), count);
}

static const size_t sizes[] = {0,   1,    64,    127,   160,   255,     256,
                               257, 4096, 16384, 16385, 65536, 1 << 20, FAKE_BODY_LIMIT};

static void bodies_of_every_size_return_unharmed(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct busbar_reply *reply = NULL;
        uint8_t *bytes = pattern(sizes[i]);
        const struct busbar_call call = {
            .service = "echo", .method = "run", .body = busbar_body_copied(bytes, sizes[i])};
        assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_size(reply), sizes[i]);
        assert_memory_equal(busbar_reply_data(reply), bytes, sizes[i]);
        busbar_reply_destroy(&reply);
        free(bytes);
    }
}

static void copied_bytes_are_read_before_start_returns(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 2; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct busbar_reply *reply = NULL;
        uint8_t *bytes = pattern(sizes[i]);
        uint8_t *same = pattern(sizes[i]);
        const struct busbar_call call = {
            .service = "echo", .method = "run", .body = busbar_body_copied(bytes, sizes[i])};
        assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
        memset(bytes, 0, sizes[i]);
        free(bytes);
        assert_int_equal(busbar_client_wait(fixture->client, 3000, &reply), BUSBAR_OK);
        assert_memory_equal(busbar_reply_data(reply), same, sizes[i]);
        busbar_reply_destroy(&reply);
        free(same);
    }
}

static void taken_bytes_are_given_back_once(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&given_back, 0);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct busbar_reply *reply = NULL;
        uint8_t *bytes = pattern(sizes[i]);
        uint8_t *same = pattern(sizes[i]);
        const struct busbar_call call = {
            .service = "echo",
            .method = "run",
            .body = busbar_body_taken(bytes, sizes[i], give_back, bytes)};
        assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
        assert_memory_equal(busbar_reply_data(reply), same, sizes[i]);
        busbar_reply_destroy(&reply);
        free(same);
        wait_given_back(i + 1);
    }
}

static void taken_bytes_are_given_back_when_the_call_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *service;
        size_t size;
        uint32_t timeout_ms;
        enum busbar_status status;
    } cases[] = {
        {"not a name", 10, 0, BUSBAR_BAD_REQUEST},
        {NULL, 10, 0, BUSBAR_BAD_ARGUMENT},
        {"echo", 10, UINT32_MAX, BUSBAR_BAD_ARGUMENT},
        {"echo", (16 << 20) + 1, 0, BUSBAR_TOO_LARGE},
    };
    atomic_store(&given_back, 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *bytes = malloc(cases[i].size);
        struct busbar_call call = {
            .service = cases[i].service,
            .method = "run",
            .timeout_ms = cases[i].timeout_ms,
            .body = busbar_body_taken(bytes, cases[i].size, give_back, bytes)};
        if (i % 2 == 0)
            assert_int_equal(busbar_client_start(fixture->client, &call, NULL), cases[i].status);
        else
            assert_int_equal(busbar_client_call(fixture->client, &call, NULL), cases[i].status);
        assert_int_equal(atomic_load(&given_back), i + 1);
    }
}

static void taken_bytes_are_given_back_when_the_client_ends(void **state)
{
    struct fixture *fixture = *state;
    static const size_t taken[] = {10, 100000, 1 << 20};
    atomic_store(&given_back, 0);
    for (size_t i = 0; i < 3; i++) {
        uint8_t *bytes = pattern(taken[i]);
        const struct busbar_call call = {
            .service = "silent",
            .method = "run",
            .body = busbar_body_taken(bytes, taken[i], give_back, bytes)};
        assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
    }
    busbar_client_destroy(&fixture->client);
    wait_given_back(3);
}

static void a_borrowed_body_outlives_what_it_was_borrowed_from(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 2; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct busbar_reply *reply = NULL;
        uint8_t *bytes = pattern(sizes[i]);
        struct blob *owner = blob_copy(bytes, sizes[i]);
        struct busbar_call call = {.service = "echo",
                                   .method = "run",
                                   .body = busbar_body_copied(owner->data, owner->size)};
        call.body.owner = owner;
        assert_int_equal(busbar_client_start(fixture->client, &call, NULL), BUSBAR_OK);
        blob_unref(&owner);
        assert_int_equal(busbar_client_wait(fixture->client, 3000, &reply), BUSBAR_OK);
        assert_int_equal(busbar_reply_size(reply), sizes[i]);
        assert_memory_equal(busbar_reply_data(reply), bytes, sizes[i]);
        busbar_reply_destroy(&reply);
        free(bytes);
    }
}

static void a_part_of_a_borrowed_body_is_sent_as_that_part(void **state)
{
    struct fixture *fixture = *state;
    struct busbar_reply *reply = NULL;
    uint8_t *bytes = pattern(100000);
    struct blob *owner = blob_copy(bytes, 100000);
    struct busbar_call call = {
        .service = "echo", .method = "run", .body = busbar_body_copied(owner->data + 1, 50000)};
    call.body.owner = owner;
    assert_int_equal(busbar_client_call(fixture->client, &call, &reply), BUSBAR_OK);
    assert_int_equal(busbar_reply_size(reply), 50000);
    assert_memory_equal(busbar_reply_data(reply), bytes + 1, 50000);
    busbar_reply_destroy(&reply);
    blob_unref(&owner);
    free(bytes);
}

static void a_body_that_nobody_was_given_is_released(void **state)
{
    uint8_t *bytes = pattern(10);
    struct busbar_body taken = busbar_body_taken(bytes, 10, give_back, bytes);
    struct busbar_body copied = busbar_body_text("text");
    (void)state;
    atomic_store(&given_back, 0);
    busbar_body_release(&taken);
    busbar_body_release(&taken);
    busbar_body_release(&copied);
    busbar_body_release(NULL);
    assert_int_equal(atomic_load(&given_back), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bodies_of_every_size_return_unharmed),
        TEST(copied_bytes_are_read_before_start_returns),
        TEST(taken_bytes_are_given_back_once),
        TEST(taken_bytes_are_given_back_when_the_call_is_refused),
        TEST(taken_bytes_are_given_back_when_the_client_ends),
        TEST(a_borrowed_body_outlives_what_it_was_borrowed_from),
        TEST(a_part_of_a_borrowed_body_is_sent_as_that_part),
        cmocka_unit_test(a_body_that_nobody_was_given_is_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
