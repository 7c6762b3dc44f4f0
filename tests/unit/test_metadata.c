/* Metadata: what is written reads back, and lengths that lie are not believed. */
#include "protocol/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void what_is_written_reads_back(void **state)
{
    (void)state;
    uint8_t data[PACKET_METADATA_MAX];
    struct metadata_writer writer = {.data = data, .capacity = sizeof data};
    struct metadata_caller caller = {.session = 7, .instance = {1, 2, 3}, .name = {0}};
    const struct metadata_attempt attempts[] = {{.worker = 3, .ms = 250}, {.worker = 9, .ms = 1}};
    metadata_put_caller(&writer, &caller);
    metadata_put_number(&writer, METADATA_HOPS, 1, 31);
    metadata_put_number(&writer, METADATA_WAIT, 4, 0x01020304);
    metadata_put_item(&writer, bytes_of_text("trace"), bytes_of_text("a1"));
    metadata_put_item(&writer, bytes_of_text("empty"), bytes_of_text(""));
    metadata_put_attempts(&writer, attempts, ARRAY_SIZE(attempts));
    assert_false(writer.full);

    struct bytes metadata = metadata_written(&writer);
    struct bytes value;
    uint64_t number = 0;
    struct metadata_caller read;
    struct metadata_attempt got[4];
    assert_true(metadata_find_number(metadata, METADATA_HOPS, 1, &number));
    assert_int_equal(number, 31);
    assert_true(metadata_find_number(metadata, METADATA_WAIT, 4, &number));
    assert_int_equal(number, 0x01020304);
    assert_false(metadata_find_number(metadata, METADATA_WAIT, 8, &number));
    assert_true(metadata_find_item(metadata, bytes_of_text("trace"), &value));
    assert_int_equal(value.size, 2);
    assert_memory_equal(value.data, "a1", 2);
    assert_true(metadata_find_item(metadata, bytes_of_text("empty"), &value));
    assert_int_equal(value.size, 0);
    assert_false(metadata_find_item(metadata, bytes_of_text("trac"), &value));
    assert_true(metadata_find_caller(metadata, &read));
    assert_int_equal(read.session, 7);
    assert_int_equal(read.instance[2], 3);
    assert_int_equal(read.name.size, 0);
    assert_int_equal(metadata_attempts(metadata, got, 4), 2);
    assert_int_equal(got[1].worker, 9);
    assert_int_equal(metadata_attempts(metadata, got, 1), 1);
    assert_int_equal(got[0].ms, 250);
}

static void what_does_not_fit_is_left_out_and_told(void **state)
{
    (void)state;
    uint8_t data[16];
    struct metadata_writer writer = {.data = data, .capacity = sizeof data};
    metadata_put_number(&writer, METADATA_HOPS, 1, 1);
    metadata_put_item(&writer, bytes_of_text("name"), bytes_of_text("too long"));
    assert_true(writer.full);
    assert_int_equal(writer.size, 5);
    writer.full = false;
    metadata_put_item(&writer, bytes_of_text(""), bytes_of_text("x"));
    assert_true(writer.full);
    writer.full = false;
    metadata_put_all(&writer, (struct bytes){.data = data, .size = 12});
    assert_true(writer.full);
}

static void lengths_that_lie_end_the_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t data[16];
        size_t size;
        size_t entries;
    } ROWS[] = {
        {"nothing", {0}, 0, 0},
        {"half a header", {1, 0, 0}, 3, 0},
        {"an empty value", {1, 0, 0, 0}, 4, 1},
        {"a value past the end", {1, 0, 2, 0, 9}, 5, 0},
        {"one that fits and one that does not", {1, 0, 1, 0, 9, 2, 0, 255, 255}, 9, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        uint8_t *exact = malloc(ROWS[i].size + 1);
        assert_non_null(exact);
        memcpy(exact, ROWS[i].data, ROWS[i].size);
        struct bytes rest = {.data = exact, .size = ROWS[i].size};
        struct metadata_entry entry;
        size_t entries = 0;
        while (metadata_next(&rest, &entry))
            entries++;
        if (entries != ROWS[i].entries)
            fail_msg("%s: %zu entries", ROWS[i].what, entries);
        free(exact);
    }
}

static void an_item_needs_a_name_within_its_bytes(void **state)
{
    (void)state;
    static const uint8_t LONG_NAME[] = {4, 'a', 'b'};
    static const uint8_t NO_NAME[] = {0, 'a'};
    struct bytes name;
    struct bytes value;
    const struct metadata_entry rows[] = {
        {METADATA_ITEM, {LONG_NAME, sizeof LONG_NAME}},
        {METADATA_ITEM, {NO_NAME, sizeof NO_NAME}},
        {METADATA_ITEM, {NO_NAME, 0}},
        {METADATA_HOPS, {LONG_NAME, sizeof LONG_NAME}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_false(metadata_item(&rows[i], &name, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(what_does_not_fit_is_left_out_and_told),
        cmocka_unit_test(lengths_that_lie_end_the_metadata),
        cmocka_unit_test(an_item_needs_a_name_within_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
