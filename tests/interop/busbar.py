"""Packets and connections of the Busbar protocol, version 1, written from docs/protocol.md."""
import dataclasses
import os
import struct

import zmq

HELLO, WELCOME, RESET, BYE, GOAWAY, HEARTBEAT = range(0x01, 0x07)
REGISTER, REGISTERED, DEREGISTER, DEREGISTERED, REFUSED, CREDIT = range(0x10, 0x16)
CALL, REPLY, ERROR, CANCEL, RETURN = range(0x20, 0x25)

ATTACHED = 0x10
CRITICAL = 0xE0  # critical flags that this peer does not know
RAW, MESSAGEPACK = 0, 1
NOT_EXECUTED, MAYBE_EXECUTED, EXECUTED = range(3)
FATES = ("not executed", "maybe executed", "executed")
STATUSES = (
    "OK APP_ERROR BAD_REQUEST NO_SERVICE NO_METHOD NO_MEMBERS BUSY EXPIRED TIMEOUT CANCELLED "
    "WORKER_LOST POISONED BROKER_LOST DENIED TOO_LARGE RESULT_TOO_LARGE DRAINING UNSUPPORTED "
    "CONFLICT"
).split()

BUNDLE_HEADER = b"BUSB\x01\0\0\0"
BUNDLE_MAX = 65536
INLINE_MAX = 16384
PACKET_HEADER = struct.Struct("<IBBBBQIHBB")
WELCOME_BODY = struct.Struct("<QQQII")


class Malformed(Exception):
    """What came cannot be read as a message of this protocol."""


@dataclasses.dataclass
class Packet:
    """One packet; `body` is its body, attached or not."""

    command: int
    id: int = 0
    timeout: int = 0
    status: int = 0
    fate: int = 0
    encoding: int = RAW
    service: bytes = b""
    method: bytes = b""
    metadata: bytes = b""
    body: bytes = b""

    def is_attached(self):
        return len(self.body) > INLINE_MAX

    def pack(self):
        """The bytes inside a bundle, padded."""
        tail = self.service + self.method + self.metadata
        if not self.is_attached():
            tail += self.body
        header = PACKET_HEADER.pack(
            PACKET_HEADER.size + len(tail), self.command, ATTACHED if self.is_attached() else 0,
            self.status, self.encoding << 4 | self.fate, self.id, self.timeout,
            len(self.metadata), len(self.service), len(self.method))
        return header + tail + bytes(-(len(header) + len(tail)) % 8)


def messages(*packets):
    """The packets as messages, in their order, as few as can be."""
    bundle = BUNDLE_HEADER
    for packet in packets:
        packed = packet.pack()
        if bundle != BUNDLE_HEADER and (
                packet.is_attached() or len(bundle) + len(packed) > BUNDLE_MAX):
            yield [bundle]
            bundle = BUNDLE_HEADER
        if packet.is_attached():
            yield [BUNDLE_HEADER + packed, packet.body]
        else:
            bundle += packed
    if bundle != BUNDLE_HEADER:
        yield [bundle]


def send(socket, *packets):
    for message in messages(*packets):
        socket.send_multipart(message)


def read_packet(frames, at):
    """The packet at this offset of the first frame, and the offset of the next."""
    bundle = frames[0]
    if len(bundle) - at < PACKET_HEADER.size:
        raise Malformed("TRUNCATED")
    size, command, flags, status, mixed, number, timeout, *lengths = (
        PACKET_HEADER.unpack_from(bundle, at))
    after = at + (size + 7) // 8 * 8
    if after > len(bundle):
        raise Malformed("TRUNCATED")
    if size < PACKET_HEADER.size + sum(lengths):
        raise Malformed("SHORT")
    if flags & CRITICAL:
        raise Malformed("CRITICAL")
    service, method, metadata = (
        at + PACKET_HEADER.size, at + PACKET_HEADER.size + lengths[1],
        at + PACKET_HEADER.size + lengths[1] + lengths[2])
    body = bundle[metadata + lengths[0]:at + size]
    alone = at == len(BUNDLE_HEADER) and after == len(bundle)
    if bool(flags & ATTACHED) != (len(frames) == 2) or (len(frames) == 2 and (body or not alone)):
        raise Malformed("ATTACHMENT")
    return Packet(
        command, number, timeout, status, mixed & 15, mixed >> 4, bundle[service:method],
        bundle[method:metadata], bundle[metadata:metadata + lengths[0]],
        frames[1] if flags & ATTACHED else body), after


def read(frames):
    """Yields the packets of a message; raises Malformed at the first that is none."""
    if len(frames) > 2:
        raise Malformed("FRAMES")
    bundle = frames[0]
    if len(bundle) < 8 or bundle[:8] != BUNDLE_HEADER or len(bundle) > BUNDLE_MAX:
        raise Malformed("NOT_A_BUNDLE")
    at = len(BUNDLE_HEADER)
    while at < len(bundle):
        packet, at = read_packet(frames, at)
        yield packet


def connect(context, endpoint):
    """A DEALER that takes messages only while the broker is there (POLLOUT), section 3."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.setsockopt(zmq.RECONNECT_IVL, 50 + os.urandom(1)[0] % 101)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 750)
    socket.connect(endpoint)
    return socket


def hello(instance, epoch=0):
    return Packet(HELLO, body=instance + struct.pack("<QQ", epoch, 0))


def failed(status, fate, text):
    """The ERROR with this status, without its id."""
    return Packet(ERROR, status=STATUSES.index(status), fate=fate, body=text.encode())


def endpoint():
    return os.environ.get("BUSBAR_BROKER") or "tcp://127.0.0.1:7766"
