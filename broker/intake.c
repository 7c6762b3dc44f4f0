/* Descriptors matched to the kernel's sockets, and their counts of received bytes. */
#include "broker/intake.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/heap.h"

enum {
    BYTES_AHEAD = 8 * 1024 * 1024, /* what the kernel may hold of a connection, besides a body */
    FDS_MIN = 64,
    INTERVAL_MS = 200,
    SUSPECT_INTERVAL_MS = 20,
    LOOKS_MIN = 512, /* connections looked at in a check, if there are so many */
    PARTS = 8,       /* of all, where there are more */
    TRIM_MS = 1000,
};

void intake_init(struct intake *intake, uint64_t body_limit, uint32_t fd_limit)
{
    *intake = (struct intake){.allowance = body_limit + BYTES_AHEAD, .fd_limit = fd_limit};
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

bool intake_open(struct intake *intake, int fd)
{
    if (fd < 0 || !intake_reserve(intake, (size_t)fd))
        return true;
    intake->by_fd[fd] = (struct intake_connection){.cookie = socket_cookie(fd)};
    return (uint32_t)fd < intake->fd_limit || !intake_cut(intake, fd);
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
    if (socket_cookie(fd) != intake->by_fd[fd].cookie || shutdown(fd, SHUT_RDWR) != 0)
        return false;
    intake->by_fd[fd].cookie = 0; /* as good as closed */
    return true;
}

bool intake_cut_pile(struct intake *intake, int fd)
{
    bool was_cut = intake_cut(intake, fd);
    intake->has_cut |= was_cut;
    return was_cut;
}

/* How many bytes of the connection have not reached the broker. */
static uint64_t connection_ahead(const struct intake_connection *connection, int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (connection->cookie == 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0; /* not watched, not TCP, or gone */
    return info.tcpi_bytes_received > connection->taken
               ? info.tcpi_bytes_received - connection->taken
               : 0;
}

/* Whatever is piled up takes memory. */
static bool has_grown(struct intake *intake)
{
    struct rusage usage;
    long before = intake->peak_kib;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return true;
    intake->peak_kib = usage.ru_maxrss;
    return usage.ru_maxrss > before;
}

static size_t looks_of_a_check(struct intake *intake)
{
    size_t part = intake->size / PARTS > LOOKS_MIN ? intake->size / PARTS : LOOKS_MIN;
    return has_grown(intake) || part > intake->size ? intake->size : part;
}

/* libzmq frees what it held for those that were cut a little later, and malloc keeps it. */
static void give_back(struct intake *intake, uint64_t now)
{
    if (intake->trim_at != 0 && now >= intake->trim_at) {
        intake->trim_at = 0;
        heap_trim();
    }
    if (intake->has_cut && intake->trim_at == 0) {
        intake->has_cut = false;
        intake->trim_at = now + TRIM_MS;
    }
}

size_t intake_check(struct intake *intake, uint64_t now)
{
    size_t cut = 0;
    give_back(intake, now);
    intake->next_check = now + INTERVAL_MS;
    for (size_t looks = looks_of_a_check(intake); looks > 0; looks--) {
        size_t fd = intake->next < intake->size ? intake->next : 0;
        struct intake_connection *connection = &intake->by_fd[fd];
        bool stands = connection->taken == connection->before;
        connection->before = connection->taken;
        intake->next = fd + 1;
        if (!stands)
            continue;
        uint64_t ahead = connection_ahead(connection, (int)fd);
        if (ahead > intake->allowance / 4) {
            intake->next_check = now + SUSPECT_INTERVAL_MS;
            intake->peak_kib = 0; /* all are looked at then, the suspect among them */
        }
        if (ahead > intake->allowance && intake_cut_pile(intake, (int)fd))
            cut++;
    }
    return cut;
}
