/* Holds decoder and encoder of bundles to the hand-written vectors. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/packet.h"
#include "protocol/session.h"

static const char *const WIRE_FILES[] = {
    "tests/vectors/sessions.txt", "tests/vectors/registry.txt", "tests/vectors/calls.txt",
    "tests/vectors/kinds.txt",    "tests/vectors/bundles.txt",  "tests/vectors/malformed.txt",
};

/* What one `packet` part of a vector says. */
struct expected {
    struct packet packet;
    struct hello hello;
    struct welcome welcome;
    struct reset reset;
    bool body_given;
    bool malformed_body;
};

static const struct {
    const char *key;
    size_t offset;
    size_t width;
} NUMBERS[] = {
#define NUMBER(key, place)                                                                         \
    {                                                                                              \
        key, offsetof(struct expected, place), sizeof(((struct expected *)NULL)->place)            \
    }
    NUMBER("flags", packet.flags),
    NUMBER("status", packet.status),
    NUMBER("fate", packet.fate),
    NUMBER("encoding", packet.encoding),
    NUMBER("id", packet.id),
    NUMBER("timeout", packet.timeout),
    NUMBER("last_epoch", hello.last_epoch),
    NUMBER("epoch", welcome.epoch),
    NUMBER("epoch", reset.epoch),
    NUMBER("body_limit", welcome.body_limit),
    NUMBER("capabilities", hello.capabilities),
    NUMBER("capabilities", welcome.capabilities),
    NUMBER("heartbeat_interval", welcome.heartbeat_interval),
    NUMBER("heartbeat_liveness", welcome.heartbeat_liveness),
#undef NUMBER
};

static const struct {
    const char *key;
    size_t offset;
} RUNS[] = {
    {"service", offsetof(struct expected, packet.service)},
    {"method", offsetof(struct expected, packet.method)},
    {"metadata", offsetof(struct expected, packet.metadata)},
    {"body", offsetof(struct expected, packet.body)},
};

static uint8_t command_of_text(const char *text)
{
    for (unsigned number = 0; number < 256; number++) {
        const char *name = packet_command_name((uint8_t)number);
        if (name != NULL && strcmp(name, text) == 0)
            return (uint8_t)number;
    }
    return (uint8_t)strtoul(text, NULL, 0);
}

static bool expect_number(struct expected *expected, const struct vector_line *line)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++) {
        if (strcmp(NUMBERS[i].key, line->key) != 0)
            continue;
        uint64_t number = strtoull(line->text, NULL, 0);
        uint8_t *to = (uint8_t *)expected + NUMBERS[i].offset;
        for (size_t byte = 0; byte < NUMBERS[i].width; byte++) {
            size_t place = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? byte
                                                                     : NUMBERS[i].width - 1 - byte;
            to[place] = (uint8_t)(number >> (8 * byte));
        }
        found = true;
    }
    return found;
}

static bool expect_run(struct expected *expected, const struct vector_line *line)
{
    for (size_t i = 0; i < ARRAY_SIZE(RUNS); i++) {
        if (strcmp(RUNS[i].key, line->key) != 0)
            continue;
        struct vector_bytes bytes;
        struct bytes *run = (struct bytes *)(void *)((uint8_t *)expected + RUNS[i].offset);
        assert_true(vector_parse_bytes(&bytes, line->text));
        *run = (struct bytes){bytes.data, bytes.size};
        if (run == &expected->packet.body)
            expected->body_given = true;
        return true;
    }
    return false;
}

static void expect_line(struct expected *expected, const struct vector *vector,
                        const struct vector_line *line)
{
    if (strcmp(line->key, "command") == 0) {
        expected->packet.command = command_of_text(line->text);
    } else if (strcmp(line->key, "refused") == 0) {
        expected->reset.command = command_of_text(line->text);
    } else if (strcmp(line->key, "malformed_body") == 0) {
        expected->malformed_body = true;
    } else if (strcmp(line->key, "instance") == 0) {
        struct vector_bytes bytes;
        assert_true(vector_parse_bytes(&bytes, line->text));
        assert_int_equal(bytes.size, INSTANCE_SIZE);
        memcpy(expected->hello.instance, bytes.data, INSTANCE_SIZE);
        free(bytes.data);
    } else if (!expect_number(expected, line) && !expect_run(expected, line)) {
        fail_msg("%s: no field is called %s", vector->name, line->key);
    }
}

/* Reads the part that starts at a line; returns the line after it. */
static size_t expect_part(struct expected *expected, const struct vector *vector, size_t at)
{
    *expected = (struct expected){0};
    for (at++; at < vector->line_count; at++) {
        const struct vector_line *line = &vector->lines[at];
        if (strcmp(line->key, "packet") == 0 || strcmp(line->key, "error") == 0)
            break;
        expect_line(expected, vector, line);
    }
    return at;
}

static void expected_fini(struct expected *expected)
{
    for (size_t i = 0; i < ARRAY_SIZE(RUNS); i++) {
        struct bytes *run = (struct bytes *)(void *)((uint8_t *)expected + RUNS[i].offset);
        free((void *)(uintptr_t)run->data);
    }
}

#define CHECK_NUMBER(vector, got, want, field)                                                     \
    do {                                                                                           \
        if ((got)->field != (want)->field)                                                         \
            fail_msg("%s: " #field " is 0x%llx, expected 0x%llx", (vector)->name,                  \
                     (unsigned long long)(got)->field, (unsigned long long)(want)->field);         \
    } while (0)

static void check_run(const struct vector *vector, struct bytes got, struct bytes want)
{
    if (got.size != want.size || (want.size > 0 && memcmp(got.data, want.data, got.size) != 0))
        fail_msg("%s: %zu bytes are not the %zu expected ones", vector->name, got.size, want.size);
}

static void check_header(const struct vector *vector, const struct packet *got,
                         const struct packet *want)
{
    CHECK_NUMBER(vector, got, want, command);
    CHECK_NUMBER(vector, got, want, flags);
    CHECK_NUMBER(vector, got, want, status);
    CHECK_NUMBER(vector, got, want, fate);
    CHECK_NUMBER(vector, got, want, encoding);
    CHECK_NUMBER(vector, got, want, id);
    CHECK_NUMBER(vector, got, want, timeout);
    check_run(vector, got->service, want->service);
    check_run(vector, got->method, want->method);
    check_run(vector, got->metadata, want->metadata);
}

static bool check_hello(const struct vector *vector, const struct packet *packet,
                        const struct expected *expected, uint8_t *ret_body)
{
    struct hello hello;
    if (!hello_read(packet->body, &hello))
        return false;
    assert_memory_equal(hello.instance, expected->hello.instance, INSTANCE_SIZE);
    CHECK_NUMBER(vector, &hello, &expected->hello, last_epoch);
    CHECK_NUMBER(vector, &hello, &expected->hello, capabilities);
    hello_write(ret_body, &hello);
    return true;
}

static bool check_welcome(const struct vector *vector, const struct packet *packet,
                          const struct expected *expected, uint8_t *ret_body)
{
    struct welcome welcome;
    if (!welcome_read(packet, &welcome))
        return false;
    assert_true(welcome.token == packet->id);
    CHECK_NUMBER(vector, &welcome, &expected->welcome, epoch);
    CHECK_NUMBER(vector, &welcome, &expected->welcome, body_limit);
    CHECK_NUMBER(vector, &welcome, &expected->welcome, capabilities);
    CHECK_NUMBER(vector, &welcome, &expected->welcome, heartbeat_interval);
    CHECK_NUMBER(vector, &welcome, &expected->welcome, heartbeat_liveness);
    welcome_write(ret_body, &welcome);
    return true;
}

static bool check_reset(const struct vector *vector, const struct packet *packet,
                        const struct expected *expected, uint8_t *ret_body)
{
    struct reset reset;
    if (!reset_read(packet->body, &reset))
        return false;
    CHECK_NUMBER(vector, &reset, &expected->reset, epoch);
    CHECK_NUMBER(vector, &reset, &expected->reset, command);
    reset_write(ret_body, &reset);
    return true;
}

/* Bodies of fixed size: how they are checked and written again. */
static const struct {
    uint8_t command;
    size_t size;
    bool (*check)(const struct vector *vector, const struct packet *packet,
                  const struct expected *expected, uint8_t *ret_body);
} FIXED[] = {
    {PACKET_HELLO, HELLO_SIZE, check_hello},
    {PACKET_WELCOME, WELCOME_SIZE, check_welcome},
    {PACKET_RESET, RESET_SIZE, check_reset},
};

/* Compares the body; where its size is fixed it is replaced by what the encoder makes of it. */
static void check_body(const struct vector *vector, struct packet *packet,
                       const struct expected *expected, uint8_t *room)
{
    bool fixed = false;
    for (size_t i = 0; i < ARRAY_SIZE(FIXED); i++) {
        if (FIXED[i].command != packet->command)
            continue;
        fixed = true;
        bool good = FIXED[i].check(vector, packet, expected, room);
        if (good == expected->malformed_body)
            fail_msg("%s: the body is %s", vector->name, good ? "well-formed" : "malformed");
        if (good && packet->body.size == FIXED[i].size)
            packet->body = (struct bytes){room, FIXED[i].size};
    }
    if (!fixed || expected->body_given || expected->malformed_body)
        check_run(vector, packet->body, expected->packet.body);
}

/* The error that ends a message, with its id if the answer has one. */
static void check_error(const struct vector *vector, const struct vector_line *line,
                        enum packet_error error, const struct packet *packet)
{
    static const char *const NAMES[] = {
#define ERROR_NAME(name, text) [PACKET_ERROR_##name] = #name,
        PACKET_ERROR_TABLE(ERROR_NAME)
#undef ERROR_NAME
    };
    if (strcmp(NAMES[error], line->text) != 0)
        fail_msg("%s: error %s, expected %s", vector->name, NAMES[error], line->text);
    if (line + 1 < vector->lines + vector->line_count) {
        assert_string_equal(line[1].key, "id");
        if (packet->id != strtoull(line[1].text, NULL, 0))
            fail_msg("%s: the error is of another id", vector->name);
    }
}

/* Decodes one vector, compares each field, and encodes what was read into `written`. */
static void check_packets(const struct vector *vector, struct bundle_reader *reader,
                          struct vector_bytes *written)
{
    size_t at = 0;
    while (!bundle_is_done(reader)) {
        struct packet packet = {0};
        struct expected expected;
        uint8_t room[64];
        enum packet_error error = bundle_read(reader, &packet);
        if (at == vector->line_count)
            fail_msg("%s: a packet more than expected", vector->name);
        if (strcmp(vector->lines[at].key, "error") == 0 || error != PACKET_ERROR_NONE) {
            check_error(vector, &vector->lines[at], error, &packet);
            assert_true(bundle_is_done(reader));
            return;
        }
        at = expect_part(&expected, vector, at);
        check_header(vector, &packet, &expected.packet);
        check_body(vector, &packet, &expected, room);
        packet_write(written->data + written->size, &packet);
        written->size += packet_size(&packet);
        expected_fini(&expected);
    }
    if (at != vector->line_count)
        fail_msg("%s: a packet less than expected", vector->name);
}

static size_t count_key(const struct vector *vector, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < vector->line_count; i++)
        count += strcmp(vector->lines[i].key, key) == 0;
    return count;
}

static void check_vector(const struct vector *vector)
{
    CLEANUP(cleanup_free) uint8_t *room = calloc(1, BUNDLE_SIZE_MAX + 64);
    struct vector_bytes written = {room, BUNDLE_HEADER_SIZE};
    struct bytes frame = {vector->frame.data, vector->frame.size};
    struct bytes attached = {vector->attached.data, vector->attached.size};
    struct bundle_reader reader;

    assert_non_null(room);
    enum packet_error error = bundle_open(&reader, frame, attached.data ? &attached : NULL);
    if (error != PACKET_ERROR_NONE) {
        if (vector->line_count == 0)
            fail_msg("%s: %s", vector->name, packet_error_text(error));
        check_error(vector, &vector->lines[0], error, &(struct packet){0});
        assert_true(bundle_is_done(&reader));
        return;
    }
    bundle_write_header(written.data);
    check_packets(vector, &reader, &written);
    if (count_key(vector, "error") > 0)
        return;
    bool same = written.size == frame.size && memcmp(written.data, frame.data, frame.size) == 0;
    if (same == vector->tolerated)
        fail_msg("%s: encoded again, the bytes are %s", vector->name, same ? "equal" : "others");
}

static void load_all(struct vector_list *list)
{
    for (size_t i = 0; i < ARRAY_SIZE(WIRE_FILES); i++)
        assert_true(vectors_load(list, WIRE_FILES[i]));
}

static void every_vector_decodes_to_its_fields_and_encodes_to_its_bytes(void **state)
{
    (void)state;
    CLEANUP(vectors_fini) struct vector_list list = {0};
    load_all(&list);
    assert_true(list.count > 100);
    for (size_t i = 0; i < list.count; i++)
        check_vector(&list.items[i]);
}

static void every_command_and_every_error_of_a_bundle_has_a_vector(void **state)
{
    (void)state;
    CLEANUP(vectors_fini) struct vector_list list = {0};
    bool commands[256] = {false};
    size_t refused = 0;
    load_all(&list);
    for (size_t i = 0; i < list.count; i++) {
        const struct vector *vector = &list.items[i];
        assert_ptr_equal(vectors_find(&list, vector->name), vector);
        refused += count_key(vector, "error");
        for (size_t j = 0; j < vector->line_count; j++) {
            if (strcmp(vector->lines[j].key, "command") == 0)
                commands[command_of_text(vector->lines[j].text)] = true;
        }
    }
    assert_true(refused >= 40);
    for (unsigned number = 0; number < 256; number++) {
        if (packet_command_name((uint8_t)number) != NULL && !commands[number])
            fail_msg("%s has no vector", packet_command_name((uint8_t)number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_decodes_to_its_fields_and_encodes_to_its_bytes),
        cmocka_unit_test(every_command_and_every_error_of_a_bundle_has_a_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
