/* The table of all kinds of objects that a file can name. */
#include <string.h>

#include "base/cleanup.h"
#include "objects/object.h"

/* Named so that a file which has them is told what they are, but not built in. */
static const struct object_kind hessian_kind = {.key = "hessian"};
static const struct object_kind pyro_kind = {.key = "pyro"};

static const struct object_kind *const kinds[] = {
    &library_kind, &command_kind, &proxy_kind, &pool_kind, &hessian_kind, &pyro_kind,
};

const struct object_kind *object_kind_at(size_t index)
{
    return index < ARRAY_SIZE(kinds) ? kinds[index] : NULL;
}

const struct object_kind *object_kind_find(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i]->key, key) == 0)
            return kinds[i];
    }
    return NULL;
}
