/* The codec: packets into a bundle, and out of it again. Counted is all of it. */
#include "bench/guard/guard.h"

#include "protocol/packet.h"

static uint8_t bundle[BUNDLE_SIZE_MAX];
static struct packet packet;
static uint64_t sum; /* so that what is read is of use */

static void begin_call(const struct path *path)
{
    (void)path;
    packet = (struct packet){.command = PACKET_CALL,
                             .timeout = 5000,
                             .service = bytes_of_text("echo"),
                             .method = bytes_of_text("run"),
                             .body = {guard_body, GUARD_BODY_SIZE}};
}

static void begin_reply(const struct path *path)
{
    (void)path;
    packet = (struct packet){
        .command = PACKET_REPLY, .fate = BUSBAR_EXECUTED, .body = {guard_body, GUARD_BODY_SIZE}};
}

static COUNTED size_t counted_encode(void)
{
    size_t size = BUNDLE_HEADER_SIZE;
    bundle_write_header(bundle);
    for (unsigned i = 0; i < GUARD_BUNDLE; i++) {
        packet.id = i;
        packet_write(bundle + size, &packet);
        size += packet_size(&packet);
    }
    return size;
}

static COUNTED unsigned counted_decode(struct bytes frame)
{
    struct bundle_reader reader;
    struct packet read;
    unsigned count = 0;
    if (bundle_open(&reader, frame, NULL) != PACKET_ERROR_NONE)
        return 0;
    while (!bundle_is_done(&reader)) {
        if (bundle_read(&reader, &read) != PACKET_ERROR_NONE)
            return 0;
        sum += read.id + read.body.size;
        count++;
    }
    return count;
}

static void round_of_bundle(void)
{
    size_t size = counted_encode();
    unsigned count = counted_decode((struct bytes){bundle, size});
    guard_expect(count == GUARD_BUNDLE, "each packet is read");
}

const struct path paths[] = {
    {.name = "codec/call", .calls = GUARD_BUNDLE, .begin = begin_call, .round = round_of_bundle},
    {.name = "codec/reply", .calls = GUARD_BUNDLE, .begin = begin_reply, .round = round_of_bundle},
    {0},
};
