"""usage: recording_origin.py CERT KEY RECORD PCAP

An origin for tests/data/clients/calls.json: on port 8000, and with TLS on 8443. Each request that it has
read is a line of JSON in RECORD: which of its connection's it is, its head, and a digest of all the bytes
behind that. PCAP shows what it
reads and writes within TLS.

Where nothing stands between it and a client, it is a forward proxy's stand-in, too: an absolute target
is its own, and behind a CONNECT it goes on as the server that was asked for.
"""
import gzip
import hashlib
import json
import re
import socket
import ssl
import sys
import threading

import payload_pcap

CERT, KEY, RECORD, PCAP = sys.argv[1:]
READ_MAX = 65536
TOOL = b'{"id":9007199254740993,"result":{"ok":true,"echo":"\\u0000"}}'
EVENTS = [b"event: started\ndata: {\"n\":1}\n\n", b": a comment\n\ndata: {\"n\"", b":2}\n\n", b"id: 3\ndata: end\n\n"]


def chunks(pieces, extension=b"", trailer=b""):
    return [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces] + \
        [b"0\r\n" + trailer + b"\r\n"]


def sized(kind, body, fields=b""):
    return [b"HTTP/1.1 200 OK\r\ncontent-TYPE: %s\r\n%sContent-Length: %d\r\n\r\n" %
            (kind, fields, len(body)), body]


# What it answers with, by the last part of the target, and "tool" else: each piece is a write of its own.
ANSWERS = {
    "tool": sized(b"application/json", TOOL, b"X-Odd:   two  spaces \r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"),
    "big": sized(b"application/octet-stream", bytes(range(256)) * 4096),
    "chunked": [b"HTTP/1.1 200 Very Well\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
                *chunks([b"a", b"bc" * 5000, b"def"], b";why=so", b"X-Sum: 3\r\n")],
    "events": [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
               *chunks(EVENTS)],
    "empty": [b"HTTP/1.1 204 No Content\r\nX-Empty:\r\n\r\n"],
    "gzip": sized(b"text/plain", gzip.compress(b"the same again. " * 500, mtime=0), b"Content-Encoding: gzip\r\n"),
    "expect": sized(b"text/plain", b"as it was asked for"),
    "until-end": [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nuntil ", b"the end"],
}
lock = threading.Lock()


class Peer:
    """A client's connection; PACKETS: the capture that its bytes go to, or None."""

    def __init__(self, connection, packets):
        self.connection, self.packets, self.held = connection, packets, b""
        self.requests = 0

    def more(self):
        """False: there is none."""
        data = self.connection.recv(READ_MAX)
        if self.packets:
            self.packets.carried("peer", data) if data else self.packets.ended("peer")
        self.held += data
        return bool(data)

    def take(self, length):
        while len(self.held) < length:
            if not self.more():
                raise EOFError
        taken, self.held = self.held[:length], self.held[length:]
        return taken

    def take_until(self, end):
        while end not in self.held:
            if not self.more():
                raise EOFError
        return self.take(self.held.index(end) + len(end))

    def send(self, data):
        if self.packets and data:
            self.packets.carried("local", data)
        self.connection.sendall(data)

    def end(self):
        """Says so, and waits until the client has nothing to say either."""
        if self.packets:
            self.packets.ended("local")
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection = self.connection.unwrap()
        self.connection.shutdown(socket.SHUT_WR)
        while self.more():
            pass


def read_rest(peer, head):
    """The bytes behind a request's head."""
    length = re.search(rb"(?i)\r\ncontent-length:[ \t]*(\d+)", head)
    if length:
        return peer.take(int(length[1]))
    rest = b""
    if re.search(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked", head):
        size = -1
        while size:
            line = peer.take_until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            rest += line + peer.take(size + 2)
    return rest


def record(peer, head, rest):
    peer.requests += 1
    line = json.dumps({
        "nth": peer.requests, "over": "TLS" if isinstance(peer.connection, ssl.SSLSocket) else "plain",
        "head": head.decode("latin-1"), "rest_bytes": len(rest), "rest_sha256": hashlib.sha256(rest).hexdigest()})
    with lock, open(RECORD, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def answer(peer, head):
    """False: the connection ends with it."""
    method, target = head.split(b" ", 2)[:2]
    name = re.split(r"[?/]", target.decode().partition("?")[0])[-1]
    pieces = ANSWERS.get(name, ANSWERS["tool"])
    for piece in pieces[:1] if method == b"HEAD" else pieces:
        peer.send(piece)
    return name != "until-end"


def serve_requests(peer):
    while True:
        if not peer.held and not peer.more():
            break
        head = peer.take_until(b"\r\n\r\n")
        if head.startswith(b"CONNECT "):
            record(peer, head, b"")
            peer.send(b"HTTP/1.1 200 Connected\r\n\r\n")
            if peer.connection.recv(1, socket.MSG_PEEK) == b"\x16":
                peer.connection = CONTEXT.wrap_socket(peer.connection, server_side=True)
            continue
        if re.search(rb"(?i)\r\nexpect:", head):
            peer.send(b"HTTP/1.1 100 Continue\r\nX-Waits: yes\r\n\r\n")
        record(peer, head, read_rest(peer, head))
        if not answer(peer, head):
            break
    peer.end()


def serve(connection, secured):
    packets = None
    try:
        if secured:
            connection = CONTEXT.wrap_socket(connection, server_side=True)
            packets = payload_pcap.Connection(CAPTURE, connection.getpeername(), connection.getsockname())
        serve_requests(Peer(connection, packets))
    except (OSError, EOFError, ValueError) as error:
        print("ended by", repr(error), flush=True)
    finally:
        connection.close()


def accept(listener, secured):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, secured), daemon=True).start()


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CONTEXT.load_cert_chain(CERT, KEY)
CONTEXT.set_alpn_protocols(["http/1.1"])
CAPTURE = payload_pcap.Capture(PCAP)
plain, tls = (socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
              for port in (8000, 8443))
threading.Thread(target=accept, args=(plain, False), daemon=True).start()
print("listening", flush=True)
accept(tls, True)
