/* The PAIR behind zmq_socket_monitor. */
#include "transport/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "base/random.h"

bool monitor_open(struct monitor *monitor, void *context, void *watched, int events)
{
    char endpoint[64];
    int none = 0;
    snprintf(endpoint, sizeof endpoint, "inproc://busbar-monitor-%016llx",
             (unsigned long long)random_u64());
    if (zmq_socket_monitor(watched, endpoint, events) != 0)
        return false;
    monitor->socket = zmq_socket(context, ZMQ_PAIR);
    if (monitor->socket != NULL &&
        zmq_setsockopt(monitor->socket, ZMQ_RCVHWM, &none, sizeof none) == 0 &&
        zmq_setsockopt(monitor->socket, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_connect(monitor->socket, endpoint) == 0)
        return true;
    int reason = errno;
    monitor_close(monitor, watched);
    errno = reason;
    return false;
}

void monitor_close(struct monitor *monitor, void *watched)
{
    zmq_socket_monitor(watched, NULL, 0);
    if (monitor->socket != NULL)
        zmq_close(monitor->socket);
    monitor->socket = NULL;
}

/* An event is two frames: number and value, then the address, which nobody here needs. */
bool monitor_next(struct monitor *monitor, struct monitor_event *event)
{
    uint8_t head[6];
    int size;
    do
        size = zmq_recv(monitor->socket, head, sizeof head, ZMQ_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return false;
    (void)zmq_recv(monitor->socket, NULL, 0, ZMQ_DONTWAIT);
    if (size != sizeof head)
        return false;
    memcpy(&event->kind, head, sizeof event->kind);
    memcpy(&event->value, head + sizeof event->kind, sizeof event->value);
    return true;
}
