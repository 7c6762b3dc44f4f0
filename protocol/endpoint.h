/* The endpoints a broker may bind: whether they are well-formed and who can reach them. */
#ifndef PROTOCOL_ENDPOINT_H
#define PROTOCOL_ENDPOINT_H

#include <stdbool.h>

/* NULL if libzmq can make sense of it, else what it should be, as in "tcp://HOST:PORT". */
const char *endpoint_expected(const char *endpoint);

/* Of a well-formed endpoint: can be reached from other machines. Interface names count as such. */
bool endpoint_is_open(const char *endpoint);

/* An IPv6 address, for which the socket needs ZMQ_IPV6. */
bool endpoint_is_ipv6(const char *endpoint);

/*
 * A copy as it must be given to zmq_bind, which does not know the name `localhost`; NULL when out
 * of memory.
 */
char *endpoint_for_bind(const char *endpoint);

#endif
