#include "base/blob.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void a_copy_has_its_own_bytes(void **state)
{
    (void)state;
    char text[] = "Hello";
    struct blob *blob = blob_copy(text, 5);
    assert_non_null(blob);
    text[0] = 'J';
    assert_int_equal(blob->size, 5);
    assert_memory_equal(blob->data, "Hello", 5);
    blob_unref(&blob);
    assert_null(blob);
}

static void a_copy_of_nothing_is_empty(void **state)
{
    (void)state;
    struct blob *blob = blob_copy(NULL, 0);
    assert_non_null(blob);
    assert_int_equal(blob->size, 0);
    blob_unref(&blob);
}

static void dropping_no_blob_is_harmless(void **state)
{
    (void)state;
    struct blob *blob = NULL;
    blob_unref(&blob);
    assert_null(blob);
}

struct counted {
    struct blob blob;
    int released;
};

static void count_release(struct blob *blob)
{
    CONTAINER_OF(blob, struct counted, blob)->released++;
}

static void only_the_last_reference_releases(void **state)
{
    (void)state;
    struct counted counted = {.blob = {.references = 1, .release = count_release}};
    struct blob *first = &counted.blob;
    struct blob *second = blob_ref(first);
    assert_ptr_equal(second, first);
    blob_unref(&first);
    assert_null(first);
    assert_int_equal(counted.released, 0);
    blob_unref(&second);
    assert_int_equal(counted.released, 1);
}

enum {
    THREADS = 4,
    ROUNDS = 20000,
};

static void *ref_and_unref(void *argument)
{
    struct blob *mine = argument;
    for (int i = 0; i < ROUNDS; i++) {
        struct blob *other = blob_ref(mine);
        blob_unref(&other);
    }
    blob_unref(&mine);
    return NULL;
}

static void threads_may_share_and_drop_a_blob(void **state)
{
    (void)state;
    struct counted counted = {.blob = {.references = 1, .release = count_release}};
    struct blob *mine = &counted.blob;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, blob_ref(mine)), 0);
    blob_unref(&mine);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counted.released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_has_its_own_bytes),
        cmocka_unit_test(a_copy_of_nothing_is_empty),
        cmocka_unit_test(dropping_no_blob_is_harmless),
        cmocka_unit_test(only_the_last_reference_releases),
        cmocka_unit_test(threads_may_share_and_drop_a_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
