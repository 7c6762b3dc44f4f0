"""A Majordomo client: sends requests to a service and writes what comes back.

mdp_client.py [OPTION…] SERVICE [FRAME…]: the frames are the body, `{}` in them the number of the
request; without any the body is stdin. The frames of replies are written as they are, or with
--show as a line for each message. Exit code 1: no answer in time.
"""
import argparse
import sys
import time

import zmq

import mdp


class NoAnswer(Exception):
    pass


class Client:
    """A REQ with 0.1, a DEALER with 0.2 and for pipelines. It asks again if no answer comes."""

    def __init__(self, context, wanted):
        self.context = context
        self.wanted = wanted
        self.version = mdp.VERSIONS[wanted.mdp]
        self.kind = zmq.REQ if wanted.mdp == "0.1" and not wanted.pipeline else zmq.DEALER
        self.socket = None
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close(0)
        self.socket = self.context.socket(self.kind)
        self.socket.connect(self.wanted.broker)

    def send(self, body):
        frames = self.version.client_request(self.wanted.service, body)
        self.socket.send_multipart(frames[1:] if self.kind == zmq.REQ else frames)

    def receive(self):
        """Yields the messages of one reply, PARTIALs and what ends it."""
        deadline = time.monotonic() + self.wanted.timeout
        while self.socket.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            frames = self.socket.recv_multipart()
            if self.kind == zmq.REQ:
                frames.insert(0, mdp.EMPTY)
            reply = self.version.client_reply(frames, self.wanted.service)
            if reply:
                yield reply
                if reply[0] != "PARTIAL":
                    return
        raise NoAnswer

    def ask(self, body):
        """One request. The broker may have lost it, so it is sent again, on a new socket."""
        for attempt in range(self.wanted.tries):
            if attempt > 0:
                self.connect()
            self.send(body)
            try:
                return list(self.receive())
            except NoAnswer:
                pass
        raise NoAnswer

    def run(self, bodies):
        """Yields the messages of all replies; in a pipeline all requests are sent first."""
        if not self.wanted.pipeline:
            for body in bodies:
                yield from self.ask(body)
            return
        for body in bodies:
            self.send(body)
        for _ in bodies:
            yield from self.receive()


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", default=mdp.endpoint())
    parser.add_argument("--mdp", choices=mdp.VERSIONS, default="0.1")
    parser.add_argument("--requests", type=int, default=1, help="how many")
    parser.add_argument("--pipeline", action="store_true", help="all at once")
    parser.add_argument("--timeout", type=float, default=2.5, help="of a message, in seconds")
    parser.add_argument("--tries", type=int, default=3, help="how often a request is sent")
    parser.add_argument("--show", action="store_true", help="a line for each message")
    parser.add_argument("service", type=str.encode)
    parser.add_argument("frames", nargs="*", metavar="FRAME")
    return parser.parse_args()


def main():
    wanted = options()
    bodies = [[frame.replace("{}", str(number)).encode() for frame in wanted.frames]
              for number in range(wanted.requests)]
    if not wanted.frames:
        bodies = [[sys.stdin.buffer.read()]] * wanted.requests
    with zmq.Context() as context:
        client = Client(context, wanted)
        try:
            for kind, body in client.run(bodies):
                line = b" ".join([kind.encode(), *body]) + b"\n"
                sys.stdout.buffer.write(line if wanted.show else b"".join(body))
        except NoAnswer:
            print("no answer", file=sys.stderr)
            return 1
        finally:
            client.socket.close(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
