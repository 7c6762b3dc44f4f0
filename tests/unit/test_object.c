/* What all objects have in common, and objects of a class of the application's own. */
#include "objects/object.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/function_rig.h"

/* The class of the tests: answers with the arguments, or as its context says. */
struct echo {
    enum busbar_status status;
    bool quiet; /* fails without a word */
    const char *description;
    unsigned calls;
    unsigned destroyed;
};

static enum busbar_status echo_call(void *context, const struct busbar_object_call *call,
                                    struct busbar_value **ret)
{
    struct echo *echo = context;
    echo->calls++;
    assert_non_null(ret);
    *ret = busbar_value_copy(call->arguments);
    if (echo->status == BUSBAR_OK || echo->quiet)
        return echo->status;
    return busbar_fail(echo->status, BUSBAR_EXECUTED, "told by the class");
}

/* "name signature idempotent text", one method in each line. */
static struct busbar_value *echo_describe(void *context)
{
    struct echo *echo = context;
    struct busbar_value *list = busbar_value_list();
    CLEANUP(cleanup_free) char *lines = strdup(echo->description);
    char *rest = lines;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        static const char *const keys[] = {"name", "signature", "idempotent", "text"};
        struct busbar_value *map = busbar_value_map();
        for (size_t i = 0; line != NULL && i < ARRAY_SIZE(keys); i++) {
            char *word = strsep(&line, " ");
            struct busbar_value *value = i == 2 ? busbar_value_bool(strcmp(word, "yes") == 0)
                                                : busbar_value_text(word);
            assert_int_equal(busbar_value_set(map, keys[i], &value), BUSBAR_OK);
        }
        assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    }
    return list;
}

static void echo_destroy(void *context)
{
    struct echo *echo = context;
    echo->destroyed++;
}

static const struct busbar_object_class echo_class = {
    .kind = "echo", .call = echo_call, .describe = echo_describe, .destroy = echo_destroy};
static const struct busbar_object_class dumb_class = {.kind = "dumb", .call = echo_call};

static struct busbar_object *echo_new(struct echo *echo)
{
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_object_new(&object, &echo_class, echo), BUSBAR_OK);
    return object;
}

static void the_last_reference_ends_an_object(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = echo_new(&echo);
    struct busbar_object *other = busbar_object_ref(object);
    assert_ptr_equal(other, object);
    assert_string_equal(busbar_object_kind(object), "echo");
    busbar_object_destroy(&object);
    assert_null(object);
    assert_int_equal(echo.destroyed, 0);
    busbar_object_destroy(&other);
    assert_int_equal(echo.destroyed, 1);
    busbar_object_destroy(&other);
    busbar_object_destroy(NULL);
    assert_null(busbar_object_ref(NULL));
}

static void a_class_needs_a_kind_and_a_call_and_its_context_is_taken(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object_class class = echo_class;
    struct busbar_object *object = (struct busbar_object *)&echo;
    class.kind = NULL;
    assert_int_equal(busbar_object_new(&object, &class, &echo), BUSBAR_BAD_ARGUMENT);
    assert_null(object);
    assert_int_equal(echo.destroyed, 1);
    class = echo_class;
    class.call = NULL;
    assert_int_equal(busbar_object_new(&object, &class, &echo), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_object_new(NULL, &echo_class, &echo), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(echo.destroyed, 3);
    assert_int_equal(busbar_object_new(&object, NULL, &echo), BUSBAR_BAD_ARGUMENT);
    rig_assert_outcome(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "class");
}

static void a_call_gives_what_the_class_gives(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = echo_new(&echo);
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    struct busbar_value *result = NULL;
    struct busbar_object_call call = {.method = "m", .arguments = list};
    busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "before");
    assert_int_equal(busbar_object_call(object, &call, &result), BUSBAR_OK);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
    assert_true(busbar_value_equal(result, list));
    busbar_value_destroy(&result);
    assert_int_equal(busbar_object_call(object, &call, NULL), BUSBAR_OK);
    busbar_object_destroy(&object);
}

static void a_failure_leaves_no_result_and_says_what_the_class_said(void **state)
{
    (void)state;
    struct echo echo = {.status = BUSBAR_APP_ERROR, .description = ""};
    struct busbar_object *object = echo_new(&echo);
    CLEANUP(busbar_value_destroy) struct busbar_value *list = busbar_value_list();
    struct busbar_value *result = list;
    struct busbar_object_call call = {.method = "m", .arguments = list};
    assert_int_equal(busbar_object_call(object, &call, &result), BUSBAR_APP_ERROR);
    assert_null(result);
    rig_assert_outcome(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "told by the class");
    busbar_object_destroy(&object);
}

static void a_failure_without_a_word_gets_fate_and_text(void **state)
{
    (void)state;
    static const struct {
        enum busbar_status status;
        enum busbar_fate fate;
    } rows[] = {
        {BUSBAR_APP_ERROR, BUSBAR_EXECUTED},
        {BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED},
        {BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED},
        {(enum busbar_status)63, BUSBAR_MAYBE_EXECUTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct echo echo = {.status = rows[i].status, .quiet = true, .description = ""};
        struct busbar_object *object = echo_new(&echo);
        struct busbar_object_call call = {.method = "m"};
        busbar_fail(rows[i].status, BUSBAR_NOT_EXECUTED, "of another call");
        assert_int_equal(busbar_object_call(object, &call, NULL), rows[i].status);
        rig_assert_outcome(rows[i].status, rows[i].fate, "echo: m: ");
        busbar_object_destroy(&object);
    }
}

static void calls_that_are_none_do_not_reach_the_class(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = echo_new(&echo);
    CLEANUP(busbar_value_destroy) struct busbar_value *text = busbar_value_text("no list");
    const struct {
        struct busbar_object *object;
        struct busbar_object_call call;
        enum busbar_status status;
        const char *said;
    } rows[] = {
        {NULL, {.method = "m"}, BUSBAR_BAD_ARGUMENT, "an object"},
        {object, {.method = NULL}, BUSBAR_BAD_ARGUMENT, "a method"},
        {object, {.method = ""}, BUSBAR_BAD_REQUEST, "echo: \"\" cannot be the name of a method"},
        {object, {.method = "a.b\n"}, BUSBAR_BAD_REQUEST, "\"a.b\\n\" cannot be"},
        {object, {.method = "m", .arguments = text}, BUSBAR_BAD_REQUEST, "list, not a string"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct busbar_value *result = text;
        assert_int_equal(busbar_object_call(rows[i].object, &rows[i].call, &result),
                         rows[i].status);
        assert_null(result);
        rig_assert_outcome(rows[i].status, BUSBAR_NOT_EXECUTED, rows[i].said);
    }
    assert_int_equal(busbar_object_call(object, NULL, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(echo.calls, 0);
    busbar_object_destroy(&object);
}

static void a_description_has_what_is_known_and_no_more(void **state)
{
    (void)state;
    struct echo echo = {.description = "get_data s>S yes text\nother"};
    struct busbar_object *object = echo_new(&echo);
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    assert_int_equal(busbar_object_describe(object, &list), BUSBAR_OK);
    assert_int_equal(busbar_value_count(list), 2);
    const struct busbar_value *first = busbar_value_at(list, 0);
    const struct busbar_value *second = busbar_value_at(list, 1);
    assert_int_equal(busbar_value_count(first), 4);
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "name")), "get_data");
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "signature")), "s>S");
    assert_true(busbar_value_as_bool(busbar_value_get(first, "idempotent")));
    assert_string_equal(busbar_value_as_text(busbar_value_get(first, "text")), "text");
    assert_int_equal(busbar_value_count(second), 1);
    assert_string_equal(busbar_value_as_text(busbar_value_get(second, "name")), "other");
    busbar_object_destroy(&object);
}

static void an_object_that_says_nothing_describes_an_empty_list(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = NULL;
    CLEANUP(busbar_value_destroy) struct busbar_value *list = NULL;
    assert_int_equal(busbar_object_new(&object, &dumb_class, &echo), BUSBAR_OK);
    assert_int_equal(busbar_object_describe(object, &list), BUSBAR_OK);
    assert_int_equal(busbar_value_type(list), BUSBAR_LIST);
    assert_int_equal(busbar_value_count(list), 0);
    assert_int_equal(busbar_object_describe(object, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_object_describe(NULL, &(struct busbar_value *){NULL}),
                     BUSBAR_BAD_ARGUMENT);
    assert_int_equal(object_probe(object, 1), BUSBAR_OK);
    busbar_object_destroy(&object);
}

static void errors_call_an_object_by_its_id_once_it_has_one(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = echo_new(&echo);
    struct busbar_object_call call = {.method = "?"};
    assert_string_equal(object_name(object), "echo");
    assert_true(object_set_id(object, "service"));
    assert_false(object_set_id(object, "other"));
    assert_string_equal(object_name(object), "service");
    assert_int_equal(busbar_object_call(object, &call, NULL), BUSBAR_BAD_REQUEST);
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "service: \"?\"");
    busbar_object_destroy(&object);
}

static void *set_an_id(void *context)
{
    struct busbar_object *object = context;
    char id[32];
    snprintf(id, sizeof id, "%p", (void *)&id);
    bool set = object_set_id(object, id);
    assert_string_not_equal(object_name(object), "echo");
    busbar_object_destroy(&object);
    return set ? context : NULL;
}

static void threads_share_objects_and_one_of_them_sets_the_id(void **state)
{
    (void)state;
    struct echo echo = {.description = ""};
    struct busbar_object *object = echo_new(&echo);
    pthread_t threads[8];
    unsigned set = 0;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_an_id, busbar_object_ref(object)),
                         0);
    busbar_object_destroy(&object);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        set += result != NULL;
    }
    assert_int_equal(set, 1);
    assert_int_equal(echo.destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reference_ends_an_object),
        cmocka_unit_test(a_class_needs_a_kind_and_a_call_and_its_context_is_taken),
        cmocka_unit_test(a_call_gives_what_the_class_gives),
        cmocka_unit_test(a_failure_leaves_no_result_and_says_what_the_class_said),
        cmocka_unit_test(a_failure_without_a_word_gets_fate_and_text),
        cmocka_unit_test(calls_that_are_none_do_not_reach_the_class),
        cmocka_unit_test(a_description_has_what_is_known_and_no_more),
        cmocka_unit_test(an_object_that_says_nothing_describes_an_empty_list),
        cmocka_unit_test(errors_call_an_object_by_its_id_once_it_has_one),
        cmocka_unit_test(threads_share_objects_and_one_of_them_sets_the_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
