/* The lock of what lives on in the child of a fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "objects/fork_lock.h"

enum {
    THREADS = 4,
    ROUNDS = 1000,
};

struct counter {
    struct fork_lock lock;
    unsigned count;
};

static void *count_up(void *argument)
{
    struct counter *counter = argument;
    for (unsigned i = 0; i < ROUNDS; i++) {
        fork_lock_take(&counter->lock);
        counter->count++;
        fork_lock_give(&counter->lock);
    }
    return NULL;
}

static bool threads_count(struct counter *counter)
{
    pthread_t threads[THREADS];
    counter->count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_create(&threads[i], NULL, count_up, counter);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    return counter->count == THREADS * ROUNDS;
}

static void one_thread_has_it_at_a_time(void **state)
{
    struct counter counter;
    (void)state;
    assert_true(fork_lock_init(&counter.lock));
    assert_true(threads_count(&counter));
    fork_lock_fini(&counter.lock);
}

struct holder {
    struct fork_lock lock;
    pthread_barrier_t taken;
    pthread_barrier_t forked;
};

static void *hold(void *argument)
{
    struct holder *holder = argument;
    fork_lock_take(&holder->lock);
    pthread_barrier_wait(&holder->taken);
    pthread_barrier_wait(&holder->forked);
    fork_lock_give(&holder->lock);
    return NULL;
}

static pid_t fork_and_take(struct holder *holder)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        for (int i = 0; i < 2; i++) {
            fork_lock_take(&holder->lock);
            fork_lock_give(&holder->lock);
        }
        _exit(0);
    }
    return child;
}

static void the_child_of_a_fork_takes_what_a_thread_that_it_does_not_have_holds(void **state)
{
    struct holder holder;
    pthread_t thread;
    int outcome = 0;
    (void)state;
    assert_true(fork_lock_init(&holder.lock));
    pthread_barrier_init(&holder.taken, NULL, 2);
    pthread_barrier_init(&holder.forked, NULL, 2);
    pthread_create(&thread, NULL, hold, &holder);
    pthread_barrier_wait(&holder.taken);
    pid_t child = fork_and_take(&holder);
    pthread_barrier_wait(&holder.forked);
    pthread_join(thread, NULL);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
    pthread_barrier_destroy(&holder.taken);
    pthread_barrier_destroy(&holder.forked);
    fork_lock_fini(&holder.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_has_it_at_a_time),
        cmocka_unit_test(the_child_of_a_fork_takes_what_a_thread_that_it_does_not_have_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
