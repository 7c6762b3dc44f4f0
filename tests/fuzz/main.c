/* Runs a fuzz driver without libFuzzer: its seeds, then inputs made from them by chance that is the
 * same in each run. Usage: fuzz_x [INPUTS [SEED]], or fuzz_x FILE for one input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

enum {
    INPUT_MAX = 4096,
    INPUTS_DEFAULT = 50000,
};

struct chance {
    uint64_t state;
};

static size_t chance_below(struct chance *chance, size_t bound)
{
    chance->state ^= chance->state << 13;
    chance->state ^= chance->state >> 7;
    chance->state ^= chance->state << 17;
    return bound == 0 ? 0 : (size_t)((chance->state >> 11) % bound);
}

/* Bytes at the edges of what lengths and counts may be. */
static uint8_t interesting(struct chance *chance)
{
    static const uint8_t BYTES[] = {0x00, 0x01, 0x07, 0x08, 0x10, 0x17, 0x18, 0x19, 0x20, 0x7f,
                                    0x80, 0x81, 0x90, 0xc0, 0xdc, 0xdd, 0xde, 0xdf, 0xf8, 0xff,
                                    '\n', ' ',  ':',  '-',  '{',  '[',  '"',  '&',  '*',  '#'};
    return BYTES[chance_below(chance, sizeof BYTES)];
}

static size_t cut(struct chance *chance, uint8_t *input, size_t size)
{
    (void)input;
    return chance_below(chance, size + 1);
}

static size_t flip(struct chance *chance, uint8_t *input, size_t size)
{
    if (size > 0)
        input[chance_below(chance, size)] ^= (uint8_t)(1u << chance_below(chance, 8));
    return size;
}

static size_t overwrite(struct chance *chance, uint8_t *input, size_t size)
{
    if (size > 0)
        input[chance_below(chance, size)] = interesting(chance);
    return size;
}

static size_t insert(struct chance *chance, uint8_t *input, size_t size)
{
    size_t at = chance_below(chance, size + 1);
    if (size == INPUT_MAX)
        return size;
    memmove(input + at + 1, input + at, size - at);
    input[at] = interesting(chance);
    return size + 1;
}

static size_t erase(struct chance *chance, uint8_t *input, size_t size)
{
    size_t at = chance_below(chance, size);
    size_t count = size == 0 ? 0 : 1 + chance_below(chance, size - at > 8 ? 8 : size - at);
    memmove(input + at, input + at + count, size - at - count);
    return size - count;
}

/* A piece of the input once more behind itself. */
static size_t repeat(struct chance *chance, uint8_t *input, size_t size)
{
    size_t at = chance_below(chance, size);
    size_t count = chance_below(chance, size - at + (size > 0));
    if (size + count > INPUT_MAX)
        return size;
    memmove(input + at + count, input + at, size - at);
    return size + count;
}

static size_t (*const CHANGES[])(struct chance *chance, uint8_t *input, size_t size) = {
    flip, flip, overwrite, overwrite, overwrite, insert, erase, repeat, cut,
};

static size_t mutate(struct chance *chance, uint8_t *input, size_t size)
{
    size_t changes = 1 + chance_below(chance, 6);
    while (changes-- > 0)
        size = CHANGES[chance_below(chance, ARRAY_SIZE(CHANGES))](chance, input, size);
    return size;
}

/* In a buffer of its own size, so that a sanitizer sees a read behind it. */
static void try_input(const uint8_t *input, size_t size)
{
    CLEANUP(cleanup_free) uint8_t *exact = malloc(size + (size == 0));
    if (exact == NULL)
        abort();
    memcpy(exact, input, size);
    LLVMFuzzerTestOneInput(exact, size);
}

static size_t try_seeds(void)
{
    size_t count = 0;
    for (struct fuzz_seed seed = fuzz_seed_at(0); seed.data != NULL; seed = fuzz_seed_at(count)) {
        try_input(seed.data, seed.size);
        count++;
    }
    return count;
}

static int try_file(const char *path)
{
    static uint8_t input[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    try_input(input, size);
    printf("ok - %s survives %s\n", fuzz_subject, path);
    return 0;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long inputs = argc > 1 ? strtoul(argv[1], &end, 10) : INPUTS_DEFAULT;
    if (end != NULL && *end != '\0')
        return try_file(argv[1]);
    struct chance chance = {argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 0x2545f4914f6cdd1d};
    size_t seeds = try_seeds();
    if (seeds == 0) {
        printf("not ok - %s has no seeds\n", fuzz_subject);
        return 1;
    }
    for (unsigned long i = 0; i < inputs; i++) {
        uint8_t input[INPUT_MAX];
        struct fuzz_seed seed = fuzz_seed_at(chance_below(&chance, seeds));
        size_t size = seed.size < INPUT_MAX ? seed.size : INPUT_MAX;
        memcpy(input, seed.data, size);
        try_input(input, mutate(&chance, input, size));
    }
    printf("ok - %s survives %zu seeds and %lu inputs made from them\n", fuzz_subject, seeds,
           inputs);
    return 0;
}
