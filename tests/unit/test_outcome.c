#include "objects/outcome.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

enum {
    THREADS = 8,
    ROUNDS = 200,
};

static void *run(void *(*function)(void *), void *context)
{
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, function, context), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

static void *look(void *unused)
{
    (void)unused;
    bool fresh = busbar_last_status() == BUSBAR_OK && busbar_last_fate() == BUSBAR_EXECUTED &&
                 busbar_last_error()[0] == '\0';
    busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "of a thread that ends");
    return fresh ? &busbar_last_status : NULL;
}

static void a_thread_begins_with_ok_whatever_others_have(void **state)
{
    (void)state;
    busbar_fail(BUSBAR_TIMEOUT, BUSBAR_MAYBE_EXECUTED, "of %s", "this thread");
    assert_non_null(run(look, NULL));
    assert_int_equal(busbar_last_status(), BUSBAR_TIMEOUT);
    assert_int_equal(busbar_last_fate(), BUSBAR_MAYBE_EXECUTED);
    assert_string_equal(busbar_last_error(), "of this thread");
}

static void a_failure_has_status_fate_and_text_until_the_next_outcome(void **state)
{
    (void)state;
    assert_int_equal(busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "%d of %s", 3, "them"),
                     BUSBAR_BUSY);
    assert_int_equal(busbar_last_status(), BUSBAR_BUSY);
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    assert_string_equal(busbar_last_error(), "3 of them");
    assert_int_equal(outcome_ok(), BUSBAR_OK);
    assert_int_equal(busbar_last_status(), BUSBAR_OK);
    assert_int_equal(busbar_last_fate(), BUSBAR_EXECUTED);
    assert_string_equal(busbar_last_error(), "");
}

static void a_text_may_be_made_of_the_one_before(void **state)
{
    (void)state;
    busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "inner");
    busbar_fail(BUSBAR_APP_ERROR, BUSBAR_EXECUTED, "outer: %s", busbar_last_error());
    assert_string_equal(busbar_last_error(), "outer: inner");
    outcome_fail_text(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, busbar_last_error());
    assert_string_equal(busbar_last_error(), "outer: inner");
}

static void a_prefix_leaves_status_and_fate(void **state)
{
    (void)state;
    busbar_fail(BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED, "nobody");
    assert_int_equal(outcome_prefix("pool \"%s\": ", "all"), BUSBAR_NO_SERVICE);
    assert_string_equal(busbar_last_error(), "pool \"all\": nobody");
    assert_int_equal(busbar_last_fate(), BUSBAR_NOT_EXECUTED);
    outcome_prefix("pool \"%s\": ", "all"); /* not twice */
    assert_string_equal(busbar_last_error(), "pool \"all\": nobody");
    outcome_ok();
    assert_int_equal(outcome_prefix("pool: "), BUSBAR_OK);
    assert_string_equal(busbar_last_error(), "");
}

static void a_text_may_have_any_length(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    CLEANUP(cleanup_free) char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    outcome_fail_text(BUSBAR_BAD_CONFIG, BUSBAR_NOT_EXECUTED, text);
    assert_string_equal(busbar_last_error(), text);
    busbar_fail(BUSBAR_BAD_CONFIG, BUSBAR_NOT_EXECUTED, "%s", text);
    assert_string_equal(busbar_last_error(), text);
}

/* Slots: that nothing leaks and nothing is freed twice is for the sanitizers to find. ----------- */

static struct outcome_slots *owner_new(void)
{
    struct outcome_slots *owner = NULL;
    assert_true(outcome_slots_init(&owner));
    return owner;
}

/* Keeps a copy of the text, and says where it is. */
static void keep(struct outcome_slots *owner, const char *text, const char **ret)
{
    char *copy = strdup(text);
    assert_true(outcome_keep(owner, copy));
    if (ret != NULL)
        *ret = copy;
}

static void what_is_kept_stays_until_the_next_of_the_same_owner(void **state)
{
    (void)state;
    struct outcome_slots *one = owner_new();
    struct outcome_slots *two = owner_new();
    const char *of_one = NULL;
    keep(one, "one", &of_one);
    for (int i = 0; i < 10; i++)
        keep(two, "two", NULL);
    assert_string_equal(of_one, "one");
    assert_true(outcome_keep(one, NULL));
    assert_true(outcome_keep(one, NULL));
    keep(one, "again", &of_one);
    outcome_slots_destroy(&two);
    assert_string_equal(of_one, "again");
    outcome_slots_destroy(&one);
    outcome_slots_destroy(&one);
    assert_null(one);
}

static void many_owners_come_and_go(void **state)
{
    (void)state;
    enum { OWNERS = 300 };
    struct outcome_slots *owners[OWNERS] = {NULL};
    const char *kept[OWNERS] = {NULL};
    for (size_t i = 0; i < 20000; i++) {
        size_t at = (i * i + 7 * i) % OWNERS;
        if (i % 3 == 0)
            outcome_slots_destroy(&owners[at]);
        if (owners[at] == NULL)
            owners[at] = owner_new();
        else if (kept[at] != NULL)
            assert_string_equal(kept[at], "kept");
        keep(owners[at], "kept", &kept[at]);
    }
    for (size_t i = 0; i < OWNERS; i++)
        outcome_slots_destroy(&owners[i]);
}

static void *keep_and_end(void *owner)
{
    keep(owner, "of a thread that ends", NULL);
    return NULL;
}

static void threads_and_owners_end_in_any_order(void **state)
{
    (void)state;
    struct outcome_slots *owner = owner_new();
    for (int i = 0; i < ROUNDS; i++)
        run(keep_and_end, owner);
    const char *kept = NULL;
    keep(owner, "mine", &kept);
    run(keep_and_end, owner);
    assert_string_equal(kept, "mine");
    outcome_slots_destroy(&owner);
}

struct meeting {
    pthread_barrier_t ready;
    struct outcome_slots *owner;
};

/* Its end and that of the owner come at the same time. */
static void *keep_and_meet(void *context)
{
    struct meeting *meeting = context;
    for (int i = 0; i < 10; i++)
        keep(meeting->owner, "kept", NULL);
    pthread_barrier_wait(&meeting->ready);
    return NULL;
}

static void an_owner_may_end_while_its_threads_do(void **state)
{
    (void)state;
    struct meeting meeting;
    pthread_t threads[THREADS];
    pthread_barrier_init(&meeting.ready, NULL, THREADS + 1);
    for (int round = 0; round < ROUNDS / 4; round++) {
        meeting.owner = owner_new();
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, keep_and_meet, &meeting), 0);
        pthread_barrier_wait(&meeting.ready);
        outcome_slots_destroy(&meeting.owner);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&meeting.ready);
}

/* A destructor of another key that runs after ours and calls again. */
static void fail_at_the_end(void *owner)
{
    keep(owner, "late", NULL);
    busbar_fail(BUSBAR_BUSY, BUSBAR_NOT_EXECUTED, "late");
}

static pthread_key_t late_key;

static void *end_late(void *owner)
{
    keep(owner, "early", NULL);
    pthread_setspecific(late_key, owner);
    return NULL;
}

static void destructors_of_a_thread_may_still_call(void **state)
{
    (void)state;
    struct outcome_slots *owner = owner_new();
    assert_int_equal(pthread_key_create(&late_key, fail_at_the_end), 0);
    run(end_late, owner);
    pthread_key_delete(late_key);
    outcome_slots_destroy(&owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_begins_with_ok_whatever_others_have),
        cmocka_unit_test(a_failure_has_status_fate_and_text_until_the_next_outcome),
        cmocka_unit_test(a_text_may_be_made_of_the_one_before),
        cmocka_unit_test(a_prefix_leaves_status_and_fate),
        cmocka_unit_test(a_text_may_have_any_length),
        cmocka_unit_test(what_is_kept_stays_until_the_next_of_the_same_owner),
        cmocka_unit_test(many_owners_come_and_go),
        cmocka_unit_test(threads_and_owners_end_in_any_order),
        cmocka_unit_test(an_owner_may_end_while_its_threads_do),
        cmocka_unit_test(destructors_of_a_thread_may_still_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
