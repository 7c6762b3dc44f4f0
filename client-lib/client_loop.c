/*
 * The descriptor for event loops: an epoll of ours over libzmq's descriptors, a timer, and an event
 * that is raised while work is left that no descriptor shows. libzmq's descriptors are
 * edge-triggered, and any use of a socket may consume the edge, so after every use this is settled.
 */
#include "client-lib/client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

void client_loop_init(struct client_loop *loop)
{
    *loop = (struct client_loop){.epoll = -1, .timer = -1, .event = -1, .due = UINT64_MAX};
}

void client_loop_fini(struct client_loop *loop)
{
    const int fds[] = {loop->epoll, loop->timer, loop->event};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    client_loop_init(loop);
}

static bool loop_watch(const struct client_loop *loop, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool loop_make(struct client_loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return loop->epoll >= 0 && loop->timer >= 0 && loop->event >= 0 &&
           loop_watch(loop, loop->timer) && loop_watch(loop, loop->event);
}

static uint64_t sockets_of(const struct connection *connection)
{
    return connection->state == CONNECTION_CLOSED ? 0 : connection->sockets;
}

/* A socket that was made anew has other descriptors; the old ones may be closed or not yet, and
 * their numbers in use again. So all that are gone are forgotten before any is added. */
static void loop_follow_sockets(struct client_loop *loop, const struct uplink *uplinks)
{
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        if (loop->watched[i].sockets == sockets_of(&uplinks[i].connection))
            continue;
        for (size_t j = 0; loop->watched[i].sockets != 0 && j < CONNECTION_FDS; j++)
            (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->watched[i].fds[j], NULL);
        loop->watched[i].sockets = 0;
    }
    for (size_t i = 0; i < CLIENT_UPLINKS; i++) {
        if (loop->watched[i].sockets == sockets_of(&uplinks[i].connection))
            continue;
        connection_fds(&uplinks[i].connection, loop->watched[i].fds);
        for (size_t j = 0; j < CONNECTION_FDS; j++)
            (void)loop_watch(loop, loop->watched[i].fds[j]);
        loop->watched[i].sockets = sockets_of(&uplinks[i].connection);
    }
}

static void loop_signal(struct client_loop *loop, bool is_signalled)
{
    uint64_t count = 1;
    if (loop->is_signalled == is_signalled)
        return;
    loop->is_signalled = is_signalled;
    ssize_t done = is_signalled ? write(loop->event, &count, sizeof count)
                                : read(loop->event, &count, sizeof count);
    (void)done; /* neither can fail: it was empty before a write and is full before a read */
}

/* A timer that is too early costs a turn for nothing; one that is too late is set anew. */
static void loop_set_timer(struct client_loop *loop, uint64_t due, uint64_t now)
{
    if (loop->due > now && loop->due <= due)
        return;
    struct itimerspec at = {0};
    if (due != UINT64_MAX) {
        at.it_value.tv_sec = (time_t)(due / NS_PER_S);
        at.it_value.tv_nsec = (long)(due % NS_PER_S);
    }
    timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &at, NULL);
    loop->due = due;
}

static bool has_unsent(const struct busbar_client *client)
{
    for (size_t i = 0; i < client_uplinks(client); i++) {
        const struct uplink *uplink = &client->uplinks[i];
        if (!outbox_is_empty(&uplink->connection.outbox) && !uplink->is_blocked)
            return true;
    }
    return false;
}

/* What no descriptor shows; a flush that is blocked has its timer. */
static bool client_has_work(struct busbar_client *client)
{
    return client->done.count > 0 || client->callbacks.count > 0 || has_unsent(client) ||
           !list_is_empty(&client->granting) ||
           (!list_is_empty(&client->waiting) && client_is_ready(client)) || !client_is_idle(client);
}

void client_settle_loop(struct busbar_client *client)
{
    struct client_loop *loop = &client->loop;
    uint64_t now = clock_ns();
    loop_follow_sockets(loop, client->uplinks);
    loop_signal(loop, client_has_work(client));
    loop_set_timer(loop, client_due(client, now / NS_PER_MS), now);
}

int busbar_client_fd(struct busbar_client *client)
{
    if (client_check(client) != BUSBAR_OK)
        return -1;
    if (client->loop.epoll >= 0)
        return client->loop.epoll;
    if (!loop_make(&client->loop)) {
        int reason = errno;
        client_loop_fini(&client->loop);
        (void)client_fail(client, BUSBAR_SYSTEM, "no descriptor for event loops: %s",
                          strerror(reason));
        return -1;
    }
    client_settle(client);
    return client->loop.epoll;
}
