/* The one ZeroMQ context of this process: made with the first user, ended with the last. */
#ifndef CLIENT_LIB_CONTEXT_H
#define CLIENT_LIB_CONTEXT_H

#include <stdbool.h>

/* A reference to the context; NULL when it cannot be made, or was made before a fork. Any thread. */
void *context_ref(void);

/* Gives a reference back. In a child of a fork it does nothing: the context is the parent's. */
void context_unref(void);

/* True if the context in use was made by another process, before a fork. */
bool context_is_forked(void);

#endif
