/*
 * The place of a handler among those its worker runs at once. Who waits for a call of his own gives
 * it up meanwhile, so that services of one process can call each other without waiting for each
 * other's threads. The worker sets it for the thread of a handler; here it is only passed on.
 */
#ifndef CLIENT_LIB_PLACE_H
#define CLIENT_LIB_PLACE_H

#include <stdbool.h>

struct place {
    /* False: too many wait already, and the call must not be made. */
    bool (*leave)(struct place *place);
    void (*take)(struct place *place); /* waits until there is one again */
};

/* This thread's place; NULL outside of handlers. */
struct place *place_current(void);
/* Sets it, and returns the one before. */
struct place *place_set(struct place *place);

#endif
