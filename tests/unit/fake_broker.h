/* A broker of a few lines for tests of the other side: driven by the test, or echoing in a thread. */
#ifndef TESTS_UNIT_FAKE_BROKER_H
#define TESTS_UNIT_FAKE_BROKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <zmq.h>

#include "protocol/session.h"
#include "transport/outbox.h"

enum {
    FAKE_BODY_LIMIT = 2 << 20,
};

struct fake_broker {
    void *context;
    void *router;
    char endpoint[128];
    struct welcome welcome;
    struct bundle_pool *pool;
    struct outbox outbox;
    struct routing_id peer; /* who sent last */
    zmq_msg_t frame;
    zmq_msg_t body;
    struct bundle_reader reader;
    unsigned bundles;     /* received */
    void (*idle)(void *); /* called with `hint` while a packet is awaited; may be NULL */
    void *hint;

    pthread_t thread;
    atomic_bool is_stopping;
    atomic_uint heartbeats;
    atomic_uint cancels;
    atomic_uint calls;
    atomic_uint byes;
};

/* Binds to `endpoint`, or to a port of the kernel's choice if it is NULL. */
void fake_broker_open(struct fake_broker *broker, const char *endpoint);
void fake_broker_close(struct fake_broker *broker);

/* The next packet that came; false if there was none in time. It is valid until the next one. */
bool fake_broker_next(struct fake_broker *broker, struct packet *packet, unsigned timeout_ms);

/* The next packet, which must have this command. */
struct packet fake_broker_expect(struct fake_broker *broker, enum packet_command command);

/* To the peer that sent last. A large body goes in a frame of its own. */
void fake_broker_send(struct fake_broker *broker, const struct packet *packet);
void fake_broker_send_bytes(struct fake_broker *broker, const void *data, size_t size, bool more);
void fake_broker_welcome(struct fake_broker *broker);
void fake_broker_reset(struct fake_broker *broker, uint8_t command, uint64_t id);
void fake_broker_reply(struct fake_broker *broker, uint64_t id, struct bytes body);
void fake_broker_error(struct fake_broker *broker, uint64_t id, uint8_t status, uint8_t fate,
                       const char *text);

/* Answers in a thread of its own from now on: services "echo", "slow" and "silent". */
void fake_broker_start(struct fake_broker *broker);
void fake_broker_stop(struct fake_broker *broker);

void sleep_ms(unsigned ms);

/* An endpoint where nobody listens. */
void unused_endpoint(char *endpoint, size_t size);

#endif
