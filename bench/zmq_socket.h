/* ZeroMQ sockets of the benchmark: one context in a process, high-water marks off. */
#ifndef BENCH_ZMQ_SOCKET_H
#define BENCH_ZMQ_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "bench/load.h"

void *bench_socket(int type);
/* Binds to `endpoint`, which may leave the port to the kernel, and writes what it became there. */
void *bench_bind(int type, char *endpoint, size_t size);
void *bench_connect(const char *endpoint, int receive_ms);

void bench_send(void *socket, const void *data, size_t size, int flags);
/* False if there is none and `flags` says not to wait, or it took longer than `receive_ms`. */
bool bench_receive(void *socket, zmq_msg_t *frame, int flags);
/* Waits for a reply and takes those that are there as well: their last frame is the body. */
size_t bench_replies(void *socket, const struct load_place *place);

#endif
