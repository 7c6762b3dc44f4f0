/* Holds docs/protocol.md to the code: its vectors, its tables of commands, statuses and errors. */
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "protocol/packet.h"
#include "protocol/registration.h"
#include "protocol/session.h"

static const char DOCUMENT[] = "docs/protocol.md";

static bool document_holds(const char *text)
{
    char line[1024];
    bool found = false;
    FILE *file = vectors_open(DOCUMENT);
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, text) != NULL;
    fclose(file);
    return found;
}

__attribute__((format(printf, 1, 2))) static void assert_held(const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!document_holds(text))
        fail_msg("%s has no '%s'", DOCUMENT, text);
}

static void check_bytes(const char *name, struct vector_bytes shown, struct vector_bytes file)
{
    if (shown.size != file.size || (file.size > 0 && memcmp(shown.data, file.data, file.size) != 0))
        fail_msg("%s has other bytes in %s", name, DOCUMENT);
}

static void vectors_in_the_document_are_those_of_the_files(void **state)
{
    (void)state;
    static const char *const FILES[] = {
        "tests/vectors/sessions.txt", "tests/vectors/registry.txt", "tests/vectors/calls.txt",
        "tests/vectors/kinds.txt",    "tests/vectors/bundles.txt",  "tests/vectors/malformed.txt",
    };
    CLEANUP(vectors_fini) struct vector_list files = {0};
    CLEANUP(vectors_fini) struct vector_list shown = {0};
    for (size_t i = 0; i < ARRAY_SIZE(FILES); i++)
        assert_true(vectors_load(&files, FILES[i]));
    assert_true(vectors_load(&shown, DOCUMENT));
    assert_true(shown.count >= 4);
    for (size_t i = 0; i < shown.count; i++) {
        const struct vector *vector = vectors_find(&files, shown.items[i].name);
        if (vector == NULL) {
            fail_msg("%s is in no file", shown.items[i].name);
            return;
        }
        check_bytes(vector->name, shown.items[i].frame, vector->frame);
        check_bytes(vector->name, shown.items[i].attached, vector->attached);
    }
}

static void the_document_has_every_command(void **state)
{
    (void)state;
#define COMMAND_CHECK(number, name) assert_held("| 0x%02x | %s |", number, #name);
    PACKET_COMMAND_TABLE(COMMAND_CHECK)
#undef COMMAND_CHECK
}

static void the_document_has_every_status_that_travels(void **state)
{
    (void)state;
#define STATUS_CHECK(code, name, text)                                                             \
    if ((code) < 64)                                                                               \
        assert_held("| %d | %s |", code, #name);
    BUSBAR_STATUS_TABLE(STATUS_CHECK)
#undef STATUS_CHECK
    assert_held("| %d | not executed |", BUSBAR_NOT_EXECUTED);
    assert_held("| %d | maybe executed |", BUSBAR_MAYBE_EXECUTED);
    assert_held("| %d | executed |", BUSBAR_EXECUTED);
}

static void the_document_has_every_reason_to_refuse_bytes(void **state)
{
    (void)state;
#define ERROR_CHECK(name, text)                                                                    \
    if (PACKET_ERROR_##name != PACKET_ERROR_NONE)                                                  \
        assert_held("| %s |", #name);
    PACKET_ERROR_TABLE(ERROR_CHECK)
#undef ERROR_CHECK
}

static void the_document_has_the_limits_of_the_code(void **state)
{
    (void)state;
    assert_held("| bundle | %d bytes", BUNDLE_SIZE_MAX);
    assert_held("SHOULD be at most %d", PACKET_INLINE_BODY_MAX);
    assert_held("| metadata | %d bytes", PACKET_METADATA_MAX);
    assert_held("body %d MiB, %d methods, %d tags, %d bytes for one string",
                REGISTRATION_SIZE_MAX >> 20, REGISTRATION_METHODS_MAX, REGISTRATION_TAGS_MAX,
                REGISTRATION_TEXT_MAX);
    assert_held("The body of HELLO (%d bytes)", HELLO_SIZE);
    assert_held("the body is (%d bytes)", WELCOME_SIZE);
    assert_held("the body is (%d bytes)", RESET_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_in_the_document_are_those_of_the_files),
        cmocka_unit_test(the_document_has_every_command),
        cmocka_unit_test(the_document_has_every_status_that_travels),
        cmocka_unit_test(the_document_has_every_reason_to_refuse_bytes),
        cmocka_unit_test(the_document_has_the_limits_of_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
