/* Several frames as one body, and back. */
#include <busbar/value.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/frames.h"

enum {
    BIG = 70000,
};

static uint8_t big[BIG];

static struct bytes run(size_t size)
{
    return (struct bytes){.data = big, .size = size};
}

static void assert_same(struct bytes a, struct bytes b)
{
    assert_int_equal(a.size, b.size);
    if (a.size > 0)
        assert_memory_equal(a.data, b.data, a.size);
}

static void a_list_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 15, 16, 17, FRAMES_MAX};
    static const size_t sizes[] = {0, 1, 255, 256, 65535, 65536, BIG};
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)i;
    for (size_t at = 0; at < ARRAY_SIZE(counts); at++) {
        struct bytes frames[FRAMES_MAX];
        struct bytes read[FRAMES_MAX];
        size_t count = counts[at];
        for (size_t i = 0; i < count; i++)
            frames[i] = run(sizes[i % (count > 20 ? 3 : ARRAY_SIZE(sizes))]);
        struct bytes body = {.size = frames_list_size(frames, count)};
        CLEANUP(cleanup_free) uint8_t *data = malloc(body.size);
        body.data = data;
        frames_list_write(data, frames, count);
        assert_int_equal(frames_of_body(read, body, PACKET_MESSAGEPACK), count);
        for (size_t i = 0; i < count; i++)
            assert_same(read[i], frames[i]);
        CLEANUP(busbar_value_destroy) struct busbar_value *value = NULL;
        assert_int_equal(busbar_value_decode(&value, data, body.size, NULL), BUSBAR_OK);
        assert_int_equal(busbar_value_count(value), count);
        assert_int_equal(busbar_value_type(busbar_value_at(value, count - 1)), BUSBAR_BYTES);
    }
}

static void any_other_body_is_one_frame(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
        uint8_t encoding;
    } bodies[] = {
        {"", 0, PACKET_RAW},
        {"", 0, PACKET_MESSAGEPACK},
        {"\x92\xc4\x01x\xc4\x01y", 7, PACKET_RAW},
        {"\x91\xc4\x01x", 4, PACKET_MESSAGEPACK},
        {"\x90", 1, PACKET_MESSAGEPACK},
        {"\x92\xc4\x01x\xa1y", 6, PACKET_MESSAGEPACK},
        {"\x92\xc4\x01x\xc4\x02y", 7, PACKET_MESSAGEPACK},
        {"\x92\xc4\x01x", 4, PACKET_MESSAGEPACK},
        {"\x92\xc4\x01x\xc4\x01y\x01", 8, PACKET_MESSAGEPACK},
        {"\x92\xc6\xff\xff\xff\xff\xc4\x01y", 9, PACKET_MESSAGEPACK},
        {"\xdd\xff\xff\xff\xff", 5, PACKET_MESSAGEPACK},
        {"\xdc\x04\x01\xc4\x01x", 6, PACKET_MESSAGEPACK},
        {"\xdc\x04", 2, PACKET_MESSAGEPACK},
        {"\xa1y", 2, PACKET_MESSAGEPACK},
        {"\x82\xc4\x01x\xc4\x01y", 7, PACKET_MESSAGEPACK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct bytes frames[FRAMES_MAX];
        struct bytes body = {.data = (const uint8_t *)bodies[i].data, .size = bodies[i].size};
        assert_int_equal(frames_of_body(frames, body, bodies[i].encoding), 1);
        assert_same(frames[0], body);
    }
}

static void longer_forms_of_a_list_are_read_too(void **state)
{
    (void)state;
    static const uint8_t list[] = {0xdd, 0, 0, 0, 2, 0xc6, 0, 0, 0, 1, 'x', 0xc5, 0, 1, 'y'};
    struct bytes frames[FRAMES_MAX];
    struct bytes body = {.data = list, .size = sizeof list};
    assert_int_equal(frames_of_body(frames, body, PACKET_MESSAGEPACK), 2);
    assert_same(frames[0], bytes_of_text("x"));
    assert_same(frames[1], bytes_of_text("y"));
}

static void the_first_frame_is_taken_off(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint8_t encoding;
        const char *first;
        const char *rest;
        uint8_t rest_encoding;
    } bodies[] = {
        {"name", PACKET_RAW, "name", "", PACKET_RAW},
        {"\x92\xc4\x01m\xc4\x02yz", PACKET_MESSAGEPACK, "m", "yz", PACKET_RAW},
        {"\x93\xc4\x01m\xc4\x01y\xc4\x01z", PACKET_MESSAGEPACK, "m", "\x92\xc4\x01y\xc4\x01z",
         PACKET_MESSAGEPACK},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        uint8_t space[64];
        struct bytes body = bytes_of_text(bodies[i].body);
        uint8_t encoding = bodies[i].encoding;
        assert_same(frames_take_first(&body, &encoding, space), bytes_of_text(bodies[i].first));
        assert_same(body, bytes_of_text(bodies[i].rest));
        assert_int_equal(encoding, bodies[i].rest_encoding);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_read_as_it_was_written),
        cmocka_unit_test(any_other_body_is_one_frame),
        cmocka_unit_test(longer_forms_of_a_list_are_read_too),
        cmocka_unit_test(the_first_frame_is_taken_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
