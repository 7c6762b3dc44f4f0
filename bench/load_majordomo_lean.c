/*
 * Majordomo 0.1 again, its peers without a library: sockets of the kernel and ZMTP 3.0 by hand, all
 * workers of a process on one epoll. What they need of the machine is a third of what DEALERs need, so
 * that it is the broker that is measured. Bodies of up to 16 KiB.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/load.h"

enum {
    MORE = 1, /* flags of a frame */
    LONG = 2,
    GREETING_SIZE = 64,
    BODY_MAX = 16 * 1024,
    ROOM = 256 * 1024, /* of what is read or written at once */
    FRAMES = 6,        /* of a request to a worker */
    EVENTS = 64,
};

struct link {
    int fd;
    size_t in_size;
    size_t out_size;
    uint8_t in[ROOM];
    uint8_t out[ROOM];
};

static void write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
        if (written < 0 && errno != EINTR)
            load_die("majordomo_lean: send", strerror(errno));
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
}

static void read_more(struct link *link)
{
    ssize_t got = read(link->fd, link->in + link->in_size, ROOM - link->in_size);
    if (got <= 0)
        load_die("majordomo_lean: read", got == 0 ? "the broker closed" : strerror(errno));
    link->in_size += (size_t)got;
}

static void drop(struct link *link, size_t size)
{
    link->in_size -= size;
    memmove(link->in, link->in + size, link->in_size);
}

static int dial(const char *endpoint)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in remote = {.sin_family = AF_INET};
    const char *place = strstr(endpoint, "://") + 3;
    bool is_tcp = strncmp(endpoint, "tcp", 3) == 0;
    int fd = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1, code;
    if (is_tcp) {
        remote.sin_port = htons((uint16_t)strtol(strrchr(place, ':') + 1, NULL, 10));
        remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        code = connect(fd, (struct sockaddr *)&remote, sizeof remote);
    } else {
        strncpy(local.sun_path, place, sizeof local.sun_path - 1);
        code = connect(fd, (struct sockaddr *)&local, sizeof local);
    }
    if (fd < 0 || code != 0)
        load_die(endpoint, strerror(errno));
    return fd;
}

/* Connects, and goes through ZMTP's handshake: NULL mechanism, a DEALER. */
static struct link *link_open(const char *endpoint)
{
    static const uint8_t greeting[GREETING_SIZE] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                                    1,    0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    static const char ready[] = "\4\34\5READY\13Socket-Type\0\0\0\6DEALER";
    struct link *link = malloc(sizeof *link);
    if (link == NULL)
        load_die("majordomo_lean", strerror(errno));
    link->fd = dial(endpoint);
    link->in_size = link->out_size = 0;
    write_all(link->fd, greeting, sizeof greeting);
    write_all(link->fd, (const uint8_t *)ready, sizeof ready - 1);
    while (link->in_size < GREETING_SIZE + 2 ||
           link->in_size < (size_t)GREETING_SIZE + 2 + link->in[GREETING_SIZE + 1])
        read_more(link);
    drop(link, (size_t)GREETING_SIZE + 2 + link->in[GREETING_SIZE + 1]);
    return link;
}

static void put(struct link *link, unsigned more, const void *data, size_t size)
{
    uint8_t *to = link->out + link->out_size;
    size_t header = size > UINT8_MAX ? 9 : 2;
    to[0] = (uint8_t)(more | (header == 9 ? LONG : 0));
    for (size_t i = 1; i < header; i++)
        to[i] = (uint8_t)(size >> (8 * (header - 1 - i)));
    memcpy(to + header, data, size);
    link->out_size += header + size;
}

static void flush(struct link *link)
{
    write_all(link->fd, link->out, link->out_size);
    link->out_size = 0;
}

struct frame {
    const uint8_t *data;
    size_t size;
};

/* The frames of the next message of `link`, from `at`; 0 if it is not there whole. Moves `at`. */
static size_t next_message(const struct link *link, size_t *at, struct frame frames[FRAMES])
{
    size_t count = 0, to = *at;
    bool more = true;
    while (more) {
        const uint8_t *from = link->in + to;
        size_t left = link->in_size - to, header = 2, size = 0;
        if (left < 2 || (from[0] & LONG && left < 9))
            return 0;
        header = from[0] & LONG ? 9 : 2;
        for (size_t i = 1; i < header; i++)
            size = size << 8 | from[i];
        if (left < header + size)
            return 0;
        if (count < FRAMES)
            frames[count] = (struct frame){from + header, size};
        count++;
        more = from[0] & MORE;
        to += header + size;
    }
    *at = to;
    return count;
}

struct lean_client {
    struct link *link;
    struct load_place place;
};

static void *client_open(const struct load_place *place)
{
    struct lean_client *client = calloc(1, sizeof *client);
    if (client == NULL || place->size > BODY_MAX)
        load_die("majordomo_lean", client == NULL ? "no memory" : "a body is over 16 KiB");
    client->place = *place;
    client->link = link_open(place->endpoint);
    return client;
}

static void client_send(void *owner, const void *body)
{
    struct lean_client *client = owner;
    struct link *link = client->link;
    put(link, MORE, "", 0);
    put(link, MORE, "MDPC01", 6);
    put(link, MORE, client->place.service, strlen(client->place.service));
    put(link, 0, body, client->place.size);
    if (link->out_size > ROOM - 2 * BODY_MAX)
        flush(link);
}

static size_t client_receive(void *owner)
{
    struct lean_client *client = owner;
    struct frame frames[FRAMES];
    size_t replies = 0, at = 0;
    flush(client->link);
    do {
        read_more(client->link);
        while (next_message(client->link, &at, frames) == 4) {
            load_check_size(&client->place, frames[3].size);
            replies++;
        }
    } while (replies == 0);
    drop(client->link, at);
    return replies;
}

/* Answers the requests that are there whole; what else comes is a HEARTBEAT. */
static void answer(struct link *link)
{
    struct frame frames[FRAMES];
    size_t at = 0, count;
    read_more(link);
    while ((count = next_message(link, &at, frames)) > 0) {
        if (count != FRAMES)
            continue;
        put(link, MORE, "", 0);
        put(link, MORE, "MDPW01", 6);
        put(link, MORE, "\3", 1);
        put(link, MORE, frames[3].data, frames[3].size);
        put(link, MORE, "", 0);
        put(link, 0, frames[5].data, frames[5].size);
    }
    drop(link, at);
    flush(link);
}

static void beat(struct link *link)
{
    put(link, MORE, "", 0);
    put(link, MORE, "MDPW01", 6);
    put(link, 0, "\4", 1);
    flush(link);
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    struct link **links = calloc(place->count, sizeof(struct link *));
    struct epoll_event events[EVENTS];
    int queue = epoll_create1(EPOLL_CLOEXEC);
    if (links == NULL || queue < 0)
        load_die("majordomo_lean", strerror(errno));
    for (unsigned i = 0; i < place->count; i++) {
        struct link *link = links[i] = link_open(place->back);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
        put(link, MORE, "", 0);
        put(link, MORE, "MDPW01", 6);
        put(link, MORE, "\1", 1);
        put(link, 0, place->service, strlen(place->service));
        flush(link);
        if (epoll_ctl(queue, EPOLL_CTL_ADD, link->fd, &event) != 0)
            load_die("majordomo_lean", strerror(errno));
        ready();
    }
    for (;;) {
        int count = epoll_wait(queue, events, EVENTS, 2500);
        for (int i = 0; i < count; i++)
            answer(events[i].data.ptr);
        for (unsigned i = 0; count == 0 && i < place->count; i++)
            beat(links[i]);
    }
}

const struct load load_majordomo_lean = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .serve = serve,
    .serves_all = true,
};
