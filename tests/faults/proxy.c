#include "tests/faults/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINKS_MAX = 128,
    CHUNKS_MAX = 64, /* that wait in one direction; then nothing more is read there */
    CHUNK_SIZE = 16384,
    SLICE_MAX = 7,
    SLICES_A_TURN = 256, /* of one direction, so that the others get on */
    TURN_MS = 1,
};

struct chunk {
    uint64_t at; /* ns; not to be passed on before */
    size_t size;
    size_t done;
    uint8_t bytes[CHUNK_SIZE];
};

/* One direction of a connection: what is read from `from` leaves by `to`, in order. */
struct flow {
    int from;
    int to;
    struct chunk *chunks[CHUNKS_MAX];
    size_t first;
    size_t count;
    bool ended; /* nothing more comes; what has come is still passed on */
};

struct link {
    bool used;
    struct flow flows[2]; /* to the broker, from the broker */
};

static struct link links[LINKS_MAX];
static struct proxy_state *state;
static struct sockaddr_in broker;
static unsigned seed;

static void link_close(struct link *link)
{
    close(link->flows[0].from);
    close(link->flows[1].from);
    for (int i = 0; i < 2; i++) {
        struct flow *flow = &link->flows[i];
        for (; flow->count > 0; flow->count--)
            free(flow->chunks[flow->first++ % CHUNKS_MAX]);
    }
    *link = (struct link){0};
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* False if the connection has ended. */
static bool flow_read(struct flow *flow)
{
    while (flow->count < CHUNKS_MAX) {
        struct chunk *chunk = malloc(sizeof *chunk);
        if (chunk == NULL)
            soak_die("out of memory");
        ssize_t size = recv(flow->from, chunk->bytes, sizeof chunk->bytes, MSG_DONTWAIT);
        if (size <= 0) {
            free(chunk);
            return size < 0 && would_wait();
        }
        chunk->size = (size_t)size;
        chunk->done = 0;
        chunk->at = soak_now_ns() + UINT64_C(1000000) * state->delay_ms;
        flow->chunks[(flow->first + flow->count++) % CHUNKS_MAX] = chunk;
    }
    return true;
}

/* How much one write may have. */
static size_t portion(size_t size)
{
    if (state->mode != PROXY_SLICE)
        return size;
    size_t slice = 1 + (size_t)rand_r(&seed) % SLICE_MAX;
    return slice < size ? slice : size;
}

static bool flow_write(struct flow *flow)
{
    for (int i = 0; flow->count > 0 && i < SLICES_A_TURN; i++) {
        struct chunk *chunk = flow->chunks[flow->first % CHUNKS_MAX];
        if (chunk->at > soak_now_ns())
            break;
        ssize_t done = send(flow->to, chunk->bytes + chunk->done,
                            portion(chunk->size - chunk->done), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0)
            return would_wait();
        chunk->done += (size_t)done;
        state->passed += (unsigned long long)done;
        if (chunk->done == chunk->size) {
            free(chunk);
            flow->first++;
            flow->count--;
        }
    }
    return true;
}

/* False if it is over. */
static bool link_turn(struct link *link)
{
    enum proxy_mode mode = (enum proxy_mode)state->mode;
    for (int i = 0; i < 2; i++) {
        if (mode == PROXY_BLACK_HOLE || (mode == PROXY_HALF_OPEN && i == 1))
            continue;
        struct flow *flow = &link->flows[i];
        flow->ended = flow->ended || !flow_read(flow);
        if (!flow_write(flow) || (flow->ended && flow->count == 0))
            return false;
    }
    return true;
}

static int connect_to_broker(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&broker, sizeof broker) == 0)
        return fd;
    close(fd);
    return -1;
}

static void accept_one(int listener, int watch)
{
    struct link *link = links;
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int server = client < 0 ? -1 : connect_to_broker();
    while (link < links + LINKS_MAX && link->used)
        link++;
    if (client < 0 || server < 0 || link == links + LINKS_MAX) {
        close(client);
        close(server);
        return;
    }
    const int yes = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    *link = (struct link){
        .used = true, .flows = {{.from = client, .to = server}, {.from = server, .to = client}}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    epoll_ctl(watch, EPOLL_CTL_ADD, client, &event);
    epoll_ctl(watch, EPOLL_CTL_ADD, server, &event);
}

static int run(const void *argument)
{
    const int listener = *(const int *)argument;
    struct epoll_event events[16], listening = {.events = EPOLLIN};
    int watch = epoll_create1(EPOLL_CLOEXEC);
    unsigned cuts = 0;
    epoll_ctl(watch, EPOLL_CTL_ADD, listener, &listening);
    while (!state->stop) {
        bool cut = state->cuts != cuts;
        cuts = state->cuts;
        for (struct link *link = links; link < links + LINKS_MAX; link++) {
            if (link->used && (cut || !link_turn(link))) {
                state->cut += cut;
                link_close(link);
            }
        }
        /* What is left over, or has to wait for its delay, is looked at in a moment. */
        epoll_wait(watch, events, 16, TURN_MS);
        accept_one(listener, watch);
    }
    return 0;
}

/* Listens where the kernel likes, and tells where that is. */
static int listen_somewhere(char endpoint[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        soak_die("the proxy cannot listen");
    snprintf(endpoint, 64, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

void proxy_start(struct proxy *proxy, const char *endpoint, unsigned chosen_seed)
{
    const char *port = strrchr(endpoint, ':');
    int listener = listen_somewhere(proxy->endpoint);
    seed = chosen_seed;
    broker.sin_family = AF_INET;
    broker.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    broker.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        soak_die("out of memory");
    proxy->state = state;
    proxy->process = soak_fork(run, &listener);
    close(listener);
}

void proxy_stop(struct proxy *proxy)
{
    proxy->state->stop = true;
    soak_kill(&proxy->process, SIGTERM);
    munmap(proxy->state, sizeof *proxy->state);
    proxy->state = NULL;
}
