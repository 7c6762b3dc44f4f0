/*
 * What a handler's own calls take over from the request it handles. The worker sets it for the
 * thread of a handler; the client reads it when a call is started.
 */
#ifndef CLIENT_LIB_AMBIENT_H
#define CLIENT_LIB_AMBIENT_H

#include <stdint.h>

#include "protocol/packet.h"

struct ambient {
    uint64_t deadline;  /* ms of clock_ms */
    struct bytes items; /* metadata of the request: its ITEM entries as they stand, others are
                           skipped; must outlive what it is set for */
    uint8_t hops;       /* of the request: handlers that it came through before this one */
};

/* This thread's request; NULL outside of handlers. */
const struct ambient *ambient_current(void);
/* Sets it, and returns the one before. */
const struct ambient *ambient_set(const struct ambient *ambient);

#endif
