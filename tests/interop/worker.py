"""A minimal worker (protocol.md, appendix C): exports the service `python` until SIGTERM."""
import dataclasses
import os
import signal
import threading
import time

import msgpack
import zmq

import busbar
from busbar import Packet

SERVICE = b"python"
CREDIT = 4
PATIENCE_S = 1.0  # for WELCOME, after which HELLO is said again, and for DEREGISTERED


def nap(seconds):
    time.sleep(seconds)
    return "rested"


FUNCTIONS = {b"add": lambda a, b: a + b, b"nap": nap}
SIGNATURES = {"upper": "y>y", "add": "ll>l", "nap": "d>s"}


def answer_to(call):
    """`upper` takes and gives a raw body, all else a list of arguments and one value."""
    raw = call.method == b"upper"
    if not raw and call.method not in FUNCTIONS:
        return busbar.failed("NO_METHOD", busbar.NOT_EXECUTED, "there is no such method here")
    try:
        arguments = call.body if call.encoding == busbar.RAW else msgpack.unpackb(call.body)
    except (ValueError, msgpack.UnpackException):
        arguments = None
    if call.encoding > 1 or not isinstance(arguments, bytes if raw else list):
        return busbar.failed("BAD_REQUEST", busbar.NOT_EXECUTED, "the body is not what it takes")
    if raw:
        return Packet(busbar.REPLY, fate=busbar.EXECUTED, body=arguments.upper())
    try:
        result = msgpack.packb(FUNCTIONS[call.method](*arguments))
    except Exception as error:  # whatever a function raises is its application's error
        return busbar.failed("APP_ERROR", busbar.EXECUTED, str(error))
    return Packet(busbar.REPLY, fate=busbar.EXECUTED, encoding=1, body=result)


class Worker:
    def __init__(self, context):
        self.context = context
        self.socket = busbar.connect(context, busbar.endpoint())
        self.instance = os.urandom(16)
        self.epoch = self.body_limit = 0
        self.interval = 1.0
        self.token = 0  # 0: there is no session
        self.lost_token = 0  # what the broker said it does not know, set by the other thread
        self.greeted = -PATIENCE_S
        self.stopping = threading.Event()
        self.leaving = False  # DEREGISTER and GOAWAY were said
        self.left = threading.Event()

    def say(self, *packets):
        if self.socket.poll(0, zmq.POLLOUT):
            busbar.send(self.socket, *packets)
        else:  # there is no connection any more, and so no session
            self.token = 0

    def heartbeats(self):
        """Runs in a thread, on a connection of its own, so that no handler can hold it up."""
        socket = busbar.connect(self.context, busbar.endpoint())
        while not self.left.wait(self.interval / 2):
            while socket.poll(0):
                for packet in busbar.read(socket.recv_multipart()):
                    if packet.command == busbar.RESET:
                        self.lost_token = packet.id
            if self.token != 0 and socket.poll(0, zmq.POLLOUT):
                busbar.send(socket, Packet(busbar.HEARTBEAT, id=self.token))
        socket.close(0)

    def greet(self):
        if self.token == self.lost_token:
            self.token = 0
        due = self.token == 0 and time.monotonic() >= self.greeted + PATIENCE_S
        if due and self.socket.poll(0, zmq.POLLOUT):
            self.greeted = time.monotonic()
            busbar.send(self.socket, busbar.hello(self.instance, self.epoch))

    def on_welcome(self, packet):
        self.epoch, self.body_limit, _, interval, _ = busbar.WELCOME_BODY.unpack_from(packet.body)
        self.interval = interval / 1000
        self.token = packet.id
        methods = [{"name": name, "signature": text} for name, text in SIGNATURES.items()]
        body = msgpack.packb({"version": "1.0", "methods": methods})
        self.say(Packet(busbar.REGISTER, id=1, service=SERVICE, encoding=1, body=body),
                 Packet(busbar.CREDIT, id=CREDIT))

    def on_call(self, call):
        if self.leaving:
            return self.say(dataclasses.replace(call, command=busbar.RETURN, timeout=0))
        answer = answer_to(call)
        if len(answer.body) > self.body_limit:
            answer = busbar.failed("RESULT_TOO_LARGE", busbar.EXECUTED, "it is too large")
        answer.id = call.id
        if self.token != self.lost_token:
            self.say(answer)

    def on_packet(self, packet):
        """CANCEL needs nothing: the handler has ended by now, and the answer is due all the same."""
        if packet.command == busbar.WELCOME:
            self.on_welcome(packet)
        elif packet.command == busbar.CALL and self.token != 0:  # else it is of an earlier session
            self.on_call(packet)
        elif packet.command == busbar.RESET and self.token != 0:
            self.token, self.greeted = 0, -PATIENCE_S
        elif packet.command == busbar.BYE:
            self.token, self.greeted = 0, time.monotonic()
        elif packet.command == busbar.REGISTERED:
            print("registered", flush=True)
        elif packet.command == busbar.REFUSED:
            print("refused:", packet.body.decode(), flush=True)
        elif packet.command == busbar.DEREGISTERED:
            self.left.set()

    def turn(self):
        if self.socket.poll(50):
            for packet in busbar.read(self.socket.recv_multipart()):
                self.on_packet(packet)

    def run(self):
        heart = threading.Thread(target=self.heartbeats)
        heart.start()
        while not self.stopping.is_set():
            self.greet()
            self.turn()
        self.leaving = True
        self.say(Packet(busbar.DEREGISTER, id=2, service=SERVICE), Packet(busbar.GOAWAY))
        until = time.monotonic() + PATIENCE_S
        while self.token != 0 and not self.left.is_set() and time.monotonic() < until:
            self.turn()
        self.left.set()
        self.say(Packet(busbar.BYE))
        heart.join()
        self.socket.close()


if __name__ == "__main__":
    with zmq.Context() as shared:
        worker = Worker(shared)
        signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
        worker.run()
