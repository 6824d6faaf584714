#!/usr/bin/env python3
"""Both ends of a WebSocket (RFC 6455), written from the RFC, to be put around mitm_proxy.

usage: websocket.py serve [--host HOST] [--cert CERT --key KEY]
       websocket.py call [--seed N] [--count N] [--ca FILE] [--proxy HOST:PORT [--connect]] URL

serve answers each handshake with a 101 and a first message in the same write; then each frame comes
back as it was, a ping as its pong, and a close as a close, behind which the connection ends. What is
no handshake gets 426.

call makes --count connections, each with frames of random kinds and lengths, the first of them in the
same write as its handshake, all in random pieces. One in four ends without a close, some of those in
the middle of a frame. It checks that what comes back is what was said.

For each connection both print a line of JSON: the SHA-256 of the bytes behind both heads, and what
the exchange log's record of it has as "tunnel".
"""
import argparse
import base64
import hashlib
import json
import os
import random
import select
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

TIMEOUT = 30
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KINDS = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
LENGTHS = (0, 1, 2, 3, 124, 125, 126, 127, 128, 255, 256, 1000, 65534, 65535, 65536, 70000)
GREETING = (1, True, b"welcome")


def frame(opcode, final, payload, key=None):
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    mask = 0x80 if key else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", mask | 126, size)
    else:
        head += struct.pack("!BQ", mask | 127, size)
    return head + (key + masked(payload, key) if key else payload)


def masked(payload, key):
    size = len(payload)
    long_key = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(long_key, "big")).to_bytes(size, "big")


class Direction:
    """What passed in one direction."""

    def __init__(self):
        self.bytes, self.sha = 0, hashlib.sha256()
        self.frames = dict.fromkeys(("text", "binary", "continuation", "close", "ping", "pong"), 0)
        self.frames.update(close_code=None, stopped=None)

    def add(self, data):
        self.bytes += len(data)
        self.sha.update(data)

    def count(self, opcode, payload):
        if opcode == 8 and len(payload) >= 2 and self.frames["close"] == 0:
            self.frames["close_code"] = struct.unpack("!H", payload[:2])[0]
        self.frames[KINDS[opcode]] += 1


class Reader:
    """Reads heads and frames, and counts what is behind the head."""

    def __init__(self, receive):
        self.receive, self.buffer, self.direction = receive, b"", None

    def more(self):
        data = self.receive(65536)
        if self.direction:
            self.direction.add(data)
        self.buffer += data
        return bool(data)

    def take(self, size):
        """So many bytes, or None at the end."""
        while len(self.buffer) < size:
            if not self.more():
                return None
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return b""
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head

    def begin(self):
        """From here on it is a WebSocket."""
        self.direction = Direction()
        self.direction.add(self.buffer)

    def frame(self):
        """(opcode, final, payload), or None at the end."""
        head = self.take(2)
        if head is None:
            return self.cut() if self.buffer else None
        size = head[1] & 127
        if size > 125:
            more = self.take(2 if size == 126 else 8)
            if more is None:
                return self.cut()
            size = int.from_bytes(more, "big")
        key = self.take(4) if head[1] & 128 else None
        payload = None if head[1] & 128 and key is None else self.take(size)
        if payload is None:
            return self.cut()
        opcode, payload = head[0] & 15, masked(payload, key) if key else payload
        self.direction.count(opcode, payload)
        return opcode, bool(head[0] & 128), payload

    def cut(self):
        self.direction.frames["stopped"] = "incomplete"


def fields(head):
    lines = head.split(b"\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def told(up, down):
    tunnel = {"protocol": "websocket", "request_bytes": up.bytes, "response_bytes": down.bytes,
              "frames": {"request": up.frames, "response": down.frames}}
    return json.dumps({"up": up.sha.hexdigest(), "down": down.sha.hexdigest(), "tunnel": tunnel})


class Server:
    def __init__(self, args):
        self.context = None
        self.lock = threading.Lock()
        if args.cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(args.cert, args.key)
        family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
        self.listener = socket.create_server((args.host, 0), family=family,
                                             dualstack_ipv6=args.host == "::")
        print("listening on %s:%d" % self.listener.getsockname()[:2], flush=True)

    def run(self):
        while True:
            peer = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        peer.settimeout(TIMEOUT)
        try:
            if self.context:
                peer = self.context.wrap_socket(peer, server_side=True)
            self.talk(peer)
        except (OSError, ssl.SSLError) as error:
            print(f"failed: {error}", flush=True)
        peer.close()

    def talk(self, peer):
        reader, down = Reader(peer.recv), Direction()
        key = fields(reader.head()).get(b"sec-websocket-key")
        if not key:
            peer.sendall(b"HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\n"
                         b"Upgrade: websocket\r\nContent-Length: 0\r\n\r\n")
            return

        def send(opcode, final, payload, head=b""):
            data = frame(opcode, final, payload)
            down.add(data)
            down.count(opcode, payload)
            peer.sendall(head + data)

        send(*GREETING, head=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
             b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept_of(key))
        reader.begin()
        while got := reader.frame():
            opcode, final, payload = got
            send(10 if opcode == 9 else opcode, final, payload)
            if opcode == 8:
                break
        with self.lock:
            print(told(reader.direction, down), flush=True)
        if self.context:
            peer.unwrap()
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass


class Client:
    def __init__(self, args, rng):
        self.args, self.rng, self.url = args, rng, urllib.parse.urlsplit(args.url)
        self.port = self.url.port or (443 if self.url.scheme == "wss" else 80)
        self.peer, self.pending, self.piece = None, b"", 0

    def connect(self):
        host, port = self.url.hostname, self.port
        target = self.url.path or "/"
        if self.args.proxy:
            host, _, port = self.args.proxy.rpartition(":")
        peer = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT)
        if self.args.proxy and self.args.connect:
            peer.sendall(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (self.authority(),
                                                                      self.authority()))
            assert Reader(peer.recv).head().startswith(b"HTTP/1.1 200"), "CONNECT"
        elif self.args.proxy:
            target = f"http://{self.url.netloc}{target}"
        if self.url.scheme == "wss":
            context = ssl.create_default_context(cafile=self.args.ca)
            peer = context.wrap_socket(peer, server_hostname=self.url.hostname,
                                       suppress_ragged_eofs=False)
        self.peer = peer
        return target.encode()

    def authority(self):
        return self.url.netloc.encode()

    def script(self):
        """Frames to send, as (opcode, final, payload)."""
        rng, frames = self.rng, []
        for _ in range(rng.randint(0, 12)):
            opcode = rng.choice((1, 2, 9, 10))
            if opcode > 8:
                frames.append((opcode, True, rng.randbytes(rng.choice((0, 5, 125)))))
                continue
            count = rng.choice((1, 1, 1, 2, 5))
            for i in range(count):
                payload = rng.randbytes(rng.choice(LENGTHS))
                frames.append((0 if i else opcode, i == count - 1, payload))
                if i < count - 1 and rng.random() < 0.3:
                    frames.append((9, True, b"between"))
        if rng.random() < 0.75 or self.url.scheme == "wss":  # which Python cannot end on one side
            code = rng.choice((b"", struct.pack("!H", rng.choice((1000, 1001, 3000, 4999))) + b"bye"))
            frames.append((8, True, code))
        return frames

    def receive(self, size):
        """What has come, while pieces of what is pending go."""
        tls = self.url.scheme == "wss"
        while True:
            kept = tls and self.peer.pending() > 0  # of which select knows nothing
            readable, writable = select.select([self.peer], [self.peer] if self.pending else [], [],
                                               0 if kept else TIMEOUT)[:2]
            assert readable or writable or kept, "nothing moves"
            try:
                if writable:
                    self.piece = self.piece or self.rng.choice((1, 2, 7, 100, 1460, 5000, 65536))
                    self.pending = self.pending[self.peer.send(self.pending[:self.piece]):]
                    self.piece = 0  # else TLS wants to be given the same again
                    if not self.pending and not tls:
                        self.peer.shutdown(socket.SHUT_WR)
                if readable or tls:
                    return self.peer.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass

    def call(self):
        rng, frames, up = self.rng, self.script(), Direction()
        key = base64.b64encode(rng.randbytes(16))
        data = b""
        for opcode, final, payload in frames:
            data += frame(opcode, final, payload, rng.randbytes(4))
            up.count(opcode, payload)
        if (not frames or frames[-1][0] != 8) and rng.random() < 0.5:
            piece = frame(1, True, b"never whole", rng.randbytes(4))
            data += piece[:rng.randrange(1, len(piece))]
            up.frames["stopped"] = "incomplete"
        up.add(data)
        target = self.connect()
        early = rng.choice((0, 0, 1, 50, len(data)))
        head = b"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
               b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" \
               % (target, self.authority(), key)
        self.peer.sendall(head + data[:early])
        self.pending = data[early:]
        if not self.pending and self.url.scheme != "wss":
            self.peer.shutdown(socket.SHUT_WR)
        self.peer.setblocking(False)
        reader = Reader(self.receive)
        switched = reader.head()
        assert switched.startswith(b"HTTP/1.1 101 "), switched
        assert fields(switched)[b"sec-websocket-accept"] == accept_of(key), switched
        reader.begin()
        got = []
        while one := reader.frame():
            got.append(one)
        wanted = [GREETING] + [(10 if o == 9 else o, f, p) for o, f, p in frames]
        assert got == wanted, f"{len(got)} frames came back, not {len(wanted)} or not the same"
        print(told(up, reader.direction), flush=True)
        self.peer.setblocking(True)
        if self.url.scheme == "wss":
            self.peer.unwrap()
        self.peer.close()


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--cert")
    serve.add_argument("--key")
    call = commands.add_parser("call")
    call.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    call.add_argument("--count", type=int, default=1)
    call.add_argument("--ca")
    call.add_argument("--proxy")
    call.add_argument("--connect", action="store_true")
    call.add_argument("url")
    args = parser.parse_args()
    if args.command == "serve":
        Server(args).run()
    print(f"seed {args.seed}", file=sys.stderr)
    for i in range(args.count):
        Client(args, random.Random(args.seed + i)).call()


main()
