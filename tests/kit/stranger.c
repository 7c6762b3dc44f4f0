/* ZMTP 3.0 with the NULL mechanism, as much of it as opens a connection. */
#include "tests/kit/stranger.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    GREETING_SIZE = 64,
    SEND_MS = 2000,
};

int stranger_connect(struct kit *kit)
{
    const char *port = strrchr(kit->endpoint, ':');
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

bool stranger_send(int fd, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, SEND_MS) <= 0)
            return false;
        ssize_t done = send(fd, next, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0)
            return false;
        next += done;
        size -= (size_t)done;
    }
    return true;
}

bool stranger_send_frame(int fd, unsigned flags, const void *data, size_t size)
{
    uint8_t header[9] = {(uint8_t)flags, (uint8_t)size};
    size_t header_size = 2;
    if (flags & STRANGER_LONG) {
        for (int i = 0; i < 8; i++)
            header[1 + i] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
        header_size = 9;
    }
    return stranger_send(fd, header, header_size) && stranger_send(fd, data, size);
}

/* Reads exactly so many bytes. */
static void receive(int fd, void *data, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, (int)kit_time(5000)), 1);
    assert_int_equal(recv(fd, data, size, MSG_WAITALL), size);
}

void stranger_shake_hands(int fd)
{
    static const char ready[] = "\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0";
    uint8_t greeting[GREETING_SIZE] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                       1,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    assert_true(stranger_send(fd, greeting, sizeof greeting));
    receive(fd, greeting, sizeof greeting);
    assert_true(stranger_send_frame(fd, STRANGER_COMMAND, ready, sizeof ready));
    uint8_t header[2];
    receive(fd, header, sizeof header);
    assert_int_equal(header[0], STRANGER_COMMAND);
    uint8_t body[256];
    receive(fd, body, header[1]);
}

bool stranger_is_cut(int fd, unsigned timeout_ms)
{
    uint64_t until = kit_now_ms() + timeout_ms;
    for (uint64_t now; (now = kit_now_ms()) < until;) {
        char data[4096];
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, (int)(until - now)) == 1 && recv(fd, data, sizeof data, 0) <= 0)
            return true;
    }
    return false;
}
