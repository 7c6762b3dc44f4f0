/* The pool: idle bundles and buffers behind a lock, some of each. */
#include "transport/bundle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "transport/outbox.h"

enum {
    BUNDLES_IDLE_MAX = 256, /* kept for reuse: one for each of many peers that are due little */
    BUFFERS_IDLE_MAX = 16,
};

/* Bundles and buffers come back from libzmq's I/O thread, hence the lock. */
struct bundle_pool {
    pthread_mutex_t lock;
    atomic_size_t references; /* the owner, and every bundle that libzmq holds */
    struct bundle *bundles;   /* idle */
    size_t bundle_count;
    union buffer *buffers; /* idle */
    size_t buffer_count;
};

struct bundle_pool *bundle_pool_new(void)
{
    struct bundle_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->references = 1;
    return pool;
}

void bundle_pool_ref(struct bundle_pool *pool)
{
    atomic_fetch_add(&pool->references, 1);
}

void bundle_pool_unref(struct bundle_pool *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) != 1)
        return;
    while (pool->bundles != NULL) {
        struct bundle *next = pool->bundles->next;
        free(pool->bundles);
        pool->bundles = next;
    }
    while (pool->buffers != NULL) {
        union buffer *next = pool->buffers->next;
        free(pool->buffers);
        pool->buffers = next;
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void bundle_pool_destroy(struct bundle_pool **pool)
{
    if (*pool != NULL)
        bundle_pool_unref(*pool);
    *pool = NULL;
}

struct bundle *bundle_new(struct bundle_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct bundle *bundle = pool->bundles;
    if (bundle != NULL) {
        pool->bundles = bundle->next;
        pool->bundle_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    if (bundle == NULL)
        bundle = malloc(sizeof *bundle);
    if (bundle == NULL)
        return NULL;
    bundle->next = NULL;
    bundle->pool = pool;
    bundle->account = NULL;
    bundle->attached = NULL;
    bundle->size = BUNDLE_HEADER_SIZE;
    bundle->room = BUNDLE_SMALL - BUNDLE_HEADER_SIZE;
    bundle->packets = 0;
    bundle->data = bundle->small;
    bundle->buffer = NULL;
    bundle->sealed = false;
    bundle->lent = false;
    bundle_write_header(bundle->data);
    return bundle;
}

bool bundle_grow(struct bundle *bundle)
{
    struct bundle_pool *pool = bundle->pool;
    pthread_mutex_lock(&pool->lock);
    union buffer *buffer = pool->buffers;
    if (buffer != NULL) {
        pool->buffers = buffer->next;
        pool->buffer_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    if (buffer == NULL)
        buffer = malloc(sizeof *buffer);
    if (buffer == NULL)
        return false;
    memcpy(buffer->data, bundle->small, bundle->size);
    bundle->data = buffer->data;
    bundle->buffer = buffer;
    bundle->room = BUNDLE_SIZE_MAX - bundle->size;
    return true;
}

/* Bundle and buffer are kept as far as there is room for them. */
void bundle_recycle(struct bundle *bundle)
{
    struct bundle_pool *pool = bundle->pool;
    union buffer *buffer = bundle->buffer;
    blob_unref(&bundle->attached);
    pthread_mutex_lock(&pool->lock);
    if (buffer != NULL && pool->buffer_count < BUFFERS_IDLE_MAX) {
        buffer->next = pool->buffers;
        pool->buffers = STEAL(buffer);
        pool->buffer_count++;
    }
    if (pool->bundle_count < BUNDLES_IDLE_MAX) {
        bundle->next = pool->bundles;
        pool->bundles = STEAL(bundle);
        pool->bundle_count++;
    }
    pthread_mutex_unlock(&pool->lock);
    free(buffer);
    free(bundle);
}
