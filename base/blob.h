/* Reference-counted bytes that may be shared between threads and given back by any of them. */
#ifndef BASE_BLOB_H
#define BASE_BLOB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
    atomic_uint references;
    const uint8_t *data;
    size_t size;
    void (*release)(struct blob *blob); /* called once, by whichever thread drops the last one */
};

static inline struct blob *blob_ref(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
    return blob;
}

/* Drops a reference and sets the pointer to NULL; accepts a pointer to NULL. */
static inline void blob_unref(struct blob **blob)
{
    struct blob *dropped = *blob;
    *blob = NULL;
    if (dropped != NULL &&
        atomic_fetch_sub_explicit(&dropped->references, 1, memory_order_acq_rel) == 1)
        dropped->release(dropped);
}

/* `size` bytes to be written at `data` before anybody else sees them; NULL when out of memory. */
struct blob *blob_new(size_t size, uint8_t **data);

/* A copy of `size` bytes with one reference; NULL when out of memory. */
struct blob *blob_copy(const void *data, size_t size);

#endif
