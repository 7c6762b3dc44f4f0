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

static enum packet_error bundle_check_header(struct bytes frame)
{
    if (frame.size >= BUNDLE_HEADER_SIZE && load64(frame.data) == load64(BUNDLE_HEADER))
        return PACKET_ERROR_NONE;
    if (frame.size < BUNDLE_HEADER_SIZE || memcmp(frame.data, BUNDLE_HEADER, 4) != 0)
        return PACKET_ERROR_NOT_A_BUNDLE;
    return frame.data[4] != BUNDLE_VERSION ? PACKET_ERROR_VERSION : PACKET_ERROR_RESERVED;
}

enum packet_error bundle_open(struct bundle_reader *reader, struct bytes frame,
                              const struct bytes *attachment)
{
    *reader = (struct bundle_reader){0};
    enum packet_error error = bundle_check_header(frame);
    if (error != PACKET_ERROR_NONE)
        return error;
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

static inline void packet_read_header(const uint8_t *from, struct packet *packet)
{
    packet->command = from[4];
    packet->flags = from[5];
    packet->status = from[6];
    packet->fate = from[7] & 0x0f;
    packet->encoding = from[7] >> 4;
    packet->id = load64(from + 8);
    packet->timeout = load32(from + 16);
}

/* Names, metadata and body. False if their lengths do not add up. */
static inline bool packet_read_runs(const uint8_t *from, size_t size, struct packet *packet)
{
    size_t service = from[22];
    size_t method = from[23];
    size_t metadata = load16(from + 20);
    const uint8_t *next = from + PACKET_HEADER_SIZE;
    if (size < PACKET_HEADER_SIZE + service + method + metadata)
        return false;
    packet->service = (struct bytes){.data = next, .size = service};
    packet->method = (struct bytes){.data = next += service, .size = method};
    packet->metadata = (struct bytes){.data = next += method, .size = metadata};
    next += metadata;
    packet->body = (struct bytes){.data = next, .size = (size_t)(from + size - next)};
    return true;
}

/* The body of the only packet of a bundle is the frame behind it. */
static enum packet_error packet_attach(const struct bundle_reader *reader, struct packet *packet)
{
    if (reader->attachment.data == NULL || !(packet->flags & PACKET_ATTACHED) ||
        packet->body.size != 0 || reader->next != reader->end)
        return PACKET_ERROR_ATTACHMENT;
    packet->body = reader->attachment;
    return PACKET_ERROR_NONE;
}

static inline enum packet_error packet_check(const struct bundle_reader *reader,
                                             struct packet *packet)
{
    if (packet->service.size > NAME_SIZE_MAX || packet->method.size > NAME_SIZE_MAX)
        return PACKET_ERROR_NAME;
    if (packet->metadata.size > PACKET_METADATA_MAX)
        return PACKET_ERROR_METADATA;
    if (packet->flags & PACKET_CRITICAL_MASK & ~PACKET_CRITICAL_KNOWN)
        return PACKET_ERROR_CRITICAL;
    if (reader->attachment.data == NULL && !(packet->flags & PACKET_ATTACHED))
        return PACKET_ERROR_NONE;
    return packet_attach(reader, packet);
}

enum packet_error bundle_read(struct bundle_reader *reader, struct packet *packet)
{
    const uint8_t *from = reader->next;
    size_t left = (size_t)(reader->end - from);
    reader->next = reader->end; /* so that every error below ends the bundle */
    if (left < PACKET_HEADER_SIZE)
        return PACKET_ERROR_TRUNCATED;
    size_t size = load32(from);
    uint64_t padded = packet_padded(size);
    if (padded > left)
        return PACKET_ERROR_TRUNCATED;
    if (!packet_read_runs(from, size, packet))
        return PACKET_ERROR_SHORT;
    packet_read_header(from, packet);
    reader->next = from + padded;
    enum packet_error error = packet_check(reader, packet);
    if (error != PACKET_ERROR_NONE)
        reader->next = reader->end;
    return error;
}

/* Names are short: a call of the C library would take longer than their bytes. */
static inline uint8_t *append(uint8_t *to, struct bytes run)
{
    const uint8_t *from = run.data;
    size_t size = run.size;
    if (size == 0)
        return to;
    if (size > 16) {
        memcpy(to, from, size);
    } else if (size >= 8) { /* its first and its last word, which may overlap */
        store64(to, load64(from));
        store64(to + size - 8, load64(from + size - 8));
    } else if (size >= 4) {
        store32(to, load32(from));
        store32(to + size - 4, load32(from + size - 4));
    } else {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
    return to + size;
}

/* Do its runs stand one behind the other, as in a packet that was received? */
static inline bool is_in_a_row(const struct packet *packet)
{
    return packet->service.data + packet->service.size == packet->method.data &&
           packet->method.data + packet->method.size == packet->metadata.data &&
           packet->metadata.data + packet->metadata.size == packet->body.data;
}

static void packet_write_runs(uint8_t *to, const struct packet *packet)
{
    to = append(to, packet->service);
    to = append(to, packet->method);
    to = append(to, packet->metadata);
    if (!(packet->flags & PACKET_ATTACHED))
        append(to, packet->body);
}

void packet_write(uint8_t *to, const struct packet *packet)
{
    size_t size = packet_length(packet);
    store64(to + packet_padded(size) - PACKET_ALIGNMENT, 0); /* padding; all else goes over it */
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
    if (size == PACKET_HEADER_SIZE)
        return;
    if (is_in_a_row(packet))
        memcpy(to + PACKET_HEADER_SIZE, packet->service.data, size - PACKET_HEADER_SIZE);
    else
        packet_write_runs(to + PACKET_HEADER_SIZE, packet);
}
