/* The members of a pool: their coming and going under calls, circles of them, and what is passed on
 * to them. The numbers are those of the promises of remoting that a test is about. */
#include "tests/unit/fake_member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    NEVER_MS = 3600000, /* between probes: none happens in a test */
    THREADS = 4,
    CALLS = 3000,
};

static struct busbar_object *empty_pool(const char *id)
{
    struct busbar_object *pool = NULL;
    assert_int_equal(busbar_pool_new(&pool, NULL), BUSBAR_OK);
    assert_true(object_set_id(pool, id));
    return pool;
}

static void expect_answer(struct busbar_object *pool, const char *id)
{
    char answered[32];
    assert_int_equal(fake_call(pool, "get", answered), BUSBAR_OK);
    assert_string_equal(answered, id);
}

/* 23 */
static void promise_23_a_pool_grows_and_shrinks_at_run_time(void **state)
{
    struct fake_member *a = fake_member_new("a");
    struct fake_member *b = fake_member_new("b");
    struct busbar_object *pool = empty_pool("all");
    (void)state;
    assert_int_equal(busbar_pool_add(pool, &a->object), BUSBAR_OK);
    expect_answer(pool, "a");
    assert_int_equal(busbar_pool_add(pool, &b->object), BUSBAR_OK);
    expect_answer(pool, "b");
    expect_answer(pool, "a");
    assert_int_equal(busbar_pool_remove(pool, &a->object), BUSBAR_OK);
    expect_answer(pool, "b");
    expect_answer(pool, "b");
    assert_int_equal(busbar_pool_remove(pool, &b->object), BUSBAR_OK);
    assert_int_equal(fake_call(pool, "get", NULL), BUSBAR_NO_MEMBERS);
    assert_int_equal(busbar_pool_add(pool, &a->object), BUSBAR_OK);
    expect_answer(pool, "a");
    fake_member_unref(&a); /* the pool has a reference of its own */
    expect_answer(pool, "a");
    fake_member_unref(&b);
    busbar_object_destroy(&pool);
    assert_int_equal(fake_members_alive, 0);
}

static void members_that_cannot_be_are_refused(void **state)
{
    struct fake_member *a = fake_member_new("a");
    struct busbar_object *pool = empty_pool("all");
    struct busbar_object *none = NULL;
    struct busbar_pool_stats stats;
    (void)state;
    assert_int_equal(busbar_pool_add(pool, &a->object), BUSBAR_OK);
    assert_int_equal(busbar_pool_add(pool, &a->object), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_last_error(), "all: a is a member already");
    assert_int_equal(busbar_pool_add(pool, NULL), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_pool_add(NULL, &a->object), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_pool_add(&a->object, pool), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_last_error(), "a is no pool");
    assert_int_equal(busbar_pool_remove(&a->object, pool), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_pool_remove(pool, &a->object), BUSBAR_OK);
    assert_int_equal(busbar_pool_remove(pool, &a->object), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_last_error(), "all: a is no member");
    assert_int_equal(busbar_pool_stats(&a->object, &stats), BUSBAR_BAD_ARGUMENT);
    const struct busbar_pool_options twice = {
        .members = (struct busbar_object *[]){&a->object, &a->object}, .member_count = 2};
    assert_int_equal(busbar_pool_new(&none, &twice), BUSBAR_BAD_ARGUMENT);
    assert_null(none);
    const struct busbar_pool_options bad = {.idempotent = (const char *[]){"no-name", NULL}};
    assert_int_equal(busbar_pool_new(&none, &bad), BUSBAR_BAD_CONFIG);
    assert_non_null(strstr(busbar_last_error(), "\"no-name\" cannot be the name of a method"));
    busbar_object_destroy(&pool);
    fake_member_unref(&a);
    assert_int_equal(fake_members_alive, 0);
}

static void a_pool_through_which_it_would_reach_itself_is_refused(void **state)
{
    struct busbar_object *pools[] = {empty_pool("one"), empty_pool("two"), empty_pool("three")};
    (void)state;
    assert_int_equal(busbar_pool_add(pools[0], pools[0]), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(busbar_pool_add(pools[0], pools[1]), BUSBAR_OK);
    assert_int_equal(busbar_pool_add(pools[1], pools[2]), BUSBAR_OK);
    assert_int_equal(busbar_pool_add(pools[0], pools[2]), BUSBAR_OK); /* two ways are no circle */
    assert_int_equal(busbar_pool_add(pools[2], pools[0]), BUSBAR_BAD_ARGUMENT);
    assert_string_equal(busbar_last_error(), "three: it would reach itself through one");
    assert_int_equal(busbar_pool_add(pools[2], pools[1]), BUSBAR_BAD_ARGUMENT);
    assert_int_equal(fake_stats(pools[2]).members, 0);
    assert_int_equal(fake_call(pools[0], "get", NULL), BUSBAR_NO_MEMBERS);
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++)
        busbar_object_destroy(&pools[i]);
}

struct closing {
    struct busbar_object *from;
    struct busbar_object *to;
    pthread_barrier_t *start;
};

static void *close_circle(void *argument)
{
    struct closing *closing = argument;
    pthread_barrier_wait(closing->start);
    bool added = busbar_pool_add(closing->from, closing->to) == BUSBAR_OK;
    return added ? closing : NULL;
}

static void two_threads_cannot_close_a_circle_together(void **state)
{
    pthread_barrier_t start;
    (void)state;
    pthread_barrier_init(&start, NULL, 2);
    for (int i = 0; i < 200; i++) {
        struct busbar_object *one = empty_pool("one");
        struct busbar_object *two = empty_pool("two");
        struct closing closings[] = {{one, two, &start}, {two, one, &start}};
        pthread_t threads[2];
        void *added[2];
        for (int j = 0; j < 2; j++)
            assert_int_equal(pthread_create(&threads[j], NULL, close_circle, &closings[j]), 0);
        for (int j = 0; j < 2; j++)
            pthread_join(threads[j], &added[j]);
        assert_true(added[0] == NULL || added[1] == NULL);
        assert_int_equal(fake_call(one, "get", NULL), BUSBAR_NO_MEMBERS);
        busbar_object_destroy(&one);
        busbar_object_destroy(&two);
    }
    pthread_barrier_destroy(&start);
}

struct callers {
    struct busbar_object *pool;
    atomic_uint failed;
    atomic_uint ended;
};

static void *call_often(void *argument)
{
    struct callers *callers = argument;
    for (int i = 0; i < CALLS; i++)
        callers->failed += fake_call(callers->pool, "get", NULL) != BUSBAR_OK;
    callers->ended++;
    return NULL;
}

/* 21: the sketch was not thread-safe. 19: removing one loses no call. */
static void promise_21_members_come_and_go_under_the_calls_of_many_threads(void **state)
{
    struct fake_member *stays = fake_member_new("stays");
    struct callers callers = {.pool = empty_pool("all")};
    pthread_t threads[THREADS];
    unsigned turns = 0;
    (void)state;
    assert_int_equal(busbar_pool_add(callers.pool, &stays->object), BUSBAR_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers), 0);
    for (; callers.ended < THREADS || turns < 10; turns++) {
        struct fake_member *guests[] = {fake_member_new("guest"), fake_member_new("other")};
        for (int i = 0; i < 2; i++)
            assert_int_equal(busbar_pool_add(callers.pool, &guests[i]->object), BUSBAR_OK);
        if (turns % 3 == 0)
            fake_member_down(guests[1]);
        usleep(100);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(busbar_pool_remove(callers.pool, &guests[i]->object), BUSBAR_OK);
            fake_member_unref(&guests[i]); /* whoever is in a call has a reference */
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(callers.failed, 0);
    busbar_object_destroy(&callers.pool);
    fake_member_unref(&stays);
    assert_int_equal(fake_members_alive, 0);
}

static void remove_itself(struct fake_member *member)
{
    struct busbar_object *pool = member->context;
    assert_int_equal(busbar_pool_remove(pool, &member->object), BUSBAR_OK);
}

/* 19 */
static void a_call_goes_on_while_its_member_is_removed(void **state)
{
    struct fake_member *a = fake_member_new("a");
    struct busbar_object *pool = empty_pool("all");
    (void)state;
    assert_int_equal(busbar_pool_add(pool, &a->object), BUSBAR_OK);
    a->context = pool;
    a->entered = remove_itself; /* the lock is not held, and the call not lost */
    fake_member_unref(&a);
    expect_answer(pool, "a");
    assert_int_equal(fake_members_alive, 0);
    busbar_object_destroy(&pool);
}

static void a_pool_of_pools_moves_on_through_both(void **state)
{
    struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"),
                                     fake_member_new("c"), NULL};
    struct busbar_object *inner = fake_pool(NEVER_MS,
                                            (struct fake_member *[]){members[0], members[1], NULL});
    struct busbar_object *outer = empty_pool("outer");
    (void)state;
    assert_int_equal(busbar_pool_add(outer, inner), BUSBAR_OK);
    assert_int_equal(busbar_pool_add(outer, &members[2]->object), BUSBAR_OK);
    fake_member_down(members[0]);
    expect_answer(outer, "b");
    fake_member_down(members[1]);
    expect_answer(outer, "c");
    expect_answer(outer, "c");
    assert_int_equal(fake_stats(outer).aside, 1);
    fake_member_down(members[2]);
    assert_int_equal(fake_call(outer, "get", NULL), BUSBAR_NO_MEMBERS);
    assert_non_null(strstr(busbar_last_error(),
                           "outer: no member can be reached; all: NO_MEMBERS: no member can be "
                           "reached; a: BROKER_LOST: told to fail"));
    busbar_object_destroy(&outer);
    busbar_object_destroy(&inner);
    for (int i = 0; i < 3; i++)
        fake_member_unref(&members[i]);
    assert_int_equal(fake_members_alive, 0);
}

/* Time and cancelling -------------------------------------------------------------------------- */

static enum busbar_status call_within(struct busbar_object *pool, uint32_t timeout_ms,
                                      bool (*cancelled)(void *context))
{
    const struct busbar_object_call call = {
        .method = "get", .timeout_ms = timeout_ms, .cancelled = cancelled};
    return busbar_object_call(pool, &call, NULL);
}

static void each_member_gets_what_remains_of_the_time(void **state)
{
    struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, members);
    (void)state;
    fake_member_fail(members[0], BUSBAR_BUSY, BUSBAR_NOT_EXECUTED);
    members[0]->delay_ms = 30;
    assert_int_equal(call_within(pool, 60000, NULL), BUSBAR_OK);
    assert_int_equal(members[0]->last_timeout_ms, 60000);
    assert_in_range(members[1]->last_timeout_ms, 1, 60000 - 30);
    expect_answer(pool, "b"); /* its turn again is a's */
    assert_int_equal(members[0]->last_timeout_ms, 0);
    assert_int_equal(members[1]->last_timeout_ms, 0); /* its own */
    busbar_object_destroy(&pool);
    fake_member_unref(&members[0]);
    fake_member_unref(&members[1]);
}

static void no_member_is_called_after_the_deadline(void **state)
{
    static const struct {
        enum busbar_fate fate;
        enum busbar_status status;
    } CASES[] = {{BUSBAR_NOT_EXECUTED, BUSBAR_EXPIRED}, {BUSBAR_MAYBE_EXECUTED, BUSBAR_TIMEOUT}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"), NULL};
        struct busbar_object *pool = fake_pool(NEVER_MS, members);
        members[0]->method = (struct object_method){"get", "", "", true};
        members[0]->delay_ms = 20;
        fake_member_fail(members[0], BUSBAR_BROKER_LOST, CASES[i].fate);
        assert_int_equal(call_within(pool, 10, NULL), CASES[i].status);
        assert_int_equal(busbar_last_fate(), CASES[i].fate);
        assert_int_equal(members[1]->calls, 0);
        assert_int_equal(fake_stats(pool).aside, 1);
        busbar_object_destroy(&pool);
        fake_member_unref(&members[0]);
        fake_member_unref(&members[1]);
    }
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void a_call_that_is_not_wanted_any_more_goes_to_no_further_member(void **state)
{
    struct fake_member *members[] = {fake_member_new("a"), fake_member_new("b"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, members);
    (void)state;
    fake_member_down(members[0]);
    assert_int_equal(call_within(pool, 0, always), BUSBAR_CANCELLED);
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    assert_int_equal(members[1]->calls, 0);
    busbar_object_destroy(&pool);
    fake_member_unref(&members[0]);
    fake_member_unref(&members[1]);
}

/* What it says of itself ----------------------------------------------------------------------- */

static bool count_method(void *context, const struct object_method *method)
{
    unsigned *counts = context; /* of a, b, and idempotent ones */
    counts[strcmp(method->name, "a") == 0 ? 0 : 1]++;
    counts[2] += method->idempotent;
    return true;
}

static void a_pool_has_the_methods_of_all_its_members_once(void **state)
{
    struct fake_member *members[] = {fake_member_new("1"), fake_member_new("2"),
                                     fake_member_new("3"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, members);
    unsigned counts[3] = {0};
    (void)state;
    members[0]->method = (struct object_method){"a", "s>s", "says a", false};
    members[1]->method = (struct object_method){"b", ">d", "", false};
    members[2]->method = (struct object_method){"a", "s>s", "", true};
    assert_int_equal(object_describe(pool, 1000, count_method, counts), BUSBAR_OK);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 1); /* a, since one says so */
    memset(counts, 0, sizeof counts);
    members[0]->describe_status = BUSBAR_BROKER_LOST;
    members[2]->describe_status = BUSBAR_NO_SERVICE;
    assert_int_equal(object_describe(pool, 1000, count_method, counts), BUSBAR_OK);
    assert_int_equal(counts[0], 0);
    assert_int_equal(counts[1], 1);
    members[1]->describe_status = BUSBAR_NO_SERVICE;
    assert_int_equal(object_describe(pool, 1000, count_method, counts), BUSBAR_NO_SERVICE);
    assert_non_null(strstr(busbar_last_error(), "all: "));
    busbar_object_destroy(&pool);
    for (int i = 0; i < 3; i++)
        fake_member_unref(&members[i]);
}

static void what_a_pool_says_of_a_method_outlives_the_member_that_said_it(void **state)
{
    char name[] = "get";
    char signature[] = "s>s";
    struct fake_member *members[] = {fake_member_new("a"), NULL};
    struct busbar_object *pool = fake_pool(NEVER_MS, members);
    struct object_method found;
    (void)state;
    members[0]->method = (struct object_method){name, signature, "", true};
    assert_false(pool->class->find(pool, "put", &found));
    assert_true(pool->class->find(pool, "get", &found));
    assert_int_equal(busbar_pool_remove(pool, &members[0]->object), BUSBAR_OK);
    memset(name, 'x', sizeof name - 1);
    memset(signature, 'x', sizeof signature - 1);
    fake_member_unref(&members[0]);
    assert_string_equal(found.name, "get");
    assert_string_equal(found.signature, "s>s");
    assert_true(found.idempotent);
    assert_false(pool->class->find(pool, "get", &found));
    busbar_object_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promise_23_a_pool_grows_and_shrinks_at_run_time),
        cmocka_unit_test(members_that_cannot_be_are_refused),
        cmocka_unit_test(a_pool_through_which_it_would_reach_itself_is_refused),
        cmocka_unit_test(two_threads_cannot_close_a_circle_together),
        cmocka_unit_test(promise_21_members_come_and_go_under_the_calls_of_many_threads),
        cmocka_unit_test(a_call_goes_on_while_its_member_is_removed),
        cmocka_unit_test(a_pool_of_pools_moves_on_through_both),
        cmocka_unit_test(each_member_gets_what_remains_of_the_time),
        cmocka_unit_test(no_member_is_called_after_the_deadline),
        cmocka_unit_test(a_call_that_is_not_wanted_any_more_goes_to_no_further_member),
        cmocka_unit_test(a_pool_has_the_methods_of_all_its_members_once),
        cmocka_unit_test(what_a_pool_says_of_a_method_outlives_the_member_that_said_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
