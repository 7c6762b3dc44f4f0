/* Scope-bound destruction and the handing over of ownership, for gcc and clang. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>

/* Runs `destroy(&variable)` when the variable leaves its scope. */
#define CLEANUP(destroy) __attribute__((cleanup(destroy)))

/* Takes the pointer out of a variable, so that its CLEANUP finds NULL. */
#define STEAL(variable)                                                                            \
    __extension__({                                                                                \
        __typeof__(variable) stolen_ = (variable);                                                 \
        (variable) = NULL;                                                                         \
        stolen_;                                                                                   \
    })

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* free() as a CLEANUP of any pointer variable. */
static inline void cleanup_free(void *variable)
{
    free(*(void **)variable);
}

#endif
