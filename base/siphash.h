/* SipHash-1-3 (Aumasson and Bernstein), keyed, so that peers cannot choose names that collide. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
