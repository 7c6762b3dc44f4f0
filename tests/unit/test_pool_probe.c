/* How members that were set aside come back: by probes, and by calls when nobody else is left. The
 * numbers are those of the promises of remoting that a test is about. */
#include "tests/unit/fake_member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "objects/pool.h"

enum {
    NEVER_MS = 3600000, /* between probes: none happens in a test */
    SOON_MS = 20,
    PATIENCE_MS = 10000,
};

#define WAIT_FOR(condition)                                                                        \
    for (uint64_t until_ = clock_ms() + PATIENCE_MS; !(condition); usleep(1000))                   \
    assert_true(clock_ms() < until_)

struct scene {
    struct fake_member *members[3]; /* a and b */
    struct busbar_object *pool;
};

static struct scene scene_of(uint32_t probe_ms)
{
    struct scene scene = {{fake_member_new("a"), fake_member_new("b"), NULL}, NULL};
    scene.pool = fake_pool(probe_ms, scene.members);
    return scene;
}

static void scene_end(struct scene *scene)
{
    busbar_object_destroy(&scene->pool);
    fake_member_unref(&scene->members[0]);
    fake_member_unref(&scene->members[1]);
    assert_int_equal(fake_members_alive, 0);
}

static void call_both(struct scene *scene)
{
    assert_int_equal(fake_call(scene->pool, "get", NULL), BUSBAR_OK);
    assert_int_equal(fake_call(scene->pool, "get", NULL), BUSBAR_OK);
}

/* 21: the sketch's removed members never came back. 23 */
static void promise_21_a_member_that_was_set_aside_comes_back_after_a_probe(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    char answered[32];
    (void)state;
    fake_member_down(scene.members[0]);
    call_both(&scene);
    WAIT_FOR(scene.members[0]->probes >= 3);
    assert_int_equal(fake_stats(scene.pool).aside, 1);
    assert_true(fake_stats(scene.pool).probes >= 2);
    assert_int_equal(scene.members[0]->calls, 1);
    fake_member_up(scene.members[0]);
    fake_await_aside(scene.pool, 0);
    assert_int_equal(scene.members[0]->calls, 1); /* no call was the probe */
    assert_int_equal(fake_call(scene.pool, "get", answered), BUSBAR_OK);
    assert_string_equal(answered, "a");
    assert_false(scene.members[0]->probe_takes_signals);
    assert_int_equal(scene.members[1]->probes, 0);
    scene_end(&scene);
}

static void probes_are_made_less_and_less_often_up_to_a_limit(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    (void)state;
    fake_member_down(scene.members[0]);
    call_both(&scene);
    uint64_t begun = clock_ms();
    WAIT_FOR(scene.members[0]->probes >= 7);
    uint64_t passed = clock_ms() - begun;
    /* 1 + 2 + 4 + 8 + 16 + 16 + 16 times, each shorter by a quarter at most */
    assert_true(passed >= 62 * SOON_MS * 3 / 4); /* the first had begun before */
    scene_end(&scene);
}

/* Only a call that was executed shows that all is well again. */
static void a_probe_alone_does_not_make_a_member_that_fails_calls_trusted(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    (void)state;
    fake_member_fail(scene.members[0], BUSBAR_NO_SERVICE, BUSBAR_NOT_EXECUTED);
    uint64_t begun = clock_ms();
    for (; scene.members[0]->calls < 6; usleep(1000)) {
        assert_true(clock_ms() < begun + PATIENCE_MS);
        call_both(&scene);
    }
    assert_true(clock_ms() - begun >= 31 * SOON_MS * 3 / 4);
    fake_member_up(scene.members[0]);
    fake_await_aside(scene.pool, 0);
    call_both(&scene);
    fake_member_down(scene.members[0]);
    unsigned probes = scene.members[0]->probes;
    call_both(&scene);
    begun = clock_ms();
    WAIT_FOR(scene.members[0]->probes > probes);
    assert_true(clock_ms() - begun < PATIENCE_MS / 2);
    scene_end(&scene);
}

static void a_member_that_just_failed_is_not_tried_again_when_all_are_aside(void **state)
{
    struct scene scene = scene_of(NEVER_MS);
    (void)state;
    fake_member_down(scene.members[0]);
    fake_member_down(scene.members[1]);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_NO_MEMBERS);
    assert_int_equal(scene.members[0]->calls, 1);
    assert_int_equal(scene.members[1]->calls, 1);
    assert_non_null(strstr(busbar_last_error(), "a: BROKER_LOST: told to fail"));
    scene_end(&scene);
}

/* 23: without a thread that could probe; here the probes go on failing. */
static void when_all_are_aside_a_call_tries_the_one_that_failed_longest_ago(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    char answered[32] = "";
    (void)state;
    fake_member_down(scene.members[0]);
    fake_member_down(scene.members[1]);
    assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_NO_MEMBERS);
    WAIT_FOR(scene.members[0]->probes >= 5 && scene.members[1]->probes >= 5);
    scene.members[0]->status = BUSBAR_OK; /* but not its probes */
    scene.members[1]->status = BUSBAR_OK;
    uint64_t begun = clock_ms();
    WAIT_FOR(fake_call(scene.pool, "get", answered) == BUSBAR_OK);
    assert_true(clock_ms() - begun < PATIENCE_MS);
    assert_int_equal(fake_stats(scene.pool).aside, 1);
    scene_end(&scene);
}

static void a_call_tries_at_most_one_of_those_that_are_aside(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    (void)state;
    fake_member_down(scene.members[0]);
    fake_member_down(scene.members[1]);
    assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_NO_MEMBERS);
    for (int i = 0; i < 20; i++) {
        unsigned before = scene.members[0]->calls + scene.members[1]->calls;
        usleep(SOON_MS * 1000 / 2);
        assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_NO_MEMBERS);
        assert_true(scene.members[0]->calls + scene.members[1]->calls <= before + 1);
    }
    scene_end(&scene);
}

static void *call_long(void *argument)
{
    struct scene *scene = argument;
    assert_int_equal(fake_call(scene->pool, "get", NULL), BUSBAR_OK);
    return NULL;
}

static void set_aside_by_another(struct fake_member *member)
{
    struct scene *scene = member->context;
    WAIT_FOR(fake_stats(scene->pool).aside == 1);
}

/* Its reply says nothing of what happened since; nor would its failure. */
static void a_call_that_began_before_its_member_failed_does_not_bring_it_back(void **state)
{
    struct scene scene = scene_of(NEVER_MS);
    pthread_t thread;
    (void)state;
    scene.members[0]->context = &scene;
    scene.members[0]->entered = set_aside_by_another;
    assert_int_equal(pthread_create(&thread, NULL, call_long, &scene), 0);
    WAIT_FOR(scene.members[0]->running == 1);
    struct fake_member *a = scene.members[0];
    assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_OK); /* b */
    a->entered = NULL;
    fake_member_down(a);
    assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_OK); /* a fails, b answers */
    fake_member_up(a);
    pthread_join(thread, NULL);
    assert_int_equal(fake_stats(scene.pool).aside, 1);
    scene_end(&scene);
}

struct told {
    atomic_uint gone;
    atomic_uint back;
    char error[64];
};

static void hear(void *context, const char *pool, const char *member, bool aside, const char *error)
{
    struct told *told = context;
    assert_string_equal(pool, "all");
    assert_string_equal(member, "a");
    if (aside)
        snprintf(told->error, sizeof told->error, "%s", error);
    else
        assert_string_equal(error, "");
    (*(aside ? &told->gone : &told->back))++;
}

/* 18 */
static void the_hook_hears_once_of_each_coming_and_going(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    struct told told = {.error = ""};
    (void)state;
    pool_set_hook(scene.pool, &(struct pool_hook){hear, &told, NULL});
    for (unsigned i = 1; i <= 2; i++) {
        fake_member_down(scene.members[0]);
        call_both(&scene);
        WAIT_FOR(scene.members[0]->probes >= i);
        call_both(&scene);
        fake_member_up(scene.members[0]);
        WAIT_FOR(told.back == i);
        assert_int_equal(told.gone, i);
        call_both(&scene);
    }
    assert_string_equal(told.error, "BROKER_LOST: told to fail");
    scene_end(&scene);
}

static void a_pool_that_waits_to_probe_is_destroyed_at_once(void **state)
{
    struct scene scene = scene_of(NEVER_MS);
    (void)state;
    fake_member_down(scene.members[0]);
    call_both(&scene);
    uint64_t begun = clock_ms();
    scene_end(&scene);
    assert_true(clock_ms() - begun < PATIENCE_MS);
}

static void a_member_that_is_removed_while_it_is_aside_is_probed_no_more(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    (void)state;
    fake_member_down(scene.members[0]);
    call_both(&scene);
    WAIT_FOR(scene.members[0]->probes >= 1);
    assert_int_equal(busbar_pool_remove(scene.pool, &scene.members[0]->object), BUSBAR_OK);
    usleep(SOON_MS * 1000);
    unsigned probes = scene.members[0]->probes;
    usleep(5 * SOON_MS * 1000);
    assert_int_equal(scene.members[0]->probes, probes);
    assert_int_equal(fake_stats(scene.pool).aside, 0);
    scene_end(&scene);
}

/* A fork leaves the prober behind; its pool is not to wait for it, and has one of its own. */
static void the_child_of_a_fork_has_a_pool_that_works(void **state)
{
    struct scene scene = scene_of(SOON_MS);
    int status = -1;
    (void)state;
#ifndef __SANITIZE_THREAD__ /* which bears no threads after a fork */
    fake_member_down(scene.members[0]);
    call_both(&scene);
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_MS / 1000);
        bool good = fake_call(scene.pool, "get", NULL) == BUSBAR_OK;
        fake_member_down(scene.members[1]);
        good = good && fake_call(scene.pool, "get", NULL) == BUSBAR_NO_MEMBERS;
        fake_member_up(scene.members[1]);
        while (fake_stats(scene.pool).aside == 2)
            usleep(1000);
        good = good && fake_call(scene.pool, "get", NULL) == BUSBAR_OK;
        busbar_object_destroy(&scene.pool);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#endif
    (void)status;
    scene_end(&scene);
}

/* Set aside by the parent, destroyed by the child that never used it. */
static void the_child_of_a_fork_destroys_a_pool_without_waiting(void **state)
{
    struct scene scene = scene_of(NEVER_MS);
    int status = -1;
    (void)state;
    fake_member_down(scene.members[0]);
    call_both(&scene);
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_MS / 1000);
        busbar_object_destroy(&scene.pool);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    scene_end(&scene);
}

static void a_pool_can_be_reached_if_one_member_can(void **state)
{
    struct scene scene = scene_of(NEVER_MS);
    (void)state;
    assert_int_equal(object_probe(scene.pool, 100), BUSBAR_OK);
    assert_int_equal(scene.members[0]->probes, 0); /* nobody is known to be out of reach */
    fake_member_down(scene.members[0]);
    fake_member_down(scene.members[1]);
    assert_int_equal(fake_call(scene.pool, "get", NULL), BUSBAR_NO_MEMBERS);
    assert_int_equal(object_probe(scene.pool, 100), BUSBAR_NO_MEMBERS);
    scene.members[1]->probe_status = BUSBAR_OK;
    assert_int_equal(object_probe(scene.pool, 100), BUSBAR_OK);
    scene_end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promise_21_a_member_that_was_set_aside_comes_back_after_a_probe),
        cmocka_unit_test(probes_are_made_less_and_less_often_up_to_a_limit),
        cmocka_unit_test(a_probe_alone_does_not_make_a_member_that_fails_calls_trusted),
        cmocka_unit_test(a_member_that_just_failed_is_not_tried_again_when_all_are_aside),
        cmocka_unit_test(when_all_are_aside_a_call_tries_the_one_that_failed_longest_ago),
        cmocka_unit_test(a_call_tries_at_most_one_of_those_that_are_aside),
        cmocka_unit_test(a_call_that_began_before_its_member_failed_does_not_bring_it_back),
        cmocka_unit_test(the_hook_hears_once_of_each_coming_and_going),
        cmocka_unit_test(a_pool_that_waits_to_probe_is_destroyed_at_once),
        cmocka_unit_test(a_member_that_is_removed_while_it_is_aside_is_probed_no_more),
        cmocka_unit_test(the_child_of_a_fork_has_a_pool_that_works),
        cmocka_unit_test(the_child_of_a_fork_destroys_a_pool_without_waiting),
        cmocka_unit_test(a_pool_can_be_reached_if_one_member_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
