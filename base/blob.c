/* Blobs that own a copy. */
#include "base/blob.h"

#include <stdlib.h>
#include <string.h>

static void copy_release(struct blob *blob)
{
    free(blob);
}

struct blob *blob_copy(const void *data, size_t size)
{
    struct blob *blob = malloc(sizeof *blob + size);
    if (blob == NULL)
        return NULL;
    uint8_t *bytes = (uint8_t *)(blob + 1);
    if (size > 0)
        memcpy(bytes, data, size);
    *blob = (struct blob){.references = 1, .data = bytes, .size = size, .release = copy_release};
    return blob;
}
