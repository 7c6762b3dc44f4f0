/* Frames between libzmq and reference-counted blobs, without copies; and sent without waiting. */
#ifndef TRANSPORT_FRAME_H
#define TRANSPORT_FRAME_H

#include "base/blob.h"

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

enum {
    ROUTING_ID_MAX = 255, /* bytes, the most that ZMTP allows; ROUTER's own ids have 5 */
};

struct routing_id {
    uint8_t size;
    uint8_t bytes[ROUTING_ID_MAX];
};

/* A received frame as a blob with one reference; takes the message. NULL when out of memory. */
struct blob *frame_blob(zmq_msg_t *message);

/* A message that shows the blob's bytes and holds a reference until libzmq is done with it.
 * False when out of memory; the reference is then not taken. */
bool frame_of_blob(zmq_msg_t *message, struct blob *blob);

/* Gives a frame to the socket without waiting; false with errno, and the frame is as it was. */
bool frame_send(zmq_msg_t *frame, void *socket, int flags);

/* The first frame of a message of a ROUTER, for whom it is; more must follow. */
bool routing_id_send(const struct routing_id *peer, void *socket);

#endif
