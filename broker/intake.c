/* Descriptors matched to the kernel's sockets, and their counts of received bytes. */
#include "broker/intake.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BODIES_AHEAD = 3,                /* bodies of the largest size that may be under way */
    BYTES_AHEAD = 8 * 1024 * 1024,   /* and bundles besides */
    FDS_MIN = 64,
};

void intake_init(struct intake *intake, uint64_t body_limit)
{
    *intake = (struct intake){.allowance = BODIES_AHEAD * body_limit + BYTES_AHEAD};
}

void intake_fini(struct intake *intake)
{
    free(intake->by_fd);
    *intake = (struct intake){0};
}

static bool intake_reserve(struct intake *intake, size_t fd)
{
    size_t size = intake->size == 0 ? FDS_MIN : intake->size;
    if (fd < intake->size)
        return true;
    while (size <= fd)
        size *= 2;
    struct intake_connection *by_fd = realloc(intake->by_fd, size * sizeof *by_fd);
    if (by_fd == NULL)
        return false;
    memset(by_fd + intake->size, 0, (size - intake->size) * sizeof *by_fd);
    intake->by_fd = by_fd;
    intake->size = size;
    return true;
}

/* 0 if the descriptor names no socket any more. */
static uint64_t socket_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

void intake_open(struct intake *intake, int fd)
{
    if (fd >= 0 && intake_reserve(intake, (size_t)fd))
        intake->by_fd[fd] = (struct intake_connection){.cookie = socket_cookie(fd)};
}

void intake_close(struct intake *intake, int fd)
{
    if (fd >= 0 && (size_t)fd < intake->size)
        intake->by_fd[fd] = (struct intake_connection){0};
}

/* libzmq owns the descriptor: it is only shut down, which its engine takes for a broken connection. */
bool intake_cut(struct intake *intake, int fd)
{
    if (fd < 0 || (size_t)fd >= intake->size || intake->by_fd[fd].cookie == 0)
        return false;
    return socket_cookie(fd) == intake->by_fd[fd].cookie && shutdown(fd, SHUT_RDWR) == 0;
}

static bool intake_is_ahead(const struct intake *intake, int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    const struct intake_connection *connection = &intake->by_fd[fd];
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false; /* not TCP, or gone */
    return info.tcpi_bytes_received > connection->taken + intake->allowance;
}

size_t intake_check(struct intake *intake)
{
    size_t cut = 0;
    for (size_t fd = 0; fd < intake->size; fd++) {
        if (intake->by_fd[fd].cookie != 0 && intake_is_ahead(intake, (int)fd) &&
            intake_cut(intake, (int)fd))
            cut++;
    }
    return cut;
}
