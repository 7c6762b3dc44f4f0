/* Unaligned little-endian loads and stores. */
#ifndef PROTOCOL_LITTLE_ENDIAN_H
#define PROTOCOL_LITTLE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load16(const uint8_t *from)
{
    uint16_t word;
    memcpy(&word, from, sizeof word);
    return le16toh(word);
}

static inline uint32_t load32(const uint8_t *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return le32toh(word);
}

static inline uint64_t load64(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return le64toh(word);
}

static inline void store16(uint8_t *to, uint16_t word)
{
    word = htole16(word);
    memcpy(to, &word, sizeof word);
}

static inline void store32(uint8_t *to, uint32_t word)
{
    word = htole32(word);
    memcpy(to, &word, sizeof word);
}

static inline void store64(uint8_t *to, uint64_t word)
{
    word = htole64(word);
    memcpy(to, &word, sizeof word);
}

#endif
