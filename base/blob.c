/* Blobs that own their bytes. */
#include "base/blob.h"

#include <stdlib.h>
#include <string.h>

static void copy_release(struct blob *blob)
{
    free(blob);
}

struct blob *blob_new(size_t size, uint8_t **data)
{
    struct blob *blob = malloc(sizeof *blob + size);
    if (blob == NULL)
        return NULL;
    *data = (uint8_t *)(blob + 1);
    *blob = (struct blob){.references = 1, .data = *data, .size = size, .release = copy_release};
    return blob;
}

struct blob *blob_copy(const void *data, size_t size)
{
    uint8_t *bytes;
    struct blob *blob = blob_new(size, &bytes);
    if (blob != NULL && size > 0)
        memcpy(bytes, data, size);
    return blob;
}
