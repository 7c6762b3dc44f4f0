/* A TCP connection that speaks ZMTP by hand, for what libzmq itself would never send. */
#ifndef TESTS_KIT_STRANGER_H
#define TESTS_KIT_STRANGER_H

#include "tests/kit/kit.h"

enum {
    STRANGER_MORE = 1, /* flags of a frame */
    STRANGER_LONG = 2,
    STRANGER_COMMAND = 4,
};

/* Connects to the broker started last; a descriptor for close(). Nothing has been said yet. */
int stranger_connect(struct kit *kit);

/* Greeting and READY of a DEALER, as far as the answer to them. */
void stranger_shake_hands(int fd);

/* Sends all of it; false if the broker closed, or takes nothing for 2 s. */
bool stranger_send(int fd, const void *data, size_t size);

/* One frame of less than 256 bytes, or with STRANGER_LONG of any length. */
bool stranger_send_frame(int fd, unsigned flags, const void *data, size_t size);

/* Has the broker closed the connection within the time? What it sends is dropped. */
bool stranger_is_cut(int fd, unsigned timeout_ms);

#endif
