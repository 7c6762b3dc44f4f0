/* Random bytes from the kernel, for identities, epochs and hash seeds. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *data, size_t size);

/* Never 0, so that 0 can stand for "none". */
uint64_t random_u64(void);

#endif
