/* Commands for tests, their calls, and what came of them. */
#include "tests/unit/command_made.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "objects/object.h"

struct busbar_object *command_made(const char *file, const char *yaml,
                                   struct settings_errors *errors)
{
    CLEANUP(settings_document_destroy) struct settings_document *document = NULL;
    const struct settings_text text = {.name = file, .data = yaml, .size = strlen(yaml)};
    const struct settings_table *table = command_kind.table;
    struct busbar_object *object = NULL;
    settings_errors_init(errors);
    if (!settings_document_parse(&document, &text, errors))
        return NULL;
    void *settings = calloc(1, table->size);
    assert_non_null(settings);
    assert_true(settings_init(table, settings));
    if (settings_read(table, document->root, settings, errors)) {
        enum busbar_status status = command_kind.create(&object, settings, document->root, errors);
        assert_int_equal(status, errors->count > 0 ? BUSBAR_BAD_CONFIG : BUSBAR_OK);
        for (size_t i = 0; i < table->size; i++)
            assert_int_equal(((const char *)settings)[i], 0);
    }
    settings_fini(table, settings);
    free(settings);
    return object;
}

struct busbar_object *command_good(const char *yaml)
{
    struct settings_errors errors;
    struct busbar_object *object = command_made("f", yaml, &errors);
    if (object == NULL)
        fail_msg("%s: %s", yaml, settings_errors_line(&errors, 0));
    settings_errors_fini(&errors);
    return object;
}

char *command_dumped(const struct busbar_object *object)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    object->class->dump(object, 0, out);
    fclose(out);
    return text;
}

struct command_answer command_called(struct busbar_object *object,
                                     const struct busbar_object_call *call, const char *text)
{
    struct busbar_object_call whole = *call;
    struct command_answer answer = {.value = NULL};
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    if (text != NULL) {
        struct busbar_value *argument = busbar_value_text(text);
        assert_int_equal(busbar_value_append(list, &argument), BUSBAR_OK);
    }
    whole.arguments = list;
    answer.status = busbar_object_call(object, &whole, &answer.value);
    assert_int_equal(answer.status, busbar_last_status());
    assert_true(answer.status == BUSBAR_OK || answer.value == NULL);
    return answer;
}

void assert_says(struct busbar_object *object, const char *method, const char *text,
                 const char *expected)
{
    struct command_answer answer = command_called(
        object, &(struct busbar_object_call){.method = method}, text);
    if (answer.status != BUSBAR_OK)
        fail_msg("%s: %s", method, busbar_last_error());
    assert_int_equal(busbar_value_type(answer.value), BUSBAR_STRING);
    assert_string_equal(busbar_value_as_text(answer.value), expected);
    busbar_value_destroy(&answer.value);
}

void assert_last(enum busbar_status status, enum busbar_fate fate, const char *text)
{
    if (busbar_last_status() != status || busbar_last_fate() != fate ||
        strstr(busbar_last_error(), text) == NULL)
        fail_msg("%s (%s): %s; expected %s (%s): %s", busbar_status_name(busbar_last_status()),
                 busbar_fate_name(busbar_last_fate()), busbar_last_error(),
                 busbar_status_name(status), busbar_fate_name(fate), text);
}
