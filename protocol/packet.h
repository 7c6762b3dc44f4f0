/*
 * The wire in one place: bundles and packets, their layout, one validated decode and one encode.
 * Nothing else in the project knows an offset. docs/protocol.md is the text to this header.
 */
#ifndef PROTOCOL_PACKET_H
#define PROTOCOL_PACKET_H

#include <busbar/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A ZeroMQ message from or to a peer is one bundle frame, or a bundle of one packet that has
 * PACKET_ATTACHED set and then a frame that is that packet's body.
 *
 *   bundle   'B' 'U' 'S' 'B' | version u8 | zero u8[3] | packets, each padded with zeros to 8 bytes
 *   packet   0 size u32 (without padding) | 4 command u8 | 5 flags u8 | 6 status u8
 *            7 fate (low 4 bits), body encoding (high 4 bits) | 8 id u64 | 16 timeout u32
 *            20 metadata length u16 | 22 service length u8 | 23 method length u8
 *            24 service, method, metadata, body
 *
 * Everything is little-endian.
 */
enum {
    BUNDLE_VERSION = 1,
    BUNDLE_HEADER_SIZE = 8,
    BUNDLE_SIZE_MAX = 64 * 1024,
    PACKET_HEADER_SIZE = 24,
    PACKET_METADATA_MAX = 4096,
    PACKET_ALIGNMENT = 8,
};

/* The largest body that travels inside a bundle; a larger one is attached as its own frame. */
enum {
    PACKET_INLINE_BODY_MAX = 16 * 1024,
};

/* Parts that can be granted ahead; more counts as so many. */
enum {
    PACKET_WINDOW_MAX = 1 << 20,
};

/* "No timeout" on the wire: refused for calls. */
#define PACKET_TIMEOUT_NONE UINT32_MAX

/* In a PROGRESS: nobody knows how much is done. */
#define PACKET_PROGRESS_UNKNOWN UINT32_MAX

/* X(number, NAME): who sends it is in docs/protocol.md. The gaps are reserved, see there. */
#define PACKET_COMMAND_TABLE(X)                                                                    \
    X(0x01, HELLO)                                                                                 \
    X(0x02, WELCOME)                                                                               \
    X(0x03, RESET)                                                                                 \
    X(0x04, BYE)                                                                                   \
    X(0x05, GOAWAY)                                                                                \
    X(0x06, HEARTBEAT)                                                                             \
    X(0x10, REGISTER)                                                                              \
    X(0x11, REGISTERED)                                                                            \
    X(0x12, DEREGISTER)                                                                            \
    X(0x13, DEREGISTERED)                                                                          \
    X(0x14, REFUSED)                                                                               \
    X(0x15, CREDIT)                                                                                \
    X(0x20, CALL)                                                                                  \
    X(0x21, REPLY)                                                                                 \
    X(0x22, ERROR)                                                                                 \
    X(0x23, CANCEL)                                                                                \
    X(0x24, RETURN)                                                                                \
    X(0x30, PART)                                                                                  \
    X(0x31, GRANT)                                                                                 \
    X(0x32, PROGRESS)

enum packet_command {
#define PACKET_COMMAND_ENUM(number, name) PACKET_##name = (number),
    PACKET_COMMAND_TABLE(PACKET_COMMAND_ENUM)
#undef PACKET_COMMAND_ENUM
};

/*
 * The low four flags mean something else for each command; the high four are the same for all, and
 * critical: a receiver that does not know one refuses the packet.
 */
enum packet_flag {
    PACKET_IDEMPOTENT =
        0x01,             /* CALL: may be executed twice, by the caller's word or the method's */
    PACKET_ONEWAY = 0x02, /* CALL: its client wants no result. REPLY to a client: just accepted */
    PACKET_STREAM = 0x04, /* CALL: its client takes parts */
    PACKET_METHOD_FRAME = 0x08, /* CALL, never on the wire: its method was a frame of its body */
    PACKET_BY_WORKER = 0x02,    /* ERROR to a client: a worker reported it */
    PACKET_BY_HANDLER = 0x04,   /* ERROR: and more exactly its handler */
    PACKET_ATTACHED = 0x10,     /* the body is the next frame of the message */
    PACKET_CRITICAL_MASK = 0xf0,
    PACKET_CRITICAL_KNOWN = PACKET_ATTACHED,
};

enum packet_encoding {
    PACKET_RAW = 0,
    PACKET_MESSAGEPACK = 1,
};

/* A run of bytes that belongs to somebody else. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

/* A packet with every length checked; the runs point into the frame it was decoded from. */
struct packet {
    uint8_t command; /* enum packet_command, or a number this version does not know */
    uint8_t flags;
    uint8_t status;
    uint8_t fate;
    uint8_t encoding;
    uint32_t timeout; /* CALL: remaining ms; ERROR: retry after ms, 0 for no advice; GRANT: parts;
                         PROGRESS: how much is done, in thousandths */
    uint64_t id;
    struct bytes service;
    struct bytes method;
    struct bytes metadata;
    struct bytes body;
};

/* Why received bytes were refused; each is counted and has a text for the answer. */
#define PACKET_ERROR_TABLE(X)                                                                      \
    X(NONE, "no error")                                                                            \
    X(NOT_A_BUNDLE, "the frame does not start with a bundle header")                               \
    X(VERSION, "the bundle is of a version this peer does not speak")                              \
    X(RESERVED, "a reserved field of the bundle is not zero")                                      \
    X(BUNDLE_TOO_LARGE, "the bundle is over 65536 bytes")                                          \
    X(TRUNCATED, "a packet is longer than the bundle that holds it")                               \
    X(SHORT, "a packet is shorter than its header and names")                                      \
    X(METADATA, "the metadata is over 4096 bytes")                                                 \
    X(NAME, "a name is over 127 bytes")                                                            \
    X(CRITICAL, "a critical flag is not known")                                                    \
    X(ATTACHMENT, "attached body without its frame, or a frame without its packet")                \
    X(FRAMES, "the message has too many frames")

enum packet_error {
#define PACKET_ERROR_ENUM(name, text) PACKET_ERROR_##name,
    PACKET_ERROR_TABLE(PACKET_ERROR_ENUM)
#undef PACKET_ERROR_ENUM
        PACKET_ERROR_COUNT,
};

const char *packet_error_text(enum packet_error error);

/* "CALL", or NULL for a number that is not assigned. */
const char *packet_command_name(uint8_t command);

/* Walks the packets of one received bundle frame. */
struct bundle_reader {
    const uint8_t *next;
    const uint8_t *end;
    struct bytes attachment; /* the second frame; data NULL if there is none */
};

/*
 * Starts on a message of a bundle frame and, if `attachment` is not NULL, the frame after it.
 * Anything but PACKET_ERROR_NONE means that no packet can be read.
 */
enum packet_error bundle_open(struct bundle_reader *reader, struct bytes frame,
                              const struct bytes *attachment);

static inline bool bundle_is_done(const struct bundle_reader *reader)
{
    return reader->next == reader->end;
}

/*
 * The next packet. After an error the rest of the bundle is unreadable and the reader is done;
 * for NAME, METADATA, CRITICAL and ATTACHMENT `packet` still has command and id for the answer.
 */
enum packet_error bundle_read(struct bundle_reader *reader, struct packet *packet);

/* Bytes of a packet without padding; an attached body is not counted. */
static inline size_t packet_length(const struct packet *packet)
{
    size_t length = PACKET_HEADER_SIZE + packet->service.size + packet->method.size +
                    packet->metadata.size;
    return packet->flags & PACKET_ATTACHED ? length : length + packet->body.size;
}

/* Of any length that a packet can claim: it does not wrap around. */
static inline uint64_t packet_padded(uint64_t length)
{
    return (length + PACKET_ALIGNMENT - 1) & ~(uint64_t)(PACKET_ALIGNMENT - 1);
}

/* Bytes a packet takes in a bundle, padding included; an attached body is not counted. */
static inline size_t packet_size(const struct packet *packet)
{
    return packet_padded(packet_length(packet));
}

void bundle_write_header(uint8_t *to);

/* Writes packet_size() bytes. The lengths must be within the limits above. */
void packet_write(uint8_t *to, const struct packet *packet);

static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = __builtin_strlen(text)};
}

#endif
