/* Calls through a pool: whose turn it is, who is set aside, what is repeated and what is told. The
 * numbers are those of the promises of remoting that a test is about. */
#include "tests/unit/fake_member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "objects/outcome.h"

enum {
    NEVER_MS = 3600000, /* between probes: none happens in a test */
    SOON_MS = 20,
};

/* Three members, north, east and south, and a pool of them that does not probe. */
struct scene {
    struct fake_member *members[4];
    struct busbar_object *pool;
};

static int set_up(void **state)
{
    static const char *const IDS[] = {"north", "east", "south"};
    struct scene *scene = calloc(1, sizeof *scene);
    for (size_t i = 0; i < 3; i++)
        scene->members[i] = fake_member_new(IDS[i]);
    scene->pool = fake_pool(NEVER_MS, scene->members);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    busbar_object_destroy(&scene->pool);
    for (size_t i = 0; i < 3; i++)
        fake_member_unref(&scene->members[i]);
    free(scene);
    return fake_members_alive == 0 ? 0 : -1;
}

static void expect_answer(struct busbar_object *pool, const char *id)
{
    char answered[32];
    assert_int_equal(fake_call(pool, "get", answered), BUSBAR_OK);
    assert_string_equal(answered, id);
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
}

static void expect_failure(struct busbar_object *pool, enum busbar_status status,
                           enum busbar_fate fate)
{
    struct busbar_value *value = (struct busbar_value *)1;
    const struct busbar_object_call call = {.method = "get"};
    assert_string_equal(busbar_status_name(busbar_object_call(pool, &call, &value)),
                        busbar_status_name(status));
    assert_null(value);
    assert_int_equal(busbar_last_status(), status);
    assert_int_equal(busbar_last_fate(), fate);
}

/* 20, and 21: the sketch's first call skipped the first member. */
static void promise_21_each_call_goes_to_the_next_member_beginning_with_the_first(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 3; i++) {
        expect_answer(scene->pool, "north");
        expect_answer(scene->pool, "east");
        expect_answer(scene->pool, "south");
    }
}

/* 20 */
static void an_unreachable_member_is_set_aside_and_its_call_goes_to_the_next_unseen(void **state)
{
    struct scene *scene = *state;
    fake_member_down(scene->members[0]);
    expect_answer(scene->pool, "east");
    expect_answer(scene->pool, "south");
    expect_answer(scene->pool, "east");
    assert_int_equal(scene->members[0]->calls, 1);
    struct busbar_pool_stats stats = fake_stats(scene->pool);
    assert_int_equal(stats.members, 3);
    assert_int_equal(stats.aside, 1);
    assert_int_equal(stats.moved, 1);
}

/* 21: the sketch evicted members for them. 24 */
static void promise_21_errors_of_the_application_set_nobody_aside(void **state)
{
    struct scene *scene = *state;
    fake_member_fail(scene->members[0], BUSBAR_APP_ERROR, BUSBAR_EXECUTED);
    for (int i = 0; i < 5; i++) {
        expect_failure(scene->pool, BUSBAR_APP_ERROR, BUSBAR_EXECUTED);
        assert_string_equal(busbar_last_error(), "north: told to fail");
        expect_answer(scene->pool, "east");
        expect_answer(scene->pool, "south");
    }
    assert_int_equal(fake_stats(scene->pool).aside, 0);
    assert_int_equal(fake_stats(scene->pool).moved, 0);
}

/* What one member's failure leads to, with two good members after it. */
struct failure_case {
    enum busbar_status status;
    bool aside;
    bool moves[3]; /* not executed; maybe executed; the same of an idempotent method */
};
static const struct failure_case FAILURES[] = {
    {BUSBAR_BROKER_LOST, true, {true, false, true}},
    {BUSBAR_NO_SERVICE, true, {true, false, true}},
    {BUSBAR_NO_MEMBERS, true, {true, false, true}},
    {BUSBAR_DRAINING, true, {true, false, true}},
    {BUSBAR_BUSY, false, {true, false, true}},
    {BUSBAR_NO_METHOD, false, {true, false, true}},
    {BUSBAR_FORKED, false, {true, false, true}},
    {BUSBAR_WORKER_LOST, false, {true, false, true}},
    {BUSBAR_POISONED, false, {false, false, false}},
    {BUSBAR_CANCELLED, false, {false, false, false}},
    {BUSBAR_EXPIRED, false, {false, false, false}},
    {BUSBAR_BAD_REQUEST, false, {false, false, false}},
    {BUSBAR_TOO_LARGE, false, {false, false, false}},
    {BUSBAR_DENIED, false, {false, false, false}},
    {BUSBAR_UNSUPPORTED, false, {false, false, false}},
    {BUSBAR_NO_MEMORY, false, {false, false, false}},
    {BUSBAR_SYSTEM, false, {false, false, false}},
};

/* The first call of a fresh pool: its first member fails in this way. */
static void check_failure(const struct failure_case *failure, int form)
{
    struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, members);
    enum busbar_fate fate = form == 0 ? BUSBAR_NOT_EXECUTED : BUSBAR_MAYBE_EXECUTED;
    if (form == 2)
        members[1]->method = (struct object_method){"get", "", "", true};
    fake_member_fail(members[0], failure->status, fate);
    if (failure->moves[form])
        expect_answer(pool, "b");
    else
        expect_failure(pool, failure->status, fate);
    if (fake_stats(pool).aside != failure->aside || members[1]->calls != failure->moves[form])
        fail_msg("%s, form %d: %u aside", busbar_status_name(failure->status), form,
                 fake_stats(pool).aside);
    busbar_object_destroy(&pool);
    fake_member_unref(&members[0]);
    fake_member_unref(&members[1]);
}

/* 24 */
static void promise_24_only_failures_in_transport_set_a_member_aside(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++)
        check_failure(&FAILURES[i], 0);
}

/* 24 */
static void promise_24_a_call_that_may_have_run_is_not_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++)
        check_failure(&FAILURES[i], 1);
}

/* 24 */
static void a_call_that_may_have_run_is_repeated_if_a_member_says_it_is_idempotent(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++)
        check_failure(&FAILURES[i], 2);
}

/* 24 */
static void the_pool_itself_may_declare_methods_idempotent(void **state)
{
    static const char *const NAMED[] = {"other", "get", NULL};
    static const char *const OTHERS[] = {"other", NULL};
    static const char *const ALL[] = {"*", NULL};
    static const struct {
        const char *const *methods;
        bool repeated;
    } CASES[] = {{NAMED, true}, {OTHERS, false}, {ALL, true}, {NULL, false}};
    struct scene *scene = *state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct busbar_object *objects[] = {&scene->members[0]->object, &scene->members[1]->object};
        struct busbar_pool_options options = {
            .members = objects, .member_count = 2, .idempotent = CASES[i].methods};
        struct busbar_object *pool = NULL;
        assert_int_equal(busbar_pool_new(&pool, &options), BUSBAR_OK);
        fake_member_fail(scene->members[0], BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
        if (CASES[i].repeated)
            expect_answer(pool, "east");
        else
            expect_failure(pool, BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
        busbar_object_destroy(&pool);
    }
}

/* A deadline within which no broker was reached; not that of a call that waited for a local turn. */
static void a_call_that_never_left_in_its_time_sets_its_member_aside(void **state)
{
    struct scene *scene = *state;
    struct fake_member *local[] = {fake_member_local("local"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, local);
    fake_member_fail(scene->members[0], BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED);
    fake_member_fail(scene->members[1], BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED);
    fake_member_fail(local[0], BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED);
    expect_failure(scene->pool, BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED);
    assert_int_equal(fake_stats(scene->pool).aside, 1);
    expect_failure(scene->pool, BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED);
    assert_int_equal(fake_stats(scene->pool).aside, 1);
    expect_failure(pool, BUSBAR_TIMEOUT, BUSBAR_NOT_EXECUTED);
    assert_int_equal(fake_stats(pool).aside, 0);
    busbar_object_destroy(&pool);
    fake_member_unref(&local[0]);
}

/* 21: the sketch divided by their number. 22 */
static void promise_21_an_empty_pool_has_no_members_and_says_so(void **state)
{
    struct fake_member *none[] = {NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, none);
    (void)state;
    expect_failure(pool, BUSBAR_NO_MEMBERS, BUSBAR_NOT_EXECUTED);
    assert_string_equal(busbar_last_error(), "all: the pool has no members");
    assert_int_equal(object_probe(pool, 100), BUSBAR_NO_MEMBERS);
    busbar_object_destroy(&pool);
}

/* 22 */
static void no_member_that_can_be_reached_is_an_error_of_its_own_that_names_each(void **state)
{
    struct scene *scene = *state;
    fake_member_down(scene->members[0]);
    fake_member_fail(scene->members[1], BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    fake_member_fail(scene->members[2], BUSBAR_DRAINING, BUSBAR_NOT_EXECUTED);
    expect_failure(scene->pool, BUSBAR_NO_MEMBERS, BUSBAR_NOT_EXECUTED);
    assert_string_equal(busbar_last_error(),
                        "all: no member can be reached; north: BROKER_LOST: told to fail; east: "
                        "NO_SERVICE: told to fail; south: DRAINING: told to fail");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(scene->members[i]->calls, 1);
}

/* 22: and a full queue is not an absent member. */
static void a_member_that_was_reached_has_the_last_word(void **state)
{
    static const struct {
        enum busbar_status statuses[3];
        enum busbar_status told;
        const char *text;
    } CASES[] = {
        {{BUSBAR_BROKER_LOST, BUSBAR_BUSY, BUSBAR_NO_SERVICE}, BUSBAR_BUSY, "b: told to fail"},
        {{BUSBAR_BUSY, BUSBAR_NO_METHOD, BUSBAR_NO_METHOD}, BUSBAR_BUSY, "a: told to fail"},
        {{BUSBAR_NO_METHOD, BUSBAR_BUSY, BUSBAR_BUSY}, BUSBAR_BUSY, "c: told to fail"},
        {{BUSBAR_NO_METHOD, BUSBAR_DRAINING, BUSBAR_NO_METHOD},
         BUSBAR_NO_METHOD,
         "a: told to fail"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"),
                                         fake_member_new("c"), NULL};
        struct busbar_object *pool = fake_pool(NEVER_MS, members);
        for (size_t j = 0; j < 3; j++)
            fake_member_fail(members[j], CASES[i].statuses[j], BUSBAR_NOT_EXECUTED);
        expect_failure(pool, CASES[i].told, BUSBAR_NOT_EXECUTED);
        assert_string_equal(busbar_last_error(), CASES[i].text);
        busbar_object_destroy(&pool);
        for (size_t j = 0; j < 3; j++)
            fake_member_unref(&members[j]);
    }
}

/* 24: whatever a later member says. */
static void what_an_earlier_member_may_have_executed_stays_in_the_fate(void **state)
{
    static const enum busbar_status LAST[] = {BUSBAR_BROKER_LOST, BUSBAR_BAD_REQUEST, BUSBAR_BUSY};
    static const enum busbar_status TOLD[] = {BUSBAR_NO_MEMBERS, BUSBAR_BAD_REQUEST, BUSBAR_BUSY};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(LAST); i++) {
        struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"), NULL};
        struct busbar_object *pool = fake_pool(NEVER_MS, members);
        members[0]->method = (struct object_method){"get", "", "", true};
        fake_member_fail(members[0], BUSBAR_BROKER_LOST, BUSBAR_MAYBE_EXECUTED);
        fake_member_fail(members[1], LAST[i], BUSBAR_NOT_EXECUTED);
        expect_failure(pool, TOLD[i], BUSBAR_MAYBE_EXECUTED);
        busbar_object_destroy(&pool);
        fake_member_unref(&members[0]);
        fake_member_unref(&members[1]);
    }
}

/* 21: the sketch called itself for each. A thread of this stack would not bear it. */
static void *call_many(void *pool)
{
    char answered[32];
    return fake_call(pool, "get", answered) == BUSBAR_OK && strcmp(answered, "good") == 0 ? pool
                                                                                          : NULL;
}

static void promise_21_many_dead_members_cost_a_call_no_stack(void **state)
{
    enum { MANY = 5000 };
    struct fake_member *good = fake_member_new("good");
    struct fake_member *none[] = {NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, none);
    pthread_attr_t small;
    pthread_t thread;
    void *done = NULL;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        struct fake_member *dead = fake_member_new(NULL);
        fake_member_down(dead);
        assert_int_equal(busbar_pool_add(pool, &dead->object), BUSBAR_OK);
        fake_member_unref(&dead);
    }
    assert_int_equal(busbar_pool_add(pool, &good->object), BUSBAR_OK);
    pthread_attr_init(&small);
    assert_int_equal(pthread_attr_setstacksize(&small, 128 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &small, call_many, pool), 0);
    pthread_join(thread, &done);
    pthread_attr_destroy(&small);
    assert_ptr_equal(done, pool);
    assert_int_equal(fake_stats(pool).aside, MANY);
    busbar_object_destroy(&pool);
    fake_member_unref(&good);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(promise_21_each_call_goes_to_the_next_member_beginning_with_the_first),
        TEST(an_unreachable_member_is_set_aside_and_its_call_goes_to_the_next_unseen),
        TEST(promise_21_errors_of_the_application_set_nobody_aside),
        TEST(promise_24_only_failures_in_transport_set_a_member_aside),
        TEST(promise_24_a_call_that_may_have_run_is_not_repeated),
        TEST(a_call_that_may_have_run_is_repeated_if_a_member_says_it_is_idempotent),
        TEST(the_pool_itself_may_declare_methods_idempotent),
        TEST(a_call_that_never_left_in_its_time_sets_its_member_aside),
        TEST(promise_21_an_empty_pool_has_no_members_and_says_so),
        TEST(no_member_that_can_be_reached_is_an_error_of_its_own_that_names_each),
        TEST(a_member_that_was_reached_has_the_last_word),
        TEST(what_an_earlier_member_may_have_executed_stays_in_the_fate),
        TEST(promise_21_many_dead_members_cost_a_call_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
