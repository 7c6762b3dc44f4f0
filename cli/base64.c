/* Base64 as RFC 4648 has it; its alphabet stays in here. */
#include "cli/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t size)
{
    const uint8_t *from = data;
    char *text = malloc((size + 2) / 3 * 4 + 1);
    if (text == NULL) {
        return NULL;
    }
    char *to = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= left > 2 ? from[i + 2] : 0;
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = '=';
        *to++ = '=';
        if (left > 1) {
            to[-2] = alphabet[bits >> 6 & 63];
        }
        if (left > 2) {
            to[-1] = alphabet[bits & 63];
        }
    }
    *to = '\0';
    return text;
}

/* The number of a character, or 64 if it is not of the alphabet. */
static uint32_t character_number(char character)
{
    const char *found = memchr(alphabet, character, sizeof(alphabet) - 1);
    return found == NULL ? 64 : (uint32_t)(found - alphabet);
}

static size_t padding_size(const char *text, size_t size)
{
    if (size == 0 || text[size - 1] != '=') {
        return 0;
    }
    return text[size - 2] == '=' ? 2 : 1;
}

bool base64_is_valid(const char *text, size_t size)
{
    if (size % 4 != 0) {
        return false;
    }
    size_t padding = padding_size(text, size);
    for (size_t i = 0; i < size - padding; i++) {
        if (character_number(text[i]) == 64) {
            return false;
        }
    }
    /* The bits of the last character that no byte takes must be zero. */
    uint32_t unused = padding == 0 ? 0 : padding == 1 ? 3 : 15;
    return padding == 0 || (character_number(text[size - padding - 1]) & unused) == 0;
}

void *base64_decode(const char *text, size_t size, size_t *ret_size)
{
    uint8_t *data = malloc(size / 4 * 3 + 1);
    if (data == NULL) {
        return NULL;
    }
    uint8_t *to = data;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            bits = bits << 6 | (character_number(text[i + j]) & 63);
        }
        *to++ = (uint8_t)(bits >> 16);
        *to++ = (uint8_t)(bits >> 8);
        *to++ = (uint8_t)bits;
    }
    *ret_size = (size_t)(to - data) - padding_size(text, size);
    return data;
}
