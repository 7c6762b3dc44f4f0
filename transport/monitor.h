/* The monitor of one socket: connections that come and go, as events with their descriptor. */
#ifndef TRANSPORT_MONITOR_H
#define TRANSPORT_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

struct monitor {
    void *socket; /* the PAIR that reads the events; NULL when closed */
};

struct monitor_event {
    uint16_t kind; /* ZMQ_EVENT_… */
    int32_t value; /* a descriptor, or an errno, as zmq_socket_monitor(3) says */
};

/*
 * Watches `events` (a mask of ZMQ_EVENT_…) of a socket, before it binds or connects. The PAIR has no
 * high-water mark, since a full one freezes the watched socket. False with errno set.
 */
bool monitor_open(struct monitor *monitor, void *context, void *watched, int events);

/* Before the watched socket is closed. */
void monitor_close(struct monitor *monitor, void *watched);

/* The next event without waiting; false when there is none. */
bool monitor_next(struct monitor *monitor, struct monitor_event *event);

#endif
