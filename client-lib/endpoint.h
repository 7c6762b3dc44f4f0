/* The grammar of endpoints that a peer can connect to. */
#ifndef CLIENT_LIB_ENDPOINT_H
#define CLIENT_LIB_ENDPOINT_H

#include <stdbool.h>

/* tcp://HOST:PORT, ipc://PATH or inproc://NAME; a host is not looked up here. */
bool endpoint_is_valid(const char *endpoint);

bool endpoint_is_inproc(const char *endpoint);

#endif
