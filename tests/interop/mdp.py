"""The messages of Majordomo, written from 7/MDP (version 0.1) and 18/MDP (version 0.2) alone.

Frames are lists of bytes, as a DEALER sends and receives them. A REQ socket does without the empty
frame that every message of 0.1 begins with.
"""
import os

EMPTY = b""


class Version01:
    """Every message begins with an empty frame; one REPLY ends a request."""

    CLIENT = [EMPTY, b"MDPC01"]
    WORKER = [EMPTY, b"MDPW01"]
    READY, REQUEST, REPLY, HEARTBEAT, DISCONNECT = (bytes([number]) for number in range(1, 6))

    def client_request(self, service, body):
        return [*self.CLIENT, service, *body]

    def client_reply(self, frames, service):
        """The kind of the reply and its body; None for what is no reply to such a request."""
        if frames[:3] != [*self.CLIENT, service]:
            return None
        return "REPLY", frames[3:]

    def worker_replies(self, client, messages):
        """There is one, with the frames of all messages."""
        body = [frame for message in messages for frame in message]
        yield [*self.WORKER, self.REPLY, client, EMPTY, *body]


class Version02:
    """No empty frame, command numbers for clients too; PARTIALs may come before the FINAL."""

    CLIENT = [b"MDPC02"]
    CLIENT_REQUEST = b"\x01"
    CLIENT_KINDS = {b"\x02": "PARTIAL", b"\x03": "FINAL"}
    WORKER = [b"MDPW02"]
    READY, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT = (
        bytes([number]) for number in range(1, 7))

    def client_request(self, service, body):
        return [*self.CLIENT, self.CLIENT_REQUEST, service, *body]

    def client_reply(self, frames, service):
        if len(frames) < 3 or frames[:1] != self.CLIENT or frames[2] != service:
            return None
        kind = self.CLIENT_KINDS.get(frames[1])
        return kind and (kind, frames[3:])

    def worker_replies(self, client, messages):
        """All messages but the last are PARTIALs."""
        *partials, final = messages
        for body in partials:
            yield [*self.WORKER, self.PARTIAL, client, EMPTY, *body]
        yield [*self.WORKER, self.FINAL, client, EMPTY, *final]


VERSIONS = {"0.1": Version01(), "0.2": Version02()}


def worker_command(version, frames):
    """What the broker says to a worker: its command and the frames after that, or None."""
    start = len(version.WORKER)
    if len(frames) <= start or frames[:start] != version.WORKER:
        return None
    return frames[start], frames[start + 1:]


def endpoint():
    return os.environ.get("BUSBAR_BROKER") or "tcp://127.0.0.1:7766"
