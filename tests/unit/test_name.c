/* The grammar of names, by a table of names and by every single byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/name.h"

enum {
    SERVICE = 1,
    METHOD = 2,
    RESERVED = 4,
};

static const struct {
    const char *name;
    int is;
} names[] = {
    {"greeter", SERVICE | METHOD},
    {"get_data", SERVICE | METHOD},
    {"A", SERVICE | METHOD},
    {"9", SERVICE | METHOD},
    {"shop.orders:v2-beta", SERVICE},
    {"a.", SERVICE},
    {"a-b", SERVICE},
    {"a:b", SERVICE},
    {"_hidden", SERVICE | METHOD | RESERVED},
    {"_", SERVICE | METHOD | RESERVED},
    {"bus", SERVICE | METHOD | RESERVED},
    {"bus.stats", SERVICE | RESERVED},
    {"bus.", SERVICE | RESERVED},
    {"buses", SERVICE | METHOD},
    {"Bus", SERVICE | METHOD},
    {"bu", SERVICE | METHOD},
    {"mmi", SERVICE | METHOD},
    {"mmi.service", SERVICE | RESERVED},
    {"titanic", SERVICE | METHOD},
    {"titanic.request", SERVICE | RESERVED},
    {"", 0},
    {".a", 0},
    {":a", 0},
    {"-a", 0},
    {"a b", 0},
    {"a/b", 0},
    {"a@b", 0},
    {"a*", 0},
    {"a#", 0},
    {"$a", 0},
    {"a\n", 0},
    {"na\xc3\xafve", 0},
};

static void names_follow_the_grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *name = names[i].name;
        size_t size = strlen(name);
        int is = (name_is_service(name, size) ? SERVICE : 0) |
                 (name_is_method(name, size) ? METHOD : 0) |
                 (name_is_reserved(name, size) ? RESERVED : 0);
        if (is != names[i].is) {
            fail_msg("\"%s\" is %d, not %d", name, is, names[i].is);
        }
        assert_int_equal(name_service_size(name), is & SERVICE ? size : 0);
        assert_int_equal(name_method_size(name), is & METHOD ? size : 0);
    }
}

static void a_name_has_at_most_127_bytes(void **state)
{
    (void)state;
    char name[NAME_SIZE_MAX + 2] = "";
    memset(name, 'x', NAME_SIZE_MAX + 1);
    assert_true(name_is_service(name, NAME_SIZE_MAX));
    assert_true(name_is_method(name, NAME_SIZE_MAX));
    assert_false(name_is_service(name, NAME_SIZE_MAX + 1));
    assert_false(name_is_method(name, NAME_SIZE_MAX + 1));
    assert_int_equal(name_service_size(name), 0);
    assert_int_equal(name_method_size(name), 0);
    name[NAME_SIZE_MAX] = '\0';
    assert_int_equal(name_service_size(name), NAME_SIZE_MAX);
    assert_int_equal(name_method_size(name), NAME_SIZE_MAX);
}

static void a_nul_is_not_part_of_a_name(void **state)
{
    (void)state;
    assert_false(name_is_service("a\0b", 3));
    assert_false(name_is_method("a\0", 2));
}

static void each_byte_is_allowed_where_the_grammar_says(void **state)
{
    (void)state;
    static const char words[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    for (int byte = 1; byte < 256; byte++) {
        const char first[] = {(char)byte, 'a'};
        const char second[] = {'a', (char)byte};
        bool is_word = strchr(words, byte) != NULL;
        bool is_punctuation = strchr(".:-", byte) != NULL;
        assert_int_equal(name_is_service(first, 2), is_word);
        assert_int_equal(name_is_service(second, 2), is_word || is_punctuation);
        assert_int_equal(name_is_method(first, 2), is_word);
        assert_int_equal(name_is_method(second, 2), is_word);
    }
}

static void a_majordomo_peer_may_name_a_service_more_freely(void **state)
{
    (void)state;
    char name[NAME_SIZE_MAX + 1];
    memset(name, '~', sizeof(name));
    assert_true(name_is_majordomo(name, NAME_SIZE_MAX));
    assert_false(name_is_majordomo(name, NAME_SIZE_MAX + 1));
    assert_false(name_is_majordomo("", 0));
    for (int byte = 0; byte < 256; byte++) {
        const char second[] = {'/', (char)byte};
        bool is_graphic = byte > ' ' && byte < 0x7f && byte != '"' && byte != '\\';
        assert_int_equal(name_is_majordomo(second, 2), is_graphic);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_grammar),
        cmocka_unit_test(a_name_has_at_most_127_bytes),
        cmocka_unit_test(a_nul_is_not_part_of_a_name),
        cmocka_unit_test(each_byte_is_allowed_where_the_grammar_says),
        cmocka_unit_test(a_majordomo_peer_may_name_a_service_more_freely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
