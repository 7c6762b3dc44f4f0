/* The check that bytes are UTF-8; its table of lead bytes stays in here. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* What may follow the lead bytes first..last: the range of the second byte, then 80..BF each. */
struct lead {
    uint8_t first;
    uint8_t last;
    uint8_t size;
    uint8_t second_min;
    uint8_t second_max;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* Bytes of the character above U+007F that starts at `at`; 0 if it is malformed or cut off. */
static size_t character_size(const uint8_t *at, size_t left)
{
    const struct lead *lead = leads;
    const struct lead *end = leads + sizeof(leads) / sizeof(leads[0]);
    while (lead < end && (at[0] < lead->first || at[0] > lead->last)) {
        lead++;
    }
    if (lead == end || left < lead->size) {
        return 0;
    }
    if (at[1] < lead->second_min || at[1] > lead->second_max) {
        return 0;
    }
    for (size_t i = 2; i < lead->size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return lead->size;
}

static bool next_eight_are_ascii(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool utf8_is_valid(const char *data, size_t size)
{
    const uint8_t *at = (const uint8_t *)data;
    size_t left = size;
    while (left > 0) {
        size_t step = 1;
        if (left >= 8 && next_eight_are_ascii(at)) {
            step = 8;
        } else if (at[0] >= 0x80) {
            step = character_size(at, left);
        }
        if (step == 0) {
            return false;
        }
        at += step;
        left -= step;
    }
    return true;
}
