/* Takes endpoints apart: libzmq itself would bind port 99999 as 34463 and never say so. */
#include "protocol/endpoint.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOST_SIZE = 64, /* longer than any address or interface name */
    PATH_MAX_BYTES = 107,
    NAME_MAX_BYTES = 255,
};

static const char digits[] = "0123456789";
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

struct tcp_address {
    char host[HOST_SIZE]; /* without brackets */
    bool bracketed;
    const char *port;
};

/* What follows a scheme; NULL if it is another one. */
static const char *after_scheme(const char *endpoint, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(endpoint, scheme, length) == 0 ? endpoint + length : NULL;
}

static bool split_address(struct tcp_address *address, const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    size_t length = (size_t)(colon - text);
    address->port = colon + 1;
    address->bracketed = length >= 2 && text[0] == '[' && colon[-1] == ']';
    if (address->bracketed) {
        text++;
        length -= 2;
    }
    if (length >= sizeof address->host)
        return false;
    memcpy(address->host, text, length);
    address->host[length] = '\0';
    return true;
}

static bool port_is_valid(const char *port)
{
    if (strcmp(port, "*") == 0)
        return true;
    size_t length = strlen(port);
    return length >= 1 && length <= 5 && strspn(port, digits) == length && port[0] != '0' &&
           atoi(port) <= 65535;
}

static bool host_is_valid(const struct tcp_address *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    const char *host = address->host;
    size_t length = strlen(host);
    if (address->bracketed)
        return inet_pton(AF_INET6, host, &v6) == 1;
    if (strcmp(host, "*") == 0)
        return true;
    if (strspn(host, "0123456789.") == length)
        return inet_pton(AF_INET, host, &v4) == 1;
    return strspn(host, letters) == length;
}

static const char *tcp_expected(const char *text)
{
    struct tcp_address address;
    if (!split_address(&address, text))
        return "tcp://HOST:PORT, as in tcp://127.0.0.1:7766";
    if (!port_is_valid(address.port))
        return "tcp://HOST:PORT with a port from 1 to 65535 or * for a free one";
    if (!address.bracketed && strchr(address.host, ':') != NULL)
        return "tcp://[ADDRESS]:PORT, with the IPv6 address in brackets";
    if (!host_is_valid(&address))
        return "tcp://HOST:PORT with an address, the name of an interface or * as the host";
    return NULL;
}

static const char *ipc_expected(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= PATH_MAX_BYTES ? NULL
                                                   : "ipc://PATH with a path of 1 to 107 bytes";
}

static const char *inproc_expected(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= NAME_MAX_BYTES ? NULL
                                                   : "inproc://NAME with a name of 1 to 255 bytes";
}

const char *endpoint_expected(const char *endpoint)
{
    static const struct {
        const char *scheme;
        const char *(*expected)(const char *text);
    } schemes[] = {
        {"tcp://", tcp_expected},
        {"ipc://", ipc_expected},
        {"inproc://", inproc_expected},
    };
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        const char *text = after_scheme(endpoint, schemes[i].scheme);
        if (text != NULL)
            return schemes[i].expected(text);
    }
    return "tcp://HOST:PORT, ipc://PATH or inproc://NAME";
}

bool endpoint_is_open(const char *endpoint)
{
    struct tcp_address address;
    struct in_addr v4;
    struct in6_addr v6;
    const char *text = after_scheme(endpoint, "tcp://");
    if (text == NULL)
        return false;
    if (!split_address(&address, text))
        return true;
    if (address.bracketed)
        return inet_pton(AF_INET6, address.host, &v6) != 1 || !IN6_IS_ADDR_LOOPBACK(&v6);
    if (inet_pton(AF_INET, address.host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 != IN_LOOPBACKNET;
    return strcmp(address.host, "localhost") != 0;
}

bool endpoint_is_ipv6(const char *endpoint)
{
    return strncmp(endpoint, "tcp://[", strlen("tcp://[")) == 0;
}

char *endpoint_for_bind(const char *endpoint)
{
    char *copy = NULL;
    const char *port = after_scheme(endpoint, "tcp://localhost:");
    if (port == NULL)
        return strdup(endpoint);
    return asprintf(&copy, "tcp://127.0.0.1:%s", port) < 0 ? NULL : copy;
}
