/* What the fuzz drivers share: the entry that libFuzzer calls, and seeds for when it does not. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Must return, without leak or error of any sanitizer, whatever the bytes are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One input to start from; `data` is borrowed. NULL after the last. */
struct fuzz_seed {
    const uint8_t *data;
    size_t size;
};

/* Seed number `index`; `data` is NULL if there are no more. Only the program without libFuzzer asks. */
struct fuzz_seed fuzz_seed_at(size_t index);

/* What the driver tries, for the line of the report. */
extern const char fuzz_subject[];

#endif
