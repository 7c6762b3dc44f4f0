/* Which C function pointer one gets for a method, from how many threads it is called, what it costs. */
#include <busbar/object.h>

#include <ffi.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/function_rig.h"

enum {
    THREADS = 8,
    ROUNDS = 500,
    COST_CALLS = 20000,
    COST_LIMIT = 50, /* ten times what bench/function.c holds it to */
};

static double f_sum(double a, double b)
{
    return a + b;
}

static const char *f_same(const char *s)
{
    return s;
}

static char *f_copy(const char *s)
{
    return s != NULL ? strdup(s) : NULL;
}

static const struct rig_function functions[] = {
    {"sum", "dd>d", (void *)f_sum},
    {"same", "s>s", (void *)f_same},
    {"copy", "s?>S", (void *)f_copy},
    {NULL, NULL, NULL},
};

static void check_same_pointer(struct busbar_object *object)
{
    unsigned before = rig_questions;
    void *sum = busbar_function(object, "sum");
    void *same = busbar_function(object, "same");
    assert_non_null(sum);
    assert_ptr_not_equal(sum, same);
    assert_ptr_equal(busbar_function(object, "sum"), sum);
    assert_ptr_equal(busbar_function_as(object, "sum", "dd>d"), sum);
    assert_ptr_equal(busbar_function(object, "same"), same);
    assert_true(rig_questions - before <= 2);
    rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
}

static void the_same_request_gives_the_same_pointer_and_asks_once(void **state)
{
    (void)state;
    rig_each(functions, check_same_pointer);
}

static void check_nothing_to_get(struct busbar_object *object)
{
    assert_null(busbar_function(object, "absent"));
    rig_assert_outcome(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "rig: there is no method absent");
    assert_null(busbar_function(object, "no name"));
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "\"no name\"");
    assert_null(busbar_function(object, NULL));
    rig_assert_outcome(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "");
    assert_null(busbar_function(NULL, "sum"));
    rig_assert_outcome(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "");
    assert_null(busbar_function_as(object, "sum", NULL));
    rig_assert_outcome(BUSBAR_BAD_ARGUMENT, BUSBAR_NOT_EXECUTED, "rig: ");
    assert_null(busbar_function_as(object, "sum", "dq>d"));
    rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED, "rig: no type 'q'");
}

static void a_method_that_is_none_has_no_pointer(void **state)
{
    (void)state;
    rig_each(functions, check_nothing_to_get);
}

static void a_signature_of_another_type_is_refused_with_both(void **state)
{
    (void)state;
    for (enum rig_kind kind = 0; kind < RIG_KINDS; kind++) {
        struct busbar_object *object = rig_new(kind, functions);
        if (kind == RIG_ASKED) /* what it is was told with this */
            assert_non_null(busbar_function(object, "copy"));
        assert_null(busbar_function_as(object, "copy", "s?>s"));
        rig_assert_outcome(BUSBAR_BAD_REQUEST, BUSBAR_NOT_EXECUTED,
                           "rig: the signature of copy is \"s?>S\", not \"s?>s\"");
        /* Whether NULL is allowed is no part of the C type, and is as the object says. */
        char *(*copy)(const char *) = busbar_function_as(object, "copy", "s>S");
        assert_ptr_equal((void *)copy, busbar_function(object, "copy"));
        assert_null(copy(NULL));
        rig_assert_outcome(BUSBAR_OK, BUSBAR_EXECUTED, "");
        busbar_object_destroy(&object);
    }
}

static void a_signature_that_is_given_asks_nobody(void **state)
{
    (void)state;
    struct busbar_object *object = rig_new(RIG_ASKED, functions);
    unsigned before = rig_questions;
    const char *(*same)(const char *) = busbar_function_as(object, "same", "s>s");
    void *(*other)(void) = busbar_function_as(object, "absent", ">S");
    assert_string_equal(same("x"), "x");
    assert_null(other());
    rig_assert_outcome(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "no absent");
    assert_int_equal(rig_questions, before);
    busbar_object_destroy(&object);
}

/* Descriptions that are of no use. */

static struct busbar_value *describe_as_told(void *context)
{
    struct busbar_value *list = busbar_value_list();
    struct busbar_value *map = busbar_value_map();
    struct busbar_value *name = busbar_value_text("m");
    struct busbar_value *signature = busbar_value_text(context);
    assert_int_equal(busbar_value_set(map, "name", &name), BUSBAR_OK);
    assert_int_equal(busbar_value_set(map, "signature", &signature), BUSBAR_OK);
    assert_int_equal(busbar_value_append(list, &map), BUSBAR_OK);
    return list;
}

static struct busbar_value *describe_nothing(void *context)
{
    (void)context;
    busbar_fail(BUSBAR_BROKER_LOST, BUSBAR_NOT_EXECUTED, "nobody to ask");
    return NULL;
}

static enum busbar_status never_called(void *context, const struct busbar_object_call *call,
                                       struct busbar_value **ret)
{
    (void)context;
    (void)call;
    (void)ret;
    return BUSBAR_APP_ERROR;
}

static void a_description_of_no_use_gives_no_pointer(void **state)
{
    (void)state;
    static const struct busbar_object_class teller = {
        .kind = "teller", .call = never_called, .describe = describe_as_told};
    static const struct busbar_object_class mute = {.kind = "mute", .call = never_called};
    static const struct busbar_object_class lost = {
        .kind = "lost", .call = never_called, .describe = describe_nothing};
    static const struct {
        const struct busbar_object_class *class;
        char context[8];
        enum busbar_status status;
        const char *text;
    } rows[] = {
        {&teller, "", BUSBAR_BAD_REQUEST, "teller: nobody says the signature of m"},
        {&teller, "sd", BUSBAR_BAD_REQUEST,
         "teller: no '>' between arguments and result in \"sd\""},
        {&mute, "", BUSBAR_BAD_REQUEST, "mute: nobody says the signature of m"},
        {&lost, "", BUSBAR_BROKER_LOST, "nobody to ask"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct busbar_object *object = NULL;
        assert_int_equal(busbar_object_new(&object, rows[i].class, (void *)rows[i].context),
                         BUSBAR_OK);
        assert_null(busbar_function(object, "m"));
        rig_assert_outcome(rows[i].status, BUSBAR_NOT_EXECUTED, rows[i].text);
        busbar_object_destroy(&object);
    }
}

/* Threads ------------------------------------------------------------------------------------ */

struct crowd {
    struct busbar_object *object;
    const char *(*same)(const char *);
};

static void *call_often(void *context)
{
    struct crowd *crowd = context;
    double (*sum)(double, double) = busbar_function(crowd->object, "sum");
    char *(*copy)(const char *) = busbar_function(crowd->object, "copy");
    size_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d of %p", i, (void *)crowd);
        const char *same = crowd->same(text);
        CLEANUP(cleanup_free) char *mine = copy(text);
        wrong += sum(i, 1) != i + 1 || strcmp(same, text) != 0 || strcmp(mine, text) != 0;
        wrong += crowd->same("\xff") != NULL || busbar_last_status() != BUSBAR_BAD_REQUEST;
        wrong += strcmp(same, text) != 0;
    }
    busbar_object_destroy(&crowd->object);
    return (void *)wrong;
}

static void check_threads(struct busbar_object *object)
{
    const char *(*same)(const char *) = busbar_function(object, "same");
    pthread_t threads[THREADS];
    struct crowd crowds[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        crowds[i] = (struct crowd){.object = busbar_object_ref(object), .same = same};
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &crowds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void eight_threads_call_one_pointer_and_each_has_its_own_result(void **state)
{
    (void)state;
    rig_each(functions, check_threads);
}

static void check_fork(struct busbar_object *object)
{
    double (*sum)(double, double) = rig_get(object, "sum");
    const char *(*same)(const char *) = rig_get(object, "same");
    const char *before = same("before");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *(*copy)(const char *) = busbar_function(object, "copy");
        char *mine = copy != NULL ? copy(before) : NULL;
        bool ok = sum(1, 2) == 3 && mine != NULL && strcmp(same(mine), "before") == 0;
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(before, "before");
}

static void pointers_go_on_in_the_child_of_a_fork(void **state)
{
    (void)state;
    rig_each(functions, check_fork);
}

/* A real library ----------------------------------------------------------------------------- */

static void a_library_is_called_straight(void **state)
{
    (void)state;
    static const struct busbar_function of_libm[] = {
        {.name = "pow", .signature = "dd>d"},
        {.name = "split", .symbol = "frexp", .signature = "d>d*i"},
    };
    static const struct busbar_library_options options = {
        .path = "libm.so.6", .functions = of_libm, .function_count = ARRAY_SIZE(of_libm)};
    struct busbar_object *object = NULL;
    assert_int_equal(busbar_library_new(&object, &options), BUSBAR_OK);
    double (*power)(double, double) = busbar_function(object, "pow");
    double (*split)(double, int *) = busbar_function(object, "split");
    int exponent = 0;
    assert_true(power(2, 10) == 1024);
    assert_true(split(8, &exponent) == 0.5);
    assert_int_equal(exponent, 4);
    assert_null(busbar_function(object, "frexp"));
    rig_assert_outcome(BUSBAR_NO_METHOD, BUSBAR_NOT_EXECUTED, "library: there is no method frexp");
    busbar_object_destroy(&object);
}

/* Cost --------------------------------------------------------------------------------------- */

static void call_bare(ffi_cif *cif, void *ret, void **arguments, void *address)
{
    ffi_call(cif, FFI_FN(address), ret, arguments);
}

static uint64_t time_of(double (*function)(double, double))
{
    volatile double sum = 0;
    uint64_t start = clock_ns();
    for (int i = 0; i < COST_CALLS; i++)
        sum = function(sum, 1);
    return clock_ns() - start;
}

static void a_straight_call_costs_little_more_than_libffi(void **state)
{
    (void)state;
    ffi_cif cif;
    ffi_type *types[] = {&ffi_type_double, &ffi_type_double};
    void *code = NULL;
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, &code);
    assert_non_null(closure);
    assert_int_equal(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_double, types), FFI_OK);
    assert_int_equal(ffi_prep_closure_loc(closure, &cif, call_bare, (void *)f_sum, code), FFI_OK);
    struct busbar_object *object = rig_new(RIG_STRAIGHT, functions);
    double (*ours)(double, double) = busbar_function(object, "sum");
    uint64_t bare = UINT64_MAX;
    uint64_t straight = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t time = time_of((double (*)(double, double))code);
        bare = time < bare ? time : bare;
        time = time_of(ours);
        straight = time < straight ? time : straight;
    }
    assert_true(straight <= bare * COST_LIMIT);
    busbar_object_destroy(&object);
    ffi_closure_free(closure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_gives_the_same_pointer_and_asks_once),
        cmocka_unit_test(a_method_that_is_none_has_no_pointer),
        cmocka_unit_test(a_signature_of_another_type_is_refused_with_both),
        cmocka_unit_test(a_signature_that_is_given_asks_nobody),
        cmocka_unit_test(a_description_of_no_use_gives_no_pointer),
        cmocka_unit_test(eight_threads_call_one_pointer_and_each_has_its_own_result),
        cmocka_unit_test(pointers_go_on_in_the_child_of_a_fork),
        cmocka_unit_test(a_library_is_called_straight),
        cmocka_unit_test(a_straight_call_costs_little_more_than_libffi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
