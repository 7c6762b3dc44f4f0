/* An eventfd that ends another thread's poll. Signalling is async-signal-safe. */
#ifndef WORKER_LIB_WAKE_H
#define WORKER_LIB_WAKE_H

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static inline int wake_open(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static inline void wake_signal(int fd)
{
    const uint64_t one = 1;
    int reason = errno;
    ssize_t written = write(fd, &one, sizeof one); /* fails only if it is readable anyway */
    (void)written;
    errno = reason;
}

static inline void wake_clear(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
}

#endif
