/* The rounds of SipHash, one for compression and three at the end. */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void mix(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

/* Fewer than eight bytes as a number, the first as the lowest. */
static inline uint64_t tail(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    unsigned bits = 0;
    if (size & 4) {
        uint32_t four;
        memcpy(&four, bytes, sizeof four);
        word = le32toh(four);
        bits = 32;
    }
    if (size & 2) {
        uint16_t two;
        memcpy(&two, bytes + bits / 8, sizeof two);
        word |= (uint64_t)le16toh(two) << bits;
        bits += 16;
    }
    if (size & 1)
        word |= (uint64_t)bytes[size - 1] << bits;
    return word;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t size)
{
    struct state s = {
        .v0 = key->k0 ^ 0x736f6d6570736575u,
        .v1 = key->k1 ^ 0x646f72616e646f6du,
        .v2 = key->k0 ^ 0x6c7967656e657261u,
        .v3 = key->k1 ^ 0x7465646279746573u,
    };
    const uint8_t *bytes = data;
    uint64_t last = (uint64_t)size << 56;
    uint64_t word;

    for (; size >= 8; size -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        absorb(&s, le64toh(word));
    }
    absorb(&s, last | tail(bytes, size));
    s.v2 ^= 0xff;
    mix(&s);
    mix(&s);
    mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
