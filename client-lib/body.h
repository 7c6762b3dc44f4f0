/* What becomes of a body that a library was given: copied bytes, or a blob that travels alone. */
#ifndef CLIENT_LIB_BODY_H
#define CLIENT_LIB_BODY_H

#include <busbar/client.h>

#include "base/blob.h"

/* True for bytes and an encoding that can be sent. */
static inline bool body_is_sane(const struct busbar_body *body)
{
    return (body->data != NULL || body->size == 0) &&
           (body->encoding == BUSBAR_RAW || body->encoding == BUSBAR_MESSAGEPACK);
}

/*
 * The body as a blob, without a copy where its form allows it; takes the body, on failure too.
 * NULL when out of memory.
 */
struct blob *body_blob(struct busbar_body *body);

#endif
