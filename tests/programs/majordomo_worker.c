/*
 * A worker of Majordomo 0.1 over libzmq alone, as others write them: `majordomo_worker SERVICE [MS
 * [HEARTBEAT_MS]]` says `ready` on stdout, and for each request `ran BODY`; takes MS ms for it and replies
 * with its body. It does not watch the broker: after a restart what brings it back is the DISCONNECT
 * that its HEARTBEAT is answered with, upon which it says `disconnected` and begins anew.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum {
    FRAMES_MAX = 16,
    REQUEST = 2,
    DISCONNECT = 5,
    HEAD = 5, /* frames of a REQUEST before its body */
};

static const char header[] = "MDPW01";

struct worker {
    void *context;
    void *socket;
    const char *service;
    unsigned work_ms;
    unsigned heartbeat_ms;
    uint64_t heartbeat_at;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say(const char *what, const void *text, size_t size)
{
    printf("%s %.*s\n", what, (int)size, (const char *)text);
    fflush(stdout);
}

static void send_frame(struct worker *worker, const void *data, size_t size, bool more)
{
    zmq_send(worker->socket, data, size, more ? ZMQ_SNDMORE : 0);
}

/* A command and what follows it, if anything does. */
static void send_command(struct worker *worker, const char *command, bool more)
{
    send_frame(worker, "", 0, true);
    send_frame(worker, header, strlen(header), true);
    send_frame(worker, command, 1, more);
}

/* Ends the connection there is, and says READY on a new one. */
static bool begin(struct worker *worker)
{
    const char *broker = getenv("BUSBAR_BROKER");
    int linger = 0;
    if (worker->socket != NULL)
        zmq_close(worker->socket);
    worker->socket = zmq_socket(worker->context, ZMQ_DEALER);
    zmq_setsockopt(worker->socket, ZMQ_LINGER, &linger, sizeof linger);
    if (broker == NULL || zmq_connect(worker->socket, broker) != 0)
        return false;
    send_command(worker, "\1", true);
    send_frame(worker, worker->service, strlen(worker->service), false);
    worker->heartbeat_at = now_ms() + worker->heartbeat_ms;
    return true;
}

/* A message whole, or as far as there is room; how many frames it has. */
static size_t receive(struct worker *worker, zmq_msg_t frames[FRAMES_MAX])
{
    size_t count = 0;
    int more = 1;
    while (more && count < FRAMES_MAX) {
        zmq_msg_init(&frames[count]);
        if (zmq_msg_recv(&frames[count], worker->socket, 0) < 0)
            break;
        more = zmq_msg_more(&frames[count++]);
    }
    return count;
}

static void work(struct worker *worker, zmq_msg_t *frames, size_t count)
{
    struct timespec time = {worker->work_ms / 1000, worker->work_ms % 1000 * 1000000L};
    say("ran", zmq_msg_data(&frames[HEAD]), zmq_msg_size(&frames[HEAD]));
    nanosleep(&time, NULL);
    send_command(worker, "\3", true);
    for (size_t i = 3; i < count; i++)
        send_frame(worker, zmq_msg_data(&frames[i]), zmq_msg_size(&frames[i]), i + 1 < count);
}

/* False when it cannot go on. */
static bool handle(struct worker *worker)
{
    zmq_msg_t frames[FRAMES_MAX];
    bool going = true;
    size_t count = receive(worker, frames);
    uint8_t command = count < 3 || zmq_msg_size(&frames[2]) != 1
                          ? 0
                          : *(const uint8_t *)zmq_msg_data(&frames[2]);
    if (command == REQUEST && count > HEAD)
        work(worker, frames, count);
    for (size_t i = 0; i < count; i++)
        zmq_msg_close(&frames[i]);
    if (command == DISCONNECT) {
        say("disconnected", "", 0);
        going = begin(worker);
    }
    return going;
}

int main(int argc, char **argv)
{
    struct worker worker = {
        .context = zmq_ctx_new(),
        .service = argc > 1 ? argv[1] : "test",
        .work_ms = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0,
        .heartbeat_ms = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 2500,
    };
    if (worker.context == NULL || !begin(&worker))
        return EXIT_FAILURE;
    say("ready", "", 0);
    for (bool going = true; going;) {
        uint64_t now = now_ms();
        if (now >= worker.heartbeat_at) {
            send_command(&worker, "\4", false);
            worker.heartbeat_at = now + worker.heartbeat_ms;
        }
        zmq_pollitem_t item = {.socket = worker.socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, (long)(worker.heartbeat_at - now)) > 0)
            going = handle(&worker);
    }
    return EXIT_FAILURE;
}
