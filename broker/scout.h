/*
 * Keeps the routing ids free that libzmq will give next. It numbers the peers that bring no id: a zero
 * byte and a number, from a random one on; and ends the process when that id is taken already, by a peer
 * that brought it as its own. Such a peer is found before, by a send to each of the ids that come next,
 * and put out: another connection takes the id over and leaves.
 *
 * It does not help against one that learns of that and takes the same id again within the moment until
 * libzmq has come to it: peers that may be under way between their handshake and their id leave a gap.
 *
 * Which number is next only a peer can tell that libzmq gave one to, so now and then a connection of the
 * broker's own is made, the scout, which says one word. It costs nothing while few peers come.
 */
#ifndef BROKER_SCOUT_H
#define BROKER_SCOUT_H

#include <stdbool.h>
#include <stdint.h>

struct broker;

enum {
    SCOUT_WORD_SIZE = 16,
};

struct scout {
    char endpoint[48];             /* inproc, of the ROUTER */
    uint8_t word[SCOUT_WORD_SIZE]; /* nobody else knows it */
    void *socket;                  /* the one that is on its way; NULL for none */
    uint64_t handshakes;           /* of all peers so far */
    uint64_t sent_at;              /* handshakes when the last scout was sent */
};

/* Binds the ROUTER for scouts; false with errno set. */
bool scout_open(struct broker *broker);
void scout_close(struct broker *broker);

/* A peer's handshake has succeeded: after some of them a scout is sent. */
void scout_count(struct broker *broker);

/* Is the broker's message that of the scout on its way? Then what it tells has been acted on. */
bool scout_receive(struct broker *broker);

#endif
