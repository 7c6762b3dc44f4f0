/* RabbitMQ: one queue of requests, direct reply-to, no acknowledgements; librabbitmq. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "bench/load.h"

enum {
    CHANNEL = 1,
    FRAME_SIZE = 131072,
};

struct rabbit {
    amqp_connection_state_t connection;
    struct load_place place;
};

static void check(int status)
{
    if (status != AMQP_STATUS_OK)
        load_die("rabbitmq", amqp_error_string2(status));
}

static void check_answer(amqp_connection_state_t connection)
{
    amqp_rpc_reply_t answer = amqp_get_rpc_reply(connection);
    if (answer.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        check(answer.library_error);
    else if (answer.reply_type != AMQP_RESPONSE_NORMAL)
        load_die("rabbitmq", "the server refuses");
}

static void open_connection(struct rabbit *rabbit, const char *endpoint)
{
    char host[LOAD_ENDPOINT_SIZE];
    memcpy(host, endpoint, sizeof host);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        load_die("rabbitmq", endpoint);
    *colon = '\0';
    rabbit->connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(rabbit->connection);
    check(amqp_socket_open(socket, host, (int)strtol(colon + 1, NULL, 10)));
    amqp_login(rabbit->connection, "/", 0, FRAME_SIZE, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    amqp_channel_open(rabbit->connection, CHANNEL);
    check_answer(rabbit->connection);
}

static void consume(struct rabbit *rabbit, const char *queue)
{
    amqp_basic_consume(rabbit->connection, CHANNEL, amqp_cstring_bytes(queue), amqp_empty_bytes, 0,
                       1, 0, amqp_empty_table);
    check_answer(rabbit->connection);
}

static struct rabbit *open_peer(const char *endpoint, const struct load_place *place)
{
    struct rabbit *rabbit = calloc(1, sizeof *rabbit);
    if (rabbit == NULL)
        load_die("rabbitmq", "no memory");
    rabbit->place = *place;
    open_connection(rabbit, endpoint);
    return rabbit;
}

static void *client_open(const struct load_place *place)
{
    struct rabbit *rabbit = open_peer(place->endpoint, place);
    consume(rabbit, "amq.rabbitmq.reply-to");
    return rabbit;
}

static void client_send(void *owner, const void *body)
{
    const struct rabbit *rabbit = owner;
    const amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_REPLY_TO_FLAG,
        .reply_to = amqp_cstring_bytes("amq.rabbitmq.reply-to")};
    const amqp_bytes_t bytes = {rabbit->place.size, (void *)(uintptr_t)body};
    check(amqp_basic_publish(rabbit->connection, CHANNEL, amqp_empty_bytes,
                             amqp_cstring_bytes(rabbit->place.service), 0, 0, &properties, bytes));
}

/* `wait_ms` 0: what is there already. */
static bool take(const struct rabbit *rabbit, amqp_envelope_t *envelope, int wait_ms)
{
    struct timeval wait = {.tv_sec = wait_ms / 1000};
    amqp_maybe_release_buffers(rabbit->connection);
    amqp_rpc_reply_t answer = amqp_consume_message(rabbit->connection, envelope, &wait, 0);
    if (answer.reply_type == AMQP_RESPONSE_NORMAL)
        return true;
    if (wait_ms > 0 || answer.library_error != AMQP_STATUS_TIMEOUT)
        check(answer.library_error != 0 ? answer.library_error : AMQP_STATUS_UNEXPECTED_STATE);
    return false;
}

static size_t client_receive(void *owner)
{
    const struct rabbit *rabbit = owner;
    amqp_envelope_t envelope;
    size_t count = 0;
    while (take(rabbit, &envelope, count == 0 ? LOAD_REPLY_MS : 0)) {
        load_check_size(&rabbit->place, envelope.message.body.len);
        amqp_destroy_envelope(&envelope);
        if (++count == rabbit->place.outstanding) /* there cannot be more: no need to ask */
            break;
    }
    return count;
}

static void answer(const struct rabbit *rabbit, const amqp_envelope_t *envelope)
{
    const amqp_message_t *message = &envelope->message;
    check(amqp_basic_publish(rabbit->connection, CHANNEL, amqp_empty_bytes,
                             message->properties.reply_to, 0, 0, NULL, message->body));
}

static void serve(const struct load_place *place, void (*ready)(void))
{
    struct rabbit *rabbit = open_peer(place->back, place);
    amqp_envelope_t envelope;
    amqp_queue_declare(rabbit->connection, CHANNEL, amqp_cstring_bytes(place->service), 0, 0, 0, 0,
                       amqp_empty_table);
    check_answer(rabbit->connection);
    consume(rabbit, place->service);
    ready();
    for (;;) {
        amqp_maybe_release_buffers(rabbit->connection);
        amqp_rpc_reply_t got = amqp_consume_message(rabbit->connection, &envelope, NULL, 0);
        if (got.reply_type != AMQP_RESPONSE_NORMAL)
            load_die("rabbitmq", "a worker lost its server");
        answer(rabbit, &envelope);
        amqp_destroy_envelope(&envelope);
    }
}

const struct load load_rabbitmq = {
    .open = client_open,
    .send = client_send,
    .receive = client_receive,
    .serve = serve,
};
