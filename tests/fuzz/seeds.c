#include "seeds.h"

#include <stdlib.h>

#include "tests/unit/vectors.h"

static struct vector_list loaded; /* kept to the end of the program */

static void unload(void)
{
    vectors_fini(&loaded);
}

struct fuzz_seed seeds_at(const char *const *files, size_t file_count, size_t index)
{
    if (loaded.count == 0) {
        atexit(unload);
        for (size_t i = 0; i < file_count; i++) {
            if (!vectors_load(&loaded, files[i]))
                exit(1);
        }
    }
    if (index >= loaded.count)
        return (struct fuzz_seed){0};
    return (struct fuzz_seed){loaded.items[index].frame.data, loaded.items[index].frame.size};
}
