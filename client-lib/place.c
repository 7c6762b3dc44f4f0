/* The place of this thread's handler; what it is worth, only its worker knows. */
#include "client-lib/place.h"

#include <stddef.h>

static _Thread_local struct place *current;

struct place *place_current(void)
{
    return current;
}

struct place *place_set(struct place *place)
{
    struct place *before = current;
    current = place;
    return before;
}
