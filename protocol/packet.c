/* The offsets of the header, written once and read once. */
#include "protocol/packet.h"

#include <string.h>

#include "protocol/little_endian.h"
#include "protocol/name.h"

static const uint8_t BUNDLE_HEADER[BUNDLE_HEADER_SIZE] = {'B', 'U', 'S', 'B', BUNDLE_VERSION};

const char *packet_error_text(enum packet_error error)
{
    static const char *const TEXTS[] = {
#define PACKET_ERROR_TEXT(name, text) [PACKET_ERROR_##name] = (text),
        PACKET_ERROR_TABLE(PACKET_ERROR_TEXT)
#undef PACKET_ERROR_TEXT
    };
    return (unsigned)error < PACKET_ERROR_COUNT ? TEXTS[error] : "unknown error";
}

const char *packet_command_name(uint8_t command)
{
    static const char *const NAMES[256] = {
#define PACKET_COMMAND_NAME(number, name) [number] = #name,
        PACKET_COMMAND_TABLE(PACKET_COMMAND_NAME)
#undef PACKET_COMMAND_NAME
    };
    return NAMES[command];
}

enum packet_error bundle_open(struct bundle_reader *reader, struct bytes frame,
                              const struct bytes *attachment)
{
    *reader = (struct bundle_reader){0};
    if (frame.size < BUNDLE_HEADER_SIZE || memcmp(frame.data, BUNDLE_HEADER, 4) != 0)
        return PACKET_ERROR_NOT_A_BUNDLE;
    if (frame.data[4] != BUNDLE_VERSION)
        return PACKET_ERROR_VERSION;
    if (memcmp(frame.data, BUNDLE_HEADER, BUNDLE_HEADER_SIZE) != 0)
        return PACKET_ERROR_RESERVED;
    if (frame.size > BUNDLE_SIZE_MAX)
        return PACKET_ERROR_BUNDLE_TOO_LARGE;
    if (frame.size == BUNDLE_HEADER_SIZE && attachment != NULL)
        return PACKET_ERROR_ATTACHMENT; /* no packet will be read that could find it */
    reader->next = frame.data + BUNDLE_HEADER_SIZE;
    reader->end = frame.data + frame.size;
    if (attachment != NULL)
        reader->attachment = *attachment;
    return PACKET_ERROR_NONE;
}

void bundle_write_header(uint8_t *to)
{
    memcpy(to, BUNDLE_HEADER, BUNDLE_HEADER_SIZE);
}

static void packet_read_header(const uint8_t *from, struct packet *packet)
{
    packet->command = from[4];
    packet->flags = from[5];
    packet->status = from[6];
    packet->fate = from[7] & 0x0f;
    packet->encoding = from[7] >> 4;
    packet->id = load64(from + 8);
    packet->timeout = load32(from + 16);
}

/* Names, metadata and body, whose lengths were found to add up. */
static void packet_read_runs(const uint8_t *from, size_t size, struct packet *packet)
{
    const uint8_t *next = from + PACKET_HEADER_SIZE;
    packet->service = (struct bytes){.data = next, .size = from[22]};
    next += from[22];
    packet->method = (struct bytes){.data = next, .size = from[23]};
    next += from[23];
    packet->metadata = (struct bytes){.data = next, .size = load16(from + 20)};
    next += packet->metadata.size;
    packet->body = (struct bytes){.data = next, .size = (size_t)(from + size - next)};
}

static enum packet_error packet_check(const struct bundle_reader *reader, struct packet *packet)
{
    if (packet->service.size > NAME_SIZE_MAX || packet->method.size > NAME_SIZE_MAX)
        return PACKET_ERROR_NAME;
    if (packet->metadata.size > PACKET_METADATA_MAX)
        return PACKET_ERROR_METADATA;
    if (packet->flags & PACKET_CRITICAL_MASK & ~PACKET_CRITICAL_KNOWN)
        return PACKET_ERROR_CRITICAL;
    if (reader->attachment.data == NULL && !(packet->flags & PACKET_ATTACHED))
        return PACKET_ERROR_NONE;
    if (reader->attachment.data == NULL || !(packet->flags & PACKET_ATTACHED) ||
        packet->body.size != 0 || reader->next != reader->end)
        return PACKET_ERROR_ATTACHMENT;
    packet->body = reader->attachment;
    return PACKET_ERROR_NONE;
}

enum packet_error bundle_read(struct bundle_reader *reader, struct packet *packet)
{
    const uint8_t *from = reader->next;
    size_t left = (size_t)(reader->end - from);
    reader->next = reader->end; /* so that every error below ends the bundle */
    if (left < PACKET_HEADER_SIZE)
        return PACKET_ERROR_TRUNCATED;
    size_t size = load32(from);
    size_t padded = (size + PACKET_ALIGNMENT - 1) & ~(size_t)(PACKET_ALIGNMENT - 1);
    if (size > left || padded > left) /* the first for where `padded` wraps around */
        return PACKET_ERROR_TRUNCATED;
    if (size < (size_t)PACKET_HEADER_SIZE + from[22] + from[23] + load16(from + 20))
        return PACKET_ERROR_SHORT;
    reader->next = from + padded;
    packet_read_header(from, packet);
    packet_read_runs(from, size, packet);
    enum packet_error error = packet_check(reader, packet);
    if (error != PACKET_ERROR_NONE)
        reader->next = reader->end;
    return error;
}

static uint8_t *append(uint8_t *to, struct bytes run)
{
    if (run.size > 0)
        memcpy(to, run.data, run.size);
    return to + run.size;
}

void packet_write(uint8_t *to, const struct packet *packet)
{
    uint8_t *next = append(to + PACKET_HEADER_SIZE, packet->service);
    next = append(next, packet->method);
    next = append(next, packet->metadata);
    if (!(packet->flags & PACKET_ATTACHED))
        next = append(next, packet->body);
    size_t size = (size_t)(next - to);
    store32(to, (uint32_t)size);
    to[4] = packet->command;
    to[5] = packet->flags;
    to[6] = packet->status;
    to[7] = (uint8_t)(packet->fate | packet->encoding << 4);
    store64(to + 8, packet->id);
    store32(to + 16, packet->timeout);
    store16(to + 20, (uint16_t)packet->metadata.size);
    to[22] = (uint8_t)packet->service.size;
    to[23] = (uint8_t)packet->method.size;
    memset(next, 0, packet_size(packet) - size);
}
