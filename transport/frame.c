/* The blob that owns a message, and the message that owns a blob; interrupted sends go on. */
#include "transport/frame.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

struct frame {
    struct blob blob;
    zmq_msg_t message;
};

static void frame_release(struct blob *blob)
{
    struct frame *frame = CONTAINER_OF(blob, struct frame, blob);
    zmq_msg_close(&frame->message);
    free(frame);
}

struct blob *frame_blob(zmq_msg_t *message)
{
    struct frame *frame = malloc(sizeof *frame);
    if (frame == NULL)
        return NULL;
    zmq_msg_init(&frame->message);
    zmq_msg_move(&frame->message, message);
    frame->blob = (struct blob){
        .references = 1,
        .data = zmq_msg_data(&frame->message),
        .size = zmq_msg_size(&frame->message),
        .release = frame_release,
    };
    return &frame->blob;
}

static void message_release(void *data, void *hint)
{
    struct blob *blob = hint;
    (void)data;
    blob_unref(&blob);
}

bool frame_of_blob(zmq_msg_t *message, struct blob *blob)
{
    if (zmq_msg_init_data(message, (void *)(uintptr_t)blob->data, blob->size, message_release,
                          blob) != 0)
        return false;
    blob_ref(blob);
    return true;
}

bool frame_send(zmq_msg_t *frame, void *socket, int flags)
{
    int rc;
    do
        rc = zmq_msg_send(frame, socket, flags | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

bool routing_id_send(const struct routing_id *peer, void *socket)
{
    int rc;
    do
        rc = zmq_send(socket, peer->bytes, peer->size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}
