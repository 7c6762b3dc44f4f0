/* The settings tables: what is read, what is refused and in which words, what is printed. */
#include "settings/table.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct door {
    char *name;
    uint32_t width;
};

enum colour {
    RED,
    GREEN,
    BLUE,
};

struct house {
    bool warm;
    uint32_t floors;
    uint64_t bricks;
    uint64_t area;
    uint32_t delay;
    char *owner;
    char *path;
    char *mood;
    enum colour colour;
    struct door *doors;
    size_t door_count;
    char **guests;
    size_t guest_count;
    struct {
        uint32_t depth;
    } cellar;
};

#define AT(member, type) SETTINGS_AT(struct house, member, type)

static const char *path_expected(const char *text)
{
    return text[0] == '/' ? NULL : "a path that begins with /";
}

static const char *const moods[] = {"good", "bad", NULL};
static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct settings_key door_keys[] = {
    {.key = "name",
     .type = SETTINGS_STRING,
     .required = true,
     .offset = SETTINGS_AT(struct door, name, char *),
     .min = 1,
     .max = 8},
    {.key = "width",
     .type = SETTINGS_U32,
     .offset = SETTINGS_AT(struct door, width, uint32_t),
     .standard = "90"},
};
static const struct settings_table door_table = {door_keys, ARRAY_SIZE(door_keys),
                                                 sizeof(struct door), "name"};

static const struct settings_key guest_keys[] = {
    {.key = "guest", .type = SETTINGS_STRING, .required = true},
};
static const struct settings_table guest_table = {guest_keys, ARRAY_SIZE(guest_keys),
                                                  sizeof(char *), "guest"};

static const struct settings_key cellar_keys[] = {
    {.key = "depth", .type = SETTINGS_U32, .standard = "2", .max = 10, .help = "In metres."},
};
static const struct settings_table cellar_table = {cellar_keys, ARRAY_SIZE(cellar_keys), 0, NULL};

static const struct settings_key house_keys[] = {
    {.key = "version", .type = SETTINGS_CONSTANT, .standard = "1"},
    {.key = "warm", .type = SETTINGS_BOOL, .offset = AT(warm, bool), .standard = "true"},
    {.key = "floors",
     .type = SETTINGS_U32,
     .offset = AT(floors, uint32_t),
     .standard = "2",
     .min = 1,
     .max = 90,
     .help = "Above the ground."},
    {.key = "bricks", .type = SETTINGS_U64, .offset = AT(bricks, uint64_t)},
    {.key = "area",
     .type = SETTINGS_SIZE,
     .offset = AT(area, uint64_t),
     .standard = "16 MiB",
     .min = 1024,
     .max = 1 << 30},
    {.key = "delay", .type = SETTINGS_DURATION, .offset = AT(delay, uint32_t), .standard = "2s"},
    {.key = "owner", .type = SETTINGS_STRING, .offset = AT(owner, char *)},
    {.key = "path",
     .type = SETTINGS_STRING,
     .offset = AT(path, char *),
     .standard = "/home",
     .check = path_expected},
    {.key = "mood",
     .type = SETTINGS_STRING,
     .offset = AT(mood, char *),
     .standard = "good",
     .words = moods},
    {.key = "colour",
     .type = SETTINGS_ENUM,
     .offset = AT(colour, enum colour),
     .standard = "green",
     .words = colours},
    {.key = "doors",
     .type = SETTINGS_LIST,
     .single = true,
     .offset = AT(doors, struct door *),
     .count_offset = AT(door_count, size_t),
     .standard = "front",
     .min = 1,
     .max = 3,
     .table = &door_table},
    {.key = "guests",
     .type = SETTINGS_LIST,
     .offset = AT(guests, char **),
     .count_offset = AT(guest_count, size_t),
     .table = &guest_table},
    {.key = "cellar",
     .type = SETTINGS_GROUP,
     .offset = offsetof(struct house, cellar),
     .table = &cellar_table},
};
static const struct settings_table house_table = {house_keys, ARRAY_SIZE(house_keys),
                                                  sizeof(struct house), NULL};

/* Reads over the defaults; the errors are the caller's to look at. */
static bool read_house(struct house *house, const char *data, size_t size,
                       struct settings_errors *errors)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    struct settings_text text = {.name = "f", .data = data, .size = size};
    assert_true(settings_init(&house_table, house));
    bool parsed = settings_document_parse(&document, &text, errors);
    return document != NULL && settings_read(&house_table, document->root, house, errors) && parsed;
}

static void read_good(struct house *house, const char *text)
{
    struct settings_errors errors;
    settings_errors_init(&errors);
    bool good = read_house(house, text, strlen(text), &errors);
    if (!good)
        settings_errors_print(&errors, "", stderr);
    assert_true(good);
    settings_errors_fini(&errors);
}

static void house_fini(struct house *house)
{
    settings_fini(&house_table, house);
}

static void an_empty_file_means_the_defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     "\n\n", "# nothing\n",  "---\n",    "--- {}\n",
                                        "null", "~",    "\xef\xbb\xbf", "cellar:\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(house_fini) struct house house;
        read_good(&house, texts[i]);
        assert_true(house.warm);
        assert_int_equal(house.floors, 2);
        assert_int_equal(house.bricks, 0);
        assert_int_equal(house.area, 16 << 20);
        assert_int_equal(house.delay, 2000);
        assert_null(house.owner);
        assert_string_equal(house.mood, "good");
        assert_int_equal(house.colour, GREEN);
        assert_int_equal(house.door_count, 1);
        assert_string_equal(house.doors[0].name, "front");
        assert_int_equal(house.doors[0].width, 90);
        assert_int_equal(house.guest_count, 0);
        assert_int_equal(house.cellar.depth, 2);
    }
}

static void every_type_is_read(void **state)
{
    (void)state;
    CLEANUP(house_fini) struct house house;
    read_good(&house, "version: 1\nwarm: false\nfloors: 90\nbricks: 18446744073709551615\n"
                      "area: 64 KiB\ndelay: 500ms\nowner: \"\\u00e4 \\\"b\\\"\"\npath: /a b\n"
                      "mood: 'bad'\ncolour: blue\ndoors: [a, {name: b, width: 0}]\n"
                      "guests:\n- \"\"\n- 12\n- true\ncellar: {depth: 10}\n");
    assert_false(house.warm);
    assert_int_equal(house.floors, 90);
    assert_true(house.bricks == UINT64_MAX);
    assert_int_equal(house.area, 65536);
    assert_int_equal(house.delay, 500);
    assert_string_equal(house.owner, "\xc3\xa4 \"b\"");
    assert_string_equal(house.path, "/a b");
    assert_string_equal(house.mood, "bad");
    assert_int_equal(house.colour, BLUE);
    assert_int_equal(house.door_count, 2);
    assert_int_equal(house.doors[0].width, 90);
    assert_string_equal(house.doors[1].name, "b");
    assert_int_equal(house.doors[1].width, 0);
    assert_int_equal(house.guest_count, 3);
    assert_string_equal(house.guests[0], "");
    assert_string_equal(house.guests[1], "12");
    assert_string_equal(house.guests[2], "true");
    assert_int_equal(house.cellar.depth, 10);
}

static void sizes_and_times_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t area;
        uint32_t delay;
    } rows[] = {
        {"area: 1024", 1024, 2000},
        {"area: 1KiB", 1024, 2000},
        {"area: 1 KiB", 1024, 2000},
        {"area: \"3 MiB\"", 3 << 20, 2000},
        {"area: 1 GiB", 1 << 30, 2000},
        {"delay: 0", 16 << 20, 0},
        {"delay: 7", 16 << 20, 7},
        {"delay: 7ms", 16 << 20, 7},
        {"delay: '7 ms'", 16 << 20, 7},
        {"delay: 3s", 16 << 20, 3000},
        {"delay: 2m", 16 << 20, 120000},
        {"delay: 1h", 16 << 20, 3600000},
        {"delay: 4294967295", 16 << 20, UINT32_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(house_fini) struct house house;
        read_good(&house, rows[i].text);
        assert_int_equal(house.area, rows[i].area);
        assert_int_equal(house.delay, rows[i].delay);
    }
}

static void one_item_may_stand_for_a_list_where_the_table_says_so(void **state)
{
    (void)state;
    static const char *const texts[] = {"doors: back", "doors: {name: back}", "doors:\n- back",
                                        "doors:\n  - name: back\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(house_fini) struct house house;
        read_good(&house, texts[i]);
        assert_int_equal(house.door_count, 1);
        assert_string_equal(house.doors[0].name, "back");
    }
}

/* Dumping and reading back ------------------------------------------------------------------- */

static char *dump_house(const struct house *house)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    settings_dump(&house_table, house, out);
    fclose(out);
    return text;
}

static void a_dump_explains_and_uses_the_largest_units(void **state)
{
    (void)state;
    CLEANUP(house_fini) struct house house;
    read_good(&house, "guests: [a]\ndoors: [x, {name: y, width: 1}]");
    CLEANUP(cleanup_free) char *dump = dump_house(&house);
    assert_string_equal(dump, "version: 1\n"
                              "warm: true\n"
                              "# Above the ground.\n"
                              "floors: 2\n"
                              "bricks: 0\n"
                              "area: 16 MiB\n"
                              "delay: 2s\n"
                              "# owner:\n"
                              "path: /home\n"
                              "mood: good\n"
                              "colour: green\n"
                              "doors:\n"
                              "  - name: x\n"
                              "    width: 90\n"
                              "  - name: y\n"
                              "    width: 1\n"
                              "guests:\n"
                              "  - a\n"
                              "cellar:\n"
                              "  # In metres.\n"
                              "  depth: 2\n");
}

static void a_dump_reads_back_as_the_same(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "area: 1025\ndelay: 1001ms\nguests: []",
        "owner: \"\"",
        "owner: \"null\"",
        "owner: \"~\"",
        "owner: 'true'",
        "owner: \"a: b # c\"",
        "owner: \"ends:\"",
        "owner: \"*x\"",
        "owner: \"- x\"",
        "owner: \"...\"",
        "owner: \"---\"",
        "owner: \" space \"",
        "owner: \"\\n\\t\\r\\e\\x7f\\x80\\x85\\u2028\\ufeff\\U0001F600\\uFFFE\\\"\\\\\"",
        "owner: |\n  several\n  lines\n",
        "guests: [\"\", null-ish, \"@x\", \"%y\", \"{}\", \"[]\", \"!t\", \"&a\", '''']",
        "doors: [a, \"b c\", {name: \"\\u00fc\", width: 4294967295}]",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP(house_fini) struct house house;
        CLEANUP(house_fini) struct house again;
        read_good(&house, texts[i]);
        CLEANUP(cleanup_free) char *dump = dump_house(&house);
        read_good(&again, dump);
        CLEANUP(cleanup_free) char *dump_again = dump_house(&again);
        assert_string_equal(dump, dump_again);
        assert_int_equal(house.owner == NULL, again.owner == NULL);
        if (house.owner != NULL)
            assert_string_equal(house.owner, again.owner);
        for (size_t j = 0; j < house.guest_count; j++)
            assert_string_equal(house.guests[j], again.guests[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_means_the_defaults),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(sizes_and_times_have_units),
        cmocka_unit_test(one_item_may_stand_for_a_list_where_the_table_says_so),
        cmocka_unit_test(a_dump_explains_and_uses_the_largest_units),
        cmocka_unit_test(a_dump_reads_back_as_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
