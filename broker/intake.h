/*
 * Watches what each TCP connection has sent against what reached the broker. libzmq shows a message
 * of several frames only when its last frame has come, and bounds each frame but not their number:
 * what a peer piles up in a message without end can be seen nowhere but in the kernel's count.
 *
 * Its table has what else is known of a connection by its descriptor, whether it has a session or not.
 */
#ifndef BROKER_INTAKE_H
#define BROKER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dialect;

struct intake_connection {
    uint64_t
        cookie; /* the kernel's number of the socket, never used again; 0: not watched, or cut */
    uint64_t taken;             /* bytes that reached the broker, framing included */
    uint64_t before;            /* the same at the last check */
    const struct dialect *told; /* in which it was told DISCONNECT, and has not said READY since */
};

struct intake {
    struct intake_connection *by_fd;
    size_t size;
    uint64_t allowance;  /* bytes a connection may be ahead */
    uint32_t fd_limit;   /* descriptors from here on are not for peers */
    uint64_t next_check; /* ms */
    long peak_kib;       /* of the process's memory, at the last check */
    size_t next;         /* descriptor where the next one goes on */
    bool has_cut;        /* one with a pile, since `trim_at` was set */
    uint64_t trim_at;    /* ms: when what they had piled up is given back; 0 for never */
};

void intake_init(struct intake *intake, uint64_t body_limit, uint32_t fd_limit);
void intake_fini(struct intake *intake);

/* A connection was accepted; without memory it is not watched. False if it was broken again, since
 * its descriptor, the lowest that was free, says that there are too many. */
bool intake_open(struct intake *intake, int fd);
void intake_close(struct intake *intake, int fd);

/* Is it the descriptor of a connection that was accepted, not cut, and of whose end nothing was told? */
static inline bool intake_is_open(const struct intake *intake, int fd)
{
    return fd >= 0 && (size_t)fd < intake->size && intake->by_fd[fd].cookie != 0;
}

/* A message of so many bytes reached the broker, ZMTP's own headers included. */
static inline void intake_take(struct intake *intake, int fd, size_t bytes)
{
    if (fd >= 0 && (size_t)fd < intake->size)
        intake->by_fd[fd].taken += bytes;
}

/* What a frame of `size` bytes takes. */
static inline size_t intake_frame_bytes(size_t size)
{
    return size + (size > UINT8_MAX ? 9 : 2);
}

/* Breaks a connection, if it is still the one that was accepted under this descriptor. */
bool intake_cut(struct intake *intake, int fd);
/* The same of one that has piled much up: a second later free memory is given back to the system. */
bool intake_cut_pile(struct intake *intake, int fd);

/*
 * Cuts every connection that is too far ahead and of which nothing has reached the broker since the
 * last check: the messages of one that is only faster than the broker do. As each look at a connection
 * is a system call, it is an eighth of them at a time if there are many, unless the process has come to
 * need more memory than ever or there was a suspect. Sets `next_check`, soon if there is one. Returns
 * how many were cut.
 */
size_t intake_check(struct intake *intake, uint64_t now);

#endif
