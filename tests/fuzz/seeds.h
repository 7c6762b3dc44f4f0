/* The hand-written vectors as seeds. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "fuzz.h"

/* Number `index` of the vectors in these files, read when first asked for. */
struct fuzz_seed seeds_at(const char *const *files, size_t file_count, size_t index);

#endif
