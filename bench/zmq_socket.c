/* ZeroMQ sockets of the benchmark, with what fails ending the process. */
#include "bench/zmq_socket.h"

#include <errno.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *context;

/* One I/O thread, which is libzmq's default. */
static void make_context(void)
{
    context = zmq_ctx_new();
}

static void set(void *socket, int option, int value)
{
    if (zmq_setsockopt(socket, option, &value, sizeof value) != 0)
        load_die("zmq_setsockopt", zmq_strerror(errno));
}

void *bench_socket(int type)
{
    pthread_once(&once, make_context);
    void *socket = zmq_socket(context, type);
    if (socket == NULL)
        load_die("zmq_socket", zmq_strerror(errno));
    set(socket, ZMQ_SNDHWM, 0);
    set(socket, ZMQ_RCVHWM, 0);
    set(socket, ZMQ_LINGER, 0);
    return socket;
}

void *bench_bind(int type, char *endpoint, size_t size)
{
    void *socket = bench_socket(type);
    if (zmq_bind(socket, endpoint) != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        load_die(endpoint, zmq_strerror(errno));
    return socket;
}

void *bench_connect(const char *endpoint, int receive_ms)
{
    void *socket = bench_socket(ZMQ_DEALER);
    set(socket, ZMQ_RCVTIMEO, receive_ms);
    if (zmq_connect(socket, endpoint) != 0)
        load_die(endpoint, zmq_strerror(errno));
    return socket;
}

void bench_send(void *socket, const void *data, size_t size, int flags)
{
    if (zmq_send(socket, data, size, flags) < 0)
        load_die("zmq_send", zmq_strerror(errno));
}

bool bench_receive(void *socket, zmq_msg_t *frame, int flags)
{
    if (zmq_msg_recv(frame, socket, flags) >= 0)
        return true;
    if (errno != EAGAIN)
        load_die("zmq_msg_recv", zmq_strerror(errno));
    return false;
}

size_t bench_replies(void *socket, const struct load_place *place)
{
    zmq_msg_t frame;
    size_t count = 0;
    zmq_msg_init(&frame);
    while (count < place->outstanding &&
           bench_receive(socket, &frame, count == 0 ? 0 : ZMQ_DONTWAIT)) {
        while (zmq_msg_more(&frame)) {
            if (!bench_receive(socket, &frame, 0))
                load_die("zmq_msg_recv", "half a message");
        }
        load_check_size(place, zmq_msg_size(&frame));
        count++;
    }
    zmq_msg_close(&frame);
    if (count == 0)
        load_die("a reply", "it takes too long");
    return count;
}
