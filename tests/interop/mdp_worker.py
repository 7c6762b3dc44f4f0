"""A Majordomo worker: serves a service until SIGTERM; what happens to it is told on stdout.

mdp_worker.py [OPTION…] SERVICE WORK, where WORK says what is done with a body:
  echo   all its frames come back           upper  in capital letters
  sleep  as many seconds as it says         words  each word a frame
  parts  each word a PARTIAL, the last one the FINAL; with 0.1 as `words`
"""
import argparse
import signal
import time

import zmq

import mdp


def sleep(body):
    time.sleep(float(body[0]))
    return [[b"slept"]]


# Of frames, the messages of the reply, which are lists of frames.
WORKS = {
    "echo": lambda body: [body],
    "upper": lambda body: [[frame.upper() for frame in body]],
    "sleep": sleep,
    "words": lambda body: [b" ".join(body).split()],
    "parts": lambda body: [[word] for word in b" ".join(body).split()] or [[]],
}


def tell(text):
    print(text, flush=True)


class Worker:
    def __init__(self, context, wanted):
        self.context = context
        self.wanted = wanted
        self.version = mdp.VERSIONS[wanted.mdp]
        self.stopping = False
        self.socket = None
        self.connect()

    def say(self, command, *frames):
        self.socket.send_multipart([*self.version.WORKER, command, *frames])
        self.heartbeat_due = time.monotonic() + self.wanted.heartbeat

    def heard(self):
        """Whatever the broker says is a sign of life."""
        self.broker_due = time.monotonic() + self.wanted.heartbeat * self.wanted.liveness

    def connect(self):
        """A new socket and READY: that is how a worker begins, and begins again."""
        if self.socket:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(self.wanted.broker)
        self.say(self.version.READY, self.wanted.service)
        self.heard()
        tell("ready")

    def on_request(self, client, empty, *body):
        tell("request")
        for reply in self.version.worker_replies(client, WORKS[self.wanted.work](list(body))):
            self.socket.send_multipart(reply)

    def on_message(self, frames):
        said = mdp.worker_command(self.version, frames)
        if not said:
            return tell("not understood")
        command, rest = said
        if command == self.version.DISCONNECT:
            tell("disconnected")
            return self.connect()
        if command == self.version.REQUEST:
            self.on_request(*rest)
        self.heard()  # after the work, during which nothing was read

    def turn(self):
        until = min(self.heartbeat_due, self.broker_due) - time.monotonic()
        if self.socket.poll(max(0, min(100, round(until * 1000)))):
            self.on_message(self.socket.recv_multipart())
        if time.monotonic() >= self.broker_due:
            tell("silence")
            time.sleep(self.wanted.reconnect)
            self.connect()
        if time.monotonic() >= self.heartbeat_due:
            self.say(self.version.HEARTBEAT)

    def run(self):
        while not self.stopping:
            self.turn()
        self.say(self.version.DISCONNECT)
        self.socket.close(1000)  # ms for the DISCONNECT to leave


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", default=mdp.endpoint())
    parser.add_argument("--mdp", choices=mdp.VERSIONS, default="0.1")
    parser.add_argument("--heartbeat", type=float, default=2.5, help="the interval in seconds")
    parser.add_argument("--liveness", type=int, default=3, help="silent intervals to bear")
    parser.add_argument("--reconnect", type=float, default=2.5, help="seconds after a silence")
    parser.add_argument("service", type=str.encode)
    parser.add_argument("work", choices=WORKS)
    return parser.parse_args()


def main():
    with zmq.Context() as context:
        worker = Worker(context, options())

        def stop(*_):
            worker.stopping = True
        signal.signal(signal.SIGTERM, stop)
        worker.run()


if __name__ == "__main__":
    main()
