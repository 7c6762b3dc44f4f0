/* Three fixed layouts. */
#include "protocol/session.h"

#include "protocol/little_endian.h"

void hello_write(uint8_t *to, const struct hello *hello)
{
    memcpy(to, hello->instance, INSTANCE_SIZE);
    store64(to + 16, hello->last_epoch);
    store64(to + 24, hello->capabilities);
}

bool hello_read(struct bytes body, struct hello *ret)
{
    if (body.size < HELLO_SIZE)
        return false;
    memcpy(ret->instance, body.data, INSTANCE_SIZE);
    ret->last_epoch = load64(body.data + 16);
    ret->capabilities = load64(body.data + 24);
    return true;
}

void welcome_write(uint8_t *to, const struct welcome *welcome)
{
    store64(to, welcome->epoch);
    store64(to + 8, welcome->body_limit);
    store64(to + 16, welcome->capabilities);
    store32(to + 24, welcome->heartbeat_interval);
    store32(to + 28, welcome->heartbeat_liveness);
}

bool welcome_read(const struct packet *packet, struct welcome *ret)
{
    const uint8_t *from = packet->body.data;
    if (packet->body.size < WELCOME_SIZE)
        return false;
    *ret = (struct welcome){
        .epoch = load64(from),
        .token = packet->id,
        .body_limit = load64(from + 8),
        .capabilities = load64(from + 16),
        .heartbeat_interval = load32(from + 24),
        .heartbeat_liveness = load32(from + 28),
    };
    return ret->epoch != 0 && ret->token != 0 && ret->heartbeat_interval != 0 &&
           ret->heartbeat_liveness != 0;
}

void reset_write(uint8_t *to, const struct reset *reset)
{
    memset(to, 0, RESET_SIZE);
    store64(to, reset->epoch);
    to[8] = reset->command;
}

bool reset_read(struct bytes body, struct reset *ret)
{
    if (body.size < RESET_SIZE)
        return false;
    ret->epoch = load64(body.data);
    ret->command = body.data[8];
    return true;
}
