/* The grammar of endpoints that a peer can connect to. */
#include "client-lib/endpoint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    ENDPOINT_SIZE_MAX = 255,
    IPC_PATH_MAX = 107, /* what fits into a sockaddr_un */
    PORT_MAX = 65535,
};

static bool text_is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    }
    return true;
}

static bool address_is_tcp(const char *address)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    return port >= 1 && port <= PORT_MAX;
}

static bool address_is_ipc(const char *address)
{
    return strlen(address) <= IPC_PATH_MAX;
}

static bool address_is_inproc(const char *address)
{
    return address[0] != '\0';
}

bool endpoint_is_valid(const char *endpoint)
{
    static const struct {
        const char *scheme;
        bool (*is_valid)(const char *address);
    } transports[] = {
        {"tcp://", address_is_tcp},
        {"ipc://", address_is_ipc},
        {"inproc://", address_is_inproc},
    };
    if (endpoint == NULL || strlen(endpoint) > ENDPOINT_SIZE_MAX || !text_is_printable(endpoint))
        return false;
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        size_t size = strlen(transports[i].scheme);
        if (strncmp(endpoint, transports[i].scheme, size) == 0)
            return endpoint[size] != '\0' && transports[i].is_valid(endpoint + size);
    }
    return false;
}

bool endpoint_is_inproc(const char *endpoint)
{
    return strncmp(endpoint, "inproc://", strlen("inproc://")) == 0;
}
