/* Tells the service manager that started busbard how it is. */
#ifndef BROKER_NOTIFY_H
#define BROKER_NOTIFY_H

#include <stdbool.h>

/*
 * Sends a state such as "READY=1" to the datagram socket that the environment names as
 * NOTIFY_SOCKET (a path, or @ and an abstract name). True if that worked or nobody asked for it.
 */
bool notify_send(const char *state);

#endif
