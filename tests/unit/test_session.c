#include "protocol/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct hello HELLO = {
    .instance = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .last_epoch = 0x1111222233334444,
    .capabilities = 0x5555666677778888,
};

static const struct welcome WELCOME = {
    .epoch = 0x0102030405060708,
    .token = 0x1112131415161718,
    .body_limit = 0x2122232425262728,
    .capabilities = 0x3132333435363738,
    .heartbeat_interval = 0x41424344,
    .heartbeat_liveness = 0x51525354,
};

static const struct reset RESET = {.epoch = 0x0102030405060708, .command = PACKET_CALL};

static void a_hello_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t body[HELLO_SIZE];
    struct hello read;
    hello_write(body, &HELLO);
    assert_true(hello_read((struct bytes){body, sizeof body}, &read));
    assert_memory_equal(read.instance, HELLO.instance, INSTANCE_SIZE);
    assert_true(read.last_epoch == HELLO.last_epoch);
    assert_true(read.capabilities == HELLO.capabilities);
}

static struct packet welcome_packet(uint8_t *body, const struct welcome *welcome)
{
    welcome_write(body, welcome);
    return (struct packet){
        .command = PACKET_WELCOME,
        .id = welcome->token,
        .body = {body, WELCOME_SIZE},
    };
}

static void a_welcome_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t body[WELCOME_SIZE];
    struct packet packet = welcome_packet(body, &WELCOME);
    struct welcome read;
    assert_true(welcome_read(&packet, &read));
    assert_true(read.epoch == WELCOME.epoch);
    assert_true(read.token == WELCOME.token);
    assert_true(read.body_limit == WELCOME.body_limit);
    assert_true(read.capabilities == WELCOME.capabilities);
    assert_int_equal(read.heartbeat_interval, WELCOME.heartbeat_interval);
    assert_int_equal(read.heartbeat_liveness, WELCOME.heartbeat_liveness);
}

static void a_welcome_that_lacks_what_is_never_zero_is_refused(void **state)
{
    (void)state;
    struct welcome bad[4] = {WELCOME, WELCOME, WELCOME, WELCOME};
    bad[0].epoch = 0;
    bad[1].token = 0;
    bad[2].heartbeat_interval = 0;
    bad[3].heartbeat_liveness = 0;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint8_t body[WELCOME_SIZE];
        struct packet packet = welcome_packet(body, &bad[i]);
        struct welcome read;
        assert_false(welcome_read(&packet, &read));
    }
}

static void a_reset_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t body[RESET_SIZE];
    struct reset read;
    memset(body, 0xff, sizeof body);
    reset_write(body, &RESET);
    assert_true(reset_read((struct bytes){body, sizeof body}, &read));
    assert_true(read.epoch == RESET.epoch);
    assert_int_equal(read.command, RESET.command);
    for (size_t i = 9; i < RESET_SIZE; i++)
        assert_int_equal(body[i], 0);
}

static void bodies_that_are_too_short_are_refused_and_longer_ones_read(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 40; size++) {
        CLEANUP(cleanup_free) uint8_t *body = malloc(size + (size == 0));
        struct packet packet = {.command = PACKET_WELCOME, .id = 1, .body = {body, size}};
        struct hello hello;
        struct welcome welcome;
        struct reset reset;
        memset(body, 1, size);
        assert_int_equal(hello_read(packet.body, &hello), size >= HELLO_SIZE);
        assert_int_equal(welcome_read(&packet, &welcome), size >= WELCOME_SIZE);
        assert_int_equal(reset_read(packet.body, &reset), size >= RESET_SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_read_as_it_was_written),
        cmocka_unit_test(a_welcome_is_read_as_it_was_written),
        cmocka_unit_test(a_welcome_that_lacks_what_is_never_zero_is_refused),
        cmocka_unit_test(a_reset_is_read_as_it_was_written),
        cmocka_unit_test(bodies_that_are_too_short_are_refused_and_longer_ones_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
