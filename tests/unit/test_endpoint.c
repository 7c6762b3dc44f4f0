/* Who can reach an endpoint, and how libzmq wants it. */
#include "protocol/endpoint.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void endpoints_tell_who_can_reach_them(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        bool open;
        bool ipv6;
    } rows[] = {
        {"tcp://127.0.0.1:1", false, false},
        {"tcp://127.255.0.9:65535", false, false},
        {"tcp://localhost:*", false, false},
        {"tcp://[::1]:7766", false, true},
        {"ipc:///tmp/x", false, false},
        {"ipc://@x", false, false},
        {"ipc://*", false, false},
        {"inproc://x", false, false},
        {"tcp://*:1", true, false},
        {"tcp://0.0.0.0:1", true, false},
        {"tcp://128.0.0.1:1", true, false},
        {"tcp://[::]:1", true, true},
        {"tcp://[fe80::1]:1", true, true},
        {"tcp://[::ffff:127.0.0.1]:1", true, true},
        {"tcp://localhost.evil:1", true, false},
        {"tcp://eth0:1", true, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_null(endpoint_expected(rows[i].endpoint));
        assert_int_equal(endpoint_is_open(rows[i].endpoint), rows[i].open);
        assert_int_equal(endpoint_is_ipv6(rows[i].endpoint), rows[i].ipv6);
    }
}

static void localhost_becomes_the_address_that_libzmq_knows(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *named = endpoint_for_bind("tcp://localhost:*");
    CLEANUP(cleanup_free) char *other = endpoint_for_bind("tcp://localhosts:1");
    assert_string_equal(named, "tcp://127.0.0.1:*");
    assert_string_equal(other, "tcp://localhosts:1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_tell_who_can_reach_them),
        cmocka_unit_test(localhost_becomes_the_address_that_libzmq_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
