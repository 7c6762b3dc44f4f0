/* getrandom, until all bytes are there. */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *data, size_t size)
{
    uint8_t *next = data;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            abort(); /* a kernel without getrandom cannot give unguessable identities */
        }
        next += got;
        size -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value = 0;
    while (value == 0)
        random_bytes(&value, sizeof value);
    return value;
}
