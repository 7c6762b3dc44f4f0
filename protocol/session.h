/* The fixed bodies of HELLO, WELCOME and RESET. */
#ifndef PROTOCOL_SESSION_H
#define PROTOCOL_SESSION_H

#include "protocol/packet.h"

enum {
    INSTANCE_SIZE = 16,
    HELLO_SIZE = 32,
    WELCOME_SIZE = 32,
    RESET_SIZE = 16,
};

/* instance[16] | last_epoch u64 | capabilities u64 */
struct hello {
    uint8_t instance[INSTANCE_SIZE]; /* random, stable over reconnects and brokers */
    uint64_t last_epoch;             /* of the WELCOME this instance had last; 0 for none */
    uint64_t capabilities;           /* no bit is assigned yet; unknown ones are ignored */
};

/* epoch u64 | body_limit u64 | capabilities u64 | heartbeat_interval u32 | heartbeat_liveness u32
 * The session token travels as the packet's id. */
struct welcome {
    uint64_t epoch;      /* random, of this run of the broker; never 0 */
    uint64_t token;      /* names the session in heartbeats; never 0 */
    uint64_t body_limit; /* bytes of one body */
    uint64_t capabilities;
    uint32_t heartbeat_interval; /* ms between the heartbeats that a worker owes; never 0 */
    uint32_t heartbeat_liveness; /* intervals of silence until a worker is lost; never 0 */
};

/* epoch u64 | command u8 | zero u8[7]
 * The packet's id is the id of the packet that was not executed. */
struct reset {
    uint64_t epoch;
    uint8_t command; /* of the packet that was refused */
};

/* Each writes its fixed size; a body that is longer is read as far as it is known. */
void hello_write(uint8_t *to, const struct hello *hello);
bool hello_read(struct bytes body, struct hello *ret);
void welcome_write(uint8_t *to, const struct welcome *welcome);
bool welcome_read(const struct packet *packet, struct welcome *ret);
void reset_write(uint8_t *to, const struct reset *reset);
bool reset_read(struct bytes body, struct reset *ret);

#endif
