/* Bytes that are no value: by a table with the exact reason of each, and by random mutation. */
#include <busbar/value.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *

#define BYTES(text) text, sizeof(text) - 1

#define NO_VALUE "the body ends where a value should start"
#define IN_LENGTH "the body ends inside a length"
#define IN_VALUE "the body ends inside a value"
#define CLAIM "a container claims more elements than bytes remain"
#define NOT_UTF8 "a string is not UTF-8"
#define BAD_KEY "a map's key is a list or a map"
#define STAMP_SIZE "a timestamp has 4, 8 or 12 bytes"
#define STAMP_NANOSECONDS "a timestamp has more than 999999999 nanoseconds"
#define TRAILING "bytes follow after the value"
#define NEVER_USED "0xc1 is no MessagePack type"
#define TOO_DEEP "containers lie too deep within containers"

static const struct {
    const char *data;
    size_t size;
    const char *reason;
} malformed[] = {
    {BYTES(""), NO_VALUE},
    {BYTES("\xc1"), NEVER_USED},
    {BYTES("\x91\xc1"), NEVER_USED},
    {BYTES("\xc0\xc0"), TRAILING},
    {BYTES("\x90\x00"), TRAILING},
    {BYTES("\xa1"
           "ab"),
     TRAILING},
    {BYTES("\x91\xc0\xc0"), TRAILING},
    {BYTES("\xca\x00\x00\x00"), IN_VALUE},
    {BYTES("\xcb\x00\x00\x00\x00\x00\x00\x00"), IN_VALUE},
    {BYTES("\xcc"), IN_VALUE},
    {BYTES("\xcd\x00"), IN_VALUE},
    {BYTES("\xce\x00\x00\x00"), IN_VALUE},
    {BYTES("\xcf\x00\x00\x00\x00\x00\x00\x00"), IN_VALUE},
    {BYTES("\xd0"), IN_VALUE},
    {BYTES("\xd1\x00"), IN_VALUE},
    {BYTES("\xd2\x00\x00\x00"), IN_VALUE},
    {BYTES("\xd3\x00\x00\x00\x00\x00\x00\x00"), IN_VALUE},
    {BYTES("\xa1"), IN_VALUE},
    {BYTES("\xbf"
           "short"),
     IN_VALUE},
    {BYTES("\xd9"), IN_LENGTH},
    {BYTES("\xd9\x01"), IN_VALUE},
    {BYTES("\xda\x00"), IN_LENGTH},
    {BYTES("\xda\x00\x01"), IN_VALUE},
    {BYTES("\xdb\x00\x00\x00"), IN_LENGTH},
    {BYTES("\xdb\xff\xff\xff\xff"), IN_VALUE},
    {BYTES("\xc4"), IN_LENGTH},
    {BYTES("\xc4\x02x"), IN_VALUE},
    {BYTES("\xc5\x01"), IN_LENGTH},
    {BYTES("\xc5\x00\x02x"), IN_VALUE},
    {BYTES("\xc6\x01\x00\x00"), IN_LENGTH},
    {BYTES("\xc6\xff\xff\xff\xff"), IN_VALUE},
    {BYTES("\xc7"), IN_LENGTH},
    {BYTES("\xc7\x00"), IN_VALUE},
    {BYTES("\xc7\x01\x05"), IN_VALUE},
    {BYTES("\xc8\x00\x01\x05"), IN_VALUE},
    {BYTES("\xc9\xff\xff\xff\xff\x05"), IN_VALUE},
    {BYTES("\xd4\x05"), IN_VALUE},
    {BYTES("\xd8\x05xxxxxxxxxxxxxxx"), IN_VALUE},
    {BYTES("\xa1\xff"), NOT_UTF8},
    {BYTES("\xa1\x80"), NOT_UTF8},
    {BYTES("\xa1\xc3"), NOT_UTF8},
    {BYTES("\xa2\xc0\x80"), NOT_UTF8},
    {BYTES("\xa3\xed\xa0\x80"), NOT_UTF8},
    {BYTES("\xa4\xf4\x90\x80\x80"), NOT_UTF8},
    {BYTES("\x81\xa1\xff\x01"), NOT_UTF8},
    {BYTES("\xd9\x09"
           "12345678\xff"),
     NOT_UTF8},
    {BYTES("\xd4\xff\x00"), STAMP_SIZE},
    {BYTES("\xd5\xff\x00\x00"), STAMP_SIZE},
    {BYTES("\xd8\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), STAMP_SIZE},
    {BYTES("\xc7\x00\xff"), STAMP_SIZE},
    {BYTES("\xd7\xff\xee\x6b\x28\x00\x00\x00\x00\x00"), STAMP_NANOSECONDS},
    {BYTES("\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff"), STAMP_NANOSECONDS},
    {BYTES("\xc7\x0c\xff\x3b\x9a\xca\x00\x00\x00\x00\x00\x00\x00\x00\x00"), STAMP_NANOSECONDS},
    {BYTES("\x91"), CLAIM},
    {BYTES("\x92\xc0"), CLAIM},
    {BYTES("\x81"), CLAIM},
    {BYTES("\x81\xc0"), CLAIM},
    {BYTES("\xdc\x00"), IN_LENGTH},
    {BYTES("\xdc\x00\x02\xc0"), CLAIM},
    {BYTES("\xdd\x00\x00\x00"), IN_LENGTH},
    {BYTES("\xdd\x00\x98\x96\x80"), CLAIM},
    {BYTES("\xdd\xff\xff\xff\xff\xc0"), CLAIM},
    {BYTES("\xde\x00"), IN_LENGTH},
    {BYTES("\xde\x00\x01\xc0"), CLAIM},
    {BYTES("\xdf\x00\x98\x96\x80"), CLAIM},
    {BYTES("\xdf\x80\x00\x00\x00\xc0\xc0"), CLAIM},
    {BYTES("\x93\x91\x91\xc0"), CLAIM},
    {BYTES("\x92\xa1\xc3\xa9"), NOT_UTF8},
    {BYTES("\x92\xa2\xc3\xa9"), NO_VALUE},
    {BYTES("\x81\x90\xc0"), BAD_KEY},
    {BYTES("\x81\x80\xc0"), BAD_KEY},
    {BYTES("\x82\x01\x90\x91\x01\x01"), BAD_KEY},
    {BYTES("\x81\xdc\x00\x00\xc0"), BAD_KEY},
    {BYTES("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
           "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x90"),
     TOO_DEEP},
};

static void malformed_bytes_are_refused_with_their_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
        struct busbar_value *value = NULL;
        const char *reason = "nothing";
        /* A copy of the exact size, so that a sanitizer sees a read past the end. */
        CLEANUP(cleanup_free) void *data = malloc(malformed[i].size);
        if (malformed[i].size > 0) {
            memcpy(data, malformed[i].data, malformed[i].size);
        }
        enum busbar_status status = busbar_value_decode(&value, data, malformed[i].size, &reason);
        assert_null(value);
        if (status != BUSBAR_BAD_REQUEST || strcmp(reason, malformed[i].reason) != 0) {
            fail_msg("row %zu: %s, \"%s\" instead of \"%s\"", i, busbar_status_name(status), reason,
                     malformed[i].reason);
        }
    }
}

static void no_bytes_at_no_address_are_refused(void **state)
{
    (void)state;
    struct busbar_value *value = NULL;
    assert_int_equal(busbar_value_decode(&value, NULL, 0, NULL), BUSBAR_BAD_REQUEST);
}

static void every_cut_of_a_good_body_is_refused(void **state)
{
    (void)state;
    static const char body[] = "\x83\xa6$class\xa1P\xa1x\x93\xcd\x01\x00\xc4\x02xy\xd6\xff\x00\x00"
                               "\x00\x00\x05\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00";
    struct busbar_value *value = NULL;
    assert_int_equal(busbar_value_decode(&value, body, sizeof(body) - 1, NULL), BUSBAR_OK);
    busbar_value_destroy(&value);
    for (size_t size = 0; size < sizeof(body) - 1; size++) {
        assert_int_equal(busbar_value_decode(&value, body, size, NULL), BUSBAR_BAD_REQUEST);
    }
}

/* xorshift64: the same numbers in every run. */
static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Whatever decodes must encode, and decode again as an equal value. Returns whether it decoded. */
static bool decodes_consistently(const uint8_t *data, size_t size)
{
    CLEANUP(cleanup_free) uint8_t *exact = malloc(size);
    if (size > 0) {
        memcpy(exact, data, size);
    }
    VALUE first = NULL;
    VALUE second = NULL;
    CLEANUP(cleanup_free) void *encoded = NULL;
    size_t encoded_size = 0;
    const char *reason = NULL;
    enum busbar_status status = busbar_value_decode(&first, exact, size, &reason);
    if (status == BUSBAR_BAD_REQUEST) {
        assert_non_null(reason);
        return false;
    }
    assert_int_equal(status, BUSBAR_OK);
    assert_int_equal(busbar_value_encode(first, &encoded, &encoded_size), BUSBAR_OK);
    assert_true(encoded_size <= size + 4 * size);
    assert_int_equal(busbar_value_decode(&second, encoded, encoded_size, NULL), BUSBAR_OK);
    assert_true(busbar_value_equal(first, second));
    return true;
}

static void random_bytes_never_crash_and_good_ones_survive_a_round_trip(void **state)
{
    (void)state;
    uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
    int decoded = 0;
    for (int i = 0; i < 100000; i++) {
        uint8_t data[24];
        size_t size = random_next(&seed) % sizeof(data);
        for (size_t j = 0; j < size; j++) {
            /* Half of the bytes from the range where the formats are. */
            uint64_t number = random_next(&seed);
            data[j] = (uint8_t)(number & 0x100 ? 0x80 | (number & 0x7f) : number);
        }
        decoded += decodes_consistently(data, size);
    }
    assert_true(decoded > 1000);
}

static void mutated_bodies_never_crash_and_good_ones_survive_a_round_trip(void **state)
{
    (void)state;
    static const char body[] =
        "\x95\x84\xa6$class\xa1P\xa1x\x93\xcd\x01\x00\xc4\x02xy\xd6\xff\x00\x00\x00\x00\xc0\xc2\x05"
        "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xd3\xff\xff\xff\xff\x7f\xff\xff\xff\xd9\x03\xe2\x82"
        "\xac\xdc\x00\x02\xc7\x03\x10xyz\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01\xcf\xff\xff\xff"
        "\xff\xff\xff\xff\xff";
    uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);
    int decoded = 0;
    assert_true(decodes_consistently((const uint8_t *)body, sizeof(body) - 1));
    for (int i = 0; i < 100000; i++) {
        uint8_t data[sizeof(body)];
        size_t size = sizeof(body) - 1;
        memcpy(data, body, size);
        uint64_t changes = 1 + random_next(&seed) % 4;
        for (uint64_t j = 0; j < changes; j++) {
            uint64_t number = random_next(&seed);
            data[number % size] = (uint8_t)(number >> 32);
        }
        size -= random_next(&seed) % 8 == 0 ? random_next(&seed) % size : 0;
        decoded += decodes_consistently(data, size);
    }
    assert_true(decoded > 1000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_bytes_are_refused_with_their_reason),
        cmocka_unit_test(no_bytes_at_no_address_are_refused),
        cmocka_unit_test(every_cut_of_a_good_body_is_refused),
        cmocka_unit_test(random_bytes_never_crash_and_good_ones_survive_a_round_trip),
        cmocka_unit_test(mutated_bodies_never_crash_and_good_ones_survive_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
