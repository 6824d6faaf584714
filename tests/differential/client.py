"""One client connection: it sends a stream, takes all that comes back, and reads it as responses."""
import itertools
import select
import socket
import struct
import time

QUIET = 0.4    # seconds without a byte, after which a client that waits for the end brings it about
TIMEOUT = 60
NUMBERS = itertools.count()


class Wrong(Exception):
    """What came back is no sequence of responses, or not the one that was expected."""


class Sent:
    def __init__(self):
        self.client = None    # our address, as the exchange log writes it
        self.got = b""
        self.ended = False    # the other side ended
        self.reset = False    # … by breaking off: then the kernel may have thrown away what had come
        self.broke = False    # we did, before it


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def own_address():
    """Of all those that loopback has one that no other connection of this run has."""
    number = next(NUMBERS)
    return "127.%d.%d.%d" % (1 + (number >> 16) % 250, number >> 8 & 255, number & 255), 0


def send(address, stream):
    sent = Sent()
    sock = socket.create_connection(address, TIMEOUT, own_address())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent.client = "%s:%d" % sock.getsockname()
    sock.setblocking(False)
    writes = stream.writes()
    if stream.manner == "reset":
        writes = writes[:len(writes) * 2 // 3 + 1]
    deadline = time.monotonic() + TIMEOUT
    finished = False
    while not sent.ended and time.monotonic() < deadline:
        wants = [sock] if writes else []
        ready = select.select([sock], wants, [], 0 if stream.manner == "fin" and not finished else QUIET)
        try:
            if ready[1]:
                count = sock.send(writes[0])
                writes[0] = writes[0][count:]
                if not writes[0]:
                    writes.pop(0)
            if ready[0]:
                data = sock.recv(1 << 18)
                sent.got += data
                sent.ended = not data
        except ConnectionError:
            sent.ended = sent.reset = True
        if writes or sent.ended:
            continue
        if stream.manner == "reset":
            sent.broke = True
            reset(sock)
            return sent
        if not finished and (stream.manner == "fin" or not any(ready)):
            finished = True
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                sent.ended = True
    sock.close()
    return sent


class Response:
    def __init__(self, status, content, whole):
        self.status, self.content, self.whole = status, content, whole


def read_head(data):
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        raise EOFError
    lines = head.split(b"\r\n")
    if not lines[0].startswith(b"HTTP/1."):
        raise Wrong(f"no status line: {data[:80]!r}")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    return int(lines[0].split(b" ")[1]), fields, rest


def read_chunks(data):
    out = b""
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            return out, b"", False
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        out += data[:size]
        if len(data) < size + 2:
            return out, b"", False
        data = data[size + 2:]
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found:
            return out, b"", False
        if not line:
            return out, data, True


def read_response(data, method):
    """The first final response in DATA, and what comes behind it; EOFError where there is none."""
    while True:
        status, fields, data = read_head(data)
        if status >= 200 or status == 101:
            break
    if status == 101:
        return Response(status, None, True), b""  # the rest is a tunnel
    if method == "HEAD" or status in (204, 304):
        return Response(status, None, True), data
    if b"transfer-encoding" in fields:
        content, rest, whole = read_chunks(data)
        return Response(status, content, whole), rest
    if b"content-length" in fields:
        length = int(fields[b"content-length"])
        return Response(status, data[:length], len(data) >= length), data[length:]
    return Response(status, data, True), b""
