/* Properties of bundles and packets that no list of vectors can cover: every cut, every flag, random
 * packets there and back. */
#include "protocol/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* Repeatable numbers (xorshift); never 0. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct bytes run_of(const uint8_t *from, size_t size)
{
    return (struct bytes){.data = from, .size = size};
}

/* A frame of exactly the size of its packets, so that a sanitizer sees a read behind its end. */
static struct bytes frame_of(const struct packet *packets, size_t count)
{
    size_t size = BUNDLE_HEADER_SIZE;
    for (size_t i = 0; i < count; i++)
        size += packet_size(&packets[i]);
    uint8_t *data = malloc(size);
    assert_non_null(data);
    memset(data, 0xee, size);
    bundle_write_header(data);
    uint8_t *next = data + BUNDLE_HEADER_SIZE;
    for (size_t i = 0; i < count; i++) {
        packet_write(next, &packets[i]);
        next += packet_size(&packets[i]);
    }
    return (struct bytes){.data = data, .size = size};
}

static void frame_free(struct bytes *frame)
{
    free((void *)(uintptr_t)frame->data);
}

static void assert_run_equal(struct bytes got, struct bytes want)
{
    assert_int_equal(got.size, want.size);
    if (want.size > 0)
        assert_memory_equal(got.data, want.data, want.size);
}

static void assert_packet_equal(const struct packet *got, const struct packet *want)
{
    assert_int_equal(got->command, want->command);
    assert_int_equal(got->flags, want->flags);
    assert_int_equal(got->status, want->status);
    assert_int_equal(got->fate, want->fate);
    assert_int_equal(got->encoding, want->encoding);
    assert_int_equal(got->timeout, want->timeout);
    assert_true(got->id == want->id);
    assert_run_equal(got->service, want->service);
    assert_run_equal(got->method, want->method);
    assert_run_equal(got->metadata, want->metadata);
    assert_run_equal(got->body, want->body);
}

static const struct packet CALL = {
    .command = PACKET_CALL,
    .timeout = 5000,
    .id = 42,
    .service = {(const uint8_t *)"greeter", 7},
    .method = {(const uint8_t *)"get_data", 8},
    .metadata = {(const uint8_t *)"\x01\x80\x00\x00", 4},
    .body = {(const uint8_t *)"Hello", 5},
};

static struct packet first_packet(struct bytes frame)
{
    struct bundle_reader reader;
    struct packet packet;
    assert_int_equal(bundle_open(&reader, frame, NULL), PACKET_ERROR_NONE);
    assert_int_equal(bundle_read(&reader, &packet), PACKET_ERROR_NONE);
    return packet;
}

static struct packet random_packet(uint64_t *seed, const uint8_t *noise)
{
    uint64_t bits = next_random(seed);
    return (struct packet){
        .command = (uint8_t)bits,
        .flags = (uint8_t)(bits >> 8) & 0x0f,
        .status = (uint8_t)(bits >> 16),
        .fate = (uint8_t)(bits >> 24) & 0x0f,
        .encoding = (uint8_t)(bits >> 32) & 0x0f,
        .timeout = (uint32_t)next_random(seed),
        .id = next_random(seed),
        .service = run_of(noise, next_random(seed) % (127 + 1)),
        .method = run_of(noise + 1, next_random(seed) % (127 + 1)),
        .metadata = run_of(noise + 2, next_random(seed) % (PACKET_METADATA_MAX + 1)),
        .body = run_of(noise + 3, next_random(seed) % 2000),
    };
}

static void random_packets_are_read_as_they_were_written(void **state)
{
    (void)state;
    uint64_t seed = 20240607;
    uint8_t noise[PACKET_METADATA_MAX + 2];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)next_random(&seed);
    for (int round = 0; round < 500; round++) {
        struct packet packets[8];
        size_t count = 1 + next_random(&seed) % ARRAY_SIZE(packets);
        for (size_t i = 0; i < count; i++)
            packets[i] = random_packet(&seed, noise);
        CLEANUP(frame_free) struct bytes frame = frame_of(packets, count);
        struct bundle_reader reader;
        assert_int_equal(frame.size % PACKET_ALIGNMENT, 0);
        assert_int_equal(bundle_open(&reader, frame, NULL), PACKET_ERROR_NONE);
        for (size_t i = 0; i < count; i++) {
            struct packet read;
            assert_false(bundle_is_done(&reader));
            assert_int_equal(bundle_read(&reader, &read), PACKET_ERROR_NONE);
            assert_packet_equal(&read, &packets[i]);
        }
        assert_true(bundle_is_done(&reader));
    }
}

/* From places of their own, of exactly their size; and from a frame, where they stand in a row. */
static void names_of_each_length_are_written_and_passed_on(void **state)
{
    (void)state;
    uint8_t noise[64];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i + 1);
    for (size_t i = 0; i < 20 * 20; i++) {
        CLEANUP(cleanup_free) uint8_t *service = malloc(i % 20 + 1);
        CLEANUP(cleanup_free) uint8_t *method = malloc(i / 20 + 1);
        assert_true(service != NULL && method != NULL);
        memcpy(service, noise, i % 20);
        memcpy(method, noise + 20, i / 20);
        struct packet packet = CALL;
        packet.service = run_of(service, i % 20);
        packet.method = run_of(method, i / 20);
        CLEANUP(frame_free) struct bytes frame = frame_of(&packet, 1);
        struct packet read = first_packet(frame);
        assert_packet_equal(&read, &packet);
        read.id = packet.id = 43;
        CLEANUP(frame_free) struct bytes passed_on = frame_of(&read, 1);
        struct packet again = first_packet(passed_on);
        assert_packet_equal(&again, &packet);
    }
}

static void the_runs_of_a_packet_point_into_its_frame(void **state)
{
    (void)state;
    CLEANUP(frame_free) struct bytes frame = frame_of(&CALL, 1);
    struct bundle_reader reader;
    struct packet read;
    assert_int_equal(bundle_open(&reader, frame, NULL), PACKET_ERROR_NONE);
    assert_int_equal(bundle_read(&reader, &read), PACKET_ERROR_NONE);
    assert_ptr_equal(read.service.data, frame.data + BUNDLE_HEADER_SIZE + PACKET_HEADER_SIZE);
    assert_ptr_equal(read.body.data, read.service.data + 7 + 8 + 4);
}

/* The number of packets that could be read; a cut must never be read as something whole. */
static size_t packets_in(struct bytes frame, enum packet_error *ret_error)
{
    struct bundle_reader reader;
    struct packet packet;
    size_t count = 0;
    *ret_error = bundle_open(&reader, frame, NULL);
    while (*ret_error == PACKET_ERROR_NONE && !bundle_is_done(&reader)) {
        *ret_error = bundle_read(&reader, &packet);
        count += *ret_error == PACKET_ERROR_NONE;
    }
    assert_true(bundle_is_done(&reader));
    return count;
}

static void a_bundle_cut_anywhere_gives_only_whole_packets(void **state)
{
    (void)state;
    const struct packet packets[3] = {CALL, {.command = PACKET_CANCEL, .id = 7}, CALL};
    CLEANUP(frame_free) struct bytes frame = frame_of(packets, 3);
    const size_t ends[] = {8, 8 + 48, 8 + 48 + 24, 8 + 48 + 24 + 48};
    assert_int_equal(frame.size, ends[3]);
    for (size_t size = 0; size <= frame.size; size++) {
        CLEANUP(cleanup_free) uint8_t *cut = malloc(size + (size == 0));
        memcpy(cut, frame.data, size);
        enum packet_error error;
        size_t whole = 0;
        while (whole < 3 && size >= ends[whole + 1])
            whole++;
        assert_int_equal(packets_in(run_of(cut, size), &error), whole);
        if (size < BUNDLE_HEADER_SIZE)
            assert_int_equal(error, PACKET_ERROR_NOT_A_BUNDLE);
        else
            assert_int_equal(error,
                             size == ends[whole] ? PACKET_ERROR_NONE : PACKET_ERROR_TRUNCATED);
    }
}

static void exactly_the_known_critical_flags_are_accepted(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct packet packet = {.command = PACKET_CALL, .flags = (uint8_t)flags, .id = 9};
        const struct bytes attachment = {(const uint8_t *)"body", 4};
        CLEANUP(frame_free) struct bytes frame = frame_of(&packet, 1);
        struct bundle_reader reader;
        struct packet read;
        bool attached = flags & PACKET_ATTACHED;
        assert_int_equal(bundle_open(&reader, frame, attached ? &attachment : NULL),
                         PACKET_ERROR_NONE);
        assert_int_equal(bundle_read(&reader, &read),
                         flags & 0xe0 ? PACKET_ERROR_CRITICAL : PACKET_ERROR_NONE);
        assert_int_equal(read.command, PACKET_CALL);
        assert_int_equal(read.id, 9);
        if (!(flags & 0xe0))
            assert_int_equal(read.body.size, attached ? 4 : 0);
    }
}

static void a_bundle_of_another_version_is_refused(void **state)
{
    (void)state;
    CLEANUP(frame_free) struct bytes frame = frame_of(&CALL, 1);
    for (unsigned version = 0; version < 256; version++) {
        enum packet_error error;
        ((uint8_t *)(uintptr_t)frame.data)[4] = (uint8_t)version;
        packets_in(frame, &error);
        assert_int_equal(error,
                         version == BUNDLE_VERSION ? PACKET_ERROR_NONE : PACKET_ERROR_VERSION);
    }
}

/* Any size field over a buffer of exactly one packet: nothing but the right one gets through. */
static void every_wrong_size_of_a_packet_is_refused(void **state)
{
    (void)state;
    const struct packet packet = {.command = PACKET_REPLY,
                                  .body = {(const uint8_t *)"12345678", 8}};
    CLEANUP(frame_free) struct bytes frame = frame_of(&packet, 1);
    uint8_t *size_field = (uint8_t *)(uintptr_t)frame.data + BUNDLE_HEADER_SIZE;
    uint64_t seed = 4711;
    for (int round = 0; round < 20000; round++) {
        uint32_t size = round < 200 ? (uint32_t)round : (uint32_t)next_random(&seed);
        for (int i = 0; i < 4; i++)
            size_field[i] = (uint8_t)(size >> (8 * i));
        enum packet_error error;
        size_t count = packets_in(frame, &error);
        if (size < 24)
            assert_int_equal(error, PACKET_ERROR_SHORT);
        else if (size > 32)
            assert_int_equal(error, PACKET_ERROR_TRUNCATED);
        else /* 24 is a whole packet, but then the 8 bytes of the body are the cut start of one */
            assert_int_equal(error, size == 24 ? PACKET_ERROR_TRUNCATED : PACKET_ERROR_NONE);
        assert_int_equal(count, size >= 24 && size <= 32);
    }
}

static void padding_is_written_as_zeros_over_whatever_was_there(void **state)
{
    (void)state;
    for (size_t body = 0; body < 16; body++) {
        struct packet packet = {.command = PACKET_REPLY,
                                .body = run_of((const uint8_t *)"0123456789abcdef", body)};
        CLEANUP(frame_free) struct bytes frame = frame_of(&packet, 1);
        assert_int_equal(frame.size, 8 + 24 + (body + 7) / 8 * 8);
        for (size_t i = 8 + 24 + body; i < frame.size; i++)
            assert_int_equal(frame.data[i], 0);
    }
}

static void an_attached_body_is_neither_counted_nor_written(void **state)
{
    (void)state;
    struct packet packet = CALL;
    packet.flags = PACKET_ATTACHED;
    assert_int_equal(packet_size(&CALL), 48);
    assert_int_equal(packet_size(&packet), 48); /* 43 and 48 bytes: both need 48 */
    packet.metadata.size = 0;
    assert_int_equal(packet_size(&packet), 40);
    packet.body = run_of(NULL, 1000000);
    assert_int_equal(packet_size(&packet), 40);
    CLEANUP(frame_free) struct bytes frame = frame_of(&packet, 1);
    assert_int_equal(frame.size, 48);
}

static void a_bundle_without_a_packet_may_not_have_a_second_frame(void **state)
{
    (void)state;
    const struct bytes attachment = {(const uint8_t *)"body", 4};
    CLEANUP(frame_free) struct bytes frame = frame_of(NULL, 0);
    struct bundle_reader reader;
    assert_int_equal(bundle_open(&reader, frame, NULL), PACKET_ERROR_NONE);
    assert_true(bundle_is_done(&reader));
    assert_int_equal(bundle_open(&reader, frame, &attachment), PACKET_ERROR_ATTACHMENT);
    assert_true(bundle_is_done(&reader));
}

static void commands_have_the_numbers_and_names_of_the_document(void **state)
{
    (void)state;
    static const struct {
        uint8_t number;
        const char *name;
    } COMMANDS[] = {
        {0x01, "HELLO"},      {0x02, "WELCOME"},      {0x03, "RESET"},    {0x04, "BYE"},
        {0x05, "GOAWAY"},     {0x06, "HEARTBEAT"},    {0x10, "REGISTER"}, {0x11, "REGISTERED"},
        {0x12, "DEREGISTER"}, {0x13, "DEREGISTERED"}, {0x14, "REFUSED"},  {0x15, "CREDIT"},
        {0x20, "CALL"},       {0x21, "REPLY"},        {0x22, "ERROR"},    {0x23, "CANCEL"},
        {0x24, "RETURN"},     {0x30, "PART"},         {0x31, "GRANT"},    {0x32, "PROGRESS"},
    };
    size_t named = 0;
    for (unsigned number = 0; number < 256; number++)
        named += packet_command_name((uint8_t)number) != NULL;
    assert_int_equal(named, ARRAY_SIZE(COMMANDS));
    for (size_t i = 0; i < ARRAY_SIZE(COMMANDS); i++)
        assert_string_equal(packet_command_name(COMMANDS[i].number), COMMANDS[i].name);
}

static void every_error_has_a_text(void **state)
{
    (void)state;
    for (int error = 0; error < PACKET_ERROR_COUNT; error++)
        assert_true(strlen(packet_error_text((enum packet_error)error)) > 5);
    assert_string_equal(packet_error_text(PACKET_ERROR_COUNT), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_packets_are_read_as_they_were_written),
        cmocka_unit_test(names_of_each_length_are_written_and_passed_on),
        cmocka_unit_test(the_runs_of_a_packet_point_into_its_frame),
        cmocka_unit_test(a_bundle_cut_anywhere_gives_only_whole_packets),
        cmocka_unit_test(exactly_the_known_critical_flags_are_accepted),
        cmocka_unit_test(a_bundle_of_another_version_is_refused),
        cmocka_unit_test(every_wrong_size_of_a_packet_is_refused),
        cmocka_unit_test(padding_is_written_as_zeros_over_whatever_was_there),
        cmocka_unit_test(an_attached_body_is_neither_counted_nor_written),
        cmocka_unit_test(a_bundle_without_a_packet_may_not_have_a_second_frame),
        cmocka_unit_test(commands_have_the_numbers_and_names_of_the_document),
        cmocka_unit_test(every_error_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
