/*
 * Bodies of several frames, as Majordomo peers have them, and the one body that stands for them in a
 * packet: a single frame is a raw body, several are MessagePack, a list of byte strings.
 */
#ifndef PROTOCOL_FRAMES_H
#define PROTOCOL_FRAMES_H

#include "protocol/packet.h"

enum {
    FRAMES_MAX = 1024, /* of one body */
};

/* Bytes of the list that stands for `count` frames. */
size_t frames_list_size(const struct bytes *frames, size_t count);

/* Writes that list; at most FRAMES_MAX frames, each below 4 GiB. */
void frames_list_write(uint8_t *to, const struct bytes *frames, size_t count);

/*
 * The frames that a body stands for, in `frames` of FRAMES_MAX, pointing into the body. A body that is
 * not MessagePack, or no list of 2 to FRAMES_MAX byte strings and nothing else, is one frame.
 */
size_t frames_of_body(struct bytes *frames, struct bytes body, uint8_t encoding);

/*
 * The same in the other direction, for a body whose first frame names a method: takes that frame off.
 * What is left is in `body` and `encoding`; without frames behind it an empty raw body, with several a
 * list in `space`, which must have room for as many bytes as the body has.
 */
struct bytes frames_take_first(struct bytes *body, uint8_t *encoding, uint8_t *space);

#endif
