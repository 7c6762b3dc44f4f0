#include "library_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/json.h"

static struct busbar_value *value_of(const char *json)
{
    struct busbar_value *value = NULL;
    char reason[200] = "";
    if (json_to_value(&value, json, reason, sizeof reason) != BUSBAR_OK)
        fail_msg("%s: %s", json, reason);
    return value;
}

struct busbar_object *library_of(const char *path, const struct busbar_function *functions,
                                 size_t count)
{
    struct busbar_object *object = NULL;
    const struct busbar_library_options options = {
        .path = path, .functions = functions, .function_count = count};
    if (busbar_library_new(&object, &options) != BUSBAR_OK)
        fail_msg("%s", busbar_last_error());
    return object;
}

enum busbar_status call(struct busbar_object *object, const char *method, const char *json,
                        struct busbar_value **ret)
{
    VALUE arguments = value_of(json);
    const struct busbar_object_call of = {.method = method, .arguments = arguments};
    return busbar_object_call(object, &of, ret);
}

void assert_gives(struct busbar_object *object, const char *method, const char *json,
                  const char *result)
{
    VALUE value = NULL;
    VALUE wanted = value_of(result);
    if (call(object, method, json, &value) != BUSBAR_OK)
        fail_msg("%s%s: %s", method, json, busbar_last_error());
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    if (busbar_value_equal(value, wanted))
        return;
    CLEANUP(cleanup_free) char *text = json_from_value(value, 0);
    fail_msg("%s%s: %s instead of %s", method, json, text, result);
}

void assert_fails(struct busbar_object *object, const char *method, const char *json,
                  const char *error)
{
    VALUE value = NULL;
    enum busbar_status status = call(object, method, json, &value);
    assert_int_not_equal(status, BUSBAR_OK);
    assert_int_equal(status, busbar_last_status());
    assert_string_equal(busbar_last_error(), error);
    assert_null(value);
}
