/* Bundles: what is read lies within the frame, and what is read can be written and read again. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/packet.h"
#include "protocol/session.h"
#include "seeds.h"

const char fuzz_subject[] = "the reading of bundles";

struct fuzz_seed fuzz_seed_at(size_t index)
{
    static const char *const FILES[] = {
        "tests/vectors/sessions.txt", "tests/vectors/registry.txt", "tests/vectors/calls.txt",
        "tests/vectors/kinds.txt",    "tests/vectors/bundles.txt",  "tests/vectors/malformed.txt",
    };
    return seeds_at(FILES, ARRAY_SIZE(FILES), index);
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool lies_within(struct bytes run, struct bytes frame)
{
    return run.data >= frame.data && run.size <= frame.size &&
           (size_t)(run.data - frame.data) <= frame.size - run.size;
}

static unsigned sum(struct bytes run)
{
    unsigned total = 0;
    for (size_t i = 0; i < run.size; i++)
        total += run.data[i];
    return total;
}

/* Reads every byte, so that a sanitizer sees a run that reaches too far. */
static volatile unsigned touched;

static void check_runs(const struct packet *packet, struct bytes frame)
{
    check(lies_within(packet->service, frame) && packet->service.size <= 127);
    check(lies_within(packet->method, frame) && packet->method.size <= 127);
    check(lies_within(packet->metadata, frame) && packet->metadata.size <= PACKET_METADATA_MAX);
    check((packet->flags & PACKET_ATTACHED) || lies_within(packet->body, frame));
    touched += sum(packet->service) + sum(packet->method) + sum(packet->metadata) +
               sum(packet->body);
}

static void check_same(struct bytes a, struct bytes b)
{
    check(a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0));
}

static void check_round_trip(const struct packet *packet, const struct bytes *attachment)
{
    size_t size = BUNDLE_HEADER_SIZE + packet_size(packet);
    CLEANUP(cleanup_free) uint8_t *data = malloc(size);
    struct bundle_reader reader;
    struct packet again;
    check(data != NULL);
    bundle_write_header(data);
    packet_write(data + BUNDLE_HEADER_SIZE, packet);
    check(bundle_open(&reader, (struct bytes){data, size}, attachment) == PACKET_ERROR_NONE);
    check(bundle_read(&reader, &again) == PACKET_ERROR_NONE && bundle_is_done(&reader));
    check(again.command == packet->command && again.flags == packet->flags &&
          again.status == packet->status && again.fate == packet->fate &&
          again.encoding == packet->encoding && again.id == packet->id &&
          again.timeout == packet->timeout);
    check_same(again.service, packet->service);
    check_same(again.method, packet->method);
    check_same(again.metadata, packet->metadata);
    check_same(again.body, packet->body);
}

static void read_bodies(const struct packet *packet)
{
    struct hello hello;
    struct welcome welcome;
    struct reset reset;
    touched += hello_read(packet->body, &hello) ? (unsigned)hello.last_epoch : 0;
    touched += welcome_read(packet, &welcome) ? (unsigned)welcome.epoch : 0;
    touched += reset_read(packet->body, &reset) ? reset.command : 0u;
}

static void read_bundle(struct bytes frame, const struct bytes *attachment)
{
    struct bundle_reader reader;
    size_t packets = 0;
    enum packet_error error = bundle_open(&reader, frame, attachment);
    while (error == PACKET_ERROR_NONE && !bundle_is_done(&reader)) {
        struct packet packet;
        error = bundle_read(&reader, &packet);
        if (error == PACKET_ERROR_NONE) {
            check_runs(&packet, frame);
            check_round_trip(&packet, attachment);
            read_bodies(&packet);
            packets++;
        }
    }
    check(bundle_is_done(&reader));
    check(attachment == NULL || packets <= 1);
    check(packets * PACKET_HEADER_SIZE <= frame.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes attachment = {(const uint8_t *)"attached", 8};
    read_bundle((struct bytes){data, size}, NULL);
    read_bundle((struct bytes){data, size}, &attachment);
    return 0;
}
