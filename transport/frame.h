/* Frames between libzmq and reference-counted blobs, without copies. */
#ifndef TRANSPORT_FRAME_H
#define TRANSPORT_FRAME_H

#include "base/blob.h"

#include <stdbool.h>
#include <zmq.h>

/* A received frame as a blob with one reference; takes the message. NULL when out of memory. */
struct blob *frame_blob(zmq_msg_t *message);

/* A message that shows the blob's bytes and holds a reference until libzmq is done with it.
 * False when out of memory; the reference is then not taken. */
bool frame_of_blob(zmq_msg_t *message, struct blob *blob);

#endif
