"""A minimal client (protocol.md, appendix B): calls a method with the bytes of stdin as body.

client.py [--timeout MS] [--values JSON] SERVICE METHOD; --values: a list, sent as MessagePack.
A raw result is written as it is, a value as JSON; a failure is `STATUS (fate): text` and exit 1.
"""
import argparse
import json
import os
import sys
import time

import msgpack
import zmq

import busbar
from busbar import Packet

CALL_ID = 42


class Failed(Exception):
    def __init__(self, status, fate, text):
        super().__init__(f"{status} ({busbar.FATES[fate]}): {text}")


class Call:
    """One call on a connection of its own."""

    def __init__(self, socket, packet, timeout_ms):
        self.socket = socket
        self.packet = packet
        self.deadline = time.monotonic() + timeout_ms / 1000
        self.grace = min(0.05, timeout_ms / 10000)
        self.instance = os.urandom(16)
        self.epoch = 0
        self.was_reset = False

    def left_ms(self, grace=0.0):
        return max(0, round((self.deadline + grace - time.monotonic()) * 1000))

    def start(self):
        """Greets and calls; nothing is sent before the transport is connected."""
        if not self.socket.poll(self.left_ms(), zmq.POLLOUT):
            raise Failed("BROKER_LOST", busbar.NOT_EXECUTED, "the broker cannot be reached")
        self.packet.timeout = max(1, self.left_ms())
        busbar.send(self.socket, busbar.hello(self.instance, self.epoch), self.packet)

    def on_packet(self, packet):
        """True if it is the reply."""
        if packet.command == busbar.WELCOME:
            self.epoch = busbar.WELCOME_BODY.unpack_from(packet.body)[0]
        elif packet.command == busbar.BYE:
            raise Failed("BROKER_LOST", busbar.MAYBE_EXECUTED, "the broker ended the session")
        elif packet.command == busbar.ERROR and (
                packet.id == CALL_ID or (packet.id == 0 and self.epoch == 0)):
            known = packet.status < len(busbar.STATUSES)
            status = busbar.STATUSES[packet.status] if known else f"status {packet.status}"
            fate = packet.fate if packet.fate <= busbar.EXECUTED else busbar.MAYBE_EXECUTED
            raise Failed(status, fate, packet.body.decode(errors="replace"))
        elif packet.command == busbar.RESET and packet.id == CALL_ID:
            if self.was_reset:
                raise Failed("BROKER_LOST", busbar.NOT_EXECUTED, "the broker grants no session")
            self.was_reset = True
            self.start()
        return packet.command == busbar.REPLY and packet.id == CALL_ID

    def run(self):
        """The packet of the reply; raises Failed."""
        self.start()
        while self.socket.poll(self.left_ms(self.grace)):
            try:
                for packet in busbar.read(self.socket.recv_multipart()):
                    if self.on_packet(packet):
                        return packet
            except busbar.Malformed:
                pass  # the rest of this message is dropped
        raise Failed("TIMEOUT", busbar.MAYBE_EXECUTED, "no answer until the deadline")


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=int, default=5000)
    parser.add_argument("--values", type=json.loads)
    parser.add_argument("service")
    parser.add_argument("method")
    return parser.parse_args()


def main():
    wanted = options()
    packet = Packet(busbar.CALL, id=CALL_ID, service=wanted.service.encode(),
                    method=wanted.method.encode())
    if wanted.values is not None:
        packet.encoding, packet.body = busbar.MESSAGEPACK, msgpack.packb(wanted.values)
    else:
        packet.body = sys.stdin.buffer.read()
    with zmq.Context() as context, busbar.connect(context, busbar.endpoint()) as socket:
        try:
            reply = Call(socket, packet, wanted.timeout).run()
        except Failed as failure:
            print(failure, file=sys.stderr)
            return 1
        finally:
            if socket.poll(0, zmq.POLLOUT):
                busbar.send(socket, Packet(busbar.BYE))
    if reply.encoding == busbar.MESSAGEPACK:
        print(json.dumps(msgpack.unpackb(reply.body)))
    else:
        sys.stdout.buffer.write(reply.body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
