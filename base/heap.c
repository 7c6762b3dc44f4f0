#include "base/heap.h"

#include <malloc.h>
#include <stdlib.h>

enum {
    BLOCK_SIZE = 4 * 1024 * 1024,
};

void heap_keep(void)
{
    void *volatile block = malloc(BLOCK_SIZE); /* volatile: or the compiler leaves both calls out */
    free(block);
}

void heap_trim(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
