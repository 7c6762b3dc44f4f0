/* Lists of byte strings in MessagePack, read and written without a tree in between. */
#include "protocol/frames.h"

#include <string.h>

/* First bytes of the MessagePack specification's formats. */
enum {
    FIXARRAY = 0x90, /* and a length up to 15 */
    FIXARRAY_MAX = 15,
    ARRAY16 = 0xdc,
    ARRAY32 = 0xdd,
    BIN8 = 0xc4,
    BIN16 = 0xc5,
    BIN32 = 0xc6,
};

static size_t list_header_size(size_t count)
{
    return count <= FIXARRAY_MAX ? 1 : 3;
}

static size_t bin_header_size(size_t size)
{
    return size <= UINT8_MAX ? 2 : size <= UINT16_MAX ? 3 : 5;
}

static uint8_t *write_number(uint8_t *to, size_t number, size_t size)
{
    for (size_t i = size; i-- > 0;)
        *to++ = (uint8_t)(number >> (8 * i));
    return to;
}

size_t frames_list_size(const struct bytes *frames, size_t count)
{
    size_t size = list_header_size(count);
    for (size_t i = 0; i < count; i++)
        size += bin_header_size(frames[i].size) + frames[i].size;
    return size;
}

static uint8_t *write_list_header(uint8_t *to, size_t count)
{
    if (count <= FIXARRAY_MAX) {
        *to++ = (uint8_t)(FIXARRAY | count);
        return to;
    }
    *to++ = ARRAY16;
    return write_number(to, count, 2);
}

static uint8_t *write_bin(uint8_t *to, struct bytes bin)
{
    size_t header = bin_header_size(bin.size);
    *to++ = header == 2 ? BIN8 : header == 3 ? BIN16 : BIN32;
    to = write_number(to, bin.size, header - 1);
    if (bin.size > 0)
        memcpy(to, bin.data, bin.size);
    return to + bin.size;
}

void frames_list_write(uint8_t *to, const struct bytes *frames, size_t count)
{
    to = write_list_header(to, count);
    for (size_t i = 0; i < count; i++)
        to = write_bin(to, frames[i]);
}

/* Takes a big-endian number of `size` bytes off the front; false if it is not all there. */
static bool take_number(struct bytes *rest, size_t size, size_t *number)
{
    if (rest->size < size)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number = *number << 8 | rest->data[i];
    rest->data += size;
    rest->size -= size;
    return true;
}

static bool take_list_header(struct bytes *rest, size_t *count)
{
    size_t first;
    if (!take_number(rest, 1, &first))
        return false;
    if ((first & 0xf0) == FIXARRAY) {
        *count = first & 0x0f;
        return true;
    }
    return (first == ARRAY16 && take_number(rest, 2, count)) ||
           (first == ARRAY32 && take_number(rest, 4, count));
}

static bool take_bin(struct bytes *rest, struct bytes *bin)
{
    size_t first;
    if (!take_number(rest, 1, &first) || first < BIN8 || first > BIN32)
        return false;
    if (!take_number(rest, (size_t)1 << (first - BIN8), &bin->size) || bin->size > rest->size)
        return false;
    bin->data = rest->data;
    rest->data += bin->size;
    rest->size -= bin->size;
    return true;
}

static bool read_list(struct bytes *frames, size_t *count, struct bytes body)
{
    if (!take_list_header(&body, count) || *count < 2 || *count > FRAMES_MAX)
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (!take_bin(&body, &frames[i]))
            return false;
    }
    return body.size == 0;
}

size_t frames_of_body(struct bytes *frames, struct bytes body, uint8_t encoding)
{
    size_t count;
    if (encoding == PACKET_MESSAGEPACK && read_list(frames, &count, body))
        return count;
    frames[0] = body;
    return 1;
}

struct bytes frames_take_first(struct bytes *body, uint8_t *encoding, uint8_t *space)
{
    struct bytes frames[FRAMES_MAX];
    size_t count = frames_of_body(frames, *body, *encoding);
    *encoding = PACKET_RAW;
    if (count == 1) {
        *body = (struct bytes){0};
    } else if (count == 2) {
        *body = frames[1];
    } else {
        *encoding = PACKET_MESSAGEPACK;
        frames_list_write(space, frames + 1, count - 1);
        *body = (struct bytes){.data = space, .size = frames_list_size(frames + 1, count - 1)};
    }
    return frames[0];
}
