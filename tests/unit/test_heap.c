/* Memory of messages that come and go is not given to the kernel and taken back each time. */
#include "base/heap.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

enum {
    BUNDLES = 16,
    BUNDLE_SIZE = 32 * 1024,
    TURNS = 100,
    PAGES = BUNDLES * BUNDLE_SIZE / 4096, /* of a turn */
};

static long faults(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return usage.ru_minflt;
}

static void turn(void)
{
    void *bundles[BUNDLES];
    for (int i = 0; i < BUNDLES; i++) {
        bundles[i] = malloc(BUNDLE_SIZE);
        assert_non_null(bundles[i]);
        memset(bundles[i], i, BUNDLE_SIZE);
    }
    for (int i = 0; i < BUNDLES; i++)
        free(bundles[i]);
}

/* In a thread, whose heap is not that of the program: so are those of libzmq's I/O threads. */
static void *count_faults(void *argument)
{
    long *counted = argument;
    turn();
    long before = faults();
    for (int i = 0; i < TURNS; i++)
        turn();
    *counted = faults() - before;
    return NULL;
}

static long faults_of_a_thread(void)
{
    pthread_t thread;
    long counted = -1;
    assert_int_equal(pthread_create(&thread, NULL, count_faults, &counted), 0);
    pthread_join(thread, NULL);
    return counted;
}

/* Tools that look for faults of a program bring another. */
static bool is_glibc_malloc(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return mallinfo2().arena > 0;
#endif
}

static void freed_memory_is_used_again_without_a_fault(void **state)
{
    (void)state;
    if (!is_glibc_malloc() || faults_of_a_thread() < TURNS * PAGES / 2)
        skip(); /* or it was told to keep what is freed */
    heap_keep();
    assert_in_range(faults_of_a_thread(), 0, PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_memory_is_used_again_without_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
