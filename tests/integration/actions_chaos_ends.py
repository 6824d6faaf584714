"""Both ends of actions_chaos.py: clients and an origin that do what they like, but by a seed.

Each reads strictly what comes to it: bytes that are no HTTP/1.1 message where one should begin are a
failure, for somebody has lost his place in the stream then.
"""
import contextlib
import json
import random
import re
import select
import socket
import struct
import threading
import time

from actions_chaos_rules import TOOLS
from actions_http import Dechunk
from wire import Failure

HANG = 60  # seconds: no end by then is none, on the slowest machine
HEAD_MAX = 1 << 19
START = {"request": re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n"),
         "response": re.compile(rb"HTTP/1\.[01] [1-5]\d\d( [^\r\n]*)?\r\n")}


class Message:
    def __init__(self, head, bodiless):
        self.head, self.body, self.whole = head, b"", False
        self.dechunk = Dechunk() if self.field(b"transfer-encoding") else None
        length = self.field(b"content-length")
        self.left = 0 if bodiless else int(length) if length else None
        if bodiless:
            self.dechunk = None

    def field(self, name):
        found = re.search(rb"\r\n%s:[ \t]*([^\r]*?)[ \t]*\r\n" % name, self.head, re.I)
        return found and found[1]

    def content(self):
        return self.dechunk.content if self.dechunk else self.body

    def take(self, data):
        """Takes what belongs to the body and returns the rest; not whole, it took all."""
        if self.dechunk:
            rest = self.dechunk.feed(data)
            self.whole = self.dechunk.trailer is not None
            return rest
        if self.left is None:
            self.body += data
            return b""
        taken, rest = data[:self.left], data[self.left:]
        self.body += taken
        self.left -= len(taken)
        self.whole = self.left == 0
        return rest


class Reader:
    """The messages of one direction so far. TO_HEAD: they are answers to HEAD, all of them."""

    def __init__(self, side, to_head=False):
        self.side, self.to_head = side, to_head
        self.messages, self.rest, self.tunnel = [], b"", False

    def feed(self, data):
        self.rest += data
        while not self.tunnel and self.step():
            pass

    def step(self):
        if not self.messages or self.messages[-1].whole:
            return self.take_head()
        self.rest = self.messages[-1].take(self.rest)
        return self.messages[-1].whole and bool(self.rest)

    def take_head(self):
        head, line, rest = self.rest.partition(b"\r\n\r\n")
        if not line and len(head) < HEAD_MAX:
            return False
        if not START[self.side].match(head + b"\r\n"):
            raise Failure(f"no {self.side} begins with {head[:200]!r}")
        self.rest = rest
        status = head[9:12] if self.side == "response" else b""
        self.tunnel = status == b"101"
        if status[:1] == b"1":
            return True
        bodiless = self.to_head or status in (b"204", b"304")
        message = Message(head + b"\r\n\r\n", bodiless)
        if self.side == "request" and message.left is None:
            message.left = 0
        self.messages.append(message)
        return True


def pieces_of(rng, data):
    step = rng.choice([1, 20, 3000, 1 << 20]) if len(data) < 2000 else rng.choice([5000, 1 << 20])
    at = 0
    while at < len(data):
        size = rng.randrange(1, step + 1)
        yield data[at:at + size]
        at += size


def break_off(sock, reset):
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def chunked(rng, content):
    out, at = bytearray(), 0
    while at < len(content):
        piece = content[at:at + rng.choice([1 + len(content) // 50, 1 + rng.randrange(5000)])]
        out += b"%x%s\r\n%s\r\n" % (len(piece), rng.choice([b"", b";a=b"]), piece)
        at += len(piece)
    return bytes(out) + rng.choice([b"0\r\n\r\n", b"00;x\r\nX-Sum: 1\r\n\r\n"])


def random_json(rng):
    size = rng.choice([0, 0, 10, 3000, rng.randrange(300000)])
    return json.dumps({"id": rng.randrange(99), "tool_name": rng.choice(TOOLS), "ok": True, "list": [1],
                       "arguments": {"amount": 1, "pad": "p" * size}}).encode()


def framed(rng, head, content, http_1_0):
    if not http_1_0 and rng.random() < 0.5:
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(rng, content)
    return head + b"Content-Length: %d\r\n\r\n" % len(content) + content


def random_request(rng, target, method):
    version = rng.choice([b"1.1"] * 9 + [b"1.0"])
    head = b"%s %s HTTP/%s\r\nHost: a\r\n" % (method, target, version)
    head += rng.choice([b"", b"X-Odd:  1 \r\n", b"Content-Type: application/json\r\n"])
    head += rng.choice([b""] * 8 + [b"Connection: close\r\n", b"Expect: 100-continue\r\n"])
    if rng.random() < 0.03:
        return head + rng.choice([b" folded\r\n\r\n", b"Content-Length: x\r\n\r\n"])
    if rng.random() < 0.05:
        head += b"Connection: upgrade\r\nUpgrade: x\r\n"
    if method in (b"GET", b"HEAD"):
        return head + b"\r\n"
    content = rng.choice([b"", b"no json", random_json(rng)])
    return framed(rng, head, content, version == b"1.0")


class Client:
    """One connection with some requests, pipelined or in turn, and an end."""

    def __init__(self, seed, number):
        rng = self.rng = random.Random(f"{seed} client {number}")
        self.number = number
        to_head = rng.random() < 0.1
        self.requests = [random_request(
            rng, b"/%d/%d" % (number, i), b"HEAD" if to_head else rng.choice([b"GET", b"POST", b"POST", b"PUT"]))
            for i in range(rng.randrange(1, 6))]
        self.in_turn, self.lazy = rng.random() < 0.5, rng.random() < 0.2
        self.end = rng.choice(["fin", "fin", "fin", "wait", "wait", "wait", "close", "rst", "part"])
        total = sum(map(len, self.requests))
        self.breaks_at = rng.randrange(total + 1) if self.end in ("close", "rst", "part") else total
        self.reader = Reader("response", to_head)
        self.ended = None

    def run(self, address):
        with socket.create_connection(address) as sock:
            if self.lazy:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            self.talk(sock)

    def talk(self, sock):
        left = self.breaks_at
        for request in self.requests:
            answered = len(self.reader.messages) + 1
            for piece in pieces_of(self.rng, request[:left]):
                self.send(sock, piece)
            left -= len(request)
            if left < 0 or self.ended:
                break
            if self.in_turn:
                self.read(sock, 0.3, lambda: len(self.reader.messages) >= answered
                          and self.reader.messages[-1].whole)
        if self.ended:
            return
        if self.end in ("rst", "close"):
            break_off(sock, self.end == "rst")
            return
        if self.end == "fin":
            with contextlib.suppress(OSError):  # the proxy has broken off
                sock.shutdown(socket.SHUT_WR)
        self.read(sock, HANG, lambda: False)
        if not self.ended:
            raise Failure("the connection neither ended nor was answered")

    def send(self, sock, piece):
        """Reads meanwhile, unless it is lazy: then only where it must."""
        deadline = time.monotonic() + HANG
        while piece and not self.ended and time.monotonic() < deadline:
            readable, writable, _ = select.select([] if self.lazy else [sock], [sock], [], 0.1)
            if readable or not writable:
                self.read(sock, 0, lambda: True)
            if writable:
                try:
                    piece = piece[sock.send(piece):]
                except OSError:
                    self.read(sock, HANG, lambda: False)

    def read(self, sock, seconds, enough):
        deadline = time.monotonic() + seconds
        while not self.ended:
            left = deadline - time.monotonic()
            if not select.select([sock], [], [], max(left, 0))[0]:
                return
            try:
                data = sock.recv(1 << 16)
            except ConnectionError:
                self.ended = "rst"
                return
            if not data:
                self.ended = "fin"
            self.reader.feed(data)
            if enough():
                return


def random_events(rng):
    return b"".join(rng.choice([b"data: 1\n\n", b"event: t\ndata: {\"id\": 1}\r\n\r\n", b": c\n\n",
                                b"data: " + b"e" * rng.randrange(9000) + b"\n\n"])
                    for _ in range(rng.randrange(12)))


class Answer:
    """What the origin says to one request: by the seed and its target, however often it comes."""

    def __init__(self, seed, request):
        target = request.head.split(b" ")[1]
        rng = self.rng = random.Random(f"{seed} answer {target}")
        self.early = rng.random() < 0.1
        self.kind = rng.choice(["whole"] * 16 + ["half", "close", "close", "junk", "nothing", "silent"])
        self.reset = rng.random() < 0.5
        self.closes = self.kind in ("half", "close", "junk", "nothing") or rng.random() < 0.05
        http_1_0 = b" HTTP/1.0\r\n" in request.head
        if http_1_0 or (request.field(b"connection") or b"").lower() == b"close":
            self.closes = True
        before = rng.choice([b""] * 4 + [b"HTTP/1.1 103 Early\r\nX-T: 1\r\n\r\n"]) if not http_1_0 else b""
        self.data = before + self.message(rng, target, request, http_1_0)
        if self.kind == "half":
            self.data = self.data[:rng.randrange(len(self.data))]
        if self.kind in ("nothing", "silent"):
            self.data = b""
        if self.kind == "junk":
            self.data = rng.choice([b"HTTP/2 junk\r\n\r\n", b"\r\n\r\n\r\n", self.data[:40] + b"\0"])

    def message(self, rng, target, request, http_1_0):
        if request.field(b"upgrade") and rng.random() < 0.7:
            self.closes = True  # a tunnel may last for ever
            return b"HTTP/1.1 101 Switching\r\nX-T: %s\r\n\r\nany bytes" % target
        status = rng.choice([b"200 OK"] * 12 + [b"404 No", b"204 No", b"304 Not"])
        head = b"HTTP/1.1 %s\r\nX-T: %s\r\n" % (status, target)
        head += rng.choice([b"", b"X-Odd: 1\r\n", b"Content-Digest: x\r\n"])
        if status[:3] in (b"204", b"304") or request.head.startswith(b"HEAD"):
            return head + rng.choice([b"", b"Content-Length: 7\r\n"]) + b"\r\n"
        content = rng.choice([b"", b"text", random_json(rng), random_json(rng)])
        if rng.random() < 0.35:
            content, head = random_events(rng), head + b"Content-Type: text/event-stream\r\n"
        elif rng.random() < 0.5:
            head += b"Content-Type: application/json\r\n"
        if self.kind == "close":
            return head + b"\r\n" + content
        return framed(rng, head, content, http_1_0)


class Origin:
    """Takes connections until the listening socket closes; `seen` has what came on each."""

    def __init__(self, listening, seed):
        self.listening, self.seed = listening, seed
        self.seen, self.failures, self.threads = [], [], []
        listening.settimeout(None)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock = self.listening.accept()[0]
            except OSError:
                return
            reader = Reader("request")
            self.seen.append(reader)
            thread = threading.Thread(target=self.serve, args=(sock, reader), daemon=True)
            self.threads.append(thread)
            thread.start()

    def serve(self, sock, reader):
        sock.settimeout(HANG)
        try:
            self.talk(sock, reader)
        except Failure as failure:
            self.failures.append(f"the origin: {failure}")
        except OSError:
            pass  # the proxy has broken off, or stayed silent for so long that a client tells of it
        finally:
            sock.close()

    def talk(self, sock, reader):
        answered = 0
        while data := sock.recv(1 << 16):
            reader.feed(data)
            while answered < len(reader.messages):
                request = reader.messages[answered]
                answer = Answer(self.seed, request)
                if not request.whole and not answer.early:
                    break
                answered += 1 if answer.kind != "silent" else HEAD_MAX
                reader.tunnel = b"HTTP/1.1 101 " in answer.data
                for piece in pieces_of(answer.rng, answer.data):
                    sock.sendall(piece)
                if answer.closes:
                    break_off(sock, answer.reset and answer.kind != "whole")
                    return
