/* The request that this thread handles, as far as its own calls need to know it. */
#include "client-lib/ambient.h"

#include <stddef.h>

static _Thread_local const struct ambient *current;

const struct ambient *ambient_current(void)
{
    return current;
}

const struct ambient *ambient_set(const struct ambient *ambient)
{
    const struct ambient *before = current;
    current = ambient;
    return before;
}
