/* What a worker tells of a service: round trips, exact bytes, and what the decoder refuses. */
#include <busbar/value.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/registration.h"

#define VALUE CLEANUP(busbar_value_destroy) struct busbar_value *
#define REGISTRATION CLEANUP(registration_fini) struct registration

/* Text that may be changed, as the strings of a registration may. */
#define TEXT(text) ((char[]){text})

#define BYTES(text) text, sizeof(text) - 1

static struct registration_method greeter_methods[] = {
    {.name = TEXT("get_data"),
     .signature = TEXT("s>S"),
     .text = TEXT("Says hello."),
     .idempotent = true},
    {.name = TEXT("happy_birthday"), .signature = TEXT(""), .text = TEXT("")},
};

static struct registration_tag greeter_tags[] = {
    {.name = TEXT("zone"), .value = TEXT("eu")},
    {.name = TEXT("note"), .value = TEXT("")},
};

static const struct registration greeter = {
    .version = TEXT("1.2"),
    .tags = greeter_tags,
    .tag_count = ARRAY_SIZE(greeter_tags),
    .methods = greeter_methods,
    .method_count = ARRAY_SIZE(greeter_methods),
};

static void assert_same(const struct registration *a, const struct registration *b)
{
    assert_string_equal(a->version, b->version);
    assert_int_equal(a->tag_count, b->tag_count);
    assert_int_equal(a->method_count, b->method_count);
    for (size_t i = 0; i < a->tag_count; i++) {
        assert_string_equal(a->tags[i].name, b->tags[i].name);
        assert_string_equal(a->tags[i].value, b->tags[i].value);
    }
    for (size_t i = 0; i < a->method_count; i++) {
        assert_string_equal(a->methods[i].name, b->methods[i].name);
        assert_string_equal(a->methods[i].signature, b->methods[i].signature);
        assert_string_equal(a->methods[i].text, b->methods[i].text);
        assert_int_equal(a->methods[i].idempotent, b->methods[i].idempotent);
    }
}

static void a_registration_survives_a_round_trip(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    REGISTRATION decoded = {.version = NULL};
    assert_int_equal(registration_encode(&greeter, &data, &size), BUSBAR_OK);
    assert_int_equal(registration_decode(&decoded, data, size, NULL), BUSBAR_OK);
    assert_same(&greeter, &decoded);
}

static void what_is_empty_is_left_out(void **state)
{
    (void)state;
    struct registration_method method = {
        .name = TEXT("m"), .signature = TEXT(""), .text = TEXT("")};
    struct registration registration = {.version = TEXT(""), .methods = &method, .method_count = 1};
    static const char expected[] = "\x81\xa7methods\x91\x82\xa4name\xa1m\xaaidempotent\xc2";
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    assert_int_equal(registration_encode(&registration, &data, &size), BUSBAR_OK);
    assert_int_equal(size, sizeof(expected) - 1);
    assert_memory_equal(data, expected, size);
    REGISTRATION decoded = {.version = NULL};
    assert_int_equal(registration_decode(&decoded, data, size, NULL), BUSBAR_OK);
    assert_same(&registration, &decoded);
}

static void the_value_is_what_is_encoded(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) void *data = NULL;
    size_t size = 0;
    VALUE value = registration_value(&greeter);
    VALUE decoded = NULL;
    assert_int_equal(registration_encode(&greeter, &data, &size), BUSBAR_OK);
    assert_int_equal(busbar_value_decode(&decoded, data, size, NULL), BUSBAR_OK);
    assert_true(busbar_value_equal(value, decoded));
    assert_string_equal(busbar_value_as_text(busbar_value_get(value, "version")), "1.2");
}

static void texts_that_are_not_utf8_are_not_encoded(void **state)
{
    (void)state;
    struct registration_method method = {
        .name = TEXT("m"), .signature = TEXT(""), .text = TEXT("\xff")};
    struct registration_tag tag = {.name = TEXT("t"), .value = TEXT("\xff")};
    struct registration registrations[] = {
        {.version = TEXT("\xff")},
        {.version = TEXT(""), .methods = &method, .method_count = 1},
        {.version = TEXT(""), .tags = &tag, .tag_count = 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(registrations); i++) {
        void *data = NULL;
        size_t size = 0;
        assert_int_equal(registration_encode(&registrations[i], &data, &size), BUSBAR_BAD_ARGUMENT);
        assert_null(registration_value(&registrations[i]));
        assert_null(data);
    }
}

static const struct {
    const char *data;
    size_t size;
    const char *reason;
} refused[] = {
    {BYTES(""), "the body ends where a value should start"},
    {BYTES("\x90"), "the registration is no map"},
    {BYTES("\xc0"), "the registration is no map"},
    {BYTES("\x80"), "the registration has no list of methods"},
    {BYTES("\x81\xa7methods\x90"), "the registration has no list of methods"},
    {BYTES("\x81\xa7methods\x80"), "the registration has no list of methods"},
    {BYTES("\x81\xa7methods\x91\x05"), "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x80"), "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x81\xa4name\x05"),
     "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x81\xa4name\xa0"),
     "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x81\xa4name\xa3"
           "a.b"),
     "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x81\xa4name\xc4\x01m"),
     "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x91\x81\xa4name\xa2m\x00"),
     "a method has no name, or one outside the grammar"},
    {BYTES("\x81\xa7methods\x92\x81\xa4name\xa1m\x81\xa4name\xa1m"), "a method occurs twice"},
    {BYTES("\x81\xa7methods\x91\x82\xa4name\xa1m\xaaidempotent\x01"),
     "a method's \"idempotent\" is no bool"},
    {BYTES("\x81\xa7methods\x91\x82\xa4name\xa1m\xa9signature\x01"),
     "a text of the registration is no string, too long or holds a NUL"},
    {BYTES("\x81\xa7methods\x91\x82\xa4name\xa1m\xa4text\xa1\x00"),
     "a text of the registration is no string, too long or holds a NUL"},
    {BYTES("\x82\xa7version\x01\xa7methods\x91\x81\xa4name\xa1m"),
     "a text of the registration is no string, too long or holds a NUL"},
    {BYTES("\x82\xa4tags\x90\xa7methods\x91\x81\xa4name\xa1m"),
     "the registration's tags are no map, or too many"},
    {BYTES("\x82\xa4tags\xc0\xa7methods\x91\x81\xa4name\xa1m"),
     "the registration's tags are no map, or too many"},
    {BYTES("\x82\xa4tags\x81\x01\xa1v\xa7methods\x91\x81\xa4name\xa1m"),
     "a tag is not a pair of strings, or one is too long"},
    {BYTES("\x82\xa4tags\x81\xa1t\x01\xa7methods\x91\x81\xa4name\xa1m"),
     "a tag is not a pair of strings, or one is too long"},
    {BYTES("\x82\xa4tags\x81\xa0\xa1v\xa7methods\x91\x81\xa4name\xa1m"),
     "a tag is not a pair of strings, or one is too long"},
    {BYTES("\x82\xa4tags\x82\xa1t\xa1v\xa1t\xa1w\xa7methods\x91\x81\xa4name\xa1m"),
     "a tag occurs twice"},
};

static void assert_refused(const void *data, size_t size, const char *expected)
{
    struct registration untouched = {.method_count = 77};
    const char *reason = "nothing";
    enum busbar_status status = registration_decode(&untouched, data, size, &reason);
    assert_int_equal(status, BUSBAR_BAD_REQUEST);
    assert_string_equal(reason, expected);
    assert_int_equal(untouched.method_count, 77);
}

static void bad_registrations_are_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        assert_refused(refused[i].data, refused[i].size, refused[i].reason);
    }
}

static void unknown_keys_are_ignored(void **state)
{
    (void)state;
    static const char body[] = "\x84\xa6$class\xa1x\xa1z\x90\x05\xc0\xa7methods\x91\x82\xa5later"
                               "\x80\xa4name\xa1m";
    REGISTRATION decoded = {.version = NULL};
    assert_int_equal(registration_decode(&decoded, body, sizeof(body) - 1, NULL), BUSBAR_OK);
    assert_int_equal(decoded.method_count, 1);
    assert_string_equal(decoded.methods[0].name, "m");
    assert_string_equal(decoded.version, "");
}

/* A registration of `methods` methods and `tags` tags, the last method with a text of `text`. */
static void encode_sized(size_t methods, size_t tags, size_t text, void **data, size_t *size)
{
    REGISTRATION made = {
        .version = strdup(""),
        .methods = calloc(methods, sizeof(struct registration_method)),
        .method_count = methods,
        .tags = calloc(tags + 1, sizeof(struct registration_tag)),
        .tag_count = tags,
    };
    char name[24];
    for (size_t i = 0; i < methods; i++) {
        snprintf(name, sizeof(name), "m%zu", i);
        made.methods[i].name = strdup(name);
    }
    for (size_t i = 0; i < tags; i++) {
        snprintf(name, sizeof(name), "t%zu", i);
        made.tags[i].name = strdup(name);
        made.tags[i].value = strdup("v");
    }
    made.methods[methods - 1].text = calloc(text + 1, 1);
    memset(made.methods[methods - 1].text, 'x', text);
    assert_int_equal(registration_encode(&made, data, size), BUSBAR_OK);
}

static void the_bounds_are_exact(void **state)
{
    (void)state;
    static const struct {
        size_t methods;
        size_t tags;
        size_t text;
        const char *reason;
    } rows[] = {
        {REGISTRATION_METHODS_MAX, REGISTRATION_TAGS_MAX, REGISTRATION_TEXT_MAX, NULL},
        {REGISTRATION_METHODS_MAX + 1, 0, 0, "the registration has too many methods"},
        {1, REGISTRATION_TAGS_MAX + 1, 0, "the registration's tags are no map, or too many"},
        {1, 0, REGISTRATION_TEXT_MAX + 1,
         "a text of the registration is no string, too long or holds a NUL"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(cleanup_free) void *data = NULL;
        size_t size = 0;
        encode_sized(rows[i].methods, rows[i].tags, rows[i].text, &data, &size);
        if (rows[i].reason != NULL) {
            assert_refused(data, size, rows[i].reason);
            continue;
        }
        REGISTRATION decoded = {.version = NULL};
        assert_int_equal(registration_decode(&decoded, data, size, NULL), BUSBAR_OK);
        assert_int_equal(decoded.method_count, rows[i].methods);
        assert_int_equal(decoded.tag_count, rows[i].tags);
    }
}

static void a_body_over_a_mebibyte_is_neither_made_nor_read(void **state)
{
    (void)state;
    CLEANUP(cleanup_free) char *text = calloc(REGISTRATION_SIZE_MAX + 1, 1);
    memset(text, 'x', REGISTRATION_SIZE_MAX);
    struct registration large = {.version = text};
    void *data = NULL;
    size_t size = 0;
    assert_int_equal(registration_encode(&large, &data, &size), BUSBAR_TOO_LARGE);
    assert_null(data);
    assert_refused(text, REGISTRATION_SIZE_MAX + 1, "the registration has too many bytes");
}

static void fini_accepts_null_and_what_is_half_built(void **state)
{
    (void)state;
    struct registration half = {
        .methods = calloc(2, sizeof(struct registration_method)),
        .method_count = 2,
    };
    half.methods[0].name = strdup("m");
    registration_fini(&half);
    assert_int_equal(half.method_count, 0);
    registration_fini(&half);
    registration_fini(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_registration_survives_a_round_trip),
        cmocka_unit_test(what_is_empty_is_left_out),
        cmocka_unit_test(the_value_is_what_is_encoded),
        cmocka_unit_test(texts_that_are_not_utf8_are_not_encoded),
        cmocka_unit_test(bad_registrations_are_refused_with_a_reason),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(the_bounds_are_exact),
        cmocka_unit_test(a_body_over_a_mebibyte_is_neither_made_nor_read),
        cmocka_unit_test(fini_accepts_null_and_what_is_half_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
